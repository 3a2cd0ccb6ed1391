"""YOLO sets, read and written: one text file of boxes beside each picture; it must not know the other formats.

A line is `class cx cy w h`, the class a number from 0 and the box in fractions of the picture; of a polygon the box
around it counts, of a box with key points the box. What else a line can be is in `yolo_lines`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from handlens.data.dataset import SPLITS, Labelled, LabelledSet
from handlens.data.formats.boxes import keep_boxes, measure
from handlens.data.formats.outlines import Outline, draw, need_pycocotools
from handlens.data.formats.text_files import read_groups, write_groups, write_text
from handlens.data.formats.yolo_layout import Layout, find_layout, is_yolo
from handlens.data.formats.yolo_lines import Form, find_form, may_be_polygons, read_lines
from handlens.data.new_folder import Tick, new_folder, put_pictures, refuse_others
from handlens.data.pictures import below, is_picture_file, picture_size
from handlens.data.problems import (
    NO_LABEL,
    NO_PICTURE,
    WRONG_LINE,
    OnProblem,
    complain,
    mention,
)
from handlens.errors import InputError

_ENDINGS = (".txt", ".TXT", ".Txt")
_NO_LABELS = frozenset({"classes.txt", "names.txt", "labels.txt", "predefined_classes.txt", "readme.txt", "notes.txt"})


def read_yolo(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set of a data.yaml, a Darknet .data file or a folder of pictures with their .txt files.

    A picture without a label file is one without objects. Splits come from the description or from folder names,
    groups from groups.csv. Boxes that reach over the edge of their picture are cut there.

    Args:
        on_problem: Told of each problem; what is wrong is then left out. None: the first wrong line raises.

    Raises:
        InputError: no YOLO set; without `on_problem` also a line, class or box that is wrong.
    """
    layout, form, label_files = find_labels(root, on_problem)
    pictures = []
    for place in label_files:
        lines = [] if place.label is None else read_lines(place.label, layout.names, form, on_problem)
        entries = ((name, _pixels(values, *place.size), where) for name, values, where in lines)
        file = place.label or place.path
        boxes, classes = keep_boxes(entries, layout.names, place.size, file, on_problem)
        pictures.append(Labelled(place.path, *place.size, boxes, classes, split=place.split, group=place.group))
    return LabelledSet("detect", layout.names, tuple(pictures), layout.root)


@dataclass(frozen=True)
class Place:
    """A picture of (width, height) and the file of its labels, None where it has none."""

    path: Path
    size: tuple[int, int]
    label: Path | None
    split: str
    group: str


def find_labels(root: str | Path, on_problem: OnProblem | None = None) -> tuple[Layout, Form, list[Place]]:
    """Return what a YOLO set says of itself, how its lines are to be read, and its pictures.

    Pictures that cannot be read are left out.

    Raises:
        InputError: no YOLO set, one without any label, or one whose lines can be read in several ways; without
            `on_problem` also a picture that cannot be read.
    """
    layout = find_layout(Path(root), on_problem)
    groups = read_groups(layout.root)
    labels = [label_file(path) for path, _ in layout.pictures]
    if not any(label is not None for label in labels):
        raise InputError(
            f"'{root}' has no labels: there is no .txt file for any of its {len(layout.pictures)} pictures, neither"
            f" beside them nor in labels/."
        )
    form = find_form([label for label in labels if label is not None], layout.stated, Path(root), on_problem)
    label_files = []
    for (path, split), label in zip(layout.pictures, labels, strict=True):
        if label is None:
            mention(on_problem, NO_LABEL, path, f"'{path}' has no label file: it counts as a picture without objects.")
        size = measure(path, on_problem)
        if size is not None:
            label_files.append(Place(path, size, label, split, groups.get(below(path, layout.root), "")))
    for stray in _strays(layout.pictures, labels):
        mention(on_problem, NO_PICTURE, stray, f"'{stray}' has no picture of its name.")
    return layout, form, label_files


