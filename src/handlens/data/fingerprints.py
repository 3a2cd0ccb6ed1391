"""Fingerprints of pictures: which are the same file, and which the same view; it must not know labels or splits."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from handlens.types import Floats, Image, Ints

NEAR = 24
"""Two pictures whose fingerprints differ in at most so many of 143 bits count as one view.

Measured on 3,603 pictures of people before webcams, in cars and on portraits, each pair of two people looked at by
eye: up to 24 there is one false pair (two signers in the same shirt before the same wall, at 23), up to 28 there are
7, up to 34 there are 50; and 367 right ones whose people had been taken for two. Of the neighbours in clips of one
person 30 % are found. Of copies at half the size, as a thumbnail of 64 x 64, at JPEG quality 10, mirrored, blurred,
with noise or brighter by 40 % until they burn out all are found (at most 23, median 0 to 7), with 2.5 % cut off all
round 94 %, turned by 3 degrees 68 %. With 8 x 8 frequencies people meet before such copies do, 16 x 16 are no better.
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
    is all 0 and near to nothing. image: (H, W, 3) uint8 RGB.
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

    prints: (n, 143) float32.
    """
    for top in range(0, len(prints), _BLOCK):
        apart = distances(prints[top : top + _BLOCK], prints[top:])
        rows, columns = np.nonzero(apart <= limit)
        later = columns > rows
        rows, columns = rows[later], columns[later]
        if len(rows):
            yield Pairs(rows + top, columns + top, apart[rows, columns])
