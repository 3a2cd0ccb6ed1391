"""A random part of one set added to another, with its classes matched by name; it must not know file formats."""

import dataclasses
from pathlib import Path

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.fingerprints import digest
from handlens.data.remap import GONE, relabel
from handlens.errors import InputError

CLASSES = ("map", "drop", "keep")


def strangers(other: LabelledSet, found: LabelledSet, to: str = "") -> LabelledSet:
    """Return the pictures of `other` that may be added to the split `to` of `found` without a leak.

    Left out are the very pictures that `found` has, and those whose group it has in another split. Where `other` has
    the split `to` itself, only that one counts, so that what it keeps for tests stays apart.
    """
    elsewhere = {picture.group for picture in found if picture.group and picture.split != to}
    sizes = {_size(picture.path) for picture in found}
    have = {_mark(picture) for picture in found}
    pool = []
    for picture in other:
        if (to in other.splits and picture.split != to) or picture.group in elsewhere:
            continue
        if _size(picture.path) not in sizes or _mark(picture) not in have:
            pool.append(picture)
    return other.having(pool)


def draw_part(pool: LabelledSet, count: int | None = None, share: float | None = None, seed: int = 0) -> LabelledSet:
    """Return `count` pictures or a `share` (0 to 1) of them, drawn by `seed`, in the order they had.

    Raises:
        InputError: there are fewer, or none at all.
    """
    if not len(pool):
        raise InputError(
            f"'{pool.root}' has no picture that can be added: all are there already, or kin to other splits."
        )
    wanted = max(1, round((share or 0) * len(pool))) if count is None else count
    if wanted > len(pool):
        raise InputError(
            f"'{pool.root}' has {len(pool)} pictures that can be added, not {wanted}: give a lower --count."
        )
    rows = np.sort(np.random.default_rng(seed).permutation(len(pool))[:wanted])
    return pool.having([pool.pictures[row] for row in rows])


def add(found: LabelledSet, part: LabelledSet, classes: str = "map", to: str = "") -> LabelledSet:
    """Return the set with the pictures of another one added.

    classes: "map" keeps objects of the classes that both sets have, by name; "drop" keeps none; "keep" keeps all and
    appends the classes that are new. to: the split that they go to.

    Raises:
        InputError: a set of another kind; pictures to classify none of which has a class of `found`.
    """
    if part.kind != found.kind:
        raise InputError(f"'{part.root}' is a set to {part.kind}, but '{found.root}' is one to {found.kind}.")
    names = list(found.names)
    if classes == "keep":
        names += [name for name in part.names if name not in names]
    table = [names.index(name) if name in names and classes != "drop" else GONE for name in part.names]
    if found.kind == "segment":
        table[0] = 0
    moved = relabel(part, names, table)
    if not len(moved):
        raise InputError(
            f"'{part.root}' has pictures of {', '.join(part.names)} only, and '{found.root}' knows none of these:"
            " give --add-classes keep."
        )
    new = [dataclasses.replace(picture, split=to) for picture in moved]
    return dataclasses.replace(found, names=tuple(names), pictures=(*found.pictures, *new))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:  # a picture of a pack
        return -1


def _mark(picture: Labelled) -> str:
    """Return what only the same picture has."""
    try:
        return str(picture.path) if picture.pixels is not None else digest(picture.path.read_bytes())
    except OSError:
        return str(picture.path)
