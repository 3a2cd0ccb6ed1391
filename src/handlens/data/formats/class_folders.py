"""Class folders: a picture is what its folder is called; it must not know what the names mean.

CLASS/*.jpg, or train/CLASS/*.jpg, val/CLASS/*.jpg, test/CLASS/*.jpg.
"""

from pathlib import Path

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.text_files import read_groups
from handlens.data.pictures import below, find_pictures, is_picture_file, split_of
from handlens.data.problems import NO_LABEL, OnProblem, mention
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
        raise InputError(f"'{root}' is no folder: give one that holds a folder of pictures for each class.")
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
