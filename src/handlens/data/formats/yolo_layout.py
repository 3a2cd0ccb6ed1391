"""Where the pictures, splits and names of a YOLO set are written down; it must not know what stands in its labels.

Three ways are in use: a data.yaml, a Darknet .data file with its .names and lists, and a bare folder.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlens.data.formats.text_files import check_names, read_names, read_text
from handlens.data.formats.yolo_lines import TASKS, Stated
from handlens.data.pictures import below, find_files, find_pictures, find_place, is_picture_file, split_of
from handlens.data.problems import NO_PICTURE, TWO_SPLITS, OnProblem, complain, mention
from handlens.errors import InputError

_NAMES_FILES = ("classes.txt", "names.txt", "obj.names", "labels.txt", "predefined_classes.txt")
_LABEL_LINE = re.compile(rb"\s*\d+(\.0*)?([ \t]+-?[\d.]+(e-?\d+)?){4}", re.IGNORECASE)  # in one line
_NOTHING = ("", "~", "null", "None", "none")
_SPLIT_KEYS = {"train": "train", "val": "val", "valid": "val", "validation": "val", "test": "test"}

Entries = Sequence[tuple[Path, str]]


@dataclass(frozen=True)
class Layout:
    """root: the folder that groups.csv lies in. pictures: each with its split, "" where the set is not split.

    Attributes:
        stated: What the description says of the label lines.
    """

    root: Path
    names: tuple[str, ...]
    pictures: tuple[tuple[Path, str], ...]
    stated: Stated = field(default_factory=Stated)


def find_layout(root: Path, on_problem: OnProblem | None = None) -> Layout:
    """Return what a data.yaml, a .data file or a folder says.

    Raises:
        InputError: nothing of a YOLO set is there, or what is there is wrong.
    """
    if root.suffix.lower() in (".yaml", ".yml"):
        return _from_yaml(root, on_problem)
    if root.suffix.lower() == ".data":
        return _from_darknet(root, on_problem)
    if not root.is_dir():
        raise InputError(f"'{root}' is not a folder, data.yaml or .data file: give one of these.")
    described = description(root)
    return find_layout(described, on_problem) if described else _from_folder(root)


def description(folder: Path) -> Path | None:
    """Return the data.yaml or .data file of a folder, or None where it has none."""
    sheets = sorted(path for path in folder.glob("*.y*ml") if path.suffix.lower() in (".yaml", ".yml"))
    sheets = [path for path in sheets if re.search(r"^\s*[\"']?names[\"']?\s*:", read_text(path), re.MULTILINE)]
    sheets.sort(key=lambda path: path.stem not in ("data", "dataset", folder.name))
    return next(iter([*sheets, *sorted(folder.glob("*.data"))]), None)


def is_yolo(root: Path) -> bool:
    """Return whether a path looks like a YOLO set: a description, or a folder with class names and label files."""
    if root.is_file():
        return root.suffix.lower() in (".yaml", ".yml", ".data")
    if not root.is_dir():
        return False
    if description(root) is not None:
        return True
    files = list(find_files(root))
    texts = [path for path in files if path.suffix.lower() == ".txt" and path.name.lower() not in _NAMES_FILES]
    if any(_LABEL_LINE.match(path.read_bytes()[:200]) for path in texts):
        return True
    stems = {path.with_suffix("") for path in files if is_picture_file(path.name)}
    own = any(path.with_suffix("") in stems or path.parent.name == "labels" for path in texts)
    return own and names_file(root) is not None


def names_file(folder: Path, pictures: Iterable[Path] = ()) -> Path | None:
    """Return the file of class names of a folder without a description, or None."""
    folders = dict.fromkeys([folder, folder / "labels", *(path.parent for path in pictures)])
    for place in folders:
        there = [place / name for name in _NAMES_FILES if (place / name).is_file()]
        found = [*sorted(place.glob("*.names")), *there]
        if found:
            return found[0]
    return None


def _from_folder(folder: Path) -> Layout:
    images = folder / "images"
    pictures = find_pictures(images if images.is_dir() else folder)
    if not pictures:
        raise InputError(f"'{folder}' has no pictures: looked in {'images/' if images.is_dir() else 'it and below'}.")
    names = names_file(folder, pictures)
    if names is None:
        raise InputError(f"'{folder}' does not say how its classes are called: put classes.txt there, one name a line.")
    checked_names = read_names(names)
    stated = Stated(file=folder / "data.yaml", names=f"names: [{', '.join(checked_names)}]")
    return Layout(folder, checked_names, tuple((path, split_of(_folders(path, folder))) for path in pictures), stated)


def _folders(path: Path, root: Path) -> tuple[str, ...]:
    return Path(below(path, root)).parts[:-1]


def _from_yaml(file: Path, on_problem: OnProblem | None) -> Layout:
    sheet = read_sheet(file)
    names = _yaml_names(sheet, file)
    base = _base(file, sheet.get("path"))
    entries: list[tuple[Path, str]] = []
    for key, split in _SPLIT_KEYS.items():
        wanted = sheet.get(key)
        for text in [wanted] if isinstance(wanted, str) else wanted or []:
            place = _place_of(str(text), base, file)
            if place is not None:
                entries += [(path, split) for path in _pictures_of(place, base, on_problem)]
                continue
            looked = " nor in ".join(f"'{place}'" for place in dict.fromkeys((base, file.parent)))
            neither = "neither in" if base != file.parent else "not in"
            sentence = f"'{file}': {key} is '{text}', which is {neither} {looked}."
            if split == "test":  # many sets name a test folder that was never handed out
                mention(on_problem, NO_PICTURE, file, sentence)
            else:
                complain(on_problem, NO_PICTURE, file, sentence)
    if not entries and any(sheet.get(key) for key in _SPLIT_KEYS):
        raise InputError(f"'{file}': there are no pictures where its train, val and test point to.")
    found = tuple(_one_split(entries, on_problem)) if entries else _from_folder_of(base, file)
    return Layout(base, names, found, _stated(sheet, file))


def _place_of(text: str, base: Path, file: Path) -> Path | None:
    """Return the folder or list that a description means, or None.

    Roboflow writes ../train/images and means train/images in the folder of the description.

    Raises:
        InputError: both are there, and they differ.
    """
    place = find_place(text, [base, file.parent])
    parts = Path(text.replace("\\", "/")).parts
    inner = base.joinpath(*(part for part in parts if part != ".."))
    if parts[:1] == ("..",) and place is not None and inner.exists() and place.resolve() != inner.resolve():
        raise InputError(
            f"'{file}': '{text}' can mean '{place}' or '{inner}', and both are there: write the whole path of the one"
            " that is meant."
        )
    return place


def _from_folder_of(base: Path, file: Path) -> tuple[tuple[Path, str], ...]:
    images = base / "images"
    found = find_pictures(images if images.is_dir() else base)
    if not found:
        raise InputError(f"'{file}' has no train, val or test, and there are no pictures in '{base}'.")
    return tuple((path, split_of(_folders(path, base))) for path in found)


def read_sheet(file: Path) -> dict[str, Any]:
    """Return the mapping of a .yaml file.

    Raises:
        InputError: it cannot be read, is not YAML, or no mapping.
    """
    import yaml

    try:
        sheet = yaml.load(read_text(file), yaml.BaseLoader)  # all of it text: 'on' is a name, not True
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" line {mark.line + 1}" if mark is not None else ""
        why = getattr(error, "problem", None) or "it cannot be read as YAML"
        raise InputError(f"'{file}'{where}: {why}.") from error
    if not isinstance(sheet, dict):
        raise InputError(f"'{file}' is not a mapping: it needs lines like 'train: images/train' and 'names: [chin]'.")
    return {str(key): value for key, value in sheet.items() if value not in _NOTHING}


def _yaml_names(sheet: dict[str, Any], file: Path) -> tuple[str, ...]:
    names = sheet.get("names")
    if isinstance(names, dict):
        try:
            numbered = {int(number): name for number, name in names.items()}
        except (TypeError, ValueError):
            numbered = {}
        if sorted(numbered) != list(range(len(names))):
            raise InputError(f"'{file}': the numbers of its names must be 0, 1, 2 ... without a gap.")
        names = [numbered[number] for number in sorted(numbered)]
    if not isinstance(names, list):
        raise InputError(f"'{file}' has no names: it needs a line such as 'names: [cheek, forehead, chin]'.")
    checked_names = check_names(names, file)
    if sheet.get("nc", str(len(checked_names))) != str(len(checked_names)):
        raise InputError(f"'{file}' says nc: {sheet['nc']}, but has {len(checked_names)} names; make them agree.")
    return checked_names


def _stated(sheet: Mapping[str, Any], file: Path) -> Stated:
    """Return what a description says of the label lines: its `task` and `kpt_shape`."""
    task = str(sheet.get("task", "")).strip().lower()
    shape = sheet.get("kpt_shape")
    points = None
    if shape is not None:
        words = shape if isinstance(shape, list) else re.split(r"[\s,]+", str(shape).strip(" []()"))
        numbers = [int(word) for word in map(str, words) if word.isdecimal()]
        if len(numbers) != 2 or len(words) != 2 or numbers[0] < 1 or numbers[1] not in (2, 3):
            raise InputError(
                f"'{file}': kpt_shape is '{shape}', but must be the number of key points and 2 or 3 for x, y or x, y,"
                " visibility, as in 'kpt_shape: [5, 2]'."
            )
        points = (numbers[0], numbers[1])
    known = task in TASKS
    return Stated(task if known else "pose" if points else "", points, file, unknown="" if known else task)


def _base(file: Path, path: Any) -> Path:
    place = file.parent / str(path) if path else file.parent
    return place if place.is_dir() else file.parent  # of another machine: then the pictures lie beside the file


def _from_darknet(file: Path, on_problem: OnProblem | None) -> Layout:
    values: dict[str, str] = {}
    for number, line in enumerate(read_text(file).splitlines(), 1):
        key, equals, value = (part.strip() for part in line.split("#")[0].partition("="))
        if key and not (equals and value):
            raise InputError(f"'{file}' line {number}: expected 'key = value', got '{line.strip()}'.")
        values[key] = value
    bases = [file.parent, file.parent.parent]
    if "names" not in values:
        raise InputError(f"'{file}' has no line 'names = FILE.names'.")
    names = find_place(values["names"], bases, 1)
    if names is None or names.is_dir():
        raise InputError(f"'{file}': there is no file '{values['names']}' for its names.")
    labels = read_names(names)
    if values.get("classes", str(len(labels))) != str(len(labels)):
        raise InputError(f"'{file}' says classes = {values['classes']}, but '{names}' has {len(labels)} names.")
    entries: list[tuple[Path, str]] = []
    for key, split in _SPLIT_KEYS.items():
        if key not in values:
            continue
        place = find_place(values[key], bases, 1)
        if place is None:
            complain(on_problem, NO_PICTURE, file, f"'{file}': {key} is '{values[key]}', which does not exist.")
        else:
            entries += [(path, split) for path in _pictures_of(place, file.parent, on_problem)]
    if not any(key in values for key in _SPLIT_KEYS):
        return Layout(file.parent, labels, _from_folder_of(file.parent, file), _stated(values, file))
    if not entries:
        raise InputError(f"'{file}': there are no pictures where its train and valid point to.")
    return Layout(file.parent, labels, tuple(_one_split(entries, on_problem)), _stated(values, file))


def _pictures_of(place: Path, root: Path, on_problem: OnProblem | None) -> Iterator[Path]:
    """Yield the pictures in a folder, or those that a list names, one in each line."""
    if place.is_dir():
        yield from find_pictures(place)
        return
    if is_picture_file(place.name):
        raise InputError(
            f"'{place}' is a picture: expected a folder of pictures, or a text file with one in each line."
        )
    bases = [place.parent, root, place.parent.parent]
    for number, line in enumerate(read_text(place).splitlines(), 1):
        if not line.strip():
            continue
        picture = find_place(line.strip(), bases)
        if picture is not None and picture.is_file():
            yield picture
        else:
            complain(on_problem, NO_PICTURE, place, f"'{place}' line {number}: there is no file '{line.strip()}'.")


def _one_split(entries: Entries, on_problem: OnProblem | None) -> Iterator[tuple[Path, str]]:
    """Yield each picture once; where two splits are the very same pictures, the set is not split."""
    splits: dict[Path, list[str]] = {}
    for path, split in entries:
        splits.setdefault(path.resolve(), []).append(split)
    alike = all(len(set(found)) > 1 and set(found) == {s for _, s in entries} for found in splits.values())
    seen: set[Path] = set()
    for path, split in entries:
        place = path.resolve()
        if place in seen:
            continue
        seen.add(place)
        other = next((found for found in splits[place] if found != split), None)
        if other is not None and not alike:
            complain(on_problem, TWO_SPLITS, path, f"'{path}' is in {split} and in {other}: it may be in one only.")
        yield path, "" if alike else split
