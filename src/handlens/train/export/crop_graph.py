"""The steps of `handlens.kinds.hand_crop` and `handlens.silhouette.seen` as standard ONNX operators, for any batch.

Every number is made by the same operations in the same order, so that both agree to the pixel. The functions are
written in onnxscript: Python that is translated to operators and never run as it stands.
"""

# mypy: ignore-errors
# onnxscript's own operators on its values are known to its translator alone.

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper
from onnxscript import BOOL, FLOAT, INT64, script
from onnxscript import opset18 as op

from handlens.kinds.hand_crop import ARM, CLIMB, DEEP, EDGE, LEVELS, LONG, REACH, RING, SOLID, THICK, WRIST
from handlens.silhouette import LEAST, VIEW, pixel_centres

OPSET = 18
"""Operators of this version have the same form up to opset 20."""
_WIDEST = 3e38
CLIMB_FIRST, CLIMB_NEXT = CLIMB
RING_NEAR, RING_FAR = RING
FLOATS, INTS = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64  # for the operator Cast


def crop_inputs(hand: int, size: tuple[int, int], sure: float) -> list[onnx.TensorProto]:
    """Return what `crop_hands` takes beside the maps, in its order.

    Args:
        hand: the number of the class that is cropped.
        size: (height, width) of the views.
        sure: the least mean probability of a hand.
    """
    named = {
        "hand": np.array([hand], np.int64),
        "sure": np.float32(sure * LEVELS),
        "down": np.asarray(pixel_centres(size[0]), np.float32),
        "across": np.asarray(pixel_centres(size[1]), np.float32),
    }
    return [numpy_helper.from_array(np.asarray(value), f"crop/{name}") for name, value in named.items()]


@script(default_opset=op)
def number_blobs(mask: FLOAT[...]) -> FLOAT[...]:
    """Give each pixel of a mask the number of the last pixel of its blob (8-connected), and 0 elsewhere.

    In each turn a pixel takes the highest number within four steps, and then the number that the pixel of that number
    has; so numbers leap, and blobs need 5 to 30 turns, where steps alone would take hundreds.
    """
    shape = op.Shape(mask)
    rows, columns = op.Shape(mask, start=2, end=3), op.Shape(mask, start=3, end=4)
    pixels = op.Cast(op.Range(1, op.Squeeze(rows * columns) + 1, 1), to=FLOATS)
    zeros = op.Expand(0.0, op.Concat(op.Shape(mask, start=0, end=1), [1], axis=0))
    now = op.Reshape(pixels, op.Concat([1, 1], rows, columns, axis=0)) * mask
    more = op.ReduceMax(mask, keepdims=0) > 0.0
    while more:
        near = op.MaxPool(now, kernel_shape=[3, 3], pads=[1, 1, 1, 1]) * mask
        near = op.MaxPool(near, kernel_shape=[3, 3], pads=[1, 1, 1, 1]) * mask
        near = op.MaxPool(near, kernel_shape=[3, 3], pads=[1, 1, 1, 1]) * mask
        near = op.MaxPool(near, kernel_shape=[3, 3], pads=[1, 1, 1, 1]) * mask
        flat = op.Reshape(near, [0, -1])
        table = op.Concat(zeros, flat, axis=1)  # the number 0 is not a pixel
        after = op.Reshape(op.GatherElements(table, op.Cast(flat, to=INTS), axis=1), shape)
        more = op.ReduceMax(after - now, keepdims=0) > 0.0
        now = after
    return now


