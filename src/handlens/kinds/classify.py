"""Probabilities <-> Labels, with an angle where the network gives one; it must not know what the names stand for.

Canonical arrays: "probabilities" (n, classes); where there is an angle, "angle" (n, 2) float32: its cosine and sine.
A card's calibration {"a", "b"} sharpens or flattens them: each becomes p ** a, made to sum to 1; of two classes the
logit of the second is also moved by b, so that a tuned cut lies at one half. It stays out of the graph.
"""

import math
from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from handlens.card import ModelCard
from handlens.kinds.base import expect
from handlens.preprocess import Geometry
from handlens.types import Floats, Label

TINY = 1e-12  # the logarithm of less is not asked for


def decode(outputs: Mapping[str, Floats], card: ModelCard) -> tuple[Label, ...]:
    """Return one Label for each picture of the batch; angles in degrees, counter-clockwise from upright.

    Raises:
        ModelError: arrays of other shapes.
    """
    rows = expect("probabilities", outputs["probabilities"], (None, len(card.names)))
    rows = calibrated(rows, card.calibration)
    angles: list[float | None] = [None] * len(rows)
    if "angle" in outputs:
        angles = [_degrees(*pair) for pair in expect("angle", outputs["angle"], (len(rows), 2)).tolist()]
    labels = []
    for row, angle in zip(rows, angles, strict=True):
        scores = dict(zip(card.names, (float(v) for v in row), strict=True))
        best = card.names[int(np.argmax(row))]
        labels.append(Label(best, scores[best], scores, angle))
    return tuple(labels)


def encode(
    labels: Sequence[Label], names: Sequence[str], calibration: Mapping[str, float] | None = None
) -> dict[str, Floats]:
    """Return the canonical arrays that say exactly these labels: the inverse of `decode`.

    A label without `scores` is a truth: all the probability goes to its name.

    Args:
        calibration: That of the card which will decode them, for it is undone here.
    """
    rows = [[label.scores.get(name, 0.0) if label.scores else float(name == label.name) for name in names]
            for label in labels]  # fmt: skip
    probabilities = np.asarray(rows, np.float32).reshape(len(labels), len(names))
    if calibration:
        a, b = calibration["a"], calibration["b"]
        probabilities = calibrated(probabilities, {"a": 1 / a, "b": -b / a})
    outputs = {"probabilities": probabilities}
    angles = [math.radians(label.angle) for label in labels if label.angle is not None]
    if angles and len(angles) == len(labels):
        outputs["angle"] = np.asarray([[math.cos(a), math.sin(a)] for a in angles], np.float32)
    return outputs


def calibrated(rows: Floats, calibration: Mapping[str, float]) -> Floats:
    """Return (n, classes) probabilities as a calibration has them; without one as they are."""
    if not calibration:
        return rows
    logs = calibration["a"] * np.log(np.maximum(np.asarray(rows, np.float64), TINY))
    if rows.shape[1] == 2:
        logs[:, 1] += calibration["b"]
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), np.float32)


def _degrees(cosine: float, sine: float) -> float | None:
    return math.degrees(math.atan2(sine, cosine)) if cosine or sine else None


@final
class Classify:
    """The kind "classify": one `Label` for each picture."""

    name = "classify"
    outputs = ("probabilities",)

    def decode(
        self, outputs: Mapping[str, Floats], card: ModelCard, geometries: Sequence[Geometry] = ()
    ) -> tuple[Label, ...]:
        """Return the label of each picture, which needs no way back; see `handlens.kinds.classify.decode`."""
        return decode(outputs, card)

    def encode(
        self, answers: Sequence[Label], card: ModelCard, geometries: Sequence[Geometry] = ()
    ) -> dict[str, Floats]:
        """Return the arrays of these labels, the card's calibration undone."""
        return encode(answers, card.names, card.calibration)
