"""File lists: lines `path<two spaces>label` below a root folder; it must not know what the labels mean."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.class_folders import ordered
from handlens.data.formats.text_files import read_groups, read_names, read_rows, read_text
from handlens.data.pictures import below, find_place, split_of
from handlens.data.problems import NO_PICTURE, TWO_SPLITS, WRONG_CLASS, WRONG_LINE, OnProblem, complain
from handlens.errors import InputError

_NAMES_FILES = ("names.txt", "classes.txt")


@dataclass(frozen=True)
class Entry:
    """What one line says. where: the file and line, for sentences; folder: the picture's, as the line writes it."""

    path: Path
    label: str
    split: str
    group: str
    where: str
    folder: str = ""


def build(
    entries: Sequence[Entry], root: Path, on_problem: OnProblem | None, mostly_numbers: bool = False
) -> LabelledSet:
    """Return the set that these claims make; groups.csv speaks where a claim has no group.

    Labels are numbers where all of them are.

    Args:
        mostly_numbers: Where most of them are, and the others are wrong.

    Raises:
        InputError: without `on_problem`, a label that is not a class or a picture in two splits.
    """
    share = sum(_is_number(entry.label) for entry in entries) / len(entries)
    numbered = share > 0.5 if mostly_numbers else share == 1
    names, classes = _class_numbers(entries, root) if numbered else _class_words(entries, root)
    groups = read_groups(root)
    pictures: dict[Path, Labelled] = {}
    for entry in entries:
        path, before = entry.path, pictures.get(entry.path)
        label = str(int(entry.label)) if numbered and _is_number(entry.label) else entry.label
        if label not in classes:
            what = (
                "is not a number as the others are"
                if not label.lstrip("-").isdecimal() and numbered
                else "is not a class"
            )
            sentence = f"{entry.where}: the label '{entry.label}' {what}; allowed: {_listed(classes)}."
            complain(on_problem, WRONG_CLASS, path, sentence)
        elif before is not None and before.split != entry.split:
            sentence = f"'{path}' is in {before.split or 'no split'} and in {entry.split}: it may be in one only."
            complain(on_problem, TWO_SPLITS, path, sentence)
        else:
            group = entry.group or groups.get(below(path, root), "")
            pictures[path] = Labelled(path, labels=np.array([classes[label]]), split=entry.split, group=group)
    return LabelledSet("classify", names, tuple(pictures.values()), root)


def names_beside(root: Path) -> tuple[str, ...] | None:
    """Return the names in names.txt or classes.txt of a folder, or None where it has neither.

    Raises:
        InputError: the file cannot be used.
    """
    files = [root / name for name in _NAMES_FILES if (root / name).is_file()]
    return read_names(files[0]) if files else None


def _is_number(label: str) -> bool:
    return label.isascii() and label.isdecimal()


def _listed(classes: Mapping[str, int]) -> str:
    known = list(classes)
    return ", ".join(known if len(known) <= 30 else [*known[:30], f"... ({len(known)} in all)"])


def _class_words(entries: Sequence[Entry], root: Path) -> tuple[tuple[str, ...], dict[str, int]]:
    names = names_beside(root) or ordered({entry.label for entry in entries})
    return names, {name: place for place, name in enumerate(names)}


def _class_numbers(entries: Sequence[Entry], root: Path) -> tuple[tuple[str, ...], dict[str, int]]:
    """Return the names, and the class of each number as text."""
    known_names = names_beside(root)
    if known_names is not None:
        return known_names, {str(number): number for number in range(len(known_names))}
    pairs = Counter((int(entry.label), entry.folder) for entry in entries if _is_number(entry.label))
    numbers = sorted({number for number, _ in pairs})
    folders = [folder for _, folder in sorted(pairs)]
    own = len(pairs) == len(numbers) == len(set(folders)) > 1 and all(folders)
    names = tuple(folders) if own else tuple(map(str, numbers))
    return names, {str(number): place for place, number in enumerate(numbers)}


def list_files(root: Path) -> list[Path]:
    """Return the .list files of a folder and of its split folders; a .list file is its own only one."""
    if root.suffix.lower() == ".list" and root.is_file():
        return [root]
    if not root.is_dir():
        return []
    folders = [root, *sorted(path for path in root.iterdir() if path.is_dir() and split_of([path.name]))]
    return [path for place in folders for path in sorted(place.glob("*.list"))]


