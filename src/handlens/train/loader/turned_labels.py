"""What a picture's label and angle are after it was moved; it must not know pixels, networks or files."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from handlens.data.dataset import Labelled
from handlens.data.rotate import turned_label
from handlens.train.augment.geometry import Matrix, turned_by

DIRECTIONS = ("up", "left", "down", "right")
FAR = 45.0
"""Degrees by which a picture must be turned to point elsewhere."""


def named(text: str) -> tuple[str, ...]:
    """Return the names in "up, left, down, right"."""
    return tuple(name.strip() for name in text.split(",") if name.strip())


def direction_hint(names: Sequence[str], degrees: float, turning: str) -> str:
    """Return what to say to someone whose classes are directions that turned pictures would make alike.

    "" for the others.
    """
    lower = [name.lower() for name in names]
    if turning or degrees <= FAR or not all(name in lower for name in DIRECTIONS):
        return ""
    ring = ",".join(names[lower.index(name)] for name in DIRECTIONS)
    return (
        f"{ring} look alike once they are turned: type --set turning={ring}, so that turning a picture turns its label"
    )


def truth_after(labelled: Labelled, matrix: Matrix, ring: Sequence[int] = ()) -> tuple[int, tuple[float, float]]:
    """Return the label after a move, and cosine and sine of the angle, counter-clockwise from upright.

    A picture whose angle nobody told counts as upright.

    Args:
        ring: Labels that are one shape in several directions, counter- clockwise from the one that points up. A
            mirrored picture of the first to its left shows the first to its right, and a turned one the label that lies
            nearest; its angle counts from there, as `handlens.data.rotate` measures it.
    """
    label, cosine, sine = int(labelled.labels[0]), *turned_by(matrix)
    degrees, own = math.degrees(math.atan2(sine, cosine)), labelled.angle or 0.0
    if np.linalg.det(matrix[:2, :2]) < 0:
        own = -own
        label = ring[-ring.index(label) % len(ring)] if label in ring else label
    label, degrees = turned_label(label, degrees + own, ring)
    return label, (math.cos(math.radians(degrees)), math.sin(math.radians(degrees)))
