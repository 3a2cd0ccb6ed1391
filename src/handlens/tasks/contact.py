"""Touch from a contact model: a look at each face that was found, put together into one answer.

It must not know files, drawing or how networks run.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import cv2
import numpy as np
import numpy.typing as npt

from handlens.boxes import area, intersection, square
from handlens.card import ModelCard
from handlens.kinds.contact import Contact, FaceView, region_names
from handlens.preprocess import crop_box, to_tensor
from handlens.runner import Runner
from handlens.tasks.base import Answering, Question, owner_thresholds
from handlens.tasks.touch import owner_rows
from handlens.types import Detections, Floats, Frame, Image, Ints

MAX_FACES = 6
ONE_HAND = 0.6  # of the smaller of two boxes that lies in the larger: more, and both are of one hand
CROP_SCALE = 2.0  # of the longer side of the face box


def composed(
    frame: Frame, contact: Runner, found: Detections, min_score: float | None = None, hands_only: bool = False
) -> tuple[Detections, Detections | None]:
    """Return what a contact model says of each face of a frame.

    Args:
        found: The faces and hands that a detector found. The answer has them, hands that only the contact model sees
            (detectors lose hands at the face), the touched regions with their owners, the probability of each face, and
            the frame's probability: that of its most touched face. Options of the contact card: "max_faces" (6),
            "crop_scale" (2.0), "second_look" (0), "unsure_from" and "unsure_to" (none).
        min_score: Leaves boxes out of the answer, or adds regions of faces below the card's threshold; probabilities
            stay the same. With a min_score the second value is the answer at the card's thresholds, else it is None.
        hands_only: Only the hands of the answer are asked for, so a face in doubt is looked at once more only where the
            first look shows a hand that the detector missed. What is said of the other faces is what that look says.
    """
    names = contact.card.names
    rows = Growing(names, found, doubt_of(contact.card))
    faces = chosen_faces(found, int(contact.card.options.get("max_faces", MAX_FACES)))
    floor = contact.card.threshold("touch", 0.5)
    touch: dict[int, float] = {}
    doubtful: list[tuple[FaceView, int]] = []  # faces below the card's threshold
    if len(faces):
        squares = square(found.xyxy[faces], contact.card.options.get("crop_scale", CROP_SCALE))
        crops = [crop_box(frame.image, box, contact.card.size) for box in squares]
        ways = [way for _, way in crops]

        def at_stake(answer: Mapping[str, Floats], doubt: Ints) -> Ints:
            views = Contact().decode(answer, contact.card, ways)
            return np.array([k for k in doubt if shows_new_hand(rows, views[k], int(faces[k]), contact.card)], np.int64)

        answer = looked_at(contact, [crop for crop, _ in crops], at_stake if hands_only else None)
        views = Contact().decode(answer, contact.card, ways)
        for face, view in zip(faces, views, strict=True):
            doubt = math.log(max(1e-6, float(found.score[face])))  # a doubtful face is doubtful evidence
            probability = contact.card.calibrated(view.touch_logit + doubt)
            touch[int(face)] = probability
            if view.things is not None:
                rows.things[int(face)] = view.things
            if probability >= floor:
                add_regions(rows, view, int(face), probability, contact.card)
            else:
                doubtful.append((view, int(face)))
    own = rows.detections(touch)
    if min_score is None:
        return own, None
    for view, face in doubtful:  # after all others, so that they change nothing of these
        if touch[face] >= min_score:
            add_regions(rows, view, face, touch[face], contact.card)
    every = rows.detections(touch)
    return every.select(every.score >= min_score), own


def looked_at(
    contact: Runner, crops: Sequence[Image], chosen: Callable[[Mapping[str, Floats], Ints], Ints] | None = None
) -> dict[str, Floats]:
    """Return the model's arrays for n crops.

    Faces whose touch logit lies within the card's option "second_look" of 0 are looked at in a mirror as well, and the
    mean of both looks counts: worth .004 of ROC AUC, and it costs nothing where the answer is clear.

    Args:
        chosen: Takes the arrays of the first look and the rows of the faces in doubt; returns those to look at again.
    """
    batch = to_tensor(crops, contact.card)
    answer = {name: np.array(values) for name, values in contact.run(batch).items()}
    doubt = np.flatnonzero(np.abs(answer["touch_logit"][:, 0]) < contact.card.options.get("second_look", 0.0))
    if chosen is not None and len(doubt):
        doubt = chosen(answer, doubt)
    if len(doubt):
        mirrored = contact.run(np.ascontiguousarray(batch[doubt][..., ::-1]))
        for name, values in mirrored.items():
            # maps and sides go back, other numbers stay
            turned = values[..., ::-1] if values.ndim == 4 or name == "side_scores" else values
            answer[name][doubt] = (answer[name][doubt] + turned) / 2
    return answer


class Growing:
    """Rows of an answer while it is put together: labels of the detector, then the regions."""

    def __init__(self, names: tuple[str, ...], found: Detections, doubt: tuple[float, float] | None = None) -> None:
        self.doubt = doubt
        self.things: dict[int, Floats] = {}
        self.sides = [""] * len(found)
        self.names = tuple(dict.fromkeys((*found.names, *names)))
        self.boxes = [np.asarray(box) for box in found.xyxy]
        self.scores = [float(s) for s in found.score]
        self.labels = list(found.label_names)
        self.owners = [(-1, -1)] * len(found)

    def add(self, box: Floats, score: float, label: str, face: int = -1, hand: int = -1, side: str = "") -> int:
        """Add a row and return its number."""
        self.sides.append(side)
        self.boxes.append(box)
        self.scores.append(min(1.0, max(0.0, score)))
        self.labels.append(label)
        self.owners.append((face, hand))
        return len(self.boxes) - 1

    def add_hand(self, box: Floats, score: float) -> int:
        """Return the row of the hand in this box: a new one, or the one that the box is of as well, now surer."""
        row = self.same_hand(box)
        if row < 0:
            return self.add(box, score, "hand")
        self.scores[row] = max(self.scores[row], min(1.0, score))
        return row

    def same_hand(self, box: Floats) -> int:
        """Return the row of the hand that this box of a hand is of as well, or -1."""
        rows = np.array([i for i, label in enumerate(self.labels) if label == "hand"], np.int64)
        if not len(rows):
            return -1
        boxes = np.stack([self.boxes[i] for i in rows])
        shared = intersection(box[None], boxes)[0] / np.maximum(1e-9, np.minimum(area(box[None]), area(boxes)))
        return int(rows[np.argmax(shared)]) if shared.max() > ONE_HAND else -1

    def hand_at(self, box: Floats) -> int:
        """Return the row of the hand that holds most of the box, or -1."""
        rows = np.array([i for i, label in enumerate(self.labels) if label == "hand"], np.int64)
        if not len(rows):
            return -1
        return int(owner_rows(box[None], np.stack([self.boxes[i] for i in rows]), rows)[0])

    def detections(self, touch: Mapping[int, float]) -> Detections:
        """Return the rows as `Detections`. touch: row of a face -> the probability that it is touched."""
        best = max(touch.values(), default=0.0)
        if not self.boxes:
            none = Detections.empty(self.names, best)
            return dataclasses.replace(none, face_touch=np.zeros(0, np.float32), doubt=self.doubt)
        owners = np.array(self.owners, np.int64)
        labels = np.array([self.names.index(label) for label in self.labels], np.int64)
        scores = np.array(self.scores, np.float32)
        by_face = np.full(len(self.boxes), np.nan, np.float32)
        by_face[list(touch)] = list(touch.values())
        things = np.full((len(self.boxes), 2), np.nan, np.float32)
        for face, values in self.things.items():
            things[face] = values
        return Detections(
            np.stack(self.boxes),
            scores,
            labels,
            self.names,
            owners[:, 0],
            owners[:, 1],
            touch=best,
            face_touch=by_face,
            face_thing=things if self.things else None,
            side=tuple(self.sides),
            doubt=self.doubt,
        )


def doubt_of(card: ModelCard) -> tuple[float, float] | None:
    """Return the probabilities between which a model is not sure, from the options of its card, or None."""
    low, high = card.options.get("unsure_from"), card.options.get("unsure_to")
    return None if low is None or high is None else (low, high)


def add_regions(rows: Growing, view: FaceView, face: int, touch: float, card: ModelCard) -> None:
    """Add the touched regions of one face: the likeliest, and every other whose own probability reaches its threshold.

    The likeliest has the face's touch probability as its score, the others that times their own.
    """
    names, likeliest = region_names(card), int(np.argmax(view.scores))
    for region, box, part in _touched(view, rows.boxes[face], card):
        hand = rows.hand_at(box)
        if hand < 0:
            seen = _nearest_part(view.hand > 0.5, part)
            hand_box = view.box(seen)
            if hand_box is not None:
                hand = rows.add_hand(hand_box, float(view.hand[seen].mean()))
        score = touch * float(view.scores[region]) if region != likeliest else touch
        rows.add(box, score, names[region], face, hand, view.side(region))


def shows_new_hand(rows: Growing, view: FaceView, face: int, card: ModelCard) -> bool:
    """Return whether `add_regions` would add a hand to these rows, if the face were touched."""
    for _, box, part in _touched(view, rows.boxes[face], card):
        if rows.hand_at(box) < 0:
            hand_box = view.box(_nearest_part(view.hand > 0.5, part))
            if hand_box is not None and rows.same_hand(hand_box) < 0:
                return True
    return False


def _touched(view: FaceView, face: Floats, card: ModelCard) -> Iterator[tuple[int, Floats, npt.NDArray[np.bool_]]]:
    """Yield number, box and mask of the regions that a touch of this face is at, the likeliest first.

    Args:
        face: (4,) the box of a region that the maps do not show.
    """
    names, likeliest = region_names(card), int(np.argmax(view.scores))
    covered = cv2.dilate((view.hand > 0.5).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    parts = view.regions.argmax(axis=0)
    for region in np.argsort(-view.scores, kind="stable"):
        if region != likeliest and view.scores[region] < card.threshold(names[region], 0.5):
            continue
        part = parts == region + 1
        box = view.box(part & covered)
        if box is None:
            box = view.box(part)
        yield int(region), face if box is None else box, part


def _nearest_part(hand: npt.NDArray[np.bool_], region: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Return the connected part of the hand mask that shares most with the region, else the largest."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats(hand.astype(np.uint8))
    if count < 2:
        return np.zeros_like(hand)
    shared = np.bincount(parts[region & hand], minlength=count)
    shared[0] = 0
    best = int(shared.argmax()) if shared.any() else 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    return np.asarray(parts == best)


def chosen_faces(found: Detections, most: int) -> Ints:
    """Return the rows of at most so many faces, the largest and surest first (area x score)."""
    rows = np.flatnonzero(found.of("face"))
    weight = area(found.xyxy[rows]) * found.score[rows]
    return rows[np.argsort(-weight, kind="stable")][:most]


def _touches(question: Question) -> tuple[Detections, Detections | None]:
    seen = question.finder().find(question.frame, question.min_score)
    return seen.shown, seen.found if seen.shown is not seen.found else None


ANSWERING = Answering("contact", _touches, owner_thresholds, needs=("detector",), looks_at_faces=True)
