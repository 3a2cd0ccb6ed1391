"""Class folders: a picture is what its folder is called; it must not know what the names mean.

CLASS/*.jpg, or train/CLASS/*.jpg, val/CLASS/*.jpg, test/CLASS/*.jpg.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.text_files import read_groups
from handlens.data.pictures import below, find_pictures, is_picture_file, split_of
from handlens.data.problems import NO_LABEL, OnProblem, complain, mention
from handlens.errors import InputError

_NO_CLASSES = frozenset({"images", "labels", "masks", "annotations", "jpegimages", "imagesets"})


def is_class_folders(root: Path) -> bool:
    """Return whether a folder holds folders with pictures that could be classes."""
    return root.is_dir() and any(_has_pictures(folder) for _, folder in _class_folders(root))


def read_folders(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the pictures of class folders, with the folders' names as labels; numbers are ordered as numbers.

    An empty folder is a class without pictures. Groups come from groups.csv.

    Raises:
        InputError: there are no class folders with pictures.
    """
    root = Path(root)
    if not root.is_dir():
        raise InputError(f"'{root}' is not a folder: give one that holds a folder of pictures for each class.")
    folders = list(_class_folders(root))
    names = ordered({folder.name for _, folder in folders})
    groups = read_groups(root)
    pictures = [
        Labelled(
            path, labels=np.array([names.index(folder.name)]), split=split, group=groups.get(below(path, root), "")
        )
        for split, folder in folders
        for path in find_pictures(folder)
    ]
    if not pictures:
        raise InputError(f"'{root}' has no class folders with pictures, such as '{root / 'fist'}/1.jpg'.")
    for home in dict.fromkeys([root, *(folder.parent for _, folder in folders)]):
        for path in sorted(home.iterdir()):
            if is_picture_file(path.name) and path.is_file():
                mention(on_problem, NO_LABEL, path, f"'{path}' lies in no class folder: it is left out.")
    return LabelledSet("classify", names, tuple(pictures), root)


def ordered(names: set[str]) -> tuple[str, ...]:
    """Return names in order: numbers as numbers, then the others by letter."""
    return tuple(sorted(names, key=lambda name: (0, int(name), name) if name.isdecimal() else (1, 0, name)))


def _class_folders(root: Path) -> list[tuple[str, Path]]:
    """Return (split, folder) of each class folder; split folders count as such where they hold folders themselves."""
    homes = [(split_of([home.name]), home) for home in _subfolders(root)]
    homes = [(split, home) for split, home in homes if split and _subfolders(home)] or [("", root)]
    found = [(split, folder) for split, home in homes for folder in _subfolders(home)]
    return [(split, folder) for split, folder in found if folder.name.lower() not in _NO_CLASSES]


def _subfolders(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"'{folder}' cannot be read: {(error.strerror or str(error)).lower()}.") from error


def _has_pictures(folder: Path) -> bool:
    return bool(find_pictures(folder))


_NAME = re.compile(r"\d+_([0-9A-Za-z]+)")
_MOST = 0.9  # of the pictures must be named so, and each class must have two


def is_named(root: Path) -> bool:
    """Return whether the pictures of a folder, or of its split folders, are named by number and class."""
    names = [path.stem for _, path in _pictures(root)] if root.is_dir() else []
    labels = Counter(match.group(1) for name in names if (match := _NAME.fullmatch(name)))
    return len(labels) > 1 and min(labels.values()) > 1 and sum(labels.values()) >= _MOST * len(names)


def read_named(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the pictures called NUMBER_CLASS; numbers as classes are ordered as numbers. Groups come from groups.csv.

    Raises:
        InputError: there are none; without `on_problem` also a picture with another name.
    """
    root = Path(root)
    labels: dict[Path, tuple[str, str]] = {}
    for split, path in _pictures(root):
        match = _NAME.fullmatch(path.stem)
        if match:
            labels[path] = split, match.group(1)
        else:
            complain(on_problem, NO_LABEL, path, f"'{path}' is not called NUMBER_CLASS as the others are.")
    if not labels:
        raise InputError(f"'{root}' has no pictures called NUMBER_CLASS, such as '123_4.png'.")
    names, groups = ordered({label for _, label in labels.values()}), read_groups(root)
    pictures = [
        Labelled(path, labels=np.array([names.index(label)]), split=split, group=groups.get(below(path, root), ""))
        for path, (split, label) in labels.items()
    ]
    return LabelledSet("classify", names, tuple(pictures), root)


def _pictures(root: Path) -> list[tuple[str, Path]]:
    """Return (split, file) of the pictures that lie in the split folders, else in the folder itself."""
    folders = [path for path in _within(root) if path.is_dir() and split_of([path.name])]
    homes = [(split_of([folder.name]), folder) for folder in folders] or [("", root)]
    return [
        (split, path)
        for split, home in homes
        for path in _within(home)
        if is_picture_file(path.name) and path.is_file()
    ]


def _within(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"'{folder}' cannot be read: {(error.strerror or str(error)).lower()}.") from error