def read_lists(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the pictures of train.list, test.list ... in a folder or its split folders, or of one list.

    Paths are relative to the list's folder, or to `root`. For names of numbers see claims.

    Args:
        on_problem: Told of each problem; what is wrong is then left out. None: the first wrong line raises.

    Raises:
        InputError: no list; without `on_problem` also a file that is missing or a label that is wrong.
    """
    root = Path(root)
    files = list_files(root)
    if not files:
        raise InputError(f"'{root}' is no .list file and has none: give a text file with lines 'path  label'.")
    home = root if root.is_dir() else root.parent
    entries = [entry for file in files for entry in _entries(file, home, on_problem)]
    if not entries:
        raise InputError(f"'{files[0]}' names no picture that is there: it needs lines 'path  label'.")
    return build(entries, home, on_problem, mostly_numbers=True)


def _entries(file: Path, home: Path, on_problem: OnProblem | None) -> Iterator[Entry]:
    split = split_of([file.stem, file.parent.name])
    for number, line in enumerate(read_text(file).splitlines(), 1):
        if not line.strip():
            continue
        where = f"'{file}' line {number}"
        path, _, label = (part.strip() for part in line.rpartition("  "))
        words = line.split()
        if not path and len(words) > 1:
            path, label = " ".join(words[:-1]), words[-1]
        if not path or not label:
            complain(on_problem, WRONG_LINE, file, f"{where}: '{line.strip()}' is not 'path  label'.")
            continue
        place = find_place(path, [file.parent, home])
        if place is None or not place.is_file():
            complain(on_problem, NO_PICTURE, file, f"{where}: there is no file '{path}'.")
            continue
        folders = Path(path).parent.parts
        yield Entry(place, label, split, "", where, folders[-1] if folders else "")


TABLE = "labels.csv"


def table_of(root: Path) -> Path | None:
    """Return the labels.csv of a folder, or `root` where it is a .csv file itself, or None."""
    path = root if root.suffix.lower() == ".csv" else root / TABLE
    return path if path.is_file() else None


def read_table(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set that a labels.csv describes; pictures lie beside it or in images/.

    Args:
        on_problem: Told of each problem; what is wrong is then left out. None: the first wrong row raises.

    Raises:
        InputError: no table; without `on_problem` also a picture that is missing or a label or split that is wrong.
    """
    root = Path(root)
    path = table_of(root)
    if path is None:
        raise InputError(f"'{root}' has no {TABLE}: give a folder with one, with the columns file and label.")
    entries = []
    for number, row in enumerate(read_rows(path, ("file", "label")), 2):
        where = f"'{path}' line {number}"
        place = place_of(row["file"], path.parent, "images")
        split = row_split(row)
        if place is None:
            complain(on_problem, NO_PICTURE, path, f"{where}: there is no file '{row['file']}'.")
        elif not row["label"]:
            complain(on_problem, WRONG_CLASS, path, f"{where}: '{row['file']}' has no label.")
        elif split is None:
            sentence = f"{where}: the split '{row['split']}' is none; allowed: train, val, test."
            complain(on_problem, WRONG_LINE, path, sentence)
        else:
            entries.append(Entry(place, row["label"], split, row_group(row), where))
    if not entries:
        raise InputError(f"'{path}' names no picture that is there, neither beside it nor in images/.")
    return build(entries, path.parent, on_problem)


def place_of(name: str, root: Path, folder: str) -> Path | None:
    """Return a file that lies below `root` or below a folder of it, or None."""
    return next((place for place in (root / folder / name, root / name) if name and place.is_file()), None)


def row_split(row: dict[str, str]) -> str | None:
    """Return the split of a row, "" where it has none, None where it is not a split."""
    word = row.get("split", "")
    return (split_of([word]) or None) if word else ""


def row_group(row: dict[str, str]) -> str:
    """Return the group or person of a row, or ""; groups are counted within a source where there are several."""
    group = row.get("group", "")
    source = row.get("source", "")
    return (f"{source}/{group}" if source else group) if group else row.get("person", "")