def write_yolo(found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None) -> None:
    """Write a set as a folder that YOLO and Darknet programs read; it appears whole or not at all.

    images/ and labels/ (with a folder for each split), data.yaml, NAME.names, NAME.data, a list for each split, and
    groups.csv where pictures have groups. Pictures keep their names; two of one name get their folder's before it.

    Args:
        copy: False links the pictures instead of copying them.
        tick: Called after each picture.

    Raises:
        InputError: not a set of boxes, or only some of its pictures belong to a split.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    refuse_others(found, "YOLO")
    stray = next((picture for picture in found if found.splits and not picture.split), None)
    if stray is not None:
        raise InputError(f"'{stray.path}' is in no split, but others are: split the whole set ('handlens data split').")
    dest = Path(dest)
    with new_folder(dest) as folder:
        placed: list[tuple[Path, Labelled]] = []
        for place, picture in put_pictures(found.pictures, folder / "images", copy, tick):
            label = folder / "labels" / picture.split / f"{place.stem}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            write_text(label, _lines(picture))
            placed.append((place, picture))
        _describe(found, folder, dest.resolve().name, placed)


def label_file(picture: Path) -> Path | None:
    """Return the label file of a picture: in labels/ where it lies in images/, else beside it; None: there is none."""
    return next((place for place in _label_places(picture) if place.is_file()), None)


def _label_places(picture: Path) -> Iterator[Path]:
    """Yield where the label of a picture may lie; labels/ and .txt in any case of letters."""
    parts = picture.parts
    for place in reversed(range(len(parts) - 1)):
        if parts[place].lower() == "images":
            for name in ("labels", "Labels", "LABELS"):
                path = Path(*parts[:place], name, *parts[place + 1 :])
                yield from (path.with_suffix(ending) for ending in _ENDINGS)
    yield from (picture.with_suffix(ending) for ending in _ENDINGS)


def _strays(pictures: tuple[tuple[Path, str], ...], labels: list[Path | None]) -> Iterator[Path]:
    """Yield the label files that have no picture."""
    homes: dict[Path, set[Path]] = {}
    for (path, _), label in zip(pictures, labels, strict=True):
        if label is not None:
            homes.setdefault(label.parent, set()).add(path.parent)
    for home, folders in sorted(homes.items()):
        stems = {path.stem for folder in folders for path in folder.iterdir() if is_picture_file(path.name)}
        for path in sorted(path for path in home.iterdir() if path.suffix in _ENDINGS):
            if path.stem in stems or path.name.lower() in _NO_LABELS:
                continue
            first = path.read_bytes()[:64].split()[:1]  # a list or a note is not a label
            if not first or first[0].isdigit():
                yield path


def _pixels(values: list[float], width: int, height: int) -> list[float]:
    """Return x1, y1, x2, y2 in pixels of a box or a polygon in fractions."""
    if len(values) > 4:
        xs, ys = values[0::2], values[1::2]
        return [min(xs) * width, min(ys) * height, max(xs) * width, max(ys) * height]
    x, y, w, h = values
    return [(x - w / 2) * width, (y - h / 2) * height, (x + w / 2) * width, (y + h / 2) * height]


def _lines(picture: Labelled) -> Iterator[str]:
    width, height = (picture.width, picture.height) if picture.width else picture_size(picture.path)
    for label, (x1, y1, x2, y2) in zip(picture.labels.tolist(), picture.boxes.tolist(), strict=True):
        values = ((x1 + x2) / 2 / width, (y1 + y2) / 2 / height, (x2 - x1) / width, (y2 - y1) / height)
        yield " ".join([str(label), *(f"{value:.8f}" for value in values)])


def _describe(found: LabelledSet, folder: Path, name: str, placed: list[tuple[Path, Labelled]]) -> None:
    """Write data.yaml, the .names and .data files, the lists and groups.csv."""
    import yaml

    lists = {split: [path for path, picture in placed if picture.split == split] for split in SPLITS}
    lists = {split: paths for split, paths in lists.items() if paths}
    # No `path`: programs then take the folders from where this file lies, and the set may be moved.
    sheet = {**{split: f"images/{split}" for split in lists}, "nc": len(found.names), "names": list(found.names)}
    (folder / "data.yaml").write_text(yaml.safe_dump(sheet, sort_keys=False, allow_unicode=True), encoding="utf-8")
    write_text(folder / f"{name}.names", found.names)
    keys = {"train": "train", "val": "valid", "test": "test"}
    data_lines = [f"classes = {len(found.names)}", *(f"{keys[split]} = {split}.txt" for split in lists)]
    data_lines += [f"names = {name}.names", "backup = backup"]
    write_text(folder / f"{name}.data", data_lines)
    for split, paths in lists.items():  # ./ because Darknet looks for /images/ in them
        write_text(folder / f"{split}.txt", [f"./{below(path, folder)}" for path in paths])
    write_groups(folder, placed)


_LOOKED = 50  # label files that are looked into for a polygon


def has_polygons(root: Path) -> bool:
    """Return whether a path is a YOLO set with lines among its first labels that can be polygons."""
    if not is_yolo(root):
        return False
    try:
        layout = find_layout(root, lambda problem: None)
    except InputError:
        return False  # reading it as a set of boxes says what is wrong
    labels = (label_file(path) for path, _ in layout.pictures)
    return may_be_polygons(islice((label for label in labels if label is not None), _LOOKED), layout.stated)


def read_yolo_masks(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the masks of a YOLO set of polygons: the background first, later polygons over earlier ones.

    A picture without a label file is all background.

    Args:
        on_problem: Told of each problem; what is wrong is then left out. None: the first wrong line raises.

    Raises:
        InputError: no YOLO set, or pycocotools is missing; without `on_problem` also a line that is wrong or a box.
    """
    need_pycocotools()
    layout, form, label_files = find_labels(root, on_problem)
    names = ("background", *(name for name in layout.names if name != "background"))
    pictures, count = [], 0
    for place in label_files:
        outlines = [(names.index(name), outline) for name, outline in _outlines(place, layout.names, form, on_problem)]
        count += len(outlines)
        mask = partial(draw, outlines, place.size, str(place.path))
        pictures.append(Labelled(place.path, *place.size, mask=mask, split=place.split, group=place.group))
    if pictures and not count:
        raise InputError(f"'{root}' has no polygon that can be used.")
    return LabelledSet("segment", names, tuple(pictures), layout.root)


def _outlines(
    place: Place, names: tuple[str, ...], form: Form, on_problem: OnProblem | None
) -> Iterator[tuple[str, Outline]]:
    """Yield (name, outline in pixels) of each polygon of a picture."""
    if place.label is None:
        return
    for name, values, where in read_lines(place.label, names, form, on_problem):
        if len(values) == 4:
            text = f"{where} is a box: masks need outlines, 'class x1 y1 x2 y2 x3 y3 ...' in fractions of the picture."
            complain(on_problem, WRONG_LINE, place.label, text)
        else:
            yield name, [_in_pixels(values, place.size)]


def _in_pixels(values: Sequence[float], size: tuple[int, int]) -> list[float]:
    return [value * size[number % 2] for number, value in enumerate(values)]
