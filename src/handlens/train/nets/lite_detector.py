"""LiteDetector: finds things by their centres with the pre-trained body EfficientNet-Lite0; knows no data or loops.

The body ends before its last stage, which costs much and tells little here. Three levels are mixed into one map at
stride 8, as in `hand_encoder.FaceHand`, whose head and targets it shares (arXiv 1904.07850, 1612.03144).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.train.nets.centre_loss import RawMaps, centre_targets, facehand_loss
from handlens.train.nets.hand_encoder import ConvUnit, FaceHandGraph
from handlens.train.nets.lite import CHANNELS, FoldedConv
from handlens.train.nets.lite_encoder import OnLite0

LAST_STAGE = 6
"""Stages of the body that are used; the seventh is left out."""
DEEP = 192
"""Channels of the last of them, at stride 32."""
WIDTH = 64
"""Channels of the mixed map."""
SETTLED = -4.0
"""Bias of the heat maps at the start: almost nothing is a centre."""


class LiteDetector(OnLite0):
    """Pictures (n, 3, h, w), sides multiples of 32, mean and std 0.5 -> RawMaps at stride 8.

    Args:
        classes: Channels of the heat map.
        pretrained: Begin with the ImageNet weights of the package.
    """

    def __init__(self, classes: int = 2, pretrained: bool = False) -> None:
        super().__init__(pretrained, LAST_STAGE)
        self.classes = classes
        for layer in self.body.modules():
            if isinstance(layer, FoldedConv):
                layer.even = True  # sides are multiples of 32
        _, _, at8, at16, _ = CHANNELS
        self.top = nn.Conv2d(DEEP, WIDTH, 1)
        self.lateral16, self.lateral8 = nn.Conv2d(at16, WIDTH, 1), nn.Conv2d(at8, WIDTH, 1)
        self.smooth16, self.smooth8 = ConvUnit(WIDTH, WIDTH), ConvUnit(WIDTH, WIDTH)
        self.head = ConvUnit(WIDTH, WIDTH)
        self.out = nn.Conv2d(WIDTH, 5 * classes, 1)
        assert self.out.bias is not None
        nn.init.constant_(self.out.bias, 0.0)
        nn.init.constant_(self.out.bias[:classes], SETTLED)

    def forward(self, x: Tensor) -> RawMaps:
        x = self.body.stem(x)
        levels: list[Tensor] = []
        for stage in self.body.stages:
            x = stage(x)
            levels.append(x)
        level8, level16 = levels[2], levels[4]
        down16 = self.smooth16(self.lateral16(level16) + _doubled(self.top(x)))
        down8 = self.smooth8(self.lateral8(level8) + _doubled(down16))
        out = self.out(self.head(down8)).float()
        heat, size, offset = torch.split(out, [self.classes, 2 * self.classes, 2 * self.classes], dim=1)
        return RawMaps(heat, size, offset)

    def loss(self, raw: RawMaps, boxes: Tensor) -> dict[str, Tensor]:
        """Raw maps, true boxes (m, 6) of picture row, class, x1 y1 x2 y2 in pixels -> parts and their sum `loss`."""
        pictures, _, height, width = raw.heat.shape
        maps = RawMaps(*(part.float() for part in raw))
        return facehand_loss(maps, centre_targets(boxes, pictures, self.classes, (height, width)))

    def graph(self) -> FaceHandGraph:
        """Return the form to export."""
        return FaceHandGraph(self)


def _doubled(coarse: Tensor) -> Tensor:
    return fn.interpolate(coarse, scale_factor=2.0, mode="nearest")
