"""Decides what the hands of a scene do: which pose touches which place of the face, or stays away from it.

It must not know about colours or pictures.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from handlens.synth.camera_stage import PIVOT, Stage
from handlens.synth.hand_bones import POSES, HandPose, named_pose, random_pose
from handlens.synth.hand_on_face import Placed, Skin, distance, jitter, place, settle
from handlens.synth.hand_skin import HandAppearance, random_appearance
from handlens.synth.rasterize import F32, rotation, unit
from handlens.tasks.touch import REGIONS

Rng = np.random.Generator

#: touching: one hand, two hands; apart: close, in front (toward the camera), beside, below; none
KINDS = ("touch", "two", "near", "front", "beside", "none")
#: region -> (pose, mark, weight of facing, way of the forearm (out, up, toward the camera)), drawn evenly
GESTURES: dict[str, tuple[tuple[str, str, float, tuple[float, float, float]], ...]] = {
    "forehead": (
        ("point", "index", 0.5, (0.7, -0.6, 0.35)), ("flat", "fingers", 1.2, (0.75, -0.6, 0.3)),
        ("relaxed", "middle", 0.9, (0.7, -0.6, 0.4)), ("cup", "fingers", 1.2, (0.5, -0.8, 0.3)),
        ("point_bent", "index", 0.5, (0.6, -0.75, 0.3)), ("fist", "knuckles", 0.8, (0.4, -0.8, 0.5)),
        ("flat", "palm", 1.3, (0.4, -0.85, 0.4)),
    ),
    "eye": (
        ("point", "index", 0.4, (0.6, -0.7, 0.4)), ("point_bent", "index", 0.5, (0.5, -0.8, 0.35)),
        ("fist", "knuckles", 0.7, (0.5, -0.8, 0.4)), ("relaxed", "middle", 0.8, (0.5, -0.8, 0.4)),
        ("curled", "index", 0.6, (0.5, -0.8, 0.4)), ("pinch", "index", 0.5, (0.5, -0.8, 0.4)),
    ),
    "nose": (
        ("point", "index", 0.4, (0.45, -0.8, 0.45)), ("point_bent", "index", 0.5, (0.4, -0.85, 0.4)),
        ("pinch", "index", 0.5, (0.3, -0.85, 0.5)), ("pinch_closed", "index", 0.5, (0.3, -0.9, 0.4)),
        ("relaxed", "index", 0.7, (0.4, -0.85, 0.4)), ("curled", "middle", 0.5, (0.3, -0.9, 0.35)),
        ("bite", "index", 0.5, (0.3, -0.9, 0.4)),
    ),
    "mouth": (
        ("flat", "fingers", 1.4, (0.8, -0.55, 0.2)), ("cup", "palm", 1.3, (0.7, -0.65, 0.3)),
        ("bite", "index", 0.6, (0.3, -0.9, 0.35)), ("fist", "knuckles", 0.7, (0.35, -0.9, 0.3)),
        ("point", "index", 0.5, (0.3, -0.9, 0.3)), ("pinch_closed", "thumb", 0.6, (0.3, -0.9, 0.35)),
        ("curled", "middle", 0.7, (0.35, -0.9, 0.3)), ("relaxed", "middle", 0.9, (0.5, -0.8, 0.3)),
        ("two", "index", 0.6, (0.4, -0.85, 0.3)), ("cheek", "fingers", 1.2, (0.7, -0.7, 0.2)),
    ),
    "cheek": (
        ("cheek", "palm", 1.2, (0.35, -0.93, 0.1)), ("flat", "fingers", 1.3, (0.3, -0.92, 0.2)),
        ("cup", "palm", 1.2, (0.4, -0.9, 0.1)), ("fist", "knuckles", 0.8, (0.45, -0.9, 0.15)),
        ("point", "index", 0.5, (0.6, -0.8, 0.2)), ("think", "index", 0.9, (0.3, -0.95, 0.1)),
        ("relaxed", "middle", 0.9, (0.5, -0.85, 0.2)), ("curled", "knuckles", 0.7, (0.4, -0.9, 0.2)),
        ("gun", "index", 0.6, (0.3, -0.95, 0.15)),
    ),
    "chin": (
        ("fist", "knuckles", 0.9, (0.25, -0.95, 0.25)), ("think", "thumb", 0.8, (0.2, -0.95, 0.3)),
        ("point", "index", 0.5, (0.3, -0.9, 0.35)), ("pinch", "index", 0.6, (0.2, -0.93, 0.35)),
        ("cup", "palm", 1.0, (0.2, -0.95, 0.3)), ("curled", "middle", 0.6, (0.25, -0.93, 0.3)),
        ("relaxed", "middle", 0.8, (0.3, -0.9, 0.3)), ("bite", "knuckles", 0.7, (0.3, -0.92, 0.25)),
        ("cheek", "fingers", 1.0, (0.35, -0.9, 0.2)),
    ),
    "ear": (
        ("point", "index", 0.5, (0.75, -0.65, 0.2)), ("pinch", "index", 0.6, (0.7, -0.7, 0.2)),
        ("relaxed", "middle", 0.8, (0.6, -0.75, 0.25)), ("cup", "fingers", 1.0, (0.5, -0.85, 0.2)),
        ("flat", "fingers", 1.1, (0.4, -0.9, 0.25)), ("curled", "index", 0.6, (0.6, -0.8, 0.2)),
        ("thumb_up", "thumb", 0.5, (0.6, -0.78, 0.2)),
    ),
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class Plan:
    """Hands in their places, and what is true: `regions` are numbers, the largest contact first."""

    kind: str
    hands: tuple[Placed, ...]
    appearance: HandAppearance
    touch: bool
    regions: tuple[int, ...]


def _appearance(rng: Rng, stage: Stage) -> HandAppearance:
    """Return the person's own hand: same skin, sleeve of the same cloth."""
    appearance = random_appearance(rng, stage.person.colour.tone)
    sleeve = float(rng.uniform(5, 90)) if rng.random() < 0.6 else None
    return replace(appearance, tint=stage.person.colour.tint, cloth=stage.person.cloth, sleeve=sleeve)


