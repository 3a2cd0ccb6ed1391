"""One net for a hand: 21 landmarks, its mask, side, sign, stretched fingers, and whether it holds something.

The body is EfficientNet-Lite0 (`lite`). A small decoder draws one map for each landmark, and background, hand and
forearm. The heads see the body's own features and the decoder's at each landmark; so a sign is read from where the
fingers are, and a thing in the hand from what lies between them. It knows no data.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.train.nets.hand_encoder import ConvUnit
from handlens.train.nets.lite import CHANNELS, Lite0

LANDMARKS = 21
WRIST, INDEX, MIDDLE, LITTLE = 0, 5, 9, 17
"""Landmarks of the palm: wrist and the knuckles of index, middle and little finger."""
KINDS = ("cup", "phone", "food", "tool", "cigarette", "paper", "other")
"""What kind of thing a hand holds."""
PARTS = ("background", "hand", "forearm")
WIDTH = 64
"""Channels of the decoder."""


class HandMaps(NamedTuple):
    """heat (n, 21, h/8, w/8) logits; points (n, 21, 2) x and y as shares of the input's sides; parts (n, 3, h/8, w/8)
    logits; present, right (n, 1) logits; fingers (n, 5) logits, thumb first; sign (n, signs), hold (n, 2), kind
    (n, 7) logits; embedding (n, 202) what signs and fingers are told from, and the posture itself."""

    heat: Tensor
    points: Tensor
    parts: Tensor
    present: Tensor
    right: Tensor
    fingers: Tensor
    sign: Tensor
    hold: Tensor
    kind: Tensor
    embedding: Tensor


class HandHeads(nn.Module):
    """What stands on the body: its levels at strides 8, 16 and 32 -> HandMaps."""

    def __init__(self, signs: int, dropout: float = 0.3) -> None:
        super().__init__()
        _, _, at8, at16, at32 = CHANNELS
        self.top = nn.Conv2d(at32, WIDTH, 1)
        self.lateral16, self.lateral8 = nn.Conv2d(at16, WIDTH, 1), nn.Conv2d(at8, WIDTH, 1)
        self.smooth16 = ConvUnit(WIDTH, WIDTH)
        self.smooth8 = nn.Sequential(ConvUnit(WIDTH, WIDTH), ConvUnit(WIDTH, WIDTH))
        self.heat, self.parts = nn.Conv2d(WIDTH, LANDMARKS, 1), nn.Conv2d(WIDTH, len(PARTS), 1)
        self.drop = nn.Dropout(dropout)
        self.pose = nn.Sequential(
            nn.Linear(2 * at32 + LANDMARKS * (WIDTH + 2), 160), nn.ReLU(inplace=True), nn.Dropout(dropout / 2)
        )
        self.pose_out = nn.Linear(160, 1 + 1 + 5 + signs)
        self.facing = nn.Linear(160, 1)  # palm or back of the hand towards the camera
        self.grip = nn.Sequential(nn.Linear(2 * at32 + WIDTH * 4, 96), nn.ReLU(inplace=True), nn.Dropout(dropout / 2))
        self.grip_out = nn.Linear(96, 2 + len(KINDS))

    def forward(self, level8: Tensor, level16: Tensor, level32: Tensor) -> HandMaps:
        down16 = self.smooth16(self.lateral16(level16) + grown(self.top(level32), level16))
        down8 = self.smooth8(self.lateral8(level8) + grown(down16, level8))
        heat, parts = self.heat(down8), self.parts(down8)
        weight = torch.softmax(heat.flatten(2), dim=2)
        points = torch.matmul(weight, grid_of(heat))
        # What is read at the landmarks must not move them: they learn from true places alone.
        flat = down8.flatten(2).transpose(1, 2)
        local = torch.matmul(weight.detach(), flat)
        skin = torch.softmax(parts.detach(), dim=1).flatten(2)
        areas = torch.matmul(skin / (skin.sum(2, keepdim=True) + 0.1), flat)
        body = self.drop(torch.cat((level32.mean((2, 3)), level32.amax((2, 3))), dim=1))
        shape = posture(points.detach())
        pose = self.pose(torch.cat((body, self.drop(local).flatten(1), shape.flatten(1)), dim=1))
        out = self.pose_out(pose)
        right = out[:, 1:2] + chirality(shape) * self.facing(pose)
        seen = torch.cat((areas.flatten(1), local.mean(1)), dim=1)
        grip = self.grip_out(self.grip(torch.cat((body, self.drop(seen)), dim=1)))
        told = out[:, :1], right, out[:, 2:7], out[:, 7:], grip[:, :2], grip[:, 2:]
        return HandMaps(heat, points, parts, *told, torch.cat((pose, shape.flatten(1)), dim=1))


class HandNet(nn.Module):
    """Hand crops (n, 3, s, s), s a multiple of 16 (128 as shipped), mean and std 0.5 -> HandMaps."""

    def __init__(self, signs: int, dropout: float = 0.3, pretrained: bool = True) -> None:
        super().__init__()
        self.body = Lite0(pretrained)
        self.heads = HandHeads(signs, dropout)

    def forward(self, x: Tensor) -> HandMaps:
        maps: HandMaps = self.heads(*self.body(x)[2:])
        return maps


def grid_of(maps: Tensor) -> Tensor:
    """Return (h * w, 2): the middle of each cell of maps (n, c, h, w), x and y as shares of the sides."""
    height, width = int(maps.shape[2]), int(maps.shape[3])
    ys = (torch.arange(height, dtype=torch.float32) + 0.5) / height
    xs = (torch.arange(width, dtype=torch.float32) + 0.5) / width
    return torch.stack((xs.repeat(height), ys.repeat_interleave(width)), dim=1)


def posture(points: Tensor) -> Tensor:
    """Return landmarks (n, 21, 2) from the middle of the palm, in lengths of the palm, turned so that it points up."""
    wrist, middle = points[:, WRIST], points[:, MIDDLE]
    along = middle - wrist
    across = points[:, LITTLE] - points[:, INDEX]
    scale = torch.maximum(along.norm(dim=1), 1.3 * across.norm(dim=1)) + 0.02
    unit = along / (along.norm(dim=1, keepdim=True) + 1e-4)
    centred = (points - ((wrist + middle) / 2)[:, None]) / scale[:, None, None]
    up = (centred * unit[:, None]).sum(2)
    aside = centred[..., 0] * -unit[:, None, 1] + centred[..., 1] * unit[:, None, 0]
    return torch.stack((up, aside), dim=2)


def chirality(shape: Tensor) -> Tensor:
    """Return (n, 1), -1 to 1: whether the index finger lies left or right of the little finger in a `posture`.

    A right hand shows its index finger on one side with the palm to the camera and on the other with its back, so the
    side of a hand is this times what faces the camera: a product that a small head hardly learns by itself.
    """
    across: Tensor = shape[:, INDEX, 1:] - shape[:, LITTLE, 1:]
    return torch.tanh(4 * across)


def grown(coarse: Tensor, fine: Tensor) -> Tensor:
    """Return the coarser level at the finer one's size, by the nearest neighbour."""
    return fn.interpolate(coarse, size=(int(fine.shape[2]), int(fine.shape[3])), mode="nearest")


