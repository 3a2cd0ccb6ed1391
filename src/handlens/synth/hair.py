"""Hair grown on the head of `head_shape`, strand by strand, as clouds of points.

It must not know about hands, scenes or cameras.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from handlens.synth.hand_skin import ramp
from handlens.synth.head_shape import HeadGrid, loft
from handlens.synth.head_skin import HAIR
from handlens.synth.headwear import headwear
from handlens.synth.points import Cloud, cloud
from handlens.synth.rasterize import F32, unit

Rng = np.random.Generator

STYLES = (
    "bald",
    "buzz",
    "short",
    "side",
    "back",
    "fringe",
    "curly",
    "afro",
    "bob",
    "long",
    "parted",
    "bun",
    "beanie",
    "scarf",
)


def hairline(angle: F32, recede: float = 0.0, style: str = "short") -> F32:
    """Height of the hair's edge for every column of the head, mm (columns,)."""
    a = np.abs(np.rad2deg(angle))
    if style == "bald":
        return np.full(angle.shape, 300.0, np.float32)
    line = np.interp(a, [0, 25, 42, 55, 66, 74, 82, 90, 104, 118, 135, 180],
                     [68, 68, 60, 44, 30, 2, -20, 6, 14, -10, -52, -66])  # fmt: skip
    back = np.interp(a, [0, 18, 38, 60], [0.7, 1.0, 1.5, 0.2])
    return np.asarray(line + recede * 16.0 * back, np.float32)


def roots_in(area: F32, grid: HeadGrid, count: int, rng: Rng) -> NDArray[np.int64]:
    """Random skin points, evenly over the surface, weighted by `area` (h, w)."""
    down = np.linalg.norm(np.gradient(grid.points, axis=0), axis=-1)
    across = np.linalg.norm(np.gradient(grid.points, axis=1), axis=-1)
    weight = np.cumsum((np.minimum(down * across, 4.0) * area).ravel())
    if weight[-1] <= 0:
        return np.zeros(0, np.int64)
    return np.asarray(np.searchsorted(weight, rng.random(count) * weight[-1]), np.int64)


def _push_out(points: F32, margin: float) -> F32:
    """Move points that have fallen into skull, neck or shoulders to the outside."""
    _, sections, _ = loft(520, 680)
    y = points[:, 1]
    table = sections[::-1]
    w, front, back, centre = (np.interp(y, table[:, 0], table[:, c]) for c in (1, 2, 3, 4))
    neck = y < -60
    w, front = np.where(neck, np.maximum(w, 57), w), np.where(neck, np.maximum(front, 30), front)
    back, centre = np.where(neck, -76, back), np.where(neck, np.minimum(centre, -10), centre)
    dz = points[:, 2] - centre
    depth = np.where(dz > 0, front - centre, centre - back)
    ratio = np.sqrt((points[:, 0] / (w + margin)) ** 2 + (dz / (depth + margin)) ** 2)
    grow = np.where((ratio < 1) & (y < 112), 1 / np.maximum(ratio, 0.2), 1.0)
    out = points.copy()
    out[:, 0] *= grow
    out[:, 2] = centre + dz * grow
    chest = ramp(np.asarray(-y, np.float32), 152, 215) * (np.abs(points[:, 0]) < 215)
    floor = np.where(points[:, 2] > -15, 30 + 62 * chest + margin, -76 - 26 * chest - margin)
    sunk = (chest > 0) & (np.abs(points[:, 2] + 10) < np.abs(floor + 10))
    out[sunk, 2] = floor[sunk]
    high = (y > 60) & (np.hypot(points[:, 0] / 76, np.hypot((points[:, 2] + 12) / 98, (y - 18) / 99)) < 1)
    out[high, 1] += 1.2
    return np.asarray(out, np.float32)


