"""What a picture's label and angle are after it was moved; it must not know pixels, networks or files."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from handlens.data.sets import Labelled
from handlens.data.turning import turned_label
from handlens.train.moves import Matrix, turned_by


def named(text: str) -> tuple[str, ...]:
    """The names in "up, left, down, right"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def truth_after(labelled: Labelled, matrix: Matrix, ring: Sequence[int] = ()) -> tuple[int, tuple[float, float]]:
    """The label after a move, and cosine and sine of the angle, counter-clockwise from upright.

    A picture whose angle nobody told counts as upright. ring: labels that are one shape in several directions, counter-
    clockwise from the one that points up. A mirrored picture of the first to its left shows the first to its right, and
    a turned one the label that lies nearest; its angle counts from there, as `handlens.data.turning` measures it.
    """
    label, cosine, sine = int(labelled.labels[0]), *turned_by(matrix)
    degrees, own = math.degrees(math.atan2(sine, cosine)), labelled.angle or 0.0
    if np.linalg.det(matrix[:2, :2]) < 0:
        own = -own
        label = ring[-ring.index(label) % len(ring)] if label in ring else label
    label, degrees = turned_label(label, degrees + own, ring)
    return label, (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
