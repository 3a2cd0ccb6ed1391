"""Touch: where a hand touches a face, from a detector of touches or from a contact model over each face.

It must not know files, drawing or how networks run.
"""

import dataclasses
import math

import numpy as np

from handlens.boxes import area, inside, iou, square
from handlens.card import ModelCard
from handlens.errors import NotYet
from handlens.kinds import detect
from handlens.preprocess import crop_box, prepare, to_tensor
from handlens.runner import Runner
from handlens.types import Detections, Floats, Frame, Ints

MAX_FACES = 6
CROP_SCALE = 1.8  # of the longer side of the face box; the feasibility trial's crop


def detected(frame: Frame, runner: Runner, min_score: float | None = None) -> Detections:
    """Return what a model of kind "detect" sees, whatever its labels: every label but face and hand is a touch.

    One class `facetouch`, or `cheek, forehead, chin`, or either with `face` and `hand` beside them.
    """
    tensor, geometry = prepare(frame.image, runner.card)
    found = detect.decode(runner.run(tensor), runner.card, geometry, min_score)
    return judged(owned(found), runner.card)


def owned(found: Detections) -> Detections:
    """Return the same boxes, each touched region with the rows of the face and the hand it lies in, or -1."""
    regions = np.flatnonzero(~found.of("face", "hand"))
    owners = {}
    for name in ("face", "hand"):
        rows = np.flatnonzero(found.of(name))
        owners[name] = np.full(len(found), -1, np.int64)
        owners[name][regions] = _owner(found.xyxy[regions], found.xyxy[rows], rows)
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


def composed(frame: Frame, contact: Runner, detector: Runner, min_score: float | None = None) -> Detections:
    """Return what a contact model says of each face that the detector finds in the whole frame.

    The answer has the faces and hands of the detector, the touched regions with their owners, and the frame's
    probability. Options of the contact card: "max_faces" (6), "crop_scale" (1.8).
    """
    tensor, geometry = prepare(frame.image, detector.card)
    found = detect.decode(detector.run(tensor), detector.card, geometry, min_score)
    faces = chosen_faces(found, int(contact.card.options.get("max_faces", MAX_FACES)))
    if not len(faces):
        return dataclasses.replace(found, touch=0.0)
    squares = square(found.xyxy[faces], contact.card.options.get("crop_scale", CROP_SCALE))
    crops = [crop_box(frame.image, box, contact.card.size) for box in squares]
    contact.run(to_tensor([crop for crop, _ in crops], contact.card))
    raise NotYet("reading the answer of a contact model does not exist yet.")


def chosen_faces(found: Detections, most: int) -> Ints:
    """Return the rows of at most so many faces, the largest and surest first (area x score)."""
    rows = np.flatnonzero(found.of("face"))
    weight = area(found.xyxy[rows]) * found.score[rows]
    return rows[np.argsort(-weight, kind="stable")][:most]


def _owner(regions: Floats, owners: Floats, rows: Ints) -> Ints:
    """Return for each region the row of the owner that holds most of it, the tighter one of equals, or -1."""
    if not len(owners) or not len(regions):
        return np.full(len(regions), -1, np.int64)
    held = inside(regions, owners)
    best = np.argmax(held + 0.01 * iou(regions, owners), axis=1)
    return np.where(held.max(axis=1) > 0, rows[best], -1)
