"""Draws clouds of oriented surface points into a depth buffer, in numpy and OpenCV alone.

It must not know what the points belong to: hands, heads, hair and light live in their own modules.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

F32 = NDArray[np.float32]
I32 = NDArray[np.int32]
U8 = NDArray[np.uint8]

_INDEX = float(1 << 26)  # room for 67 M points in the low bits of a float64 key; the depth takes the 26 bits above


@dataclass(frozen=True, eq=False)
class Surface:
    """What the camera sees, one value per pixel.

    Attributes:
        depth: (h, w) float32, millimetres toward the camera; meaningless where `mask` is 0.
        normal: (h, w, 3) float32, unit, x right, y up, z toward the camera.
        albedo: (h, w, 3) float32, linear RGB.
        gloss: (h, w) float32, strength of the highlight.
        soft: (h, w) float32, 1 where light scatters below the surface (skin), 0 elsewhere.
        mask: (h, w) float32, 1 where anything was drawn.
        scale: pixels per millimetre.
    """

    depth: F32
    normal: F32
    albedo: F32
    gloss: F32
    soft: F32
    mask: F32
    scale: float

    def cropped(self, rows: slice, columns: slice) -> Surface:
        """Return a part of the picture."""
        depth, gloss, soft, mask = (
            np.ascontiguousarray(i[rows, columns]) for i in (self.depth, self.gloss, self.soft, self.mask)
        )
        normal, albedo = (np.ascontiguousarray(i[rows, columns]) for i in (self.normal, self.albedo))
        return Surface(depth, normal, albedo, gloss, soft, mask, self.scale)


def linear(srgb: object) -> F32:
    """sRGB 0-255 to linear 0-1 (power 2.2 is exact enough here)."""
    return np.asarray((np.asarray(srgb, np.float32) / 255.0) ** 2.2, np.float32)


def to_srgb(rgb: F32) -> U8:
    """Linear RGB (h, w, 3) to 8-bit sRGB with a soft shoulder, so that highlights do not clip to flat white."""
    shoulder = np.where(rgb > 0.7, 0.7 + 0.3 * np.tanh((rgb - 0.7) / 0.3), rgb)
    table = (255.0 * (np.arange(4097, dtype=np.float32) / 4096.0) ** (1 / 2.2) + 0.5).astype(np.uint8)
    return np.asarray(table[(np.clip(shoulder, 0, 1) * 4096).astype(np.int32)], np.uint8)


def unit(v: object) -> F32:
    """Return the vector(s) of length one along the last axis."""
    a = np.asarray(v, np.float32)
    square = np.einsum("...i,...i->...", a, a)
    return np.asarray(a * (1.0 / np.sqrt(np.maximum(square, 1e-18)))[..., None], np.float32)


def rotation(axis: object, degrees: float) -> F32:
    """3x3 rotation about an axis (right-handed)."""
    turn, _ = cv2.Rodrigues(unit(axis).astype(np.float64) * np.deg2rad(degrees))
    return np.asarray(turn, np.float32)


def splat(xy: F32, z: F32, shape: tuple[int, int], close: int = 5, step: float = 4.0) -> I32:
    """Index of the nearest point in every pixel.

    Args:
        xy: (n, 2) float32 pixels, y down.
        z: (n,) float32 millimetres, larger is nearer.
        shape: height and width of the buffer.
        close: holes up to about this many pixels are closed; 0 leaves them.
        step: a pixel this much (mm) behind its surroundings counts as a hole.

    Returns:
        (h, w) int32, -1 where no point fell.
    """
    h, w = shape[0] + 2 * close, shape[1] + 2 * close  # holes at the border are closed from points outside
    px = np.floor(xy[:, 0]).astype(np.int32) + close
    py = np.floor(xy[:, 1]).astype(np.int32) + close
    rows = np.flatnonzero((px >= 0) & (px < w) & (py >= 0) & (py < h))
    buffer = np.zeros(h * w, np.float64)
    if len(rows) == 0:
        return np.full(shape, -1, np.int32)
    low = float(z[rows].min())
    level = np.floor((z[rows] - low) * 64.0).astype(np.float64) + 1.0
    np.maximum.at(buffer, py[rows].astype(np.int64) * w + px[rows], level * _INDEX + rows)
    plane = buffer.reshape(h, w)
    if close:
        kernel = np.ones((close, close), np.uint8)
        closed = cv2.morphologyEx(plane, cv2.MORPH_CLOSE, kernel)
        plane = np.where(closed - plane > step * 64.0 * _INDEX, closed, plane)[close:-close, close:-close]
    index = np.asarray(plane - np.floor(plane / _INDEX) * _INDEX, np.int32)
    index[plane < 1] = -1
    return index


def splat_discs(xy: F32, z: F32, normals: F32, scale: float, shape: tuple[int, int], size: F32) -> I32:
    """Like `splat`, every point drawn as four: a tilted patch.

    Args:
        xy: (n, 2) float32 pixels, y down.
        z: (n,) float32 millimetres.
        normals: (n, 3) float32.
        scale: pixels per millimetre.
        shape: height and width.
        size: (n,) float32 half width of each patch, mm.
    """
    n = len(z)
    slope = normals[:, :2] / np.maximum(normals[:, 2:], 0.35)
    spots, levels = [], []
    for dx, dy in ((-0.9, -0.4), (0.4, -0.9), (0.9, 0.4), (-0.4, 0.9)):
        spots.append(xy + np.array([dx, -dy], np.float32) * (size * scale)[:, None])
        levels.append(z - (slope[:, 0] * dx + slope[:, 1] * dy) * size)
    index = splat(np.concatenate(spots), np.concatenate(levels), shape)
    return np.where(index >= 0, index % max(n, 1), -1).astype(np.int32)


def masked_blur(image: F32, weight: F32, sigma: float) -> F32:
    """Gaussian blur which ignores what lies outside `weight` (h, w)."""
    size = (0, 0)
    below = np.maximum(cv2.GaussianBlur(weight, size, sigma), 1e-4)
    if image.ndim == 3:
        return np.asarray(cv2.GaussianBlur(image * weight[..., None], size, sigma) / below[..., None], np.float32)
    return np.asarray(cv2.GaussianBlur(image * weight, size, sigma) / below, np.float32)