@script(default_opset=op)
def find_box(mask: FLOAT[...]) -> tuple[FLOAT[...], FLOAT[...], FLOAT[...], FLOAT[...]]:
    """Return x1, y1, x2, y2, each (n, 1, 1, 1), around the pixels of a mask with a ring of one pixel around it."""
    rows, columns = op.Shape(mask, start=2, end=3), op.Shape(mask, start=3, end=4)
    y = op.Reshape(op.Cast(op.Range(0, op.Squeeze(rows), 1), to=FLOATS) - 1.0, [1, 1, -1, 1])
    x = op.Reshape(op.Cast(op.Range(0, op.Squeeze(columns), 1), to=FLOATS) - 1.0, [1, 1, 1, -1])
    across, down = op.ReduceMax(mask, [2]) > 0.0, op.ReduceMax(mask, [3]) > 0.0
    x1 = op.ReduceMin(op.Where(across, x, op.Cast(columns, to=FLOATS)), [3])
    y1 = op.ReduceMin(op.Where(down, y, op.Cast(rows, to=FLOATS)), [2])
    x2 = op.ReduceMax(op.Where(across, x + 1.0, 0.0), [3])
    y2 = op.ReduceMax(op.Where(down, y + 1.0, 0.0), [2])
    return x1, y1, x2, y2


@script(default_opset=op)
def measure_depth(blob: FLOAT[...]) -> tuple[FLOAT[...], FLOAT[...]]:
    """Return the blob without its holes, and how many layers come off each pixel until it goes."""
    ground = number_blobs(1.0 - blob)
    outside = op.Slice(ground, [0, 0], [1, 1], [2, 3])  # the ring is ground, and all of it is one blob
    filled = 1.0 - op.Cast(ground == outside, to=FLOATS)
    depth = filled
    removed = 1.0 - filled
    more = op.ReduceMax(filled, keepdims=0) > 0.0
    while more:
        square = op.MaxPool(removed, kernel_shape=[3, 3], pads=[1, 1, 1, 1])
        tall = op.MaxPool(square, kernel_shape=[3, 1], pads=[1, 0, 1, 0])
        wide = op.MaxPool(square, kernel_shape=[1, 3], pads=[0, 1, 0, 1])
        cross = op.Max(tall, wide)
        left = 1.0 - cross
        depth = depth + (1.0 - square) + left
        more = op.ReduceMax(left, keepdims=0) > 0.0
        removed = cross
    return filled, depth


@script(default_opset=op)
def pick(score: FLOAT[...], x: FLOAT[...], y: FLOAT[...]) -> tuple[FLOAT[...], FLOAT[...]]:
    """Return x and y, each (n, 1, 1, 1), of the first pixel with the highest score (n, 1, h, w)."""
    columns = op.Shape(score, start=3, end=4)
    best = op.Reshape(op.ArgMax(op.Reshape(score, [0, -1]), axis=1, keepdims=1), [-1, 1, 1, 1])
    row = best / columns
    column = best - row * columns
    return op.Cast(column, to=FLOATS) - 1.0, op.Cast(row, to=FLOATS) - 1.0


@script(default_opset=op)
def find_middle(
    depth: FLOAT[...], filled: FLOAT[...], x: FLOAT[...], y: FLOAT[...]
) -> tuple[FLOAT[...], FLOAT[...], FLOAT[...]]:
    """`hand_crop._middle`: the deepest pixel and its depth; of several it is the nearest to their mean."""
    radius = op.ReduceMax(depth, [2, 3])
    deepest = op.Cast(depth == radius, to=FLOATS) * filled
    number = op.Max(op.ReduceSum(deepest, [1, 2, 3]), 1.0)
    dx = x - op.ReduceSum(deepest * x, [1, 2, 3]) / number
    dy = y - op.ReduceSum(deepest * y, [1, 2, 3]) / number
    middle_x, middle_y = pick(op.Where(deepest > 0.0, 0.0 - (dx * dx + dy * dy), -_WIDEST), x, y)
    return middle_x, middle_y, radius


