"""A map of pixel probabilities -> the hands on it, each cut free of its forearm; it must not know pictures or models.

`handlens export combined` writes the same steps as a graph, with the same numbers in the same order, so that both agree
to the pixel: whoever changes one changes the other (train/export/crop_graph.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.silhouette import LEAST, Shape
from handlens.types import Floats, Image

REACH = 3.8  # radii of the palm: no finger tip lies farther from its middle, and what does is forearm
THICK = 0.6  # of the largest depth: what is as deep is palm or forearm. A finger is less than .45 of a palm wide
LONG = 3.6  # largest depths between the ends of what is thick: a longer one is a palm with a forearm
EDGE = 0.5  # largest depths: what a pixel at the edge of the map counts against an end being the hand, in pixels
DEEP = 2.0  # largest depths: what the depth near an end counts for its being the hand
STEPS = 4  # from the end of what is thick to the deepest place of the palm
CLIMB = 1.3, 1.0  # largest depths around the end of the hand, and depths around what is found: there is the palm
RING = 1.8, 2.8  # radii of the palm around its middle: there the forearm is, and shows where it goes
ARM = 0.3  # of the pixels of a hand: with so many more of bare forearm beside it, what a model calls forearm goes
WRIST = 1.7  # radii of the palm from its middle to the cut through the forearm
LEVELS = 255.0  # of a probability, when many are summed: whole numbers have one sum in whatever order
SOLID = 0.95  # of its box: a blob that fills so much of it, from edge to edge of the map, is not a shape of a hand

Point = tuple[int, int]
Mask = NDArray[np.bool_]
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


def find_crops(probabilities: Floats, hand: int, sure: float = 0.0, arms: Mask | None = None) -> tuple[Crop, ...]:
    """Return the hands on a map (classes, h, w), the largest first; `hand` is the number of their class.

    Args:
        arms: (h, w) which pixels of hands are rather bare forearm, where a model tells.

    A pixel is hand where that is its likeliest class. Blobs (8-connected) of less than 1/400 of the map are specks, and
    one whose pixels are hand with a mean probability below `sure` is none. A largest blob that fills the map, or a bar
    of it from edge to edge, has no outline to read: then there is no hand.
    """
    white = (probabilities.argmax(axis=0) == hand).astype(np.uint8)
    levels = np.rint(probabilities[hand].astype(np.float32) * np.float32(LEVELS))
    blobs = sorted(_blobs(white, levels, sure, arms), key=lambda blob: (-blob.area, blob.last))
    if not blobs or _is_bar(blobs[0], white.shape):
        return ()
    return tuple(Crop(_cropped(blob.mask, arms), blob.area) for blob in blobs)


@dataclass(frozen=True, eq=False)
class _Blob:
    """mask: (h, w) uint8, 1 where it is. last: the place of its last pixel, which decides between blobs of one size."""

    mask: Image
    area: int
    width: int
    height: int
    last: int


def _blobs(white: Image, levels: Floats, sure: float, arms: Mask | None = None) -> Iterator[_Blob]:
    """Yield the blobs that are sure enough and, without what is rather forearm, no specks."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(white, connectivity=8)
    areas = np.asarray(stats[1:, cv2.CC_STAT_AREA], np.float32)
    sums = np.bincount(parts.ravel(), levels.ravel(), count)[1:].astype(np.float32)
    own = areas
    if arms is not None:
        own = np.bincount(parts.ravel(), np.where(arms, 0, white).ravel(), count)[1:].astype(np.float32)
    large = own >= np.float32(white.size) * np.float32(LEAST)
    for number in 1 + np.flatnonzero(large & (sums >= areas * np.float32(sure * LEVELS))):
        _, _, width, height, _ = (int(side) for side in stats[number])
        mask = (parts == number).astype(np.uint8)
        yield _Blob(mask, int(own[number - 1]), width, height, int(np.flatnonzero(mask)[-1]))


def _is_bar(blob: _Blob, shape: tuple[int, ...]) -> bool:
    spans = blob.height == shape[0] or blob.width == shape[1]
    return spans and bool(np.float32(blob.area) >= np.float32(SOLID) * np.float32(blob.width * blob.height))


def _cropped(mask: Image, arms: Mask | None) -> Shape:
    """Return a blob (h, w), 0 and 1, without its forearm.

    What a model calls forearm goes where there is much of it, and of the rest the largest piece is the hand; else the
    shape of the blob decides, for a little that is called forearm may be the heel of the hand.
    """
    if arms is None:
        return _without_forearm(mask)
    hand = np.where(arms, 0, mask).astype(np.uint8)
    pixels = np.float32(hand.sum())
    if not pixels or np.float32(mask.sum()) - pixels <= np.float32(ARM) * pixels:
        return _without_forearm(mask)
    count, parts, stats, _ = cv2.connectedComponentsWithStats(hand, connectivity=8)
    areas = stats[1:, cv2.CC_STAT_AREA]
    ends = [int(np.flatnonzero(parts == number)[-1]) for number in range(1, count)]
    best = 1 + min(range(count - 1), key=lambda number: (-int(areas[number]), ends[number]))
    white = np.where(parts == best, 255, 0).astype(np.uint8)
    return Shape(white, box_of(white))