def grow(
    roots: F32,
    normals: F32,
    flow: F32,
    length: F32,
    steps: int,
    lift: float,
    fall: float,
    curl: float,
    rng: Rng,
    aside: bool = False,
) -> tuple[F32, F32]:
    """Lets strands grow.

    Args:
        roots, normals: (n, 3), where they start; flow: (n, 3) the way they are combed.
        length: (n,) mm; steps: joints of a strand.
        lift: 0 lies flat, 1 stands up; fall: pull of gravity; curl: mm of waviness; aside: keeps off the face.

    Returns:
        points (n, steps, 3) and directions (n, steps, 3).
    """
    n = len(roots)
    along = unit(flow - (flow * normals).sum(1, keepdims=True) * normals)
    way = unit(along * (1 - lift) + normals * (lift + 0.12) + rng.normal(0, 0.10, (n, 3)))
    at = roots + normals * 0.5
    step = (length / steps)[:, None]
    points, ways = [at], [way]
    wave, hold = rng.uniform(0, 2 * np.pi, (n, 2)), rng.uniform(0, 8, n)
    toward = np.where(np.abs(roots[:, 0]) > 20, np.sign(roots[:, 0]), np.sign(along[:, 0] + 1e-6))
    for i in range(1, steps):
        pull = np.array([0, -fall, 0], np.float32) * np.minimum(1.0, 2.0 * i / steps)
        way = unit(way + pull + 0.30 * along * max(1 - 2.2 * i / steps, 0))
        at = _push_out(np.asarray(at + way * step, np.float32), 1.5 + 6.0 * lift)
        if aside:
            free = np.interp(at[:, 1], [-110, 20, 52, 72], [60, 58, 40, 0]) * (at[:, 2] > 10)
            at[:, 0] = np.where(
                at[:, 0] * toward < free, np.maximum(at[:, 0] * toward, free - 4 + hold) * toward, at[:, 0]
            )
        way = unit(at - points[-1])
        shift = np.stack([np.sin(wave[:, 0] + i * 0.9), np.zeros(n), np.cos(wave[:, 1] + i * 0.9)], axis=1)
        points.append(np.asarray(at + curl * shift * min(i / 4, 1), np.float32))
        ways.append(way)
    return np.stack(points, axis=1).astype(np.float32), np.stack(ways, axis=1).astype(np.float32)


def strands(points: F32, ways: F32, rgb: F32, part: int, size: float, gap: float, rng: Rng) -> Cloud:
    """Strands (n, steps, 3) as a cloud with a point about every `gap` mm."""
    n, steps, _ = points.shape
    reach = float(np.percentile(np.linalg.norm(np.diff(points, axis=1), axis=2), 90)) if steps > 1 else 1.0
    parts = max(1, int(np.ceil(reach / gap)))
    t = np.arange(parts) / parts
    fine = (points[:, :-1, None] + (points[:, 1:] - points[:, :-1])[:, :, None] * t[None, None, :, None]).reshape(
        n, -1, 3
    )
    way = np.repeat(ways[:, 1:], parts, axis=1)
    outward = unit(fine - np.array([0, -5, -8], np.float32) * np.array([1, 1, 1], np.float32))
    outward[..., 1] *= 0.7
    normal = outward - (outward * way).sum(-1, keepdims=True) * way + rng.normal(0, 0.16, (n, 1, 3))
    light = np.exp(rng.normal(0, 0.17, (n, 1))) * (0.66 + 0.40 * np.linspace(0, 1, fine.shape[1])[None])
    tint = rgb * (light[..., None] * (1 + rng.normal(0, 0.05, (n, 1, 3))))
    flat = fine.reshape(-1, 3)
    return cloud(flat, normal.reshape(-1, 3), np.clip(tint, 0.003, 1).reshape(-1, 3), 0.07, 0.0, part, size)


