"""Training samples for nets of silhouettes: one shape, distorted, turned on a canvas that cuts nothing, then seen.

It looks at a shape through `handlens.silhouette` alone, as inference does, and knows no net or loss.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from handlens.silhouette import Shape, find_shape, seen
from handlens.train.augment.config import SHAPES, AugmentConfig
from handlens.train.augment.geometry import Matrix, draw_transform, shifted, transform_boxes, warped
from handlens.train.augment.photometric import channels_first
from handlens.train.augment.silhouette import distorted
from handlens.train.loader.pictures import Reading
from handlens.train.loader.turned_labels import truth_after
from handlens.types import Image

FINEST = 1.5
"""The longer side of a shape that is coarsely seen is drawn from this many times the net's side downwards."""


def silhouette_sample(
    rng: Generator,
    augment: AugmentConfig,
    reading: Reading,
    index: int,
    channels: int = 1,
    angle: bool = False,
    ring: Sequence[int] = (),
) -> dict[str, Tensor]:
    """One sample as `classify_sample` makes them, of the one shape of a silhouette.

    Where `augment` asks for nothing it is exactly what inference shows the net. Raises as `Reading.take` does.
    """
    move, size = draw_transform(rng, augment), reading.size
    matrix = np.eye(3)
    if move.still and not any(getattr(augment, name) for name in SHAPES):
        shown = reading.take(rng, index)
        shape = find_shape(shown.labelled.image())
    else:
        shown = reading.take(rng, index, exact=False)
        upright = distorted(rng, shown.canvas, augment)
        height, width = upright.shape
        matrix = move.matrix((width / 2, height / 2), (height, width), (0, 0)) @ _stretch(rng, augment)
        fine = _fineness(rng, augment, shown.canvas, size)
        shape = _moved(upright, np.diag([fine, fine, 1.0]) @ matrix)
    view = seen(shape if shape is not None else _full_shape(shown.canvas), size)
    label, direction = truth_after(shown.labelled, matrix, ring)
    sample = {"image": torch.from_numpy(channels_first(view, channels)), "label": torch.tensor(label)}
    return {**sample, "angle": torch.tensor(direction)} if angle else sample


def _moved(mask: Image, matrix: Matrix) -> Shape | None:
    """Return the shape after a move, on a canvas that holds all of it."""
    height, width = mask.shape
    x1, y1, x2, y2 = transform_boxes(np.array([[0, 0, width, height]], np.float32), matrix)[0].tolist()
    size = (int(np.ceil(y2 - y1)) + 4, int(np.ceil(x2 - x1)) + 4)
    return find_shape(warped(mask, shifted(2 - x1, 2 - y1) @ matrix, size, (0, 0, 0)))


def _stretch(rng: Generator, augment: AugmentConfig) -> Matrix:
    """Wider and shorter, or narrower and longer."""
    factor = float(np.exp(rng.uniform(-1, 1) * np.log1p(augment.stretch)))
    return np.diag([factor, 1 / factor, 1.0])


def _fineness(rng: Generator, augment: AugmentConfig, mask: Image, size: tuple[int, int]) -> float:
    """Return the factor to the size at which the shape is drawn.

    So that its outline has as many steps as a picture's.
    """
    if not augment.coarse:
        return 1.0
    least, most = 1 / (1 + augment.coarse), FINEST
    drawn = float(np.exp(rng.uniform(np.log(least), np.log(most))))
    return drawn * max(size) / int(max(mask.shape))


def _full_shape(mask: Image) -> Shape:
    """Return what is left to see when a distortion took the whole shape away: the shape as it was."""
    height, width = mask.shape
    return Shape(mask, np.array([0, 0, width, height], np.float32))
