"""Pictures of one hand that holds a thing, or holds nothing while things, cloth or another hand are near it.

It must not know files, folders or nets.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.synth.hand_bones import HandPose, bones, named_pose, random_pose, skeleton
from handlens.synth.hand_model import pose_hand
from handlens.synth.hand_shape import hand_shape
from handlens.synth.hand_skin import HandAppearance, hand_albedo, random_appearance
from handlens.synth.points import Camera, Cloud, cloud, draw
from handlens.synth.rasterize import F32, U8, masked_blur, rotation, to_srgb
from handlens.synth.shading import Light, random_light, shade
from recipes.hold.grips import Grip, grip
from recipes.hold.objects import THING, Thing, pattern, random_thing, shifted, turned
from recipes.signs.finger_poses import FINGER_POSES, finger_pose

Rng = np.random.Generator

CANVAS = 208  # pixels of the drawing; the hand fills about 0.6 of it
HAND, ARM, OTHER, GROUND = 20, 40, 30, 61
#: what may be the matter with an empty hand, and how often
_EMPTY = {"grip": 0.22, "behind": 0.24, "free": 0.18, "ground": 0.2, "touching": 0.16}
EMPTY = tuple(_EMPTY)
_LEAST = {"pen": 0.015, "scissors": 0.012, "card": 0.04}  # of the hand's pixels: so much of a thing must be seen


@dataclass(frozen=True, eq=False)
class Held:
    """One picture.

    Attributes:
        rgb: (h, w, 3) uint8, the hand's surroundings as a detector would cut them out.
        holding: a thing is in the hand.
        kind: the grip, or one of `EMPTY`.
        share: pixels of the thing in the hand's box, as a share of those of the hand.
    """

    rgb: U8
    holding: bool
    kind: str
    share: float


@dataclass(frozen=True, eq=False)
class _Stage:
    """A hand before the camera. turn: (3, 3) from right-hand to camera coordinates, mirrored for a left hand."""

    pose: HandPose
    appearance: HandAppearance
    left: bool
    turn: F32
    camera: Camera

    def to_camera(self, part: Cloud) -> Cloud:
        """From right-hand coordinates; a left hand's things are mirrored with it."""
        flip = np.diag(np.array([-1 if self.left else 1, 1, 1], np.float32))
        return part.moved(np.asarray(self.turn @ flip, np.float32), np.zeros(3, np.float32))


def held_picture(rng: Rng, holding: bool, ground: F32) -> Held:
    """One hand, drawn again until what matters is to be seen.

    Args:
        rng: everything is drawn from it.
        holding: a thing in the hand, or none.
        ground: (CANVAS, CANVAS, 3) linear RGB behind it.
    """
    while True:
        kind = "held" if holding else str(rng.choice(EMPTY, p=list(_EMPTY.values())))
        thing = random_thing(rng)
        found = grip(thing.grip, thing.radius, thing.width, rng)
        gripping = kind in ("held", "grip") or (kind != "behind" and rng.random() < 0.4)
        pose = found.pose if gripping else _free_pose(kind, rng)
        stage = _staged(pose, random_appearance(rng, float(rng.beta(1.2, 1.8))), rng)
        near = _around(kind, stage, thing, found, rng)
        picture = _drawn(stage, near, thing.clear if kind in ("held", "behind") else 0.0, random_light(rng), ground)
        if picture is None:
            continue
        rgb, part = picture
        hand = (part == HAND).astype(np.uint8)
        shown, inside = int(hand.sum()), _beside(part)
        least = _LEAST.get(thing.grip, 0.07) * (2.0 if thing.clear else 1.0)
        if shown < 0.05 * part.size or (kind == "held" and not least * shown < inside <= 2.2 * shown):
            continue
        if kind == "behind" and not (part == THING).any():
            continue
        return Held(_cut(rgb, hand, rng), holding, thing.grip if holding else kind, inside / shown)


def _beside(part: NDArray[np.uint8]) -> int:
    """Pixels of the thing within a hand's box."""
    x, y, w, h = cv2.boundingRect((part == HAND).astype(np.uint8))
    return int((part[y : y + h, x : x + w] == THING).sum())


