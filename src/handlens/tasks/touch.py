"""Touch from a detector of touches: owners of the touched regions and the probability of the frame.

It must not know files, drawing or how networks run.
"""

import dataclasses
import math

import numpy as np

from handlens.boxes import inside, iou
from handlens.card import ModelCard
from handlens.kinds import detect
from handlens.runner import Runner
from handlens.tasks.base import Answering, Question, owner_thresholds
from handlens.tasks.tiles import looked_at
from handlens.types import OWNERS, Detections, Floats, Frame, Ints

REGIONS = ("forehead", "eye", "nose", "mouth", "cheek", "chin", "ear")
"""The regions of a face that can be touched, in the order of every model's answer."""


def detected(frame: Frame, runner: Runner, min_score: float | None = None) -> tuple[Detections, Detections | None]:
    """Return what a model of kind "detect" sees, whatever its labels: every label but face and hand is a touch.

    One class `facetouch`, or `cheek, forehead, chin`, or either with `face` and `hand` beside them. min_score leaves
    boxes out of the answer or adds some; the probability of a touch is the same. With a min_score the second value is
    the answer at the card's thresholds, else it is None.
    """
    outputs, geometry = looked_at(frame, runner)
    touch = None
    if set(runner.card.names) - set(OWNERS):
        touch = probability(detect.best(outputs, runner.card, geometry, OWNERS), runner.card)

    def boxes(least: float | None) -> Detections:
        found = owned(detect.decode(outputs, runner.card, geometry, least))
        return dataclasses.replace(found, touch=touch)

    return (boxes(None), None) if min_score is None else (boxes(min_score), boxes(None))


def owned(found: Detections) -> Detections:
    """Return the same boxes, each touched region with the rows of the face and the hand it lies in, or -1."""
    regions = np.flatnonzero(~found.of(*OWNERS))
    owners = {}
    for name in OWNERS:
        rows = np.flatnonzero(found.of(name))
        owners[name] = np.full(len(found), -1, np.int64)
        owners[name][regions] = owner_rows(found.xyxy[regions], found.xyxy[rows], rows)
    return dataclasses.replace(found, face=owners["face"], hand=owners["hand"])


def probability(best: float, card: ModelCard) -> float:
    """Return the probability of a touch: the best score of a touched region, calibrated where the card says how."""
    if not card.calibration or best <= 0.0:
        return best
    best = min(best, 1 - 1e-6)
    return card.calibrated(math.log(best / (1 - best)))


def owner_rows(regions: Floats, owners: Floats, rows: Ints) -> Ints:
    """Return for each region the row of the owner that holds most of it, the tighter one of equals, or -1."""
    if not len(owners) or not len(regions):
        return np.full(len(regions), -1, np.int64)
    held = inside(regions, owners)
    best = np.argmax(held + 0.01 * iou(regions, owners), axis=1)
    return np.where(held.max(axis=1) > 0, rows[best], -1)


def _touches(question: Question) -> tuple[Detections, Detections | None]:
    return detected(question.frame, question.runner, question.min_score)


ANSWERING = Answering("detect", _touches, owner_thresholds)
