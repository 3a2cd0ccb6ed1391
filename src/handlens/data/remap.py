"""The classes of a set renamed, merged, dropped, ordered and shifted; it must not know file formats."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.data.label_kinds import GONE
from handlens.errors import InputError, unknown


def relabel(found: LabelledSet, names: Sequence[str], table: Sequence[int]) -> LabelledSet:
    """Return the set with other class names.

    Objects of a class that is GONE are left out: boxes go, pictures to classify go as a whole, pixels are background.

    Args:
        table: For each class of `found` its place in `names`, or GONE.
    """
    mapping = np.asarray(table, np.int64)
    moved = (found.label_kind.relabel(picture, mapping) for picture in found)
    return dataclasses.replace(found, names=tuple(names), pictures=tuple(one for one in moved if one is not None))


def rename(found: LabelledSet, renames: Mapping[str, str]) -> LabelledSet:
    """Return the set with classes called otherwise; two that get one name become one class.

    Raises:
        InputError: no class of that name.
    """
    for old in renames:
        _place(found, old)
    renamed_names = [renames.get(name, name) for name in found.names]
    names = list(dict.fromkeys(renamed_names))
    return relabel(found, names, [names.index(name) for name in renamed_names])


def drop(found: LabelledSet, names: Sequence[str], drop_empty: bool = False) -> LabelledSet:
    """Return the set without these classes; the others move up.

    Args:
        drop_empty: Leave out the pictures that have no object any more. Those that had none before stay.

    Raises:
        InputError: no class of that name, or none is left; the background of masks cannot go.
    """
    dropped = [_place(found, name) for name in names]
    if found.label_kind.has_background and 0 in dropped:
        raise InputError(f"'{found.names[0]}' is the background of the masks: it cannot be dropped.")
    kept = [name for number, name in enumerate(found.names) if number not in dropped]
    if not kept:
        raise InputError("no class is left: drop fewer.")
    after = relabel(found, kept, [kept.index(name) if name in kept else GONE for name in found.names])
    if not (drop_empty and found.label_kind.has_boxes):
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
    if found.label_kind.has_background and names[0] != found.names[0]:
        raise InputError(f"'{found.names[0]}' is the background of the masks: it must stay the first.")
    return relabel(found, names, [list(names).index(name) for name in found.names])


def shift(found: LabelledSet, by: int) -> LabelledSet:
    """Return the set with its class numbers raised by `by`; the numbers below are called unused0, unused1 ...

    Args:
        by: Below 0 lowers them; the first classes must then be without objects.

    Raises:
        InputError: objects would get a number below 0, no class would be left, or the set has masks.
    """
    if not found.label_kind.has_boxes:
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