def _free_pose(kind: str, rng: Rng) -> HandPose:
    """Return a pose of a hand that has nothing to hold."""
    if kind in ("ground", "touching"):
        return named_pose(str(rng.choice(["flat", "relaxed", "open", "cup", "curled", "cheek", "fist"])), rng)
    if rng.random() < 0.6:
        return random_pose(rng)
    return finger_pose(str(rng.choice(FINGER_POSES)), rng)


def _staged(pose: HandPose, appearance: HandAppearance, rng: Rng) -> _Stage:
    """From any side, the arm from below more often than from elsewhere, seldom toward the camera."""
    for _ in range(8):
        yaw = rng.choice([0.0, 180.0, 90.0, -90.0], p=(0.34, 0.22, 0.3, 0.14)) + rng.normal(0, 28)
        roll = rng.normal(0, 45) if rng.random() < 0.55 else rng.uniform(-180, 180)
        turn = np.asarray(
            rotation([0, 0, 1], roll) @ rotation([1, 0, 0], rng.normal(0, 24)) @ rotation([0, 1, 0], float(yaw)),
            np.float32,
        )
        if (turn @ np.array([0, -1, 0], np.float32))[2] < 0.55:
            break
    left = bool(rng.random() < 0.5)
    mirror = np.array([-1 if left else 1, 1, 1], np.float32)
    turn = np.asarray(turn * mirror[None] * mirror[:, None], np.float32) if left else turn
    corners = (skeleton(bones(pose, appearance.reach)) * mirror) @ turn.T
    low, high = corners[:, :2].min(0) - 11, corners[:, :2].max(0) + 11
    scale = CANVAS * float(rng.uniform(0.54, 0.66)) / float((high - low).max())
    across, up = ((low + high) / 2 * scale).tolist()
    camera = Camera(scale, float(rng.uniform(400, 1500)), (CANVAS / 2 - across, CANVAS / 2 + up))
    return _Stage(pose, appearance, left, turn, camera)


def _hand(stage: _Stage, number: int = HAND, share: float = 0.32) -> list[Cloud]:
    """Return the hand's skin, and the arm with its sleeve."""
    hand = pose_hand(stage.pose, stage.appearance, stage.left, 265.0, share, stage.turn[2])
    rgb, gloss, soft = hand_albedo(hand_shape().details[hand.rows], hand.cloth, stage.appearance)
    own = hand.rows < hand_shape().arm_rows
    zero = np.zeros(3, np.float32)
    whole = cloud(hand.points, hand.normals, rgb, gloss, soft, np.where(own, number, ARM), 0.75).moved(stage.turn, zero)
    return [whole.kept(own), replace(whole.kept(~own), size=1.3)]


def _around(kind: str, stage: _Stage, thing: Thing, found: Grip, rng: Rng) -> list[Cloud]:
    """Return what is in, behind, below or at the hand, in camera coordinates."""
    if kind == "held":
        return [stage.to_camera(thing.cloud.moved(found.turn, found.shift))]
    hand = skeleton(bones(stage.pose)) * np.array([-1 if stage.left else 1, 1, 1], np.float32) @ stage.turn.T
    middle = hand[1:].mean(0)
    if kind == "behind":  # farther than the hand and not in it
        far = float(hand[:, 2].min()) - rng.uniform(25, 130)
        spin = rotation(rng.normal(0, 1, 3), float(rng.uniform(0, 180)))
        body = thing.cloud.moved(spin, np.zeros(3, np.float32))
        way, reach = rng.uniform(0, 2 * np.pi), rng.uniform(40, 110)  # right behind a fist it would look gripped
        body = shifted(body, middle[0] + reach * np.cos(way), middle[1] + reach * np.sin(way))
        return [shifted(body, z=far - float(body.points[:, 2].max()))]
    if kind == "ground":
        return [_support(hand, rng)]
    if kind == "touching":
        return _other_hand(stage, middle, rng)
    return []


