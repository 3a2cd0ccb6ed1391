"""Face-recognition backbones, used to tell hands that hold from hands that do not; knows no data, heads or loops.

Pictures (n, 3, 112, 112), normalised with mean 0.5 and deviation 0.5 -> embeddings (n, dim), not normalised.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from handlens.errors import InputError, unknown
from handlens.train.nets.attention import ATTENTION, AttentionBody, Wiring
from handlens.train.nets.prelu import PReLU

SIZE = 112
"""The side of the pictures; the flattened maps at the end fit no other."""


class Embed(nn.Sequential):
    """The output block of ArcFace ("option E", arXiv 1801.07698): norm, dropout, one linear map of all places, norm."""

    def __init__(self, channels: int, positions: int, dim: int, dropout: float) -> None:
        super().__init__(
            nn.BatchNorm2d(channels),
            nn.Dropout(dropout),
            nn.Flatten(),
            nn.Linear(channels * positions, dim),
            nn.BatchNorm1d(dim),
        )


class Depthwise(nn.Conv2d):
    """A convolution of each channel alone that skips pixels or sums up a map: in training on a processor in 32 bits.

    In 16 bits the gradients of one take up to thirteen times as long, on a processor that has products of 16 bits.
    """

    def forward(self, input: Tensor) -> Tensor:
        if not self.training or input.is_cuda or input.dtype == torch.float32:
            return super().forward(input)
        with torch.autocast(input.device.type, enabled=False):
            return super().forward(input.float()).to(input.dtype)


def _conv(cin: int, cout: int, kernel: int = 3, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    make = Depthwise if groups > 1 and stride > 1 else nn.Conv2d
    return [make(cin, cout, kernel, stride, kernel // 2, groups=groups, bias=False), nn.BatchNorm2d(cout)]


class Squeeze(nn.Module):
    """Squeeze-and-excitation (arXiv 1709.01507), 16 to 1: every channel weighed by what the whole picture holds."""

    def __init__(self, channels: int, ratio: int = 16) -> None:
        super().__init__()
        self.weigh = nn.Sequential(
            nn.AdaptiveAvgPool2d(1),
            nn.Conv2d(channels, channels // ratio, 1, bias=False),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels // ratio, channels, 1, bias=False),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = x * self.weigh(x)
        return answer


class ImprovedUnit(nn.Module):
    """The improved residual unit of ArcFace: norm, 3x3, norm, PReLU, 3x3 (with the stride), norm.

    The way past it has a convolution where the size or the channels change.
    """

    def __init__(self, cin: int, cout: int, stride: int, squeeze: bool) -> None:
        super().__init__()
        self.work = nn.Sequential(
            nn.BatchNorm2d(cin), *_conv(cin, cout), PReLU(cout), *_conv(cout, cout, 3, stride),
            *([Squeeze(cout)] if squeeze else []),
        )  # fmt: skip
        same = stride == 1 and cin == cout
        self.past = nn.Identity() if same else nn.Sequential(*_conv(cin, cout, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.work(x) + self.past(x)
        return answer


class ImprovedResNet(nn.Sequential):
    """Res50_IR, Res100_IR and, with `squeeze`, SERes50_IR, SERes100_IR."""

    def __init__(self, units: tuple[int, int, int, int], squeeze: bool, dim: int, dropout: float) -> None:
        layers: dict[str, nn.Module] = {"stem": nn.Sequential(*_conv(3, 64), PReLU(64))}
        cin = 64
        for number, (cout, depth) in enumerate(zip((64, 128, 256, 512), units, strict=True), 1):
            steps = [ImprovedUnit(cin, cout, 2, squeeze)]
            steps += [ImprovedUnit(cout, cout, 1, squeeze) for _ in range(depth - 1)]
            layers[f"stage{number}"] = nn.Sequential(*steps)
            cin = cout
        layers["embed"] = Embed(512, 7 * 7, dim, dropout)
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 to four times the channels, and the identity (arXiv 1512.03385)."""

    def __init__(self, cin: int, channels: int, stride: int) -> None:
        super().__init__()
        cout = 4 * channels
        self.work = nn.Sequential(
            *_conv(cin, channels, 1), nn.ReLU(inplace=True),
            *_conv(channels, channels, 3, stride), nn.ReLU(inplace=True),
            *_conv(channels, cout, 1),
        )  # fmt: skip
        same = stride == 1 and cin == cout
        self.past = nn.Identity() if same else nn.Sequential(*_conv(cin, cout, 1, stride))

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.work(x) + self.past(x))


