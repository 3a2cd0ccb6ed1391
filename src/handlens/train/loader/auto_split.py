"""Train and val of a set that nobody split, related pictures together; it must not know networks or training."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.data.scan import survey, tally_of
from handlens.data.split import families, split_families
from handlens.train.loader.silhouettes import are_silhouettes
from handlens.types import Ints

SHARES = (0.85, 0.15, 0.0)
BLOCKS = 12
"""Of neighbouring frames, in each class of silhouettes."""


def divided(found: LabelledSet, say: Callable[[str], None]) -> LabelledSet:
    """Return the set with a split for each picture; one that is split stays as it is. say: is told how it was done.

    Where every picture has a group, groups are related. Else pictures that look alike are; but silhouettes of one sign
    look alike whoever makes it, and mostly come from videos: there it is the neighbouring frames, by number.

    Raises:
        InputError: there are too few groups.
    """
    if found.splits or not len(found):
        return found
    if all(picture.group for picture in found):
        groups, what = _unique([picture.group for picture in found]), "its groups"
    elif found.label_kind.one_label and are_silhouettes(found):
        groups, what = _blocks(found), "blocks of neighbouring frames"
    else:
        groups, what = families(found, survey(found)), "groups of related pictures"
    say(f"'{found.root}' is not split: {what} go to train and val, 85 to 15")
    parts = split_families(groups, tally_of(found), SHARES)
    return found.having([replace(picture, split=part) for picture, part in zip(found, parts, strict=True)])


def _unique(names: list[str]) -> Ints:
    return np.unique(names, return_inverse=True)[1].astype(np.int64)


def _blocks(found: LabelledSet) -> Ints:
    """(n,): the block of each picture; a group that is told is a block of its own."""
    frames: dict[int, list[int]] = defaultdict(list)
    for row, picture in enumerate(found):
        if not picture.group:
            frames[int(picture.labels[0])].append(row)
    names = [f"group {picture.group}" for picture in found]
    for label, rows in frames.items():
        rows.sort(key=lambda row: _order(found.pictures[row].path))
        for place, row in enumerate(rows):
            names[row] = f"block {label} {place * BLOCKS // len(rows)}"
    return _unique(names)


def _order(path: Path) -> tuple[list[int], str]:
    """By the numbers in the file's name, so that 10 comes after 9."""
    return [int(number) for number in re.findall(r"\d+", path.stem)], str(path)
