"""A person in a place before a camera: all of a scene that does not depend on the hands.

It must not know about hands.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from handlens.synth.backdrop import backdrop
from handlens.synth.face_features import Face
from handlens.synth.hand_on_face import Skin
from handlens.synth.head_model import Bust, Person, build_bust, random_person
from handlens.synth.points import Camera, Cloud
from handlens.synth.rasterize import F32, rotation
from handlens.synth.shading import Light, random_light

Rng = np.random.Generator

#: where the head turns, in head coordinates
PIVOT = np.array([0, -105, -15], np.float32)


@dataclass(frozen=True, eq=False)
class Stage:
    """A person in a place: all that does not depend on the hands.

    Attributes:
        person, bust: who; head: (3, 3) rotation and lean: (3,) shift of the head in mm.
        camera: for a picture of `size`; light; ground: (h, w, 3) linear backdrop.
    """

    person: Person
    bust: Bust
    head: F32
    lean: F32
    camera: Camera
    size: tuple[int, int]
    light: Light
    ground: F32

    @property
    def posed(self) -> tuple[list[Cloud], list[Cloud]]:
        """Skin and other clouds of the head, moved."""
        shift = np.asarray(PIVOT - self.head @ PIVOT + self.lean, np.float32)
        return [c.moved(self.head, shift) for c in self.bust.skin], [c.moved(self.head, shift) for c in self.bust.over]

    @property
    def skin(self) -> Skin:
        """The face that hands can touch."""
        skin, _ = self.posed
        points = np.concatenate([skin[0].points[::2], *(c.points[::2] for c in skin[1:])])
        part = np.concatenate([skin[0].part[::2], *(c.part[::2] for c in skin[1:])])
        return Skin(points, np.where(part < 8, part, 0).astype(np.uint8))


def random_stage(rng: Rng, size: tuple[int, int], person: Person | None = None, face: Face | None = None) -> Stage:
    """Anybody, anywhere, looking more or less at the camera."""
    h, w = size
    person = person or random_person(rng)
    if face is None:
        face = Face(
            blink=float(rng.random() < 0.12), smile=float(np.clip(rng.normal(0.15, 0.4), -0.5, 1)),
            open=float(max(rng.normal(-0.4, 0.5), 0)), raised=float(max(rng.normal(-0.3, 0.5), 0)),
            gaze=(float(rng.normal(0, 10)), float(rng.normal(0, 7))),
        )  # fmt: skip
    turn = rotation([0, 0, 1], rng.normal(0, 7)) @ rotation([1, 0, 0], rng.normal(0, 9))
    turn = turn @ rotation([0, 1, 0], float(np.clip(rng.normal(0, 19), -48, 48)))
    tall = float(np.clip(np.exp(rng.normal(np.log(0.42), 0.35)), 0.16, 0.85))
    scale = tall * h / 186.0
    middle = (w * float(np.clip(rng.normal(0.5, 0.11), 0.2, 0.8)), h * float(np.clip(rng.normal(0.42, 0.07), 0.3, 0.6)))
    camera = Camera(scale, float(rng.uniform(600, 1800)), (middle[0], middle[1] - 25 * scale))
    bust = build_bust(person, face, 0.6 if scale < 1.0 else 1.0)
    lean = np.array([rng.normal(0, 8), 0, rng.normal(0, 8)], np.float32)
    return Stage(person, bust, np.asarray(turn, np.float32), lean, camera, size, random_light(rng), backdrop(rng, size))
