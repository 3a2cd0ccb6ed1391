"""Arithmetic that the anchor-based detectors share: cells, corners, flat lists; knows no network.

A raw map of one level is (n, anchors, h, w, 5 + classes): x, y, width, height, objectness, classes, all as logits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.errors import InputError


def cells(raw: Tensor) -> Tensor:
    """Return the column and row of every cell of a raw map: (h, w, 2), in cells."""
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
    """Refuse pictures whose sides are not multiples of the coarsest stride: levels would not fit on each other."""
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
        raise InputError(f"the network has {count} anchors, each a width and a height; {_given_shape(given)} given.")
    if not (torch.isfinite(given) & (given > 0)).all():
        raise InputError("an anchor's width and height must be numbers above 0, in pixels.")
    return given[given.prod(dim=1).argsort(stable=True)]


def _given_shape(given: Tensor) -> str:
    return f"{len(given)} were" if given.ndim == 2 and given.shape[1] == 2 else f"shape {tuple(given.shape)} was"


Sides = NDArray[np.float64]

RATIO = 4.0
STARTS = 5
"""K-means ends where its beginning leads it, so it begins more than once."""

ENOUGH = 10_000
"""From more boxes than this so many are drawn: more change no anchor by a pixel."""


class Found(NamedTuple):
    """anchors: (k, 2) width and height in pixels, smallest area first; recall before (NaN: no anchors) and after."""

    anchors: Sides
    before: float
    after: float


class Anchored(Protocol):
    """A net whose anchors can be changed."""

    def anchors(self) -> Tensor:
        """(k, 2) width and height in network pixels."""

    def set_anchors(self, anchors: Sequence[Sequence[float]]) -> None:
        """Take others, as many."""


def search_anchors(
    sides: NDArray[np.floating], count: int, current: NDArray[np.floating] | None = None, seed: int = 0,
    generations: int = 300,
) -> Found:  # fmt: skip
    """Find `count` anchors for boxes of these sides; the same seed finds the same.

    Args:
        sides: (m, 2) width and height in network pixels.
        current: (k, 2) anchors to begin from as well; never are worse ones returned.

    Raises:
        InputError: fewer boxes than anchors.
    """
    rng = np.random.default_rng(seed)
    sides = np.asarray(sides, np.float64).reshape(-1, 2)
    sides = sides[(sides > 0).all(axis=1)]
    if len(sides) < count:
        raise InputError(f"{count} anchors need at least as many boxes to be fitted to; there are {len(sides)}.")
    if len(sides) > ENOUGH:
        sides = sides[rng.choice(len(sides), ENOUGH, replace=False)]
    best = max((_cluster(sides, count, rng) for _ in range(STARTS)), key=lambda anchors: _fitness(anchors, sides))
    if current is not None and _fitness(current, sides) > _fitness(best, sides):
        best = np.asarray(current, np.float64)
    fitness = _fitness(best, sides)
    for _ in range(generations):
        change = np.exp(rng.normal(0, 0.1, best.shape) * (rng.random(best.shape) < 0.9))
        mutant = np.maximum(best * change, 2.0)
        if (grade := _fitness(mutant, sides)) > fitness:
            best, fitness = mutant, grade
    before = float("nan") if current is None else recall(current, sides)
    return Found(best[np.argsort(best.prod(axis=1), kind="stable")], before, recall(best, sides))


def recall(anchors: NDArray[np.floating], sides: NDArray[np.floating]) -> float:
    """Return the share of boxes (m, 2) within reach of some anchor (k, 2)."""
    return float((_closeness(anchors, sides) > 1 / RATIO).mean())


def set_anchors(net: nn.Module, anchors: Sequence[Sequence[float]]) -> None:
    """Give a net other anchors, in network pixels: the smallest to its finest level, and so on.

    Raises:
        InputError: not as many as it has, or a net without anchors.
    """
    if not hasattr(net, "set_anchors"):
        raise InputError(f"{type(net).__name__} finds boxes without anchors, so none can be set.")
    anchored: Any = net
    anchored.set_anchors(anchors)


def fit_anchors(net: Anchored, found: LabelledSet, card: ModelCard, seed: int = 0) -> str:
    """Give a net the anchors that fit these boxes best, and say in one line what came of it.

    The net keeps its own where none better are found, where the boxes are fewer than its anchors, or where its levels
    have lists of their own.
    """
    try:
        current = net.anchors().cpu().numpy()
        best = search_anchors(network_sides(found, card), len(current), current, seed)
    except InputError as error:
        return f"anchors kept as they are: {error}"
    net.set_anchors(best.anchors.tolist())
    pairs = ", ".join(f"{width:.0f}x{height:.0f}" for width, height in best.anchors)
    return f"anchors fitted to the boxes, best possible recall {best.before:.3f} -> {best.after:.3f}: {pairs}"


def network_sides(found: LabelledSet, card: ModelCard) -> Sides:
    """(m, 2) width and height of all boxes, in pixels of the network's input."""
    sides: list[Sides] = [np.zeros((0, 2))]
    for picture in found:
        if not len(picture.boxes):
            continue
        height, width = (picture.height, picture.width) if picture.width else picture.image().shape[:2]
        scale = np.array([card.size[1] / width, card.size[0] / height])
        if card.resize != "stretch":
            scale[:] = scale.min()
        sides.append((picture.boxes[:, 2:] - picture.boxes[:, :2]) * scale)
    return np.concatenate(sides)


def _cluster(sides: Sides, count: int, rng: np.random.Generator) -> Sides:
    """K-means, begun with boxes far from each other (k-means++); an empty cluster takes the box that fits worst."""
    centres = sides[[int(rng.integers(len(sides)))]]
    while len(centres) < count:
        apart = (1 - _shape_iou(sides, centres).max(axis=1)) ** 2
        chance = apart / apart.sum() if apart.sum() > 1e-9 else None
        centres = np.concatenate((centres, sides[[int(rng.choice(len(sides), p=chance))]]))
    nearest = np.full(len(sides), -1)
    for _ in range(100):
        overlap = _shape_iou(sides, centres)
        last, nearest = nearest, overlap.argmax(axis=1)
        if (last == nearest).all():
            break
        for number in range(count):
            own = sides[nearest == number]
            centres[number] = own.mean(axis=0) if len(own) else sides[overlap.max(axis=1).argmin()]
    return centres


def _shape_iou(sides: Sides, centres: Sides) -> Sides:
    """(m, k): IoU of boxes laid on one corner."""
    shared = np.minimum(sides[:, None], centres[None]).prod(axis=2)
    return np.asarray(shared / (sides.prod(axis=1)[:, None] + centres.prod(axis=1)[None] - shared))


def _closeness(anchors: NDArray[np.floating], sides: NDArray[np.floating]) -> Sides:
    """(m,): how near the best anchor comes to each box in its worse side, 0 to 1."""
    ratio = sides[:, None] / anchors[None]
    return np.asarray(np.minimum(ratio, 1 / ratio).min(axis=2).max(axis=1))


def _fitness(anchors: NDArray[np.floating], sides: Sides) -> tuple[float, float]:
    """Recall first, then how near the anchors come on average."""
    close = _closeness(anchors, sides)
    return float((close > 1 / RATIO).mean()), float(close.mean())
