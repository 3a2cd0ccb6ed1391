"""Landmarks of hands, with all that is said of each <-> Hands; it must not know how hands are found.

Canonical arrays of n crops, one hand each: "landmarks" (n, 21, 3): x and y as shares of the network's input, and how
sure the place is; "right" (n, 1) the probability of a right hand; "present" (n, 1) that of a hand at all. Where the
model tells more: "angle" (n, 2) cosine and sine of how it is turned, "fingers" (n, 5) whether each is stretched,
"hold" (n, holds), "kinds" (n, things) and "signs" (n, signs) probabilities, "parts" (n, 3, h, w) those of background,
hand and forearm in each cell. The names of the card are the two sides,
then what a hand does, what it holds, and the signs; its options "holds" and "things" count them.
"""

import math
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from handlens.card import ModelCard
from handlens.kinds.base import expect
from handlens.kinds.segment import above_zero
from handlens.preprocess import Geometry
from handlens.types import LANDMARKS, Floats, Hand, Image, Label, window_of

SIDES = ("left", "right")
PARTS = ("background", "hand", "forearm")
"""What each cell of the map "parts" may show."""
POINTS = len(LANDMARKS)
_ARRAYS = {"hold": "hold", "thing": "kinds", "sign": "signs"}
"""What is said of a hand -> the array that says it."""


def names_of(card: ModelCard) -> dict[str, tuple[str, ...]]:
    """Return the names that a card has for "hold", "thing" and "sign"."""
    holds, things = int(card.options["holds"]), int(card.options["things"])
    rest = card.names[len(SIDES) :]
    return {"hold": rest[:holds], "thing": rest[holds : holds + things], "sign": rest[holds + things :]}


def points_of(outputs: Mapping[str, Floats], ways: Sequence[Geometry]) -> list[Floats]:
    """Return the landmarks (21, 3) of each crop, x and y in source pixels.

    Raises:
        ModelError: arrays of other shapes.
    """
    told = expect("landmarks", outputs["landmarks"], (len(ways), POINTS, 3))
    out = []
    for rows, way in zip(told, ways, strict=True):
        inner = rows[:, :2] * np.array([way.net_width, way.net_height], np.float32)
        source = way.to_source(np.concatenate([inner, inner], axis=1))[:, :2]
        out.append(np.concatenate([source, rows[:, 2:]], axis=1).astype(np.float32))
    return out


def sides_of(outputs: Mapping[str, Floats]) -> list[tuple[str, float]]:
    """Return the side of each hand and its probability."""
    right = [float(v) for v in outputs["right"][:, 0]]
    return [(SIDES[p >= 0.5], max(p, 1 - p)) for p in right]


def degrees(points: Floats) -> float | None:
    """Return how a hand is turned, from its wrist to its middle knuckle: counter-clockwise from upright."""
    across, down = (float(v) for v in points[9, :2] - points[0, :2])
    return math.degrees(math.atan2(-across, -down)) if across or down else None


def around(points: Floats) -> Floats:
    """Return the box (4,) of landmarks (21, 3)."""
    return np.concatenate([points[:, :2].min(axis=0), points[:, :2].max(axis=0)]).astype(np.float32)


def masks_of(outputs: Mapping[str, Floats], ways: Sequence[Geometry], boxes: Sequence[Floats]) -> list[Image | None]:
    """Return the mask of each hand without its forearm, (h, w) uint8 over all pixels that its box touches.

    Args:
        boxes: (4,) source pixels of each hand.

    Raises:
        ModelError: arrays of other shapes.
    """
    if "parts" not in outputs:
        return [None] * len(boxes)
    parts = expect("parts", outputs["parts"], (len(boxes), len(PARTS), None, None))
    number = PARTS.index("hand")
    out: list[Image | None] = []
    for rows, way, box in zip(parts, ways, boxes, strict=True):
        lead = rows[number] - np.delete(rows, number, axis=0).max(axis=0)
        out.append(above_zero(np.asarray(lead, np.float32), way, window_of(box)))
    return out


@final
class Landmarks:
    """The kind "landmarks": one `Hand` for each crop, whose gesture is its side at the probability of a hand."""

    name = "landmarks"
    outputs = ("landmarks", "right", "present")

    def decode(
        self, outputs: Mapping[str, Floats], card: ModelCard, geometries: Sequence[Geometry]
    ) -> tuple[Hand, ...]:
        """Return the hand of each crop in source pixels, without a mask; its box is that of its landmarks.

        Raises:
            ModelError: arrays of other shapes.
        """
        count = len(geometries)
        present = expect("present", outputs["present"], (count, 1))
        expect("right", outputs["right"], (count, 1))
        names = names_of(card)
        hands = []
        for row, (points, (side, sure)) in enumerate(
            zip(points_of(outputs, geometries), sides_of(outputs), strict=True)
        ):
            told = {
                what: _label(outputs[array][row], names[what])
                for what, array in _ARRAYS.items()
                if array in outputs and names[what]
            }
            scores = {side: sure, next(s for s in SIDES if s != side): 1 - sure}
            angle = degrees(points)
            label = Label(side, float(present[row, 0]), {name: scores[name] for name in SIDES}, angle)
            fingers = outputs["fingers"][row] if "fingers" in outputs else None
            hands.append(Hand(around(points), label, angle, landmarks=points, side=side, pose=told, fingers=fingers))
        return tuple(hands)

    def encode(self, answers: Sequence[Hand], card: ModelCard, geometries: Sequence[Geometry]) -> dict[str, Floats]:
        """Return the arrays of these hands."""
        rows: dict[str, list[Floats]] = {"landmarks": [], "right": [], "present": []}
        for hand, way in zip(answers, geometries, strict=True):
            points = np.zeros((POINTS, 3), np.float32) if hand.landmarks is None else hand.landmarks
            inner = way.to_network(np.concatenate([points[:, :2], points[:, :2]], axis=1))[:, :2]
            share = inner / np.array([way.net_width, way.net_height], np.float32)
            rows["landmarks"].append(np.concatenate([share, points[:, 2:]], axis=1).astype(np.float32))
            right = hand.gesture.scores.get("right", float(hand.side == "right"))
            rows["right"].append(np.array([right], np.float32))
            rows["present"].append(np.array([hand.gesture.score], np.float32))
            for what, names in names_of(card).items():
                label = hand.pose.get(what)
                if label is not None:
                    said = [label.scores.get(name, 0.0) for name in names]
                    rows.setdefault(_ARRAYS[what], []).append(np.array(said, np.float32))
            if hand.fingers is not None:
                rows.setdefault("fingers", []).append(hand.fingers)
        return {name: np.stack(values) for name, values in rows.items() if values}


def _label(row: Floats, names: Sequence[str]) -> Label:
    scores = dict(zip(names, (float(v) for v in row), strict=True))
    best = names[int(np.argmax(row))]
    return Label(best, scores[best], scores)