class Res50(nn.Sequential):
    """ResNet-50 for 112 pixels: a 3x3 stem that keeps the size, and the output block of ArcFace."""

    def __init__(self, dim: int, dropout: float) -> None:
        super().__init__()
        pool = nn.MaxPool2d(3, 2, 1)
        self.add_module("stem", nn.Sequential(*_conv(3, 64), nn.ReLU(inplace=True), pool))
        cin = 64
        for number, (channels, depth) in enumerate(zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True), 1):
            steps = [Bottleneck(cin, channels, 1 if number == 1 else 2)]
            steps += [Bottleneck(4 * channels, channels, 1) for _ in range(depth - 1)]
            self.add_module(f"stage{number}", nn.Sequential(*steps))
            cin = 4 * channels
        self.add_module("embed", Embed(2048, 7 * 7, dim, dropout))


class Inverted(nn.Module):
    """1x1 to more channels, 3x3 a channel, 1x1 back without activation (arXiv 1801.04381); PReLU for ReLU."""

    def __init__(self, cin: int, cout: int, wide: int, stride: int) -> None:
        super().__init__()
        self.same = stride == 1 and cin == cout
        self.work = nn.Sequential(
            *_conv(cin, wide, 1), PReLU(wide),
            *_conv(wide, wide, 3, stride, groups=wide), PReLU(wide),
            *_conv(wide, cout, 1),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = x + self.work(x) if self.same else self.work(x)
        return answer


class MobileFace(nn.Sequential):
    """MobileFaceNet (arXiv 1804.07573), table 1: its last map is summed up by a 7x7 convolution a channel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.add_module("stem", nn.Sequential(*_conv(3, 64, 3, 2), PReLU(64)))
        self.add_module("depthwise", nn.Sequential(*_conv(64, 64, groups=64), PReLU(64)))
        cin = 64
        rows = ((2, 64, 5, 2), (4, 128, 1, 2), (2, 128, 6, 1), (4, 128, 1, 2), (2, 128, 2, 1))
        for number, (ratio, cout, depth, stride) in enumerate(rows, 1):
            steps = [Inverted(cin, cout, ratio * cin, stride)]
            steps += [Inverted(cout, cout, ratio * cout, 1) for _ in range(depth - 1)]
            self.add_module(f"stage{number}", nn.Sequential(*steps))
            cin = cout
        self.add_module("widen", nn.Sequential(*_conv(cin, 512, 1), PReLU(512)))
        depthwise = Depthwise(512, 512, 7, groups=512, bias=False)
        embed = nn.Conv2d(512, dim, 1, bias=False)
        self.add_module("whole", nn.Sequential(depthwise, nn.BatchNorm2d(512)))
        self.add_module("embed", nn.Sequential(embed, nn.BatchNorm2d(dim), nn.Flatten()))


def attention_net(name: str, dim: int, dropout: float, wiring: Wiring = Wiring.PUBLISHED) -> nn.Sequential:
    """`attention_56` or `attention_92` with the output block."""
    widths, modules = ATTENTION[name]
    net = AttentionBody(widths, modules, wiring)
    net.add_module("embed", Embed(widths[3], 7 * 7, dim, dropout))
    return net


def backbone(name: str, dim: int = 512, dropout: float = 0.4) -> nn.Module:
    """Return the backbone of that name, in any case.

    Raises:
        InputError: an unknown name.
    """
    if name.lower() not in BACKBONES:
        raise InputError(unknown("backbone", name, BACKBONES))
    return BACKBONES[name.lower()](dim, dropout)


_50, _100 = (3, 4, 14, 3), (3, 13, 30, 3)

BACKBONES: dict[str, Callable[[int, float], nn.Module]] = {
    "mobileface": lambda dim, dropout: MobileFace(dim),
    "res50": Res50,
    "res50_ir": lambda dim, dropout: ImprovedResNet(_50, False, dim, dropout),
    "seres50_ir": lambda dim, dropout: ImprovedResNet(_50, True, dim, dropout),
    "res100_ir": lambda dim, dropout: ImprovedResNet(_100, False, dim, dropout),
    "seres100_ir": lambda dim, dropout: ImprovedResNet(_100, True, dim, dropout),
    "attention_56": lambda dim, dropout: attention_net("attention_56", dim, dropout),
    "attention_92": lambda dim, dropout: attention_net("attention_92", dim, dropout),
    "attention_56-paper": lambda dim, dropout: attention_net("attention_56", dim, dropout, Wiring.PAPER),
    "attention_92-paper": lambda dim, dropout: attention_net("attention_92", dim, dropout, Wiring.PAPER),
}
"""Every backbone by its name: (embedding, dropout before it) -> net."""
