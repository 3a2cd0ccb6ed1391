"""Brows and beards, grown on the head of `head_shape` as clouds of points.

It must not know about hands, scenes or cameras.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handlens.synth.face_features import EYE_X, HeadForm, lip_lines
from handlens.synth.hair import grow, roots_in, strands
from handlens.synth.hand_skin import ramp
from handlens.synth.head_shape import HeadGrid
from handlens.synth.head_skin import HAIR, beard_area
from handlens.synth.points import Cloud
from handlens.synth.rasterize import F32

Rng = np.random.Generator

BEARDS = ("none", "stubble", "short", "full", "long", "goatee", "moustache")


def brows(grid: HeadGrid, form: HeadForm, rgb: F32, rng: Rng, thick: float = 1.0) -> Cloud:
    """Both eyebrows."""
    x, y = np.abs(grid.flat[..., 0]), grid.flat[..., 1]
    gap = EYE_X * form.eyes[1]
    t = (x - (gap - 19.5)) / 43.0
    middle = 17.0 + 5.5 * np.sin(np.clip(t, 0, 1) * 2.0) - 4.5 * np.clip(t - 0.55, 0, 1) ** 1.5
    half = (2.5 * np.clip(1.15 - t, 0, 1) ** 0.6) * thick
    area = np.where(
        (t > 0) & (t < 1) & (grid.front > 0.5), np.clip(1.4 - np.abs(y - middle) / np.maximum(half, 0.1), 0, 1), 0
    )
    rows = roots_in(np.asarray(area, np.float32), grid, int(1500 * thick), rng)
    roots, normals = grid.points.reshape(-1, 3)[rows], grid.normals.reshape(-1, 3)[rows]
    where = t.ravel()[rows]
    flow = np.stack([np.sign(roots[:, 0]), 0.9 - 1.5 * where, 0 * where], axis=1).astype(np.float32)
    points, ways = grow(
        roots, normals, flow, rng.uniform(4.5, 8.5, len(rows)).astype(np.float32), 4, 0.12, 0.0, 0.0, rng
    )
    part = 2  # brows belong to the eye
    return strands(points, ways, rgb * 0.8, part, 0.28, 0.7, rng)


def beard(style: str, grid: HeadGrid, rgb: F32, rng: Rng, region: NDArray[np.uint8]) -> list[Cloud]:
    """Return a beard of one of `BEARDS`; its points keep the face region they grow on.

    Raises:
        ValueError: for an unknown style.
    """
    if style not in BEARDS:
        raise ValueError(f"unknown beard {style!r}; known are {', '.join(BEARDS)}")
    if style in ("none", "stubble"):
        return []
    x, y = np.abs(grid.flat[..., 0]), grid.flat[..., 1]
    area = beard_area(grid) * grid.front
    upper, _, _ = lip_lines(grid.flat[..., 0], 1.0)
    if style == "goatee":
        area = area * (x < 24) * (1 - ((y > -76) & (y < upper) & (x < 20)))
    if style == "moustache":
        area = area * (x < 30) * (y > upper - 4 - 0.2 * x)
    count, short, far, fall = {
        "short": (9000, 3, 7, 0.15), "full": (9500, 9, 18, 0.25), "long": (9500, 22, 60, 0.45),
        "goatee": (4500, 5, 13, 0.25), "moustache": (3000, 5, 10, 0.3),
    }[style]  # fmt: skip
    rows = roots_in(np.asarray(area, np.float32), grid, count, rng)
    roots, normals = grid.points.reshape(-1, 3)[rows], grid.normals.reshape(-1, 3)[rows]
    length = rng.uniform(short, far, len(rows)).astype(np.float32) * (0.5 + 0.5 * ramp(-roots[:, 1], 40, 95))
    flow = np.stack(
        [0.5 * np.sign(roots[:, 0]) * (roots[:, 1] > -66), -1 + 0 * roots[:, 0], 0.15 + 0 * roots[:, 0]], axis=1
    )
    points, ways = grow(roots, normals, np.asarray(flow, np.float32), length, 6, 0.30, fall, 0.5, rng)
    hair = strands(points, ways, rgb, HAIR, 0.45, 0.8, rng)
    own = np.repeat(region.ravel()[rows], len(hair.part) // max(len(rows), 1)).astype(np.uint8)
    return [Cloud(hair.points, hair.normals, hair.rgb, hair.gloss, hair.soft, own, hair.size)]
