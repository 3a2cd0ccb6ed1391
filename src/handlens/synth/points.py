"""Coloured clouds of surface points: gathered from many makers, moved about, and drawn into one picture.

It must not know what the points belong to beyond a part number.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.synth.rasterize import F32, Surface, masked_blur, splat, unit

NOTHING = 0


@dataclass(frozen=True, eq=False)
class Cloud:
    """Points with everything needed to draw them.

    Attributes:
        points: (n, 3) float32 mm, x right, y up, z toward the camera.
        normals: (n, 3) float32.
        rgb: (n, 3) float32, linear.
        gloss: (n,) float32; soft: (n,) float32, 1 for skin.
        part: (n,) uint8, the caller's number for what this is.
        size: half width of a point's patch, mm.
    """

    points: F32
    normals: F32
    rgb: F32
    gloss: F32
    soft: F32
    part: NDArray[np.uint8]
    size: float = 0.4

    def moved(self, turn: F32, shift: F32) -> Cloud:
        """Rotated by a 3x3 matrix, then shifted."""
        points = np.asarray(self.points @ turn.T + shift, np.float32)
        return replace(self, points=points, normals=np.asarray(self.normals @ turn.T, np.float32))

    def kept(self, rows: NDArray[np.bool_] | NDArray[np.int64]) -> Cloud:
        """Return some of the points."""
        arrays = (a[rows] for a in (self.points, self.normals, self.rgb, self.gloss, self.soft))
        points, normals, rgb, gloss, soft = arrays
        return Cloud(points, normals, rgb, gloss, soft, self.part[rows], self.size)


def cloud(
    points: object, normals: object, rgb: object, gloss: object, soft: object, part: object, size: float
) -> Cloud:
    """Return a cloud from arrays or constants."""
    at = np.asarray(points, np.float32)
    n = len(at)

    def row(value: object) -> F32:
        return np.broadcast_to(np.asarray(value, np.float32), (n,))

    return Cloud(
        at,
        np.broadcast_to(unit(normals), (n, 3)),
        np.broadcast_to(np.asarray(rgb, np.float32), (n, 3)),
        row(gloss),
        row(soft),
        np.broadcast_to(np.asarray(part, np.uint8), (n,)),
        size,
    )


def joined(clouds: list[Cloud]) -> Cloud:
    """One cloud of several; the first one's patch size holds."""
    names = ("points", "normals", "rgb", "gloss", "soft")
    points, normals, rgb, gloss, soft = (np.concatenate([getattr(c, name) for c in clouds]) for name in names)
    return Cloud(points, normals, rgb, gloss, soft, np.concatenate([c.part for c in clouds]), clouds[0].size)


@dataclass(frozen=True)
class Camera:
    """Weak perspective: `scale` pixels per mm at depth 0, seen from `away` mm; `centre` is the pixel of (0, 0)."""

    scale: float
    away: float
    centre: tuple[float, float]

    def project(self, points: F32) -> F32:
        """(n, 2) pixels, y down."""
        near = self.away / (self.away - np.minimum(points[:, 2], 0.6 * self.away))
        flat = points[:, :2] * (near * self.scale)[:, None] * np.array([1, -1], np.float32)
        return np.asarray(flat + np.asarray(self.centre, np.float32), np.float32)


def draw(clouds: list[Cloud], camera: Camera, shape: tuple[int, int]) -> tuple[Surface, NDArray[np.uint8], F32]:
    """Draws clouds into one depth buffer.

    Returns:
        The surface, the part number per pixel (h, w) uint8 (0 where nothing is) and the number of the cloud (h, w)
        float32 (-1 where nothing is).
    """
    spots, levels, owners, source = [], [], [], []
    start = 0
    for number, c in enumerate(clouds):
        seen = np.flatnonzero(c.normals[:, 2] > 0.0)
        points, normals = c.points[seen], c.normals[seen]
        xy = camera.project(points)
        inside = np.flatnonzero(((xy > -8) & (xy < np.array([shape[1] + 8, shape[0] + 8]))).all(1))
        seen, xy, points, normals = seen[inside], xy[inside], points[inside], normals[inside]
        slope = normals[:, :2] / np.maximum(normals[:, 2:], 0.35)
        few = len(seen) > 0 and camera.scale * c.size < 0.3
        for dx, dy in ((0.0, 0.0),) if few else ((-0.9, -0.4), (0.4, -0.9), (0.9, 0.4), (-0.4, 0.9)):
            spots.append(xy + np.array([dx, -dy], np.float32) * np.float32(c.size * camera.scale))
            levels.append(points[:, 2] - (slope[:, 0] * dx + slope[:, 1] * dy) * c.size)
            source.append(seen + start)
        owners.append(np.full(len(c.points), number, np.int32))
        start += len(c.points)
    index = splat(np.concatenate(spots), np.concatenate(levels), shape)
    there = index >= 0
    rows = np.concatenate(source)[index[there]]
    surface = _surface(clouds, there, rows, camera)
    part = np.zeros(shape, np.uint8)
    part[there] = np.concatenate([c.part for c in clouds])[rows]
    owner = np.full(shape, -1, np.float32)
    owner[there] = np.concatenate(owners)[rows]
    return surface, part, owner


def _surface(clouds: list[Cloud], there: NDArray[np.bool_], rows: NDArray[np.int64], camera: Camera) -> Surface:
    """Look up the attributes of the seen points."""
    h, w = there.shape
    depth, gloss, soft = (np.zeros((h, w), np.float32) for _ in range(3))
    normal, albedo = np.zeros((h, w, 3), np.float32), np.zeros((h, w, 3), np.float32)
    depth[there] = np.concatenate([c.points[:, 2] for c in clouds])[rows]
    gloss[there] = np.concatenate([c.gloss for c in clouds])[rows]
    soft[there] = np.concatenate([c.soft for c in clouds])[rows]
    normal[there] = np.concatenate([c.normals for c in clouds])[rows]
    albedo[there] = np.concatenate([c.rgb for c in clouds])[rows]
    mask = there.astype(np.float32)
    depth = np.asarray(cv2.medianBlur(depth, 5), np.float32)  # patches of points are flat: without it, shadows crawl
    normal = unit(masked_blur(normal, mask, 0.7) + np.array([0, 0, 1e-4], np.float32))
    albedo = masked_blur(albedo, mask, 0.45)
    gloss = np.asarray(cv2.GaussianBlur(gloss, (0, 0), 0.6), np.float32)
    return Surface(depth, normal, albedo, gloss, soft, mask, camera.scale)
