"""Surfaces of points in random colours and patterns: bodies of revolution, boxes, balls and bent sheets.

It must not know what they are parts of. Millimetres; the long axis is y.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from handlens.synth.points import Cloud, cloud, joined
from handlens.synth.rasterize import F32, linear, unit

Rng = np.random.Generator

THING = 60  # the part number of a thing in a drawn picture
SIZE = 0.75  # half width of a point's patch, mm
DENSE = 0.55  # points per square millimetre


def colour(rng: Rng) -> F32:
    """Linear RGB: white, black, grey, brown or anything."""
    kind = rng.random()
    if kind < 0.2:
        return linear(rng.uniform(190, 250) * np.clip(1 + rng.normal(0, 0.03, 3), 0.8, 1.02))
    if kind < 0.42:
        return linear(rng.uniform(12, 60) * np.clip(1 + rng.normal(0, 0.08, 3), 0.5, 1.4))
    if kind < 0.55:
        return linear(rng.uniform(70, 180) * np.clip(1 + rng.normal(0, 0.04, 3), 0.5, 1.4))
    if kind < 0.68:
        return linear(
            rng.uniform(60, 210) * np.array([1.0, 0.76, 0.54]) * np.clip(1 + rng.normal(0, 0.06, 3), 0.6, 1.2)
        )
    return linear(np.clip(rng.uniform(0, 255, 3) * rng.uniform(0.6, 1.2), 5, 250))


def pattern(rng: Rng, u: F32, v: F32) -> F32:
    """Linear RGB (n, 3) of a random pattern at places (n,) u along and v across, both in millimetres."""
    first = colour(rng)
    second = first + (colour(rng) - first) * np.float32(rng.uniform(0.3, 1.0))
    kind = rng.choice(["plain", "band", "stripes", "print", "marble", "checks"], p=(0.46, 0.2, 0.07, 0.12, 0.1, 0.05))
    wave = rng.uniform(4, 30)
    if kind == "band":
        low = rng.uniform(-60, 30)
        share = ((u > low) & (u < low + rng.uniform(15, 80))).astype(np.float32)
    elif kind == "stripes":
        lean = rng.uniform(-1, 1)
        share = (np.sin((u + lean * v) * 2 * np.pi / wave) > rng.uniform(-0.5, 0.7)).astype(np.float32)
    elif kind == "print":  # lines of words
        line = np.mod(u, wave * 0.5) < wave * 0.2
        words = np.sin(v * 1.3 + 2.1 * np.floor(u / (wave * 0.5))) + np.sin(v * 0.41 + np.floor(u / (wave * 0.5)))
        share = (line & (words > -0.4)).astype(np.float32)
    elif kind == "marble":
        share = 0.5 + 0.25 * (np.sin(u / wave * 3 + 2 * np.sin(v / wave * 2)) + np.sin(v / wave * 4 + u / wave))
    elif kind == "checks":
        share = ((np.sin(u * np.pi / wave) * np.sin(v * np.pi / wave)) > 0).astype(np.float32)
    else:
        share = np.zeros_like(u)
    grain = 1 + rng.uniform(0, 0.05) * rng.normal(0, 1, len(u))
    return np.asarray((first + (second - first) * share[:, None]) * grain[:, None], np.float32)


def turned(rng: Rng, profile: Sequence[tuple[float, float]], gloss: float, rgb: F32 | None = None) -> Cloud:
    """A surface of revolution about y through (y, radius) in mm; begin and end at radius 0 to close it."""
    line = np.asarray(profile, np.float32)
    step, mean = np.diff(line, axis=0), (line[1:, 1] + line[:-1, 1]) / 2
    length = np.hypot(step[:, 0], step[:, 1])
    area = 2 * np.pi * mean * length
    rows = rng.choice(len(area), int(area.sum() * DENSE) + 8, p=area / area.sum())
    t = rng.random(len(rows)).astype(np.float32)
    ends = line[rows, 1], line[rows + 1, 1]  # a cone is broader at one end: draw more points there
    t = np.where(rng.random(len(rows)) * (ends[0] + ends[1]) < ends[0] + (ends[1] - ends[0]) * t, t, 1 - t)
    y, r = line[rows, 0] + step[rows, 0] * t, line[rows, 1] + step[rows, 1] * t
    angle = rng.uniform(0, 2 * np.pi, len(rows)).astype(np.float32)
    out = np.stack([step[rows, 0] * np.cos(angle), -step[rows, 1], step[rows, 0] * np.sin(angle)], axis=1)
    points = np.stack([r * np.cos(angle), y, r * np.sin(angle)], axis=1)
    paint = pattern(rng, y, angle * max(float(line[:, 1].max()), 1.0)) if rgb is None else rgb
    return cloud(points, unit(out), paint, gloss, 0.0, THING, SIZE)


def box(rng: Rng, sides: tuple[float, float, float], gloss: float, rgb: F32 | None = None) -> Cloud:
    """A box of sides x, y, z in mm about the origin."""
    parts = []
    half = np.array(sides, np.float32) / 2
    for axis in range(3):
        a, b = [i for i in range(3) if i != axis]
        for sign in (-1.0, 1.0):
            at = rng.uniform(-1, 1, (int(sides[a] * sides[b] * DENSE) + 4, 3)).astype(np.float32) * half
            at[:, axis] = sign * half[axis]
            normal = np.zeros(3, np.float32)
            normal[axis] = sign
            u, v = (at[:, 1], at[:, 0]) if axis != 1 else (at[:, 2], at[:, 0])
            parts.append(cloud(at, normal, pattern(rng, u, v) if rgb is None else rgb, gloss, 0.0, THING, SIZE))
    return joined(parts)


def bent(sheet: Cloud, curve: float, along: float) -> Cloud:
    """A flat thing bent out of its plane, curve in 1/mm, about a line turned by `along` radians."""
    s = sheet.points[:, 0] * np.cos(along) + sheet.points[:, 1] * np.sin(along)
    points, normals = sheet.points.copy(), sheet.normals.copy()
    points[:, 2] += 0.5 * curve * s * s
    normals[:, 0] -= curve * s * np.cos(along) * normals[:, 2]
    normals[:, 1] -= curve * s * np.sin(along) * normals[:, 2]
    return replace(sheet, points=points, normals=unit(normals))


def shifted(part: Cloud, x: float = 0.0, y: float = 0.0, z: float = 0.0, turn: F32 | None = None) -> Cloud:
    """Turned, then moved."""
    return part.moved(np.eye(3, dtype=np.float32) if turn is None else turn, np.array([x, y, z], np.float32))


def ball(rng: Rng, r: float) -> Cloud:
    """A sphere of radius r mm about the origin."""
    way = unit(rng.normal(0, 1, (int(4 * np.pi * max(r, 16) ** 2 * DENSE), 3)))
    paint = pattern(rng, way[:, 1] * r, np.arctan2(way[:, 0], way[:, 2]) * r)
    return cloud(way * np.float32(r), way, paint, float(rng.uniform(0, 0.3)), 0.0, THING, SIZE)
