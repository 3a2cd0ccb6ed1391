"""Outlines of objects, as polygons or run lengths in COCO's manner, -> boxes and masks; it must not know files.

The arithmetic is pycocotools', which comes with the extra "data".
"""

import math
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from handlens.errors import InputError
from handlens.types import Image

Outline = list[list[float]] | dict[str, Any]
"""Polygons, each x1 y1 x2 y2 ... in pixels, or run lengths: {"counts": ..., "size": [height, width]}."""


def read_outline(shape: Any, size: tuple[int, int]) -> Outline | None:
    """Return an outline of a picture of (width, height), or None where it is none."""
    width, height = size
    if isinstance(shape, dict):
        counts = shape.get("counts")
        fits = shape.get("size") == [height, width]
        if isinstance(counts, list):
            valid = all(isinstance(count, int) and count >= 0 for count in counts) and sum(counts) == width * height
        else:
            valid = isinstance(counts, str) and counts.isascii() and counts != ""
        return shape if fits and valid else None
    if not isinstance(shape, list) or not shape:
        return None
    return shape if all(map(_is_polygon, shape)) else None


def _is_polygon(shape: Any) -> bool:
    if not isinstance(shape, list) or len(shape) < 6 or len(shape) % 2:
        return False
    return all(isinstance(value, int | float) and math.isfinite(value) for value in shape)


def box_around(outline: Outline, size: tuple[int, int]) -> list[float]:
    """Return x1, y1, x2, y2 of the box around an outline in a picture of (width, height).

    Raises:
        InputError: run lengths that are damaged, or pycocotools is missing.
    """
    if isinstance(outline, list):
        points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in outline])
        return [*points.min(axis=0).tolist(), *points.max(axis=0).tolist()]
    rows, columns = np.nonzero(_pixels(outline, size))
    if not len(rows):
        return [0.0, 0.0, 0.0, 0.0]
    return [float(columns.min()), float(rows.min()), float(columns.max() + 1), float(rows.max() + 1)]


def draw(outlines: Sequence[tuple[int, Outline]], size: tuple[int, int], name: str = "the picture") -> Image:
    """Return (height, width) uint8: 0 and, within each outline, its number; where they overlap the later one.

    Raises:
        InputError: run lengths that are damaged, or pycocotools is missing.
    """
    mask = np.zeros((size[1], size[0]), np.uint8)
    for number, outline in outlines:
        mask[_pixels(outline, size, name)] = number
    return mask


def need_pycocotools() -> Any:
    """Return pycocotools' module for masks.

    Raises:
        InputError: it is not installed.
    """
    try:
        from pycocotools import mask
    except ImportError as error:
        raise InputError("outlines need pycocotools: type pip install 'handlens[data]'.") from error
    return mask


def _pixels(outline: Outline, size: tuple[int, int], name: str = "the picture") -> Any:
    """Return (height, width) bool: the pixels within an outline."""
    api = need_pycocotools()
    width, height = size
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its arrays speak numpy's dialect of before 2.0
            if isinstance(outline, dict) and isinstance(outline["counts"], str):
                return api.decode({"size": outline["size"], "counts": outline["counts"].encode()}).astype(bool)
            runs = api.frPyObjects(outline, height, width)
            return api.decode(api.merge(runs) if isinstance(runs, list) else runs).astype(bool)
    except (ValueError, TypeError, KeyError, OverflowError) as error:
        raise InputError(f"'{name}' has an outline whose run lengths are damaged: {error}.") from error
