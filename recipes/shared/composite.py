"""Composites: a cut-out hand put on a face, in front of it or beside it, with exact masks; knows nothing of nets.

Every number is a guess about cameras and people that was tried on held-out people; see the model card for results.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.tasks.touch import REGIONS
from handlens.train.augment.photometric import motion_blur, noise
from recipes.shared.cutouts import Cutout
from recipes.shared.face_regions import NUMBER, OVAL, face_axes

Float = NDArray[np.float32]


@dataclass(eq=False)
class Scene:
    """A face crop under construction. image (s, s, 3) float32 RGB; parts (s, s) face-part map, also under hands; points
    (468, 2) mesh or None; hand (s, s) 0..1 mask of all hands; hidden (s, s) 0..1 what hands, sleeves and things cover;
    arm (s, s) 0..1 what of the hands is bare forearm.

    Attributes:
        touched: Region names.
        contacts: Points (2,) in pixels where a hand touches.
    """

    image: Float
    parts: NDArray[np.uint8]
    points: Float | None
    hand: Float
    touch: bool = False
    over: bool = False
    touched: set[str] = field(default_factory=set)
    contacts: list[Float] = field(default_factory=list)
    hidden: Float = field(init=False)
    arm: Float = field(init=False)

    def __post_init__(self) -> None:
        self.hidden, self.arm = np.zeros_like(self.hand), np.zeros_like(self.hand)


GOALS = {"mouth": 1.3, "chin": 1.5, "cheek": 1.4, "ear": 0.8}
"""How often a part of the face is touched, against 1 for the others."""
FIST_GOALS = {"mouth": 2.0, "chin": 4.0, "cheek": 2.5, "eye": 0.7, "nose": 0.7, "forehead": 0.7, "ear": 0.3}
"""The same for fists: they prop the chin and the cheek, or hide the lips."""


WRIST = 0.12
"""Lengths of the palm behind the wrist at which the forearm begins, as the hand net learns it."""


def add_hand(rng: Generator, scene: Scene, hand: Cutout, kind: str, goals: Mapping[str, float] = GOALS) -> Float | None:
    """Put one hand into the scene, in place.

    Args:
        kind: touch, front or beside the face; free: anywhere, of any size (the only kind for a scene without a mesh).
        goals: how often each part of the face is touched, against 1 where none is named.

    Returns:
        The box (4,) of the hand without its forearm, or None when there was no room for it.
    """
    size = scene.image.shape[0]
    if kind == "free" or scene.points is None:
        kind, face_height = "free", float(rng.uniform(0.1, 0.75)) * size
        goal: tuple[Float, str] | None = (rng.uniform(0.05, 0.95, 2).astype(np.float32) * size, "")
    else:
        _, _, face_height = face_axes(scene.points)
        goal = _goal(rng, scene, scene.points, kind, face_height, goals)
    if goal is None:
        return None
    spot, region = goal
    factor = {"touch": (0.72, 1.25), "front": (0.8, 2.1), "beside": (0.6, 1.6), "free": (0.6, 1.3)}[kind]
    scale = float(rng.uniform(*factor)) * face_height * 1.15 / hand.length
    matrix = _placement(rng, hand, scene, spot, scale, kind)
    rgb, bare = _posed(rng, hand, matrix, size)
    if (bare > 0.5).sum() < 30:
        return None
    rgb, alpha, skin = _with_forearm(rng, hand, matrix, rgb, bare, scale)
    face = scene.parts > 0
    covered = float((alpha > 0.5)[face].sum()) / max(1, int(face.sum()))
    low, high = {"touch": (0.0, 0.93), "front": (0.04, 0.97), "beside": (-1.0, 0.0), "free": (-1.0, 0.5)}[kind]
    if not low < covered <= high:
        return None
    rgb = _toned(rng, rgb, alpha, scene, kind)
    if rng.random() < (0.5 if kind in ("front", "free") else 0.2):
        soft = motion_blur(rng, np.dstack((rgb, alpha, skin)), float(rng.uniform(1.5, 7.0)))
        rgb, alpha, skin = soft[..., :3], soft[..., 3], soft[..., 4]
    alpha = np.asarray(cv2.GaussianBlur(alpha, (0, 0), float(rng.uniform(0.5, 1.1))), np.float32)
    _cast_shadow(rng, scene, alpha, kind, face_height)
    scene.image = scene.image * (1 - alpha[..., None]) + rgb * alpha[..., None]
    skin = np.minimum(skin, alpha)
    scene.hand = np.maximum(scene.hand * (1 - alpha), skin)
    behind = np.maximum(bare <= 0.5, _behind_wrist(hand, matrix, bare.shape))
    scene.arm = np.maximum(scene.arm * (1 - alpha), skin * behind).astype(np.float32)
    scene.hidden = np.maximum(scene.hidden, alpha)
    if kind == "touch":
        scene.touch = scene.over = True
        scene.touched.add(region)
        scene.contacts += [spot, *_tips_on_face(hand, matrix, scene)]
    elif kind == "front":
        scene.over = True
    ys, xs = np.nonzero(bare > 0.5)
    return np.array([xs.min(), ys.min(), xs.max() + 1, ys.max() + 1], np.float32)


def _behind_wrist(hand: Cutout, matrix: Float, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Return (s, s): which pixels lie behind the wrist as a teacher saw it; none where no teacher did."""
    if hand.joints is None:
        return np.zeros(shape, bool)
    wrist, knuckle = hand.joints[[0, 9]] @ matrix[:, :2].T + matrix[:, 2]
    along = (knuckle - wrist) / (np.hypot(*(knuckle - wrist)) + 1e-6)
    across = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), 2) - wrist
    return np.asarray(across @ along < -WRIST * np.hypot(*(knuckle - wrist)), bool)


