"""Divides what is outlined as hand in real pictures into hand and bare forearm, by the landmarks of `hands`.

Where no landmarks are found on an outlined hand, and its shape has a forearm, what would be forearm is not known.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from handlens.kinds.hand_crop import find_crops
from handlens.predictor import Predictor
from handlens.types import IGNORE, Floats, Frame
from recipes.segment.portraits import U8
from recipes.shared.composite import WRIST

WITHIN = 17
"""Of the 21 landmarks, those that must lie on an outlined hand, or near it, to be its own."""


def landmarks_of(hands: Predictor, image: U8) -> list[Floats]:
    """Return the landmarks (21, 2) in pixels of every hand that the model sees in a picture."""
    found = hands.predict(Frame(image)).value
    assert isinstance(found, tuple)
    return [hand.landmarks[:, :2] for hand in found if hand.landmarks is not None]


def with_forearms(mask: U8, joints: Sequence[Floats], hand: Sequence[int], forearm: int) -> U8:
    """Return a mask (h, w) with the forearms as a class of their own.

    Args:
        mask: Numbers of classes; those in `hand` are hands with their forearms, the first of them hand alone.
        joints: (21, 2) landmarks in pixels of each hand that is known.
        forearm: The number of the new class.
    """
    out = mask.copy()
    count, parts = cv2.connectedComponents(np.isin(mask, hand).astype(np.uint8), connectivity=8)
    for number in range(1, count):
        blob = parts == number
        own = [points for points in joints if _lies_on(points, blob)]
        if own:
            out[blob & _behind(own, blob.shape)] = forearm
        else:
            out[blob & ~_by_shape(blob)] = IGNORE
    return out


def _lies_on(points: Floats, blob: np.ndarray) -> bool:
    side = 2 * max(2, round(0.15 * float(np.hypot(*(points[9] - points[0]))))) + 1
    near = cv2.dilate(blob.astype(np.uint8), np.ones((side, side), np.uint8))
    x, y = np.round(points).astype(int).T
    inside = (x >= 0) & (y >= 0) & (x < blob.shape[1]) & (y < blob.shape[0])
    return int((near[y[inside], x[inside]] > 0).sum()) >= WITHIN


def _behind(joints: Sequence[Floats], shape: tuple[int, ...]) -> np.ndarray:
    """Return (h, w): which pixels lie behind the wrist of the hand whose palm is nearest to them."""
    grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), 2).astype(np.float32)
    far, behind = [], []
    for points in joints:
        wrist, palm = points[0], points[9] - points[0]
        length = float(np.hypot(*palm)) + 1e-6
        far.append(np.hypot(*np.moveaxis(grid - wrist - palm / 2, 2, 0)))
        behind.append((grid - wrist) @ (palm / length) < -WRIST * length)
    return np.asarray(np.take_along_axis(np.stack(behind), np.argmin(far, axis=0)[None], 0)[0], bool)


def _by_shape(blob: np.ndarray) -> np.ndarray:
    """Return (h, w): what of a blob lies before the wrist, as far as its shape tells; all of a small one."""
    found = find_crops(np.stack([~blob, blob]).astype(np.float32), 1)
    return np.asarray(found[0].shape.mask > 0, bool) if found else blob
