"""A closer look at large pictures: a detector that asks about parts too, for faces and hands far away.

A detector sees a picture at the size of its input, so a face of 60 pixels in a picture of 3840 has 5 there. Where the
card's option "tiles_from" says so, the picture is looked at once more in overlapping tiles, and small boxes of the
tiles join those of the whole. It must not know labels.
"""

from __future__ import annotations

import math

import numpy as np

from handlens.preprocess import Geometry, prepare
from handlens.runner import Runner
from handlens.types import Floats, Frame

TILE = 3.6
"""Side of a tile, in sides of the detector's input: what has 30 pixels there has 8 in the input."""
OVERLAP = 0.2
"""Share of a tile that its neighbour sees as well: nothing small is cut by both."""
SMALL = 0.45
"""Longest side of a box that a tile adds, in sides of the tile: larger ones are seen in the whole picture."""
RIM = 4.0
"""Boxes that come so near to a rim within the picture, in pixels of the input, are cut by it."""


def looked_at(frame: Frame, runner: Runner) -> tuple[dict[str, Floats], Geometry]:
    """Return a detector's arrays for a frame, in pixels of the input for the whole picture, and the way back.

    Args:
        runner: Of kind "detect". Option "tiles_from" of its card: tiles are looked at where the longest side of a still
            picture has so many pixels; 0 or none: never. Frames of a video would take too long.
    """
    tensor, geometry = prepare(frame.image, runner.card)
    outputs = dict(runner.run(tensor))
    least = runner.card.options.get("tiles_from", 0.0)
    still = frame.index == 0 and not frame.duration and frame.clock is None
    if not least or not still or max(frame.image.shape[:2]) < least:
        return outputs, geometry
    size = (outputs["boxes"][0, :, 2:] - outputs["boxes"][0, :, :2]).max(1)
    clear = size > 0.75 * SMALL * TILE * max(runner.card.size) * geometry.scale_x  # smaller ones the tiles see better
    boxes, scores = [outputs["boxes"][:, clear]], [outputs["scores"][:, clear]]
    for left, top, right, bottom in tiles(frame.image.shape[1], frame.image.shape[0], TILE * max(runner.card.size)):
        tensor, way = prepare(np.ascontiguousarray(frame.image[top:bottom, left:right]), runner.card)
        said = runner.run(tensor)
        here = way.to_source(said["boxes"][0])
        kept = _whole(here, (left, top, right, bottom), frame.image.shape[:2], RIM / way.scale_x)
        there = here + np.array([left, top, left, top], np.float32)
        boxes.append(geometry.to_network(there[kept])[None].astype(np.float32))
        scores.append(said["scores"][:, kept])
    return {**outputs, "boxes": np.concatenate(boxes, 1), "scores": np.concatenate(scores, 1)}, geometry


def tiles(width: int, height: int, side: float) -> list[tuple[int, int, int, int]]:
    """Return overlapping tiles (left, top, right, bottom) of about equal size that cover a picture."""
    spans = []
    for length in (width, height):
        count = max(1, math.ceil((length - OVERLAP * side) / ((1 - OVERLAP) * side)))
        size = length / (count - OVERLAP * (count - 1))
        step = size * (1 - OVERLAP)
        spans.append([(round(k * step), min(length, round(k * step + size))) for k in range(count)])
    return [(left, top, right, bottom) for top, bottom in spans[1] for left, right in spans[0]]


def _whole(boxes: Floats, tile: tuple[int, int, int, int], picture: tuple[int, ...], rim: float) -> Floats:
    """Return which boxes (n, 4) of a tile, in its pixels, are small and not cut by a rim within the picture."""
    left, top, right, bottom = tile
    width, height = right - left, bottom - top
    size = (boxes[:, 2:] - boxes[:, :2]).max(1, initial=0.0)
    kept = np.isfinite(boxes).all(1) & (size < SMALL * max(width, height))
    kept &= (boxes[:, 0] > rim) | (left == 0)
    kept &= (boxes[:, 1] > rim) | (top == 0)
    kept &= (boxes[:, 2] < width - rim) | (right == picture[1])
    kept &= (boxes[:, 3] < height - rim) | (bottom == picture[0])
    return np.asarray(kept)
