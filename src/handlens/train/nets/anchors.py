"""Arithmetic that the anchor-based detectors share: cells, corners, flat lists; knows no network.

A raw map of one level is (n, anchors, h, w, 5 + classes): x, y, width, height, objectness, classes, all as logits.
"""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from handlens.errors import InputError


def cells(raw: Tensor) -> Tensor:
    """The column and row of every cell of a raw map: (h, w, 2), in cells."""
    height, width = raw.shape[2], raw.shape[3]
    column = torch.arange(width, dtype=raw.dtype, device=raw.device).view(1, width).expand(height, width)
    row = torch.arange(height, dtype=raw.dtype, device=raw.device).view(height, 1).expand(height, width)
    return torch.stack((column, row), dim=2)


def canonical(levels: Iterable[tuple[Tensor, Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Centres (n, a, h, w, 2) and sizes (n, a, h, w, 2) in input pixels with their raw map, for every level.

    Returns:
        boxes: (n, k, 4) x1 y1 x2 y2 in input pixels; scores: (n, k, classes) in [0, 1], objectness times class.
    """
    boxes, scores = [], []
    for centre, size, raw in levels:
        corners = torch.cat((centre - size / 2, centre + size / 2), dim=4)
        sure = torch.sigmoid(raw[..., 4:5]) * torch.sigmoid(raw[..., 5:])
        boxes.append(corners.flatten(1, 3))
        scores.append(sure.flatten(1, 3))
    return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


def check_size(x: Tensor, stride: int) -> None:
    """Refuse pictures whose sides are no multiples of the coarsest stride: levels would not fit on each other."""
    height, width = x.shape[2], x.shape[3]
    if height % stride or width % stride:
        raise InputError(f"pictures of {width} x {height}: width and height must be multiples of {stride}.")
