"""A map of pixel probabilities -> the hands on it, each cut free of its forearm; it must not know pictures or models.

`handlens export combined` writes the same steps as a graph, with the same numbers in the same order, so that both agree
to the pixel: whoever changes one changes the other (train/export/crop_graph.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np

from handlens.silhouette import LEAST, Shape
from handlens.types import Floats, Image

REACH = 3.8  # radii of the palm: no finger tip lies farther from its middle, and what does is forearm
LEVELS = 255.0  # of a probability, when many are summed: whole numbers have one sum in whatever order
SOLID = 0.95  # of its box: a blob that fills so much of it, from edge to edge of the map, is not a shape of a hand

_SQUARE = np.ones((3, 3), np.uint8)
_CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], np.uint8)


@dataclass(frozen=True, eq=False)
class Crop:
    """A hand on a map.

    Attributes:
        shape: Its mask (h, w) without the forearm, and its box in map pixels.
        area: Pixels of the blob it was cut from.
    """

    shape: Shape
    area: int


def find_crops(probabilities: Floats, hand: int, sure: float = 0.0) -> tuple[Crop, ...]:
    """Return the hands on a map (classes, h, w), the largest first; `hand` is the number of their class.

    A pixel is hand where that is its likeliest class. Blobs (8-connected) of less than 1/400 of the map are specks, and
    one whose pixels are hand with a mean probability below `sure` is none. A largest blob that fills the map, or a bar
    of it from edge to edge, has no outline to read: then there is no hand.
    """
    white = (probabilities.argmax(axis=0) == hand).astype(np.uint8)
    levels = np.rint(probabilities[hand].astype(np.float32) * np.float32(LEVELS))
    blobs = sorted(_blobs(white, levels, sure), key=lambda blob: (-blob.area, blob.last))
    if not blobs or _is_bar(blobs[0], white.shape):
        return ()
    return tuple(Crop(_without_forearm(blob.mask), blob.area) for blob in blobs)


@dataclass(frozen=True, eq=False)
class _Blob:
    """mask: (h, w) uint8, 1 where it is. last: the place of its last pixel, which decides between blobs of one size."""

    mask: Image
    area: int
    width: int
    height: int
    last: int


def _blobs(white: Image, levels: Floats, sure: float) -> Iterator[_Blob]:
    """Yield the blobs that are not specks and sure enough."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(white, connectivity=8)
    areas = np.asarray(stats[1:, cv2.CC_STAT_AREA], np.float32)
    sums = np.bincount(parts.ravel(), levels.ravel(), count)[1:].astype(np.float32)
    large = areas >= np.float32(white.size) * np.float32(LEAST)
    for number in 1 + np.flatnonzero(large & (sums >= areas * np.float32(sure * LEVELS))):
        _, _, width, height, area = (int(side) for side in stats[number])
        mask = (parts == number).astype(np.uint8)
        yield _Blob(mask, area, width, height, int(np.flatnonzero(mask)[-1]))


def _is_bar(blob: _Blob, shape: tuple[int, ...]) -> bool:
    spans = blob.height == shape[0] or blob.width == shape[1]
    return spans and bool(np.float32(blob.area) >= np.float32(SOLID) * np.float32(blob.width * blob.height))


def _without_forearm(mask: Image) -> Shape:
    """Return what of a blob (h, w), 0 and 1, lies within reach of its palm."""
    x, y, radius = find_palm(mask)
    limit = np.float32(REACH) * radius
    near = _far(mask.shape, x, y) <= limit * limit
    kept = np.where(near & (mask > 0), 255, 0).astype(np.uint8)
    return Shape(kept, box_of(kept))


def box_of(mask: Image) -> Floats:
    """Return x1, y1, x2, y2 around what of a mask (h, w) is above 0."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1], np.float32)


def find_palm(mask: Image) -> tuple[int, int, np.float32]:
    """Return the middle (x, y) of the largest circle, an octagon, in a blob (h, w), and its radius, in pixels.

    Holes count as hand here: a speck in the palm must not move it. Outside the map there is ground. A pixel is as deep
    as the number of layers, squares and crosses in turn, that come off until it goes; of several deepest ones it is the
    nearest to their mean.
    """
    left = _filled(mask)
    depth = left.astype(np.float32)
    for layer in _layers():
        left = np.asarray(cv2.erode(left, layer, borderType=cv2.BORDER_CONSTANT, borderValue=(0,)), np.uint8)
        if not left.any():
            break
        depth += left
    radius = np.float32(depth.max())
    rows, columns = np.nonzero(depth == radius)
    number = np.float32(len(rows))
    away = _far(mask.shape, np.float32(columns.sum()) / number, np.float32(rows.sum()) / number)
    best = int(away[rows, columns].argmin())
    return int(columns[best]), int(rows[best]), radius


def _far(shape: tuple[int, ...], x: np.float32 | int, y: np.float32 | int) -> Floats:
    """Return (h, w) float32: the square of the distance of each pixel to a point."""
    across = np.arange(shape[1], dtype=np.float32) - np.float32(x)
    down = np.arange(shape[0], dtype=np.float32) - np.float32(y)
    return np.asarray((across * across)[None, :] + (down * down)[:, None], np.float32)


def _layers() -> Iterator[Image]:
    while True:
        yield _SQUARE
        yield _CROSS


def _filled(mask: Image) -> Image:
    """Return the blob without its holes: whatever the ground outside (8-connected) does not reach."""
    ground = cv2.copyMakeBorder(1 - mask, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(1,))
    _, parts = cv2.connectedComponents(ground, connectivity=8)
    return np.asarray(parts != parts[0, 0], np.uint8)[1:-1, 1:-1]