class HandGraph(nn.Module):
    """The exported form: landmarks with a score each, probabilities of all else, the angle and the mask.

    A landmark's score is the share of its map that lies within about a cell of it: a map that is spread out says
    that the net does not know.

    Args:
        scale: (202,) by which the numbers of the embedding are multiplied, so that one penalty suits all of them.
    """

    outputs = ("landmarks", "present", "right", "fingers", "angle", "signs", "hold", "kinds", "parts", "embedding")

    def __init__(self, net: HandNet, scale: Tensor | None = None) -> None:
        super().__init__()
        self.net = net
        self.scale: Tensor
        self.register_buffer("scale", torch.ones(1) if scale is None else scale)

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        maps = self.net(x)
        along = maps.points[:, MIDDLE] - maps.points[:, WRIST]
        unit = along / (along.norm(dim=1, keepdim=True) + 1e-6)
        angle = torch.stack((-unit[:, 1], -unit[:, 0]), dim=1)
        landmarks = torch.cat((maps.points, certainty(maps.heat, maps.points)), dim=2)
        return (
            landmarks, torch.sigmoid(maps.present), torch.sigmoid(maps.right), torch.sigmoid(maps.fingers), angle,
            torch.softmax(maps.sign, 1), torch.softmax(maps.hold, 1), torch.softmax(maps.kind, 1),
            torch.softmax(maps.parts, 1), maps.embedding * self.scale,
        )  # fmt: skip


def certainty(heat: Tensor, points: Tensor, cells: float = 1.2) -> Tensor:
    """Return (n, 21, 1): how much of each landmark's map lies near its place, by a bell of `cells` cells."""
    weight = torch.softmax(heat.flatten(2), dim=2)
    away = grid_of(heat)[None, None] - points[:, :, None]
    bell = torch.exp(-(away * away).sum(3) * (int(heat.shape[3]) ** 2 / (2 * cells * cells)))
    return (weight * bell).sum(2, keepdim=True)
