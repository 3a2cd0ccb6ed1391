"""Families of pictures -> train, val and test, as even as whole families allow; it must not know what relates them."""

import dataclasses
import re
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from handlens.data.dataset import SPLITS, LabelledSet
from handlens.data.pictures import below
from handlens.data.scan import NEAR, Survey, near_pairs
from handlens.errors import InputError
from handlens.types import Ints

SHARES = (0.75, 0.15, 0.10)
"""Of train, val and test; the one-class detector that this house unites was published with them."""

_SWEEPS = 5  # of second thoughts; made sets settle in 2 or 3


def read_shares(text: str) -> tuple[float, ...]:
    """Return the shares of "0.75,0.15,0.1" or "75,15,10": of train and val, and of test where there is a third.

    Raises:
        InputError: not two or three numbers of at least 0 that make 1 (or 100) together, or none for train.
    """
    try:
        shares = [float(word) for word in text.split(",")]
    except ValueError:
        shares = []
    total = sum(shares)
    right = 2 <= len(shares) <= 3 and all(share >= 0 for share in shares) and shares[0] > 0
    if not (right and (abs(total - 1) < 0.005 or abs(total - 100) < 0.5)):
        raise InputError(
            f"'{text}' are not shares: give train, val and test as numbers that make 1 together, as 0.75,0.15,0.1."
        )
    return tuple(share / total for share in [*shares, 0.0][:3])


def split_families(family: Ints, tally: Ints, shares: Sequence[float] = SHARES, seed: int = 0) -> list[str]:
    """Return the split of each picture; a family is never torn apart.

    The families go, the largest first and those of one size in an order drawn by `seed`, each to the split where it
    hurts least: where the squared distance from the wanted numbers, of pictures and of each class alike, relative to
    what is wanted there, grows least (the idea of Sechidis, Tsoumakas and Vlahavas, "On the stratification of
    multi-label data", 2011, for whole groups). Then each family is asked a few times whether another split suits it
    better now. An empty split gets the smallest family of the fullest one.

    Args:
        family: (n,) int64, 0, 1, 2 ...
        tally: (n, classes) int64, the objects of each class in each picture.
        shares: Of train, val and test; one of 0 stays empty.

    Raises:
        InputError: fewer families than splits.
    """
    wanted = [(name, share) for name, share in zip(SPLITS, shares, strict=False) if share > 0]
    count = int(family.max()) + 1 if len(family) else 0
    if count < len(wanted):
        groups = f"{count} group{'' if count == 1 else 's'}"
        raise InputError(
            f"{len(family)} pictures in {groups} cannot be split into {', '.join(name for name, _ in wanted)}: there"
            " must be at least one group for each; give smaller groups (--group), or let fewer pictures count as near"
            " copies of each other (--near, -1 for none)."
        )
    loads = np.zeros((count, tally.shape[1] + 1))
    np.add.at(loads, family, np.column_stack([np.ones(len(family)), tally]))
    parts = loads[:, loads.sum(axis=0) > 0]
    parts = parts / parts.sum(axis=0)
    order = np.random.default_rng(seed).permutation(count)
    order = order[np.argsort(-loads[order, 0], kind="stable")]
    chosen = _assign(parts, np.array([share for _, share in wanted]), order)
    return [wanted[number][0] for number in chosen[family]]


def _assign(parts: npt.NDArray[np.float64], shares: npt.NDArray[np.float64], order: Ints) -> Ints:
    """Return the split of each family. parts: (families, columns), each column makes 1; shares: (splits,)."""
    held = np.zeros((len(shares), parts.shape[1]))
    chosen = np.full(len(parts), -1, np.int64)

    def place(row: int) -> bool:
        part, before = parts[row], int(chosen[row])
        if before >= 0:
            held[before] -= part
        # of sum((held - share)^2 / share) over the columns, what this family would add in each split
        added = ((2 * (held - shares[:, None]) + part) * part / shares[:, None]).sum(axis=1)
        best = int(np.argmin(added))
        if before >= 0 and added[before] <= added[best] + 1e-12:
            best = before
        held[best] += part
        chosen[row] = best
        return best != before

    for row in order:
        place(int(row))
    for _ in range(_SWEEPS):
        if not sum(place(int(row)) for row in order):
            break
    for number in range(len(shares)):
        if not (chosen == number).any():
            fullest = int(np.argmax(np.bincount(chosen, minlength=len(shares))))
            chosen[[row for row in order if chosen[row] == fullest][-1]] = number
    return chosen


def group_by_pattern(found: LabelledSet, pattern: str) -> LabelledSet:
    """Return the set with the first bracket of a regular expression, searched in each file's path, as its group.

    The path is relative to the set, with `/`. A picture that the expression does not fit keeps the group it has.

    Raises:
        InputError: no regular expression, one without brackets, or it fits no picture.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InputError(f"'{pattern}' is not a regular expression: {error}.") from error
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
    bits of their fingerprints; and relatives of relatives are related.
    """
    groups = _UnionFind(len(found))
    for names in ([picture.group for picture in found], seen.digests):
        first: dict[str, int] = {}
        pairs = [(first.setdefault(name, row), row) for row, name in enumerate(names) if name]
        if pairs:
            groups.join(*np.array(pairs, np.int64).T)
    for pairs_of_block in near_pairs(seen.prints, limit):
        groups.join(pairs_of_block.first, pairs_of_block.second)
    return np.unique(groups.head, return_inverse=True)[1].astype(np.int64)


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


class _UnionFind:
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
