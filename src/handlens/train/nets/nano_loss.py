"""Nano's loss: who answers for a box is found anew in every step; knows boxes and logits, no layers.

Task-aligned learning (arXiv 2108.07755): a true box is answered for by those places inside it that now do it best,
score * IoU ** 6, at most 10; a place claimed twice answers for the box that it overlaps better. Their scores should
become the IoU of the best of them, the others' in proportion. Scores: quality focal loss (arXiv 2006.04388). Boxes:
1 - GIoU (arXiv 1902.09630), weighed by the same targets.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as fn

from handlens.train.nets.box_losses import Truth, iou_loss, pair_loss, truth_of

MOST = 10
SHARPNESS = 6.0
REACH = 0.75
"""Boxes count as at least so many strides of the finest level to each side of their centre: a place lies inside."""

BOX_GAIN = 2.0


class Assigned(NamedTuple):
    """Which places answer for which true box: rows of equal length (p,).

    A place answers for one box, or for several where they are the same box with different classes.

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
    sure = torch.sigmoid(logits)
    with torch.no_grad():
        picture, place, row, quality = assign(found, sure, centre, stride, truth)
        goal = torch.zeros_like(logits)
        goal[picture, place, truth.label[row]] = quality
        amount = quality.sum().clamp(min=1.0)
    unlike = fn.binary_cross_entropy_with_logits(logits, goal, reduction="none")
    score = (unlike * (sure - goal).square()).sum() / amount
    box = (pair_loss("giou", found[picture, place], truth.xyxy[row]) * quality).sum() / amount * BOX_GAIN
    return {"loss": score + box, "box": box, "score": score}


def assign(found: Tensor, scores: Tensor, centre: Tensor, stride: Tensor, truth: Truth) -> Assigned:
    """The places that answer for the true boxes, by what the net says now: found (n, k, 4), scores (n, k, classes)."""
    reach = (truth.sides / 2).clamp(min=REACH * float(stride.min()))
    row, place = _inside(centre, truth.centre - reach, truth.centre + reach)
    picture = truth.picture[row]
    overlap = 1 - iou_loss(found[picture, place], truth.xyxy[row])
    fit = scores[picture, place, truth.label[row]] * overlap**SHARPNESS
    kept = _best(fit, row, place, len(truth.label), len(centre))
    _, group = (picture[kept] * len(centre) + place[kept]).unique(return_inverse=True)
    kept = kept[overlap[kept] == _largest(overlap[kept], group, len(kept))[group]]
    picture, place, row, fit, overlap = (part[kept] for part in (picture, place, row, fit, overlap))
    most_fit, most_overlap = (_largest(value, row, len(truth.label)) for value in (fit, overlap))
    return Assigned(picture, place, row, fit / most_fit[row].clamp(min=1e-12) * most_overlap[row])


def _inside(centre: Tensor, low: Tensor, high: Tensor) -> tuple[Tensor, Tensor]:
    """Rows of boxes (m, 2), (m, 2) and the places (k, 2) inside them."""
    across, down = (
        (centre[:, axis] > low[:, axis : axis + 1]) & (centre[:, axis] < high[:, axis : axis + 1]) for axis in (0, 1)
    )
    row, place = (across & down).nonzero(as_tuple=True)
    return row, place


def _best(fit: Tensor, row: Tensor, place: Tensor, rows: int, places: int) -> Tensor:
    """Which pairs are among the `MOST` of their row that fit best, and at all."""
    number = torch.arange(len(fit), device=fit.device)
    dense = torch.zeros(rows, places, device=fit.device)
    dense[row, place] = fit
    index = torch.zeros(rows, places, dtype=torch.int64, device=fit.device)
    index[row, place] = number
    value, chosen = dense.topk(min(MOST, places), dim=1)
    return index.gather(1, chosen)[value > 0]


def _largest(value: Tensor, row: Tensor, rows: int) -> Tensor:
    """(rows,): the largest value of each row, 0 where it has none."""
    return torch.zeros(rows, device=value.device).scatter_reduce(0, row, value, "amax")