def _support(hand: F32, rng: Rng) -> Cloud:
    """Return a table, wall, or a limb in cloth that the hand lies on."""
    low, middle = float(hand[1:, 2].min()) - 9, hand[1:].mean(0)
    if rng.random() < 0.5:  # a limb or body
        r = rng.uniform(45, 140)
        body = turned(rng, [(-260, r), (260, r * rng.uniform(0.8, 1.2))], 0.01)
        body = shifted(body, middle[0], middle[1], low - r, rotation([0, 0, 1], float(rng.uniform(0, 180))))
        return replace(body, part=np.full(len(body.points), GROUND, np.uint8), size=0.9)
    at = rng.uniform(-190, 190, (80_000, 2)).astype(np.float32)
    paint = pattern(rng, at[:, 0], at[:, 1])
    flat = cloud(np.column_stack([at, 0 * at[:, :1]]), (0, 0, 1), paint, rng.uniform(0, 0.2), 0.0, GROUND, 0.9)
    tilt = rotation([rng.normal(), rng.normal(), 0.001], float(abs(rng.normal(0, 16))))
    edge = rng.uniform(-60, 120) if rng.random() < 0.4 else -190.0  # the edge of a table
    return shifted(flat.kept(at[:, 1] > edge), middle[0], middle[1], low - 3, tilt)


def _other_hand(stage: _Stage, middle: F32, rng: Rng) -> list[Cloud]:
    """Another hand of the same person, on, in or below this one."""
    pose = named_pose(str(rng.choice(["flat", "relaxed", "cup", "curled", "fist", "open"])), rng)
    yaw = float(rng.choice([0, 180]) + rng.normal(0, 30))
    turn = rotation([0, 0, 1], float(rng.uniform(0, 360))) @ rotation([0, 1, 0], yaw)
    other = _Stage(pose, stage.appearance, not stage.left, np.asarray(turn, np.float32), stage.camera)
    clouds = _hand(other, OTHER)
    own = clouds[0].points.mean(0)
    side = 1 if rng.random() < 0.3 else -1
    shift = middle - own + np.array([rng.normal(0, 32), rng.normal(0, 32), side * rng.uniform(18, 34)], np.float32)
    x, y, z = (float(v) for v in shift)
    return [shifted(part, x, y, z) for part in clouds]


def _drawn(
    stage: _Stage, near: list[Cloud], clear: float, light: Light, ground: F32
) -> tuple[F32, NDArray[np.uint8]] | None:
    """Linear RGB and part numbers of the canvas; through clear things one sees what they hide."""
    size = (CANVAS, CANVAS)
    hand = _hand(stage)
    surface, part, _ = draw([*hand, *near], stage.camera, size)
    if not (part == HAND).any():
        return None
    rgb = _over(ground, shade(surface, light), surface.mask)
    if clear > 0:
        bare, _, _ = draw(hand, stage.camera, size)
        through = _over(ground, shade(bare, light), bare.mask)
        edge = np.clip(1 - surface.normal[..., 2], 0, 1)  # glass is brightest and darkest at its rim
        share = np.where(part == THING, clear * (1 - 0.7 * edge), 0).astype(np.float32)
        share = np.asarray(cv2.GaussianBlur(share, (0, 0), 0.8), np.float32)
        rgb = rgb + (through - rgb) * share[..., None]
    return np.asarray(rgb, np.float32), part


def _over(ground: F32, rgb: F32, mask: F32) -> F32:
    """Put the drawn over the ground with a soft rim, and darkens the ground beside it a little."""
    full = np.where(mask[..., None] > 0, rgb, masked_blur(rgb, mask, 1.2))
    alpha = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.7), np.float32)[..., None]
    return np.asarray(ground + (full - ground) * alpha, np.float32)


def _cut(rgb: F32, hand: NDArray[np.uint8], rng: Rng) -> U8:
    """Return the square about the hand that a detector would give: its box times 1.2, more or less, and never exact."""
    x, y, w, h = cv2.boundingRect(hand)
    side = max(w, h) * float(np.clip(rng.normal(1.2, 0.1), 1.0, 1.6))
    at = np.array([x + w / 2, y + h / 2]) + rng.normal(0, 0.05, 2) * side
    low = np.round(at - side / 2).astype(int)
    pad = CANVAS // 2
    wide = cv2.copyMakeBorder(to_srgb(rgb), pad, pad, pad, pad, cv2.BORDER_REFLECT)
    cut = wide[max(low[1] + pad, 0) :, max(low[0] + pad, 0) :][: round(side), : round(side)]
    return np.ascontiguousarray(cut)
