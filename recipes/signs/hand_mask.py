"""Draws the silhouette of one upright hand, fast because nothing is lit or coloured; it must not know sets or files."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from handlens.synth.hand_bones import HandPose, bones, skeleton
from handlens.synth.hand_model import pose_hand
from handlens.synth.hand_skin import HandAppearance
from handlens.synth.rasterize import F32, U8, rotation

Rng = np.random.Generator

FINER = 2  # pixels of the drawing per pixel of the picture

#: signs whose finger is turned to a side of the picture: the tip (thumb, index ...) and where it points, in degrees
_AIMED = {"thumb_up": (0, (0.0,)), "point_side": (1, (90.0, -90.0))}


@dataclass(frozen=True, eq=False)
class View:
    """How a hand is seen.

    Attributes:
        turn: (3, 3) from right-hand coordinates to x right, y up, z toward the camera.
        left: mirrored to a left hand.
        away: millimetres from the camera.
        arm: millimetres of forearm below the wrist; negative cuts into the hand's root.
        build: (3,) stretch of this person's hand along x, y, z.
    """

    turn: F32
    left: bool
    away: float
    arm: float
    build: F32


def upright_turn(name: str, pose: HandPose, rng: Rng, tilt: float = 12.0) -> F32:
    """3x3 from right-hand to camera coordinates: palm or back to the camera, fingers (or what points) up."""
    yaw = float(np.clip(rng.normal(0, 16), -35, 35))
    hollow = name == "C" or (name == "0" and float(pose.flex[:4, 1].mean()) < 72)
    if name in _AIMED:
        yaw = float(rng.uniform(-55, 55))
    elif hollow and rng.random() < 0.95:  # C and O show their hollow from the side only
        yaw = float(rng.choice([-1, 1]) * rng.uniform(50, 90))
    elif name == "nine":  # and a ring of thumb and index finger shows from half aside
        yaw = float(rng.choice([-1, 1]) * rng.uniform(12, 60))
    face = 180.0 if rng.random() < 0.5 else 0.0
    turn = rotation([1, 0, 0], float(np.clip(rng.normal(0, 14), -35, 35))) @ rotation([0, 1, 0], face + yaw)
    roll = float(np.clip(rng.normal(0, tilt / 2), -tilt, tilt))
    if name in _AIMED:
        tip, aims = _AIMED[name]
        joints = skeleton(bones(pose))
        way = turn @ (joints[20] - joints[17] if tip == 0 else joints[4] - joints[1])
        roll += float(np.rad2deg(np.arctan2(way[0], way[1]))) + float(rng.choice(aims))
    return np.asarray(rotation([0, 0, 1], roll) @ turn, np.float32)


def legible(pose: HandPose, turn: F32, apart: float = 12.0) -> bool:
    """Whether every stretched finger can be told from the others: its tip `apart` mm or more from their joints."""
    joints = (skeleton(bones(pose)) @ turn.T)[1:, :2].reshape(5, 4, 2)
    for digit in range(5):
        if float(pose.flex[digit].sum()) > 60 or (digit == 4 and pose.flex[4, 0] > 1):
            continue
        others = np.delete(joints, digit, axis=0).reshape(-1, 2)
        if float(np.linalg.norm(others - joints[digit, 3], axis=1).min()) < apart:
            return False
    return True


def hand_mask(pose: HandPose, appearance: HandAppearance, view: View, size: int, rng: Rng) -> U8:
    """Return the silhouette (size, size) uint8, 255 on the hand: the hand lies whole in the picture.

    The arm may leave it.
    """
    mirror = np.array([-1 if view.left else 1, 1, 1], np.float32)
    turn = view.turn * mirror * np.array([[-1 if view.left else 1], [1], [1]], np.float32)
    shape = view.build[:, None] * mirror[:, None]
    corners = _flat(skeleton(bones(pose, appearance.reach)) * shape[:, 0] @ turn.T, view.away)
    low, high = corners.min(0) - 12, corners.max(0) + 12
    big = size * FINER
    fill = float(rng.uniform(0.6, 0.9))
    scale = big * fill / float((high - low).max())
    slack = big - (high - low) * scale
    corner = slack * np.array([rng.uniform(0.1, 0.9), rng.uniform(0.05, 0.6)])
    hand = pose_hand(
        pose, appearance, view.left, max(view.arm, 0.0), float(np.clip(0.55 * scale**2, 0.04, 1.0)), turn[2]
    )
    points = hand.points[hand.points[:, 1] > -view.arm] if view.arm < 30 else hand.points
    at = (_flat(points * np.abs(view.build) @ turn.T, view.away) - (low[0], high[1])) * (scale, -scale) + corner
    return _filled(np.asarray(at, np.float32), big, size)


def _flat(points: F32, away: float) -> F32:
    """(n, 2) millimetres in the plane of the wrist."""
    near = away / (away - np.minimum(points[:, 2], 0.6 * away))
    return np.asarray(points[:, :2] * near[:, None], np.float32)


def _filled(at: F32, big: int, size: int) -> U8:
    """Return the picture of points: gaps between them closed, gaps between fingers kept, the rim smooth."""
    cells = np.floor(at).astype(np.int32)
    inside = ((cells >= 0) & (cells < big)).all(1)
    mask = np.zeros((big, big), np.uint8)
    mask[cells[inside, 1], cells[inside, 0]] = 255
    closed = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (5, 5)))
    small = cv2.resize(cv2.GaussianBlur(closed, (0, 0), 1.0), (size, size), interpolation=cv2.INTER_AREA)
    return np.where(small > 127, 255, 0).astype(np.uint8)
