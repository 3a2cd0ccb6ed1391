"""Which pictures belong together and may not be torn apart by a split; it must not know how a split is chosen."""

import dataclasses
import re

import numpy as np
import numpy.typing as npt

from handlens.data.dataset import LabelledSet
from handlens.data.fingerprints import NEAR, near_pairs
from handlens.data.pictures import below
from handlens.data.scan import Survey
from handlens.errors import InputError
from handlens.types import Ints


def group_by_pattern(found: LabelledSet, pattern: str) -> LabelledSet:
    """Return the set with the first bracket of a regular expression, searched in each file's path, as its group.

    The path is relative to the set, with `/`. A picture that the expression does not fit keeps the group it has.

    Raises:
        InputError: no regular expression, one without brackets, or it fits no picture.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InputError(f"'{pattern}' is no regular expression: {error}.") from error
    if not wanted.groups:
        raise InputError(f"'{pattern}' has no brackets: put them round the part that is the group, as in '(.+)_\\d+'.")
    pictures, fits = [], 0
    for picture in found:
        match = wanted.search(below(picture.path, found.root))
        name = (match.group(1) or "") if match else ""
        fits += bool(name)
        pictures.append(dataclasses.replace(picture, group=name or picture.group))
    if not fits and len(found):
        example = below(found.pictures[0].path, found.root)
        raise InputError(f"'{pattern}' fits none of the {len(found)} pictures; the first is '{example}'.")
    return found.having(pictures)


def group_by_folder(found: LabelledSet) -> LabelledSet:
    """Return the set with each picture's folder, below the set's own, as its group."""
    home = found.root.resolve().name
    return found.having(
        [dataclasses.replace(picture, group=f"{home}/{below(picture.path.parent, found.root)}") for picture in found]
    )


def families(found: LabelledSet, seen: Survey, limit: float = NEAR) -> Ints:
    """Return (n,) int64: the family of each picture, 0, 1, 2 ...

    Pictures of one group are one family, so are pictures of the same bytes, and pictures that differ in at most `limit`
    bits of their fingerprints; and whoever is kin to kin is kin.
    """
    kin = _Kin(len(found))
    for names in ([picture.group for picture in found], seen.digests):
        first: dict[str, int] = {}
        pairs = [(first.setdefault(name, row), row) for row, name in enumerate(names) if name]
        if pairs:
            kin.join(*np.array(pairs, np.int64).T)
    for pairs_of_block in near_pairs(seen.prints, limit):
        kin.join(pairs_of_block.first, pairs_of_block.second)
    return np.unique(kin.head, return_inverse=True)[1].astype(np.int64)


def name_families(found: LabelledSet, family: Ints) -> LabelledSet:
    """Return the set with a group for each picture that had none and has kin: a group of its kin, or the first's name.

    A picture without kin stays without a group, which is a group of its own.
    """
    members: dict[int, list[int]] = {}
    for row, number in enumerate(family.tolist()):
        members.setdefault(number, []).append(row)
    taken = {picture.group for picture in found}
    pictures = list(found.pictures)
    for rows in members.values():
        nameless = [row for row in rows if not pictures[row].group]
        if len(rows) == 1 or not nameless:
            continue
        name = next((pictures[row].group for row in rows if pictures[row].group), "")
        if not name:
            name = _free(pictures[rows[0]].name, taken)
            taken.add(name)
        for row in nameless:
            pictures[row] = dataclasses.replace(pictures[row], group=name)
    return found.having(pictures)


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free


class _Kin:
    """Who is kin to whom; `head` (n,) is the first member of each one's family. Whole arrays of pairs are joined."""

    def __init__(self, count: int) -> None:
        self.head: Ints = np.arange(count, dtype=np.int64)

    def join(self, first: npt.NDArray[np.int64], second: npt.NDArray[np.int64]) -> None:
        """Make each of `first` kin to its neighbour in `second`."""
        while True:
            one, other = self.head[first], self.head[second]
            apart = one != other
            if not apart.any():
                return
            first, second = first[apart], second[apart]
            leads = np.arange(len(self.head))
            np.minimum.at(leads, np.maximum(one, other)[apart], np.minimum(one, other)[apart])
            while (leads[leads] != leads).any():
                leads = leads[leads]
            self.head = leads[self.head]
