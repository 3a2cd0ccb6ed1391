"""Pictures turned by known angles, and what becomes of their labels; it must not know models or measurements.

Angles are degrees, counter-clockwise as seen on the screen; pictures of a set whose angle nobody told are upright.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache, partial

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import InputError, unknown
from handlens.types import Image

POINTED = "landmarks"
"""The kind of set whose hands turn with their pictures."""
MOST = 360  # turns of one picture: one for each degree
FLAT, EDGES = 0.95, 40  # a silhouette: this share of its pixels lies within so many levels of black or white


def turned(found: LabelledSet, turns: int, seed: int = 0, ring: Sequence[int] = ()) -> LabelledSet:
    """Return every picture of a set of labels or landmarks turned `turns` times, its `angle` or landmarks with it.

    The angles lie evenly over the circle and begin, for each picture, at an offset drawn within one step, so that all
    pictures together cover the whole circle. Nothing is cut: see `turned_picture`. All turns of a picture are of its
    group.

    Args:
        ring: Labels that turn with the picture (see `turned_label`).

    Raises:
        InputError: the set has neither labels nor landmarks to turn, or `turns` lies outside 1 to 360; a set of
            landmarks with `ring`; one of its pictures cannot be read.
    """
    pointed = found.kind == POINTED
    if not found.label_kind.one_label and not pointed:
        raise InputError(
            f"only pictures with one label each, or with landmarks, can be turned, and '{found.root}' is a set to"
            f" {found.kind}."
        )
    if pointed and ring:
        raise InputError("--turning is for labels, and the sides of hands do not turn with them: leave it out.")
    if not 1 <= turns <= MOST:
        raise InputError(f"the number of turns must lie between 1 and {MOST}, got {turns}.")
    step = 360.0 / turns
    offsets = np.random.default_rng(seed).uniform(0, step, len(found))
    read = lru_cache(maxsize=1)(Labelled.image)  # the turns of one picture follow each other
    pictures = []
    for picture, offset in zip(found, offsets.tolist(), strict=True):
        for number in range(turns):
            degrees = upto_half(offset + number * step)
            pixels = partial(_turned, read, picture, degrees)
            if pointed:
                pictures.append(_with_landmarks(picture, read(picture).shape, degrees, pixels))
                continue
            label, angle = turned_label(int(picture.labels[0]), degrees + (picture.angle or 0.0), ring)
            pictures.append(
                replace(
                    picture,
                    width=0,
                    height=0,
                    labels=np.array([label]),
                    pixels=pixels,
                    group=picture.group_key,
                    angle=angle,
                )
            )
    return found.having(pictures)


def ring_of(turning: Sequence[str], names: Sequence[str]) -> tuple[int, ...]:
    """Return the numbers of labels that turn with the picture, each becoming the next by an equal part of the circle.

    Args:
        turning: Their names, counter-clockwise: "up", "left", "down", "right". None is not a ring.

    Raises:
        InputError: a name that the set does not have, one alone, or one twice.
    """
    for name in turning:
        if name not in names:
            raise InputError(unknown("class", name, names))
    if len(turning) == 1 or len(set(turning)) < len(turning):
        raise InputError(
            f"labels that turn with the picture are two or more, none twice, as in up,left,down,right; "
            f"got {','.join(turning)}."
        )
    return tuple(list(names).index(name) for name in turning)


def turned_label(label: int, degrees: float, ring: Sequence[int] = ()) -> tuple[int, float]:
    """Return what a picture's label is after a turn, and its angle, -180 to 180.

    A label of the ring becomes the one whose own upright lies nearest, and the angle counts from there: "up" turned by
    100 degrees is "left" turned by 10. Any other label stays, and its angle is the turn.
    """
    if label not in ring:
        return label, upto_half(degrees)
    part = 360.0 / len(ring)
    steps = round(degrees / part)
    return ring[(ring.index(label) + steps) % len(ring)], upto_half(degrees - steps * part)


def turned_picture(image: Image, degrees: float) -> Image:
    """Return a picture (H, W, 3) turned about its middle, on a canvas that holds all of it.

    The corners that come up are filled with the median of the picture's border; behind a silhouette they are black, or
    white where the silhouette is black on white, for at its border there may be more hand than ground.
    """
    matrix, canvas = _turn(image.shape, degrees)
    return np.asarray(cv2.warpAffine(image, matrix, canvas, flags=cv2.INTER_LINEAR, borderValue=_ground(image)))


def _turn(shape: tuple[int, ...], degrees: float) -> tuple[NDArray[np.float64], tuple[int, int]]:
    """Return the matrix (2, 3) between middles of pixels, and the width and height of the canvas."""
    height, width = shape[:2]
    turn = np.deg2rad(degrees)
    cos, sin = abs(float(np.cos(turn))), abs(float(np.sin(turn)))
    wide, high = (max(1, round(side)) for side in (width * cos + height * sin, width * sin + height * cos))
    around = ((width - 1) / 2, (height - 1) / 2)
    matrix = np.asarray(cv2.getRotationMatrix2D(around, degrees, 1.0), np.float64)
    matrix[:, 2] += ((wide - width) / 2, (high - height) / 2)
    return matrix, (wide, high)


def _with_landmarks(picture: Labelled, shape: tuple[int, ...], degrees: float, pixels: Callable[[], Image]) -> Labelled:
    """Return a turned picture with its landmarks and their boxes."""
    matrix, (wide, high) = _turn(shape, degrees)
    hands = []
    for hand in picture.hands:
        assert hand.landmarks is not None  # every hand of such a set has them
        points = hand.landmarks.copy()
        points[:, :2] = (points[:, :2] - 0.5) @ matrix[:, :2].T + matrix[:, 2] + 0.5  # edges count from the corner
        box = np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)]).astype(np.float32)
        hands.append(replace(hand, xyxy=box, landmarks=points.astype(np.float32)))
    boxes = np.stack([hand.xyxy for hand in hands]) if hands else picture.boxes
    return replace(
        picture, width=wide, height=high, boxes=boxes, hands=tuple(hands), pixels=pixels, group=picture.group_key
    )


def upto_half(degrees: float) -> float:
    """Return the same direction as an angle above -180 and up to 180."""
    return 180.0 - (180.0 - degrees) % 360.0


def _turned(read: Callable[[Labelled], Image], picture: Labelled, degrees: float) -> Image:
    return turned_picture(read(picture), degrees)


def _ground(image: Image) -> tuple[int, int, int]:
    border = np.concatenate((image[0], image[-1], image[:, 0], image[:, -1]))
    if np.ptp(image, axis=2).max() == 0 and np.mean((image < EDGES) | (image > 255 - EDGES)) > FLAT:
        level = 255 if np.mean(border > 127) > 0.85 else 0  # as `handlens.silhouette` tells black hands from white
        return level, level, level
    red, green, blue = (int(level) for level in np.median(border, axis=0))
    return red, green, blue
