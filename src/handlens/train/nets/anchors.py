"""Arithmetic that the anchor-based detectors share: cells, corners, flat lists; knows no network.

A raw map of one level is (n, anchors, h, w, 5 + classes): x, y, width, height, objectness, classes, all as logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from handlens.errors import InputError


def cells(raw: Tensor) -> Tensor:
    """The column and row of every cell of a raw map: (h, w, 2), in cells."""
    height, width = raw.shape[2], raw.shape[3]
    column = torch.arange(width, dtype=raw.dtype, device=raw.device).view(1, width).expand(height, width)
    row = torch.arange(height, dtype=raw.dtype, device=raw.device).view(height, 1).expand(height, width)
    return torch.stack((column, row), dim=2)


def corners(centre: Tensor, size: Tensor) -> Tensor:
    """Centres (..., 2) and sizes (..., 2) -> boxes (..., 4), x1 y1 x2 y2 in the same unit."""
    return torch.cat((centre - size / 2, centre + size / 2), dim=-1)


def canonical(levels: Iterable[tuple[Tensor, Tensor]]) -> tuple[Tensor, Tensor]:
    """Boxes (n, a, h, w, 4) in input pixels with their raw map, for every level.

    Returns:
        boxes: (n, k, 4) x1 y1 x2 y2 in input pixels; scores: (n, k, classes) in [0, 1], objectness times class.
    """
    boxes, scores = [], []
    for found, raw in levels:
        sure = torch.sigmoid(raw[..., 4:5]) * torch.sigmoid(raw[..., 5:])
        boxes.append(found.flatten(1, 3))
        scores.append(sure.flatten(1, 3))
    return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


class Decoded(nn.Module):
    """The exported form of a detector: pictures -> boxes and scores as its `decode` gives them."""

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net.decode(self.net(x))  # type: ignore[operator,no-any-return]


def check_size(x: Tensor, stride: int) -> None:
    """Refuse pictures whose sides are no multiples of the coarsest stride: levels would not fit on each other."""
    height, width = x.shape[2], x.shape[3]
    if height % stride or width % stride:
        raise InputError(f"pictures of {width} x {height}: width and height must be multiples of {stride}.")


def check_anchors(anchors: Sequence[Sequence[float]], count: int) -> Tensor:
    """(count, 2) float32 widths and heights in input pixels, smallest area first.

    Raises:
        InputError: another number of anchors than the network has, or sides that are none.
    """
    given = torch.as_tensor(anchors, dtype=torch.float32)
    if given.ndim != 2 or given.shape[1] != 2 or len(given) != count:
        raise InputError(f"the network has {count} anchors, each a width and a height; {_told(given)} given.")
    if not (torch.isfinite(given) & (given > 0)).all():
        raise InputError("an anchor's width and height must be numbers above 0, in pixels.")
    return given[given.prod(dim=1).argsort(stable=True)]


def _told(given: Tensor) -> str:
    return f"{len(given)} were" if given.ndim == 2 and given.shape[1] == 2 else f"shape {tuple(given.shape)} was"
