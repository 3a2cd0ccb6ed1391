"""One look at every picture of a set, for all who need its pixels; it must not judge what it sees."""

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.fingerprints import BITS, digest, fingerprint
from handlens.data.new_folder import Tick
from handlens.errors import FrameError, InputError
from handlens.types import Floats, Ints

_THREADS = 4  # OpenCV decodes outside Python's lock; more wait for the disk


@dataclass(frozen=True, eq=False)
class Survey:
    """What was seen, one row for each picture.

    digests: of the bytes, "" where they cannot be read. prints: (n, 143) float32 fingerprints, 0 where there is none.
    sizes: (n, 2) int64 width, height. tally: (n, classes) int64, how many objects of each class, for masks 1 where it
    has a pixel. faults: by row, the sentence on a picture or mask that cannot be read or used.
    """

    digests: tuple[str, ...]
    prints: Floats
    sizes: Ints
    tally: Ints
    faults: dict[int, str]

    def take(self, rows: Sequence[int]) -> "Survey":
        """Return the survey of these pictures."""
        chosen = np.asarray(rows, np.int64)
        place = {int(row): number for number, row in enumerate(chosen)}
        faults = {place[row]: text for row, text in self.faults.items() if row in place}
        digests = tuple(self.digests[row] for row in chosen)
        return Survey(digests, self.prints[chosen], self.sizes[chosen], self.tally[chosen], faults)


@dataclass(frozen=True, eq=False)
class _Look:
    digest: str
    print: Floats
    size: tuple[int, int]
    tally: Ints
    fault: str


def survey(found: LabelledSet, tick: Tick | None = None) -> Survey:
    """Read every picture and mask of a set once. tick: called after each."""
    looks: list[_Look] = []
    pool = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1))
    try:
        for look in pool.map(lambda picture: _look(found, picture), found.pictures):
            looks.append(look)
            if tick is not None:
                tick()
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C the pictures that wait are not read
    return Survey(
        tuple(look.digest for look in looks),
        np.array([look.print for look in looks], np.float32).reshape(-1, BITS),
        np.array([look.size for look in looks], np.int64).reshape(-1, 2),
        np.array([look.tally for look in looks], np.int64).reshape(-1, len(found.names)),
        {row: look.fault for row, look in enumerate(looks) if look.fault},
    )


def tally(found: LabelledSet, picture: Labelled) -> Ints:
    """Return (classes,) int64: how many objects of each class a picture has, for masks 1 where it has a pixel.

    Raises:
        FrameError, InputError: its mask cannot be read.
    """
    if found.kind != "segment":
        return np.bincount(picture.labels, minlength=len(found.names)).astype(np.int64)
    classes = picture.mask() if picture.mask is not None else np.zeros((1, 1), np.uint8)
    there = np.bincount(classes.ravel(), minlength=256)
    strange = np.flatnonzero(there[len(found.names) : 255])
    if len(strange):
        value = int(strange[0]) + len(found.names)
        raise InputError(
            f"the mask of '{picture.path}' has the value {value}; allowed: 0 to {len(found.names) - 1}, and 255."
        )
    return (there[: len(found.names)] > 0).astype(np.int64)


def tally_of(found: LabelledSet) -> Ints:
    """Return (n, classes) int64, `tally` of every picture.

    Raises:
        FrameError, InputError: a mask cannot be read.
    """
    return np.array([tally(found, picture) for picture in found], np.int64).reshape(-1, len(found.names))


def count_rows(
    found: LabelledSet, tally: Ints, family: Ints | None = None
) -> tuple[tuple[str, ...], list[tuple[str, list[int]]]]:
    """Return the splits, and rows of a name with a number for each split and one for all.

    The rows: pictures, groups, and the objects of each class. family: (n,) of each picture; None: their groups.
    """
    parts = [[row for row, picture in enumerate(found) if picture.split == split] for split in found.splits]
    parts.append(list(range(len(found))))
    kin: list[object] = [picture.kin for picture in found] if family is None else family.tolist()
    rows = [("pictures", [len(part) for part in parts]), ("groups", [len({kin[row] for row in p}) for p in parts])]
    rows += [(name, [int(tally[part, number].sum()) for part in parts]) for number, name in enumerate(found.names)]
    return found.splits, rows


def _look(found: LabelledSet, picture: Labelled) -> _Look:
    from handlens.io.pictures.read import decode_picture

    nothing = np.zeros(BITS, np.float32)
    known, size, mark = np.zeros(len(found.names), np.int64), (0, 0), ""
    try:
        if picture.pixels is not None:
            image = picture.image()
            mark = digest(np.ascontiguousarray(image).tobytes())
        else:
            data = picture.path.read_bytes()
            image = decode_picture(data, str(picture.path))
            mark = digest(data)
        size = (image.shape[1], image.shape[0])
        known = tally(found, picture)
    except (FrameError, InputError) as error:
        return _Look(mark, nothing, size, known, str(error))
    except OSError as error:
        return _Look(mark, nothing, size, known, f"'{picture.path}' cannot be read: {error.strerror or error}.")
    return _Look(mark, fingerprint(image), size, known, "")
