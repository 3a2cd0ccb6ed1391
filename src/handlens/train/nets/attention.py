"""Attention_56 and Attention_92, residual attention networks as face-recognition backbones; knows no data or loops.

After arXiv 1704.06904 with p = 1, t = 2, r = 1; 3x3 stem and output block of ArcFace for pictures of 112 pixels.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn.functional import interpolate, max_pool2d


def _open(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class Unit(nn.Module):
    """The residual unit with norm and ReLU first (arXiv 1603.05027): 1x1 to a quarter, 3x3, 1x1, and the way past it.

    Every unit carries a 1x1 convolution for the way past, as the published networks do, whose parameters are counted
    with it; where size and channels stay the way past is the identity, and that convolution is idle and frozen.
    """

    def __init__(self, cin: int, cout: int, stride: int = 1) -> None:
        super().__init__()
        quarter = cout // 4
        self.first = nn.Sequential(nn.BatchNorm2d(cin), nn.ReLU())
        self.work = nn.Sequential(
            nn.Conv2d(cin, quarter, 1, bias=False), *_open(quarter),
            nn.Conv2d(quarter, quarter, 3, stride, 1, bias=False), *_open(quarter),
            nn.Conv2d(quarter, cout, 1, bias=False),
        )  # fmt: skip
        self.past = nn.Conv2d(cin, cout, 1, stride, bias=False)
        self.same = stride == 1 and cin == cout
        self.past.requires_grad_(not self.same)

    def forward(self, x: Tensor) -> Tensor:
        y = self.first(x)
        answer: Tensor = self.work(y) + (x if self.same else self.past(y))
        return answer


class Mask(nn.Module):
    """Down by `depth` pools and up again: where to look, for every place and channel in (0, 1)."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.down = nn.ModuleList(Unit(channels, channels) for _ in range(depth))
        self.skip = nn.ModuleList(Unit(channels, channels) for _ in range(depth - 1))
        self.bottom = Unit(channels, channels)
        self.up = nn.ModuleList(Unit(channels, channels) for _ in range(depth - 1))
        self.out = nn.Sequential(
            *_open(channels), nn.Conv2d(channels, channels, 1, bias=False),
            *_open(channels), nn.Conv2d(channels, channels, 1, bias=False), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        size, levels = x.shape[2:], []
        for step in self.down:
            x = step(max_pool2d(x, 3, 2, 1))
            levels.append(x)
        x = self.bottom(x)
        for level, skip, step in zip(reversed(levels[:-1]), reversed(self.skip), self.up, strict=True):
            x = step(interpolate(x, level.shape[2:], mode="bilinear") + skip(level))
        answer: Tensor = self.out(interpolate(x, size, mode="bilinear"))
        return answer


class AttentionModule(nn.Module):
    """One unit, then two units weighed by (1 + mask), then one unit; size and channels stay."""

    def __init__(self, channels: int, depth: int) -> None:
        super().__init__()
        self.before, self.after = Unit(channels, channels), Unit(channels, channels)
        self.trunk = nn.Sequential(Unit(channels, channels), Unit(channels, channels))
        self.mask = Mask(channels, depth)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        answer: Tensor = self.after((1 + self.mask(x)) * self.trunk(x))
        return answer


class AttentionBody(nn.Sequential):
    """Pictures (n, 3, 112, 112) -> maps (n, widths[3], 7, 7).

    Args:
        widths: Channels of the four stages.
        modules: Attention modules in the first three, whose masks have 3, 2, 1 pools.
    """

    def __init__(self, widths: tuple[int, int, int, int], modules: tuple[int, int, int]) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), *_open(64), nn.MaxPool2d(3, 2, 1))
        self.add_module("stem", stem)
        cin = 64
        for stage, (width, count) in enumerate(zip(widths[:3], modules, strict=True), 1):
            steps = [
                Unit(cin, width, 1 if stage == 1 else 2),
                *(AttentionModule(width, 4 - stage) for _ in range(count)),
            ]
            self.add_module(f"stage{stage}", nn.Sequential(*steps))
            cin = width
        last = widths[3]
        self.add_module("stage4", nn.Sequential(Unit(cin, last, 2), Unit(last, last), Unit(last, last)))


ATTENTION = {
    "attention_56": ((256, 512, 512, 512), (1, 1, 1)),
    "attention_92": ((256, 512, 1024, 2048), (1, 2, 3)),
}
"""Widths and modules of the two: found to be the ones that give the published counts, with the paper's p, t, r."""
