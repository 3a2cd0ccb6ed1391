"""The face net with a pre-trained body: is this face touched, where, and is something else at it; knows no data.

The body is EfficientNet-Lite0 (`lite`). A small decoder draws the hand and the parts of the face, also those under the
hand. The head sees the body's own features, and the decoder's features where it looks and inside every part: overlap
in the picture is not touch, so the head has to learn the difference.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.tasks.touch import REGIONS
from handlens.train.nets.hand_encoder import ConvUnit
from handlens.train.nets.lite import CHANNELS, Lite0

PRESETS = 4
"""Places that the head's attention looks at."""
MIDDLE = tuple(REGIONS.index(name) for name in ("nose", "mouth", "chin"))
"""Parts whose middle is the middle of the face."""


class FaceMaps(NamedTuple):
    """hand (n, 1, h/4, w/4) logits; regions (n, 8, h/4, w/4) logits, 0 = none; touch (n, 1), over (n, 1),
    region (n, 7), object (n, 2) logits: a thing at the mouth, a thing elsewhere at the face. `over` means: some hand
    covers part of the face, touching or not. contact (n, h/4 * w/4) logits over places: where a touch would be;
    side (n, 7, 2) logits: each region, if touched, in its left and right half of the picture, the person's right and
    left."""

    hand: Tensor
    regions: Tensor
    touch: Tensor
    over: Tensor
    region: Tensor
    object: Tensor
    contact: Tensor
    side: Tensor


