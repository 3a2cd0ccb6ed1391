"""Probabilities <-> Labels, with an angle where the network gives one; it must not know what the names stand for.

Canonical arrays: "probabilities" (n, classes); where there is an angle, "angle" (n, 2) float32: its cosine and sine.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np

from handlens.card import ModelCard
from handlens.kinds import expect
from handlens.types import Floats, Label


def decode(outputs: Mapping[str, Floats], card: ModelCard) -> tuple[Label, ...]:
    """Return one Label for each picture of the batch; angles in degrees, counter-clockwise from upright.

    Raises:
        ModelError: arrays of other shapes.
    """
    rows = expect("probabilities", outputs["probabilities"], (None, len(card.names)))
    angles: list[float | None] = [None] * len(rows)
    if "angle" in outputs:
        angles = [_degrees(*pair) for pair in expect("angle", outputs["angle"], (len(rows), 2)).tolist()]
    labels = []
    for row, angle in zip(rows, angles, strict=True):
        scores = dict(zip(card.names, (float(v) for v in row), strict=True))
        best = card.names[int(np.argmax(row))]
        labels.append(Label(best, scores[best], scores, angle))
    return tuple(labels)


def encode(labels: Sequence[Label], names: Sequence[str]) -> dict[str, Floats]:
    """Return the canonical arrays that say exactly these labels: the inverse of `decode`.

    A label without `scores` is a truth: all the probability goes to its name.
    """
    rows = [[label.scores.get(name, 0.0) if label.scores else float(name == label.name) for name in names]
            for label in labels]  # fmt: skip
    outputs = {"probabilities": np.asarray(rows, np.float32).reshape(len(labels), len(names))}
    angles = [math.radians(label.angle) for label in labels if label.angle is not None]
    if angles and len(angles) == len(labels):
        outputs["angle"] = np.asarray([[math.cos(a), math.sin(a)] for a in angles], np.float32)
    return outputs


def _degrees(cosine: float, sine: float) -> float | None:
    return math.degrees(math.atan2(sine, cosine)) if cosine or sine else None
