"""Caps and scarves laid on the head of `head_shape` as clouds of points.

It must not know about hair, scenes or cameras.
"""

from __future__ import annotations

import numpy as np

from handlens.synth.hand_skin import ramp
from handlens.synth.head_shape import HeadGrid
from handlens.synth.head_skin import GEAR
from handlens.synth.points import Cloud, cloud, joined
from handlens.synth.rasterize import F32, unit

Rng = np.random.Generator


def headwear(style: str, grid: HeadGrid, rgb: F32, rng: Rng) -> Cloud:
    """Return a knitted cap, or a scarf around the face and neck."""
    x, y, angle = grid.flat[..., 0], grid.flat[..., 1], np.abs(np.broadcast_to(grid.angle, grid.front.shape))
    if style == "beanie":
        edge = np.interp(np.rad2deg(angle), [0, 60, 95, 180], [48, 40, 8, -30])
        on = y > edge
        rib = 1.0 * np.sin(np.broadcast_to(grid.angle, y.shape) * 60)
        cuff = y < edge + 34
        swell = 7.0 + rib * (0.5 + 0.8 * cuff) + 3.0 * cuff + 9.0 * ramp(np.asarray(y, np.float32), 70, 117)
    else:
        on = ((x / 61) ** 2 + ((y + 22) / 91) ** 2 > 1) | (angle > np.deg2rad(80)) | (grid.points[..., 2] < 20)
        fold = np.sin(np.hypot(x, y + 30) * 0.32 + 3 * np.broadcast_to(grid.angle, y.shape))
        over_ear = np.exp(-(((np.rad2deg(angle) - 98) / 20) ** 2) - ((y + 14) / 34) ** 2)
        swell = 7.0 + 1.6 * fold + 9.0 * over_ear
    shift = grid.normals * np.asarray(swell, np.float32)[..., None]
    points = np.asarray(grid.points + shift, np.float32)
    normals = unit(np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1)))
    normals *= np.sign((normals * grid.normals).sum(-1, keepdims=True))
    keep = on.ravel()
    tint = rgb * (1 + 0.05 * rng.normal(0, 1, (int(keep.sum()), 1)))
    head = cloud(points.reshape(-1, 3)[keep], normals.reshape(-1, 3)[keep], tint, 0.01, 0.0, GEAR, 0.55)
    if style == "beanie":
        return head
    return _wrap(head, rgb, rng)


def _wrap(head: Cloud, rgb: F32, rng: Rng) -> Cloud:
    """Add the scarf's folds around the neck and on the chest."""
    a, b = np.meshgrid(np.linspace(-np.pi, np.pi, 420), np.linspace(0, 1, 240))
    y = -72 - 118 * b
    wide, deep = 62 + 70 * b**1.6, 60 + 34 * b
    fold = 4.5 * np.sin(b * 17 + 2.2 * np.sin(a + 0.6)) + 2.5 * np.sin(a * 3 + b * 9)
    x, z = (wide + fold) * np.sin(a), -16 + (deep + fold) * np.cos(a)
    points = np.stack([x, y + 6 * np.cos(a), z], axis=-1)
    normals = unit(np.cross(np.gradient(points, axis=0), np.gradient(points, axis=1)))
    normals *= np.sign((normals * np.stack([np.sin(a), 0.3 + 0 * a, np.cos(a)], axis=-1)).sum(-1, keepdims=True))
    tint = rgb * (1 + 0.05 * rng.normal(0, 1, (points.size // 3, 1)))
    neck = cloud(points.reshape(-1, 3), normals.reshape(-1, 3), tint, 0.01, 0.0, GEAR, 0.9)
    return joined([neck, head])
