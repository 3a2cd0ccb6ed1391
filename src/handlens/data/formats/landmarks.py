"""Tables of the 21 landmarks of hands, as `handlens predict --landmarks` writes them, -> a labelled set.

It must not know models. The table is tidy: one row for each point, with the columns file (or source), point, x and y,
and perhaps hand, side, group and split. Files are looked for beside the table.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from handlens.data.dataset import SPLITS, Labelled, LabelledSet
from handlens.data.formats.file_lists import table_of
from handlens.data.formats.text_files import columns_of, read_rows
from handlens.data.problems import NO_PICTURE, WRONG_LINE, OnProblem, complain
from handlens.errors import InputError
from handlens.types import LANDMARKS, Floats, Hand, Label

SIDES = ("left", "right")
_NEEDED = {"point", "x", "y"}


@dataclass
class _Drawn:
    """The hands of one picture, point by point."""

    group: str = ""
    split: str = ""
    points: dict[str, Floats] = field(default_factory=dict)
    sides: dict[str, str] = field(default_factory=dict)


def is_landmarks(path: Path) -> bool:
    """Return whether a path is a table of landmarks, or a folder with one in labels.csv."""
    table = path if path.suffix.lower() == ".csv" and path.is_file() else table_of(path)
    if table is None:
        return False
    columns = set(columns_of(table))
    return columns >= _NEEDED and bool(columns & {"file", "source"})


def read_landmarks(path: str | Path, on_problem: OnProblem | None = None) -> LabelledSet:
    """Return the set that a table of landmarks describes; hands of which a point is missing are left out.

    Raises:
        InputError: it is no such table; without `on_problem` also a row that is wrong or a picture that is missing.
    """
    root = Path(path)
    table = root if root.is_file() else table_of(root)
    if table is None:
        raise InputError(f"'{path}' is no table of landmarks: give a .csv file with the columns file, point, x, y.")
    drawn: dict[str, _Drawn] = {}
    for number, row in enumerate(read_rows(table, ("point", "x", "y")), 2):
        _take(drawn, row, f"'{table}', line {number}", table, on_problem)
    pictures = []
    for name, one in drawn.items():
        file = _place(name, table.parent)
        if file is None:
            complain(on_problem, NO_PICTURE, table, f"'{table}' names '{name}', but there is no such picture.")
            continue
        hands = _hands(one, name, table, on_problem)
        if hands:
            boxes = np.stack([hand.xyxy for hand in hands])
            labels = np.array([int(hand.side == "right") for hand in hands])
            pictures.append(Labelled(file, boxes=boxes, labels=labels, split=one.split, group=one.group, hands=hands))
    return LabelledSet("landmarks", SIDES, tuple(pictures), root)


def _place(name: str, home: Path) -> Path | None:
    """Return the picture of that name: beside the table, in images/ there, or where it was when it was looked at."""
    places = (home / name, home / "images" / name, Path(name))
    return next((place for place in places if place.is_file()), None)


def _take(
    drawn: dict[str, _Drawn], row: Mapping[str, str], where: str, table: Path, on_problem: OnProblem | None
) -> None:
    name = row.get("file") or row.get("source") or ""
    try:
        point, x, y = int(row["point"]), float(row["x"]), float(row["y"])
    except (ValueError, TypeError):
        point, x, y = -1, np.nan, np.nan
    if not name or not 0 <= point < len(LANDMARKS) or not np.isfinite([x, y]).all():
        text = f"{where}: a landmark needs a file, a point of 0 to {len(LANDMARKS) - 1}, and numbers for x and y."
        complain(on_problem, WRONG_LINE, table, text)
        return
    split = (row.get("split") or "").lower()
    if split not in ("", *SPLITS):
        complain(on_problem, WRONG_LINE, table, f"{where}: the split '{split}' is none of {', '.join(SPLITS)}.")
        return
    one = drawn.setdefault(name, _Drawn(row.get("group") or "", split))
    hand = row.get("hand") or "0"
    points = one.points.setdefault(hand, np.full((len(LANDMARKS), 2), np.nan, np.float32))
    points[point] = x, y
    one.sides[hand] = (row.get("side") or "").lower()


def _hands(one: _Drawn, name: str, table: Path, on_problem: OnProblem | None) -> tuple[Hand, ...]:
    hands = []
    for hand, points in one.points.items():
        missing = int(np.isnan(points[:, 0]).sum())
        if missing:
            text = f"'{table}': hand {hand} of '{name}' has {len(points) - missing} of {len(LANDMARKS)} landmarks."
            complain(on_problem, WRONG_LINE, table, text)
            continue
        side = one.sides[hand] if one.sides[hand] in SIDES else ""
        box = np.concatenate([points.min(axis=0), points.max(axis=0)])
        whole = np.concatenate([points, np.ones((len(points), 1), np.float32)], axis=1)
        hands.append(Hand(box, Label(side, 1.0), landmarks=whole, side=side))
    return tuple(hands)
