"""Four pictures in one (Mosaic of YOLOv4, arXiv 2004.10934), and boxes that follow; knows no files, classes or nets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import Generator

from handlens import boxes as box
from handlens.preprocess import PAD
from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.geometry import Matrix, draw_transform, transform_boxes, warped
from handlens.train.loader.pictures import Resized
from handlens.types import Floats, Image

LEAST_SHARE, LEAST_SIDE = 0.1, 2.0
"""A box goes when less of its area than this share is left in the picture, or a side has fewer pixels."""


@dataclass(frozen=True, eq=False)
class Boxed:
    """A picture (h, w, 3) uint8 with rows (n, 5) float32: class, x1, y1, x2, y2 in its pixels."""

    image: Image
    rows: Floats


def mosaic(rng: Generator, augment: AugmentConfig, tiles: Sequence[Resized], size: tuple[int, int]) -> Boxed:
    """Four pictures around one point, then moved together; each is mirrored by itself.

    The point is drawn in the middle half of a canvas twice as large as the output, (height, width) `size`, so that
    things keep their size on average.
    """
    height, width = size
    canvas = np.full((2 * height, 2 * width, 3), PAD, np.uint8)
    x, y = round(rng.uniform(0.5, 1.5) * width), round(rng.uniform(0.5, 1.5) * height)
    full_boxes, seen = [], []
    for place, tile in enumerate(tiles):
        image, rows = _mirrored(rng, augment, tile)
        high, wide = image.shape[:2]
        left, top = x - wide * (place % 2 == 0), y - high * (place < 2)
        x1, y1, x2, y2 = max(0, left), max(0, top), min(2 * width, left + wide), min(2 * height, top + high)
        canvas[y1:y2, x1:x2] = image[y1 - top : y2 - top, x1 - left : x2 - left]
        rows[:, 1:] += (left, top, left, top)
        full_boxes.append(rows)
        seen.append(rows.copy())
        seen[-1][:, 1:] = rows[:, 1:].clip([x1, y1, x1, y1], [x2, y2, x2, y2])
    matrix = draw_transform(rng, augment, mirrors=False).matrix((width, height), size, (width / 2, height / 2))
    image = warped(canvas, matrix, size, (PAD, PAD, PAD))
    return Boxed(image, followed(np.concatenate(full_boxes), np.concatenate(seen), matrix, size))


def followed(full_boxes: Floats, seen: Floats, matrix: Matrix, size: tuple[int, int]) -> Floats:
    """Rows (n, 5) of boxes through the matrix, cut at the output (height, width); what is hardly left goes.

    Args:
        full_boxes: The boxes as they are.
        seen: The same rows, cut where the picture already was.
    """
    if not len(full_boxes):
        return full_boxes
    height, width = size
    before = box.area(transform_boxes(full_boxes[:, 1:], matrix))
    after = transform_boxes(seen[:, 1:], matrix).clip(0, [width, height, width, height])
    sides = after[:, 2:] - after[:, :2]
    kept = (box.area(after) >= LEAST_SHARE * before) & (sides.min(1) >= LEAST_SIDE)
    return np.concatenate((full_boxes[kept, :1], after[kept]), 1)


def overlaid(rng: Generator, first: Boxed, second: Boxed) -> Boxed:
    """Two pictures laid over one another (mixup, arXiv 1710.09412) on the larger canvas, with the boxes of both."""
    height, width = (max(first.image.shape[side], second.image.shape[side]) for side in (0, 1))
    share = float(rng.beta(8.0, 8.0))  # as in the detectors that use it: both stay visible
    one, other = (_padded(boxed.image, height, width) for boxed in (first, second))
    image = np.asarray(cv2.addWeighted(one, share, other, 1 - share, 0), np.uint8)
    return Boxed(image, np.concatenate((first.rows, second.rows)))


def _padded(image: Image, height: int, width: int) -> Image:
    if image.shape[:2] == (height, width):
        return image
    canvas = np.full((height, width, 3), PAD, np.uint8)
    canvas[: image.shape[0], : image.shape[1]] = image
    return canvas


def _mirrored(rng: Generator, augment: AugmentConfig, tile: Resized) -> tuple[Image, Floats]:
    """Return the picture without its grey, mirrored as drawn, and its rows in its own pixels; the rows are a copy."""
    image, rows, (x, y) = tile.inner, tile.boxes, tile.corner
    high, wide = image.shape[:2]
    rows[:, 1:] -= (x, y, x, y)
    if rng.random() < augment.flip:
        image, rows[:, [1, 3]] = image[:, ::-1], wide - rows[:, [3, 1]]
    if rng.random() < augment.upside:
        image, rows[:, [2, 4]] = image[::-1], high - rows[:, [4, 2]]
    return image, rows
