"""Hands judged one by one: those a detector finds, the one shape of a silhouette, or the whole picture as the one hand.

It must not know files, drawing or how networks run.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from handlens.boxes import area, intersection, square
from handlens.kinds import classify, detect
from handlens.preprocess import crop_box, prepare, to_tensor
from handlens.runner import Runner
from handlens.silhouette import find_shape, seen
from handlens.types import Detections, Floats, Frame, Hand, Image

HAND_SCALE = 1.2  # of the longer side of the hand box: detectors cut finger tips
SMALLEST = 8.0  # pixels: in less than that nobody tells what a hand does
ONE_HAND = 0.6  # of the smaller of two boxes that lies in the larger: more, and both are of one hand
SURE_FACE = 0.5  # nine of ten faces of people score above .54; what is taken for a face on a hand close up, below .5
FAINT = 0.1  # the best box of a hand close up never scored less (400 photographs of five sources)
CLOSE = 1 / 16  # of the picture: a hand that is smaller is not seen close up
CONTRAST = 16  # of 255 levels: in less there is nothing to see
CLOSEUP = 0.6  # the least probability of what is said of a hand that no detector is sure of


def judged(frame: Frame, runner: Runner, crop: str, detector: Callable[[], Runner]) -> tuple[Hand, ...]:
    """Return what a model of kind "classify" says of each hand of a picture; () where there is none.

    Options of the card: "silhouette" 1: the largest white blob is the one hand, whatever `crop` says. "grey" 1: the
    picture is the one hand, whatever `crop` says, unless it is blank. "whole" 1: the picture is the one hand, for the
    model learned so. "crop_scale": see `found_hands`. "closeup" 1: see `closeup`.

    crop: "hand" or "whole". detector: opens the model that finds hands; it is called where one is needed only.
    """
    options = runner.card.options
    if options.get("silhouette"):
        return outlined(frame, runner)
    if options.get("grey"):
        return () if is_blank(frame.image) else whole(frame, runner)
    if crop == "whole" or options.get("whole"):
        return whole(frame, runner)
    return found_hands(frame, runner, detector())


def outlined(frame: Frame, runner: Runner) -> tuple[Hand, ...]:
    """Return the one hand of a silhouette with the box of its blob; () for a blank one."""
    shape = find_shape(frame.image)
    if shape is None:
        return ()
    return _asked(runner, [shape.box], [seen(shape, runner.card.size)])


def whole(frame: Frame, runner: Runner) -> tuple[Hand, ...]:
    """Return the whole picture as the one hand."""
    tensor, _ = prepare(frame.image, runner.card)
    (label,) = classify.decode(runner.run(tensor), runner.card)
    return (Hand(_edges(frame), label, label.angle),)


def found_hands(frame: Frame, runner: Runner, detector: Runner) -> tuple[Hand, ...]:
    """Return each hand that the detector finds, the surest first, judged in a square around it.

    The card's option "crop_scale" is the side of the square, of the longer side of the hand's box (1.2). With "closeup"
    pictures of at most one hand are looked at again, see `closeup`.
    """
    tensor, geometry = prepare(frame.image, detector.card)
    outputs = detector.run(tensor)
    boxes = single(detect.decode(outputs, detector.card, geometry))
    if runner.card.options.get("closeup") and len(boxes) < 2:
        return closeup(frame, runner, boxes, detect.decode(outputs, detector.card, geometry, FAINT))
    return _cropped(frame, runner, boxes)


def closeup(frame: Frame, runner: Runner, boxes: Floats, faint: Detections) -> tuple[Hand, ...]:
    """Return the one hand of a picture that may show nothing but a hand, or () if there seems to be none.

    Detectors that learned from people miss hands that fill the picture, or see a part of them. So where no sure face is
    seen and no small hand either, the model looks both at the hand that was found, or at the faintest trace of one, and
    at the whole picture, and its surest answer counts. Where no hand was found, the probability of that answer must
    reach the card's threshold "closeup" (0.6), or there is none.

    boxes: (0 or 1, 4), the hand that was found. faint: what the detector is not sure of either.
    """
    small = len(boxes) and area(boxes)[0] < CLOSE * frame.width * frame.height
    if small or (faint.score[faint.of("face")] >= SURE_FACE).any() or is_blank(frame.image):
        return _cropped(frame, runner, boxes)
    views = _cropped(frame, runner, boxes if len(boxes) else single(faint)[:1])
    best = max((*views, *whole(frame, runner)), key=lambda hand: hand.gesture.score)
    if len(boxes):
        return (replace(best, xyxy=boxes[0]),)
    return (best,) if best.gesture.score >= runner.card.thresholds.get("closeup", CLOSEUP) else ()


def single(found: Detections) -> Floats:
    """Return (n, 4): the boxes of hands, one for each hand, the surest first.

    Of two boxes that mostly share the smaller one, the larger and surer stays: a detector that looks closely sees a
    hand and once more a part of it. Boxes of a few pixels go.
    """
    rows = np.flatnonzero(found.of("hand"))
    boxes, score = found.xyxy[rows], found.score[rows]
    size = area(boxes)
    kept: list[int] = []
    for row in np.argsort(-size * score, kind="stable"):
        shared = intersection(boxes[row : row + 1], boxes[kept])[0]
        large_enough = float((boxes[row, 2:] - boxes[row, :2]).max()) >= SMALLEST
        if large_enough and (shared <= ONE_HAND * np.minimum(size[row], size[kept])).all():
            kept.append(int(row))
    return np.asarray(boxes[sorted(kept, key=lambda row: (-float(score[row]), row))], np.float32)


def is_blank(image: Image) -> bool:
    """Return whether a picture shows nothing: its brightest and its darkest spot are as good as alike."""
    return int(image.max()) - int(image.min()) < CONTRAST


def _cropped(frame: Frame, runner: Runner, boxes: Floats) -> tuple[Hand, ...]:
    squares = square(boxes, runner.card.options.get("crop_scale", HAND_SCALE))
    return _asked(runner, list(boxes), [crop_box(frame.image, box, runner.card.size)[0] for box in squares])


def _asked(runner: Runner, boxes: list[Floats], views: list[Image]) -> tuple[Hand, ...]:
    if not views:
        return ()
    labels = classify.decode(runner.run(to_tensor(views, runner.card)), runner.card)
    return tuple(Hand(box, label, label.angle) for box, label in zip(boxes, labels, strict=True))


def _edges(frame: Frame) -> Floats:
    return np.array([0, 0, frame.width, frame.height], np.float32)