def _tips_on_face(hand: Cutout, matrix: Float, scene: Scene) -> list[Float]:
    """Return the true finger tips that lie well inside a part of the face, and name those parts touched.

    A picture cannot show that one finger of a flat hand touches and the next one does not.
    """
    if hand.joints is None:
        return []
    found = []
    for tip in hand.joints[[4, 8, 12, 16, 20]] @ matrix[:, :2].T + matrix[:, 2]:
        x, y = (int(v) for v in np.round(tip))
        around = scene.parts[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3]
        if around.shape == (5, 5) and around[2, 2] and (around == around[2, 2]).all():
            scene.touched.add(REGIONS[int(around[2, 2]) - 1])
            found.append(np.asarray(tip, np.float32))
    return found


def _goal(
    rng: Generator, scene: Scene, points: Float, kind: str, face_height: float, goals: Mapping[str, float]
) -> tuple[Float, str] | None:
    if kind == "touch":
        names = [r for r in REGIONS if (scene.parts == NUMBER[r]).sum() > 12]
        if not names:
            return None
        odds = np.array([goals.get(r, 1.0) for r in names])
        region = str(rng.choice(names, p=odds / odds.sum()))
        ys, xs = np.nonzero(scene.parts == NUMBER[region])
        i = int(rng.integers(len(xs)))
        return np.array([xs[i], ys[i]], np.float32), region
    middle = points[list(OVAL)].mean(0)
    reach = 0.75 if kind == "front" else 1.5
    spot = middle + rng.normal(0, 0.5 * reach, 2).astype(np.float32) * face_height
    return spot.astype(np.float32), ""


def _placement(rng: Generator, hand: Cutout, scene: Scene, spot: Float, scale: float, kind: str) -> Float:
    """Return the 2x3 matrix that brings a touching point of the hand to `spot`.

    The forearm leaving down or sideways.
    """
    down, middle = np.array([0.0, 1.0]), scene.image.shape[1] / 2
    if scene.points is not None:
        down, middle = face_axes(scene.points)[0], float(scene.points[:, 0].mean())
    mirror = rng.random() < 0.5
    side = 1.0 if spot[0] > middle else -1.0
    sway = rng.normal(0, 0.75) if kind == "touch" else rng.normal(0, 0.6)
    lean = -side * abs(rng.normal(0, 0.45)) if rng.random() < 0.75 else side * abs(rng.normal(0, 0.6))
    target = np.arctan2(down[1], down[0]) + sway * 0.6 + lean
    if kind == "free" and rng.random() < 0.5:
        target = rng.uniform(0, 2 * np.pi)
    arm = hand.arm * np.array([-1.0, 1.0]) if mirror else hand.arm
    turn = target - np.arctan2(arm[1], arm[0])
    cos, sin = np.cos(turn) * scale, np.sin(turn) * scale
    squeeze = rng.uniform(0.72, 1.0)
    m = np.array([[cos, -sin], [sin, cos]])
    across = np.array([np.cos(target + np.pi / 2), np.sin(target + np.pi / 2)])
    m = (np.eye(2) - (1 - squeeze) * np.outer(across, across)) @ m  # a hand seen from the side is narrower
    if mirror:
        m = m @ np.diag([-1.0, 1.0])
    roll = rng.random()
    if kind != "touch" or roll < 0.3:
        anchor = hand.palm + rng.normal(0, 0.12, 2) * hand.length
    else:
        anchor = hand.tips[int(rng.integers(len(hand.tips)))]
        anchor = anchor + (hand.palm - anchor) * rng.uniform(0.0, 0.3)
    return np.concatenate((m, (spot - m @ anchor)[:, None]), 1).astype(np.float32)


