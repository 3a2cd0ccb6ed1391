"""Puts a posed hand on a face, or at a distance in front of it, and says truthfully where it touches.

It must not know about colours, pictures or video.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .hand_bones import HandPose
from .hand_model import PosedHand, pose_hand
from .hand_skin import HandLook
from .splat import F32, rotation, unit

MARKS = ("thumb", "index", "middle", "ring", "little", "palm", "fingers", "knuckles", "heel")
_CELL = 1.5
#: skin this close (mm) counts as touching: it is about what a fingertip gives way
CLOSE = 2.0


@dataclass(frozen=True, eq=False)
class Placed:
    """A hand in world coordinates: hand point h lies at `turn @ h + shift`."""

    hand: PosedHand
    turn: F32
    shift: F32
    left: bool

    def moved(self, by: F32) -> Placed:
        """Shifted further."""
        return Placed(self.hand, self.turn, np.asarray(self.shift + by, np.float32), self.left)

    @property
    def points(self) -> F32:
        """Skin points in world coordinates."""
        return np.asarray(self.hand.points @ self.turn.T + self.shift, np.float32)


@dataclass(frozen=True, eq=False)
class Skin:
    """Points of a face with their region number, in world coordinates."""

    points: F32
    region: NDArray[np.uint8]


def mark_of(hand: PosedHand, mark: str, left: bool) -> tuple[F32, F32]:
    """Position and outward normal of a place of the hand, hand coordinates.

    Raises:
        ValueError: for a name that is not in `MARKS`.
    """
    if mark not in MARKS:
        raise ValueError(f"unknown mark {mark!r}; known are {', '.join(MARKS)}")
    i = MARKS.index(mark)
    if i < 5:
        return hand.tips[i], hand.tip_normals[i]
    if mark == "palm":
        return hand.palm, hand.palm_normal
    if mark == "heel":
        return hand.palm * np.array([1, 0.35, 1], np.float32), unit(
            hand.palm_normal + np.array([0, -0.3, 0], np.float32)
        )
    if mark == "knuckles":
        return hand.knuckle, unit([0.0, 0.85, 0.55])
    middle = hand.tips[1:4].mean(0) * 0.5 + hand.palm * 0.5
    return np.asarray(middle, np.float32), unit(hand.tip_normals[1:4].mean(0) + hand.palm_normal)


def turn_to(pairs: list[tuple[F32, F32, float]]) -> F32:
    """The rotation that best takes the first directions to the second ones, weighted (Kabsch)."""
    cross = np.zeros((3, 3))
    for a, b, weight in pairs:
        cross += weight * np.outer(unit(b), unit(a))
    u, _, vt = np.linalg.svd(cross)
    flip = np.diag([1, 1, np.sign(np.linalg.det(u @ vt))])
    return np.asarray(u @ flip @ vt, np.float32)


def gap_along(hand: F32, skin: Skin, way: F32) -> tuple[float, NDArray[np.int64]]:
    """How far the hand can fall against `way` before it meets the skin, and the skin points met there.

    Args:
        hand: (n, 3) world points.
        skin: the face.
        way: (3,) unit, away from the face.

    Returns:
        Millimetres (negative when the hand is inside; 1e3 when it passes by) and rows of `skin` within `CLOSE`.
    """
    side = unit(np.cross(way, [0.0, 1.0, 0.0] if abs(way[1]) < 0.9 else [1.0, 0.0, 0.0]))
    up = np.cross(side, way)
    frame = np.stack([side, up, way], axis=1).astype(np.float32)
    a, b = hand @ frame, skin.points @ frame
    low = np.floor(b[:, :2].min(0) / _CELL).astype(int)
    size = np.ceil(b[:, :2].max(0) / _CELL).astype(int) - low + 1

    def cell(p: F32) -> NDArray[np.int64]:
        at = np.floor(p[:, :2] / _CELL).astype(np.int64) - low
        return np.where(((at >= 0) & (at < size)).all(1), at[:, 0] * size[1] + at[:, 1], -1)

    top = np.full(int(size[0] * size[1]), -1e4, np.float32)
    bottom = np.full_like(top, 1e4)
    mine, theirs = cell(a), cell(b)
    np.maximum.at(top, theirs, b[:, 2])
    np.minimum.at(bottom, mine[mine >= 0], a[mine >= 0, 2])
    shape = (int(size[0]), int(size[1]))
    top = np.asarray(
        cv2.morphologyEx(top.reshape(shape), cv2.MORPH_CLOSE, np.ones((3, 3), np.uint8)), np.float32
    ).ravel()
    space = np.where((top > -9e3) & (bottom < 9e3), bottom - top, 1e3)
    gap = float(space.min())
    near = space < gap + CLOSE
    met = np.flatnonzero(near[theirs] & (b[:, 2] > top[theirs] - 4.0))
    return gap, met


def distance(hand: F32, skin: Skin) -> float:
    """Smallest distance between hand and face, mm, exact to about one millimetre."""
    a, b = hand[:: max(1, len(hand) // 1500)], skin.points[:: max(1, len(skin.points) // 4000)]
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    i, j = np.unravel_index(int(square.argmin()), square.shape)
    a = hand[((hand - a[i]) ** 2).sum(1) < 12.0**2]  # look closer around the nearest pair
    b = skin.points[((skin.points - b[j]) ** 2).sum(1) < 12.0**2]
    a, b = a[:: max(1, len(a) // 3000)], b[:: max(1, len(b) // 3000)]
    fine = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    return float(np.sqrt(max(min(fine.min(), square.min()), 0.0)))


def regions_met(skin: Skin, met: NDArray[np.int64], least: float = 0.2) -> tuple[int, ...]:
    """Region numbers among the met skin points, the largest first; traces are left out."""
    count = np.bincount(skin.region[met], minlength=8)[:8].astype(float)
    count[0] = 0
    if count.max() == 0:
        return ()
    order = np.argsort(-count, kind="stable")
    return tuple(int(r) for r in order if r and count[r] >= max(3.0, least * count.max()))


def place(
    pose: HandPose,
    look: HandLook,
    left: bool,
    mark: str,
    spot: F32,
    normal: F32,
    forearm: F32,
    share: float = 0.7,
    firm: float = 0.6,
    roll: F32 | None = None,
) -> Placed:
    """A hand whose `mark` lies at a spot, facing against `normal`, its forearm leading away along `forearm`.

    Args:
        pose, look, left: the hand.
        mark: a name of `MARKS`.
        spot, normal, forearm: (3,) world.
        share: part of the hand's points to keep.
        firm: weight of facing the normal against the weight 1 of the forearm.
        roll: extra rotation (3, 3) in world coordinates, or None.
    """
    hand = pose_hand(pose, look, left, share=share)
    at, outward = mark_of(hand, mark, left)
    turn = turn_to([(outward, -normal, firm), (hand.elbow, forearm, 1.0)])
    if roll is not None:
        turn = np.asarray(roll @ turn, np.float32)
    return Placed(hand, turn, np.asarray(spot - turn @ at, np.float32), left)


def settle(placed: Placed, skin: Skin, way: F32, gap: float = -0.8) -> tuple[Placed, tuple[int, ...]]:
    """Lets the hand fall along -`way` onto the skin, to stop at `gap` mm (slightly negative presses).

    Returns:
        The hand there and the region numbers that it meets first.
    """
    hand = placed.points
    space, met = gap_along(hand, skin, way)
    if space > 9e2:
        return placed, ()
    return placed.moved(np.asarray(-(space - gap) * way, np.float32)), regions_met(skin, met)


def jitter(rng: np.random.Generator, degrees: float) -> F32:
    """A small random rotation."""
    return rotation(rng.normal(0, 1, 3), float(rng.normal(0, degrees)))
