"""One look at every picture of a set, for all who need its pixels; it must not judge what it sees."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.new_folder import Tick
from handlens.errors import FrameError, InputError
from handlens.types import Floats, Image, Ints

NEAR = 24
"""Two pictures whose fingerprints differ in at most so many of 143 bits count as one view.

Measured on 3,603 pictures of people before webcams, in cars and on portraits, each pair of two people looked at by
eye: up to 24 there is one false pair (two signers in the same shirt before the same wall, at 23), up to 28 there are
7, up to 34 there are 50; and 367 right ones whose people had been taken for two. Of the neighbours in clips of one
person 30 % are found. Of copies at half the size, as a thumbnail of 64 x 64, at JPEG quality 10, mirrored, blurred,
with noise or brighter by 40 % until they burn out all are found (at most 23, median 0 to 7), with 2.5 % cut off all
round 94 %, turned by 3 degrees 68 %. With 8 x 8 frequencies people meet before such copies do, 16 x 16 are not better.
"""
_SIDE, _BAND = 32, 12  # the picture is made so large, and so many of its lowest frequencies are kept each way
_BLOCK = 256  # rows compared at once: with 10,000 pictures 10 MB of distances
_FLAT = 1e-3  # a coefficient below this is none: grey levels have steps of 1


def _order() -> tuple[Ints, int]:
    """Return the places of the kept frequencies without the mean, those that a mirror leaves alone first; their number.

    A mirrored picture has the same cosine coefficients, but those of odd horizontal frequency with the other sign.
    """
    place = np.arange(_BAND * _BAND).reshape(_BAND, _BAND)
    even, odd = place[:, 0::2].ravel()[1:], place[:, 1::2].ravel()
    return np.concatenate([even, odd]), len(even)


_PLACES, _EVEN = _order()
BITS = len(_PLACES)


@dataclass(frozen=True, eq=False)
class Pairs:
    """Pairs of near pictures: first, second (n,) int64 rows, first < second; distance (n,) float32, bits."""

    first: Ints
    second: Ints
    distance: Floats


def digest(data: bytes) -> str:
    """Return what only the same bytes have in common, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def fingerprint(image: Image) -> Floats:
    """Return (143,) float32 of -1, 0 and 1: the signs of a small picture's lowest cosine coefficients.

    Size, JPEG, brightness and contrast change few of them (Zauner, "Implementation and benchmarking of perceptual image
    hash functions", 2010; signs instead of the median, because a mirror then flips known ones). A picture of one colour
    is all 0 and near to nothing.

    Args:
        image: (H, W, 3) uint8 RGB.
    """
    grey = cv2.cvtColor(cv2.resize(image, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    waves = cv2.dct(grey.astype(np.float32))[:_BAND, :_BAND].ravel()[_PLACES]
    return np.where(np.abs(waves) < _FLAT, 0, np.sign(waves)).astype(np.float32)


def distances(first: Floats, second: Floats) -> Floats:
    """Return (n, m) float32: in how many bits each two fingerprints differ, as they are or one of them mirrored."""
    even = first[:, :_EVEN] @ second[:, :_EVEN].T
    odd = first[:, _EVEN:] @ second[:, _EVEN:].T
    return np.asarray((BITS - even - np.abs(odd)) / 2, np.float32)


def near_pairs(prints: Floats, limit: float = NEAR) -> Iterator[Pairs]:
    """Yield all pairs that differ in at most `limit` bits, some at a time, for a clip of 10,000 frames has 50 million.

    Args:
        prints: (n, 143) float32.
    """
    for top in range(0, len(prints), _BLOCK):
        apart = distances(prints[top : top + _BLOCK], prints[top:])
        rows, columns = np.nonzero(apart <= limit)
        later = columns > rows
        rows, columns = rows[later], columns[later]
        if len(rows):
            yield Pairs(rows + top, columns + top, apart[rows, columns])


_THREADS = 4  # OpenCV decodes outside Python's lock; more wait for the disk


@dataclass(frozen=True, eq=False)
class Survey:
    """What was seen, one row for each picture.

    Attributes:
        digests: Of the bytes, "" where they cannot be read.
        prints: (n, 143) float32 fingerprints, 0 where there is none.
        sizes: (n, 2) int64 width, height.
        tally: (n, classes) int64, how many objects of each class, for masks 1 where it has a pixel.
        faults: By row, the sentence on a picture or mask that cannot be read or used.
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
class _Scanned:
    digest: str
    print: Floats
    size: tuple[int, int]
    tally: Ints
    fault: str


def survey(found: LabelledSet, tick: Tick | None = None) -> Survey:
    """Read every picture and mask of a set once. tick: called after each."""
    scanned: list[_Scanned] = []
    pool = ThreadPoolExecutor(min(_THREADS, os.cpu_count() or 1))
    try:
        for one in pool.map(lambda picture: _scan_picture(found, picture), found.pictures):
            scanned.append(one)
            if tick is not None:
                tick()
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C the pictures that wait are not read
    return Survey(
        tuple(one.digest for one in scanned),
        np.array([one.print for one in scanned], np.float32).reshape(-1, BITS),
        np.array([one.size for one in scanned], np.int64).reshape(-1, 2),
        np.array([one.tally for one in scanned], np.int64).reshape(-1, len(found.names)),
        {row: one.fault for row, one in enumerate(scanned) if one.fault},
    )


def tally(found: LabelledSet, picture: Labelled) -> Ints:
    """Return (classes,) int64: how many objects of each class a picture has, for masks 1 where it has a pixel.

    Raises:
        FrameError, InputError: its mask cannot be read.
    """
    return found.label_kind.tally(picture, found.names)


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

    The rows: pictures, groups, and the objects of each class.

    Args:
        family: (n,) of each picture; None: their groups.
    """
    parts = [[row for row, picture in enumerate(found) if picture.split == split] for split in found.splits]
    parts.append(list(range(len(found))))
    groups: list[object] = [picture.group_key for picture in found] if family is None else family.tolist()
    rows = [("pictures", [len(part) for part in parts]), ("groups", [len({groups[row] for row in p}) for p in parts])]
    rows += [(name, [int(tally[part, number].sum()) for part in parts]) for number, name in enumerate(found.names)]
    return found.splits, rows


def _scan_picture(found: LabelledSet, picture: Labelled) -> _Scanned:
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
        return _Scanned(mark, nothing, size, known, str(error))
    except OSError as error:
        return _Scanned(mark, nothing, size, known, f"'{picture.path}' cannot be read: {error.strerror or error}.")
    return _Scanned(mark, fingerprint(image), size, known, "")
