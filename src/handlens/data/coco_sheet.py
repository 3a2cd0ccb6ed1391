"""One COCO .json file, checked: its images, categories and objects; it must not know where the pictures lie."""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlens.data.formats.boxes import Entry
from handlens.data.formats.outlines import Outline, box_around, read_outline
from handlens.data.formats.text_files import read_json
from handlens.data.pictures import split_of
from handlens.data.problems import IGNORED, WRONG_BOX, WRONG_CLASS, WRONG_LINE, OnProblem, complain, mention
from handlens.errors import InputError

_TABLES = ("images", "annotations", "categories")

Object = Mapping[str, Any]
Id = int | str


@dataclass
class Sheet:
    """images: by their id; objects: by the id of their image, each with where it is written, for sentences."""

    path: Path
    split: str
    names: dict[Id, str] = field(default_factory=dict)
    images: dict[Id, Object] = field(default_factory=dict)
    objects: dict[Id, list[tuple[str, Object]]] = field(default_factory=dict)


def looks_like_coco(path: Path) -> bool:
    """Return whether a .json file has the three tables of a COCO file."""
    text = path.read_bytes()
    return text.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{") and all(
        f'"{name}"'.encode() in text for name in _TABLES
    )


def read_sheet(path: Path, on_problem: OnProblem | None) -> Sheet:
    """Return what a file says; entries without an id, a name or an image are problems.

    Raises:
        InputError: it is no COCO file; without `on_problem` also an entry that is wrong.
    """
    told = read_json(path)
    for table in _TABLES:
        if not isinstance(told, dict) or not isinstance(told.get(table), list):
            raise InputError(f"'{path}' is no COCO file: it has no list called '{table}'.")
    sheet = Sheet(path, split_of([*re.findall("[a-z]+", path.stem.lower()), path.parent.name]))
    for where, entry in _entries(path, told, "categories", "id", "name", on_problem):
        name = str(entry["name"]).strip()
        if sheet.names.setdefault(entry["id"], name) != name:
            text = f"{where}: the id {entry['id']} is that of '{sheet.names[entry['id']]}' and of '{name}'."
            complain(on_problem, WRONG_CLASS, path, text)
    for where, entry in _entries(path, told, "images", "id", "file_name", on_problem):
        if entry["id"] in sheet.images:
            complain(on_problem, WRONG_LINE, path, f"{where}: the id {entry['id']} is there twice.")
        else:
            sheet.images[entry["id"]] = entry
    for where, entry in _entries(path, told, "annotations", "image_id", "category_id", on_problem):
        if entry["image_id"] not in sheet.images:
            complain(on_problem, WRONG_LINE, path, f"{where}: there is no image with the id {entry['image_id']}.")
        elif entry["category_id"] not in sheet.names:
            known = (
                ", ".join(f"{number} ({name})" for number, name in sheet.names.items())
                or "none, as 'categories' is empty"
            )
            text = f"{where}: category {entry['category_id']} does not exist; allowed: {known}."
            complain(on_problem, WRONG_CLASS, path, text)
        else:
            sheet.objects.setdefault(entry["image_id"], []).append((where, entry))
    sheet.names = {number: sheet.names[number] for number in sorted(sheet.names, key=lambda n: (isinstance(n, str), n))}
    return sheet


def boxes_of(sheet: Sheet, image: Id, size: tuple[int, int], on_problem: OnProblem | None) -> Iterator[Entry]:
    """Yield (name, x1 y1 x2 y2 in pixels, where) of the objects in a picture of (width, height), no crowds."""
    for where, found in sheet.objects.get(image, []):
        name, box = sheet.names[found["category_id"]], _box(found.get("bbox"))
        outline = read_outline(found.get("segmentation"), size) if found.get("bbox") in (None, []) else None
        if _is_crowd(found):
            mention(on_problem, IGNORED, sheet.path, f"{where} is a crowd, not one object: it is left out.")
        elif box is None and outline is None:
            text = f"{where} has no box: 'bbox' must be four numbers, x y width height in pixels."
            complain(on_problem, WRONG_BOX, sheet.path, text)
        else:
            yield name, box or box_around(outline or [], size), where


def outlines_of(
    sheet: Sheet, image: Id, size: tuple[int, int], on_problem: OnProblem | None
) -> Iterator[tuple[str | None, Outline]]:
    """Yield (name, outline) of the objects in a picture of (width, height); the name of a crowd is None."""
    for where, found in sheet.objects.get(image, []):
        outline = read_outline(found.get("segmentation"), size)
        if outline is None:
            text = f"{where} has no outline: 'segmentation' must be polygons of at least 3 points, or run lengths."
            complain(on_problem, WRONG_BOX, sheet.path, text)
        else:
            yield None if _is_crowd(found) else sheet.names[found["category_id"]], outline


def _entries(
    path: Path, told: dict[str, list[Any]], table: str, key: str, value: str, on_problem: OnProblem | None
) -> Iterator[tuple[str, Object]]:
    """Yield (where, entry) of one table, each with a key and a value that can be used; ids are made whole numbers."""
    for number, entry in enumerate(told[table]):
        where = f"'{path}' {table}[{number}]"
        if not isinstance(entry, dict):
            complain(on_problem, WRONG_LINE, path, f"{where} is no object with '{key}' and '{value}'.")
            continue
        found = {name: whole_id(entry.get(name)) if name.endswith("id") else entry.get(name) for name in (key, value)}
        wrong = next((name for name in found if not _is_word(found[name])), None)
        if wrong is None:
            yield where, {**entry, **found}
        elif entry.get(wrong) in (None, ""):
            complain(on_problem, WRONG_LINE, path, f"{where} has no '{wrong}'.")
        else:
            what = "a whole number or a text" if wrong.endswith("id") else "a text"
            complain(on_problem, WRONG_LINE, path, f"{where}: '{wrong}' is {entry[wrong]!r}, but must be {what}.")


def whole_id(told: Any) -> Any:
    """Return an id as a whole number where it is one in any spelling (1, 1.0, "1", "1.0"), else as it is."""
    if isinstance(told, float) and told.is_integer():
        return int(told)
    if isinstance(told, str):
        word = told.strip()
        return int(float(word)) if re.fullmatch(r"(0|-?[1-9]\d{0,14})(\.0+)?", word) else word
    return told


def number_of(told: Any) -> float | None:
    """Return a number, also one that is written as a text, or None."""
    if isinstance(told, bool) or not isinstance(told, int | float | str):
        return None
    try:
        value = float(told)
    except (ValueError, OverflowError):
        return None
    return value if math.isfinite(value) else None


def _is_word(told: Any) -> bool:
    return isinstance(told, int | str) and not isinstance(told, bool) and told != ""


def _is_crowd(found: Object) -> bool:
    told = found.get("iscrowd")
    return told is True or bool(number_of(told)) or (isinstance(told, str) and told.strip().lower() == "true")


def _box(told: Any) -> list[float] | None:
    sides = [number_of(side) for side in told] if isinstance(told, list) else []
    numbers = [side for side in sides if side is not None]
    if len(sides) != 4 or len(numbers) != 4:
        return None
    x, y, width, height = numbers
    return [x, y, x + width, y + height]
