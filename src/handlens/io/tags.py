"""Places labels on a picture so that none overlaps another, leaves the picture or hides a face; it must not draw."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2

FONT = cv2.FONT_HERSHEY_DUPLEX
LEAST = 0.36  # of the font's own size: smaller letters cannot be read
CORE = 0.2  # of a face box on each side: labels may cover it, but not what lies between
WIDEST = 0.6  # of the picture: longer labels are made shorter
_STEPS = (1.0, 0.8, 0.65)

Box = tuple[int, int, int, int]
"""x1 y1 x2 y2 in whole pixels, the last ones not included."""


@dataclass(frozen=True)
class Tag:
    """A label that is to be placed.

    Attributes:
        texts: What it may say, the longest first.
        box: What it is about.
        below: Whether it prefers to stand below the box.
    """

    texts: tuple[str, ...]
    box: Box
    colour: tuple[int, int, int]
    below: bool = False


@dataclass(frozen=True)
class Placed:
    """A label with its place. plate: what it covers; base: where the text begins, at its base line; scale: its size."""

    tag: Tag
    text: str
    plate: Box
    base: tuple[int, int]
    scale: float

    @property
    def is_apart(self) -> bool:
        """Whether it stands so far from its box that a line must join them."""
        return not _meet(_grown(self.plate, max(4, (self.plate[3] - self.plate[1]) // 2)), self.tag.box)

    @property
    def joint(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """The ends of the shortest line from the label to its box, (x, y) each."""
        ends = []
        for axis in (0, 1):
            low, high = self.tag.box[axis], self.tag.box[axis + 2] - 1
            begin = min(max((low + high) // 2, self.plate[axis]), self.plate[axis + 2] - 1)
            ends.append((begin, min(max(begin, low), high)))
        return (ends[0][0], ends[1][0]), (ends[0][1], ends[1][1])


def place(tags: Sequence[Tag], size: tuple[int, int], scale: float, taken: Sequence[Box] = ()) -> list[Placed]:
    """Return the labels with their places, the first in `tags` first; those for which there is no room are left out.

    Args:
        size: (width, height) of the picture.
        scale: Of the text, where there is room; never below `LEAST`.
        taken: What no label may cover.
    """
    done: list[Placed] = []
    scales = sorted({max(LEAST, scale * step) for step in _STEPS}, reverse=True)
    for tag in tags:
        blocked = [*taken, *(one.plate for one in done)]
        found = _first(tag, size, scales, blocked)
        if found is not None:
            done.append(found)
    return done


def core(face: Box) -> Box:
    """Return the part of a face box that no label may cover."""
    x1, y1, x2, y2 = face
    wide, high = round(CORE * (x2 - x1)), round(CORE * (y2 - y1))
    return x1 + wide, y1 + high, x2 - wide, y2 - high


def _first(tag: Tag, size: tuple[int, int], scales: Sequence[float], blocked: Sequence[Box]) -> Placed | None:
    """Return the first place that is free: beside the box, else anywhere near; smaller and shorter where it must be."""
    width, height = size
    for places in (_beside, _near):
        for text in tag.texts:
            for scale in scales:
                (wide, high), drop = cv2.getTextSize(text, FONT, scale, max(1, round(scale)))
                pad = max(2, round(0.25 * high))
                plate = wide + 2 * pad, high + drop + pad
                wide_enough = width if text == tag.texts[-1] else WIDEST * width
                if plate[0] > wide_enough or plate[1] > height:
                    continue
                for left, top in places(tag, plate, size):
                    box = left, top, left + plate[0], top + plate[1]
                    if not any(_meet(box, other) for other in blocked):
                        return Placed(tag, text, box, (left + pad, top + high + pad // 2 + 1), scale)
    return None


def _beside(tag: Tag, plate: tuple[int, int], size: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Yield the places along the sides of the box, moved so that all of the label is in the picture."""
    (x1, y1, x2, y2), (wide, high) = tag.box, plate
    rows = (y2, y1 - high, y2 - high, y1) if tag.below else (y1 - high, y2, y1, y2 - high)
    for top in rows:
        for left in (x1, x2 - wide, (x1 + x2 - wide) // 2):
            yield _inside(left, top, plate, size)
    for left in (x2, x1 - wide):
        for top in (y1, (y1 + y2 - high) // 2, y2 - high):
            yield _inside(left, top, plate, size)


def _near(tag: Tag, plate: tuple[int, int], size: tuple[int, int]) -> list[tuple[int, int]]:
    """Return places all over the picture, the nearest to the box first."""
    (x1, y1, x2, y2), (wide, high) = tag.box, plate
    columns = range(0, max(1, size[0] - wide + 1), max(1, wide // 3))
    rows = range(0, max(1, size[1] - high + 1), max(1, high // 2))

    def away(at: tuple[int, int]) -> int:
        across, down = max(x1 - at[0] - wide, at[0] - x2, 0), max(y1 - at[1] - high, at[1] - y2, 0)
        return across * across + down * down

    return sorted(((left, top) for top in rows for left in columns), key=away)


def _inside(left: int, top: int, plate: tuple[int, int], size: tuple[int, int]) -> tuple[int, int]:
    return min(max(0, left), size[0] - plate[0]), min(max(0, top), size[1] - plate[1])


def _meet(one: Box, other: Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]


def _grown(box: Box, by: int) -> Box:
    return box[0] - by, box[1] - by, box[2] + by, box[3] + by
