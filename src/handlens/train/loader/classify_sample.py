"""Training samples for classifiers, with the angle they were turned by where it is asked for; knows no net or loss."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.random import Generator
from torch import Tensor

from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.photometric import channels_first, erased, photometric
from handlens.train.loader.pictures import Reading, transformed_picture
from handlens.train.loader.turned_labels import truth_after


def classify_sample(
    rng: Generator,
    augment: AugmentConfig,
    reading: Reading,
    index: int,
    channels: int = 3,
    angle: bool = False,
    ring: Sequence[int] = (),
) -> dict[str, Tensor]:
    """One sample: {"image": (channels, h, w) uint8, "label": () int64}.

    Args:
        channels: 1 for nets of silhouettes; the picture is then its brightness.
        angle: Adds "angle" (2,) float32, cosine and sine of the turn, counter-clockwise as seen on the screen, as
            `kinds.classify` reads it. The set's pictures count as upright; one mirrored left to right stays so, one
            mirrored top to bottom is turned by half a circle.
        ring: Labels that turn with the picture, see `turning.truth_after`.
    """
    moved = transformed_picture(rng, augment, reading, index)
    image, _ = erased(rng, photometric(rng, moved.image, augment), augment)
    label, direction = truth_after(moved.shown.labelled, moved.matrix, ring)
    sample = {"image": torch.from_numpy(channels_first(image, channels)), "label": torch.tensor(label)}
    return {**sample, "angle": torch.tensor(direction)} if angle else sample
