"""Paints which part of a face every pixel belongs to, from the public 468-point face mesh; knows nothing of hands."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.tasks.touch import REGIONS

Points = NDArray[np.float32]
NUMBER = {name: i + 1 for i, name in enumerate(REGIONS)}

_OVAL_RIGHT = (
    10,
    338,
    297,
    332,
    284,
    251,
    389,
    356,
    454,
    323,
    361,
    288,
    397,
    365,
    379,
    378,
    400,
    377,
    152,
    148,
    176,
    149,
)
OVAL = (*_OVAL_RIGHT, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)
EYES = (
    (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246, 70, 63, 105, 66, 107),
    (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466, 300, 293, 334, 296, 336),
)
NOSE = (168, 6, 197, 195, 5, 4, 1, 19, 94, 2, 98, 327, 48, 278, 64, 294, 219, 439, 115, 344, 129, 358, 193, 417)
LIPS = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
TOP, BOTTOM, LIP_BOTTOM, BROWS, CORNERS, EARS, NOSE_TIP = 10, 152, 17, (105, 334), (61, 291), (234, 454), 1


def face_axes(points: Points) -> tuple[Points, Points, float]:
    """Return unit vectors down and right of the face, and its height in pixels; points: (468, 2) pixels."""
    down = points[BOTTOM] - points[TOP]
    height = float(np.hypot(*down)) + 1e-6
    down = down / height
    return down, np.array([-down[1], down[0]], np.float32) * np.float32(-1), height


def paint_regions(points: Points, size: tuple[int, int]) -> NDArray[np.uint8]:
    """Face-part map (H, W) uint8: 0 none, then 1 + index in `REGIONS`; a part under a hand is painted as well.

    Temples belong to the forehead, jaw sides to the cheek, philtrum to the mouth; ears are ellipses beside the outline.

    Args:
        points: (468, 2) mesh in pixels of the map.
        size: (H, W) of the map.
    """
    out = np.zeros(size, np.uint8)
    down, right, height = face_axes(points)
    _paint_ears(out, points, down, right, height)
    oval = np.zeros(size, np.uint8)
    cv2.fillPoly(oval, [_integer(points[list(OVAL)])], (1,))
    inside = oval > 0
    out[inside] = NUMBER["cheek"]
    ys, xs = np.nonzero(inside)
    at = np.stack((xs, ys), 1).astype(np.float32)
    along = at @ down
    brow = float((points[list(BROWS)] @ down).mean())
    lip = float(points[LIP_BOTTOM] @ down) + 0.01 * height
    across = np.abs((at - points[LIP_BOTTOM]) @ right)
    half_mouth = float(np.hypot(*(points[CORNERS[1]] - points[CORNERS[0]]))) * 0.75
    part = np.full(len(at), NUMBER["cheek"], np.uint8)
    part[along < brow - 0.015 * height] = NUMBER["forehead"]
    part[(along > lip) & (across < max(half_mouth, 0.17 * height))] = NUMBER["chin"]
    out[ys, xs] = part
    for eye in EYES:
        _fill_hull(out, points[list(eye)], NUMBER["eye"], 0.02 * height, inside)
    mouth = np.concatenate((points[list(LIPS)], points[2:3] + 0.02 * height * down))
    _fill_hull(out, mouth, NUMBER["mouth"], 0.02 * height, inside)
    _fill_hull(out, points[list(NOSE)], NUMBER["nose"], 0.01 * height, inside)
    return out


def side_of(points: Points, at: NDArray[np.floating]) -> NDArray[np.float32]:
    """Return how far points (n, 2) lie to the right in the picture of the line from brow to chin, in face heights.

    Below 0 is the person's right side, unless the picture is mirrored.
    """
    down, right, height = face_axes(points)
    del down
    return np.asarray((at - points[TOP]) @ right / height, np.float32)


def _paint_ears(out: NDArray[np.uint8], points: Points, down: Points, right: Points, height: float) -> None:
    reach = [float(np.hypot(*(points[ear] - points[NOSE_TIP]))) for ear in EARS]
    angle = float(np.degrees(np.arctan2(down[1], down[0])))
    for ear, own in zip(EARS, reach, strict=True):
        if own < 0.3 * sum(reach):  # turned away: that ear cannot be seen
            continue
        side = np.sign((points[ear] - points[NOSE_TIP]) @ right)
        centre = points[ear] + side * right * 0.05 * height + down * 0.02 * height
        axes = (max(1, round(0.17 * height)), max(1, round(0.09 * height)))
        x, y = (int(v) for v in np.clip(centre, -9999, 9999))
        cv2.ellipse(out, (x, y), axes, angle, 0, 360, (NUMBER["ear"],), -1)


def _fill_hull(out: NDArray[np.uint8], points: Points, value: int, grow: float, inside: NDArray[np.bool_]) -> None:
    mask = np.zeros(out.shape, np.uint8)
    hull = cv2.convexHull(_integer(points))
    cv2.fillPoly(mask, [hull], (1,))
    if grow >= 0.5:
        cv2.polylines(mask, [hull], True, (1,), max(1, round(2 * grow)))
    out[(mask > 0) & inside] = value


def _integer(points: Points) -> NDArray[np.int32]:
    return np.clip(np.round(points), -9999, 9999).astype(np.int32)
