"""YOLOv5's loss as release 5.0 is described to have it; knows raw maps and boxes, no layers.

A true box belongs to every anchor that it exceeds, or falls short of, by less than `ratio` in width and in height. The
cell of its centre answers for it, and so do the two cells that lie nearest to that centre. Box: 1 - CIoU (arXiv
1911.08287). Objectness: cross-entropy with the CIoU reached, not with 1. Classes: cross-entropy, each on its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as fn

from handlens.train.nets.anchors import corners
from handlens.train.nets.box_losses import Truth, pair_loss, truth_of

BALANCE = (4.0, 1.0, 0.4)
"""How much the objectness of each level weighs, finest first: coarse levels have few places and learn fast."""

NEIGHBOURS = ((0, 0), (-1, 0), (0, -1), (1, 0), (0, 1))


@dataclass(frozen=True)
class Gains:
    """How the parts are weighed; the values that release 5.0 begins with.

    Attributes:
        box: As it is.
        classes: For 80 of them, in proportion.
        objectness: At 640 pixels, in proportion to the area.
        ratio: Bound of the assignment.
        positive_class, positive_object: Weight of the positives.
        smoothing: Of the class labels.
    """

    box: float = 0.05
    classes: float = 0.5
    objectness: float = 1.0
    ratio: float = 4.0
    positive_class: float = 1.0
    positive_object: float = 1.0
    smoothing: float = 0.0


class Assigned(NamedTuple):
    """Which places of a level answer for which true box: rows of equal length (p,) each.

    Attributes:
        picture, anchor, line, column: The place.
        row: The true box.
    """

    picture: Tensor
    anchor: Tensor
    line: Tensor
    column: Tensor
    row: Tensor


def boxes_of(fields: Tensor, cell: Tensor, anchors: Tensor) -> Tensor:
    """Raw fields (..., 4 or more), their cells (..., 2) and anchors (..., 2) in cells -> x1 y1 x2 y2 in cells."""
    centre = torch.sigmoid(fields[..., :2]) * 2 - 0.5 + cell
    return corners(centre, (torch.sigmoid(fields[..., 2:4]) * 2) ** 2 * anchors)


def yolov5_loss(
    raw: Sequence[Tensor], boxes: Tensor, anchors: Tensor, strides: Sequence[int], gains: Gains
) -> dict[str, Tensor]:
    """Return the weighed parts `box`, `objectness`, `class`, means over places, and `loss`.

    Their sum times the batch size.

    So does release 5.0, whose learning rate of 0.01 for SGD is meant for it, whatever the batch size.

    Args:
        raw: one map (n, anchors, h, w, 5 + classes) a level.
        boxes: (m, 6) picture row, class, x1, y1, x2, y2 in network pixels.
        anchors: (levels, anchors, 2) width and height in cells of their level.

    Raises:
        InputError: a box of a class that does not exist.
    """
    classes = raw[0].shape[4] - 5
    truth = truth_of(boxes, len(raw[0]), classes)
    levels = [_level(*level, truth, gains) for level in zip(raw, anchors, strides, strict=True)]
    area = raw[0].shape[2] * raw[0].shape[3] * strides[0] ** 2
    box = gains.box * torch.stack([level[0] for level in levels]).sum()
    weighted = torch.stack([level[1] * weight for level, weight in zip(levels, BALANCE, strict=True)])
    objectness = gains.objectness * area / 640**2 * weighted.sum()
    sure = gains.classes * classes / 80 * torch.stack([level[2] for level in levels]).sum()
    return {"loss": (box + objectness + sure) * len(raw[0]), "box": box, "objectness": objectness, "class": sure}


def assign(truth: Truth, anchors: Tensor, stride: int, shape: Sequence[int], ratio: float) -> Assigned:
    """Return the places of a map (n, anchors, h, w, fields) that answer for true boxes; anchors (a, 2) in cells."""
    centre, sides = truth.centre / stride, truth.sides / stride
    apart = sides[:, None] / anchors[None]
    row, anchor = (torch.maximum(apart, 1 / apart).amax(dim=2) < ratio).nonzero(as_tuple=True)
    limit = torch.tensor((shape[3], shape[2]), device=centre.device)
    inside = centre[row].clamp(min=0).minimum(limit - 1e-3)
    share = inside % 1
    near = ((share < 0.5) & (inside > 1), (share > 0.5) & (limit - inside > 1))
    taken = torch.cat((torch.ones_like(near[0][:, :1]), *near), dim=1)
    which, neighbour = taken.nonzero(as_tuple=True)
    step = torch.tensor(NEIGHBOURS, device=centre.device)[neighbour]
    cell = inside[which].long() + step
    return Assigned(truth.picture[row[which]], anchor[which], cell[:, 1], cell[:, 0], row[which])


def _level(level: Tensor, anchors: Tensor, stride: int, truth: Truth, gains: Gains) -> tuple[Tensor, Tensor, Tensor]:
    """Box, objectness and class loss of one map, each a mean."""
    level = level.float()
    positions = assign(truth, anchors, stride, level.shape, gains.ratio)
    goal = torch.zeros_like(level[..., 4])
    box = sure = level.sum() * 0  # a level without a true box still has a gradient, of zeros
    if len(positions.row):
        own = level[positions[:4]]
        cell = torch.stack((positions.column, positions.line), dim=1)
        found = boxes_of(own, cell, anchors[positions.anchor]) * stride
        apart = pair_loss("ciou", found, truth.xyxy[positions.row])
        box = apart.mean()
        _, _, height, width = goal.shape
        flat = (
            (positions.picture * len(anchors) + positions.anchor) * height + positions.line
        ) * width + positions.column
        reached = (1 - apart.detach()).clamp(min=0)
        goal = goal.flatten().scatter_reduce(0, flat, reached, "amax").view_as(goal)
        sure = _class_loss(own[:, 5:], truth.label[positions.row], gains)
    weight = torch.tensor(gains.positive_object, device=level.device)
    return box, fn.binary_cross_entropy_with_logits(level[..., 4], goal, pos_weight=weight), sure


def _class_loss(logits: Tensor, label: Tensor, gains: Gains) -> Tensor:
    goal = torch.full_like(logits, gains.smoothing / 2)
    goal[torch.arange(len(label), device=label.device), label] = 1 - gains.smoothing / 2
    weight = torch.tensor(gains.positive_class, device=logits.device)
    return fn.binary_cross_entropy_with_logits(logits, goal, pos_weight=weight)
