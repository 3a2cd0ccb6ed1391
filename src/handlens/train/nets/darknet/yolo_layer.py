"""The [yolo] section of a Darknet .cfg: its module and how it wants to be trained; knows no other layer.

After arXiv 1804.02767; what the keys mean for training is told in `yolov3_loss`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from handlens.errors import InputError, unknown
from handlens.train.nets.anchors import corners
from handlens.train.nets.box_losses import BOX_LOSSES
from handlens.train.nets.darknet.cfg import Section


@dataclass(frozen=True)
class YoloRules:
    """How a [yolo] section wants to be trained; where it says nothing Darknet's own defaults hold.

    Attributes:
        ignore, truth, match: IoU bounds (ignore_thresh, truth_thresh, iou_thresh)
        box: Mse or a kind of IoU; the gains weigh the three parts.
        smoothing: Of the classes.
        foreign: Keys that ask for losses unknown here.
    """

    ignore: float = 0.5
    truth: float = 1.0
    match: float = 1.0
    box: str = "mse"
    box_gain: float = 0.75
    object_gain: float = 1.0
    class_gain: float = 1.0
    smoothing: float = 0.0
    foreign: tuple[str, ...] = ()


class Yolo(nn.Module):
    """Splits a map into the fields of its anchors: -> raw map (n, anchors, h, w, 5 + classes).

    Args:
        every: (num, 2) all anchors that the section lists, width and height in input pixels.
        mask: Those of this map.
    """

    every: Tensor

    def __init__(
        self,
        every: list[tuple[float, float]],
        mask: Sequence[int],
        classes: int,
        stride: int,
        spread: float = 1.0,
        rules: YoloRules | None = None,
    ) -> None:
        super().__init__()
        self.classes, self.stride, self.spread = classes, stride, spread
        self.mask, self.rules = list(mask), rules or YoloRules()
        self.register_buffer("every", torch.tensor(every, dtype=torch.float32))

    @property
    def anchors(self) -> Tensor:
        """(anchors, 2) width and height in input pixels."""
        return self.every[self.mask]

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        return x.view(n, len(self.mask), 5 + self.classes, height, width).permute(0, 1, 3, 4, 2)

    def boxes(self, fields: Tensor, cell: Tensor, anchors: Tensor) -> Tensor:
        """Raw fields (..., 4 or more), their cells (..., 2) and anchors (..., 2) -> x1 y1 x2 y2 in input pixels."""
        inside = torch.sigmoid(fields[..., :2]) * self.spread - (self.spread - 1) / 2
        return corners((inside + cell) * self.stride, torch.exp(fields[..., 2:4].clamp(max=10.0)) * anchors)


def rules_of(section: Section) -> YoloRules:
    """Return the rules of a [yolo] section.

    Raises:
        InputError: an unknown iou_loss, or a value that is not a number.
    """
    box, known = section.text("iou_loss", "mse"), ("mse", *BOX_LOSSES)
    if box not in known:
        raise InputError(f"{section.place}: {unknown('iou_loss', box, known)}")
    foreign = [key for key in ("focal_loss", "objectness_smooth") if section.integer(key, 0)]
    foreign += [key for key in ("map", "counters_per_class") if key in section.values]
    return YoloRules(
        ignore=section.number("ignore_thresh", YoloRules.ignore),
        truth=section.number("truth_thresh", YoloRules.truth),
        match=section.number("iou_thresh", YoloRules.match),
        box=box,
        box_gain=section.number("iou_normalizer", YoloRules.box_gain),
        object_gain=section.number("obj_normalizer", YoloRules.object_gain),
        class_gain=section.number("cls_normalizer", YoloRules.class_gain),
        smoothing=section.number("label_smooth_eps", YoloRules.smoothing),
        foreign=tuple(foreign),
    )
