"""LiteSegmenter: draws masks with the pre-trained body EfficientNet-Lite0 and a small decoder; knows no data or loops.

The decoder takes the body's finer maps in again, up to half of the picture's size (arXiv 1505.04597).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from handlens.errors import InputError
from handlens.train.nets.hand_encoder import ConvUnit
from handlens.train.nets.lite import CHANNELS
from handlens.train.nets.lite_encoder import OnLite0

WIDTHS = (24, 32, 48, 64)
"""Channels of the decoder at strides 2, 4, 8 and 16."""


class LiteSegmenter(OnLite0):
    """Pictures (n, 3, h, w) of any size, mean and std 0.5 -> logits (n, classes, h / 2, w / 2), rounded up."""

    def __init__(self, classes: int = 1, pretrained: bool = False) -> None:
        if classes < 1:
            raise InputError(f"{classes} classes: a mask needs at least one channel.")
        super().__init__(pretrained)
        coarser = (*WIDTHS[1:], CHANNELS[-1])
        self.steps = nn.ModuleList(
            ConvUnit(level + below, own) for level, below, own in zip(CHANNELS, coarser, WIDTHS, strict=False)
        )
        self.out = nn.Conv2d(WIDTHS[0], classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = (-(-side // 2) for side in x.shape[2:])
        x = pad(x, (0, -x.shape[3] % self.stride, 0, -x.shape[2] % self.stride))
        *levels, x = self.body(x)
        for level, step in zip(reversed(levels), reversed(self.steps), strict=True):
            x = interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
            x = step(torch.cat((x, level), dim=1))
        return torch.as_tensor(self.out(x)[:, :, :height, :width])
