"""labels.csv tables of pictures with a label each: columns file, label and perhaps group, split, source.

It must not know what the labels mean.
"""

from pathlib import Path

from handlens.data.claims import Claim, believe
from handlens.data.dataset import LabelledSet
from handlens.data.formats.text_files import read_rows
from handlens.data.pictures import split_of
from handlens.data.problems import NO_PICTURE, WRONG_CLASS, WRONG_LINE, OnProblem, complain
from handlens.errors import InputError

TABLE = "labels.csv"


def table_of(root: Path) -> Path | None:
    """Return the labels.csv of a folder, or `root` where it is a .csv file itself, or None."""
    path = root if root.suffix.lower() == ".csv" else root / TABLE
    return path if path.is_file() else None


def read_table(root: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set that a labels.csv describes; pictures lie beside it or in images/.

    on_problem: told of each problem; what is wrong is then left out. None: the first wrong row raises.

    Raises:
        InputError: no table; without `on_problem` also a picture that is missing or a label or split that is wrong.
    """
    root = Path(root)
    path = table_of(root)
    if path is None:
        raise InputError(f"'{root}' has no {TABLE}: give a folder with one, with the columns file and label.")
    claims = []
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
            claims.append(Claim(place, row["label"], split, row_group(row), where))
    if not claims:
        raise InputError(f"'{path}' names no picture that is there, neither beside it nor in images/.")
    return believe(claims, path.parent, on_problem)


def place_of(name: str, root: Path, folder: str) -> Path | None:
    """Return a file that lies below `root` or below a folder of it, or None."""
    return next((place for place in (root / folder / name, root / name) if name and place.is_file()), None)


def row_split(row: dict[str, str]) -> str | None:
    """Return the split of a row, "" where it has none, None where it is no split."""
    word = row.get("split", "")
    return (split_of([word]) or None) if word else ""


def row_group(row: dict[str, str]) -> str:
    """Return the group or person of a row, or ""; groups are counted within a source where there are several."""
    group = row.get("group", "")
    source = row.get("source", "")
    return (f"{source}/{group}" if source else group) if group else row.get("person", "")
