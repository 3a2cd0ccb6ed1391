"""The classes of a set renamed, merged, dropped, ordered and shifted; it must not know file formats."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.errors import InputError, unknown
from handlens.types import Image, Ints

GONE = -1
"""In a table of classes: objects of this class are left out."""


def relabel(found: LabelledSet, names: Sequence[str], table: Sequence[int]) -> LabelledSet:
    """Return the set with other class names.

    Objects of a class that is GONE are left out: boxes go, pictures to classify go as a whole, pixels are background.

    table: for each class of `found` its place in `names`, or GONE.
    """
    moves = np.asarray(table, np.int64)
    pictures = []
    for picture in found:
        if found.kind == "segment":
            picture = dataclasses.replace(picture, mask=_masked(picture.mask, moves))
        else:
            labels = moves[picture.labels]
            stay = labels != GONE
            if found.kind == "classify" and not stay.all():
                continue
            boxes = picture.boxes[stay] if len(picture.boxes) else picture.boxes
            picture = dataclasses.replace(picture, boxes=boxes, labels=labels[stay])
        pictures.append(picture)
    return dataclasses.replace(found, names=tuple(names), pictures=tuple(pictures))


def _masked(read: Callable[[], Image] | None, moves: Ints) -> Callable[[], Image] | None:
    """Return what reads a mask with its classes moved; values without a class stay, so that they are still found."""
    table = np.arange(256, dtype=np.uint8)
    table[: len(moves)] = np.where(moves == GONE, 0, moves)
    return None if read is None else lambda: table[read()]


def rename(found: LabelledSet, renames: Mapping[str, str]) -> LabelledSet:
    """Return the set with classes called otherwise; two that get one name become one class.

    Raises:
        InputError: no class of that name.
    """
    for old in renames:
        _place(found, old)
    told = [renames.get(name, name) for name in found.names]
    names = list(dict.fromkeys(told))
    return relabel(found, names, [names.index(name) for name in told])


def drop(found: LabelledSet, names: Sequence[str], drop_empty: bool = False) -> LabelledSet:
    """Return the set without these classes; the others move up.

    drop_empty: leave out the pictures that have no object any more. Those that had none before stay.

    Raises:
        InputError: no class of that name, or none is left; the background of masks cannot go.
    """
    gone = [_place(found, name) for name in names]
    if found.kind == "segment" and 0 in gone:
        raise InputError(f"'{found.names[0]}' is the background of the masks: it cannot be dropped.")
    kept = [name for number, name in enumerate(found.names) if number not in gone]
    if not kept:
        raise InputError("no class is left: drop fewer.")
    after = relabel(found, kept, [kept.index(name) if name in kept else GONE for name in found.names])
    if not (drop_empty and found.kind == "detect"):
        return after
    pairs = zip(found, after, strict=True)
    return after.having([new for old, new in pairs if len(new.labels) or not len(old.labels)])


def order(found: LabelledSet, names: Sequence[str]) -> LabelledSet:
    """Return the set with its classes in this order; names that it does not have become classes without objects.

    Raises:
        InputError: a class is missing in `names`, or one is there twice.
    """
    missing = [name for name in found.names if name not in names]
    if missing:
        raise InputError(f"the order lacks the class '{missing[0]}': name all of {', '.join(found.names)}.")
    if len(set(names)) != len(names):
        raise InputError(f"the order {', '.join(names)} has a name twice.")
    if found.kind == "segment" and names[0] != found.names[0]:
        raise InputError(f"'{found.names[0]}' is the background of the masks: it must stay the first.")
    return relabel(found, names, [list(names).index(name) for name in found.names])


def shift(found: LabelledSet, by: int) -> LabelledSet:
    """Return the set with its class numbers raised by `by`; the numbers below are called unused0, unused1 ...

    by: below 0 lowers them; the first classes must then be without objects.

    Raises:
        InputError: objects would get a number below 0, no class would be left, or the set has masks.
    """
    if found.kind != "detect":
        raise InputError(f"class numbers are shifted in sets of boxes only; '{found.root}' is a set to {found.kind}.")
    if by >= 0:
        taken, names, number = set(found.names), list[str](), 0
        while len(names) < by:
            if f"unused{number}" not in taken:
                names.append(f"unused{number}")
            number += 1
        return relabel(found, [*names, *found.names], [number + by for number in range(len(found.names))])
    if -by >= len(found.names):
        raise InputError(f"--shift {by} would leave no class: there are {len(found.names)}.")
    used = {int(label) for picture in found for label in picture.labels}
    full = next((found.names[number] for number in range(-by) if number in used), None)
    if full is not None:
        raise InputError(f"--shift {by} would give '{full}' a number below 0: drop it first (--drop {full}).")
    return relabel(found, found.names[-by:], [max(number + by, GONE) for number in range(len(found.names))])


def _place(found: LabelledSet, name: str) -> int:
    if name not in found.names:
        raise InputError(unknown("class", name, found.names))
    return found.names.index(name)
