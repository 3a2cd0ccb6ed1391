"""Renders a person with hands at, in front of or beside the face, with the truth about touch, masks and regions.

It must not know about networks, files or video. Everything is drawn from a seed; no photograph is used.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.synth.camera_stage import Stage, random_stage
from handlens.synth.hand_model import POSES, draw_hand
from handlens.synth.hand_on_face import Placed, Skin, distance
from handlens.synth.hand_plans import Plan, plan_hands
from handlens.synth.hand_shape import hand_shape
from handlens.synth.hand_skin import HandAppearance, hand_albedo, skin_rgb
from handlens.synth.head_model import Person
from handlens.synth.head_skin import BODY, HAND
from handlens.synth.points import Camera, Cloud, cloud, draw
from handlens.synth.rasterize import F32, U8, masked_blur, to_srgb, unit
from handlens.synth.shading import shade
from handlens.tasks.touch import REGIONS

Rng = np.random.Generator

ARM = 40


@dataclass(frozen=True, eq=False)
class Scene:
    """A picture and everything that is true of it.

    Attributes:
        image: (H, W, 3) uint8 sRGB.
        hand_mask: (H, W) uint8, 1 on the skin of hands and bare forearms, sleeves left out.
        face_region_map: (H, W) uint8, 0 none, else 1 + index in `REGIONS`; known under hands, hair and glasses too.
        head_box: (4,) float32 x1 y1 x2 y2 px, tight around the face from hairline to chin, ears left out.
        hand_boxes: (n, 4) float32, hands without forearm, in the picture.
        touch: a hand touches the face.
        regions: names of the touched regions, largest contact first.
        gap: smallest distance between hand and face in mm, 0 when touching, inf without a hand.
        kind: how the hands were meant: a name of `scene_plan.KINDS`.
    """

    image: U8
    hand_mask: U8
    face_region_map: U8
    head_box: F32
    hand_boxes: F32
    touch: bool
    regions: tuple[str, ...]
    gap: float
    kind: str


def hand_clouds(placed: Placed, appearance: HandAppearance, number: int) -> list[Cloud]:
    """Return a placed hand and its forearm; parts are HAND + number, ARM for the bare forearm, BODY for the sleeve."""
    hand = placed.hand
    rgb, gloss, soft = hand_albedo(hand_shape().details[hand.rows], hand.cloth, appearance)
    own = hand.rows < hand_shape().arm_rows
    part = np.where(hand.cloth, BODY, np.where(own, HAND + number, ARM))
    full = cloud(placed.points, np.asarray(hand.normals @ placed.turn.T, np.float32), rgb, gloss, soft, part, 0.42)
    return [full.kept(own), replace(full.kept(~own), size=0.85)]


def upper_arm(person: Person, appearance: HandAppearance | None, left: bool, elbow: F32 | None = None) -> Cloud:
    """Return the arm from the shoulder to the elbow; hangs down without one."""
    out = 1.0 if left else -1.0
    shoulder = np.array([out * 168 * person.broad, -226, -14], np.float32)
    if elbow is None:
        elbow = shoulder + np.array([out * 32, -290, 6], np.float32)
    axis = np.asarray(shoulder - elbow, np.float32)
    rise = 0.49 - 0.61 * np.cos(np.linspace(0, np.pi, 210))  # dense at the round ends
    along, around = np.meshgrid(rise, np.linspace(-np.pi, np.pi, 240))
    side = unit(np.cross(axis, [0.0, 0.0, 1.0]))
    other = unit(np.cross(axis, side))
    ring = np.cos(around)[..., None] * side + np.sin(around)[..., None] * other
    radius = 41 + 13 * along + 1.6 * np.sin(along * 22 + 2 * around)
    cap = np.clip(np.maximum(-along / 0.12, (along - 0.9) / 0.2), 0, 1)
    radius = radius * np.sqrt(np.clip(1 - cap**2, 0.01, 1))
    points = elbow + along[..., None] * axis + ring * radius[..., None]
    bare = (along < 0.45) & (appearance is not None and appearance.sleeve is None)
    skin = skin_rgb(person.colour.tone) * person.colour.tint
    rgb = np.where(bare[..., None], skin, person.cloth)
    flat = bare.ravel()
    return cloud(
        points.reshape(-1, 3), ring.reshape(-1, 3), rgb.reshape(-1, 3), 0.02, flat, np.where(flat, ARM, BODY), 1.2
    )


def compose(
    stage: Stage, hands: list[tuple[Placed, HandAppearance]], grain: Rng | None = None
) -> tuple[U8, U8, U8, U8]:
    """Draws a stage with hands.

    Returns:
        image (H, W, 3), parts (H, W) with hands on top, regions (H, W) without hands, hair or glasses, all uint8, and
        the hand mask (H, W).
    """
    h, w = stage.size
    finer = float(np.clip(1.9 / stage.camera.scale, 1.0, 2.0))
    big = (round(h * finer), round(w * finer))
    zoom = big[1] / w
    camera = Camera(stage.camera.scale * zoom, stage.camera.away, tuple(c * zoom for c in stage.camera.centre))  # type: ignore[arg-type]
    skin, over = stage.posed
    clouds = [*skin, *over, *stage.bust.body]
    for number, (placed, appearance) in enumerate(hands):
        clouds += hand_clouds(placed, appearance, number)
        elbow = np.asarray(placed.turn @ placed.hand.elbow + placed.shift, np.float32)
        clouds.append(upper_arm(stage.person, appearance, placed.left, elbow))
    idle = {True, False} - {placed.left for placed, _ in hands}
    clouds += [upper_arm(stage.person, hands[0][1] if hands else None, left) for left in sorted(idle)]
    surface, part, _ = draw(clouds, camera, big)
    _, region, _ = draw(skin, replace(camera), big)
    rgb = shade(surface, stage.light)
    ground = cv2.resize(stage.ground, (big[1], big[0]), interpolation=cv2.INTER_LINEAR)
    edge = cv2.GaussianBlur(surface.mask, (0, 0), 0.5 * finer)[..., None]
    rgb = np.where(surface.mask[..., None] > 0, rgb, masked_blur(rgb, surface.mask, 1.5))
    image = np.asarray(rgb * edge + ground * (1 - edge), np.float32)
    image = np.asarray(cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA), np.float32)
    if grain is not None:
        noise = grain.normal(0, 1, (h, w, 3)).astype(np.float32) * np.float32(grain.uniform(0.004, 0.02))
        image = image + noise * np.sqrt(np.maximum(image, 0.01))
    is_hand = ((part >= HAND) & (part <= ARM)).astype(np.float32)
    mask = (cv2.resize(is_hand, (w, h), interpolation=cv2.INTER_AREA) > 0.5).astype(np.uint8)
    small = [
        cv2.resize(a, (w, h), interpolation=cv2.INTER_NEAREST)
        for a in (part, np.where(region < 8, region, 0).astype(np.uint8))
    ]
    return to_srgb(image), np.asarray(small[0], np.uint8), np.asarray(small[1], np.uint8), np.asarray(mask, np.uint8)


def box_of(mask: NDArray[np.bool_]) -> F32 | None:
    """x1 y1 x2 y2 around a mask, None when it is empty."""
    x, y, w, h = cv2.boundingRect(mask.astype(np.uint8))
    return np.array([x, y, x + w, y + h], np.float32) if w else None


def render_scene(
    rng: Rng,
    size: tuple[int, int] = (480, 640),
    kind: str | None = None,
    region: str | None = None,
    stage: Stage | None = None,
) -> Scene:
    """Render one picture; the same seed gives the same picture.

    Args:
        rng: everything not given is drawn from it.
        size: height and width in pixels.
        kind: a name of `scene_plan.KINDS` or None for any.
        region: the region to touch, a name of `REGIONS`, for the touching kinds.
        stage: person, camera and light to use again.

    Raises:
        ValueError: for an unknown kind or region.
    """
    stage = stage or random_stage(rng, size)
    skin = stage.skin
    plan: Plan = plan_hands(rng, stage, skin, kind, region)
    return scene_of(stage, plan, skin, rng)


def scene_of(stage: Stage, plan: Plan, skin: Skin, grain: Rng | None = None) -> Scene:
    """Return the picture of a plan, with its truth."""
    image, part, regions, mask = compose(stage, [(p, plan.appearance) for p in plan.hands], grain)
    boxes = [box_of(part == HAND + i) for i in range(len(plan.hands))]
    found = np.array([b for b in boxes if b is not None], np.float32).reshape(-1, 4)
    face = box_of((regions > 0) & (regions != 7))
    gap = 0.0 if plan.touch else min((distance(p.points, skin) for p in plan.hands), default=float("inf"))
    names = tuple(REGIONS[r - 1] for r in plan.regions)
    empty = np.zeros(4, np.float32)
    return Scene(image, mask, regions, empty if face is None else face, found, plan.touch, names, gap, plan.kind)


__all__ = ["POSES", "REGIONS", "Scene", "Stage", "draw_hand", "random_stage", "render_scene", "scene_of"]
