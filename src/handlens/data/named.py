"""Pictures whose names end in their class, 123_4.png; it must not know what the names mean.

They lie in one folder, or in train, val and test.
"""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.class_folders import ordered
from handlens.data.formats.text_files import read_groups
from handlens.data.pictures import below, is_picture_file, split_of
from handlens.data.problems import NO_LABEL, OnProblem, complain
from handlens.errors import InputError

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
