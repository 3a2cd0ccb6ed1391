"""YOLO sets, read and written: one text file of boxes beside each picture; it must not know the other formats.

A line is `class cx cy w h`, the class a number from 0 and the box in fractions of the picture; a polygon is
`class x1 y1 x2 y2 x3 y3 ...` and counts as the box around it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handlens.data.delivery import Tick, file_names, new_folder, put_picture, refuse_others
from handlens.data.edges import keep_boxes, measure
from handlens.data.pictures import below, is_picture_file, picture_size
from handlens.data.problems import (
    NO_LABEL,
    NO_PICTURE,
    WRONG_BOX,
    WRONG_CLASS,
    WRONG_LINE,
    OnProblem,
    complain,
    mention,
)
from handlens.data.sets import SPLITS, Labelled, LabelledSet
from handlens.data.texts import read_groups, read_text, write_groups, write_text
from handlens.data.yolo_layout import Layout, find_layout
from handlens.errors import InputError

_SLACK = 0.002  # fractions may leave [0, 1] by this much: rounding
_WANTED = "expected 'class cx cy w h' or a polygon 'class x1 y1 x2 y2 x3 y3 ...'"
_NO_LABELS = frozenset({"classes.txt", "names.txt", "labels.txt", "predefined_classes.txt", "readme.txt", "notes.txt"})


def read_yolo(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set of a data.yaml, a Darknet .data file or a folder of pictures with their .txt files.

    A picture without a label file is one without objects. Splits come from the description or from folder names,
    groups from groups.csv. Boxes that reach over the edge of their picture are cut there.

    on_problem: told of each problem; what is wrong is then left out. None: the first wrong line raises.

    Raises:
        InputError: no YOLO set; without `on_problem` also a line, class or box that is wrong.
    """
    layout, places = find_labels(root, on_problem)
    pictures = []
    for place in places:
        lines = [] if place.label is None else read_lines(place.label, layout.names, on_problem)
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


def find_labels(root: str | Path, on_problem: OnProblem | None = None) -> tuple[Layout, list[Place]]:
    """Return what a YOLO set says of itself and its pictures, those left out that cannot be read.

    Raises:
        InputError: no YOLO set, or one without any label; without `on_problem` also a picture that cannot be read.
    """
    layout = find_layout(Path(root), on_problem)
    groups = read_groups(layout.root)
    labels = [label_file(path) for path, _ in layout.pictures]
    if not any(label is not None for label in labels):
        raise InputError(
            f"'{root}' has no labels: there is no .txt file for any of its {len(layout.pictures)} pictures, neither"
            f" beside them nor in labels/."
        )
    places = []
    for (path, split), label in zip(layout.pictures, labels, strict=True):
        if label is None:
            mention(on_problem, NO_LABEL, path, f"'{path}' has no label file: it counts as a picture without objects.")
        size = measure(path, on_problem)
        if size is not None:
            places.append(Place(path, size, label, split, groups.get(below(path, layout.root), "")))
    for stray in _strays(layout.pictures, labels):
        mention(on_problem, NO_PICTURE, stray, f"'{stray}' has no picture of its name.")
    return layout, places


def write_yolo(found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None) -> None:
    """Write a set as a folder that YOLO and Darknet programs read; it appears whole or not at all.

    images/ and labels/ (with a folder for each split), data.yaml, NAME.names, NAME.data, a list for each split, and
    groups.csv where pictures have groups. Pictures keep their names; two of one name get their folder's before it.

    copy: False links the pictures instead of copying them. tick: called after each picture.

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
        for picture, name in zip(found, file_names(found.pictures, by_split=True), strict=True):
            place = folder / "images" / picture.split / name
            put_picture(picture, place, copy)
            label = folder / "labels" / picture.split / f"{place.stem}.txt"
            label.parent.mkdir(parents=True, exist_ok=True)
            write_text(label, _lines(picture))
            placed.append((place, picture))
            if tick is not None:
                tick()
        _describe(found, folder, dest.resolve().name, placed)


def label_file(picture: Path) -> Path | None:
    """Return the label file of a picture: in labels/ where it lies in images/, else beside it; None: there is none."""
    places = [label for label, _ in _label_places(picture)]
    return next((place for place in places if place.is_file()), None)


def _label_places(picture: Path) -> Iterator[tuple[Path, Path]]:
    """Yield where the label of a picture may lie, and the folder that the set's other pictures then lie in."""
    parts = picture.parts
    for place in reversed(range(len(parts) - 1)):
        if parts[place].lower() == "images":
            yield Path(*parts[:place], "labels", *parts[place + 1 :]).with_suffix(".txt"), picture.parent
    yield picture.with_suffix(".txt"), picture.parent


