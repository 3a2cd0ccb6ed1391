"""The steps of `handlens.kinds.hand_crop` and `handlens.silhouette.seen` as standard ONNX operators, for any batch.

Every number is made by the same operations in the same order, so that both agree to the pixel. It knows no models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from handlens.kinds.hand_crop import LEVELS, REACH, SOLID
from handlens.silhouette import LEAST, VIEW, places
from handlens.train.export.onnx_ops import Steps, Value

OPSET = 17
RING = [1, 1, 1, 1]
STEPS = 4  # cheap beside a leap


@dataclass(frozen=True, eq=False)
class Cropped:
    """The largest hand of each picture. views: (n, 1, *size), 0 to 255; box: (n, 4), pixels of the map; found: (n,)."""

    views: Value
    box: Value
    found: Value


def crop_layer(steps: Steps, maps: Value, hand: int, size: tuple[int, int], sure: float = 0.0) -> Cropped:
    """Add the steps from maps (n, classes, h, w) to the view of the largest hand of each picture.

    hand: the number of its class. size: (height, width) of the views. sure: the least mean probability of a hand.
    """
    likeliest = steps.add("ArgMax", maps, axis=1, keepdims=1)
    levels = steps.add("Round", steps.add("Gather", maps, [hand], axis=1) * np.float32(LEVELS))
    ring = [0, 0, 1, 1, 0, 0, 1, 1]  # of ground around it
    white, levels = (steps.add("Pad", value, ring) for value in (likeliest.equals(hand).as_float(), levels))
    grid = _Grid(steps, white)
    blob, area = _largest(grid, white, levels, sure)
    whole = grid.box(blob)
    spans = whole.wide.equals(grid.wide) | whole.high.equals(grid.high)
    bar = spans & (area >= whole.wide * whole.high * np.float32(SOLID))
    least = grid.wide * grid.high * np.float32(LEAST)
    found = (area >= least) & steps.add("Not", bar)
    near = _without_forearm(grid, blob)
    box = grid.box(near)
    views = _view(grid, near, box, size)
    edges = steps.add("Concat", box.x1, box.y1, box.x1 + box.wide, box.y1 + box.high, axis=3)
    return Cropped(views, edges.reshape([-1, 4]), found.reshape([-1]))


@dataclass(frozen=True, eq=False)
class _Box:
    """The box of a mask, each side (n, 1, 1, 1)."""

    x1: Value
    y1: Value
    wide: Value
    high: Value


class _Grid:
    """The places of the pixels of a padded map: x (1, 1, 1, w), y (1, 1, h, 1), counted without the ring."""

    def __init__(self, steps: Steps, padded: Value) -> None:
        self.steps = steps
        self.shape = steps.add("Shape", padded)
        self.rows, self.columns = (steps.add("Gather", self.shape, axis, axis=0) for axis in (2, 3))
        self.y = (steps.add("Range", 0, self.rows, 1).as_float() - 1.0).reshape([1, 1, -1, 1])
        self.x = (steps.add("Range", 0, self.columns, 1).as_float() - 1.0).reshape([1, 1, 1, -1])
        self.high, self.wide = self.rows.as_float() - 2.0, self.columns.as_float() - 2.0
        count = steps.add("Slice", self.shape, [0], [1])
        self.zeros = steps.add("Expand", 0.0, steps.add("Concat", count, [1], axis=0))  # (n, 1)

    def numbers(self) -> Value:
        """The number of each pixel from 1, row by row, (1, 1, h, w)."""
        return (self.y + 1.0) * self.columns.as_float() + (self.x + 2.0)

    def flat(self, value: Value) -> Value:
        """(n, 1, h, w) as (n, h w)."""
        return value.reshape([0, -1])

    def box(self, mask: Value) -> _Box:
        """The box of the pixels of a mask (n, 1, h, w) that are above 0."""
        columns, rows, add = mask.most(2) > 0.0, mask.most(3) > 0.0, self.steps.add
        x1 = add("Where", columns, self.x, self.wide).least(3)
        y1 = add("Where", rows, self.y, self.high).least(2)
        x2 = add("Where", columns, self.x + 1.0, 0.0).most(3)
        y2 = add("Where", rows, self.y + 1.0, 0.0).most(2)
        return _Box(x1, y1, x2 - x1, y2 - y1)

    def far(self, x: Value, y: Value) -> Value:
        """The square of the distance of each pixel to a point, (n, 1, h, w)."""
        across, down = self.x - x, self.y - y
        return across * across + down * down


def _labels(grid: _Grid, mask: Value) -> Value:
    """For each pixel of a mask the number of the last pixel of its blob (8-connected), elsewhere 0.

    In each turn a pixel takes the highest number within some steps, and then the number that the pixel of that number
    has; so numbers leap, and blobs need 5 to 30 turns, where steps alone would take hundreds.
    """

    def turn(steps: Steps, now: list[Value]) -> tuple[Value, list[Value]]:
        near = now[0]
        for _ in range(STEPS):
            near = steps.add("MaxPool", near, kernel_shape=[3, 3], pads=RING) * mask
        flat = near.reshape([0, -1])
        table = steps.add("Concat", grid.zeros, flat, axis=1)  # number 0 is no pixel
        after = steps.add("GatherElements", table, flat.as_int(), axis=1).reshape(grid.shape)
        return steps.add("ReduceMax", after - now[0], keepdims=0) > 0.0, [after]

    return grid.steps.repeat([grid.numbers() * mask], turn)[0]


def _largest(grid: _Grid, white: Value, levels: Value, sure: float) -> tuple[Value, Value]:
    """The largest sure blob, (n, 1, h, w), and its area, (n, 1, 1, 1), 0 where none is; of two of one size the one that
    ends first."""
    labels, add = _labels(grid, white), grid.steps.add
    flat, pixels = grid.flat(labels), grid.flat(white)
    none = add("Concat", grid.zeros, pixels * 0.0, axis=1)
    areas, sums = (
        add("ScatterElements", none, flat.as_int(), values, axis=1, reduction="add")
        for values in (pixels, pixels * grid.flat(levels))
    )
    areas = areas * (sums >= areas * np.float32(sure * LEVELS)).as_float()
    best = add("ArgMax", areas, axis=1, keepdims=1).as_float().reshape([-1, 1, 1, 1])
    return labels.equals(best).as_float() * white, areas.most(1).reshape([-1, 1, 1, 1])


def _without_forearm(grid: _Grid, blob: Value) -> Value:
    """What of a blob lies within reach of its palm."""
    x, y, radius = _palm(grid, blob)
    limit = radius * np.float32(REACH)
    return (grid.far(x, y) <= limit * limit).as_float() * blob


def _palm(grid: _Grid, blob: Value) -> tuple[Value, Value, Value]:
    """The middle of the largest octagon in a blob without its holes, and its radius, each (n, 1, 1, 1)."""
    add = grid.steps.add
    ground = _labels(grid, 1.0 - blob)
    outside = add("Slice", ground, [0, 0], [1, 1], [2, 3])  # the ring is ground, and all of it is one blob
    filled = 1.0 - ground.equals(outside).as_float()

    def turn(steps: Steps, now: list[Value]) -> tuple[Value, list[Value]]:
        gone, depth = now
        square = steps.add("MaxPool", gone, kernel_shape=[3, 3], pads=RING)
        tall = steps.add("MaxPool", square, kernel_shape=[3, 1], pads=[1, 0, 1, 0])
        wide = steps.add("MaxPool", square, kernel_shape=[1, 3], pads=[0, 1, 0, 1])
        cross = steps.add("Max", tall, wide)
        left = 1.0 - cross
        return steps.add("ReduceMax", left, keepdims=0) > 0.0, [cross, depth + (1.0 - square) + left]

    depth = grid.steps.repeat([1.0 - filled, filled], turn)[1]
    radius = depth.most(2).most(3)
    deepest = depth.equals(radius).as_float() * filled
    number = add("Max", _sum(deepest), 1.0)
    away = grid.far(_sum(deepest * grid.x) / number, _sum(deepest * grid.y) / number)
    away = add("Where", deepest > 0.0, away, np.float32(3e38))
    best = add("ArgMin", grid.flat(away), axis=1, keepdims=1).as_float().reshape([-1, 1, 1, 1]) + 1.0
    here = grid.numbers().equals(best).as_float()
    return _sum(here * grid.x), _sum(here * grid.y), radius


def _sum(value: Value) -> Value:
    """The sum over a picture, (n, 1, 1, 1)."""
    return value.steps.add("ReduceSum", value, [1, 2, 3], keepdims=1)


def _view(grid: _Grid, mask: Value, box: _Box, size: Sequence[int]) -> Value:
    """What `silhouette.seen` shows of a mask, (n, 1, *size), 0 to 255."""
    add = grid.steps.add
    side = add("Max", box.wide, box.high) * np.float32(VIEW)
    down = _weights(grid.y - box.y1, box.high, side, size[0])
    across = _weights(add("Transpose", grid.x - box.x1, perm=[0, 1, 3, 2]), box.wide, side, size[1])
    rows = add("Transpose", down, perm=[0, 1, 3, 2])
    view = rows @ (mask * 255.0) @ across
    return add("Clip", add("Round", view), 0.0, 255.0)


def _weights(pixels: Value, length: Value, side: Value, out: int) -> Value:
    """`silhouette.weights` turned over, (n, 1, pixels, out); pixels: (n, 1, p, 1), counted from the edge of the box."""
    add = pixels.steps.add
    step = side / float(out)
    reach = add("Max", step, 1.0) / 2.0
    centres = length / 2.0 + side * places(out).reshape(1, 1, 1, -1)
    apart = add("Abs", (pixels + 0.5) - centres)
    return add("Clip", reach + 0.5 - apart, 0.0, 1.0) / (reach * 2.0)
