"""Boxes and scores <-> Detections; it must not know what the labels stand for.

Canonical arrays: "boxes" (1, n, 4) float32, x1 y1 x2 y2 in network pixels; "scores" (1, n, classes) in [0, 1], each
class judged on its own.
"""

from collections.abc import Mapping, Sequence
from typing import final

import numpy as np

from handlens.boxes import area, nms
from handlens.card import ModelCard
from handlens.kinds.base import expect, rows_of, stacked
from handlens.preprocess import Geometry
from handlens.types import Detections, Floats

NMS_IOU = 0.5
CANDIDATES = 1000  # the best so many go to the NMS, which is quadratic


def decode(
    outputs: Mapping[str, Floats], card: ModelCard, geometry: Geometry, min_score: float | None = None
) -> Detections:
    """Return the boxes whose score reaches `min_score` (None: the card's thresholds), best first, in source pixels.

    Boxes are clipped to the picture. Of the boxes of one label that overlap by more than IoU 0.5 (the card's option
    "nms") the best stays; labels do not compete, for a hand may lie right over a face.

    Raises:
        ModelError: arrays of other shapes.
    """
    boxes = expect("boxes", outputs["boxes"], (1, None, 4))[0]
    scores = expect("scores", outputs["scores"], (1, len(boxes), len(card.names)))[0]
    floors = np.array([card.threshold(name) if min_score is None else min_score for name in card.names], np.float32)
    usable = np.isfinite(boxes).all(axis=1)
    rows, labels = np.nonzero((scores >= floors) & (scores > 0) & usable[:, None])
    score = scores[rows, labels]
    best = np.argsort(-score, kind="stable")[:CANDIDATES]
    rows, labels, score = rows[best], labels[best], np.clip(score[best], 0, 1)
    edges = np.array([geometry.width, geometry.height] * 2, np.float32)
    xyxy = np.clip(geometry.to_source(boxes[rows]), 0, edges)
    limit = card.options.get("nms", NMS_IOU)
    kept = np.zeros(len(rows), bool)
    for label in np.unique(labels):
        same = np.flatnonzero((labels == label) & (area(xyxy) > 0))
        kept[same[nms(xyxy[same], score[same], limit)]] = True
    return Detections(xyxy[kept], score[kept], labels[kept], card.names)


def best(outputs: Mapping[str, Floats], card: ModelCard, geometry: Geometry, without: Sequence[str] = ()) -> float:
    """Return the best score of a box that lies in the picture, 0 to 1, doubtful ones too. without: labels left out."""
    boxes, scores = outputs["boxes"][0], outputs["scores"][0]
    wanted = np.array([name not in without for name in card.names], bool)
    edges = np.array([geometry.width, geometry.height] * 2, np.float32)
    inside = np.isfinite(boxes).all(axis=1)
    inside[inside] = area(np.clip(geometry.to_source(boxes[inside]), 0, edges)) > 0
    return float(np.clip(scores[inside][:, wanted].max(initial=0.0), 0, 1))


def encode(found: Detections, geometry: Geometry) -> dict[str, Floats]:
    """Return the canonical arrays that say exactly these boxes: the inverse of `decode`."""
    scores = np.zeros((1, len(found), len(found.names)), np.float32)
    scores[0, np.arange(len(found)), found.label] = found.score
    return {"boxes": geometry.to_network(found.xyxy)[None], "scores": scores}


@final
class Detect:
    """The kind "detect": one `Detections` for each picture."""

    name = "detect"
    outputs = ("boxes", "scores")

    def decode(
        self, outputs: Mapping[str, Floats], card: ModelCard, geometries: Sequence[Geometry]
    ) -> tuple[Detections, ...]:
        """Return the boxes of each picture that reach the card's thresholds; see `handlens.kinds.detect.decode`."""
        return tuple(decode(row, card, way) for row, way in zip(rows_of(outputs), geometries, strict=True))

    def encode(
        self, answers: Sequence[Detections], card: ModelCard, geometries: Sequence[Geometry]
    ) -> dict[str, Floats]:
        """Return the arrays of pictures with the same number of boxes."""
        return stacked([encode(found, way) for found, way in zip(answers, geometries, strict=True)])
