"""The bones of a hand: measures, poses and the movement of every bone.

It must not know about skin, cameras or pictures. Millimetres; a right hand, origin at the wrist, +y along the fingers,
+z out of the back of the hand, the thumb on the -x side.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handlens.synth.rasterize import F32, rotation, unit

Rng = np.random.Generator

#: knuckle, spread from straight in degrees, bone lengths, radii at the four joints; measures of an adult hand
FINGERS = (
    ((-26.0, 88.0, 1.5), -9.0, (42.0, 25.0, 15.5), (10.6, 9.3, 8.0, 6.9)),
    ((-4.5, 92.0, 3.0), -1.0, (46.0, 28.5, 16.5), (10.8, 9.6, 8.2, 7.0)),
    ((16.0, 87.0, 1.5), 7.0, (42.5, 26.5, 16.5), (10.2, 9.0, 7.8, 6.8)),
    ((33.5, 77.0, -1.5), 16.0, (33.0, 19.5, 14.5), (9.2, 7.9, 6.9, 6.0)),
)
THUMB_ROOT = (-21.0, 16.0, -5.0)
THUMB_AXIS = (-0.66, 0.70, -0.28)
THUMB_BACK = (-0.62, -0.30, 0.72)
THUMB_LENGTHS = (44.0, 32.0, 19.5)
THUMB_RADII = (14.0, 11.0, 10.2, 8.2)
#: bones: palm, half wrist, forearm, then (half joint, bone) x 3 for each of four fingers and the thumb
BONES = 3 + 6 * 5


def finger_axes(finger: int) -> tuple[F32, F32, F32, tuple[float, ...], tuple[float, ...]]:
    """Root, direction, back-of-finger direction, bone lengths and radii; finger 4 is the thumb."""
    if finger == 4:
        axis = unit(THUMB_AXIS)
        back = np.asarray(THUMB_BACK, np.float32)
        return np.asarray(THUMB_ROOT, np.float32), axis, unit(back - axis * (axis @ back)), THUMB_LENGTHS, THUMB_RADII
    root, spread, lengths, radii = FINGERS[finger]
    angle = np.deg2rad(spread)
    axis = np.array([np.sin(angle), np.cos(angle), 0.0], np.float32)
    return np.asarray(root, np.float32), axis, np.array([0, 0, 1], np.float32), lengths, radii


#: flexion in degrees of (knuckle, middle, end) joint for index, middle, ring, little; then the thumb as
#: (across, middle, end), opposition, adduction; then spread of the fingers
_POSES: dict[str, tuple[tuple[tuple[float, float, float], ...], tuple[float, float, float, float, float], float]] = {
    "open": (((2, 4, 2), (0, 4, 2), (2, 4, 3), (4, 6, 4)), (-8, 0, -5, 5, -8), 4),
    "flat": (((8, 8, 4), (8, 8, 4), (8, 8, 4), (10, 10, 5)), (5, 8, 5, 12, 22), -7),
    "relaxed": (((18, 28, 12), (26, 34, 16), (32, 38, 18), (38, 40, 20)), (6, 14, 14, 25, 8), -3),
    "cup": (((38, 34, 16), (42, 34, 16), (44, 34, 18), (46, 36, 18)), (4, 12, 12, 40, 8), -4),
    "cheek": (((22, 40, 20), (32, 50, 24), (40, 58, 28), (46, 60, 30)), (0, 12, 10, 20, 0), -3),
    "claw": (((4, 62, 38), (4, 64, 40), (4, 64, 40), (6, 62, 38)), (0, 24, 34, 30, 0), 2),
    "curled": (((48, 68, 38), (54, 74, 42), (58, 76, 44), (60, 76, 44)), (14, 22, 30, 38, 10), -5),
    "fist": (((78, 98, 58), (82, 100, 60), (82, 100, 60), (84, 96, 58)), (34, 36, 42, 44, 16), -7),
    "point": (((4, 6, 4), (76, 92, 54), (80, 94, 56), (82, 92, 54)), (34, 34, 40, 42, 12), -6),
    "point_bent": (((34, 26, 14), (72, 88, 50), (76, 92, 54), (80, 92, 54)), (26, 28, 30, 38, 10), -6),
    "gun": (((6, 8, 4), (74, 92, 54), (80, 94, 56), (82, 92, 54)), (-6, 2, -4, 4, -4), -6),
    "two": (((4, 6, 3), (4, 6, 3), (78, 92, 54), (82, 92, 54)), (34, 38, 44, 44, 12), 3),
    "three": (((6, 8, 4), (8, 8, 4), (10, 10, 5), (78, 90, 54)), (32, 30, 40, 44, 10), 0),
    "pinch": (((50, 48, 26), (38, 40, 20), (32, 36, 18), (28, 32, 16)), (16, 12, 24, 54, 2), -2),
    "pinch_closed": (((54, 52, 28), (66, 78, 44), (72, 84, 50), (76, 86, 50)), (16, 14, 26, 52, 4), -5),
    "think": (((16, 22, 12), (66, 84, 48), (72, 88, 52), (76, 88, 52)), (-4, 10, 14, 26, -2), -4),
    "bite": (((56, 58, 30), (62, 72, 40), (66, 78, 44), (70, 80, 46)), (12, 14, 26, 44, 8), -6),
    "thumb_up": (((72, 94, 56), (76, 96, 58), (78, 96, 58), (80, 94, 56)), (-14, -4, -8, 0, 0), -7),
}
POSES = tuple(_POSES)


_SPREAD = (-8.0, -1.0, 7.0, 15.0)  # fingers come together when they bend


@dataclass(frozen=True, eq=False)
class HandPose:
    """Joint angles in degrees.

    Attributes:
        flex: (5, 3), index to little then thumb (across the palm, middle joint, end joint).
        spread: (4,), index to little, toward the little finger.
        thumb: opposition, adduction.
        wrist: flexion (palm toward the inner arm), deviation toward the thumb.
    """

    flex: F32
    spread: F32
    thumb: tuple[float, float] = (20.0, 5.0)
    wrist: tuple[float, float] = (0.0, 0.0)

    def mixed(self, other: HandPose, share: float) -> HandPose:
        """Return the pose between this one (share 0) and the other (share 1)."""
        mine, theirs = np.array([*self.thumb, *self.wrist]), np.array([*other.thumb, *other.wrist])
        a, b, c, d = (mine + (theirs - mine) * share).tolist()
        flex, spread = self.flex + (other.flex - self.flex) * share, self.spread + (other.spread - self.spread) * share
        return HandPose(np.asarray(flex, np.float32), np.asarray(spread, np.float32), (a, b), (c, d))


def named_pose(name: str, rng: Rng | None = None, loose: float = 1.0) -> HandPose:
    """Return a pose of `POSES`; with `rng`, loosened like a living hand's.

    Raises:
        ValueError: for an unknown name.
    """
    if name not in _POSES:
        raise ValueError(f"unknown hand pose {name!r}; known are {', '.join(POSES)}")
    fingers, thumb, fan = _POSES[name]
    flex = np.array([*fingers, thumb[:3]], np.float32)
    spread = np.array([-1.0, -0.25, 0.4, 1.2], np.float32) * fan
    pose = HandPose(flex, spread, (thumb[3], thumb[4]))
    if rng is None:
        return pose
    flex += ((rng.normal(0, 5, (5, 3)) + rng.normal(0, 5, (1, 3))) * loose).astype(np.float32)
    flex[:4, 2] = np.clip(flex[:4, 2], -4, 75)
    flex[:4, 1] = np.clip(flex[:4, 1], -4, 105)
    flex[:4, 0] = np.clip(flex[:4, 0], -25, 92)
    spread += (rng.normal(0, 2.0, 4) * loose).astype(np.float32)
    opposition, adduction = thumb[3] + rng.normal(0, 6) * loose, thumb[4] + rng.normal(0, 5) * loose
    wrist = (float(rng.normal(0, 18) * loose), float(rng.normal(0, 8) * loose))
    return HandPose(flex, spread, (opposition, adduction), wrist)


def random_pose(rng: Rng) -> HandPose:
    """Return a named pose, loosened, or a mixture of two."""
    first = named_pose(POSES[rng.integers(len(POSES))], rng)
    if rng.random() < 0.65:
        return first
    return first.mixed(named_pose(POSES[rng.integers(len(POSES))], rng), float(rng.uniform(0.2, 0.5)))


def _about(point: F32, turn: F32) -> F32:
    """4x4: rotate about a point."""
    out = np.eye(4, dtype=np.float32)
    out[:3, :3], out[:3, 3] = turn, point - turn @ point
    return out


def bones(pose: HandPose, reach: float = 1.0) -> F32:
    """(BONES, 3, 4) from rest to posed, hand root at the wrist."""
    out = np.tile(np.eye(4, dtype=np.float32), (BONES, 1, 1))
    bend, aside = pose.wrist
    for slot, part in ((1, 0.5), (2, 1.0)):  # the forearm moves, the palm stays
        turn = rotation([1, 0, 0], part * bend) @ rotation([0, 0, 1], part * aside)
        out[slot] = _about(np.array([0, -4, 0], np.float32), turn)
    for finger in range(5):
        root, axis, back, lengths, _ = finger_axes(finger)
        hinge, stops, first = np.cross(back, axis), np.cumsum([0, *lengths]), 3 + 6 * finger
        parent = np.eye(4, dtype=np.float32)
        for j in range(3):
            flex = float(pose.flex[finger, j])
            if finger == 4 and j == 0:
                swing = (-0.9 * pose.thumb[0], -pose.thumb[1], 0.55 * pose.thumb[0])
            elif j == 0:
                spread = -float(pose.spread[finger]) + _SPREAD[finger] * min(max(flex, 0) / 60, 1)
                swing = (0.0, spread, 0.0)
            else:
                swing = (0.0, 0.0, 0.0)
            joint = np.asarray(root + axis * stops[j], np.float32)
            for slot, part in ((2 * j, 0.5), (2 * j + 1, 1.0)):
                turn = rotation([0, 1, 0], part * swing[0]) @ rotation([0, 0, 1], part * swing[1])
                turn = turn @ rotation(axis, -part * swing[2]) @ rotation(hinge, part * flex)
                if j == 0 and part == 1.0:
                    turn = turn @ (np.eye(3, dtype=np.float32) + (reach - 1) * np.outer(axis, axis))
                out[first + slot] = parent @ _about(joint, np.asarray(turn, np.float32))
            parent = out[first + 2 * j + 1]
    return np.asarray(out[:, :3, :], np.float32)


def marks(matrices: F32) -> tuple[F32, F32]:
    """Posed (5, 3) tip pads, thumb first, and their outward normals."""
    tips, outward = np.zeros((5, 3), np.float32), np.zeros((5, 3), np.float32)
    for finger in range(5):
        root, axis, back, lengths, radii = finger_axes(finger)
        normal = unit(0.55 * axis - back)
        rest = root + axis * (sum(lengths) - 0.5) + normal * radii[3]
        matrix = matrices[3 + 6 * finger + 5]
        slot = 0 if finger == 4 else finger + 1
        tips[slot], outward[slot] = matrix[:, :3] @ rest + matrix[:, 3], unit(matrix[:, :3] @ normal)
    return tips, outward


def skeleton_elbow(pose: HandPose) -> F32:
    """Return the elbow of a posed right hand, (3,) mm."""
    bend, aside = pose.wrist
    turn = rotation([1, 0, 0], bend) @ rotation([0, 0, 1], aside)
    return np.asarray(turn @ np.array([0, -265, 0], np.float32), np.float32)


def skeleton(matrices: F32) -> F32:
    """Posed (21, 3) mm: wrist, then root, two joints and end of index, middle, ring, little finger and thumb."""
    out = [np.zeros(3, np.float32)]
    for finger in range(5):
        root, axis, _, lengths, _ = finger_axes(finger)
        for j, stop in enumerate(np.cumsum([0, *lengths])):
            matrix = matrices[3 + 6 * finger + 2 * max(j - 1, 0) + 1]
            out.append(matrix[:, :3] @ (root + axis * stop) + matrix[:, 3])
    return np.asarray(out, np.float32)
