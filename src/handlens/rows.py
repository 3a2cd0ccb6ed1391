"""The value of a result -> one row for each thing that was found; it must not know files, models or drawing."""

import math

from handlens.types import Box, Detections, Floats, Hand, Label, Mask, Result


def boxes_of(result: Result) -> tuple[Box, ...]:
    """Return everything that was found, in the order of the value."""
    value = result.value
    if isinstance(value, Detections):
        return tuple(_detection(value, row, name) for row, name in enumerate(value.label_names))
    if isinstance(value, Mask):
        return tuple(
            Box(name, float(score), _corners(xyxy))
            for name in value.parts
            for xyxy, score in zip(value.blobs(name).xyxy, value.blobs(name).score, strict=True)
        )
    if isinstance(value, Label):
        return (_judged(value, (0.0, 0.0, float(result.width), float(result.height))),)
    return tuple(_judged(hand.gesture, _corners(hand.xyxy), hand) for hand in value)


def _detection(found: Detections, row: int, name: str) -> Box:
    by_face = math.nan if found.face_touch is None else float(found.face_touch[row])
    return Box(
        name,
        float(found.score[row]),
        _corners(found.xyxy[row]),
        int(found.id[row]),
        face=int(found.face[row]),
        hand=int(found.hand[row]),
        touch=None if math.isnan(by_face) else by_face,
    )


def _judged(label: Label, xyxy: tuple[float, float, float, float], hand: Hand | None = None) -> Box:
    angle = label.angle if hand is None or hand.angle is None else hand.angle
    return Box(label.name, label.score, xyxy, -1 if hand is None else hand.id, scores=label.scores, angle=angle)


def _corners(xyxy: Floats) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = (float(side) for side in xyxy)
    return x1, y1, x2, y2
