"""COCO sets, read and written: .json files of boxes and outlines; it must not know the other formats."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.boxes import Entry, keep_boxes, measure
from handlens.data.formats.labelstudio import looks_like_tasks
from handlens.data.formats.outlines import Outline, box_around, draw, need_pycocotools, read_outline
from handlens.data.formats.text_files import check_names, number_of, read_groups, read_json, write_groups
from handlens.data.new_folder import Tick, new_folder, put_pictures, refuse_others
from handlens.data.pictures import below, find_place, picture_size, split_of
from handlens.data.problems import (
    IGNORED,
    NO_PICTURE,
    TWO_SPLITS,
    WRONG_BOX,
    WRONG_CLASS,
    WRONG_LINE,
    OnProblem,
    complain,
    mention,
)
from handlens.errors import InputError
from handlens.types import IGNORE

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
        InputError: it is not a COCO file; without `on_problem` also an entry that is wrong.
    """
    tables = read_json(path)
    for table in _TABLES:
        if not isinstance(tables, dict) or not isinstance(tables.get(table), list):
            raise InputError(f"'{path}' is not a COCO file: it has no list called '{table}'.")
    sheet = Sheet(path, split_of([*re.findall("[a-z]+", path.stem.lower()), path.parent.name]))
    for where, entry in _entries(path, tables, "categories", "id", "name", on_problem):
        name = str(entry["name"]).strip()
        if sheet.names.setdefault(entry["id"], name) != name:
            text = f"{where}: the id {entry['id']} is that of '{sheet.names[entry['id']]}' and of '{name}'."
            complain(on_problem, WRONG_CLASS, path, text)
    for where, entry in _entries(path, tables, "images", "id", "file_name", on_problem):
        if entry["id"] in sheet.images:
            complain(on_problem, WRONG_LINE, path, f"{where}: the id {entry['id']} is there twice.")
        else:
            sheet.images[entry["id"]] = entry
    for where, entry in _entries(path, tables, "annotations", "image_id", "category_id", on_problem):
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
    path: Path, sheet: dict[str, list[Any]], table: str, key: str, value: str, on_problem: OnProblem | None
) -> Iterator[tuple[str, Object]]:
    """Yield (where, entry) of one table, each with a key and a value that can be used; ids are made whole numbers."""
    for number, entry in enumerate(sheet[table]):
        where = f"'{path}' {table}[{number}]"
        if not isinstance(entry, dict):
            complain(on_problem, WRONG_LINE, path, f"{where} is not an object with '{key}' and '{value}'.")
            continue
        found = {
            name: normalized_id(entry.get(name)) if name.endswith("id") else entry.get(name) for name in (key, value)
        }
        wrong = next((name for name in found if not _is_identifier(found[name])), None)
        if wrong is None:
            yield where, {**entry, **found}
        elif entry.get(wrong) in (None, ""):
            complain(on_problem, WRONG_LINE, path, f"{where} has no '{wrong}'.")
        else:
            what = "a whole number or a text" if wrong.endswith("id") else "a text"
            complain(on_problem, WRONG_LINE, path, f"{where}: '{wrong}' is {entry[wrong]!r}, but must be {what}.")


def normalized_id(identifier: Any) -> Any:
    """Return an id as a whole number where it is one in any spelling (1, 1.0, "1", "1.0"), else as it is."""
    if isinstance(identifier, float) and identifier.is_integer():
        return int(identifier)
    if isinstance(identifier, str):
        word = identifier.strip()
        return int(float(word)) if re.fullmatch(r"(0|-?[1-9]\d{0,14})(\.0+)?", word) else word
    return identifier


def _is_identifier(identifier: Any) -> bool:
    return isinstance(identifier, int | str) and not isinstance(identifier, bool) and identifier != ""


def _is_crowd(found: Object) -> bool:
    crowd = found.get("iscrowd")
    return crowd is True or bool(number_of(crowd)) or (isinstance(crowd, str) and crowd.strip().lower() == "true")


