"""Left or right: what a model of hands says of the hands that touch; it knows no videos and no database."""

from dataclasses import replace

import numpy as np

from handlens.boxes import area, intersection
from handlens.errors import ModelError
from handlens.loop import Predicts
from handlens.result import Result
from handlens.types import Detections, Frame

ASK = 0.35
"""From this probability of a touch on the model of hands is asked: with less no event goes on."""
_ONE_HAND = 0.5  # of the smaller of two boxes that lies in the larger: more, and both are of one hand


def told(frame: Frame, result: Result, hands: Predicts) -> Result:
    """Return the result with "left" or "right" as the side of its hands, where a model of hands tells it.

    Args:
        hands: A model that answers with hands that have a side; it is asked only where the frame may show a touch.

    Raises:
        ModelError: it answers something else.
    """
    found = result.value
    if not isinstance(found, Detections) or found.best_touch < ASK or not found.of("hand").any():
        return result
    seen = hands.predict(frame).value
    if not isinstance(seen, tuple):
        raise ModelError("hand_model must be a model that tells the side of hands, such as hands.")
    sided = [hand for hand in seen if hand.side in ("left", "right")]
    if not sided:
        return result
    rows = np.flatnonzero(found.of("hand"))
    boxes = np.stack([hand.xyxy for hand in sided])
    smaller = np.minimum(area(found.xyxy[rows])[:, None], area(boxes)[None])
    shared = intersection(found.xyxy[rows], boxes) / np.maximum(smaller, 1e-6)
    side = list(found.side)
    for row, parts in zip(rows, shared, strict=True):
        best = int(np.argmax(parts))
        if parts[best] >= _ONE_HAND:
            side[row] = sided[best].side
    return replace(result, value=replace(found, side=tuple(side)))
