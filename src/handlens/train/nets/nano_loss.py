"""Nano's loss: who answers for a box is found anew in every step; knows boxes and logits, no layers.

Task-aligned learning (arXiv 2108.07755): a true box is answered for by those places inside it that now do it best,
score * IoU ** 6, at most 10. Their scores should become the IoU of the best of them, the others' in proportion. Scores:
quality focal loss (arXiv 2006.04388). Boxes: 1 - GIoU (arXiv 1902.09630), weighed by the same targets.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as fn

from handlens.train.nets.box_losses import Truth, pair_loss, truth_of

MOST = 10
SHARPNESS = 6.0
REACH = 0.75
"""Boxes count as at least so many strides of the finest level to each side of their centre: a place lies inside."""

BOX_GAIN = 2.0


class Assigned(NamedTuple):
    """Which places answer for which true box: rows of equal length (p,), no place twice.

    picture, place: where; row: the true box; quality: the score it should have, 0 to 1.
    """

    picture: Tensor
    place: Tensor
    row: Tensor
    quality: Tensor


def nano_loss(found: Tensor, logits: Tensor, centre: Tensor, stride: Tensor, boxes: Tensor) -> dict[str, Tensor]:
    """The parts `box` and `score` and their sum `loss`, in shares of all the quality that is asked for in the batch.

    Args:
        found: (n, k, 4) boxes in network pixels; logits: (n, k, classes) of their scores.
        centre: (k, 2) of each place in network pixels; stride: (k,) of its level.
        boxes: (m, 6) picture row, class, x1, y1, x2, y2 in network pixels.

    Raises:
        InputError: a box of a class that does not exist.
    """
    truth = truth_of(boxes, logits.shape[0], logits.shape[2])
    with torch.no_grad():
        picture, place, row, quality = assign(found, torch.sigmoid(logits), centre, stride, truth)
        goal = torch.zeros_like(logits)
        goal[picture, place, truth.label[row]] = quality
        amount = quality.sum().clamp(min=1.0)
    apart = (torch.sigmoid(logits) - goal) ** 2
    score = (fn.binary_cross_entropy_with_logits(logits, goal, reduction="none") * apart).sum() / amount
    box = (pair_loss("giou", found[picture, place], truth.xyxy[row]) * quality).sum() / amount * BOX_GAIN
    return {"loss": score + box, "box": box, "score": score}


def assign(found: Tensor, scores: Tensor, centre: Tensor, stride: Tensor, truth: Truth) -> Assigned:
    """The places that answer for the true boxes, by what the net says now: found (n, k, 4), scores (n, k, classes)."""
    far = (centre - truth.centre[:, None]).abs()
    inside = (far < (truth.sides[:, None] / 2).clamp(min=REACH * float(stride.min()))).all(dim=2)
    overlap = _overlap(found[truth.picture], truth.xyxy) * inside
    fit = scores[truth.picture, :, truth.label] * overlap**SHARPNESS
    best, chosen = torch.where(inside, fit, -1.0).topk(min(MOST, len(centre)), dim=1)
    row, column = (best > 0).nonzero(as_tuple=True)
    place = chosen[row, column]
    row, place = _unshared(truth.picture[row] * len(centre) + place, place, row, overlap)
    quality = torch.zeros_like(overlap)
    quality[row, place] = fit[row, place]
    own = torch.zeros_like(overlap)
    own[row, place] = overlap[row, place]
    quality = quality / quality.amax(dim=1, keepdim=True).clamp(min=1e-12) * own.amax(dim=1, keepdim=True)
    return Assigned(truth.picture[row], place, row, quality[row, place])


def _unshared(flat: Tensor, place: Tensor, row: Tensor, overlap: Tensor) -> tuple[Tensor, Tensor]:
    """The rows and places without those that another true box overlaps better; flat: place and picture in one."""
    _, group = flat.unique(return_inverse=True)
    mine = overlap[row, place]
    most = torch.zeros(len(flat), device=mine.device).scatter_reduce(0, group, mine, "amax")
    tied = mine == most[group]
    first = torch.full_like(flat, len(overlap)).scatter_reduce(0, group[tied], row[tied], "amin")
    kept = first[group] == row
    return row[kept], place[kept]


def _overlap(found: Tensor, true: Tensor) -> Tensor:
    """IoU of boxes (m, k, 4) with one true box each, (m, 4): (m, k)."""
    low = torch.maximum(found[..., :2], true[:, None, :2])
    high = torch.minimum(found[..., 2:], true[:, None, 2:])
    shared = (high - low).clamp(min=0).prod(dim=2)
    area = (found[..., 2:] - found[..., :2]).clamp(min=0).prod(dim=2)
    return shared / (area + (true[:, 2:] - true[:, :2]).prod(dim=1)[:, None] - shared).clamp(min=1e-7)
