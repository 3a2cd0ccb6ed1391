"""Training samples for detectors: one picture or four in one, with boxes; knows no net, loss or batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from handlens import boxes as box
from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.photometric import channels_first, erased, photometric
from handlens.train.loader.mosaic import Boxed, followed, mosaic, overlaid
from handlens.train.loader.pictures import Reading, transformed_picture

COVERED = 0.6
"""A box goes when the painted rectangle hides more than this share of it."""


def detect_sample(rng: Generator, augment: AugmentConfig, reading: Reading, index: int) -> dict[str, Tensor]:
    """One sample: {"image": (3, h, w) uint8, "boxes": (k, 5) float32: class, x1, y1, x2, y2 in the image's pixels}.

    A mosaic has the card's size (up to the stride); one picture has the size `preprocess.resize` gives it.
    """
    boxed = _drawn(rng, augment, reading, index)
    if rng.random() < augment.mixup:
        boxed = overlaid(rng, boxed, _drawn(rng, augment, reading, reading.another(rng)))
    image, hidden = erased(rng, photometric(rng, boxed.image, augment), augment)
    rows = boxed.rows
    if hidden is not None and len(rows):
        rows = rows[box.inside(rows[:, 1:], hidden[None])[:, 0] <= COVERED]
    return {
        "image": torch.from_numpy(channels_first(image)),
        "boxes": torch.from_numpy(np.ascontiguousarray(rows, np.float32)),
    }


def _drawn(rng: Generator, augment: AugmentConfig, reading: Reading, index: int) -> Boxed:
    """Return the picture alone, moved, or with three others."""
    if rng.random() < augment.mosaic:
        numbers = [index] + [reading.another(rng) for _ in range(3)]
        tiles = [reading.take(rng, number, exact=False) for number in numbers]
        order = rng.permutation(4)
        return mosaic(rng, augment, [tiles[place] for place in order], reading.size)
    moved = transformed_picture(rng, augment, reading, index)
    rows, (height, width, _) = moved.shown.boxes, moved.image.shape
    return Boxed(moved.image, followed(rows, rows, moved.matrix, (height, width)))
