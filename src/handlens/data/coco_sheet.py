"""One COCO .json file, checked: its images, categories and objects; it must not know where the pictures lie."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlens.data.edges import Entry
from handlens.data.outlines import Outline, box_around, read_outline
from handlens.data.pictures import split_of
from handlens.data.problems import IGNORED, WRONG_BOX, WRONG_CLASS, WRONG_LINE, OnProblem, complain, mention
from handlens.data.texts import read_json
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
    for _, entry in _entries(path, told, "categories", "id", "name", on_problem):
        sheet.names[entry["id"]] = str(entry["name"]).strip()
    for where, entry in _entries(path, told, "images", "id", "file_name", on_problem):
        if entry["id"] in sheet.images:
            complain(on_problem, WRONG_LINE, path, f"{where}: the id {entry['id']} is there twice.")
        else:
            sheet.images[entry["id"]] = entry
    for where, entry in _entries(path, told, "annotations", "image_id", "category_id", on_problem):
        if entry["image_id"] not in sheet.images:
            complain(on_problem, WRONG_LINE, path, f"{where}: there is no image with the id {entry['image_id']}.")
        elif entry["category_id"] not in sheet.names:
            known = ", ".join(f"{number} ({name})" for number, name in sheet.names.items())
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
        outline = read_outline(found.get("segmentation"), size) if found.get("bbox") is None else None
        if found.get("iscrowd"):
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
            yield None if found.get("iscrowd") else sheet.names[found["category_id"]], outline


def _entries(
    path: Path, told: dict[str, list[Any]], table: str, key: str, value: str, on_problem: OnProblem | None
) -> Iterator[tuple[str, Object]]:
    """Yield (where, entry) of one table, each with a key and a value that can be used."""
    for number, entry in enumerate(told[table]):
        where = f"'{path}' {table}[{number}]"
        if not isinstance(entry, dict):
            complain(on_problem, WRONG_LINE, path, f"{where} is no object with '{key}' and '{value}'.")
            continue
        wrong = next((k for k in (key, value) if not isinstance(entry.get(k), int | str) or entry[k] == ""), None)
        if wrong is not None:
            complain(on_problem, WRONG_LINE, path, f"{where} has no '{wrong}'.")
        else:
            yield where, entry


def _box(told: Any) -> list[float] | None:
    if not isinstance(told, list) or len(told) != 4 or not all(isinstance(side, int | float) for side in told):
        return None
    x, y, width, height = map(float, told)
    return [x, y, x + width, y + height]
