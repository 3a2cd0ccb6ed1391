"""A box as somebody wrote it -> a box inside its picture; it must not know files or formats."""

import math
from collections.abc import Sequence

from handlens.data.problems import OUTSIDE, WRONG_BOX

_SLACK = 1e-3  # of the picture's sides: what rounding to few digits makes; rounding to pixels makes 1 pixel


def fit_box(box: Sequence[float], width: int, height: int) -> tuple[list[float], str, str]:
    """Return a box (x1, y1, x2, y2 in pixels) cut at the edges of its picture, the kind of its problem, and why.

    The kind is "" for a box that lies inside but for rounding, OUTSIDE for one that reached over the edge, WRONG_BOX
    for one that cannot be used.
    """
    x1, y1, x2, y2 = box
    if not all(map(math.isfinite, box)):
        return [0.0, 0.0, 0.0, 0.0], WRONG_BOX, "has a side that is no number"
    if x2 <= x1 or y2 <= y1:
        return [x1, y1, x2, y2], WRONG_BOX, "has no area: width and height must be above 0"
    cut = [max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)]
    size = f"the picture of {width} x {height} pixels"
    if cut[2] <= cut[0] or cut[3] <= cut[1]:
        return cut, WRONG_BOX, f"lies outside {size}"
    slack = (max(1.0, _SLACK * width), max(1.0, _SLACK * height)) * 2
    if any(abs(new - old) > most for new, old, most in zip(cut, box, slack, strict=True)):
        return cut, OUTSIDE, f"reaches over the edge of {size}"
    return cut, "", ""
