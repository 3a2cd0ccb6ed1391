"""Where the pixels of a training picture go: mirrored, turned, zoomed, shifted, and boxes and masks with them.

Knows no labels. Matrices (3, 3) speak of pixel edges, as boxes do: the first pixel reaches from 0 to 1.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.preprocess import PAD
from handlens.train.augment.config import AugmentConfig
from handlens.types import IGNORE, Floats, Image

Matrix = NDArray[np.float64]


@dataclass(frozen=True)
class Transform:
    """One drawn movement. degrees: counter-clockwise as seen on the screen. shift, tilt: shares of the output."""

    mirror: bool = False
    upside: bool = False
    degrees: float = 0.0
    zoom: float = 1.0
    shear: tuple[float, float] = (0.0, 0.0)
    shift: tuple[float, float] = (0.0, 0.0)
    tilt: tuple[float, float] = (0.0, 0.0)

    @property
    def still(self) -> bool:
        """Whether every pixel stays where it is."""
        return self == Transform()

    def matrix(self, centre: tuple[float, float], size: tuple[int, int], to: tuple[float, float]) -> Matrix:
        """Return the matrix onto an output of `size` (height, width); what lies at `centre` comes to `to`.

        Plus the shift.
        """
        height, width = size
        turn, (across, down) = math.radians(self.degrees), (math.tan(math.radians(s)) for s in self.shear)
        cos, sin = math.cos(turn) * self.zoom, math.sin(turn) * self.zoom
        mirrored = np.diag([-1.0 if self.mirror else 1.0, -1.0 if self.upside else 1.0])
        linear = np.array([[cos, sin], [-sin, cos]]) @ np.array([[1.0, across], [down, 1.0]]) @ mirrored
        inner = np.eye(3)
        inner[:2, :2] = linear
        inner[2, :2] = np.array([self.tilt[0] / width, self.tilt[1] / height]) @ linear
        return (
            shifted(to[0] + self.shift[0] * width, to[1] + self.shift[1] * height)
            @ inner
            @ shifted(-centre[0], -centre[1])
        )


def draw_transform(rng: Generator, augment: AugmentConfig, mirrors: bool = True) -> Transform:
    """Draw a transform as `augment` allows. mirrors: False where each picture of several is mirrored by itself."""
    mirror, upside = bool(rng.random() < augment.flip), bool(rng.random() < augment.upside)

    def both(most: float) -> tuple[float, float]:
        return (float(rng.uniform(-most, most)), float(rng.uniform(-most, most))) if most else (0.0, 0.0)

    degrees, zoom, shear, shift = (
        both(augment.degrees)[0],
        1 + both(augment.scale)[0],
        both(augment.shear),
        both(augment.translate),
    )
    tilt = both(augment.perspective)
    zoom *= 2.0 ** both(augment.zoom)[0]
    beyond = both(augment.crop * max(0.0, zoom - 1) / 2)
    shift = (shift[0] + beyond[0], shift[1] + beyond[1])
    return Transform(mirror and mirrors, upside and mirrors, degrees, zoom, shear, shift, tilt)


def shifted(x: float, y: float) -> Matrix:
    """Return the matrix that moves by (x, y) pixels."""
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y], [0.0, 0.0, 1.0]])


def warped(image: Image, matrix: Matrix, size: tuple[int, int], fill: tuple[int, int, int]) -> Image:
    """Return the picture (H, W, 3) moved onto an output of `size` (height, width), `fill` where it does not reach."""
    zoom = math.sqrt(abs(float(np.linalg.det(matrix[:2, :2]))))
    if zoom < 0.5:  # the 2 x 2 pixels that the warp looks at would miss most of what is shrunk
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), 0.35 / zoom), np.uint8)
    return _warp(image, matrix, size, cv2.INTER_LINEAR, fill)


def warped_mask(mask: Image, matrix: Matrix, size: tuple[int, int]) -> Image:
    """Return the mask (H, W) moved likewise; each pixel takes the class at its centre.

    255 where the mask does not reach.
    """
    return _warp(mask, matrix, size, cv2.INTER_NEAREST, (IGNORE,))


def transform_boxes(boxes: Floats, matrix: Matrix) -> Floats:
    """Return the upright boxes (n, 4) around the moved corners of the boxes (n, 4), not cut."""
    corners = boxes[:, [0, 1, 2, 1, 2, 3, 0, 3]].reshape(-1, 2).astype(np.float64)
    ends = np.concatenate((corners, np.ones((len(corners), 1))), 1) @ matrix.T
    points = (ends[:, :2] / ends[:, 2:]).reshape(-1, 4, 2)
    return np.concatenate((points.min(1), points.max(1)), 1).astype(np.float32)


def transform_ellipses(boxes: Floats, matrix: Matrix) -> Floats:
    """Return the upright boxes (n, 4) around the moved ellipses that fill the boxes (n, 4), not cut.

    The matrix has no perspective: an ellipse then stays one.
    """
    linear, offset = matrix[:2, :2] / matrix[2, 2], matrix[:2, 2] / matrix[2, 2]
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2
    centre, half = centre @ linear.T + offset, np.sqrt(half**2 @ (linear**2).T)
    return np.concatenate((centre - half, centre + half), axis=1).astype(np.float32)


def turned_by(matrix: Matrix) -> tuple[float, float]:
    """Cosine and sine of the angle, counter-clockwise, by which what was upright is turned; mirroring is not a turn."""
    x, y = matrix[0, 1], matrix[1, 1]  # where one step down goes
    length = math.hypot(x, y)
    return float(y / length), float(x / length)


def fill_colour(image: Image, augment: AugmentConfig) -> tuple[int, int, int]:
    """Return what lies outside the picture."""
    if augment.fill == "edge":
        border = np.concatenate((image[0], image[-1], image[:, 0], image[:, -1]))
        red, green, blue = (int(v) for v in np.median(border, axis=0))
        return red, green, blue
    level = PAD if augment.fill == "grey" else 0
    return level, level, level


def _warp(image: Image, matrix: Matrix, size: tuple[int, int], method: int, fill: tuple[int, ...]) -> Image:
    height, width = size
    centres = shifted(-0.5, -0.5) @ matrix @ shifted(0.5, 0.5)  # OpenCV's matrices speak of pixel centres
    if np.array_equal(centres[2], (0.0, 0.0, 1.0)):
        return np.asarray(cv2.warpAffine(image, centres[:2], (width, height), flags=method, borderValue=fill), np.uint8)
    return np.asarray(cv2.warpPerspective(image, centres, (width, height), flags=method, borderValue=fill), np.uint8)
