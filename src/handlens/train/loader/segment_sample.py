"""Training samples for segmentation, picture and mask moved as one; knows no net or loss."""

from __future__ import annotations

import numpy as np
import torch
from numpy.random import Generator
from torch import Tensor

from handlens.data.dataset import LabelledSet
from handlens.errors import FrameError, InputError
from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.geometry import shifted, warped_mask
from handlens.train.augment.photometric import channels_first, erased, photometric
from handlens.train.loader.pictures import Reading, Resized, transformed_picture
from handlens.types import IGNORE, Image, Ints


def segment_sample(rng: Generator, augment: AugmentConfig, reading: Reading, index: int) -> dict[str, Tensor]:
    """One sample: {"image": (3, h, w) uint8, "mask": (h, w) uint8 with the class of each pixel, 255 = ignore}.

    Outside the picture and under a painted rectangle the mask is 255. It is sampled once, from the source's own pixels.
    """
    moved = transformed_picture(rng, augment, reading, index)
    shown, (height, width, _) = moved.shown, moved.image.shape
    scale = np.diag([shown.geometry.scale_x, shown.geometry.scale_y, 1.0])
    mask = warped_mask(_known(shown, reading), moved.matrix @ shifted(*shown.corner) @ scale, (height, width))
    image, hidden = erased(rng, photometric(rng, moved.image, augment), augment)
    if hidden is not None:
        x1, y1, x2, y2 = hidden.astype(int)
        mask[y1:y2, x1:x2] = IGNORE
    return {"image": torch.from_numpy(channels_first(image)), "mask": torch.from_numpy(mask)}


def class_counts(found: LabelledSet) -> Ints:
    """(classes,) int64: how often each name occurs: in pixels for segment, else in labels; to weigh a loss with.

    Raises:
        FrameError: a mask, or a picture without one, cannot be read.
    """
    counts = np.zeros(len(found.names), np.int64)
    for picture in found:
        values = picture.labels
        if found.label_kind.has_masks:
            classes = picture.mask() if picture.mask is not None else np.zeros(picture.image().shape[:2], np.uint8)
            values = classes[classes != IGNORE].astype(np.int64)
        counts += np.bincount(values, minlength=len(counts))[: len(counts)]
    return counts


def check_masks(found: LabelledSet) -> None:
    """Refuse masks of which nothing can be learned, because all pixels are of one class; usually one mask is read.

    Raises:
        InputError: they are, or a mask is wrong.
    """
    seen: set[int] = set()
    for picture in found:
        try:
            seen |= {0} if picture.mask is None else {int(value) for value in np.unique(picture.mask())} - {IGNORE}
        except FrameError:
            continue  # named when it is drawn
        if len(seen) > 1:
            return
    what = f"every pixel is '{found.names[min(seen)]}'" if seen else "no pixel has a class"
    raise InputError(f"in the masks of the train part of '{found.root}' {what}: there is nothing to tell apart.")


def _known(shown: Resized, reading: Reading) -> Image:
    """Return the mask, where all its values have a name."""
    mask, names = shown.mask, reading.pictures.found.names
    assert mask is not None
    strange = mask[(mask >= len(names)) & (mask != IGNORE)]
    if len(strange):
        raise InputError(
            f"the mask of '{shown.labelled.path}' has the value {strange[0]}, but the names {', '.join(names)} "
            f"allow 0 to {len(names) - 1}, and 255 for 'ignore'."
        )
    return mask
