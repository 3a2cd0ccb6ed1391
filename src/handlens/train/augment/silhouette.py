"""What masks do to the shape of a hand: thicker, bent, ragged, bitten, cut at the wrist; knows no set, label or net.

Shapes are upright masks (h, w) uint8, white on black. Shares are of the hand's width, the square root of its area.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.train.augment.config import AugmentConfig
from handlens.types import Image

ROOM = 0.12
"""Of the longer side: black around a shape, so that what grows is not cut."""
LEAST_KEPT = 0.7
"""Of a hand's length, however its wrist is cut."""
LONGEST_ARM = 0.6

Field = NDArray[np.float32]


def distorted(rng: Generator, mask: Image, augment: AugmentConfig) -> Image:
    """Return the shape with the drawn distortions, on a somewhat larger canvas; itself where nothing is asked for.

    A forearm grows only where the shape reaches the lowest row: there the picture cut it off.
    """
    if not (augment.swell or augment.bend or augment.ragged or augment.bites or augment.cut or augment.arm):
        return mask
    wrist, reaches = rng.random(), bool((mask[-1] > 127).any())
    if wrist < augment.cut:
        mask = _cut(rng, mask)
    elif reaches and rng.random() < augment.arm:
        mask = _with_arm(rng, mask)
    room = round(ROOM * max(mask.shape))
    mask = np.asarray(cv2.copyMakeBorder(mask, room, room, room, room, cv2.BORDER_CONSTANT, value=(0,)), np.uint8)
    width = float(np.sqrt(np.count_nonzero(mask > 127)))
    if augment.bend:
        mask = _bent(rng, mask, augment.bend * width)
    if augment.swell or augment.ragged:
        mask = _redrawn(rng, mask, augment.swell * width, augment.ragged * width)
    if rng.random() < augment.bites:
        mask = _bitten(rng, mask, width)
    return mask


def _cut(rng: Generator, mask: Image) -> Image:
    """Return the lower end is gone along a slanted line; at least `LEAST_KEPT` of the length stays."""
    height, width = mask.shape
    rows = np.flatnonzero((mask > 127).any(axis=1))
    top, length = int(rows[0]), int(rows[-1] - rows[0]) + 1
    slant = float(rng.uniform(-0.2, 0.2)) * width
    level = float(rng.uniform(LEAST_KEPT, 1.0)) * length
    left, right = (top + int(np.ceil(max(LEAST_KEPT * length, level + side))) for side in (-slant / 2, slant / 2))
    mask = mask.copy()
    below = np.array([[0, left], [width, right], [width, height + length], [0, height + length]], np.int32)
    cv2.fillPoly(mask, [below], (0,))
    return mask


def _with_arm(rng: Generator, mask: Image) -> Image:
    """Return a straight forearm goes on from the longest run of the lowest row.

    a little wider or narrower at its end.
    """
    height, width = mask.shape
    row = np.concatenate(([0], (mask[-1] > 127).astype(np.int8), [0]))
    starts, ends = np.flatnonzero(np.diff(row) == 1), np.flatnonzero(np.diff(row) == -1)
    longest = int((ends - starts).argmax())
    left, right = int(starts[longest]), int(ends[longest]) - 1
    length = round(float(rng.uniform(0.05, LONGEST_ARM)) * height)
    shift, spread = rng.uniform(-0.25, 0.25) * length, rng.uniform(-0.1, 0.15) * (right - left)
    ends_at = (round(left + shift - spread), round(right + shift + spread))
    before, after = max(0, -min(ends_at)) + 1, max(0, max(ends_at) - width + 1) + 1
    mask = np.asarray(cv2.copyMakeBorder(mask, 0, length, before, after, cv2.BORDER_CONSTANT, value=(0,)), np.uint8)
    corners = [(left, height - 1), (right, height - 1), (ends_at[1], height + length), (ends_at[0], height + length)]
    cv2.fillPoly(mask, [np.array([(x + before, y) for x, y in corners], np.int32)], (255,))
    return mask


def _bent(rng: Generator, mask: Image, most: float) -> Image:
    """Every place moved by up to `most` pixels, neighbours alike."""
    height, width = mask.shape
    xs, ys = _noise(rng, mask.shape, 4), _noise(rng, mask.shape, 4)
    xs *= most
    ys *= most
    xs += np.arange(width, dtype=np.float32)
    ys += np.arange(height, dtype=np.float32)[:, None]
    return np.asarray(cv2.remap(mask, xs, ys, cv2.INTER_LINEAR, borderValue=(0,)), np.uint8)


def _redrawn(rng: Generator, mask: Image, swell: float, ragged: float) -> Image:
    """Return the outline moved in or out by up to `swell` pixels, and at every place by up to `ragged` more."""
    white = (mask > 127).astype(np.uint8)
    depth = cv2.distanceTransform(white, cv2.DIST_L2, 3) - cv2.distanceTransform(1 - white, cv2.DIST_L2, 3)
    level = np.float32(rng.uniform(-swell, swell))
    if ragged:
        depth += _noise(rng, mask.shape, int(rng.integers(10, 40))) * np.float32(rng.uniform(0, ragged))
    return np.where(depth > level, np.uint8(255), np.uint8(0))


def _bitten(rng: Generator, mask: Image, width: float) -> Image:
    """Return a few small round holes in the shape; those at its outline are bites."""
    ys, xs = np.nonzero(mask > 127)
    if not len(xs):
        return mask
    mask = mask.copy()
    for place in rng.integers(len(xs), size=int(rng.integers(1, 5))).tolist():
        radius = max(1, round(float(rng.uniform(0.01, 0.07)) * width))
        cv2.circle(mask, (int(xs[place]), int(ys[place])), radius, (0,), -1)
    return mask


def _noise(rng: Generator, shape: tuple[int, ...], cells: int) -> Field:
    """(h, w), -1 to 1, about `cells` bumps on a side."""
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR), np.float32)