def _without_forearm(mask: Image) -> Shape:
    """Return a blob (h, w), 0 and 1, without its forearm: what lies within reach of its palm and before the wrist.

    Where what is thick in it is longer than a palm, one of its two ends is the hand: the one beyond which more lies, as
    fingers do, and which touches the edge of the map less. Its palm is the deepest place near that end; the cut runs
    across the way from there to the forearm. A finger is not thick and is never taken for a forearm.
    """
    depth = _depth(mask)
    x, y, radius = _middle(depth)
    far = _far(mask.shape, x, y)
    thick = depth >= np.float32(THICK) * radius
    first = _place(np.where(thick, far, -1).argmax(), mask.shape)
    second = _place(np.where(thick, _far(mask.shape, *first), -1).argmax(), mask.shape)
    limit = np.float32(LONG) * radius
    kept = mask > 0
    if np.float32((first[0] - second[0]) ** 2 + (first[1] - second[1]) ** 2) > limit * limit:
        hand, arm = _ends(kept, depth, first, second, radius)
        x, y, radius = _palm_near(depth, hand, radius)
        far = _far(mask.shape, x, y)
        kept &= ~_behind_wrist(depth, thick, far, (x, y), arm, radius)
    limit = np.float32(REACH) * radius
    kept &= far <= limit * limit
    white = np.where(kept, 255, 0).astype(np.uint8)
    return Shape(white, box_of(white))


def _ends(white: Mask, depth: Floats, one: Point, other: Point, radius: np.float32) -> tuple[Point, Point]:
    """Return which of two ends is the hand, and then the other, the forearm.

    Pixels vote: those beyond an end, a palm's depth near it, and those at the edge of the map against it.
    """
    edge = np.zeros(white.shape, bool)
    edge[[0, -1], :] = edge[:, [0, -1]] = True
    votes = []
    for near, away in ((one, other), (other, one)):
        beyond = white & (_along(white.shape, near, (near[0] - away[0], near[1] - away[1])) > 0)
        nearer = white & edge & (_far(white.shape, *near) < _far(white.shape, *away))
        deep = _palm_near(depth, near, radius)[2] * radius * np.float32(DEEP)
        votes.append(np.float32(beyond.sum()) + deep - np.float32(EDGE) * radius * np.float32(nearer.sum()))
    return (one, other) if votes[0] >= votes[1] else (other, one)


def _palm_near(depth: Floats, end: Point, radius: np.float32) -> tuple[int, int, np.float32]:
    """Return the middle (x, y) and the radius of the palm that is near an end of what is thick."""
    limit = np.float32(CLIMB[0]) * radius
    for _ in range(STEPS):
        x, y = end = _place(np.where(_far(depth.shape, *end) <= limit * limit, depth, 0).argmax(), depth.shape)
        limit = np.float32(CLIMB[1]) * depth[y, x]
    return x, y, depth[y, x]


def _behind_wrist(depth: Floats, thick: Mask, far: Floats, palm: Point, arm: Point, radius: np.float32) -> Mask:
    """Return which pixels lie behind the wrist: none where no forearm is seen in the ring around the palm."""
    least, most = np.float32(RING[0]) * radius, np.float32(RING[1]) * radius
    ring = thick & (far >= least * least) & (far <= most * most)
    ring &= _along(depth.shape, palm, (arm[0] - palm[0], arm[1] - palm[1])) > 0
    x, y = _place(np.where(ring, depth, 0).argmax(), depth.shape)
    along = _along(depth.shape, palm, (x - palm[0], y - palm[1]))
    length = np.float32((x - palm[0]) ** 2 + (y - palm[1]) ** 2)
    limit = np.float32(WRIST) * radius
    return (along > 0) & (along * along > limit * limit * length) & ring.any()


def _place(number: np.intp, shape: tuple[int, ...]) -> Point:
    """Return x, y of a pixel by its number."""
    return int(number) % shape[1], int(number) // shape[1]


def _along(shape: tuple[int, ...], start: Point, way: Point) -> Floats:
    """Return (h, w) float32: how far each pixel lies from `start` along `way`, times the length of `way`."""
    across = (np.arange(shape[1], dtype=np.float32) - np.float32(start[0])) * np.float32(way[0])
    down = (np.arange(shape[0], dtype=np.float32) - np.float32(start[1])) * np.float32(way[1])
    return np.asarray(across[None, :] + down[:, None], np.float32)


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
    return _middle(_depth(mask))


def _depth(mask: Image) -> Floats:
    """Return (h, w) float32: how many layers come off each pixel of a blob without holes until it goes."""
    left = _filled(mask)
    depth = left.astype(np.float32)
    for layer in _layers():
        left = np.asarray(cv2.erode(left, layer, borderType=cv2.BORDER_CONSTANT, borderValue=(0,)), np.uint8)
        if not left.any():
            break
        depth += left
    return depth


def _middle(depth: Floats) -> tuple[int, int, np.float32]:
    """Return the deepest pixel (x, y) and its depth; of several it is the nearest to their mean."""
    radius = np.float32(depth.max())
    rows, columns = np.nonzero(depth == radius)
    number = np.float32(len(rows))
    away = _far(depth.shape, np.float32(columns.sum()) / number, np.float32(rows.sum()) / number)
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
