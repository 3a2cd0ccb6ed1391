"""Pascal VOC sets, read and written: one .xml file of boxes for each picture; it must not know the other formats.

Pixels are taken as they are given, whether the first is called 0 or 1.
"""

import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from handlens.data.dataset import SPLITS, Labelled, LabelledSet
from handlens.data.formats.boxes import Entry, keep_boxes, measure
from handlens.data.formats.class_folders import ordered
from handlens.data.formats.file_lists import names_beside
from handlens.data.formats.text_files import read_groups, read_text, write_groups, write_text
from handlens.data.formats.xml_files import read_xml
from handlens.data.new_folder import Tick, new_folder, put_pictures, refuse_others
from handlens.data.pictures import below, find_files, is_picture_file, picture_size, split_of
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

_SIDES = ("xmin", "ymin", "xmax", "ymax")
_LISTS = "ImageSets/Main"

Element = ElementTree.Element


@dataclass(frozen=True)
class Sheet:
    """What one .xml file says. size: (width, height), zeros where it is silent."""

    path: Path
    filename: str
    size: tuple[int, int]
    objects: tuple[Entry, ...]


def is_voc(root: Path) -> bool:
    """Return whether a folder holds VOC .xml files."""
    if not root.is_dir():
        return False
    files = (path for path in find_files(root) if path.suffix.lower() == ".xml")
    return any(b"<annotation" in path.read_bytes()[:4000].replace(b"\0", b"") for path in files)  # UTF-16 has zeros


