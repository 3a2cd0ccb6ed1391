"""How far landmarks lie from their true places; it must not know models."""

from dataclasses import dataclass

import numpy as np

from handlens.boxes import iou
from handlens.data.dataset import LabelledSet
from handlens.evaluate import binary
from handlens.evaluate.angles import Turned
from handlens.evaluate.bootstrap import Array, Drawn
from handlens.evaluate.curves import Curve, Pck
from handlens.evaluate.judge import Findings, Verdict
from handlens.kinds.landmarks import degrees
from handlens.predictor import Predictor
from handlens.types import Floats, Hand, Value

STEPS = np.linspace(0.0, 0.5, 51)
"""Distances of the curve, in lengths of the palm."""
SHOWN = (0.05, 0.1, 0.2)
"""Distances within which the report counts landmarks."""
NEAR = 0.2
"""Mean error up to which a hand counts as right in its direction, in lengths of the palm."""
_LOST = 9.0
"""Stands for the error of a hand that was not found: more than any distance of the curve."""


def palm_length(points: Floats) -> float:
    """Return the length of a palm in pixels: from wrist to middle knuckle, or 1.3 times from index to little knuckle.

    The longer of both counts: a palm seen from its end has no length, and every error would be infinite.
    """
    along = float(np.linalg.norm(points[9, :2] - points[0, :2]))
    across = 1.3 * float(np.linalg.norm(points[17, :2] - points[5, :2]))
    return max(along, across, 1e-6)


class LandmarkJudge:
    """Judges the landmarks of each true hand; the answer to it is the hand whose landmarks overlap it best."""

    min_score: float | None = None

    def __init__(self, predictor: Predictor, found: LabelledSet) -> None:
        self._errors: list[Array] = []
        self._picture: list[int] = []
        self._sides: list[int] = []
        self._angles: list[tuple[float, float]] = []
        self._pictures = 0

    def add(self, truth: Value, answer: Value) -> Verdict:
        """Take the hands of one picture."""
        if not isinstance(truth, tuple) or not isinstance(answer, tuple):
            raise TypeError(f"LandmarkJudge: expected hands, got {type(truth).__name__} and {type(answer).__name__}")
        means, pairs = [], _pairs(truth, answer)
        if len(pairs) == 1:  # of several hands in a picture none stands for it
            self._angles.append((_angle(pairs[0][0]), _angle(pairs[0][1])))
        for hand, said in pairs:
            error = np.full(21, _LOST) if said is None else _errors(hand, said)
            self._errors.append(error)
            self._picture.append(self._pictures)
            known = bool(hand.side) and said is not None and bool(said.side)
            self._sides.append(int(said.side == hand.side) if known and said is not None else -1)
            means.append(float(error.mean()))
        self._pictures += 1
        lost = sum(mean >= _LOST for mean in means)
        seen = [mean for mean in means if mean < _LOST]
        words = f"error {np.mean(seen):.1%} of the palm" if seen else "no hand"
        words += f", {lost} not found" if lost and seen else ""
        quality = float(np.mean([max(0.0, 1 - 2 * mean) for mean in means])) if means else 0.0
        return Verdict(quality, 1 - quality, words)

    def finish(self) -> Findings:
        """Return what comes of all hands."""
        errors = np.array(self._errors).reshape(-1, 21)
        told = Points(errors, np.array(self._picture, np.int64), np.array(self._sides, np.int64), self._pictures)
        turned = None
        angles = np.array(self._angles, np.float64).reshape(-1, 2)
        if len(angles) == len(errors) == self._pictures and not np.isnan(angles[:, 0]).any():  # one hand in each
            turned = Turned(angles[:, 0], angles[:, 1], errors.mean(axis=1) <= NEAR, f"hands within {NEAR:.0%} of palm")
        return Findings(told.metrics, told.curves(), turned=turned)


