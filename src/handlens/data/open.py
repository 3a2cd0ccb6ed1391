"""A path -> the labelled set that lies there, in whatever format; it must not know what the set is for."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from handlens.data.coco import coco_files, read_coco
from handlens.data.folders import is_class_folders, read_folders
from handlens.data.labelstudio import labelstudio_file, read_labelstudio
from handlens.data.lists import list_files, read_lists
from handlens.data.masks import is_masks, read_masks
from handlens.data.named import is_named, read_named
from handlens.data.packs import pair_kind, read_pair
from handlens.data.problems import OnProblem
from handlens.data.sets import KINDS, LabelledSet
from handlens.data.silhouettes import read_silhouettes
from handlens.data.tables import read_table, table_of
from handlens.data.texts import columns_of, read_json
from handlens.data.voc import is_voc, read_voc
from handlens.data.yolo import read_yolo
from handlens.data.yolo_layout import is_yolo
from handlens.data.yolo_masks import has_polygons, read_yolo_masks
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
    Format("VOC (Annotations/*.xml)", "detect", is_voc, read_voc),
    Format("lists (train.list)", "classify", lambda path: bool(list_files(path)), read_lists),
    Format("pictures called NUMBER_CLASS (123_4.png)", "classify", is_named, read_named),
    Format("class folders (CLASS/*.jpg, train/CLASS/*.jpg)", "classify", is_class_folders, read_folders),
)
"""In the order they are tried: what says more of itself comes first."""


def open_set(path: str | Path, kind: str | None = None, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the labelled set at a path: a folder, or the one file that describes it.

    kind: detect, classify or segment, for sets that can be read as more than one; None: what it is by itself.
    on_problem: told of each thing that is wrong; it is then left out. None: the first one raises.

    Raises:
        InputError: nothing is there, it is in no known format or of another kind, or without `on_problem` wrong.
    """
    root = Path(path)
    if kind is not None and kind not in KINDS:
        raise InputError(unknown("kind", kind, KINDS))
    if not root.exists():
        raise InputError(f"'{path}' does not exist: give a folder with labelled pictures, or the file that lists them.")
    chosen = next((form for form in FORMATS if kind in (None, form.kind) and form.signs(root)), None)
    if chosen is not None:
        return chosen.read(root, on_problem)
    fitting = [form for form in FORMATS if form.signs(root)]
    if fitting:
        told = " and ".join(dict.fromkeys(form.name for form in fitting))
        raise InputError(
            f"'{path}' is {told}, which is to {fitting[0].kind}; this needs a set to {kind}:"
            f" {'; '.join(form.name for form in FORMATS if form.kind == kind)}."
        )
    if root.suffix.lower() in (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar"):
        raise InputError(f"'{path}' is packed: unpack it and give the folder.")
    if root.suffix.lower() == ".json":
        read_json(root)  # raises where it is none, and says in which line
    looked = "; ".join(dict.fromkeys(form.name for form in FORMATS if kind in (None, form.kind)))
    raise InputError(f"'{path}' is no labelled set in a known format; looked for {looked}.")
