"""How a hand grips a thing: fingers bent until they meet it, and where it lies; it must not know cameras or pictures.

Hand coordinates as in hand_bones: millimetres, a right hand, +y along the fingers, the palm looks along -z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens.synth.hand_bones import FINGERS, HandPose, bones, marks, skeleton
from handlens.synth.rasterize import F32, rotation, unit
from recipes.signs.finger_poses import RINGS

Rng = np.random.Generator

GRIPS = ("wrap", "handle", "hook", "palm", "slab", "clamp", "card", "pen", "scissors")

#: radius gripped, thumb (across, middle, end joint, opposition, adduction): its pad on the far side of a bar, solved
_ROUND = np.array(
    [
        (5, -20, 25, 62, 53, 5),
        (14, -13, 55, 53, 61, -13),
        (20, -10, 47, 54, 67, -26),
        (28, -14, 32, 53, 76, -26),
        (40, -16, 24, 45, 78, -31),
    ],
    np.float32,
)
_ON_FRONT = np.array([-30, 38, 55, 64, 31], np.float32)  # the pad lies on the front of a slab in the palm
_REST = np.array([10, 14, 14, 24, 8], np.float32)
_MOST = (88.0, 105.0, 62.0)  # degrees that the joints of a finger bend


@dataclass(frozen=True, eq=False)
class Grip:
    """A pose, and the rotation (3, 3) and shift (3,) that bring a thing into it."""

    pose: HandPose
    turn: F32
    shift: F32


def grip(kind: str, radius: float, width: float, rng: Rng) -> Grip:
    """Return the grip on a thing of that radius and width (of a slab: between fingertips and thumb), mm.

    Raises:
        ValueError: for a kind that is not in `GRIPS`.
    """
    if kind in ("wrap", "handle", "hook"):
        return _round(kind, radius, rng)
    if kind == "palm":
        return _palm(radius, rng)
    if kind in ("slab", "clamp"):
        return _slab(kind, radius, width, rng)
    if kind in ("card", "pen"):
        return _pinch(kind, radius, width, rng)
    if kind == "scissors":
        return _scissors(rng)
    raise ValueError(f"unknown grip {kind!r}; known are {', '.join(GRIPS)}")


def bend(finger: int, near: tuple[float, float], far: tuple[float, float], radius: float) -> F32:
    """Degrees (3,) by which a finger bends until each bone in turn meets a round bar; seen from the side, in (y, z).

    Args:
        near, far: The ends of the bar's cross section, mm; the same for a cylinder.
    """
    (_, y, z), _, lengths, radii = FINGERS[finger]
    at, lean, out = np.array([y, z]), 0.0, np.zeros(3, np.float32)
    line = np.asarray(near) + (np.asarray(far) - near) * np.linspace(0, 1, 9 if near != far else 1)[:, None]
    for joint in range(3):
        angles = np.arange(-14.0, _MOST[joint] + 1, 2.0)
        way = np.deg2rad(lean + angles)
        way = np.stack([np.cos(way), -np.sin(way)], axis=1)
        rel = line - at
        along = np.clip(way @ rel.T, 0, lengths[joint])
        gap = np.linalg.norm(rel[None] - along[..., None] * way[:, None], axis=2).min(1) - radius
        free = gap >= 0.95 * radii[joint + 1]
        stop = int(np.argmin(free)) if not free.all() else len(free)
        out[joint] = angles[max(stop - 1, 0)]
        lean += float(out[joint])
        at = at + lengths[joint] * np.array([np.cos(np.deg2rad(lean)), -np.sin(np.deg2rad(lean))])
    return out


def _posed(flex: NDArray[np.floating[Any]], thumb: F32, rng: Rng, fan: float = -2.0) -> HandPose:
    """Return a living hand's version of solved joints."""
    joints = np.concatenate([flex, thumb[None, :3]]).astype(np.float32)
    joints[:4] += rng.normal(0, 2, (4, 3)) - np.array([1.5, 1.0, 0.0]) * abs(rng.normal(0, 1.5))
    joints[4] += rng.normal(0, 3, 3)
    spread = np.array([-1.0, -0.25, 0.4, 1.2]) * (fan + rng.normal(0, 1.5)) + rng.normal(0, 1.2, 4)
    wrist = (float(np.clip(rng.normal(0, 18), -45, 45)), float(np.clip(rng.normal(0, 9), -22, 22)))
    return HandPose(
        joints,
        np.asarray(spread, np.float32),
        (float(thumb[3] + rng.normal(0, 3)), float(thumb[4] + rng.normal(0, 3))),
        wrist,
    )


def _frame(x: object, y: object) -> F32:
    """Return a rotation whose y axis is `y` and whose x axis is near `x`; columns are the axes."""
    up = unit(y)
    z = unit(np.cross(unit(x), up))
    return np.asarray(np.stack([np.cross(up, z), up, z], axis=1), np.float32)


def _thumb_round(radius: float) -> F32:
    return np.array([np.interp(radius, _ROUND[:, 0], _ROUND[:, k]) for k in range(1, 6)], np.float32)