def anchor(stage: Stage, region: str, pick: int, left: bool) -> tuple[F32, F32]:
    """Return a place of a region on the person's left (picture right) or right half, world position and normal."""
    spot, normal = stage.bust.anchors[region][pick % len(stage.bust.anchors[region])]
    mirror = np.array([1 if left else -1, 1, 1], np.float32)
    at = stage.head @ (spot * mirror - PIVOT) + PIVOT + stage.lean
    return np.asarray(at, np.float32), unit(stage.head @ (normal * mirror))


def touch_hand(
    rng: Rng,
    stage: Stage,
    skin: Skin,
    appearance: HandAppearance,
    region: str,
    left: bool,
    gesture: int | None = None,
    pick: int | None = None,
) -> tuple[Placed, tuple[int, ...]]:
    """One hand that touches a region; returns it and the region numbers that it meets."""
    choices, number, out = GESTURES[region], REGIONS.index(region) + 1, 1.0 if left else -1.0
    for attempt in range(16):
        name, mark, firm, way = choices[int(rng.integers(len(choices))) if gesture is None else gesture % len(choices)]
        if attempt >= 8 and region not in ("cheek", "chin"):  # large surfaces land beside small places
            gesture = 0
        pose = named_pose(name, rng, 0.8 if attempt < 3 else 0.4)
        spot, normal = anchor(stage, region, int(rng.integers(9)) if pick is None or attempt > 3 else pick, left)
        forearm = np.array([out * way[0], way[1], way[2]]) + rng.normal(0, 0.11, 3)
        if attempt >= 12:  # straight at the place
            name, mark, forearm = "point", "index", normal + np.array([0.2 * out, -0.5, 0.2])
            pose = named_pose(name, rng, 0.2)
        facing, swing = unit(normal + rng.normal(0, 0.08, 3)), jitter(rng, 7)
        found = place(
            pose, appearance, left, mark, spot, facing, np.asarray(forearm, np.float32), _share(stage), firm, swing
        )
        found, met = settle(found, skin, unit(normal + np.array([0, 0, 0.25], np.float32)))
        if met and met[0] == number:
            break
    return found, met


def _share(stage: Stage) -> float:
    return (
        float(np.clip((1.9 * min(2.0, max(1.0, stage.camera.scale))) ** 2 / 5.0, 0.35, 1.0))
        if stage.camera.scale > 0.7
        else 0.4
    )


