"""The one hand of a silhouette: its shape, its box and its square view; it must not know models, files or colours.

Training and inference look at silhouettes through this file alone, so that where a hand lies in its picture, how big it
is, and what else lies there make no difference.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from handlens.types import Floats, Image

LEVEL = 127  # brighter pixels are hand
LEAST = 1 / 400  # of the picture: smaller blobs are specks, and a picture with nothing else shows no hand
SMALL = 320  # pixels of the longer side at which a picture is told from a silhouette
OFF, STRAY = 0.2, 0.05  # of the distance between the two colours; of the pixels, see `is_silhouette`
CONTRAST = 16  # of 255 levels: a picture with less is blank
VIEW = 1.16  # of the longer side of the hand's box


@dataclass(frozen=True, eq=False)
class Shape:
    """A hand's silhouette. mask: (H, W) uint8, 255 where the hand is, all else removed; box: (4,) float32, pixels."""

    mask: Image
    box: Floats


def is_silhouette(image: Image) -> bool:
    """Return whether a picture (H, W, 3) uint8 has two colours only, or shows nothing at all.

    Its pixels are parted into dark and bright (Otsu). Away from the outline, which resizing and JPEG soften, hardly any
    may differ from the colour of its part. Of 2,685 silhouettes in 15 guises (inverted, coloured, JPEG of quality 10,
    blurred, with noise) all pass, of 400 photographs 2.
    """
    longest = max(image.shape[:2])
    if longest > SMALL:
        size = [max(1, round(side * SMALL / longest)) for side in (image.shape[1], image.shape[0])]
        image = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    if int(image.max()) - int(image.min()) < CONTRAST:
        return True
    grey = np.asarray(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), np.uint8)
    level, _ = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    bright = grey > level
    if bright.all() or not bright.any():
        return False
    colours = [np.median(image[part], axis=0) for part in (~bright, bright)]
    far = np.abs(image - np.where(bright[..., None], colours[1], colours[0])).max(axis=2)
    outline = cv2.morphologyEx(bright.astype(np.uint8), cv2.MORPH_GRADIENT, np.ones((5, 5), np.uint8)) > 0
    stray = (far > OFF * np.abs(colours[1] - colours[0]).max()) & ~outline
    return bool(stray.mean() < STRAY)


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
    """Return the square view of a shape, (h, w, 3) uint8, white on black, its sides in proportion.

    view = rows @ mask @ columns^T with the weights of `weights`. An exported model that crops by itself holds the same
    arithmetic, and what lies around the box makes no difference.
    """
    x1, y1, x2, y2 = (round(float(side)) for side in shape.box)
    inside = np.asarray(shape.mask[y1:y2, x1:x2], np.float32)
    wide, high = x2 - x1, y2 - y1
    side = np.float32(VIEW) * np.float32(max(wide, high))
    view = weights(high, side, size[0]) @ inside @ weights(wide, side, size[1]).T
    grey = np.clip(np.rint(view), 0, 255).astype(np.uint8)
    return np.repeat(grey[..., None], 3, axis=2)


def weights(length: int, side: np.float32, out: int) -> Floats:
    """Return (out, length) float32: the share that each of `length` pixels has in each of `out` pixels of a view.

    Args:
        side: Of the view in pixels, around their middle. A pixel of the view is a square of its own size, but at least
            of one pixel, and takes of each pixel what it covers: linear where the view grows, by area where it shrinks.
            The shares of a pixel of the view sum to 1, less what lies outside, which is black.
    """
    step = side / np.float32(out)
    reach = np.maximum(step, np.float32(1)) / 2
    centres = np.float32(length) / 2 + side * pixel_centres(out)
    apart = np.abs(np.arange(length, dtype=np.float32) + np.float32(0.5) - centres[:, None])
    return np.asarray(np.clip(reach + np.float32(0.5) - apart, 0, 1) / (2 * reach), np.float32)


def pixel_centres(out: int) -> Floats:
    """Return (out,) float32: where the pixels of a view lie, from -1/2 to 1/2 of its side."""
    return np.asarray((np.arange(out) + 0.5) / out - 0.5, np.float32)