def _box(sides_given: Any) -> list[float] | None:
    sides = [number_of(side) for side in sides_given] if isinstance(sides_given, list) else []
    numbers = [side for side in sides if side is not None]
    if len(sides) != 4 or len(numbers) != 4:
        return None
    x, y, width, height = numbers
    return [x, y, x + width, y + height]


_NO_BOXES = re.compile("captions|image_info|person_keypoints|panoptic|stuff")  # other files of the COCO data set


def coco_files(root: Path) -> list[Path]:
    """Return the COCO files that `root` is or holds: beside the pictures, in annotations/ or in split folders."""
    if root.is_file():
        return [root] if root.suffix.lower() == ".json" and looks_like_coco(root) else []
    if not root.is_dir():
        return []
    found = [path for place in _sheet_files(root) for path in sorted(place.glob("*.json")) if looks_like_coco(path)]
    return [path for path in found if path.name.startswith("instances")] or found  # not the same pictures' keypoints


def broken_coco_files(root: Path) -> list[tuple[Path, str]]:
    """Return (file, why) of each .json file in a folder that has the name of a COCO file and is none."""
    if not root.is_dir():
        return []
    places = _sheet_files(root)
    files = [path for place in places for path in sorted(place.glob("*.json"))]
    good = [path for path in files if looks_like_coco(path)]
    only = any(path.name.startswith("instances") for path in good)
    broken = []
    for path in files:
        named = path.name.startswith("instances") or (
            not only and not _NO_BOXES.match(path.name) and (_is_of_split(path) or "coco" in path.name.lower())
        )
        if named and path not in good and not looks_like_tasks(path):
            try:
                read_sheet(path, None)
            except InputError as error:
                broken.append((path, str(error)))
    return broken


def _sheet_files(root: Path) -> list[Path]:
    """Return the folders in which COCO files may lie."""
    splits = sorted(path for path in root.iterdir() if path.is_dir() and split_of([path.name]))
    return [root, root / "annotations", *splits]


def _is_of_split(path: Path) -> bool:
    return bool(split_of([*re.findall("[a-z]+", path.stem.lower()), path.parent.name]))


def read_coco(root: str | Path, on_problem: OnProblem | None = None, kind: str = "detect") -> LabelledSet:
    """Return the set of a COCO .json file, or of a folder with such files.

    Splits come from the names of files and folders (instances_train.json, train/_annotations.coco.json), groups from
    groups.csv. Category ids may be any numbers; their names count, in the order of the ids. An object without a box
    gets the one around its outline.

    Args:
        kind: "detect", or "segment" for masks of the outlines: the background first, later objects over earlier ones,
            crowds 255.
        on_problem: Told of each problem; what is wrong is then left out. None: the first one raises.

    Raises:
        InputError: no COCO set, or pycocotools is missing; without `on_problem` also an entry that is wrong.
    """
    root = Path(root)
    files = [root] if root.is_file() else coco_files(root)
    if not files:
        raise InputError(
            f"'{root}' has no COCO file: looked for .json in it, in annotations/ and in train/, val/, test/."
        )
    home = root if root.is_dir() else root.parent
    sheets = [read_sheet(path, on_problem) for path in files]
    for path, why in broken_coco_files(root):
        complain(on_problem, WRONG_LINE, path, f"{why.rstrip('.')}: none of its pictures is read.")
    names = check_names(dict.fromkeys(name for sheet in sheets for name in sheet.names.values()), files[0])
    if kind == "segment":
        need_pycocotools()
        names = ("background", *(name for name in names if name != "background"))
    groups = read_groups(home)
    pictures: dict[Path, Labelled] = {}
    for sheet, number, path, size in _pictures(sheets, home, on_problem):
        split = _split(sheet, sheet.images[number])
        if path in pictures:
            before = pictures[path].split
            twice = f"in {before or 'no split'} and in {split or 'no split'}" if before != split else "there twice"
            complain(on_problem, TWO_SPLITS, path, f"'{path}' is {twice}: it may be listed once.")
            continue
        group = groups.get(below(path, home), "")
        if kind == "segment":
            found = outlines_of(sheet, number, size, on_problem)
            outlines = [(IGNORE if name is None else names.index(name), outline) for name, outline in found]
            pictures[path] = Labelled(
                path, *size, mask=partial(draw, outlines, size, str(path)), split=split, group=group
            )
            continue
        boxes, labels = keep_boxes(boxes_of(sheet, number, size, on_problem), names, size, sheet.path, on_problem)
        pictures[path] = Labelled(path, *size, boxes, labels, split=split, group=group)
    if not pictures:
        raise InputError(f"'{files[0]}' has no picture that can be used.")
    return LabelledSet(kind, names, tuple(pictures.values()), home)


