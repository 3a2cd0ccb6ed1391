"""Several labelled sets -> one, split by family, and its zip; it must not know file formats or the command line."""

import dataclasses
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.label_kinds import GONE
from handlens.data.new_folder import Tick
from handlens.data.pictures import below, find_files
from handlens.data.remap import relabel
from handlens.data.scan import NEAR, Survey, digest
from handlens.data.split import SHARES, families, name_families, split_families
from handlens.errors import InputError
from handlens.io.atomic import AtomicFile, output_error
from handlens.types import Ints

_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same set gives the same bytes on any day
_PACKED = frozenset({".jpg", ".jpeg", ".png", ".webp"})  # to pack these again costs time and saves nothing


def merge_sets(sets: Sequence[LabelledSet], names: Sequence[str] = ()) -> LabelledSet:
    """Return one set of all pictures, whose classes are matched by name, whatever their numbers were.

    Names that differ only in case are one class and called as they were first.

    Args:
        names: The classes of the result, in order; () takes them as they come. A set may have more as long as no object
            is of them.

    Raises:
        InputError: no set, sets of different kinds or backgrounds, or objects of a class that `names` lacks.
    """
    first = sets[0]
    for other in sets[1:]:
        if other.kind != first.kind:
            raise InputError(
                f"'{first.root}' is a set to {first.kind} and '{other.root}' one to {other.kind}: build them apart."
            )
        if first.label_kind.has_background and other.names[0].lower() != first.names[0].lower():
            raise InputError(
                f"value 0 is '{first.names[0]}' in the masks of '{first.root}' and '{other.names[0]}' in those of"
                f" '{other.root}': rename one ('handlens data remap')."
            )
    spelling: dict[str, str] = {}
    for name in names or [name for one in sets for name in one.names]:
        spelling.setdefault(name.lower(), name)
    classes = list(spelling.values())
    moved = [_moved(one, classes) for one in sets]
    return dataclasses.replace(first, names=tuple(classes), pictures=tuple(p for one in moved for p in one))


def _moved(found: LabelledSet, classes: Sequence[str]) -> LabelledSet:
    numbers = {name.lower(): number for number, name in enumerate(classes)}
    table = [numbers.get(name.lower(), GONE) for name in found.names]
    used = {int(label) for picture in found for label in picture.labels}
    lost = [name for number, name in enumerate(found.names) if table[number] == GONE]
    full = [name for name in lost if found.names.index(name) in used or found.label_kind.has_background]
    if full:
        raise InputError(
            f"'{found.root}' has the class '{full[0]}', which is not among {', '.join(classes)}: add it to --names, or"
            " rename or drop it first ('handlens data remap')."
        )
    return relabel(found, classes, table)


def without_copies(found: LabelledSet, seen: Survey) -> tuple[LabelledSet, Survey]:
    """Return the set and its survey without pictures that cannot be read, and each of those that are alike once.

    Alike are pictures of the same bytes about which the same is said; where something else is said, both stay.
    """
    known: set[object] = set()
    rows = []
    for row, picture in enumerate(found):
        spelling = sorted(
            zip(picture.labels.tolist(), picture.boxes.tolist() or [[]] * len(picture.labels), strict=True)
        )
        what = (seen.digests[row], str(spelling))
        if row in seen.faults or (what in known and not found.label_kind.has_background):
            continue
        known.add(what)
        rows.append(row)
    return found.having([found.pictures[row] for row in rows]), seen.take(rows)


@dataclass(frozen=True, eq=False)
class Division:
    """A set with splits and groups. family: (n,) int64 of each picture; tally: (n, classes) int64, its objects."""

    found: LabelledSet
    family: Ints
    tally: Ints


def divide(
    found: LabelledSet, seen: Survey, shares: Sequence[float] = SHARES, near: float = NEAR, seed: int = 0
) -> Division:
    """Return the set split by family (see grouping and splitting), with a group for every picture that has kin.

    Raises:
        InputError: fewer families than splits.
    """
    family = families(found, seen, near)
    splits = split_families(family, seen.tally, shares, seed)
    named = name_families(found, family)
    pictures = [dataclasses.replace(one, split=split) for one, split in zip(named, splits, strict=True)]
    return Division(found.having(pictures), family, seen.tally)


def zip_folder(folder: Path, tick: Tick | None = None) -> Path:
    """Pack a folder into NAME.zip beside it and return that; the same files give the same bytes.

    Raises:
        OutputError: it cannot be written.
    """
    folder = folder.resolve()
    target = folder.with_name(f"{folder.name}.zip")
    draft = AtomicFile(target)
    try:
        with zipfile.ZipFile(draft.file, "w") as archive:
            for path in find_files(folder):
                entry = zipfile.ZipInfo(f"{folder.name}/{below(path, folder)}", _ZIP_TIME)
                packed = path.suffix.lower() in _PACKED
                entry.compress_type = zipfile.ZIP_STORED if packed else zipfile.ZIP_DEFLATED
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes())
                if tick is not None:
                    tick()
    except OSError as error:
        draft.discard()
        raise output_error(error, target) from error
    except BaseException:  # also Ctrl-C: half an archive is of no use
        draft.discard()
        raise
    draft.keep()
    return target


CLASSES = ("map", "drop", "keep")


def without_leaks(other: LabelledSet, found: LabelledSet, to: str = "") -> LabelledSet:
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

    Args:
        classes: "map" keeps objects of the classes that both sets have, by name; "drop" keeps none; "keep" keeps all
            and appends the classes that are new.
        to: The split that they go to.

    Raises:
        InputError: a set of another kind; pictures to classify none of which has a class of `found`.
    """
    if part.kind != found.kind:
        raise InputError(f"'{part.root}' is a set to {part.kind}, but '{found.root}' is one to {found.kind}.")
    names = list(found.names)
    if classes == "keep":
        names += [name for name in part.names if name not in names]
    table = [names.index(name) if name in names and classes != "drop" else GONE for name in part.names]
    if found.label_kind.has_background:
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