def read_voc(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set of a folder with Annotations/*.xml and JPEGImages/, or with pictures beside their .xml files.

    Splits come from ImageSets/Main/*.txt or from folder names, groups from groups.csv, the order of the names from
    classes.txt where there is one. A picture without an .xml file is one without objects.

    Args:
        on_problem: Told of each problem; what is wrong is then left out. None: the first one raises.

    Raises:
        InputError: no VOC set; without `on_problem` also a file or box that is wrong.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"'{root}' is not a folder: give one with Annotations/*.xml and JPEGImages/.")
    files = list(find_files(root))
    sheets = [sheet for path in files if path.suffix.lower() == ".xml" for sheet in _read_sheet(path, on_problem)]
    if not sheets:
        raise InputError(f"'{root}' has no .xml file of boxes that can be used: looked in it and below.")
    names = names_beside(root) or ordered({name for sheet in sheets for name, _, _ in sheet.objects})
    if not names:
        raise InputError(f"'{root}' has no object in {len(sheets)} .xml files: put the names into classes.txt.")
    pictures = {path: None for path in files if is_picture_file(path.name)}
    sheet_of = _by_picture(sheets, pictures, on_problem)
    splits, groups = _read_splits(root, on_problem), read_groups(root)
    labelled = []
    for path in pictures:
        sheet = sheet_of.get(path)
        if sheet is None:
            mention(on_problem, NO_LABEL, path, f"'{path}' has no .xml file: it counts as a picture without objects.")
        size = measure(path, on_problem, sheet.size if sheet else (0, 0))
        if size is None:
            continue
        objects, file = (sheet.objects, sheet.path) if sheet else ((), path)
        boxes, labels = keep_boxes(objects, names, size, file, on_problem)
        split = splits.get(path.stem, "") if splits else split_of(Path(below(path, root)).parts[:-1])
        labelled.append(Labelled(path, *size, boxes, labels, split=split, group=groups.get(below(path, root), "")))
    return LabelledSet("detect", names, tuple(labelled), root)


def write_voc(found: LabelledSet, dest: str | Path, copy: bool = True, tick: Tick | None = None) -> None:
    """Write a set as a VOC folder: Annotations/, JPEGImages/, ImageSets/Main/, classes.txt and groups.csv.

    It appears whole or not at all.

    Args:
        copy: False links the pictures.
        tick: Called after each picture.

    Raises:
        InputError: not a set of boxes.
        OutputError: `dest` exists and is not empty, or cannot be written.
    """
    refuse_others(found, "VOC")
    with new_folder(Path(dest)) as folder:
        for name in ("Annotations", "JPEGImages", _LISTS):
            (folder / name).mkdir(parents=True)
        placed: list[tuple[Path, Labelled]] = []
        for place, picture in put_pictures(found.pictures, folder / "JPEGImages", copy, tick, by_split=False):
            sheet = ElementTree.ElementTree(_sheet_of(picture, place, found.names))
            ElementTree.indent(sheet)
            sheet.write(folder / "Annotations" / f"{place.stem}.xml", encoding="utf-8", xml_declaration=True)
            placed.append((place, picture))
        for split in found.splits:
            stems = [path.stem for path, picture in placed if picture.split == split]
            write_text(folder / _LISTS / f"{split}.txt", stems)
        write_text(folder / "classes.txt", found.names)
        write_groups(folder, placed)


def _read_sheet(path: Path, on_problem: OnProblem | None) -> Iterator[Sheet]:
    """Yield what a file says; nothing where it is not an annotation at all or cannot be read."""
    try:
        top = read_xml(path)
    except InputError as error:
        complain(on_problem, WRONG_LINE, path, str(error))
        return
    if top.tag != "annotation":
        mention(on_problem, IGNORED, path, f"'{path}' is not a VOC file: it begins with <{top.tag}>, not <annotation>.")
        return
    objects = []
    for number, found in enumerate(top.findall("object"), 1):
        name, sides = (found.findtext("name") or "").strip(), _sides(found)
        where = f"'{path}' object {number}" + (f" ({name})" if name else "")
        if not name:
            complain(on_problem, WRONG_CLASS, path, f"{where} has no name.")
        elif sides is None:
            complain(on_problem, WRONG_LINE, path, f"{where} has no <bndbox> of four numbers: {', '.join(_SIDES)}.")
        else:
            objects.append((name, sides, where))
    size = (_number(top, "size/width") or 0.0, _number(top, "size/height") or 0.0)
    yield Sheet(path, (top.findtext("filename") or "").strip(), (int(size[0]), int(size[1])), tuple(objects))


def _sides(found: Element) -> list[float] | None:
    sides = [_number(found, f"bndbox/{side}") for side in _SIDES]
    numbers = [side for side in sides if side is not None]
    return numbers if len(numbers) == len(_SIDES) else None


def _number(found: Element, place: str) -> float | None:
    try:
        return float(found.findtext(place) or "")
    except ValueError:
        return None


def _by_picture(sheets: list[Sheet], pictures: dict[Path, None], on_problem: OnProblem | None) -> dict[Path, Sheet]:
    """Return the sheet of each picture that has one."""
    found: dict[Path, Sheet] = {}
    for path, sheet in _with_pictures(sheets, pictures, on_problem):
        first = found.setdefault(path, sheet)
        if [entry[:2] for entry in first.objects] != [entry[:2] for entry in sheet.objects]:
            text = f"'{path}' has two label files, '{first.path}' and '{sheet.path}': remove the one that is wrong."
            complain(on_problem, WRONG_LINE, path, text)
    return found


def _with_pictures(
    sheets: list[Sheet], pictures: dict[Path, None], on_problem: OnProblem | None
) -> Iterator[tuple[Path, Sheet]]:
    """Yield each sheet with its picture: of the name it gives or of its own, beside it or in a folder for pictures."""
    by_stem = {path.with_suffix(""): path for path in reversed(pictures)}
    for sheet in sheets:
        home = sheet.path.parent
        homes = [home, *(place / name for place in (home.parent, home) for name in ("JPEGImages", "images", "Images"))]
        if home.parent.name.lower() == "annotations":  # Annotations/train and JPEGImages/train
            homes += [home.parent.parent / name / home.name for name in ("JPEGImages", "images", "Images")]
        filename = Path(sheet.filename.replace("\\", "/")).name
        exact = [place / filename for place in homes if place / filename in pictures]
        alike = [by_stem[place / sheet.path.stem] for place in homes if place / sheet.path.stem in by_stem]
        if exact and alike and exact[0] != alike[0]:
            what = f"is of '{filename}' by its <filename> and of '{alike[0].name}' by its own name, and both are there"
            complain(on_problem, WRONG_LINE, sheet.path, f"'{sheet.path}' {what}: make them agree.")
        elif exact or alike:
            yield (exact or alike)[0], sheet
        else:
            what = f"neither '{filename}' nor one called '{sheet.path.stem}' lies beside it or in JPEGImages/"
            complain(on_problem, NO_PICTURE, sheet.path, f"'{sheet.path}' has no picture: {what}.")


def _read_splits(root: Path, on_problem: OnProblem | None) -> dict[str, str]:
    """Return the split of each picture, by its name without ending, as ImageSets/Main has it."""
    splits: dict[str, str] = {}
    for split in SPLITS:
        path = root / _LISTS / f"{split}.txt"
        for line in read_text(path).splitlines() if path.is_file() else ():
            stem = line.strip()
            if splits.setdefault(stem, split) != split:
                text = f"'{path}': '{stem}' is in {splits[stem]} and in {split}: it may be in one only."
                complain(on_problem, TWO_SPLITS, path, text)
    splits.pop("", None)
    return splits


def _sheet_of(picture: Labelled, place: Path, names: tuple[str, ...]) -> Element:
    width, height = (picture.width, picture.height) if picture.width else picture_size(place)
    top = Element("annotation")
    _add(top, "folder", "JPEGImages")
    _add(top, "filename", place.name)
    size = _add(top, "size")
    for side, value in (("width", width), ("height", height), ("depth", 3)):
        _add(size, side, str(value))
    for label, box in zip(picture.labels.tolist(), picture.boxes.tolist(), strict=True):
        found = _add(top, "object")
        _add(found, "name", names[label])
        for flag in ("truncated", "difficult"):
            _add(found, flag, "0")
        bounds = _add(found, "bndbox")
        for side, value in zip(_SIDES, box, strict=True):
            _add(bounds, side, f"{value:.3f}".rstrip("0").rstrip("."))  # whole pixels stay whole numbers
    return top


def _add(parent: Element, tag: str, text: str | None = None) -> Element:
    child = ElementTree.SubElement(parent, tag)
    child.text = text
    return child
