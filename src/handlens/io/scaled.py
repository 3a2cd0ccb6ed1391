"""A frame and what was said of it in another size, to be drawn on a sheet; it must not draw."""

from dataclasses import replace

import cv2
import numpy as np

from handlens.result import Result
from handlens.types import Detections, Floats, Frame, Hand, Image, Label, Mask, Value


def scaled(frame: Frame, result: Result, side: int) -> tuple[Frame, Result]:
    """Return the frame and its result with the longer side of the picture scaled to `side` pixels."""
    factor = side / max(frame.width, frame.height)
    width, height = (max(1, round(length * factor)) for length in (frame.width, frame.height))
    scale = np.array([width / frame.width, height / frame.height] * 2, np.float32)
    method = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    image = np.asarray(cv2.resize(frame.image, (width, height), interpolation=method), np.uint8)
    value = _value(result.value, scale, (width, height))
    return replace(frame, image=image), replace(result, value=value, width=width, height=height)


def _value(value: Value, scale: Floats, size: tuple[int, int]) -> Value:
    if isinstance(value, Detections):
        return replace(value, xyxy=value.xyxy * scale)
    if isinstance(value, Mask):
        classes = _nearest(value.classes, size)
        covered = None if value.covered is None else _nearest(value.covered.view(np.uint8), size) > 0
        return Mask(classes, value.names, None, covered, value.under)
    if isinstance(value, Label):
        return value
    return tuple(_hand(hand, scale, size) for hand in value)


def _hand(hand: Hand, scale: Floats, size: tuple[int, int]) -> Hand:
    box = hand.xyxy * scale
    if hand.mask is None:
        return replace(hand, xyxy=box)
    bare = replace(hand, xyxy=box, mask=None)
    x1, y1, x2, y2 = bare.window
    return replace(bare, mask=_nearest(hand.mask, (x2 - x1, y2 - y1)))


def _nearest(mask: Image, size: tuple[int, int]) -> Image:
    if 0 in size or 0 in mask.shape:
        return np.zeros(size[::-1], np.uint8)
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)
