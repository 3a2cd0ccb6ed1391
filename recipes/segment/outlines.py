"""Hands and faces that were outlined by eye, as polygons (outlines.json); it knows no pictures or nets.

Nothing else tells the exact pixels of real hands over faces, and of hands in clutter. Edges are right to 1 or 2 pixels
of the source.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.types import IGNORE
from recipes.segment.portraits import FACE, U8

OUTLINES = Path(__file__).with_suffix(".json")
HAND = 1
FINE = 4
"""Polygons are drawn so many times larger, for their edges lie between pixels."""
Polygons = tuple[tuple[float, ...], ...]


@dataclass(frozen=True)
class Outlined:
    """One picture.

    Attributes:
        file: Its name in `touch/images`, or its path below the data folder.
        hands, hand_holes, face, face_holes, ignore: Polygons x1 y1 x2 y2 ... in pixels.
        sure: Whether all edges could be seen well.
    """

    file: str
    person: str
    split: str
    sure: bool = True
    hands: Polygons = ()
    hand_holes: Polygons = ()
    face: Polygons = ()
    face_holes: Polygons = ()
    ignore: Polygons = ()

    @property
    def path(self) -> str:
        """Where the picture lies below the data folder."""
        return self.file if "/" in self.file else f"touch/images/{self.file}"

    def mask(self, shape: tuple[int, int]) -> U8:
        """(H, W): 0 background, 1 hand, 2 face, 255 not known."""
        hand = _filled(self.hands, shape) & ~_filled(self.hand_holes, shape)
        face = _filled(self.face, shape) & ~_filled(self.face_holes, shape) & ~hand
        mask = np.where(hand, HAND, np.where(face, FACE, 0)).astype(np.uint8)
        mask[_filled(self.ignore, shape)] = IGNORE
        return mask

    def covered(self, shape: tuple[int, int]) -> NDArray[np.bool_]:
        """(H, W): where a hand lies over the face, as far as its visible parts tell: within their convex hull."""
        if not self.face:
            return np.zeros(shape, bool)
        points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in self.face]).astype(np.float32)
        hull = np.zeros(shape, np.uint8)
        cv2.fillConvexPoly(hull, np.round(cv2.convexHull(points)).astype(np.int32), (1,))
        return np.asarray((hull > 0) & (self.mask(shape) == HAND))


def read_outlines(split: str, path: Path = OUTLINES) -> list[Outlined]:
    """Return the outlines of one split, train or val."""
    rows = json.loads(path.read_text("utf-8"))
    return [Outlined(**{**row, "sure": bool(row.get("sure", 1))}) for row in rows if row["split"] == split]


def _filled(polygons: Polygons, shape: tuple[int, int]) -> NDArray[np.bool_]:
    canvas = np.zeros((shape[0] * FINE, shape[1] * FINE), np.uint8)
    for polygon in polygons:
        points = np.round(np.reshape(polygon, (-1, 2)) * FINE).astype(np.int32)
        cv2.fillPoly(canvas, [points], (1,))
    return np.asarray(canvas.reshape(shape[0], FINE, shape[1], FINE).mean((1, 3)) >= 0.5)
