"""File lists: lines `path<two spaces>label` below a root folder; it must not know what the labels mean."""

from collections.abc import Iterator
from pathlib import Path

from handlens.data.claims import Claim, believe
from handlens.data.dataset import LabelledSet
from handlens.data.formats.text_files import read_text
from handlens.data.pictures import find_place, split_of
from handlens.data.problems import NO_PICTURE, WRONG_LINE, OnProblem, complain
from handlens.errors import InputError


def list_files(root: Path) -> list[Path]:
    """Return the .list files of a folder and of its split folders; a .list file is its own only one."""
    if root.suffix.lower() == ".list" and root.is_file():
        return [root]
    if not root.is_dir():
        return []
    places = [root, *sorted(path for path in root.iterdir() if path.is_dir() and split_of([path.name]))]
    return [path for place in places for path in sorted(place.glob("*.list"))]


def read_lists(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the pictures of train.list, test.list ... in a folder or its split folders, or of one list.

    Paths are relative to the list's folder, or to `root`. For names of numbers see claims.

    on_problem: told of each problem; what is wrong is then left out. None: the first wrong line raises.

    Raises:
        InputError: no list; without `on_problem` also a file that is missing or a label that is wrong.
    """
    root = Path(root)
    files = list_files(root)
    if not files:
        raise InputError(f"'{root}' is no .list file and has none: give a text file with lines 'path  label'.")
    home = root if root.is_dir() else root.parent
    claims = [claim for file in files for claim in _claims(file, home, on_problem)]
    if not claims:
        raise InputError(f"'{files[0]}' names no picture that is there: it needs lines 'path  label'.")
    return believe(claims, home, on_problem, mostly_numbers=True)


def _claims(file: Path, home: Path, on_problem: OnProblem | None) -> Iterator[Claim]:
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
        yield Claim(place, label, split, "", where, folders[-1] if folders else "")