def _comb(style: str, roots: F32, normals: F32, side: float) -> F32:
    """Return the way hair is combed at its roots (n, 3)."""
    top = ramp(normals[:, 1], 0.25, 0.75)[:, None]
    if style == "back":
        top = ramp(roots[:, 1], -10, 40)[:, None] * ramp(roots[:, 2], -60, 0)[:, None]
    x = roots[:, :1]
    down = np.array([0, -1, -0.25], np.float32) + np.sign(x) * np.array([0.1, 0, 0], np.float32)
    over = {
        "side": np.array([side, 0.1, 0.35]),
        "back": np.array([0.15 * side, 0.15, -1.0]),
        "fringe": np.array([0.25 * side, -0.2, 1.0]),
        "short": np.array([0.5 * side, 0.2, 0.6]),
    }.get(style, np.array([0, 0.1, 0.5]))
    if style in ("parted", "long", "bob"):
        part = np.sign(x - 14 * side * (style != "parted"))
        return np.asarray(part * np.array([1, 0, 0]) * top + down * (1 - top) + np.array([0, 0, -0.30]), np.float32)
    if style == "bun":
        return np.asarray(np.array([0, 62, -112]) - roots, np.float32)
    return np.asarray(over * top + down * (1 - top), np.float32)


def head_hair(style: str, grid: HeadGrid, rgb: F32, rng: Rng, recede: float = 0.0, dense: float = 1.0) -> list[Cloud]:
    """Return the hair of the head in one of `STYLES`.

    Raises:
        ValueError: for an unknown style.
    """
    if style not in STYLES:
        raise ValueError(f"unknown hair style {style!r}; known are {', '.join(STYLES)}")
    if style in ("bald", "buzz"):
        return []
    if style in ("beanie", "scarf"):
        return [headwear(style, grid, rgb, rng)]
    line = np.broadcast_to(hairline(grid.angle, recede, style), grid.front.shape)
    area = ramp(np.asarray(grid.flat[..., 1] - line, np.float32), -1.5, 5.0)
    side = float(rng.choice([-1.0, 1.0]))
    #: strands, shortest and longest mm, joints, lift, fall, curl
    table = {
        "short": (9000, 14, 26, 7, 0.38, 0.02, 0.5),
        "side": (9000, 24, 48, 9, 0.30, 0.04, 0.6),
        "back": (8500, 34, 60, 10, 0.30, 0.02, 0.5),
        "fringe": (8500, 34, 58, 10, 0.22, 0.16, 0.8),
        "curly": (6500, 40, 75, 26, 0.75, 0.10, 3.2),
        "afro": (8000, 45, 70, 26, 1.0, 0.0, 2.6),
        "bob": (7000, 110, 180, 18, 0.12, 0.40, 0.8),
        "long": (7000, 250, 340, 26, 0.10, 0.42, 1.2),
        "parted": (7000, 230, 330, 26, 0.08, 0.42, 1.0),
        "bun": (5200, 60, 130, 12, 0.05, 0.0, 0.3),
    }
    count, short, far, steps, lift, fall, curl = table[style]
    rows = roots_in(area, grid, int(count * dense), rng)
    roots, normals = grid.points.reshape(-1, 3)[rows], grid.normals.reshape(-1, 3)[rows]
    length = rng.uniform(short, far, len(rows)).astype(np.float32)
    if style in ("short", "side", "back", "fringe"):
        length *= 0.45 + 0.55 * ramp(normals[:, 1], 0.0, 0.6) + 0.1  # shorter at the sides
    elif style in ("afro", "curly"):
        length *= 0.65 + 0.35 * ramp(roots[:, 1], -40, 60)
    big = style in ("bob", "long", "parted")
    points, ways = grow(roots, normals, _comb(style, roots, normals, side), length, steps, lift, fall, curl, rng, big)
    out = [strands(points, ways, rgb, HAIR, 1.25 if big else 0.6, 2.0 if big else 1.0, rng)]
    if style == "bun":
        out.append(_bun(rgb, rng))
    return out


def _bun(rgb: F32, rng: Rng) -> Cloud:
    n = 9000
    normal = unit(rng.normal(0, 1, (n, 3)))
    swirl = np.sin(np.arctan2(normal[:, 1], normal[:, 0]) * 2 + normal[:, 2] * 9 + rng.normal(0, 0.3, n))
    at = np.array([0, 84, -104]) + normal * (36 + 2.0 * swirl[:, None])
    return cloud(at, normal + rng.normal(0, 0.15, (n, 3)), rgb * (0.8 + 0.3 * swirl[:, None]), 0.07, 0.0, HAIR, 0.9)
