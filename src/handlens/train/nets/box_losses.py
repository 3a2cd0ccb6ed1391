"""What every detector's loss begins with: the true boxes of a batch, and losses of box pairs; knows no network."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor
from torchvision.ops import (
    box_iou,
    complete_box_iou_loss,
    distance_box_iou_loss,
    generalized_box_iou_loss,
)

from handlens.errors import InputError


class Truth(NamedTuple):
    """The true boxes of a batch.

    Attributes:
        picture: (m,) int64 row in the batch.
        label: (m,) int64 class.
        xyxy: (m, 4) float32 x1 y1 x2 y2, network pixels.
    """

    picture: Tensor
    label: Tensor
    xyxy: Tensor

    @property
    def centre(self) -> Tensor:
        """(m, 2) x and y."""
        return (self.xyxy[:, :2] + self.xyxy[:, 2:]) / 2

    @property
    def sides(self) -> Tensor:
        """(m, 2) width and height."""
        return self.xyxy[:, 2:] - self.xyxy[:, :2]


def truth_of(boxes: Tensor, pictures: int, classes: int) -> Truth:
    """Split (m, 6) rows of picture row, class, x1, y1, x2, y2; boxes without any area are left out.

    Raises:
        InputError: another shape, or a class or picture row that does not exist.
    """
    if boxes.ndim != 2 or boxes.shape[1] != 6:
        raise InputError(f"boxes of shape {tuple(boxes.shape)}: rows of picture, class, x1, y1, x2, y2 are wanted.")
    picture, label, xyxy = boxes[:, 0].long(), boxes[:, 1].long(), boxes[:, 2:].float()
    for what, number, count in (("class", label, classes), ("picture row", picture, pictures)):
        wrong = number[(number < 0) | (number >= count)]
        if len(wrong):
            raise InputError(f"a box has the {what} {int(wrong[0])}, and there are {count}, counted from 0.")
    kept = (xyxy[:, 2:] > xyxy[:, :2]).all(dim=1)
    return Truth(picture[kept], label[kept], xyxy[kept])


def best_overlap(found: Tensor, truth: Truth) -> tuple[Tensor, Tensor]:
    """For boxes (n, k, 4) of n pictures the IoU with the best true box of the picture, and its row: (n, k) each.

    Where a picture has no true box the IoU is 0 and the row -1.
    """
    overlap = found.new_zeros(found.shape[:2])
    row = torch.full_like(overlap, -1, dtype=torch.int64)
    for number in truth.picture.unique().tolist():
        own = (truth.picture == number).nonzero().squeeze(1)
        overlap[number], best = box_iou(found[number], truth.xyxy[own]).max(dim=1)
        row[number] = own[best]
    return overlap, row


def iou_loss(found: Tensor, true: Tensor) -> Tensor:
    """1 - IoU of each pair of boxes (m, 4): (m,)."""
    low, high = torch.maximum(found[:, :2], true[:, :2]), torch.minimum(found[:, 2:], true[:, 2:])
    shared = (high - low).clamp(min=0).prod(dim=1)
    union = (found[:, 2:] - found[:, :2]).prod(dim=1) + (true[:, 2:] - true[:, :2]).prod(dim=1) - shared
    return 1 - shared / union.clamp(min=1e-7)


BOX_LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "iou": iou_loss,
    "giou": generalized_box_iou_loss,
    "diou": distance_box_iou_loss,
    "ciou": complete_box_iou_loss,
}
"""Pairs of boxes (m, 4) -> (m,), 0 where they are equal: arXiv 1902.09630 (giou), 1911.08287 (diou, ciou)."""

LEAST = 0.1
"""Sides below so many pixels count as this: CIoU divides width by height, and a wild step would make both 0."""


def pair_loss(kind: str, found: Tensor, true: Tensor) -> Tensor:
    """Return the loss of that kind for each pair of boxes (m, 4) in pixels, finite whatever was found: (m,)."""
    low, high = found[:, :2], found[:, 2:]
    return BOX_LOSSES[kind](torch.cat((low, torch.maximum(high, low + LEAST)), dim=1), true)
