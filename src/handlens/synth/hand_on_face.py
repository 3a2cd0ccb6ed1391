"""Puts a posed hand on a face, or at a distance in front of it, and says truthfully where it touches.

It must not know about colours, pictures or video.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.synth.hand_bones import HandPose
from handlens.synth.hand_model import PosedHand, pose_hand
from handlens.synth.hand_skin import HandAppearance
from handlens.synth.rasterize import F32, rotation, unit

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
    """Return the rotation that best takes the first directions to the second ones, weighted (Kabsch)."""
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
    """Smallest distance between the points of hand and face, mm: pairs of ever smaller cubes, the far ones dropped."""
    a, b = hand, skin.points
    for edge in (12.0, 4.0, 1.5):
        (cubes_a, at_a), (cubes_b, at_b) = _cubes(a, edge), _cubes(b, edge)
        near_a, near_b = _nearest(cubes_a, cubes_b)
        limit = float(near_a.min()) + 2 * 1.74 * edge
        a, b = a[near_a[at_a] <= limit], b[near_b[at_b] <= limit]
    a, b = a[:: max(1, len(a) // 4000)], b[:: max(1, len(b) // 4000)]
    return float(_nearest(a, b)[0].min())


def _cubes(points: F32, edge: float) -> tuple[F32, NDArray[np.int64]]:
    """Corners of the cubes that hold points, and the cube of every point."""
    at = np.floor(points / edge).astype(np.int64) + 4096
    keys, own = np.unique((at[:, 0] * 8192 + at[:, 1]) * 8192 + at[:, 2], return_inverse=True)
    corner = np.stack([keys // 8192**2, keys // 8192 % 8192, keys % 8192], axis=1) - 4096
    return np.asarray(corner * edge, np.float32), np.asarray(own.ravel(), np.int64)


def _nearest(a: F32, b: F32) -> tuple[F32, F32]:
    """For every point of a and of b the distance to the nearest of the other."""
    square = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    far = np.sqrt(np.maximum(square, 0))
    return np.asarray(far.min(1), np.float32), np.asarray(far.min(0), np.float32)


def touched_rows(hand: F32, skin: Skin) -> NDArray[np.int64]:
    """Rows of `skin` within about `CLOSE` mm of the hand, from any side."""
    low, high = hand.min(0) - CLOSE, hand.max(0) + CLOSE
    rows = np.flatnonzero(((skin.points > low) & (skin.points < high)).all(1))
    shape = np.ceil((high - low) / CLOSE).astype(int) + 1
    filled = np.zeros(shape, np.bool_)
    filled[tuple(((hand - low) / CLOSE).astype(int).T)] = True
    return np.asarray(rows[filled[tuple(((skin.points[rows] - low) / CLOSE).astype(int).T)]], np.int64)


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
    appearance: HandAppearance,
    left: bool,
    mark: str,
    spot: F32,
    normal: F32,
    forearm: F32,
    share: float = 0.7,
    firm: float = 0.6,
    roll: F32 | None = None,
) -> Placed:
    """Return a hand whose `mark` lies at a spot, facing against `normal`, its forearm leading away along `forearm`.

    Args:
        pose, look, left: the hand.
        mark: a name of `MARKS`.
        spot, normal, forearm: (3,) world.
        share: part of the hand's points to keep.
        firm: weight of facing the normal against the weight 1 of the forearm.
        roll: extra rotation (3, 3) in world coordinates, or None.
    """
    hand = pose_hand(pose, appearance, left, share=share)
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
    """Return a small random rotation."""
    return rotation(rng.normal(0, 1, 3), float(rng.normal(0, degrees)))
