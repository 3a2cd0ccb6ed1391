"""LabelMe sets, read: one .json file of shapes for each picture; it must not know other formats."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.boxes import Entry, keep_boxes, measure
from handlens.data.formats.class_folders import ordered
from handlens.data.formats.file_lists import names_beside
from handlens.data.formats.text_files import number_of, read_groups, read_json
from handlens.data.pictures import below, find_files, is_picture_file, split_of
from handlens.data.problems import (
    IGNORED,
    NO_LABEL,
    NO_PICTURE,
    TWO_SPLITS,
    WRONG_CLASS,
    WRONG_LINE,
    OnProblem,
    complain,
    mention,
)
from handlens.errors import InputError

_LEAST = {"rectangle": 2, "polygon": 3, "circle": 2}
"""Points that each shape with a box needs; a circle is its centre and a point of its edge."""


def is_labelme(root: Path) -> bool:
    """Return whether a folder holds LabelMe .json files."""
    return any(True for _ in _files(root))


def _files(root: Path) -> Iterator[Path]:
    if root.is_dir():
        yield from (path for path in find_files(root) if path.suffix.lower() == ".json" and _is_sheet(path))


def _is_sheet(path: Path) -> bool:
    text = path.read_bytes()
    return (
        all(word in text for word in (b'"shapes"', b'"imagePath"')) and text.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    )


def read_labelme(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set of a folder with pictures and one LabelMe .json file for each.

    Rectangles, polygons and circles count by the upright box around them; other shapes are left out. Splits come from
    folder names, groups from groups.csv, the order of the names from classes.txt where there is one. A picture without
    a .json file is one without objects. The copy of the picture inside the .json file is not read.

    Args:
        root: The folder.
        on_problem: Told of each problem; what is wrong is then left out. None: the first one raises.

    Raises:
        InputError: no LabelMe set; without `on_problem` also a file or shape that is wrong.
    """
    root = Path(root)
    sheets: dict[Path, tuple[Path, tuple[int, int], list[Entry]]] = {}
    unread: set[Path] = set()
    for path in _files(root):
        try:
            content = _content(path)
        except InputError as error:
            complain(on_problem, WRONG_LINE, path, str(error))
            unread.update(_alike(path))
            continue
        place = _picture(path, str(content.get("imagePath") or ""))
        if place is None:
            text = f"'{path}': there is no picture '{content.get('imagePath')}' beside it."
            complain(on_problem, NO_PICTURE, path, text)
        elif place in sheets:
            text = f"'{place}' has two label files, '{sheets[place][0]}' and '{path}': remove the one that is wrong."
            complain(on_problem, TWO_SPLITS, path, text)
        else:
            wide, high = (number_of(content.get(key)) or 0 for key in ("imageWidth", "imageHeight"))
            sheets[place] = path, (int(wide), int(high)), list(_shapes(content, path, on_problem))
    if not sheets:
        raise InputError(f"'{root}' has no .json file of LabelMe with its picture: looked in it and below.")
    names = names_beside(root) or ordered({name for _, _, shapes in sheets.values() for name, _, _ in shapes})
    if not names:
        raise InputError(f"'{root}' has no shape in {len(sheets)} .json files: put the names into classes.txt.")
    groups, labelled = read_groups(root), []
    for place in (path for path in find_files(root) if is_picture_file(path.name)):
        if place in unread and place not in sheets:
            continue  # its hands would count as background
        if place not in sheets:
            other = any(place.with_suffix(ending).exists() for ending in (".json", ".JSON"))
            what = "a .json file that is not LabelMe's" if other else "no .json file"
            mention(on_problem, NO_LABEL, place, f"'{place}' has {what}: it counts as a picture without objects.")
        file, stated, shapes = sheets.get(place, (place, (0, 0), []))
        size = measure(place, on_problem, stated)
        if size is not None:
            inside = below(place, root)
            boxes, labels = keep_boxes(shapes, names, size, file, on_problem)
            split, group = split_of(Path(inside).parts[:-1]), groups.get(inside, "")
            labelled.append(Labelled(place, *size, boxes, labels, split=split, group=group))
    return LabelledSet("detect", names, tuple(labelled), root)


def _picture(path: Path, name: str) -> Path | None:
    """Return the picture of a .json file: what it names, from where it lies, or the one of its own name beside it."""
    parts = name.replace("\\", "/")
    for place in (path.parent / parts, path.parent / Path(parts).name):
        if parts and is_picture_file(place.name) and place.is_file():
            return place.parent.resolve() / place.name if ".." in parts else place
    alike = _alike(path)
    return alike[0] if len(alike) == 1 else None


def _alike(path: Path) -> list[Path]:
    """Return the pictures beside a .json file that have its name."""
    return sorted(other for other in path.parent.glob("*") if other.stem == path.stem and is_picture_file(other.name))


def _content(path: Path) -> dict[str, Any]:
    """Return what a .json file of LabelMe holds.

    Raises:
        InputError: it is not JSON, or its shapes are no list.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not isinstance(content.get("shapes") or [], list):
        raise InputError(f"'{path}': its shapes are not a list, as LabelMe writes them.")
    return content


def _shapes(content: Mapping[str, Any], path: Path, on_problem: OnProblem | None) -> Iterator[Entry]:
    """Yield (name, box, where) of each shape that has a box."""
    for number, shape in enumerate(content.get("shapes") or (), 1):
        where = f"'{path}' shape {number}"
        if not isinstance(shape, dict):
            complain(on_problem, WRONG_LINE, path, f"{where} is not an object.")
            continue
        kind, name = str(shape.get("shape_type") or "polygon"), str(shape.get("label") or "").strip()
        if kind not in _LEAST:
            mention(on_problem, IGNORED, path, f"{where} is a {kind}, which has no box: it is left out.")
            continue
        points = _points(shape.get("points"))
        if not name:
            complain(on_problem, WRONG_CLASS, path, f"{where} has no label.")
        elif len(points) < _LEAST[kind]:
            complain(on_problem, WRONG_LINE, path, f"{where} needs at least {_LEAST[kind]} points of two numbers.")
        else:
            yield name, _around(kind, points), where


def _points(given: Any) -> list[tuple[float, float]]:
    """Return points that are made of two numbers; none where one is not."""
    pairs = [tuple(map(number_of, pair)) for pair in given or () if isinstance(pair, list | tuple)]
    found = [(x, y) for pair in pairs if len(pair) == 2 for x, y in [pair] if x is not None and y is not None]
    return found if len(found) == len(given or ()) else []


def _around(kind: str, points: list[tuple[float, float]]) -> list[float]:
    """Return the upright box (x1, y1, x2, y2) around a shape."""
    if kind == "circle":
        (x, y), edge = points[0], points[1]
        radius = ((edge[0] - x) ** 2 + (edge[1] - y) ** 2) ** 0.5
        return [x - radius, y - radius, x + radius, y + radius]
    xs, ys = zip(*points, strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]
