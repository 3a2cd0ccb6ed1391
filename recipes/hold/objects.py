"""Things that people hold, as clouds of coloured surface points in random shapes and patterns; it must not know hands.

Millimetres; the long axis is y, the place where a thing is gripped is the origin, and its front looks along +z.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens.synth.points import Cloud, cloud, joined
from handlens.synth.rasterize import F32, linear, rotation, unit

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


Floats = NDArray[np.floating[Any]]


def pattern(rng: Rng, u: Floats, v: Floats) -> F32:
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
    """Return a surface of revolution about y through (y, radius) in mm; begin and end at radius 0 to close it."""
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
    """Return a box of sides x, y, z in mm about the origin."""
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
    """Return a flat thing bent out of its plane, curve in 1/mm, about a line turned by `along` radians."""
    s = sheet.points[:, 0] * np.cos(along) + sheet.points[:, 1] * np.sin(along)
    points, normals = sheet.points.copy(), sheet.normals.copy()
    points[:, 2] += 0.5 * curve * s * s
    normals[:, 0] -= curve * s * np.cos(along) * normals[:, 2]
    normals[:, 1] -= curve * s * np.sin(along) * normals[:, 2]
    return replace(sheet, points=points, normals=unit(normals))


def shifted(part: Cloud, x: float = 0.0, y: float = 0.0, z: float = 0.0, turn: F32 | None = None) -> Cloud:
    """Return it turned, then moved."""
    return part.moved(np.eye(3, dtype=np.float32) if turn is None else turn, np.array([x, y, z], np.float32))


def ball(rng: Rng, r: float) -> Cloud:
    """Return a sphere of radius r mm about the origin."""
    way = unit(rng.normal(0, 1, (int(4 * np.pi * max(r, 16) ** 2 * DENSE), 3)))
    paint = pattern(rng, way[:, 1] * r, np.arctan2(way[:, 0], way[:, 2]) * r)
    return cloud(way * np.float32(r), way, paint, float(rng.uniform(0, 0.3)), 0.0, THING, SIZE)


Rng = np.random.Generator


@dataclass(frozen=True, eq=False)
class Thing:
    """One thing.

    Attributes:
        grip: A name of `grips.GRIPS`.
        radius: Mm to be gripped (of a slab: half its thickness)
        width: Mm of a slab between the fingertips and the thumb.
        clear: 0 opaque to 1 invisible.
    """

    cloud: Cloud
    grip: str
    radius: float
    width: float = 0.0
    clear: float = 0.0


def bottle(rng: Rng) -> Thing:
    """Return a bottle, held at its body or neck; one of three is of clear glass or plastic."""
    r, tall = rng.uniform(24, 40), rng.uniform(130, 240)
    neck, shoulder = r * rng.uniform(0.28, 0.5), tall * rng.uniform(0.5, 0.75)
    profile = [(0, 0), (0, r), (shoulder, r), (shoulder + tall * 0.15, neck), (tall, neck), (tall, 0)]
    by_neck = rng.random() < 0.15
    at = shoulder + tall * 0.2 if by_neck else rng.uniform(0.3, 0.8) * shoulder
    body = shifted(turned(rng, profile, float(rng.uniform(0.05, 0.5))), y=-at)
    label = [(shoulder * 0.25, r + 0.4), (shoulder * 0.75, r + 0.4)]
    parts = [body, shifted(turned(rng, label, 0.03), y=-at)] if rng.random() < 0.6 else [body]
    parts.append(shifted(turned(rng, [(tall - 14, neck + 1), (tall + 1, neck + 1), (tall + 1, 0)], 0.1), y=-at))
    clear = float(rng.uniform(0.3, 0.6)) if rng.random() < 0.35 else 0.0
    return Thing(joined(parts), "wrap", neck if by_neck else r, clear=clear)


def can(rng: Rng) -> Thing:
    """Return a can or a jar."""
    r, tall = rng.uniform(26, 40), rng.uniform(80, 150)
    at = tall * rng.uniform(0.35, 0.65)
    profile = [(0, 0), (0, r * 0.85), (5, r), (tall - 6, r), (tall, r * 0.86), (tall, 0)]
    return Thing(shifted(turned(rng, profile, float(rng.uniform(0.05, 0.5))), y=-at), "wrap", r)


def glass(rng: Rng) -> Thing:
    """Return a glass or cup, often clear, with something in it."""
    low, high, tall = rng.uniform(24, 34), rng.uniform(30, 44), rng.uniform(80, 160)
    at, full = tall * rng.uniform(0.4, 0.65), rng.uniform(0.4, 0.95)
    clear = float(rng.uniform(0.3, 0.65)) if rng.random() < 0.6 else 0.0
    rgb = linear(rng.uniform(170, 240, 3) * np.ones(3)) if clear else None
    shell = turned(rng, [(0, 0), (0, low), (tall, high)], 0.5, rgb)
    inner = low + (high - low) * full
    drink = [(tall * full * 0.98, inner * 0.97), (tall * full, 0)] if not clear else [(3, low), (tall * full, inner)]
    return Thing(
        shifted(joined([shell, turned(rng, drink, 0.1, colour(rng))]), y=-at), "wrap", (low + high) / 2, 0, clear
    )


def mug(rng: Rng) -> Thing:
    """Return a mug, held by its handle or round its body."""
    r, tall = rng.uniform(36, 46), rng.uniform(80, 110)
    paint = pattern(rng, np.zeros(1, np.float32), np.zeros(1, np.float32))[0]
    body = shifted(turned(rng, [(0, 0), (0, r), (tall, r), (tall, r - 4), (tall * 0.9, 0)], 0.2, paint), y=-tall / 2)
    angle = rng.uniform(-np.pi / 2, np.pi / 2, 7000)
    around = rng.uniform(0, 2 * np.pi, 7000)
    ring = np.stack([0 * angle, np.sin(angle), np.cos(angle)], axis=1)
    normal = ring * np.cos(around)[:, None] + np.array([1.0, 0, 0]) * np.sin(around)[:, None]
    at = ring * np.array([0, tall * 0.32, 32]) + normal * 6
    handle = cloud(at, normal, paint, 0.2, 0.0, THING, SIZE)
    if rng.random() < 0.5:
        return Thing(joined([shifted(body, z=-r - 32), shifted(handle, z=-32)]), "handle", 6.0)
    spin = rotation([0, 1, 0], float(rng.uniform(0, 360)))
    return Thing(joined([body, shifted(handle, z=r - 2)]).moved(spin, np.zeros(3, np.float32)), "wrap", r)


def rod(rng: Rng) -> Thing:
    """Return a handle, pole, bar, racket, microphone or tool in the fist."""
    r, up, down = rng.uniform(5, 19), rng.uniform(40, 380), rng.uniform(40, 300)
    stick = turned(rng, [(-down, 0), (-down, r), (up, r * rng.uniform(0.7, 1.0)), (up, 0)], float(rng.uniform(0, 0.5)))
    head = rng.random()
    if head < 0.2:
        return Thing(joined([stick, shifted(ball(rng, r * rng.uniform(1.3, 2.2)), y=up)]), "wrap", r)
    if head < 0.4:
        sides = (rng.uniform(20, 160), rng.uniform(15, 200), rng.uniform(8, 30))
        return Thing(joined([stick, shifted(box(rng, sides, 0.2), y=up)]), "wrap", r)
    return Thing(stick, "wrap", r)


def pen(rng: Rng) -> Thing:
    """Return a pen, brush, spoon, fork or stick between the fingertips."""
    r, back, front = rng.uniform(2.5, 6.5), rng.uniform(60, 150), rng.uniform(15, 70)
    shaft = turned(rng, [(-front, 0), (-front + 9, r), (back, r), (back, 0)], float(rng.uniform(0.05, 0.5)))
    if rng.random() < 0.3:  # spoon
        bowl = ball(rng, 1.0)
        squash = np.array([16, 24, 4], np.float32)
        shaft = joined([shaft, shifted(replace(bowl, points=bowl.points * squash), y=-front - 15)])
    return Thing(shaft, "pen", r)


def cigarette(rng: Rng) -> Thing:
    """White with a brown filter and a dark end."""
    r, long = rng.uniform(3.4, 4.4), rng.uniform(45, 80)
    parts = [
        turned(rng, [(0, r), (long, r)], 0.0, linear([236, 234, 228])),
        turned(rng, [(long, r), (long + 4, 0)], 0.0),
    ]
    parts.append(turned(rng, [(-24, 0), (-24, r), (0, r)], 0.0, linear([208, 150, 84])))
    return Thing(joined(parts), "scissors" if rng.random() < 0.65 else "pen", r)


def phone(rng: Rng) -> Thing:
    """Return a phone, camera or wallet: a slab with a screen."""
    width, tall, deep = rng.uniform(58, 84), rng.uniform(105, 168), rng.uniform(7, 22)
    body = box(rng, (width, tall, deep), float(rng.uniform(0.05, 0.4)), colour(rng))
    at = rng.uniform(-0.5, 0.5, (int(width * tall * 0.86 * DENSE), 2)).astype(np.float32) * (width - 6, tall - 12)
    lit = pattern(rng, at[:, 1], at[:, 0]) * rng.uniform(0.2, 1.2)
    screen = np.concatenate([at, np.full((len(at), 1), deep / 2 + 0.4, np.float32)], axis=1)
    both = joined([body, cloud(screen, (0, 0, 1), lit, 0.4, 0.0, THING, SIZE)])
    return Thing(shifted(both, y=float(rng.uniform(-20, 40))), "slab", deep / 2, width)


def book(rng: Rng) -> Thing:
    """Return a book, folder, tablet or plate, clamped between thumb and fingers."""
    width, tall, deep = rng.uniform(110, 230), rng.uniform(120, 260), rng.uniform(4, 28)
    return Thing(box(rng, (width, tall, deep), float(rng.uniform(0, 0.3))), "clamp", deep / 2, tall)


def paper(rng: Rng) -> Thing:
    """Return a card, ticket, sheet of paper or cloth between thumb and fingers."""
    size = rng.choice([55.0, 85.0, 150.0, 210.0]) * rng.uniform(0.8, 1.2)
    white = linear([238, 236, 230]) * rng.uniform(0.8, 1.05)
    sheet = box(rng, (size * rng.uniform(0.6, 1.4), size, 0.8), 0.02, white if rng.random() < 0.3 else None)
    sheet = bent(sheet, float(rng.normal(0, 0.004)), float(rng.uniform(0, np.pi)))
    return Thing(sheet, "card", 0.5, size)


def fruit(rng: Rng) -> Thing:
    """Return a ball, fruit, stone or small box in the palm."""
    r = rng.uniform(14, 42)
    if rng.random() < 0.25:
        sides = rng.uniform(0.8, 1.9, 3) * r
        return Thing(box(rng, (float(sides[0]), float(sides[1]), float(sides[2])), 0.1), "palm", r)
    body = ball(rng, r)
    squash = np.clip(1 + rng.normal(0, 0.15, 3), 0.7, 1.4).astype(np.float32)
    return Thing(replace(body, points=body.points * squash, normals=unit(body.normals / squash)), "palm", r)


def bag(rng: Rng) -> Thing:
    """Return the strap of a bag in the hooked fingers, the bag below (toward +z of the strap)."""
    r, drop = rng.uniform(3, 8), rng.uniform(60, 220)
    paint, broad = colour(rng), rng.uniform(80, 200)
    parts = [turned(rng, [(-48, r), (48, r)], 0.03, paint)]
    for side in (-1.0, 1.0):
        lean = rotation([1, 0, 0], 90 - side * float(np.rad2deg(np.arctan2(broad / 2 - 48, drop))))
        parts.append(shifted(turned(rng, [(0, r), (drop, r)], 0.03, paint), y=side * 48, turn=lean))
    body = box(rng, (float(rng.uniform(30, 110)), broad, float(rng.uniform(100, 240))), 0.05)
    parts.append(shifted(body, z=drop + float(np.ptp(body.points[:, 2])) / 2))
    return Thing(joined(parts), "hook", r)


_MAKERS: tuple[tuple[Callable[[Rng], Thing], float], ...] = (
    (bottle, 3), (can, 2), (glass, 3), (mug, 2), (rod, 4), (pen, 3), (cigarette, 1.5), (phone, 3.5), (book, 1.5),
    (paper, 2.5), (fruit, 2.5), (bag, 1.5),
)  # fmt: skip


def random_thing(rng: Rng) -> Thing:
    """Any thing, common ones more often."""
    shares = np.array([share for _, share in _MAKERS])
    return _MAKERS[int(rng.choice(len(_MAKERS), p=shares / shares.sum()))][0](rng)
