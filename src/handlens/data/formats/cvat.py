"""CVAT sets, read: one .xml file ("CVAT for images 1.1") of all boxes and polygons; it must not know other formats."""

import dataclasses
import math
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from pathlib import Path

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.boxes import Entry, keep_boxes, measure
from handlens.data.formats.class_folders import ordered
from handlens.data.formats.file_lists import names_beside
from handlens.data.formats.text_files import number_of, read_groups
from handlens.data.formats.xml_files import read_xml
from handlens.data.pictures import below, pictures_by_name, split_of
from handlens.data.problems import (
    IGNORED,
    NO_PICTURE,
    TWO_SPLITS,
    WRONG_CLASS,
    WRONG_LINE,
    OnProblem,
    complain,
    mention,
)
from handlens.errors import InputError

FILE = "annotations.xml"
_CORNERS = ("xtl", "ytl", "xbr", "ybr")

Element = ElementTree.Element


def cvat_file(root: Path) -> Path | None:
    """Return the CVAT file that `root` is or holds, or None."""
    files = [root] if root.is_file() else sorted(root.glob("*.xml"), key=lambda path: path.name != FILE)
    return next((path for path in files if path.suffix.lower() == ".xml" and _is_cvat(path)), None)


def _is_cvat(path: Path) -> bool:
    head = path.read_bytes()[:100_000].replace(b"\0", b"")  # UTF-16 has zeros
    return b"<annotations" in head and b"<annotation>" not in head


def read_cvat(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set of a file of CVAT for images 1.1 whose pictures lie beside it or below.

    Of polygons and rotated boxes the upright box around them counts. Splits come from the file's `subset` or from
    folder names, groups from groups.csv, the order of the names from classes.txt or from the labels of the file.

    Args:
        root: The .xml file, or the folder that it is in.
        on_problem: Told of each problem; what is wrong is then left out. None: the first one raises.

    Raises:
        InputError: no such file, or tracks of a video; without `on_problem` also a box or picture that is wrong.
    """
    path = cvat_file(Path(root))
    if path is None:
        raise InputError(f"'{root}' has no .xml file of CVAT: export the task as 'CVAT for images 1.1'.")
    top = read_xml(path)
    if top.find("track") is not None:
        raise InputError(
            f"'{path}' holds tracks of a video: export the task as 'CVAT for images 1.1', with its pictures."
        )
    sheets = [(image, list(_shapes(image, path, on_problem))) for image in top.findall("image")]
    listed = [
        text.strip() for text in (each.text or "" for each in top.findall(".//labels/label/name")) if text.strip()
    ]
    used = {name for _, shapes in sheets for name, _, _ in shapes}
    names = names_beside(path.parent) or tuple(dict.fromkeys(name for name in listed if name in used)) or ordered(used)
    if not names:
        raise InputError(f"'{path}' has no box in {len(sheets)} pictures.")
    pictures: dict[Path, Labelled] = {}
    places, groups = _Places(path.parent), read_groups(path.parent)
    for image, shapes in sheets:
        name = image.get("name", "")
        place = places.find(name)
        if place is None:
            complain(on_problem, NO_PICTURE, path, f"'{path}': there is no picture '{name}' beside it or below.")
        elif place in pictures:
            complain(on_problem, TWO_SPLITS, path, f"'{path}' names the picture '{name}' twice.")
        else:
            size = measure(place, on_problem, _size(image))
            if size is None:
                continue
            boxes, labels = keep_boxes(shapes, names, size, path, on_problem)
            inside = below(place, path.parent)
            split = split_of([image.get("subset", "").lower(), *Path(inside).parts[:-1]])
            labelled = Labelled(place, *size, boxes, labels)
            pictures[place] = dataclasses.replace(labelled, split=split, group=groups.get(inside, ""))
    if not pictures:
        raise InputError(f"'{path}' has no picture that can be used.")
    return LabelledSet("detect", names, tuple(pictures.values()), path.parent)


def _size(image: Element) -> tuple[int, int]:
    """Return the width and height that the file gives, zeros where it is silent."""
    width, height = (number_of(image.get(side)) or 0 for side in ("width", "height"))
    return int(width), int(height)


def _shapes(image: Element, path: Path, on_problem: OnProblem | None) -> Iterator[Entry]:
    """Yield (name, box, where) of each shape of a picture."""
    for number, shape in enumerate(image, 1):
        where = f"'{path}' picture '{image.get('name', '')}' shape {number}"
        if shape.tag not in ("box", "polygon"):
            if shape.tag in ("polyline", "points", "ellipse", "cuboid", "skeleton", "mask"):
                mention(
                    on_problem, IGNORED, path, f"{where} is a {shape.tag}, neither box nor polygon: it is left out."
                )
            continue
        name = shape.get("label", "").strip()
        sides = _corners(shape) if shape.tag == "box" else _around(shape.get("points", ""))
        if not name:
            complain(on_problem, WRONG_CLASS, path, f"{where} has no label.")
        elif sides is None:
            wanted = ", ".join(_CORNERS) if shape.tag == "box" else "points x,y;x,y;..."
            complain(on_problem, WRONG_LINE, path, f"{where} lacks numbers: {wanted}.")
        else:
            degrees = (number_of(shape.get("rotation")) or 0.0) if shape.tag == "box" else 0.0
            if degrees:
                text = f"{where} is rotated by {degrees:g} degrees: the upright box around it is taken."
                mention(on_problem, IGNORED, path, text)
            yield name, _upright(sides, degrees), where


def _corners(shape: Element) -> list[float] | None:
    numbers = [number_of(shape.get(key)) for key in _CORNERS]
    found = [number for number in numbers if number is not None]
    return found if len(found) == len(_CORNERS) else None


def _upright(sides: Sequence[float], degrees: float) -> list[float]:
    """Return the upright box around one that is turned about its centre."""
    turned = math.radians(degrees)
    cos, sin = abs(math.cos(turned)), abs(math.sin(turned))
    width, height = sides[2] - sides[0], sides[3] - sides[1]
    x, y = (sides[0] + sides[2]) / 2, (sides[1] + sides[3]) / 2
    across, down = (width * cos + height * sin) / 2, (width * sin + height * cos) / 2
    return [x - across, y - down, x + across, y + down]


def _around(points: str) -> list[float] | None:
    """Return the upright box around points x,y;x,y, or None where they are none."""
    pairs = [[number_of(part) for part in pair.split(",")] for pair in points.split(";") if pair.strip()]
    if len(pairs) < 3 or any(len(pair) != 2 or None in pair for pair in pairs):
        return None
    xs, ys = zip(*[[float(value or 0) for value in pair] for pair in pairs], strict=True)
    return [min(xs), min(ys), max(xs), max(ys)]


class _Places:
    """The pictures below a folder, found by the end of their path."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._by_name = pictures_by_name(root)

    def find(self, name: str) -> Path | None:
        """Return the one picture of that path or name, or None."""
        parts: Sequence[str] = name.replace("\\", "/").split("/")
        alike = self._by_name.get(parts[-1], [])
        exact = [path for path in alike if below(path, self._root).endswith("/".join(parts))]
        found = exact or alike
        return found[0] if len(found) == 1 else None
