"""Contact: looks at a square around one face and says whether a hand touches it, and where; knows nothing of data.

A small U-shaped net (after arXiv 1505.04597) whose hand mask and face-region map feed a touch head: overlap in the
picture is not touch, so the head sees features, masks and their products and learns the difference.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn

from handlens.tasks.touch import REGIONS
from handlens.train.nets.hand_encoder import ConvUnit, ResidualBlock, TopDown, stage


class ContactMaps(NamedTuple):
    """hand (n, 1, h/4, w/4) logits; regions (n, 8, h/4, w/4) logits, 0 = none; touch (n, 1), over (n, 1),
    region (n, 7) logits. `over` means: some hand covers part of the face, touching or not."""

    hand: Tensor
    regions: Tensor
    touch: Tensor
    over: Tensor
    region: Tensor


class Contact(nn.Module):
    """Face crops (n, 3, s, s), s a multiple of 32 (160 as shipped), normalised -> ContactMaps."""

    def __init__(self, regions: int = len(REGIONS), dropout: float = 0.2) -> None:
        super().__init__()
        self.stem = nn.Sequential(ConvUnit(3, 32, 2), ConvUnit(32, 64, 2), ResidualBlock(64))
        self.level8 = stage(64, 96, 2)
        self.level16 = stage(96, 128, 2)
        self.level32 = stage(128, 128, 1)
        self.top = nn.Conv2d(128, 64, 1)
        self.down16 = TopDown(128, 64)
        self.down8 = TopDown(96, 64)
        self.down4 = TopDown(64, 64)
        self.maps = nn.Conv2d(64, 1 + 1 + regions, 1)
        self.mix = nn.Sequential(ConvUnit(64 + 2 * regions + 3, 64), ConvUnit(64, 64))
        self.attend = nn.Conv2d(64, 4, 1)
        self.head = nn.Sequential(
            nn.Linear(64 * 5 + 128 + 2 * regions, 128),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(128, 2 + regions),
        )

    def forward(self, x: Tensor) -> ContactMaps:
        fine = self.stem(x)
        level8 = self.level8(fine)
        level16 = self.level16(level8)
        level32 = self.level32(level16)
        down8 = self.down8(level8, self.down16(level16, self.top(level32)))
        maps = self.maps(self.down4(fine, down8)).float()
        hand, regions = maps[:, :1], maps[:, 1:]
        skin, where = torch.sigmoid(hand), torch.softmax(regions, dim=1)
        # The share of every region that the hand covers: the best single cue for which region is touched.
        covered = (skin * where[:, 1:]).mean((2, 3)) / (where[:, 1:].mean((2, 3)) + 1e-3)
        extent = where[:, 1:].mean((2, 3))
        joint = nn.functional.avg_pool2d(torch.cat((skin, where, skin * where[:, 1:], skin * where[:, :1]), dim=1), 2)
        mixed = self.mix(torch.cat((down8, joint.to(down8.dtype)), dim=1))
        weight = torch.softmax(self.attend(mixed).flatten(2).float(), dim=2)
        pooled = torch.einsum("nkp,ncp->nkc", weight, mixed.flatten(2).float()).flatten(1)
        vector = torch.cat((pooled, mixed.mean((2, 3)).float(), level32.mean((2, 3)).float(), covered, extent), dim=1)
        out = self.head(vector).float()
        return ContactMaps(hand, regions, out[:, :1], out[:, 1:2], out[:, 2:])


class ContactGraph(nn.Module):
    """The exported form: hand and region probabilities, the touch logit and region probabilities."""

    def __init__(self, net: Contact) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        maps = self.net(x)
        return torch.sigmoid(maps.hand), torch.softmax(maps.regions, 1), maps.touch, torch.sigmoid(maps.region)
