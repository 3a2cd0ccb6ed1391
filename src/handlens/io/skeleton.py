"""Draws the 21 landmarks of a hand as a skeleton; it must not know models, results or files."""

from collections.abc import Sequence

import cv2
import numpy as np

from handlens.types import Floats, Image

Colour = tuple[int, int, int]

PALM: Colour = (236, 240, 244)
COLOURS: tuple[Colour, ...] = ((255, 128, 96), (255, 200, 64), (112, 216, 120), (84, 184, 255), (196, 140, 255))
"""Thumb, index, middle, ring and little finger: told apart by people who see no red or green, too, by lightness."""
INK: Colour = (20, 22, 28)
ROOTS = (1, 5, 9, 13, 17)
"""The first landmark of each finger."""
RIM = ((0, 1), (0, 5), (5, 9), (9, 13), (13, 17), (0, 17))
"""The bones of the palm; those of a finger join its four landmarks."""
UNSURE = 0.35
"""A landmark that is less sure is drawn faintly: it is hidden, or the model does not know."""
_SHIFT = 4
"""Bits behind the point: joints of small hands are drawn between pixels."""


def draw_skeleton(image: Image, points: Floats, size: float) -> None:
    """Draw a skeleton into an image, in place.

    Bones have a dark rim, so that they are seen on any skin; each finger has its colour; dots mark the joints, larger
    ones the tips. Parts that are not sure are half transparent.

    Args:
        image: (H, W, 3) uint8 RGB.
        points: (21, 3): x and y in pixels of this image, and how sure each is.
        size: the longer side of the hand in pixels; lines follow it.
    """
    if not np.isfinite(points[:, :2]).all():
        return
    line = max(1.0, size / 60)
    faint, sure = image.copy(), points[:, 2] >= UNSURE
    for layer, wanted in ((faint, False), (image, True)):
        bones = [(a, b, colour) for a, b, colour in _bones() if bool(sure[a] and sure[b]) == wanted]
        _lines(layer, points, bones, line)
        _joints(layer, points, [n for n in range(len(points)) if bool(sure[n]) == wanted], line)
        if not wanted:
            cv2.addWeighted(faint, 0.45, image, 0.55, 0, dst=image)


def _bones() -> list[tuple[int, int, Colour]]:
    out = [(a, b, PALM) for a, b in RIM]
    for root, colour in zip(ROOTS, COLOURS, strict=True):
        out += [(n, n + 1, colour) for n in range(root, root + 3)]
    return out


def _lines(image: Image, points: Floats, bones: Sequence[tuple[int, int, Colour]], line: float) -> None:
    rim = max(1, round(0.5 * line))
    for dark in (True, False):  # all rims first: no rim cuts a bone
        for a, b, colour in bones:
            wide = max(1, round(line)) + (2 * rim if dark else 0)
            if dark and line < 1.5:
                continue  # on small hands two lines hide what they show
            ends = [_fixed(points[n]) for n in (a, b)]
            cv2.line(image, ends[0], ends[1], INK if dark else colour, wide, cv2.LINE_AA, _SHIFT)


def _joints(image: Image, points: Floats, rows: Sequence[int], line: float) -> None:
    for n in rows:
        finger = (n - 1) // 4
        colour = PALM if n == 0 else COLOURS[finger]
        tip = n > 0 and n % 4 == 0
        radius = line * (1.5 if tip else 1.15)
        at = _fixed(points[n])
        cv2.circle(image, at, _sub(radius + 0.5 * line), INK, -1, cv2.LINE_AA, _SHIFT)
        cv2.circle(image, at, _sub(radius), colour, -1, cv2.LINE_AA, _SHIFT)
        if not tip and line >= 2:
            cv2.circle(image, at, _sub(0.45 * radius), PALM, -1, cv2.LINE_AA, _SHIFT)


def _fixed(point: Floats) -> tuple[int, int]:
    # pixel edges count from the corner, OpenCV's coordinates from the middle of the first pixel
    x, y = np.clip(point[:2] - 0.5, -30_000, 30_000)
    return round(float(x) * (1 << _SHIFT)), round(float(y) * (1 << _SHIFT))


def _sub(radius: float) -> int:
    return max(1, round(radius * (1 << _SHIFT)))