@dataclass(frozen=True, eq=False)
class Points:
    """All hands of a set.

    Attributes:
        error: (hands, 21) in lengths of the palm, `_LOST` where the hand was not found.
        picture: (hands,) the row of its picture; side: (hands,) 1 right, 0 wrong, -1 not known.
        pictures: how many there are.
    """

    error: Array
    picture: Array
    side: Array
    pictures: int

    def metrics(self, weights: Array) -> list[Drawn]:
        """Return the numbers of all hands together."""
        each = weights[:, self.picture]
        found = self.error[:, 0] < _LOST
        total, seen = each.sum(axis=1), each[:, found]
        mean, count = self.error[found].mean(axis=1), int(found.sum())
        rows = [
            Drawn("hand found", binary.ratio(seen.sum(axis=1), total), len(found)),
            Drawn("mean error, % of palm", 100 * binary.ratio(seen @ mean, seen.sum(axis=1)), count),
            Drawn("tips, mean error, % of palm", 100 * self._share(seen, found, (4, 8, 12, 16, 20)), count),
        ]
        for limit in SHOWN:
            near = (self.error <= limit).mean(axis=1)
            rows.append(Drawn(f"PCK {limit:.0%} of palm", binary.ratio(each @ near, total), len(found)))
        area = np.mean([(self.error <= step).mean(axis=1) for step in STEPS], axis=0)
        rows.append(Drawn("PCK area to 50 %", binary.ratio(each @ area, total), len(found)))
        known = self.side >= 0
        if known.any():
            side = binary.ratio(each[:, known] @ (self.side[known] == 1), each[:, known].sum(axis=1))
            rows.append(Drawn("side right", side, int(known.sum())))
        return rows

    def _share(self, seen: Array, found: Array, points: tuple[int, ...]) -> Array:
        return binary.ratio(seen @ self.error[found][:, points].mean(axis=1), seen.sum(axis=1))

    def curves(self) -> tuple[Curve, ...]:
        """Return how many landmarks lie within each distance: all, the tips, and the palm."""
        groups = {"all": range(21), "tips": (4, 8, 12, 16, 20), "palm": (0, 5, 9, 13, 17)}
        return tuple(
            Pck("landmarks", name, STEPS, np.array([(self.error[:, list(rows)] <= step).mean() for step in STEPS]))
            for name, rows in groups.items()
        )


def _angle(hand: Hand | None) -> float:
    """Return where the palm points, in degrees, nan where that is not known."""
    angle = None if hand is None or hand.landmarks is None else degrees(hand.landmarks)
    return float("nan") if angle is None else angle


def _errors(truth: Hand, answer: Hand) -> Array:
    assert truth.landmarks is not None
    assert answer.landmarks is not None
    away = np.linalg.norm(answer.landmarks[:, :2] - truth.landmarks[:, :2], axis=1)
    return np.asarray(np.minimum(away / palm_length(truth.landmarks), _LOST - 1e-6))


def _pairs(truths: tuple[Hand, ...], answers: tuple[Hand, ...]) -> list[tuple[Hand, Hand | None]]:
    """Return each true hand with its answer, the best overlap first, each answer once."""
    told = [hand for hand in answers if hand.landmarks is not None]
    left = dict(enumerate(truths))
    paired: dict[int, Hand | None] = dict.fromkeys(left)
    if told and truths:
        overlap = iou(np.stack([_box(hand) for hand in truths]), np.stack([_box(hand) for hand in told]))
        while overlap.size and overlap.max() > 0.05:
            row, column = np.unravel_index(int(overlap.argmax()), overlap.shape)
            paired[int(row)] = told[int(column)]
            overlap[row, :] = overlap[:, column] = 0.0
    return [(truths[number], paired[number]) for number in left]


def _box(hand: Hand) -> Floats:
    assert hand.landmarks is not None
    points = hand.landmarks[:, :2]
    return np.concatenate([points.min(axis=0), points.max(axis=0)]).astype(np.float32)
