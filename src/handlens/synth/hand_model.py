"""Poses the hand in three dimensions and renders it as a cut-out on transparent ground.

It must not know about heads, scenes or labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.synth.hand_bones import (
    POSES,
    HandPose,
    bones,
    finger_axes,
    marks,
    named_pose,
    random_pose,
    skeleton,
    skeleton_elbow,
)
from handlens.synth.hand_shape import hand_shape
from handlens.synth.hand_skin import HandAppearance, dress, hand_albedo, random_appearance
from handlens.synth.rasterize import F32, U8, Surface, masked_blur, rotation, splat_discs, to_srgb, unit
from handlens.synth.shading import Light, random_light, shade

Rng = np.random.Generator

_Skin = tuple[F32, F32, NDArray[np.int64], NDArray[np.bool_]]
VIEWS = ("dorsal", "palmar", "side", "toward")


@dataclass(frozen=True, eq=False)
class PosedHand:
    """Skin points of a posed hand in hand coordinates (left hands are mirrored), with their albedo to be.

    Attributes:
        points: (n, 3) float32 mm; normals: (n, 3).
        rows: (n,) rows of `hand_shape()`, to look up details.
        cloth: (n,) bool, on the sleeve.
        tips: (5, 3) pads of thumb, index, middle, ring, little; tip_normals: (5, 3) outward.
        palm: (3,) skin of the palm; palm_normal: (3,).
        knuckle: (3,) back of the fingers between the middle joints; elbow: (3,).
    """

    points: F32
    normals: F32
    rows: NDArray[np.int64]
    cloth: NDArray[np.bool_]
    tips: F32
    tip_normals: F32
    palm: F32
    palm_normal: F32
    knuckle: F32
    elbow: F32


JOINT_ORDER = (0, 17, 18, 19, 20, *range(1, 17))
"""Rows of `skeleton` in the order that hand landmarks have: wrist, thumb, index, middle, ring, little finger."""


@dataclass(frozen=True, eq=False)
class RenderedHand:
    """A rendered hand and where its parts are.

    Attributes:
        rgb: (size, size, 3) uint8; alpha: (size, size) float32 0..1.
        tips: (5, 2) float32 pixels, pads of thumb to little finger; palm: (2,) pixels.
        landmarks: (21, 2) float32 pixels: wrist, then four points of thumb, index, middle, ring and little finger.
        world: (21, 3) float32 millimetres in camera coordinates, x right, y up, z toward the camera.
        left: whether it is a left hand.
    """

    rgb: U8
    alpha: F32
    tips: F32
    palm: F32
    landmarks: F32
    world: F32
    left: bool


def pose_hand(
    pose: HandPose,
    appearance: HandAppearance,
    left: bool = False,
    arm: float = 265.0,
    share: float = 1.0,
    facing: F32 | None = None,
) -> PosedHand:
    """Bends the hand.

    Args:
        pose: joint angles.
        look: the person; the sleeve is put on here.
        left: mirror to a left hand.
        arm: millimetres of forearm to keep.
        share: part of the skin points to keep, for small pictures.
        facing: (3,) in hand coordinates; points that look away from it are left out.
    """
    shape = hand_shape()
    matrices = bones(pose, appearance.reach)
    mirror = np.array([-1 if left else 1, 1, 1], np.float32)
    toward = None if facing is None else np.einsum("bij,i->bj", matrices[:, :, :3], facing * mirror)
    parts: list[_Skin] = []
    for first, end, used, weights in shape.groups:
        on_arm = first >= shape.arm_rows
        stop = first + max(1, int((end - first) * min(share * (1.5 if on_arm else 1.0), 1.0)))
        rows = np.arange(first, stop)
        weights = weights[: stop - first]
        rest_normals = shape.normals[first:stop]
        if toward is not None:
            limit = 0.0 if appearance.sleeve is None or not on_arm else -9.0  # one can look into a sleeve
            seen = np.flatnonzero(np.einsum("ij,ij->i", weights @ toward[list(used)], rest_normals) > limit)
            rows, weights = rows[seen], weights[seen]
        if on_arm:
            inside = np.flatnonzero(shape.points[rows, 1] > -arm)
            rows, weights = rows[inside], weights[inside]
        rest, rest_normals = shape.points[rows], shape.normals[rows]
        swell, cloth = np.float32(appearance.plump), np.zeros(len(rows), np.bool_)
        if on_arm and appearance.sleeve is not None:
            rest, rest_normals, cloth = dress(rest, rest_normals, appearance.sleeve)
        points, normals = _bent(rest + rest_normals * swell, rest_normals, matrices, used, weights)
        parts.append((points * mirror, normals * mirror, rows, cloth))
    points, normals = np.concatenate([p[0] for p in parts]), unit(np.concatenate([p[1] for p in parts]))
    rows, cloth = np.concatenate([p[2] for p in parts]), np.concatenate([p[3] for p in parts])
    tips, outward = marks(matrices)
    middle = finger_axes(1)
    joint = middle[0] + middle[1] * middle[3][0] + middle[2] * 9.0
    knuckle = matrices[9 + 1][:, :3] @ joint + matrices[9 + 1][:, 3]
    elbow = matrices[2][:, :3] @ np.array([0, -265, 0], np.float32) + matrices[2][:, 3]
    return PosedHand(
        points, normals, rows, cloth, tips * mirror, outward * mirror,
        np.array([2, 52, -15.5], np.float32) * mirror, np.array([0, 0, -1], np.float32),
        np.asarray(knuckle * mirror, np.float32), np.asarray(elbow * mirror, np.float32),
    )  # fmt: skip


def _bent(points: F32, normals: F32, matrices: F32, used: Sequence[int], weights: F32) -> tuple[F32, F32]:
    """Return skin (n, 3) and its normals (n, 3) moved with the bones that it hangs on.

    Args:
        points: skin of the hand at rest, millimetres.
        normals: its normals.
        matrices: (bones, 3, 4) from rest to pose.
        used: the bones that move this skin.
        weights: (n, bones used) how much each of them moves a point.
    """
    turn = matrices[used[0], :, :3]
    moved, turned = points @ turn.T + matrices[used[0], :, 3], normals @ turn.T
    if len(used) > 1:
        moved, turned = moved * weights[:, :1], turned * weights[:, :1]
    for k, bone in enumerate(used[1:], 1):
        turn = matrices[bone, :, :3]
        moved += weights[:, k : k + 1] * (points @ turn.T + matrices[bone, :, 3])
        turned += weights[:, k : k + 1] * (normals @ turn.T)
    return moved, turned


def random_view(rng: Rng, view: str | F32 | None = None) -> F32:
    """3x3 from hand to camera coordinates (x right, y up, z toward the camera).

    Raises:
        ValueError: for a name that is not in `VIEWS`.
    """
    if isinstance(view, np.ndarray):
        return np.asarray(view, np.float32)
    name = str(rng.choice(VIEWS, p=(0.3, 0.34, 0.24, 0.12))) if view is None else view
    if name not in VIEWS:
        raise ValueError(f"unknown view {name!r}; known are {', '.join(VIEWS)}, or give a 3x3 rotation")
    yaw = {"dorsal": 0.0, "palmar": 180.0, "side": rng.choice([-90.0, 90.0]), "toward": rng.uniform(0, 360)}[name]
    pitch = rng.uniform(40, 80) if name == "toward" else rng.normal(0, 16)
    turn = rotation([0, 0, 1], rng.normal(0, 55)) @ rotation([1, 0, 0], pitch)
    return np.asarray(turn @ rotation([0, 1, 0], yaw + rng.normal(0, 22)), np.float32)


def draw_hand(
    rng: Rng,
    size: int,
    pose: str | HandPose | None = None,
    tone: float | None = None,
    view: str | F32 | None = None,
    appearance: HandAppearance | None = None,
    light: Light | None = None,
    left: bool | None = None,
    arm: float | None = None,
) -> RenderedHand:
    """Render one hand with wrist and forearm, filling most of a square picture.

    Args:
        rng: everything not given is drawn from it; the same seed gives the same picture.
        size: side of the square, pixels.
        pose: a name of `POSES`, joint angles, or None for any.
        tone: skin from 0 (very light) to 1 (very dark), or None.
        view: "dorsal", "palmar", "side", "toward" (fingers at the camera), a 3x3 rotation, or None.
        appearance: the whole person (overrules `tone`).
        light: or None.
        left: mirror to a left hand; None for either.
        arm: millimetres of forearm below the wrist; None leaves it long enough to leave the picture.

    Raises:
        ValueError: for an unknown pose or view.
    """
    if not isinstance(pose, HandPose):
        pose = random_pose(rng) if pose is None else named_pose(pose, rng)
    appearance = appearance or random_appearance(rng, tone)
    light = light or random_light(rng)
    left = bool(rng.random() < 0.5) if left is None else left
    turn = _view_of(rng, view, pose, left)
    corners = skeleton(bones(pose, appearance.reach)) * np.array([-1 if left else 1, 1, 1], np.float32)
    canvas = _canvas(rng, corners @ turn.T, size)
    big, scale = canvas.side, canvas.scale
    if arm is None:
        arm = _arm_length(pose, left, turn, big / scale)
    hand = pose_hand(pose, appearance, left, arm, scale**2 / 4.0, turn[2])
    at, normals = hand.points @ turn.T, hand.normals @ turn.T
    patch = np.where(hand.rows < hand_shape().arm_rows, 0.36, 0.75).astype(np.float32)
    index = splat_discs(canvas.to_pixels(at), at[:, 2], normals, scale, (big, big), patch)
    surface = gather(index, at, normals, *hand_albedo_seen(index, hand, appearance), scale)
    rgb, alpha = _shaded(surface, light, canvas.finer, size)
    joints = (skeleton(bones(pose, appearance.reach)) * np.array([-1 if left else 1, 1, 1], np.float32)) @ turn.T
    joints = np.asarray(joints[list(JOINT_ORDER)], np.float32)
    shrink = size / big
    tips = canvas.to_pixels(hand.tips @ turn.T) * shrink
    palm = canvas.to_pixels(hand.palm[None] * np.array([1, 1, 0], np.float32) @ turn.T)[0] * shrink
    return RenderedHand(
        to_srgb(rgb), np.clip(alpha, 0, 1), np.asarray(tips, np.float32), np.asarray(palm, np.float32),
        np.asarray(canvas.to_pixels(joints) * shrink, np.float32), joints, left,
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Canvas:
    """The square picture in which a hand is drawn.

    Attributes:
        away: millimetres from the camera to the wrist.
        middle: (2,) millimetres, what is in the middle of the picture.
        scale: pixels for each millimetre.
        finer: how many times larger than asked it is drawn.
        side: pixels.
    """

    away: float
    middle: F32
    scale: float
    finer: float
    side: int

    def to_pixels(self, points: F32) -> F32:
        """Return (n, 2) pixels of points (n, 3) in camera coordinates."""
        flat = _project(points, self.away) - self.middle
        return np.asarray(flat * np.array([self.scale, -self.scale], np.float32) + self.side / 2, np.float32)


def _canvas(rng: Rng, corners: F32, size: int) -> _Canvas:
    """Return the canvas that a hand with these corners (n, 3) fills; it is at most twice as large as `size`."""
    away, margin = float(rng.uniform(450, 1100)), float(rng.uniform(0.74, 0.9))
    flat = _project(corners, away)
    low, high = flat.min(0) - 11, flat.max(0) + 11
    scale = size * margin / float((high - low).max())
    finer = float(np.clip(2.1 / scale, 1.0, 2.0))  # there are skin points for about two pixels a millimetre
    side = round(size * finer)
    return _Canvas(away, (low + high) / 2, scale * (side / size), finer, side)


def _view_of(rng: Rng, view: str | F32 | None, pose: HandPose, left: bool) -> F32:
    """Return the 3x3 view that was asked for, or one in which the forearm does not hide the hand."""
    turn = random_view(rng, view)
    for _ in range(12):  # a forearm that points at the camera hides the hand
        if view is not None or float((turn @ skeleton_elbow(pose))[2]) < 60:
            break
        turn = random_view(rng)
    if left:
        turn = turn * np.array([[1, -1, 1]], np.float32) * np.array([[1], [-1], [1]], np.float32)
    return np.asarray(turn, np.float32)


def _arm_length(pose: HandPose, left: bool, turn: F32, side: float) -> float:
    """Return the millimetres of forearm that leave a picture of `side` millimetres."""
    lean = float(np.hypot(*(turn @ (skeleton_elbow(pose) * np.array([-1 if left else 1, 1, 1])))[:2])) / 265.0
    return float(np.clip(0.85 * side / max(lean, 0.2), 90, 265))


def _shaded(surface: Surface, light: Light, finer: float, size: int) -> tuple[F32, F32]:
    """Return linear rgb (size, size, 3) and alpha (size, size) of a surface that is `finer` times as large."""
    rgb = shade(surface, light)
    rgb = np.where(surface.mask[..., None] > 0, rgb, masked_blur(rgb, surface.mask, 1.0))
    alpha = cv2.GaussianBlur(surface.mask, (0, 0), 0.35 * finer)
    how = cv2.INTER_AREA if len(rgb) > size else cv2.INTER_LINEAR
    small, clear = (cv2.resize(image, (size, size), interpolation=how) for image in (rgb, alpha))
    return np.asarray(small, np.float32), np.asarray(clear, np.float32)


def _project(points: F32, away: float) -> F32:
    """Weak perspective: (n, 2) millimetres in the picture plane through the wrist, seen from `away` millimetres."""
    near = away / (away - np.minimum(points[:, 2], 0.6 * away))
    return np.asarray(points[:, :2] * near[:, None], np.float32)


def hand_albedo_seen(index: NDArray[np.int32], hand: PosedHand, appearance: HandAppearance) -> tuple[F32, F32, F32]:
    """Colour, gloss and softness per pixel: worked out only for points that are seen."""
    seen = index >= 0
    rows = index[seen]
    rgb, gloss, soft = hand_albedo(hand_shape().details[hand.rows[rows]], hand.cloth[rows], appearance)
    h, w = index.shape
    out = np.zeros((h, w, 3), np.float32), np.zeros((h, w), np.float32), np.zeros((h, w), np.float32)
    for image, value in zip(out, (rgb, gloss, soft), strict=True):
        image[seen] = value
    return out


def gather(
    index: NDArray[np.int32], at: F32, normals: F32, albedo: F32, gloss: F32, soft: F32, scale: float
) -> Surface:
    """Return the surface seen by the camera from the index picture of `splat`."""
    seen = index >= 0
    mask = seen.astype(np.float32)
    depth = np.zeros(index.shape, np.float32)
    normal = np.zeros((*index.shape, 3), np.float32)
    depth[seen], normal[seen] = at[index[seen], 2], normals[index[seen]]
    normal = unit(masked_blur(normal, mask, 0.8) + np.array([0, 0, 1e-4], np.float32))
    albedo = masked_blur(albedo, mask, 0.55)
    return Surface(depth, normal, albedo, gloss, soft, mask, scale)


__all__ = [
    "POSES", "VIEWS", "HandAppearance", "HandPose", "PosedHand", "RenderedHand", "draw_hand", "pose_hand",
    "random_view",
]  # fmt: skip
