"""Our own live segmenter of hands and faces: pictures -> logits at half their size; knows no data, losses or loops.

The body of our detector of hands, a look at the whole picture at its coarsest map, and a decoder that takes the early
maps in again (arXiv 1505.04597). What the detector has learned is a good beginning: its weights fit by name.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pad

from handlens.errors import InputError
from handlens.train.nets.hand_encoder import Body, ConvUnit, ResidualBlock

COARSEST = 32
FINE = 32  # channels of the two finest maps


class SegmentNet(Body):
    """Pictures (n, 3, h, w), normalised, of any size -> logits (n, classes, h / 2, w / 2), rounded up."""

    stride = COARSEST

    def __init__(self, classes: int = 3) -> None:
        super().__init__()
        if classes < 1:
            raise InputError(f"{classes} classes: a mask needs at least one channel.")
        self.context = nn.Sequential(ResidualBlock(96), ResidualBlock(96))
        self.whole = nn.Conv2d(96, 96, 1)
        self.up4 = nn.Sequential(ConvUnit(64 + 32, FINE), ConvUnit(FINE, FINE))
        self.up2 = nn.Sequential(ConvUnit(FINE + 16, FINE), ConvUnit(FINE, FINE))
        self.out = nn.Conv2d(FINE, classes, 1)

    def forward(self, x: Tensor) -> Tensor:
        height, width = (-(-side // 2) for side in x.shape[2:])
        x = pad(x, (0, -x.shape[3] % COARSEST, 0, -x.shape[2] % COARSEST))
        half = self.stem[0](x)
        quarter = self.stem[2](self.stem[1](half))
        fine = self.level8(quarter)
        middle = self.level16(fine)
        coarse = self.context(self.level32(middle))
        coarse = torch.relu(coarse + self.whole(coarse.mean((2, 3), keepdim=True)))
        x = self.down8(fine, self.down16(middle, self.top(coarse)))
        x = self.up4(torch.cat((_doubled(x), quarter), dim=1))
        x = self.up2(torch.cat((_doubled(x), half), dim=1))
        return torch.as_tensor(self.out(x)[:, :, :height, :width])


def _doubled(x: Tensor) -> Tensor:
    return interpolate(x, scale_factor=2.0, mode="bilinear", align_corners=False)