def apart_hand(rng: Rng, stage: Stage, skin: Skin, appearance: HandAppearance, kind: str, left: bool) -> Placed:
    """One hand that does not touch: close to the face, in front of it toward the camera, or beside it."""
    out = 1.0 if left else -1.0
    pose: HandPose = random_pose(rng)
    if kind == "near":  # as if about to touch: any gesture, stopped short
        region = str(rng.choice(REGIONS))
        found, _ = touch_hand(rng, stage, skin, appearance, region, left)
        _, normal = anchor(stage, region, 0, left)
        way = unit(normal + np.array([0, -0.1, 0.5], np.float32))
        return found.moved(np.asarray(way * rng.uniform(14, 55), np.float32))
    pose = HandPose(pose.flex, pose.spread, pose.thumb, (float(rng.normal(0, 22)), float(rng.normal(0, 10))))
    middle = stage.lean + np.array([0, -20, 0], np.float32)
    if kind == "front":
        spot = middle + np.array([rng.normal(0, 55), rng.normal(-10, 60), 0], np.float32)
        forearm = np.array([out * rng.uniform(-0.2, 0.8), -rng.uniform(0.5, 1.0), rng.uniform(-0.7, 0.25)])
    else:
        spot = middle + np.array([out * rng.uniform(150, 300), rng.uniform(-260, 60), 0], np.float32)
        forearm = np.array([out * rng.uniform(-0.2, 0.6), -rng.uniform(0.5, 1.0), rng.uniform(-0.5, 0.2)])
    facing = rotation([0, 1, 0], float(rng.uniform(0, 360))) @ np.array([0, 0, 1], np.float32)
    found = place(
        pose,
        appearance,
        left,
        "palm",
        np.asarray(spot, np.float32),
        facing,
        np.asarray(forearm, np.float32),
        _share(stage),
        0.35,
        jitter(rng, 12),
    )
    depth = float(skin.points[:, 2].max() - found.points[:, 2].min())
    if kind == "front":
        reach = min(float(np.exp(rng.uniform(np.log(25), np.log(330)))), 0.45 * stage.camera.away)
        return found.moved(np.array([0, 0, depth + reach - 30], np.float32))
    return found.moved(np.array([0, 0, 0.5 * depth + rng.uniform(-60, 80)], np.float32))


def plan_hands(rng: Rng, stage: Stage, skin: Skin, kind: str | None = None, region: str | None = None) -> Plan:
    """Return what the hands do.

    Raises:
        ValueError: for an unknown kind or region.
    """
    kind = str(rng.choice(KINDS, p=(0.48, 0.08, 0.1, 0.2, 0.08, 0.06))) if kind is None else kind
    if kind not in KINDS:
        raise ValueError(f"unknown kind of scene {kind!r}; known are {', '.join(KINDS)}")
    if region is not None and region not in REGIONS:
        raise ValueError(f"unknown region {region!r}; known are {', '.join(REGIONS)}")
    appearance, left = _appearance(rng, stage), bool(rng.random() < 0.5)
    if kind == "none":
        return Plan(kind, (), appearance, False, ())
    if kind in ("touch", "two"):
        hands, met = [], []
        first = str(rng.choice(REGIONS)) if region is None else region
        turned = float(stage.head[0, 2])  # above 0 the face looks to the right of the picture
        if kind == "touch" and first in ("eye", "cheek", "ear") and abs(turned) > 0.2:
            left = turned < 0  # a hand on the far side could not be seen
        second = first if rng.random() < 0.7 else str(rng.choice(REGIONS))
        same = int(rng.integers(9))
        for side, name in ((left, first), (not left, second))[: 1 if kind == "touch" else 2]:
            found, regions = touch_hand(rng, stage, skin, appearance, name, side, same if kind == "two" else None)
            hands.append(found)
            met += [r for r in regions if r not in met]
        return Plan(kind, tuple(hands), appearance, bool(met), tuple(met))
    for _ in range(8):
        found = apart_hand(rng, stage, skin, appearance, kind, left)
        if distance(found.points, skin) > 9:
            break
        found = found.moved(np.array([0, 0, 60], np.float32))
        if distance(found.points, skin) > 9:
            break
    return Plan(kind, (found,), appearance, False, ())


__all__ = ["GESTURES", "KINDS", "POSES", "Plan", "anchor", "apart_hand", "plan_hands", "touch_hand"]
