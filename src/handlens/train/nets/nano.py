"""Nano, our own detector and the default: anchor-free, 1.1 M parameters, 320 pixels; knows no data and no loops.

Three levels (strides 8, 16, 32) through a pyramid down (arXiv 1612.03144) and up again (arXiv 1803.01534); at every
place one score a class, which stands for class and overlap in one (arXiv 2006.04388), and the distances to the four
edges of the box (arXiv 1904.01355). Dense 3x3 convolutions: see `blocks`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.errors import InputError
from handlens.train.nets.anchors import Decoded, check_size
from handlens.train.nets.box_losses import Truth, iou_loss, pair_loss, truth_of
from handlens.train.nets.hand_encoder import ConvUnit, TopDown, stage

MOST = 10
SHARPNESS = 6.0
REACH = 0.75
"""Boxes count as at least so many strides of the finest level to each side of their centre: a place lies inside."""

BOX_GAIN = 2.0


class Assigned(NamedTuple):
    """Which places answer for which true box: rows of equal length (p,).

    A place answers for one box, or for several where they are the same box with different classes.

    Attributes:
        picture, place: Where.
        row: The true box.
        quality: The score it should have, 0 to 1.
    """

    picture: Tensor
    place: Tensor
    row: Tensor
    quality: Tensor


def nano_loss(found: Tensor, logits: Tensor, centre: Tensor, stride: Tensor, boxes: Tensor) -> dict[str, Tensor]:
    """Return the parts `box` and `score` and their sum `loss`.

    In shares of all the quality that is asked for in the batch.

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
    """Return the places that answer for the true boxes, by what the net says now: found (n, k, 4), scores (n, k.

    Classes).
    """
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


STRIDES = (8, 16, 32)

FIRST_REACH = 2.0
"""An edge's distance before training, in strides."""


class Places(NamedTuple):
    """All places of all levels, finest first. centre: (k, 2) x and y in input pixels; stride: (k,) of its level."""

    centre: Tensor
    stride: Tensor


class Head(nn.Module):
    """One for all levels: map (n, width, h, w) -> (n, 4 + classes, h, w), edges before softplus and score logits.

    Box and class each have a convolution of their own (arXiv 2107.08430). Without batch norm, whose means would be
    those of three levels at once; a factor for each level stretches the edges instead.
    """

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.box = nn.Sequential(nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(inplace=True), nn.Conv2d(width, 4, 1))
        self.score = nn.Sequential(
            nn.Conv2d(width, width, 3, 1, 1), nn.ReLU(inplace=True), nn.Conv2d(width, classes, 1)
        )
        self.scales = nn.Parameter(torch.ones(len(STRIDES)))
        for branch, bias in ((self.box, math.log(math.exp(FIRST_REACH) - 1)), (self.score, math.log(0.01 / 0.99))):
            first, _, last = branch
            nn.init.kaiming_normal_(first.get_parameter("weight"), nonlinearity="relu")
            nn.init.zeros_(first.get_parameter("bias"))
            nn.init.normal_(last.get_parameter("weight"), std=0.01)
            nn.init.constant_(last.get_parameter("bias"), bias)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        return [
            torch.cat((self.box(x) * scale, self.score(x)), dim=1)
            for x, scale in zip(maps, self.scales.unbind(), strict=True)
        ]


class Nano(nn.Module):
    """Pictures (n, 3, h, w), h and w multiples of 32, as (x - 127.5) / 64 -> three maps (n, 4 + classes, h, w).

    Raises:
        InputError: no class, or pictures whose sides are not multiples of 32.
    """

    stride = STRIDES[-1]

    def __init__(self, classes: int = 9, width: int = 64) -> None:
        super().__init__()
        if classes < 1:
            raise InputError(f"{classes} classes: a detector needs at least one.")
        self.classes = classes
        self.stem = nn.Sequential(ConvUnit(3, 16, 2), ConvUnit(16, 32, 2))
        self.level8 = stage(32, 64, 1)
        self.level16 = stage(64, 96, 2)
        self.level32 = stage(96, 128, 1)
        self.top = nn.Conv2d(128, width, 1)
        self.down16 = TopDown(96, width)
        self.down8 = TopDown(64, width)
        self.up16 = ConvUnit(width, width, 2)
        self.up32 = ConvUnit(width, width, 2)
        self.head = Head(width, classes)

    def forward(self, x: Tensor) -> list[Tensor]:
        check_size(x, self.stride)
        fine = self.level8(self.stem(x))
        middle = self.level16(fine)
        coarse = self.top(self.level32(middle))
        middle = self.down16(middle, coarse)
        fine = self.down8(fine, middle)
        middle = middle + self.up16(fine)
        coarse = coarse + self.up32(middle)
        levels: list[Tensor] = self.head((fine, middle, coarse))
        return levels

    def decode(self, raw: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Raw maps -> boxes (n, k, 4) x1 y1 x2 y2 in input pixels and scores (n, k, classes) in [0, 1]."""
        flat = torch.cat([level.flatten(2) for level in raw], dim=2).float()
        return boxes_of(flat[:, :4], places_of(raw)), torch.sigmoid(flat[:, 4:]).transpose(1, 2)

    def loss(self, raw: list[Tensor], boxes: Tensor) -> dict[str, Tensor]:
        """Raw maps, true boxes (m, 6) of picture row, class, x1 y1 x2 y2 in pixels -> parts and their sum `loss`."""
        flat = torch.cat([level.flatten(2) for level in raw], dim=2).float()
        places = places_of(raw)
        return nano_loss(boxes_of(flat[:, :4], places), flat[:, 4:].transpose(1, 2), *places, boxes)

    def graph(self) -> Decoded:
        """Return the form to export."""
        return Decoded(self)


def places_of(raw: Sequence[Tensor]) -> Places:
    """Return the places of raw maps (n, fields, h, w), in float32."""
    centres, strides = [], []
    for level, stride in zip(raw, STRIDES, strict=True):
        height, width = level.shape[2], level.shape[3]
        column = torch.arange(width, dtype=torch.float32, device=level.device).view(1, width).expand(height, width)
        row = torch.arange(height, dtype=torch.float32, device=level.device).view(height, 1).expand(height, width)
        centres.append((torch.stack((column, row), dim=2).flatten(0, 1) + 0.5) * stride)
        strides.append(torch.full_like(column, stride).flatten())
    return Places(torch.cat(centres), torch.cat(strides))


def boxes_of(edges: Tensor, places: Places) -> Tensor:
    """Edges (n, 4, k): left, top, right, bottom before softplus -> boxes (n, k, 4) in input pixels."""
    reach = nn.functional.softplus(edges).transpose(1, 2) * places.stride.unsqueeze(1)
    return torch.cat((places.centre - reach[..., :2], places.centre + reach[..., 2:]), dim=2)
