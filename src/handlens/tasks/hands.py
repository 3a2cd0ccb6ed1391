"""Hands judged one by one: those of a picture, the one shape of a silhouette, or the whole picture as the one hand.

It must not know files, drawing or how networks run.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from handlens.boxes import area, square
from handlens.errors import NotSilhouette
from handlens.kinds import classify, landmarks
from handlens.preprocess import Geometry, crop_box, prepare, to_tensor
from handlens.runner import Runner
from handlens.silhouette import find_shape, is_silhouette, seen
from handlens.tasks.base import Answer, Answering, HandFinder, Question, Seen, hands_from, score_threshold
from handlens.tasks.find_hands import is_blank
from handlens.types import Floats, Frame, Hand, Image

_LANDMARKS = landmarks.Landmarks()
HAND_SCALE = 1.2  # of the longer side of the hand box: detectors cut finger tips
CLOSE = 1 / 16  # of the picture: a hand that is smaller is not seen close up
CLOSEUP = 0.6  # the least probability of what is said of a hand that no detector is sure of


def classified_hands(frame: Frame, runner: Runner, crop: str, finder: Callable[[], HandFinder]) -> tuple[Hand, ...]:
    """Return what a model of kind "classify" or "landmarks" says of each hand of a picture; () where there is none.

    Options of the card: "silhouette" 1: the largest white blob is the one hand, whatever `crop` says. "grey" 1: the
    picture is the one hand, whatever `crop` says, unless it is blank. "whole" 1: the picture is the one hand, for the
    model learned so. "crop_scale": see `found_hands`. "closeup" 1: see `found_hands`.

    Args:
        crop: "hand" or "whole".
        finder: Returns what finds the hands; it is called only where it is needed. A picture that is not larger than
            the model's input is a crop of one hand already, and no detector looks at it.
    """
    options = runner.card.options
    if options.get("silhouette"):
        return outlined(frame, runner)
    if options.get("grey"):
        return () if is_blank(frame.image) else whole_picture(frame, runner)
    if crop == "whole" or options.get("whole"):
        return whole_picture(frame, runner)
    found = finder()
    if max(frame.width, frame.height) <= max(runner.card.size):
        return () if is_blank(frame.image) else whole_picture(frame, runner)
    return found_hands(frame, runner, found.find(frame))


def outlined(frame: Frame, runner: Runner) -> tuple[Hand, ...]:
    """Return the one hand of a silhouette with the box of its blob; () for a blank one.

    Raises:
        NotSilhouette: it is a photograph.
    """
    if not is_silhouette(frame.image):
        raise NotSilhouette(frame.source, runner.card.name)
    shape = find_shape(frame.image)
    if shape is None:
        return ()
    view, size = seen(shape, runner.card.size), runner.card.size
    way = Geometry(1.0, 1.0, 0.0, 0.0, size[1], size[0], size[1], size[0])
    return _judged_hands(runner, [shape.box], [(view, way)])


def whole_picture(frame: Frame, runner: Runner) -> tuple[Hand, ...]:
    """Return the whole picture as the one hand."""
    tensor, way = prepare(frame.image, runner.card)
    return _told(runner, tensor, [_edges(frame)], [way])


def found_hands(frame: Frame, runner: Runner, found: Seen) -> tuple[Hand, ...]:
    """Return each hand that was found, the surest first, judged in a square around it.

    The card's option "crop_scale" is the side of the square, of the longer side of the hand's box (1.2). With "closeup"
    the one hand of a picture without a sure face is looked at twice, if it is not small: detectors that learned from
    people see a part of a hand that fills the picture, so the surest answer to that part and to the whole picture
    counts.
    """
    boxes = found.hands
    if len(boxes) == 1 and np.array_equal(boxes[0], _edges(frame)):
        return whole_picture(frame, runner)
    cropped = _cropped(frame, runner, boxes)
    if not runner.card.options.get("closeup") or len(boxes) != 1 or found.has_sure_face or is_blank(frame.image):
        return cropped
    if area(boxes)[0] < CLOSE * frame.width * frame.height:
        return cropped
    best = max((*cropped, *whole_picture(frame, runner)), key=lambda hand: hand.gesture.score)
    return (replace(best, xyxy=boxes[0]),)


def closeup(frame: Frame, runner: Runner, boxes: Floats) -> tuple[Floats, float] | None:
    """Return the box (4,) and the probability of a hand that may fill the picture, or None if there seems to be none.

    The model looks at the faintest trace of a hand and at the whole picture. Its surest answer must reach the card's
    threshold "closeup" (0.6).

    Args:
        boxes: (1, 4), the faint box.
    """
    best = max((*_cropped(frame, runner, boxes), *whole_picture(frame, runner)), key=lambda hand: hand.gesture.score)
    if best.gesture.score < runner.card.thresholds.get("closeup", CLOSEUP):
        return None
    return best.xyxy, best.gesture.score


def _cropped(frame: Frame, runner: Runner, boxes: Floats) -> tuple[Hand, ...]:
    squares = square(boxes, runner.card.options.get("crop_scale", HAND_SCALE))
    return _judged_hands(runner, list(boxes), [crop_box(frame.image, box, runner.card.size) for box in squares])


def _judged_hands(runner: Runner, boxes: list[Floats], views: list[tuple[Image, Geometry]]) -> tuple[Hand, ...]:
    if not views:
        return ()
    return _told(runner, to_tensor([view for view, _ in views], runner.card), boxes, [way for _, way in views])


def _told(runner: Runner, tensor: Floats, boxes: list[Floats], ways: list[Geometry]) -> tuple[Hand, ...]:
    """Return the hands in these boxes as the model sees them; all of them cost it one run."""
    outputs, card = runner.run(tensor), runner.card
    if card.kind == _LANDMARKS.name:
        found, masks = _LANDMARKS.decode(outputs, card, ways), landmarks.masks_of(outputs, ways, boxes)
        return tuple(
            replace(hand, xyxy=box, mask=mask)
            for hand, box, mask in zip(found, boxes, masks, strict=True)
            if hand.gesture.score >= card.thresholds.get("present", 0.0)
        )
    labels = classify.decode(outputs, card)
    if "landmarks" not in outputs:
        return tuple(Hand(box, label, label.angle) for box, label in zip(boxes, labels, strict=True))
    rows = zip(boxes, labels, landmarks.points_of(outputs, ways), landmarks.sides_of(outputs), strict=True)
    return tuple(Hand(box, label, label.angle, landmarks=at, side=side) for box, label, at, (side, _) in rows)


def _edges(frame: Frame) -> Floats:
    return np.array([0, 0, frame.width, frame.height], np.float32)


def _hands(question: Question) -> Answer:
    hands = classified_hands(question.frame, question.runner, question.crop, question.finder)
    return hands_from(hands, question.min_score)


ANSWERING = Answering("classify", _hands, score_threshold, opens_parts=False, judges_crops=True)
LANDMARKS_ANSWERING = Answering("landmarks", _hands, score_threshold, opens_parts=False, judges_crops=True)
