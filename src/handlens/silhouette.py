"""The one hand of a silhouette: its shape, its box and its square view; it must not know models, files or colours.

Training and inference look at silhouettes through this file alone, so that where a hand lies in its picture, how big it
is, and what else lies there make no difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from handlens.boxes import square
from handlens.preprocess import crop_box
from handlens.types import Floats, Image

LEVEL = 127  # brighter pixels are hand
LEAST = 1 / 400  # of the picture: smaller blobs are specks, and a picture with nothing else shows no hand
VIEW = 1.16  # of the longer side of the hand's box


@dataclass(frozen=True, eq=False)
class Shape:
    """A hand's silhouette. mask: (H, W) uint8, 255 where the hand is, all else removed; box: (4,) float32, pixels."""

    mask: Image
    box: Floats


def find_shape(image: Image) -> Shape | None:
    """Return the largest white blob of a silhouette (H, W) or (H, W, 3) uint8, or None where there is none.

    A dark hand on white ground is told by its border, which is then mostly white, and turned round.
    """
    grey = image if image.ndim == 2 else np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    level = LEVEL if grey.max() > 1 else 0  # masks of numbers have 1 for white
    white = (grey > level).astype(np.uint8)
    border = np.concatenate((white[0], white[-1], white[:, 0], white[:, -1]))
    if border.mean() > 0.85 and not white.all():
        white = 1 - white
    count, parts, stats, _ = cv2.connectedComponentsWithStats(white, connectivity=8)
    if count < 2:
        return None
    best = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    x, y, width, height, area = (int(v) for v in stats[best])
    if area < LEAST * white.size or area == white.size:
        return None
    mask = np.where(parts == best, 255, 0).astype(np.uint8)
    return Shape(mask, np.array([x, y, x + width, y + height], np.float32))


def seen(shape: Shape, size: tuple[int, int]) -> Image:
    """Return the square view of a shape, (h, w, 3) uint8, white on black, its sides in proportion."""
    (view,) = square(shape.box[None], VIEW)
    reach = int(np.ceil(max(0.0, -view.min(), *(view[2:] - shape.mask.shape[::-1])))) + 2
    mask = cv2.copyMakeBorder(shape.mask, reach, reach, reach, reach, cv2.BORDER_CONSTANT, value=(0,))
    crop, _ = crop_box(np.repeat(mask[..., None], 3, axis=2), view + reach, size)
    return crop
