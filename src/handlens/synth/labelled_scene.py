"""One rendered picture of a person with hands, and the boxes and the mask that are true of it; it knows no files."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.synth.camera_stage import PIVOT, Stage, random_stage
from handlens.synth.hand_on_face import Skin, touched_rows
from handlens.synth.hand_plans import Plan, plan_hands
from handlens.synth.head_model import random_person
from handlens.synth.head_skin import BODY, HAND
from handlens.synth.scene import box_of, compose
from handlens.tasks.touch import REGIONS
from handlens.types import Floats, Image

SCHEMES: dict[str, dict[str, str]] = {
    "facetouch": dict.fromkeys(REGIONS, "facetouch"),
    "three": {
        "forehead": "forehead", "eye": "forehead", "nose": "cheek", "cheek": "cheek", "ear": "cheek", "mouth": "chin",
        "chin": "chin",
    },
    "regions": {name: name for name in REGIONS},
}  # fmt: skip
"""Which label each touched region gets: one class with the box of the whole face, or the box of the region."""

PAIRED = ("eye", "cheek", "ear")
MASKS = ("background", "hand", "face")
_LEAST = 3.0  # pixels: a box with a shorter side is of nothing that can be seen
_EAR = REGIONS.index("ear") + 1


@dataclass(frozen=True)
class Task:
    """What one picture is drawn from: the same task gives the same picture."""

    seed: int
    person: int
    number: int
    size: int
    labels: str

    @property
    def name(self) -> str:
        """The picture's name."""
        return f"person{self.person:04d}_{self.number}"


@dataclass(frozen=True, eq=False)
class LabelledScene:
    """A rendered picture and what it was rendered from.

    Attributes:
        image: (H, W, 3) uint8 RGB.
        parts, regions, hands: (H, W) uint8, as `scene.compose` gives them.
    """

    stage: Stage
    plan: Plan
    skin: Skin
    image: Image
    parts: Image
    regions: Image
    hands: Image


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture as JPEG, its mask as PNG, and its boxes (n, 4) with a name for each."""

    image: bytes
    mask: bytes
    boxes: Floats
    names: tuple[str, ...]


def draw_task(task: Task) -> Drawn:
    """Draw one picture with its truth."""
    return labelled(draw_labelled_scene(task), task.labels)


def draw_labelled_scene(task: Task) -> LabelledScene:
    """Draw one picture, whatever its labels are to be."""
    person = random_person(np.random.default_rng([task.seed, 2, task.person]))
    rng = np.random.default_rng([task.seed, 3, task.person, task.number])
    stage = random_stage(rng, (task.size, task.size), person)
    skin = stage.skin
    plan = plan_hands(rng, stage, skin)
    return LabelledScene(stage, plan, skin, *compose(stage, [(hand, plan.appearance) for hand in plan.hands], rng))


def labelled(shot: LabelledScene, labels: str) -> Drawn:
    """Return a drawn picture as files, with the boxes of one kind of labels."""
    seen = [(name, box) for name, box in _boxes(shot, labels) if min(box[2:] - box[:2]) >= _LEAST]
    boxes = np.array([box for _, box in seen], np.float32).reshape(-1, 4)
    _, image = cv2.imencode(".jpg", shot.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    _, mask = cv2.imencode(".png", mask_of(shot))
    return Drawn(image.tobytes(), mask.tobytes(), boxes, tuple(name for name, _ in seen))


def mask_of(shot: LabelledScene) -> Image:
    """Return (H, W) uint8, indices into MASKS: faces without ears, with what hair and glasses hide; hands on top."""
    face = (shot.regions > 0) & (shot.regions != _EAR) & (shot.parts != BODY)
    return np.where(shot.hands > 0, 1, np.where(face, 2, 0)).astype(np.uint8)


def _boxes(shot: LabelledScene, labels: str) -> Iterator[tuple[str, Floats]]:
    """Yield the name and box of all that is labelled."""
    touched = [(region, side, box) for region in shot.plan.regions for side, box in _touched(region, shot)]
    face = box_of((shot.regions > 0) & (shot.regions != _EAR))
    if labels == "facetouch":
        if face is not None and touched:
            yield labels, face
        return
    if labels == "regions":
        if face is not None:
            yield "face", face
        for number in range(len(shot.plan.hands)):
            hand = box_of(shot.parts == HAND + number)
            if hand is not None:
                yield "hand", hand
    merged: dict[tuple[str, int], Floats] = {}
    for region, side, box in touched:
        key = (SCHEMES[labels][REGIONS[region - 1]], side)
        if key in merged:
            box = np.concatenate((np.minimum(merged[key][:2], box[:2]), np.maximum(merged[key][2:], box[2:])))
        merged[key] = np.asarray(box, np.float32)
    for (name, _), box in merged.items():
        yield name, box


def _touched(region: int, shot: LabelledScene) -> Iterator[tuple[int, Floats]]:
    """Yield the side (1 the person's left, -1 right, 0 both) and box of a touched region; of pairs the touched one.

    A touch of which no hand is to be seen, beyond the edge of the picture, is none.
    """
    seen = shot.regions == region
    sides = [0]
    if REGIONS[region - 1] in PAIRED:
        met = np.unique(np.concatenate([touched_rows(hand.points, shot.skin) for hand in shot.plan.hands]))
        contact = _side(shot.skin.points[met[shot.skin.region[met] == region]], shot.stage)
        if len(contact):
            sides = [side for side in (1, -1) if np.mean(contact == side) >= 0.25]
    for side in sides:
        box = box_of(seen if side == 0 else seen & _shadow(region, side, shot))
        if box is not None and _hand_at(box, shot):
            yield side, box


def _hand_at(box: Floats, shot: LabelledScene) -> bool:
    """Return whether a hand covers a hundredth of the box, or of what lies close around it."""
    reach = np.tile(0.1 * (box[2:] - box[:2]) + 1, 2) * (-1, -1, 1, 1)
    height, width = shot.hands.shape
    x1, y1, x2, y2 = np.clip(box + reach, 0, (width, height, width, height)).astype(int)
    return float(shot.hands[y1:y2, x1:x2].mean()) >= 0.01


def _side(points: Floats, stage: Stage) -> NDArray[np.int64]:
    """Return (n,): 1 for points on the left half of the person's face, else -1."""
    across = (points - PIVOT - stage.lean) @ stage.head[:, 0]  # the head's own x axis
    return np.where(across > 0, 1, -1)


def _shadow(region: int, side: int, shot: LabelledScene) -> NDArray[np.bool_]:
    """Return (H, W): where the points of a region on one side of the face fall in the picture."""
    rows = shot.skin.points[shot.skin.region == region]
    xy = np.floor(shot.stage.camera.project(rows[_side(rows, shot.stage) == side])).astype(int)
    height, width = shot.regions.shape
    xy = xy[((xy >= 0) & (xy < (width, height))).all(1)]
    there = np.zeros((height, width), np.uint8)
    there[xy[:, 1], xy[:, 0]] = 1
    reach = 1 + 2 * max(1, round(1.2 * shot.stage.camera.scale))  # points lie about a millimetre apart
    return np.asarray(cv2.dilate(there, np.ones((reach, reach), np.uint8)) > 0)