def _posed(rng: Generator, hand: Cutout, matrix: Float, size: int) -> tuple[Float, Float]:
    alpha = cv2.warpAffine(hand.alpha, matrix, (size, size), flags=cv2.INTER_AREA).astype(np.float32) / 255
    rgb = cv2.warpAffine(
        hand.rgb, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    ).astype(np.float32)
    if rng.random() < 0.4:  # bend: a smooth random displacement of a few pixels
        field_small = rng.normal(0, 0.035 * size, (4, 4, 2)).astype(np.float32)
        bend = cv2.resize(field_small, (size, size), interpolation=cv2.INTER_CUBIC)
        grid = np.stack(np.meshgrid(np.arange(size), np.arange(size)), 2).astype(np.float32) + bend
        both = cv2.remap(np.dstack((rgb, alpha)), grid, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
        rgb, alpha = both[..., :3], both[..., 3]
    return np.asarray(rgb, np.float32), np.asarray(alpha, np.float32)


def _with_forearm(
    rng: Generator, hand: Cutout, matrix: Float, rgb: Float, alpha: Float, scale: float
) -> tuple[Float, Float, Float]:
    """Continue the cut-out beyond the wrist with skin or a sleeve: picture, what hides the ground, and what is skin."""
    wrist = matrix[:, :2] @ hand.wrist + matrix[:, 2]
    away = matrix[:, :2] @ hand.arm
    away = away / (np.hypot(*away) + 1e-6)
    width = hand.wrist_width * scale * 1.02
    if width < 3 or not (-20 < wrist[0] < alpha.shape[1] + 20 and -20 < wrist[1] < alpha.shape[0] + 20):
        return rgb, alpha, alpha
    if (alpha > 0.9).sum() < 20 or rng.random() < 0.12:
        return rgb, alpha, alpha
    sleeved = rng.random() < 0.5
    bare = float(rng.uniform(0.0, 0.7)) * scale * hand.length if sleeved else 400.0
    along, across = _arm_axes(rng, wrist, away, alpha.shape, width)
    skin = ((np.abs(across) < 1) & (along > -2.0) & (along < bare)).astype(np.float32)
    strip = _arm_skin(rgb, alpha, wrist, away, matrix[:, :2] @ hand.palm + matrix[:, 2]) * _shaded(rng, across)
    sleeve = np.zeros_like(alpha)
    if sleeved:
        sleeve = ((np.abs(across) < 1.25) & (along >= bare - 1.0)).astype(np.float32)
        cloth = rng.uniform(10, 245, 3) * _shaded(rng, across / 1.25) + 6 * noise(rng, *alpha.shape)
        strip = np.where(sleeve[..., None] > 0, cloth, strip)
    strip = np.asarray(cv2.GaussianBlur(strip.astype(np.float32), (0, 0), 1.0), np.float32) + 4 * noise(
        rng, *alpha.shape
    )
    skin, sleeve = cv2.GaussianBlur(skin, (0, 0), 0.8), cv2.GaussianBlur(sleeve, (0, 0), 0.8)  # type: ignore[assignment]
    out = rgb * alpha[..., None] + strip * (1 - alpha[..., None])
    return out, np.maximum(alpha, np.maximum(skin, sleeve)), np.maximum(alpha, skin * (1 - sleeve))


def _arm_axes(rng: Generator, wrist: Float, away: Float, shape: tuple[int, ...], width: float) -> tuple[Float, Float]:
    """Return (s, s) pixels along the arm from the wrist, and (s, s) across it, 1 at its rim.

    It grows wider towards the elbow and is a little bent, to one side.
    """
    grid = np.stack(np.meshgrid(np.arange(shape[1]), np.arange(shape[0])), 2).astype(np.float32) - wrist
    along = grid @ away
    bend = float(rng.normal(0, 0.02)) * np.clip(along, 0, None) ** 2 / width
    half = width * 0.5 * (1 + float(rng.uniform(0.1, 0.7)) * np.clip(along / (3 * width), 0, 1))
    across = (grid @ np.array([-away[1], away[0]]) + bend) / half
    return along.astype(np.float32), across.astype(np.float32)


def _arm_skin(rgb: Float, alpha: Float, wrist: Float, away: Float, palm: Float) -> Float:
    """Return (s, s, 3): the skin between palm and wrist, mirrored at both again and again, and softened."""
    mean = rgb[alpha > 0.9].mean(0)
    own = rgb * alpha[..., None] + mean * (1 - alpha[..., None])
    grid = np.stack(np.meshgrid(np.arange(alpha.shape[1]), np.arange(alpha.shape[0])), 2).astype(np.float32) - wrist
    along, side = grid @ away, np.array([-away[1], away[0]])
    span = max(4.0, float(np.hypot(*(palm - wrist))))
    back = np.abs(np.mod(along + span, 2 * span) - span)
    where = wrist - back[..., None] * away + (0.6 * (grid @ side))[..., None] * side
    skin = cv2.remap(own.astype(np.float32), where.astype(np.float32), None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    return np.asarray(cv2.GaussianBlur(skin, (0, 0), 1 + 0.06 * span), np.float32)


def _shaded(rng: Generator, across: Float) -> Float:
    """Return (s, s, 1) factors: a cylinder in soft light from anywhere."""
    light = float(rng.normal(0, 0.4))
    return np.asarray(
        1.03 - float(rng.uniform(0.08, 0.35)) * np.clip(across - light, -2, 2)[..., None] ** 2, np.float32
    )


def _toned(rng: Generator, rgb: Float, alpha: Float, scene: Scene, kind: str) -> Float:
    """Bring the hand's mean Lab colour near the face's (same person), with its own light when nearer the camera."""
    sparse = (slice(None, None, 2), slice(None, None, 2))
    on_face = np.isin(scene.parts[sparse], [NUMBER["cheek"], NUMBER["forehead"], NUMBER["nose"]]) & (
        scene.hand[sparse] < 0.1
    )
    on_hand = alpha[sparse] > 0.8
    if on_face.sum() < 8 or on_hand.sum() < 8:
        return rgb
    face, own = _lab(scene.image[sparse][on_face][None])[0], _lab(rgb[sparse][on_hand][None])[0]
    mean, goal = own.mean(0), np.median(face, 0)
    light = rng.normal(0, 12 if kind == "front" else 5)
    goal = goal + np.array([light, rng.normal(1, 3), rng.normal(0, 3)], np.float32)
    contrast = float(rng.uniform(0.8, 1.3)) * min(
        1.6, max(0.5, float(face[:, 0].std() + 4) / float(own[:, 0].std() + 4))
    )
    share = rng.uniform(0.75, 1.0)
    y, x, height, width = _extent(alpha)
    lab = _lab(rgb[y : y + height, x : x + width])
    lab[..., 0] = np.clip((lab[..., 0] - mean[0]) * contrast + mean[0] + share * (goal[0] - mean[0]), 1, 100)
    lab[..., 1:] += (share * (goal - mean)[1:]).astype(np.float32)
    out = rgb.copy()
    out[y : y + height, x : x + width] = cv2.cvtColor(lab, cv2.COLOR_LAB2RGB) * 255
    return out


def _lab(rgb: Float) -> Float:
    return np.asarray(cv2.cvtColor(np.clip(rgb / 255, 0, 1).astype(np.float32), cv2.COLOR_RGB2LAB), np.float32)


def _extent(alpha: Float) -> tuple[int, int, int, int]:
    x, y, width, height = cv2.boundingRect((alpha > 0.02).astype(np.uint8))
    return y, x, height, width


def _cast_shadow(rng: Generator, scene: Scene, alpha: Float, kind: str, face_height: float) -> None:
    if kind in ("beside", "free") or (kind == "front" and rng.random() < 0.55):
        return
    angle = rng.uniform(0, 2 * np.pi)
    if kind == "touch":
        reach, blur, dark = rng.uniform(0.0, 0.05), rng.uniform(0.015, 0.05), rng.uniform(0.1, 0.55)
    else:
        reach, blur, dark = rng.uniform(0.12, 0.4), rng.uniform(0.06, 0.15), rng.uniform(0.1, 0.45)
    move = np.array(
        [[1, 0, np.cos(angle) * reach * face_height], [0, 1, np.sin(angle) * reach * face_height]], np.float32
    )
    shade = cv2.warpAffine(alpha, move, alpha.shape[::-1])
    shade = cv2.GaussianBlur(shade, (0, 0), max(0.6, float(blur) * face_height)) * float(dark)
    near = cv2.GaussianBlur((scene.parts > 0).astype(np.float32), (0, 0), 2.0)
    scene.image = scene.image * (1 - shade * near)[..., None]


def add_beard(rng: Generator, scene: Scene) -> None:
    """Grow a beard, moustache or stubble of any colour on the lower face, in place: beards are not hands."""
    assert scene.points is not None
    down, _, height = face_axes(scene.points)
    lower = np.isin(scene.parts, [NUMBER["chin"]]).astype(np.float32)
    jaw = np.isin(scene.parts, [NUMBER["cheek"]]).astype(np.float32)
    ys, xs = np.mgrid[: lower.shape[0], : lower.shape[1]].astype(np.float32)
    along = (xs - scene.points[1, 0]) * down[0] + (ys - scene.points[1, 1]) * down[1]
    area = np.maximum(lower, jaw * (along > rng.uniform(0.02, 0.2) * height))
    if rng.random() < 0.6:
        lips = scene.points[[61, 291, 2, 0]]
        upper = np.zeros_like(area)
        cv2.fillConvexPoly(upper, cv2.convexHull(np.round(lips).astype(np.int32)), (1.0,))
        area = np.maximum(area, upper)
    area = np.asarray(cv2.GaussianBlur(area, (0, 0), max(0.8, 0.025 * height)), np.float32)
    strands = motion_blur(rng, np.ascontiguousarray(noise(rng, *area.shape)[..., 0]), max(2.0, 0.04 * height)) * 2.5
    colour = (
        rng.uniform(0.1, 1.0) * np.array([150, 110, 75]) if rng.random() < 0.75 else np.full(3, rng.uniform(90, 220))
    )
    hair = np.clip(colour + strands[..., None] * rng.uniform(5, 22), 0, 255)
    strength = area * float(rng.uniform(0.35, 0.95)) * np.clip(0.8 + 0.3 * strands, 0.2, 1)
    scene.image = (scene.image * (1 - strength[..., None]) + hair * strength[..., None]).astype(np.float32)


def add_object(rng: Generator, scene: Scene) -> None:
    """Put a thing that is not a hand over or beside the face, in place: phone, cup, stick, cloth, ball, paper."""
    assert scene.points is not None
    _, _, height = face_axes(scene.points)
    mask = np.zeros(scene.image.shape[:2], np.float32)
    spot = scene.points[list(OVAL)].mean(0) + rng.normal(0, 0.55, 2) * height
    angle, a = rng.uniform(0, 180), rng.uniform(0.12, 0.5) * height
    b = a * rng.uniform(0.2, 1.0)
    centre = (float(spot[0]), float(spot[1]))
    if rng.random() < 0.5:
        corners = cv2.boxPoints((centre, (2 * a, 2 * b), angle))
        cv2.fillConvexPoly(mask, np.round(corners).astype(np.int32), (1.0,))
    else:
        cv2.ellipse(
            mask, (round(centre[0]), round(centre[1])), (max(1, round(a)), max(1, round(b))), angle, 0, 360, (1.0,), -1
        )
    mask = np.asarray(cv2.GaussianBlur(mask, (0, 0), 0.8), np.float32)[..., None]
    skin = (
        scene.image[scene.parts > 0].mean(0)
        if rng.random() < 0.4 and (scene.parts > 0).any()
        else rng.uniform(0, 255, 3)
    )
    shade = cv2.resize(
        rng.uniform(0.6, 1.35, (3, 3)).astype(np.float32), mask.shape[1::-1], interpolation=cv2.INTER_CUBIC
    )
    thing = np.clip(skin * shade[..., None] + 5 * noise(rng, *shade.shape), 0, 255)
    scene.image = (scene.image * (1 - mask) + thing * mask).astype(np.float32)
    scene.hand = scene.hand * (1 - mask[..., 0])
    scene.hidden = np.maximum(scene.hidden, mask[..., 0])