def _strays(pictures: tuple[tuple[Path, str], ...], labels: list[Path | None]) -> Iterator[Path]:
    """Yield the label files that have no picture."""
    homes: dict[Path, set[Path]] = {}
    for (path, _), label in zip(pictures, labels, strict=True):
        if label is not None:
            homes.setdefault(label.parent, set()).add(path.parent)
    for home, folders in sorted(homes.items()):
        stems = {path.stem for folder in folders for path in folder.iterdir() if is_picture_file(path.name)}
        for path in sorted(home.glob("*.txt")):
            if path.stem in stems or path.name.lower() in _NO_LABELS:
                continue
            first = path.read_bytes()[:64].split()[:1]  # a list or a note is no label
            if not first or first[0].isdigit():
                yield path


def read_lines(
    file: Path, names: tuple[str, ...], on_problem: OnProblem | None
) -> Iterator[tuple[str, list[float], str]]:
    """Yield (name, numbers, where) of each line: the four numbers of a box or those of a polygon, in fractions.

    Raises:
        InputError: without `on_problem`, a line that is wrong.
    """
    try:
        text = read_text(file)
    except InputError as error:
        complain(on_problem, WRONG_LINE, file, str(error))
        return
    for number, line in enumerate(text.splitlines(), 1):
        words, where = line.split(), f"'{file}' line {number}"
        if not words:
            continue
        kind, why = _check_line(words, names)
        if kind:
            complain(on_problem, kind, file, f"{where}: {why}.")
        else:
            yield names[int(float(words[0]))], list(map(float, words[1:])), where


def _check_line(words: list[str], names: tuple[str, ...]) -> tuple[str, str]:
    """Return the kind of what is wrong with a line, or "", and why."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        return WRONG_LINE, f"'{' '.join(words)[:60]}' is not all numbers; {_WANTED}"
    if len(values) != 5 and (len(values) < 7 or len(values) % 2 == 0):
        return WRONG_LINE, f"has {len(values)} number{'' if len(values) == 1 else 's'}; {_WANTED}"
    if not all(map(math.isfinite, values)):
        return WRONG_LINE, f"'{' '.join(words)[:60]}' has a number that is none; {_WANTED}"
    label = int(values[0])
    if label != values[0] or not 0 <= label < len(names):
        known = f"0 ({names[0]})" if len(names) == 1 else f"0 to {len(names) - 1} ({', '.join(names)})"
        return WRONG_CLASS, f"class {words[0]} does not exist; allowed: {known}"
    beyond = next((word for word, v in zip(words[1:], values[1:], strict=True) if not -_SLACK <= v <= 1 + _SLACK), None)
    if beyond is not None:
        return WRONG_BOX, f"{beyond} is no fraction of the picture; the box must be written in numbers from 0 to 1"
    return "", ""


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
    told = [f"classes = {len(found.names)}", *(f"{keys[split]} = {split}.txt" for split in lists)]
    told += [f"names = {name}.names", "backup = backup"]
    write_text(folder / f"{name}.data", told)
    for split, paths in lists.items():  # ./ because Darknet looks for /images/ in them
        write_text(folder / f"{split}.txt", [f"./{below(path, folder)}" for path in paths])
    write_groups(folder, placed)