def _round(kind: str, radius: float, rng: Rng) -> Grip:
    """Return the fingers round a bar that lies across the palm, its y axis toward the thumb's side."""
    centre = (82 - 0.25 * radius, -(13.5 + radius))
    flex = np.stack([bend(finger, centre, centre, radius) for finger in range(4)])
    thumb = _REST if kind == "hook" and rng.random() < 0.5 else _thumb_round(radius)
    lean = np.array([-1.0, rng.normal(0, 0.16), rng.normal(0, 0.06)])
    if kind == "wrap":
        spin = rotation([0, 1, 0], float(rng.uniform(0, 360)))
        turn = _frame([0, 1, 0], lean) @ spin
    elif kind == "handle":  # the body of a mug stands before the fingers
        turn = _frame([0, 1, 0], lean)
        turn = turn @ rotation([0, 1, 0], 0.0 if turn[2, 2] > 0 else 180.0)
    else:  # a bag hangs along the fingers
        turn = _frame([0, 0, 1], lean)
        turn = turn @ rotation([0, 1, 0], 0.0 if turn[1, 2] > 0 else 180.0) @ rotation([0, 1, 0], rng.normal(0, 14))
    return Grip(_posed(flex, thumb, rng), np.asarray(turn, np.float32), np.array([4, *centre], np.float32))


def _palm(radius: float, rng: Rng) -> Grip:
    """Return a ball or box on the palm, the fingers round it or half open below it."""
    centre = np.array([0.0, 70 - 0.2 * radius, -(14.0 + radius)])
    flex = np.zeros((4, 3), np.float32)
    for finger in range(4):
        aside = min(abs(FINGERS[finger][0][0] - centre[0]), 0.8 * radius)
        part = float(np.sqrt(radius**2 - aside**2))
        flex[finger] = bend(finger, (centre[1], centre[2]), (centre[1], centre[2]), part)
    shut = rng.uniform(0.35, 1.0)
    turn = rotation(rng.normal(0, 1, 3), float(rng.uniform(0, 180)))
    return Grip(_posed(flex * np.float32(shut), _thumb_round(radius), rng, 2.0), turn, np.asarray(centre, np.float32))


def _slab(kind: str, radius: float, width: float, rng: Rng) -> Grip:
    """Return a slab before the palm: a phone that the fingers reach round, or a book that they lie behind."""
    low = rng.uniform(36, 52) if kind == "slab" else rng.uniform(66, 86)
    deep = -(14.0 + radius)
    flex = np.stack([bend(f, (low, deep), (low + width - radius, deep), radius) for f in range(4)])
    if kind == "slab":
        aslant = float(rng.uniform(-40, 15))
        turn = rotation([0, 0, 1], aslant) @ _frame([0, 1, 0], [-1, 0, 0])  # long side across the fingers
        if turn[2, 2] > 0:  # the screen looks away from the palm
            turn = turn @ rotation([0, 1, 0], 180)
    else:
        turn = rotation([0, 0, 1], float(rng.normal(0, 15))) @ rotation([0, 1, 0], 180)
    centre = np.array([rng.uniform(-8, 8), low + width / 2, deep], np.float32)
    return Grip(_posed(flex, _ON_FRONT, rng), np.asarray(turn, np.float32), centre)


def _pinch(kind: str, radius: float, width: float, rng: Rng) -> Grip:
    """Thumb and index finger on a pen or a card, the others bent more or less."""
    first, across, opposition, adduction = RINGS[0][int(rng.integers(3))]
    shut = rng.uniform(0, 1)
    flex = np.stack([np.array(first) + step * shut for step in (0.0, 8.0, 16.0, 22.0)])
    flex[1:] += rng.normal((0, 8, 4), 4, (3, 3))
    if rng.random() < 0.2:  # the others stretched
        flex[1:] = rng.normal((10, 16, 8), 6, (3, 3))
    flex[0, 1] -= 0.9 * radius  # the tips part by the thickness
    flex[1] = flex[0] + rng.normal((4, 6, 2), 3) if rng.random() < 0.6 else flex[1]
    pose = _posed(flex, np.array([*across, opposition, adduction], np.float32), rng)
    tips, outward = marks(bones(pose))
    at, normal = (tips[0] + tips[1]) / 2, unit(outward[0] - outward[1])
    away = at - np.array([2, 52, -8], np.float32)
    away = unit(away - normal * (away @ normal))
    if kind == "pen":  # leans on the hand between thumb and index finger, or lies across the tips
        rest = np.array([-24, 84, 10], np.float32) - at
        back = unit(rest + rng.normal(0, 9, 3)) if rng.random() < 0.65 else unit(np.cross(normal, away) + 0.4 * away)
        return Grip(pose, _frame(normal, back), np.asarray(at, np.float32))
    spin = rotation([0, 0, 1], float(rng.normal(0, 25)))
    turn = _frame(np.cross(away, normal), away) @ spin
    reach = (width / 2 - rng.uniform(6, 18)) * away + rng.normal(0, 0.12 * width) * np.cross(normal, away)
    return Grip(pose, np.asarray(turn, np.float32), np.asarray(at + reach, np.float32))


def _scissors(rng: Rng) -> Grip:
    """Return a cigarette between index and middle finger."""
    lift, tip = rng.uniform(0, 45), rng.uniform(5, 40)
    flex = np.array([(lift, tip, tip / 2)] * 2 + [(lift + 30, tip + 40, 24), (lift + 38, tip + 46, 26)], np.float32)
    pose = _posed(flex, _REST, rng, 1.0)
    joints = skeleton(bones(pose))
    at = (joints[3] + joints[7]) / 2 + (joints[4] - joints[3]) * float(rng.uniform(-0.8, 0.4))
    along, side = unit(joints[4] - joints[2]), unit(joints[7] - joints[3])
    out = unit(np.cross(along, side)) * (1 if rng.random() < 0.8 else -1)
    return Grip(pose, _frame(side, unit(out + rng.normal(0, 0.15, 3))), np.asarray(at, np.float32))