@script(default_opset=op)
def vote(
    blob: FLOAT[...],
    edge: FLOAT[...],
    x: FLOAT[...],
    y: FLOAT[...],
    x1: FLOAT[...],
    y1: FLOAT[...],
    x2: FLOAT[...],
    y2: FLOAT[...],
    near_depth: FLOAT[...],
    radius: FLOAT[...],
) -> FLOAT[...]:
    """Return how much the end x1, y1 of what is thick is the hand, rather than x2, y2, as `hand_crop._ends` counts."""
    beyond = op.Cast((x - x1) * (x1 - x2) + (y - y1) * (y1 - y2) > 0.0, to=FLOATS) * blob
    near = (x - x1) * (x - x1) + (y - y1) * (y - y1)
    away = (x - x2) * (x - x2) + (y - y2) * (y - y2)
    touching = op.Cast(near < away, to=FLOATS) * edge * blob
    deep = near_depth * radius * DEEP
    return op.ReduceSum(beyond, [1, 2, 3]) + deep - radius * EDGE * op.ReduceSum(touching, [1, 2, 3])


@script(default_opset=op)
def climb(
    depth: FLOAT[...], x: FLOAT[...], y: FLOAT[...], from_x: FLOAT[...], from_y: FLOAT[...], reach: FLOAT[...]
) -> tuple[FLOAT[...], FLOAT[...], FLOAT[...]]:
    """Return the deepest pixel within reach of another, and its depth."""
    far = (x - from_x) * (x - from_x) + (y - from_y) * (y - from_y)
    within = op.Where(far <= reach * reach, depth, 0.0)
    to_x, to_y = pick(within, x, y)
    return to_x, to_y, op.ReduceMax(within, [2, 3])


@script(default_opset=op)
def find_palm_near(
    depth: FLOAT[...], x: FLOAT[...], y: FLOAT[...], end_x: FLOAT[...], end_y: FLOAT[...], radius: FLOAT[...]
) -> tuple[FLOAT[...], FLOAT[...], FLOAT[...]]:
    """`hand_crop._palm_near`, its steps one after the other."""
    x1, y1, d1 = climb(depth, x, y, end_x, end_y, radius * CLIMB_FIRST)
    x2, y2, d2 = climb(depth, x, y, x1, y1, d1 * CLIMB_NEXT)
    x3, y3, d3 = climb(depth, x, y, x2, y2, d2 * CLIMB_NEXT)
    x4, y4, d4 = climb(depth, x, y, x3, y3, d3 * CLIMB_NEXT)
    return x4, y4, d4


@script(default_opset=op)
def behind_wrist(
    depth: FLOAT[...],
    thick: BOOL[...],
    x: FLOAT[...],
    y: FLOAT[...],
    palm_x: FLOAT[...],
    palm_y: FLOAT[...],
    arm_x: FLOAT[...],
    arm_y: FLOAT[...],
    radius: FLOAT[...],
) -> BOOL[...]:
    """`hand_crop._behind_wrist`: which pixels lie behind the cut; none where no forearm is seen around the palm."""
    across, down = x - palm_x, y - palm_y
    far = across * across + down * down
    least, most = radius * RING_NEAR, radius * RING_FAR
    there = op.And(thick, op.And(far >= least * least, far <= most * most))
    there = op.And(there, across * (arm_x - palm_x) + down * (arm_y - palm_y) > 0.0)
    seen = op.ReduceMax(op.Cast(there, to=FLOATS), [2, 3]) > 0.0
    to_x, to_y = pick(op.Where(there, depth, 0.0), x, y)
    way_x, way_y = to_x - palm_x, to_y - palm_y
    along = across * way_x + down * way_y
    limit = radius * WRIST
    return op.And(op.And(along > 0.0, along * along > limit * limit * (way_x * way_x + way_y * way_y)), seen)


