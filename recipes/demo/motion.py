"""What the person of the demo clip does: the hand's stations, the ways between them, head and eyes over time.

It must not know about pictures, files or networks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import cv2
import numpy as np

from handlens.synth.camera_stage import PIVOT
from handlens.synth.face_features import Face, HeadForm
from handlens.synth.hand_bones import HandPose, named_pose
from handlens.synth.hand_model import pose_hand
from handlens.synth.hand_on_face import Placed, Skin, place, settle
from handlens.synth.hand_skin import HandAppearance
from handlens.synth.head_model import Bust, Person
from handlens.synth.head_skin import HeadColour
from handlens.synth.rasterize import F32, linear, rotation, unit

PERSON = Person(
    form=HeadForm(width=1.0, jaw=1.0, length=0.97, lips=1.05, cheek=0.6, eyes=(1.05, 1.0, 4.0)),
    colour=HeadColour(tone=0.36, stubble=0.12, age=0.15, hair=linear([44, 32, 25]), eyes=linear([82, 58, 38]), seed=5),
    hair="side",
    brow=1.1,
    cloth=linear([58, 84, 112]),
    dress="shirt",
    seed=12,
)
LOOK = HandAppearance(tone=0.36, plump=0.3, sleeve=42.0, cloth=PERSON.cloth, detail=0.9)


@dataclass(frozen=True, eq=False)
class Key:
    """A hand that arrives at `start` and stays until `stop`, seconds; `pose` and where it is.

    Attributes:
        turn, shift: of the hand, in head coordinates when `held` (it moves with the head), else in the room.
        sway: adds a motion to the stay: seconds since the start -> (rotation, shift).
    """

    start: float
    stop: float
    pose: HandPose
    turn: F32
    shift: F32
    held: bool
    sway: Callable[[float], tuple[F32, F32]] | None = None


def _calm(name: str, bend: float = 0.0, aside: float = 0.0) -> HandPose:
    pose = named_pose(name)
    return HandPose(pose.flex, pose.spread, pose.thumb, (bend, aside))


def _touch(
    skin: Skin, bust: Bust, region: str, pick: int, pose: HandPose, mark: str, firm: float, forearm: object
) -> Placed:
    """Return the right hand on a place of the face at rest."""
    spot, normal = bust.anchors[region][pick]
    mirror = np.array([-1, 1, 1], np.float32)
    way = np.asarray(forearm, np.float32)
    found = place(pose, LOOK, False, mark, spot * mirror, normal * mirror, way, 0.8, firm)
    return settle(found, skin, unit(normal * mirror + np.array([0, 0, 0.25], np.float32)))[0]


def _wave(t: float) -> tuple[F32, F32]:
    swing = np.sin(2 * np.pi * 1.5 * t)
    return rotation([0, 0, 1], -15.0 * swing), np.array([26.0 * swing, 5.0 * abs(swing), 0], np.float32)


def keys(skin: Skin, bust: Bust) -> list[Key]:
    """Return what the hand does over the clip."""
    toward = np.array([0, 0, -1], np.float32)
    low = place(
        _calm("relaxed", 8),
        LOOK,
        False,
        "palm",
        np.array([-150, -395, 120], np.float32),
        toward,
        np.array([-0.35, -0.9, 0.1], np.float32),
    )
    wave_pose = _calm("open", -6)
    wave = place(
        wave_pose,
        LOOK,
        False,
        "palm",
        np.array([-34, -34, 205], np.float32),
        toward,
        np.array([-0.22, -0.95, -0.05], np.float32),
        firm=2.0,
    )
    poses = {"chin": _calm("point_bent", 8), "nose": _calm("point", 5), "cheek": _calm("fist"), "brow": _calm("flat")}
    chin = _touch(skin, bust, "chin", 1, poses["chin"], "index", 0.5, [-0.5, -0.8, 0.45])
    nose = _touch(skin, bust, "nose", 0, poses["nose"], "index", 0.5, [-0.5, -0.75, 0.5])
    cheek = _touch(skin, bust, "cheek", 3, poses["cheek"], "knuckles", 0.8, [-0.4, -0.9, 0.15])
    brow = _touch(skin, bust, "forehead", 2, poses["brow"], "fingers", 1.2, [-0.6, -0.75, 0.3])
    rest = _calm("relaxed", 8)

    def key(start: float, stop: float, pose: HandPose, at: Placed, held: bool = True) -> Key:
        return Key(start, stop, pose, at.turn, at.shift, held)

    return [
        key(0.0, 0.7, rest, low, False),
        key(1.6, 3.1, poses["chin"], chin),
        key(4.0, 4.15, rest, low, False),
        replace(key(4.9, 6.6, wave_pose, wave, False), sway=_wave),
        key(7.3, 8.3, poses["nose"], nose),
        key(9.1, 9.25, rest, low, False),
        key(9.9, 11.1, poses["cheek"], cheek),
        key(12.1, 13.05, poses["brow"], brow),
        key(13.85, 99.0, rest, low, False),
    ]


def _ease(x: float) -> float:
    x = min(max(x, 0.0), 1.0)
    return x * x * x * (x * (6 * x - 15) + 10)


def head_at(t: float) -> tuple[F32, F32]:
    """Rotation and shift of the head: small slow motion, and a lean onto the hand while the cheek rests on it."""
    lean = _ease((t - 9.6) / 0.7) * (1 - _ease((t - 11.0) / 0.7))
    yaw = 4.0 * np.sin(0.9 * t + 0.4) + 1.5 * np.sin(2.3 * t) + 5.0 * lean
    pitch = 2.0 * np.sin(0.7 * t + 1.0) + 1.0 * np.sin(1.9 * t) + 3.0 * lean
    roll = 1.5 * np.sin(0.6 * t) + 8.0 * lean
    turn = rotation([0, 0, 1], roll) @ rotation([1, 0, 0], pitch) @ rotation([0, 1, 0], yaw)
    shift = np.array([2.5 * np.sin(0.8 * t) - 9.0 * lean, 1.2 * np.sin(1.3 * t) - 3.0 * lean, 2.0 * np.sin(0.5 * t)])
    return np.asarray(turn, np.float32), np.asarray(shift, np.float32)


def face_at(t: float) -> Face:
    """Blinks, glances and a slight smile; in coarse steps, so that few faces have to be built."""
    blink = max((max(0.0, 1 - abs(t - at) / 0.10) for at in (1.1, 4.3, 6.0, 8.8, 11.8, 13.4)), default=0.0)
    gaze = (-6.0, -3.0) if 2.2 < t < 3.6 else ((5.0, 1.0) if 8.6 < t < 9.8 else (0.0, 0.0))
    smile = 0.2 + 0.5 * _ease((t - 4.6) / 0.5) * (1 - _ease((t - 6.8) / 0.5))
    return Face(blink=round(blink * 3) / 3, smile=round(smile * 6) / 6, gaze=gaze)


def _in_room(key: Key, t: float) -> tuple[F32, F32]:
    """Return the hand of a key at a time: it follows the head when held."""
    turn, shift = key.turn, key.shift
    if key.held:
        head, lean = head_at(t)
        return np.asarray(head @ turn, np.float32), np.asarray(head @ (shift - PIVOT) + PIVOT + lean, np.float32)
    if key.sway is not None:
        swing, off = key.sway(min(max(t - key.start, 0.0), key.stop - key.start))
        middle = shift + turn @ np.array([0, -60, 0], np.float32)  # it swings about the forearm
        return np.asarray(swing @ turn, np.float32), np.asarray(middle + swing @ (shift - middle) + off, np.float32)
    return turn, shift


def hand_at(plan: list[Key], t: float) -> Placed:
    """Return the hand at a time: at a key, or on an eased way between two that keeps clear of the face."""
    i = max(n for n, key in enumerate(plan) if key.start <= t)
    here = plan[i]
    turn, shift = _in_room(here, t)
    if t <= here.stop:
        return Placed(pose_hand(here.pose, LOOK, share=0.8), turn, shift, False)
    there = plan[i + 1]
    s = _ease((t - here.stop) / (there.start - here.stop))
    turn_b, shift_b = _in_room(there, t)
    change, _ = cv2.Rodrigues((turn_b @ turn.T).astype(np.float64))
    part, _ = cv2.Rodrigues(change * s)
    away = 4 * s * (1 - s) * np.array([-30.0, -20.0, 75.0 if here.held and there.held else 45.0])
    middle = shift + (shift_b - shift) * s + away
    pose = here.pose.mixed(there.pose, s)
    return Placed(
        pose_hand(pose, LOOK, share=0.8), np.asarray(part @ turn, np.float32), np.asarray(middle, np.float32), False
    )
