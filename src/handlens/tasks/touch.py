"""Touch from a detector of touches: owners of the touched regions and the probability of the frame.

It must not know files, drawing or how networks run.
"""

import dataclasses
import math

import numpy as np

from handlens.boxes import inside, iou
from handlens.card import ModelCard
from handlens.kinds import detect
from handlens.preprocess import prepare
from handlens.runner import Runner
from handlens.types import Detections, Floats, Frame, Ints


def detected(frame: Frame, runner: Runner, min_score: float | None = None) -> tuple[Detections, Detections | None]:
    """Return what a model of kind "detect" sees, whatever its labels: every label but face and hand is a touch.

    One class `facetouch`, or `cheek, forehead, chin`, or either with `face` and `hand` beside them. With a min_score
    the second value is the answer at the card's thresholds, else it is None.
    """
    tensor, geometry = prepare(frame.image, runner.card)
    outputs = runner.run(tensor)
    own = judged(owned(detect.decode(outputs, runner.card, geometry)), runner.card)
    if min_score is None:
        return own, None
    return judged(owned(detect.decode(outputs, runner.card, geometry, min_score)), runner.card), own


def owned(found: Detections) -> Detections:
    """Return the same boxes, each touched region with the rows of the face and the hand it lies in, or -1."""
    regions = np.flatnonzero(~found.of("face", "hand"))
    owners = {}
    for name in ("face", "hand"):
        rows = np.flatnonzero(found.of(name))
        owners[name] = np.full(len(found), -1, np.int64)
        owners[name][regions] = owner_rows(found.xyxy[regions], found.xyxy[rows], rows)
    return dataclasses.replace(found, face=owners["face"], hand=owners["hand"])


def judged(found: Detections, card: ModelCard) -> Detections:
    """Return the same boxes with the calibrated probability of a touch, where the card has a calibration."""
    if not card.calibration:
        return found
    best = found.best_touch
    if best <= 0.0:
        return dataclasses.replace(found, touch=0.0)
    best = min(best, 1 - 1e-6)
    return dataclasses.replace(found, touch=card.calibrated(math.log(best / (1 - best))))


def owner_rows(regions: Floats, owners: Floats, rows: Ints) -> Ints:
    """Return for each region the row of the owner that holds most of it, the tighter one of equals, or -1."""
    if not len(owners) or not len(regions):
        return np.full(len(regions), -1, np.int64)
    held = inside(regions, owners)
    best = np.argmax(held + 0.01 * iou(regions, owners), axis=1)
    return np.where(held.max(axis=1) > 0, rows[best], -1)