@script(default_opset=op)
def cut_forearm(blob: FLOAT[...]) -> FLOAT[...]:
    """Return a blob without its forearm, as `hand_crop._without_forearm` does."""
    rows, columns = op.Shape(blob, start=2, end=3), op.Shape(blob, start=3, end=4)
    y = op.Reshape(op.Cast(op.Range(0, op.Squeeze(rows), 1), to=FLOATS) - 1.0, [1, 1, -1, 1])
    x = op.Reshape(op.Cast(op.Range(0, op.Squeeze(columns), 1), to=FLOATS) - 1.0, [1, 1, 1, -1])
    high, wide = op.Cast(rows, to=FLOATS) - 3.0, op.Cast(columns, to=FLOATS) - 3.0  # the last row, the last column
    sides = op.Or(op.Or(x == 0.0, x == wide), op.Or(y == 0.0, y == high))
    edge = op.Cast(sides, to=FLOATS)

    filled, depth = measure_depth(blob)
    mid_x, mid_y, deepest = find_middle(depth, filled, x, y)
    thick = depth >= deepest * THICK
    x1, y1 = pick(op.Where(thick, (x - mid_x) * (x - mid_x) + (y - mid_y) * (y - mid_y), -1.0), x, y)
    x2, y2 = pick(op.Where(thick, (x - x1) * (x - x1) + (y - y1) * (y - y1), -1.0), x, y)
    longest = deepest * LONG
    armed = (x1 - x2) * (x1 - x2) + (y1 - y2) * (y1 - y2) > longest * longest

    px1, py1, d1 = find_palm_near(depth, x, y, x1, y1, deepest)
    px2, py2, d2 = find_palm_near(depth, x, y, x2, y2, deepest)
    votes = vote(blob, edge, x, y, x1, y1, x2, y2, d1, deepest)
    first = votes >= vote(blob, edge, x, y, x2, y2, x1, y1, d2, deepest)
    near_x, near_y, near = op.Where(first, px1, px2), op.Where(first, py1, py2), op.Where(first, d1, d2)
    arm_x, arm_y = op.Where(first, x2, x1), op.Where(first, y2, y1)
    behind = op.And(behind_wrist(depth, thick, x, y, near_x, near_y, arm_x, arm_y, near), armed)

    palm_x, palm_y = op.Where(armed, near_x, mid_x), op.Where(armed, near_y, mid_y)
    limit = op.Where(armed, near, deepest) * REACH
    within = (x - palm_x) * (x - palm_x) + (y - palm_y) * (y - palm_y) <= limit * limit
    return op.Cast(op.And(within, op.Not(behind)), to=FLOATS) * blob


@script(default_opset=op)
def weigh(pixels: FLOAT[...], length: FLOAT[...], side: FLOAT[...], centres: FLOAT[...]) -> FLOAT[...]:
    """`silhouette.weights` transposed, (n, 1, p, o); pixels are counted from the edge of the box."""
    step = side / op.Cast(op.Shape(centres), to=FLOATS)
    reach = op.Max(step, 1.0) / 2.0
    apart = op.Abs((pixels + 0.5) - (length / 2.0 + side * op.Reshape(centres, [1, 1, 1, -1])))
    return op.Clip(reach + 0.5 - apart, 0.0, 1.0) / (reach * 2.0)


@script(default_opset=op)
def view_masks(
    mask: FLOAT[...],
    x1: FLOAT[...],
    y1: FLOAT[...],
    x2: FLOAT[...],
    y2: FLOAT[...],
    down: FLOAT[...],
    across: FLOAT[...],
) -> FLOAT[...]:
    """Return what `silhouette.seen` shows of masks (n, 1, h, w) with a ring around them: (n, 1, down, across).

    0 to 255.
    """
    rows, columns = op.Shape(mask, start=2, end=3), op.Shape(mask, start=3, end=4)
    y = op.Reshape(op.Cast(op.Range(0, op.Squeeze(rows), 1), to=FLOATS) - 1.0, [1, 1, -1, 1])
    x = op.Reshape(op.Cast(op.Range(0, op.Squeeze(columns), 1), to=FLOATS) - 1.0, [1, 1, -1, 1])
    high, wide = y2 - y1, x2 - x1
    side = op.Max(wide, high) * VIEW
    by_row = op.Transpose(weigh(y - y1, high, side, down), perm=[0, 1, 3, 2])
    view = op.MatMul(op.MatMul(by_row, mask * 255.0), weigh(x - x1, wide, side, across))
    return op.Clip(op.Round(view), 0.0, 255.0)


