"""Per-pixel probabilities <-> Mask; it must not know what the classes stand for.

Canonical array: "probabilities" (1, classes, h, w) in [0, 1] over the whole network input, at any resolution. A model
may add "covered" (1, 1, h, w): how likely something of the class number "lower" lies hidden below one of the class
number "upper", as its card's options call them; it is a part of the probability of the latter. Of a class number
"part" and another one, "whole", that it belongs to, as a forearm to a hand, the score is the sum of both.
"""

from collections.abc import Mapping, Sequence
from typing import final

import cv2
import numpy as np
import numpy.typing as npt

from handlens.card import ModelCard
from handlens.kinds.base import expect, rows_of, stacked
from handlens.preprocess import Geometry
from handlens.types import Floats, Image, Mask

COARSE = 2 / 3  # pixels of the map for each of the source: with more of them there is nothing to gain
STRIP = 4_000_000  # pixels blown up at once, so that a picture of 400 megapixels needs no 5 GB


def decode(outputs: Mapping[str, Floats], card: ModelCard, geometry: Geometry) -> Mask:
    """Return the likeliest class of every source pixel, how likely it is, and what is hidden below, if the model knows.

    Raises:
        ModelError: an array of another shape.
    """
    maps = _in_bytes(expect("probabilities", outputs["probabilities"], (1, len(card.names), None, None))[0], geometry)
    classes = np.empty((geometry.height, geometry.width), np.uint8)
    score = np.empty_like(classes)
    hidden = None
    if "covered" in outputs:
        hidden = _in_bytes(expect("covered", outputs["covered"], (1, 1, None, None))[0], geometry)
    covered = None if hidden is None else np.empty(classes.shape, bool)
    upper, lower = (int(card.options.get(name, number)) for name, number in (("upper", 1), ("lower", 2)))
    # The likeliest of n classes has a probability of at least 1 / n: one that is nowhere near it is no pixel's class.
    least = 255 / len(maps) - 2
    numbers = [0, *(number for number in range(1, len(maps)) if maps[number].max() >= least)]
    # A hand and its forearm are one thing: where one of them is seen, what it shares with the other is no doubt.
    one_thing = {int(card.options[name]) for name in ("part", "whole") if name in card.options}
    strip = max(1, STRIP // (geometry.width * len(maps)))
    for top in range(0, geometry.height, strip):
        rows = slice(top, top + strip)
        matrix = _source_to_map(geometry, maps.shape[1:], top)
        shape = classes[rows].shape
        best = _warp(maps[0], matrix, shape, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
        either = np.zeros_like(best)
        classes[rows] = 0
        for number in numbers[1:]:  # five times as fast as np.argmax over a stack of them
            one = _warp(maps[number], matrix, shape, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
            np.copyto(classes[rows], number, where=one > best)
            np.maximum(best, one, out=best)
            if number in one_thing:
                either = np.asarray(cv2.add(either, one), np.uint8)  # up to 255
        score[rows] = best
        for number in one_thing & {*numbers}:
            np.copyto(score[rows], either, where=classes[rows] == number)
        if covered is not None and hidden is not None:
            below = _warp(hidden[0], matrix, shape, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
            covered[rows] = (classes[rows] == upper) & (below > best // 2)
    return Mask(classes, card.names, score, covered, "" if covered is None else card.names[lower])


def _finer(maps: Floats, geometry: Geometry) -> Floats:
    """Return maps (n, h, w) at twice their resolution, by cubics, where their pixels are larger than the source's.

    Linear alone cuts the tips of fingers. Of a made hand of 640 x 480 on a map of 128 x 128 this leaves IoU 0.986
    instead of 0.983, on one of 64 x 64 0.963 instead of 0.954, for 0.3 ms; cubics all the way cost 4 ms and add 0.001.
    """
    if np.max(_source_to_map(geometry, maps.shape[1:])[:, :2]) > COARSE:
        return maps
    return np.stack([cv2.resize(one, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC) for one in maps])


def _in_bytes(maps: Floats, geometry: Geometry) -> Image:
    """Return probabilities as `_finer` has them, 255 = 1: blown up in half the time, 2 of 100,000 pixels change."""
    return np.asarray(np.clip(_finer(maps, geometry) * 255 + 0.5, 0, 255), np.uint8)


def encode(mask: Mask, geometry: Geometry) -> dict[str, Floats]:
    """Return the canonical array that says exactly this mask, at network size: the inverse of `decode`.

    Outside the picture everything is class 0; a pixel to be ignored (255) has no class at all.
    """
    shape = (geometry.net_height, geometry.net_width)
    # cv2.resize with INTER_NEAREST samples pixel corners and shifts the mask (IoU 0.948); this samples centres.
    to_source = cv2.invertAffineTransform(_source_to_map(geometry, shape))
    classes = _warp(mask.classes, np.asarray(to_source), shape, cv2.INTER_NEAREST, cv2.BORDER_CONSTANT)
    one_hot = classes[None] == np.arange(len(mask.names), dtype=np.uint8)[:, None, None]
    return {"probabilities": one_hot[None].astype(np.float32)}


def above_zero(field: Floats, geometry: Geometry, window: tuple[int, int, int, int]) -> Image:
    """Return where a field (h, w) over the whole network input is above 0: (H, W) uint8, 0 and 1.

    Args:
        window: x1 y1 x2 y2, the source pixels that are asked for.
    """
    field = _finer(field[None], geometry)[0]
    x1, y1, x2, y2 = window
    matrix = _source_to_map(geometry, field.shape, y1, x1)
    return np.asarray(_warp(field, matrix, (y2 - y1, x2 - x1), cv2.INTER_LINEAR, cv2.BORDER_REPLICATE) > 0, np.uint8)


def _source_to_map(geometry: Geometry, shape: tuple[int, ...], top: int = 0, left: int = 0) -> npt.NDArray[np.float64]:
    """Return the matrix (2, 3) from source pixel centres, counted from `top` and `left`, to those of the map."""
    per_x, per_y = shape[1] / geometry.net_width, shape[0] / geometry.net_height
    scale_x, scale_y = geometry.scale_x * per_x, geometry.scale_y * per_y
    shift_x = (left + 0.5) * scale_x + geometry.pad_x * per_x - 0.5
    shift_y = (top + 0.5) * scale_y + geometry.pad_y * per_y - 0.5
    return np.array([[scale_x, 0, shift_x], [0, scale_y, shift_y]])


def _warp(
    array: Floats | Image, matrix: npt.NDArray[np.float64], shape: tuple[int, ...], method: int, border: int
) -> npt.NDArray[np.float32 | np.uint8]:
    """Return an array of `shape` that looks up each of its pixels at matrix x pixel in `array`."""
    flags = method | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(array, matrix, (shape[1], shape[0]), flags=flags, borderMode=border)
    return np.asarray(warped)


@final
class Segment:
    """The kind "segment": one `Mask` for each picture."""

    name = "segment"
    outputs = ("probabilities",)

    def decode(
        self, outputs: Mapping[str, Floats], card: ModelCard, geometries: Sequence[Geometry]
    ) -> tuple[Mask, ...]:
        """Return the mask of each picture; see `handlens.kinds.segment.decode`."""
        return tuple(decode(row, card, way) for row, way in zip(rows_of(outputs), geometries, strict=True))

    def encode(self, answers: Sequence[Mask], card: ModelCard, geometries: Sequence[Geometry]) -> dict[str, Floats]:
        """Return the arrays of pictures that became tensors of one size."""
        return stacked([encode(mask, way) for mask, way in zip(answers, geometries, strict=True)])
