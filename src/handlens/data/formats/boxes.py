"""Boxes as somebody wrote them -> boxes inside their picture; it must not know files or formats."""

import math
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from handlens.data.pictures import size_and_orientation
from handlens.data.problems import (
    OUTSIDE,
    TURNED,
    UNREADABLE,
    WRONG_BOX,
    WRONG_CLASS,
    WRONG_SIZE,
    OnProblem,
    complain,
    mention,
)
from handlens.errors import FrameError
from handlens.types import Floats, Ints

_SLACK = 1e-3  # of the picture's sides: what rounding to few digits makes; rounding to pixels makes 1 pixel

Entry = tuple[str, Sequence[float], str]
"""A name, a box as x1 y1 x2 y2 in pixels, and where it is written: a file and what in it, for sentences."""


def keep_boxes(
    entries: Iterable[Entry], names: tuple[str, ...], size: tuple[int, int], file: Path, on_problem: OnProblem | None
) -> tuple[Floats, Ints]:
    """Return (n, 4) float32 and (n,) int64: the boxes of one picture, cut at its edges, and their places in `names`.

    Args:
        size: Width and height of the picture.
        file: Where the boxes are written.

    Raises:
        InputError: without `on_problem`, a box that has no area or lies outside, or a name that is unknown.
    """
    boxes: list[list[float]] = []
    labels: list[int] = []
    for name, box, where in entries:
        if name not in names:
            text = f"{where}: there is no class '{name}'; allowed: {', '.join(names)}."
            complain(on_problem, WRONG_CLASS, file, text)
            continue
        cut, kind, why = fit_box(box, *size)
        if kind == OUTSIDE:
            mention(on_problem, kind, file, f"{where}: the box {why}.")
        elif kind:
            complain(on_problem, kind, file, f"{where}: the box {why}.")
            continue
        boxes.append(cut)
        labels.append(names.index(name))
    return np.array(boxes, np.float32).reshape(-1, 4), np.array(labels, np.int64)


def measure(
    path: Path, on_problem: OnProblem | None, stated: tuple[int, int] = (0, 0), scaled: bool = False
) -> tuple[int, int] | None:
    """Return (width, height) of a picture as it is shown, or None where that is a problem.

    Boxes are those of the picture as it is shown, turned as its EXIF says. Where the labels give the size that it is
    stored in, they may mean the stored picture, or a program noted that size beside boxes of the shown one: nobody can
    tell, so it is refused. Where they cannot say which they mean, it is mentioned.

    Args:
        told: The size that a label file gives, or zeros where it is silent.
        scaled: Its boxes are shares of that size, so that it only needs the same proportions.

    Raises:
        InputError: without `on_problem`, a picture that cannot be read or is not as large as its labels say.
    """
    try:
        size, orientation = size_and_orientation(path)
    except FrameError as error:
        complain(on_problem, UNREADABLE, path, str(error))
        return None
    if scaled and all(stated):
        stated = next((same for same in (size, size[::-1]) if _proportional(stated, same)), stated)
    if all(stated) and stated != size:
        is_size, says = f"{size[0]} x {size[1]}", f"{stated[0]} x {stated[1]}"
        why = f"'{path}' is {is_size} pixels large, but its labels are for {says}: the boxes would be wrong."
        if orientation >= 5 and stated == size[::-1]:
            why = (
                f"'{path}' is shown with {is_size} pixels, turned by its EXIF orientation ({orientation}), but its"
                f" labels give {says}, the size before that turn, so nobody can tell which of the two the boxes are of."
                " If they are of the unturned picture, set its orientation to 1; if of the turned one, give"
                f" {is_size} as its size in the labels."
            )
        complain(on_problem, WRONG_SIZE, path, why)
        return None
    if orientation > 1 and (not all(stated) or orientation < 5 or size[0] == size[1]):
        text = f"'{path}' is turned by its EXIF orientation ({orientation}): its labels are taken as those of the"
        mention(on_problem, TURNED, path, f"{text} picture as it is shown; look whether they are.")
    return size


def _proportional(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Return whether two sizes have the same proportions but for rounding to whole pixels."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= max(*one, *other)


def fit_box(box: Sequence[float], width: int, height: int) -> tuple[list[float], str, str]:
    """Return a box (x1, y1, x2, y2 in pixels) cut at the edges of its picture, the kind of its problem, and why.

    The kind is "" for a box that lies inside but for rounding, OUTSIDE for one that reached over the edge, WRONG_BOX
    for one that cannot be used.
    """
    x1, y1, x2, y2 = box
    if not all(map(math.isfinite, box)):
        return [0.0, 0.0, 0.0, 0.0], WRONG_BOX, "has a side that is not a number"
    if x2 < x1 or y2 < y1:
        low, high, axis = (x1, x2, "x") if x2 < x1 else (y1, y2, "y")
        why = f"has its sides the wrong way round: it would reach from {axis} = {low:g} to {high:g}"
        return [x1, y1, x2, y2], WRONG_BOX, why
    if x2 == x1 or y2 == y1:
        return [x1, y1, x2, y2], WRONG_BOX, "has no area: width and height must be above 0"
    if x1 >= 0 and y1 >= 0 and x2 <= 1 and y2 <= 1 and min(width, height) > 1:
        why = f"lies in the first pixel of {width} x {height}: its numbers look like fractions, but must be pixels"
        return [x1, y1, x2, y2], WRONG_BOX, why
    cut = [max(0.0, x1), max(0.0, y1), min(float(width), x2), min(float(height), y2)]
    size = f"the picture of {width} x {height} pixels"
    if cut[2] <= cut[0] or cut[3] <= cut[1]:
        return cut, WRONG_BOX, f"lies outside {size}"
    slack = (max(1.0, _SLACK * width), max(1.0, _SLACK * height)) * 2
    if any(abs(new - old) > most for new, old, most in zip(cut, box, slack, strict=True)):
        return cut, OUTSIDE, f"reaches over the edge of {size}"
    return cut, "", ""