@script(default_opset=op)
def find_hands(
    white: FLOAT[...], levels: FLOAT[...], arms: FLOAT[...], sure: FLOAT[...]
) -> tuple[FLOAT[...], INT64[...], INT64[...], BOOL[...]]:
    """Return the masks of the hands (k, 1, h, w) on masks with a ring, and of each the number of its picture.

    The hands of a picture follow one another, the largest first; of two of one size, the one that ends first. Where
    there is none on any picture, there is one mask without a pixel, and the number of hands (1,) is 0.
    """
    labels = number_blobs(white)
    flat = op.Cast(op.Reshape(labels, [0, -1]), to=INTS)
    pixels = op.Reshape(white, [0, -1])
    none = op.Pad(pixels * 0.0, [0, 1, 0, 0])  # the number 0 is not a blob
    areas = op.ScatterElements(none, flat, pixels, axis=1, reduction="add")
    sums = op.ScatterElements(none, flat, pixels * op.Reshape(levels, [0, -1]), axis=1, reduction="add")
    own = op.ScatterElements(none, flat, pixels * (1.0 - op.Reshape(arms, [0, -1])), axis=1, reduction="add")
    rows, columns = op.Shape(white, start=2, end=3), op.Shape(white, start=3, end=4)
    high, wide = op.Cast(rows, to=FLOATS) - 2.0, op.Cast(columns, to=FLOATS) - 2.0
    large = op.And(own >= high * wide * LEAST, own > 0.0)
    areas = op.Where(op.And(large, sums >= areas * sure), own, 0.0)

    best = op.Reshape(op.ArgMax(areas, axis=1, keepdims=1), [-1, 1, 1, 1])
    largest = op.Cast(labels == op.Cast(best, to=FLOATS), to=FLOATS) * white
    x1, y1, x2, y2 = find_box(largest)
    spans = op.Or((x2 - x1) == wide, (y2 - y1) == high)
    most = op.ReduceMax(areas, [1])
    bar = op.And(op.Reshape(spans, [-1, 1]), most >= op.Reshape((x2 - x1) * (y2 - y1) * SOLID, [-1, 1]))
    found = op.And(most > 0.0, op.Not(bar))

    places_of = op.Shape(areas, start=1, end=2)
    index = op.Reshape(op.NonZero(op.Reshape(op.And(areas > 0.0, found), [-1])), [-1])
    picture = index / places_of
    area = op.Cast(op.Gather(op.Reshape(areas, [-1]), index), to=INTS)
    count = op.Shape(index)
    _ranks, order = op.TopK(picture * places_of - area, count, axis=0, largest=0, sorted=1)
    index = op.Gather(index, order)
    spare = op.Slice([0], [0], op.Max(1 - count, [0]))  # nets and loops take no batch of nothing
    index = op.Concat(index, spare, axis=0)
    picture = index / places_of
    number = op.Reshape(op.Cast(index - picture * places_of, to=FLOATS), [-1, 1, 1, 1])
    blobs = op.Cast(op.Gather(labels, picture) == number, to=FLOATS) * op.Gather(white, picture)
    return blobs, picture, count, op.Reshape(found, [-1])


@script(default_opset=op)
def largest_piece(mask: FLOAT[...]) -> FLOAT[...]:
    """Return of each mask (k, 1, h, w) its largest piece; of two of one size, the one that ends first."""
    labels = number_blobs(mask)
    flat = op.Cast(op.Reshape(labels, [0, -1]), to=INTS)
    pixels = op.Reshape(mask, [0, -1])
    none = op.Pad(pixels * 0.0, [0, 1, 0, 0])  # the number 0 is not a piece
    areas = op.ScatterElements(none, flat, pixels, axis=1, reduction="add")
    best = op.Reshape(op.ArgMax(areas, axis=1, keepdims=1), [-1, 1, 1, 1])
    return op.Cast(labels == op.Cast(best, to=FLOATS), to=FLOATS) * mask


