"""A path -> the labelled set that lies there, in whatever format; it must not know what the set is for."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from handlens.data.dataset import LabelledSet
from handlens.data.formats.class_folders import is_class_folders, is_named, read_folders, read_named
from handlens.data.formats.coco import broken_coco_files, coco_files, read_coco
from handlens.data.formats.cvat import cvat_file, read_cvat
from handlens.data.formats.file_lists import list_files, read_lists, read_table, table_of
from handlens.data.formats.labelme import is_labelme, read_labelme
from handlens.data.formats.labelstudio import labelstudio_file, read_labelstudio
from handlens.data.formats.landmarks import is_landmarks, read_landmarks
from handlens.data.formats.masks import is_masks, read_masks
from handlens.data.formats.npy import pair_kind, read_pair
from handlens.data.formats.silhouettes import read_silhouettes
from handlens.data.formats.text_files import columns_of, read_json
from handlens.data.formats.voc import is_voc, read_voc
from handlens.data.formats.yolo import has_polygons, read_yolo, read_yolo_masks
from handlens.data.formats.yolo_layout import is_yolo
from handlens.data.label_kinds import LABEL_KINDS
from handlens.data.problems import WRONG_BOX, WRONG_CLASS, WRONG_LINE, OnProblem, Problem, reasons
from handlens.errors import InputError, unknown

Reader = Callable[[Path, OnProblem | None], LabelledSet]


@dataclass(frozen=True)
class Format:
    """One way to write down a set. signs: whether a path looks like it; read: what it then says of one kind."""

    name: str
    kind: str
    signs: Callable[[Path], bool]
    read: Reader


def _is_class_table(path: Path) -> bool:
    table = table_of(path)
    return table is not None and {"file", "label"} <= set(columns_of(table))


def _is_coco(path: Path) -> bool:
    return bool(coco_files(path))


def _is_studio(path: Path) -> bool:
    return labelstudio_file(path) is not None


def _has_boxes(path: Path) -> bool:
    file = labelstudio_file(path)
    text = file.read_bytes() if file is not None else b'"choice'
    return b'"choice' not in text or b"rectanglelabels" in text


_PAIR = "images.npy with labels.npy"
_STUDIO = "Label Studio (.json)"

FORMATS: tuple[Format, ...] = (
    Format("labels.csv with the columns file, label", "classify", _is_class_table, read_table),
    Format("landmarks (.csv with the columns file, point, x, y)", "landmarks", is_landmarks, read_landmarks),
    Format("pictures and masks (images/, masks/, or labels.csv with a column mask)", "segment", is_masks, read_masks),
    Format(_PAIR, "segment", lambda path: pair_kind(path) == "segment", read_pair),
    Format(_PAIR, "classify", lambda path: pair_kind(path) == "classify", read_pair),
    Format("silhouettes (.npz)", "classify", lambda path: path.suffix.lower() == ".npz", read_silhouettes),
    Format("COCO (.json)", "detect", _is_coco, read_coco),
    Format("COCO (.json)", "segment", _is_coco, partial(read_coco, kind="segment")),
    Format(_STUDIO, "detect", _has_boxes, partial(read_labelstudio, kind="detect")),
    Format(_STUDIO, "classify", _is_studio, partial(read_labelstudio, kind="classify")),
    Format("YOLO (data.yaml, .data, or .txt files beside the pictures)", "detect", is_yolo, read_yolo),
    Format("YOLO with polygons", "segment", has_polygons, read_yolo_masks),
    Format("LabelMe (.json beside each picture)", "detect", is_labelme, read_labelme),
    Format("CVAT for images (.xml)", "detect", lambda path: cvat_file(path) is not None, read_cvat),
    Format("VOC (Annotations/*.xml)", "detect", is_voc, read_voc),
    Format("lists (train.list)", "classify", lambda path: bool(list_files(path)), read_lists),
    Format("pictures called NUMBER_CLASS (123_4.png)", "classify", is_named, read_named),
    Format("class folders (CLASS/*.jpg, train/CLASS/*.jpg)", "classify", is_class_folders, read_folders),
)
"""In the order they are tried: what says more of itself comes first."""


def open_set(
    path: str | Path, kind: str | Sequence[str] | None = None, on_problem: OnProblem | None = None
) -> LabelledSet:
    """Return the labelled set at a path: a folder, or the one file that describes it.

    Args:
        kind: Detect, classify or segment, for sets that can be read as more than one, or several of them, of which the
            first that the set has is taken; None: what the set is by itself, and of boxes and masks the boxes.
        on_problem: Told of each thing that is wrong; it is then left out. None: the first one raises.

    Raises:
        InputError: nothing is there, it is in no known format or of another kind, or without `on_problem` wrong; with
            it, nothing can be used, and the sentence says what is wrong most often.
    """
    root = Path(path)
    kinds = (kind,) if isinstance(kind, str) else tuple(kind or ())
    for name in kinds:
        if name not in LABEL_KINDS:
            raise InputError(unknown("kind", name, LABEL_KINDS))
    if not root.exists():
        raise InputError(f"'{path}' does not exist: give a folder with labelled pictures, or the file that lists them.")
    chosen = _chosen(root, kinds)
    if chosen is not None:
        return _read(chosen, root, on_problem)
    fitting = [form for form in FORMATS if form.signs(root)]
    if fitting:
        reported = " and ".join(dict.fromkeys(form.name for form in fitting))
        raise InputError(
            f"'{path}' is {reported}, which is to {fitting[0].kind}; this needs a set to {' or '.join(kinds)}:"
            f" {'; '.join(dict.fromkeys(form.name for form in FORMATS if form.kind in kinds))}."
        )
    if root.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        raise InputError(f"'{path}' is packed: unpack it and give the folder.")
    if root.suffix.lower() == ".json":
        read_json(root)  # raises where it is none, and says in which line
    for _, why in broken_coco_files(root):
        raise InputError(why)
    looked = "; ".join(dict.fromkeys(form.name for form in FORMATS if not kinds or form.kind in kinds))
    raise InputError(f"'{path}' is not a labelled set in a known format; looked for {looked}.")


def has_boxes_and_masks(path: str | Path) -> bool:
    """Return whether a set has boxes in label files and masks in pictures, as a rendered one."""
    root = Path(path)
    return root.is_dir() and is_masks(root) and is_yolo(root)


def _chosen(root: Path, kinds: Sequence[str]) -> Format | None:
    """Return the format of a set: the first that fits, of the kinds in their order where there are any."""
    if not kinds and has_boxes_and_masks(root):
        kinds = ("detect",)
    for kind in kinds or (None,):
        for form in FORMATS:
            if kind in (None, form.kind) and form.signs(root):
                return form
    return None


def _read(form: Format, root: Path, on_problem: OnProblem | None) -> LabelledSet:
    """Return what a format reads; where nothing can be used, say why."""
    reported: list[Problem] = []
    refused = False

    def hear(problem: Problem) -> None:
        nonlocal refused
        reported.append(problem)
        if on_problem is not None:
            refused = True  # of the listener's own error the text is whole
            on_problem(problem)
            refused = False

    try:
        found = form.read(root, None if on_problem is None else hear)
    except InputError as error:
        if refused or not reported:
            raise
        raise InputError(f"{error} {_capitalized(reasons(reported))}") from error
    if not len(found):
        raise InputError(f"'{root}' has no picture that can be used. {_capitalized(reasons(reported))}".strip())
    wrong = [problem for problem in reported if problem.kind in (WRONG_LINE, WRONG_CLASS, WRONG_BOX)]
    if wrong and found.label_kind.has_boxes and not any(len(picture.boxes) for picture in found):
        raise InputError(f"'{root}' has no box that can be used. {_capitalized(reasons(wrong))}")
    return found


def _capitalized(sentence: str) -> str:
    return f"{sentence[:1].upper()}{sentence[1:]}"