def write_coco(found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None) -> None:
    """Write a set as a COCO folder: images/, annotations/instances_SPLIT.json (or instances.json) and groups.csv.

    It appears whole or not at all.

    Args:
        copy: False links the pictures.
        tick: Called after each picture.

    Raises:
        InputError: not a set of boxes.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    refuse_others(found, "COCO")
    with new_folder(Path(dest)) as folder:
        placed = list(put_pictures(found.pictures, folder / "images", copy, tick))
        (folder / "annotations").mkdir()
        for split in dict.fromkeys(picture.split for picture in found):
            chosen = [(path, picture) for path, picture in placed if picture.split == split]
            text = json.dumps(_tables(chosen, folder, found.names), ensure_ascii=False)
            path = folder / "annotations" / (f"instances_{split}.json" if split else "instances.json")
            path.write_text(text, encoding="utf-8")
        write_groups(folder, placed)


def _pictures(
    sheets: list[Sheet], home: Path, on_problem: OnProblem | None
) -> Iterator[tuple[Sheet, Id, Path, tuple[int, int]]]:
    """Yield (sheet, image id, file, size) of each image whose file is there and as large as the sheet says."""
    for sheet in sheets:
        last = sheet.path.stem.rpartition("_")[2]  # instances_train2017.json speaks of images/train2017/
        folders = [place for name in dict.fromkeys((last, sheet.split)) if name for place in (f"images/{name}", name)]
        beside = sheet.path.parent
        bases = [*(home / name for name in folders), beside, beside / "images", home / "images", home]
        bases += [beside.parent / name for name in (*folders, "images")]
        for number, image in sheet.images.items():
            path = find_place(str(image["file_name"]), bases, 1)
            if path is None or not path.is_file():
                text = f"'{sheet.path}': there is no picture '{image['file_name']}', neither beside it nor in images/."
                complain(on_problem, NO_PICTURE, sheet.path, text)
                continue
            size = measure(path, on_problem, (_positive_int(image, "width"), _positive_int(image, "height")))
            if size is not None:
                yield sheet, number, path, size


def _split(sheet: Sheet, image: Object) -> str:
    return sheet.split or split_of(Path(str(image["file_name"])).parts[:-1])


def _positive_int(image: Object, side: str) -> int:
    return int(number_of(image.get(side)) or 0)


def _tables(placed: list[tuple[Path, Labelled]], folder: Path, names: tuple[str, ...]) -> dict[str, Any]:
    """Return the content of one file for pictures at their new places."""
    images: list[Object] = []
    annotations: list[Object] = []
    for number, (path, picture) in enumerate(placed, 1):
        width, height = (picture.width, picture.height) if picture.width else picture_size(path)
        name = below(path, folder / "images")
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for label, (x1, y1, x2, y2) in zip(picture.labels.tolist(), picture.boxes.tolist(), strict=True):
            box = [round(value, 4) for value in (x1, y1, x2 - x1, y2 - y1)]
            area = round((x2 - x1) * (y2 - y1), 4)
            entry = {"id": len(annotations) + 1, "image_id": number, "category_id": label + 1, "bbox": box}
            annotations.append({**entry, "area": area, "iscrowd": 0, "segmentation": []})
    categories = [{"id": number, "name": name, "supercategory": ""} for number, name in enumerate(names, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}