@script(default_opset=op)
def crop_blobs(blobs: FLOAT[...], arms: FLOAT[...]) -> FLOAT[...]:
    """Return blobs without their forearms, as `hand_crop._cropped` does. arms: (k, 1, h, w) what a model calls so."""
    hand = blobs * (1.0 - arms)
    pixels = op.ReduceSum(hand, [1, 2, 3])
    armed = op.And(pixels > 0.0, op.ReduceSum(blobs, [1, 2, 3]) - pixels > pixels * ARM)
    return op.Where(armed, largest_piece(hand), cut_forearm(blobs))


@script(default_opset=op)
def crop_hands(
    maps: FLOAT[...],
    arms: FLOAT[...],
    hand: INT64[...],
    sure: FLOAT[...],
    down: FLOAT[...],
    across: FLOAT[...],
) -> tuple[FLOAT[...], FLOAT[...], FLOAT[...], INT64[...], INT64[...], BOOL[...]]:
    """Return from maps (n, classes, h, w) the hands of all pictures, k of them or one that is blank.

    arms: (n, 1, h, w) 1 where a model calls a pixel of a hand rather a bare forearm, else 0.

    views (k, 1, down, across), 0 to 255; boxes (k, 4), pixels of the map; masks (k, 1, h, w), 0 and 1; the number of
    the picture of each (k,); how many there are (1,), which may be 0; whether there is one on each picture (n,).
    """
    levels = op.Round(op.Gather(maps, hand, axis=1) * LEVELS)
    white = op.Cast(op.ArgMax(maps, axis=1, keepdims=1) == hand, to=FLOATS)
    ring = op.Constant(value_ints=[0, 0, 1, 1, 0, 0, 1, 1])  # of ground around it
    framed = op.Pad(arms, ring)
    blobs, picture, count, found = find_hands(op.Pad(white, ring), op.Pad(levels, ring), framed, sure)
    kept = crop_blobs(blobs, op.Gather(framed, picture))
    x1, y1, x2, y2 = find_box(kept)
    views = view_masks(kept, x1, y1, x2, y2, down, across)
    boxes = op.Reshape(op.Concat(x1, y1, x2, y2, axis=3), [-1, 4])
    masks = op.Slice(kept, [1, 1], [-1, -1], [2, 3])
    return views, boxes, masks, picture, count, found


@script(default_opset=op)
def show_views(views: FLOAT[...], scale: FLOAT[...], offset: FLOAT[...]) -> FLOAT[...]:
    """Return what the gesture model is shown: the views (k, 1, h, w) as three channels, normalized."""
    return views * scale + offset


@script(default_opset=op)
def place_boxes(boxes: FLOAT[...], count: INT64[...], image: FLOAT[...], maps: FLOAT[...]) -> FLOAT[...]:
    """Return the boxes (k, 4) of the hands that there are, from pixels of the map to pixels of the image."""
    order = op.Constant(value_ints=[3, 2, 3, 2])
    sides = op.Cast(op.Gather(op.Shape(image), order), to=FLOATS)
    return op.Slice(boxes * (sides / op.Cast(op.Gather(op.Shape(maps), order), to=FLOATS)), [0], count)


@script(default_opset=op)
def take_hands(rows: FLOAT[...], count: INT64[...]) -> FLOAT[...]:
    """Return the rows of the hands that there are: the blank one, which stands for none, is left out."""
    return op.Slice(rows, [0], count)


@script(default_opset=op)
def take_masks(masks: FLOAT[...], count: INT64[...]) -> FLOAT[...]:
    """Return the masks (k, h, w) of the hands that there are."""
    return op.Squeeze(op.Slice(masks, [0], count), [1])