class FaceTouch(nn.Module):
    """Face crops (n, 3, s, s), s a multiple of 16 (144 as shipped), mean and std 0.5 -> FaceMaps."""

    def __init__(self, regions: int = len(REGIONS), dropout: float = 0.3, pretrained: bool = True) -> None:
        super().__init__()
        _, at4, at8, at16, at32 = CHANNELS
        self.body = Lite0(pretrained)
        self.top = nn.Conv2d(at32, 64, 1)
        self.lateral16, self.lateral8 = nn.Conv2d(at16, 64, 1), nn.Conv2d(at8, 64, 1)
        self.smooth16, self.smooth8 = ConvUnit(64, 64), ConvUnit(64, 64)
        self.narrow, self.lateral4, self.smooth4 = nn.Conv2d(64, 32, 1), nn.Conv2d(at4, 32, 1), ConvUnit(32, 32)
        self.maps = nn.Conv2d(32, 2 + regions, 1)
        self.mix = ConvUnit(64 + 2 * regions + 3, 64)
        self.attend = nn.Conv2d(64, PRESETS, 1)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Sequential(
            nn.Linear(2 * at32 + 64 * (PRESETS + 1) + 2 * regions, 128), nn.ReLU(inplace=True), nn.Dropout(dropout / 2)
        )
        self.out = nn.Linear(128, 4 + regions)
        self.local = nn.Parameter(torch.zeros(regions, 64))
        self.contact = nn.Sequential(ConvUnit(32, 32), nn.Conv2d(32, 1, 1))
        self.contact_gain = nn.Parameter(torch.zeros(regions))
        self.side = nn.Linear(128 + 6 * regions, 2 * regions)
        self.side_gain = nn.Parameter(torch.ones(regions, 1))

    def forward(self, x: Tensor) -> FaceMaps:
        _, fine, level8, level16, level32 = self.body(x)
        down16 = self.smooth16(self.lateral16(level16) + grown(self.top(level32), level16))
        down8 = self.smooth8(self.lateral8(level8) + grown(down16, level8))
        down4 = self.smooth4(self.lateral4(fine) + grown(self.narrow(down8), fine))
        maps = self.maps(down4)
        hand, regions = maps[:, :1], maps[:, 1:]
        skin, where = torch.sigmoid(hand), torch.softmax(regions, dim=1)
        parts = where[:, 1:]
        extent = parts.mean((2, 3))
        covered = (skin * parts).mean((2, 3)) / (extent + 1e-3)
        joint = fn.avg_pool2d(torch.cat((skin, where, skin * parts, skin * where[:, :1]), dim=1), 2)
        mixed = self.mix(torch.cat((down8, joint), dim=1))
        flat = mixed.flatten(2).transpose(1, 2)
        weight = torch.softmax(self.attend(mixed).flatten(2), dim=2)
        inside = fn.avg_pool2d(parts, 2).flatten(2)
        inside = inside / (inside.sum(2, keepdim=True) + 0.1)
        seen, local = torch.matmul(weight, flat), torch.matmul(inside, flat)
        body = torch.cat((level32.mean((2, 3)), level32.amax((2, 3))), dim=1)
        vector = torch.cat((self.drop(body), seen.flatten(1), mixed.mean((2, 3)), covered, extent), dim=1)
        known = self.head(vector)
        out = self.out(known)
        contact = self.contact(down4).flatten(1)
        at = (torch.softmax(contact, dim=1)[:, None] * parts.flatten(2)).sum(2)
        region = out[:, 4:] + (local * self.local).sum(2) + self.contact_gain * at
        side = self.sides(known, torch.softmax(contact, dim=1).unflatten(1, skin.shape[2:]), skin, parts)
        return FaceMaps(hand, regions, out[:, :1], out[:, 1:2], region, out[:, 2:4], contact, side)

    def sides(self, known: Tensor, contact: Tensor, skin: Tensor, parts: Tensor) -> Tensor:
        """Return side logits (n, 7, 2) from where contact and hand lie about the middle of the face.

        Args:
            known: (n, 128) of the head.
            contact: (n, h, w) probabilities that sum to 1.
            skin: (n, 1, h, w) probabilities of a hand.
            parts: (n, 7, h, w) probabilities of the parts of the face.
        """
        wide = int(skin.shape[3])
        x = torch.arange(wide, dtype=skin.dtype, device=skin.device)
        column = parts[:, MIDDLE].sum((1, 2))
        middle = ((column * x).sum(1) + 0.5 * wide) / (column.sum(1) + 1.0)
        right = torch.sigmoid((x[None] - middle[:, None]) * (48.0 / wide))[:, None]

        def halves(of: Tensor) -> tuple[Tensor, Tensor]:
            """Return the sums (n, 7) over both halves of maps (n, 7, h, w)."""
            column = of.sum(2)
            later = (column * right).sum(2)
            return column.sum(2) - later, later

        touched, covered, extent = halves(contact[:, None] * parts), halves(skin * parts), halves(parts)
        share = [c / (e + 1.0) for c, e in zip(covered, extent, strict=True)]
        total = touched[0] + touched[1] + 0.02
        balance = (touched[1] - touched[0]) / total
        seen = torch.cat((known, *touched, *share, balance, share[1] - share[0]), dim=1)
        push = balance[..., None] * self.side_gain
        own: Tensor = self.side(seen).unflatten(1, (-1, 2))
        return own + torch.cat((-push, push), dim=2)


def grown(coarse: Tensor, fine: Tensor) -> Tensor:
    """Return the coarser level at the finer one's size, by the nearest neighbour."""
    return fn.interpolate(coarse, size=(int(fine.shape[2]), int(fine.shape[3])), mode="nearest")


class FaceTouchGraph(nn.Module):
    """The exported form: hand and region maps, the touch logit, region probabilities, things at the face, and for each
    region, if it is touched, whether in the picture's left and right half of it."""

    outputs = ("hand", "regions", "touch_logit", "region_scores", "object_scores", "side_scores")

    def __init__(self, net: FaceTouch) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        maps = self.net(x)
        return (
            torch.sigmoid(maps.hand), torch.softmax(maps.regions, 1), maps.touch,
            torch.sigmoid(maps.region), torch.sigmoid(maps.object), torch.sigmoid(maps.side),
        )  # fmt: skip
