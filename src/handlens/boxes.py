"""Arithmetic of boxes, (n, 4) float32 as x1 y1 x2 y2; it must not know what is in them or where they come from."""

import numpy as np

from handlens.types import Floats, Ints


def area(boxes: Floats) -> Floats:
    """Return (n,): the area of each box, 0 for an inverted one."""
    sides = np.clip(boxes[:, 2:] - boxes[:, :2], 0, None)
    return np.asarray(sides[:, 0] * sides[:, 1], np.float32)


def intersection(first: Floats, second: Floats) -> Floats:
    """Return (n, m): the area that each box of `first` shares with each of `second`."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    size = np.clip(high - low, 0, None)
    return np.asarray(size[..., 0] * size[..., 1], np.float32)


def iou(first: Floats, second: Floats) -> Floats:
    """Return (n, m): intersection over union of each pair, 0 to 1."""
    shared = intersection(first, second)
    union = area(first)[:, None] + area(second)[None, :] - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float32)


def inside(first: Floats, second: Floats) -> Floats:
    """Return (n, m): the share of each box of `first` that lies in each of `second`, 0 to 1."""
    return np.asarray(intersection(first, second) / np.maximum(area(first)[:, None], 1e-9), np.float32)


def square(boxes: Floats, scale: float) -> Floats:
    """Return (n, 4): around the centre of each box a square of side `scale` x its longer side."""
    centre = (boxes[:, :2] + boxes[:, 2:]) / 2
    half = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])[:, None] * scale / 2
    return np.concatenate([centre - half, centre + half], axis=1).astype(np.float32)


def nms(boxes: Floats, score: Floats, limit: float) -> Ints:
    """Return the rows that stay, best score first: one goes when a better one overlaps it by more than `limit` IoU."""
    order = np.argsort(-score, kind="stable")
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[iou(boxes[best : best + 1], boxes[rest])[0] <= limit]
    return np.asarray(kept, np.int64)
