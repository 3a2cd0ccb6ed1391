"""Attention_56 and Attention_92, residual attention networks as face-recognition backbones; knows no data or loops.

After arXiv 1704.06904 with p = 1, t = 2, r = 1; 3x3 stem and output block of ArcFace for pictures of 112 pixels.

The holding/nothing project trained a wiring that differs from the paper in four places. `Wiring.PUBLISHED` is that
wiring (checked against the source, see `benchmarks/parity`), `Wiring.PAPER` is the paper's. Both have the same
parameters.

| place | published | paper |
|---|---|---|
| shortcut of a unit that changes its size | convolution of the input | convolution of the normalised input |
| decoder of the mask | upsampled + encoder map + skip unit | upsampled + skip unit |
| before the last block of the mask | upsampled + trunk | upsampled |
| first stage | (1 + mask) + trunk | (1 + mask) x trunk |
| bilinear upsampling | corners aligned | corners not aligned |
"""

from __future__ import annotations

from enum import Enum

from torch import Size, Tensor, nn
from torch.nn.functional import interpolate, max_pool2d


class Wiring(Enum):
    """Which of two wirings with equal parameters a network has."""

    PUBLISHED = "published"
    PAPER = "paper"


def _open(channels: int) -> list[nn.Module]:
    return [nn.BatchNorm2d(channels), nn.ReLU(inplace=True)]


class Unit(nn.Module):
    """The residual unit with norm and ReLU first (arXiv 1603.05027): 1x1 to a quarter, 3x3, 1x1, and the way past it.

    Every unit carries a 1x1 convolution for the way past, as the published networks do, whose parameters are counted
    with it; where size and channels stay the way past is the identity, and that convolution is idle and frozen.
    """

    def __init__(self, cin: int, cout: int, stride: int = 1, wiring: Wiring = Wiring.PUBLISHED) -> None:
        super().__init__()
        self.wiring = wiring
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
        """Return maps (n, cout, h / stride, w / stride) for maps (n, cin, h, w)."""
        y = self.first(x)
        past = x if self.same else self.past(y if self.wiring is Wiring.PAPER else x)
        answer: Tensor = self.work(y) + past
        return answer


class Mask(nn.Module):
    """Down by `depth` pools and up again: where to look, for every place and channel in (0, 1)."""

    def __init__(self, channels: int, depth: int, wiring: Wiring = Wiring.PUBLISHED) -> None:
        super().__init__()
        self.wiring = wiring
        self.down = nn.ModuleList(Unit(channels, channels) for _ in range(depth))
        self.skip = nn.ModuleList(Unit(channels, channels) for _ in range(depth - 1))
        self.bottom = Unit(channels, channels)
        self.up = nn.ModuleList(Unit(channels, channels) for _ in range(depth - 1))
        self.out = nn.Sequential(
            *_open(channels), nn.Conv2d(channels, channels, 1, bias=False),
            *_open(channels), nn.Conv2d(channels, channels, 1, bias=False), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor, trunk: Tensor) -> Tensor:
        """Return the mask for maps `x`; both inputs and the mask are (n, channels, h, w)."""
        size, levels = x.shape[2:], []
        for step in self.down:
            x = step(max_pool2d(x, 3, 2, 1))
            levels.append(x)
        x = self.bottom(x)
        for level, skip, step in zip(reversed(levels[:-1]), reversed(self.skip), self.up, strict=True):
            joined = self.upsample(x, level.shape[2:]) + skip(level)
            x = step(joined if self.wiring is Wiring.PAPER else joined + level)
        x = self.upsample(x, size)
        answer: Tensor = self.out(x if self.wiring is Wiring.PAPER else x + trunk)
        return answer

    def upsample(self, x: Tensor, size: Size) -> Tensor:
        """Resize maps (n, channels, h, w) to `size` (height, width)."""
        return interpolate(x, size, mode="bilinear", align_corners=self.wiring is Wiring.PUBLISHED)


class AttentionModule(nn.Module):
    """One unit, then two units weighed by (1 + mask), then one unit; size and channels stay.

    Args:
        channels: Channels in and out.
        depth: Pools of the mask.
        wiring: The published or the paper's.
        adds: The mask is added to the trunk, as in the published first stage. Otherwise it multiplies the trunk.
    """

    def __init__(self, channels: int, depth: int, wiring: Wiring = Wiring.PUBLISHED, *, adds: bool = False) -> None:
        super().__init__()
        self.adds = adds
        self.before, self.after = Unit(channels, channels), Unit(channels, channels)
        self.trunk = nn.Sequential(Unit(channels, channels), Unit(channels, channels))
        self.mask = Mask(channels, depth, wiring)

    def forward(self, x: Tensor) -> Tensor:
        x = self.before(x)
        trunk = self.trunk(x)
        gain = 1 + self.mask(x, trunk)
        answer: Tensor = self.after(gain + trunk if self.adds else gain * trunk)
        return answer


class AttentionBody(nn.Sequential):
    """Pictures (n, 3, 112, 112) -> maps (n, widths[3], 7, 7).

    Args:
        widths: Channels of the four stages.
        modules: Attention modules in the first three, whose masks have 3, 2, 1 pools.
        wiring: The published or the paper's.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        modules: tuple[int, int, int],
        wiring: Wiring = Wiring.PUBLISHED,
    ) -> None:
        super().__init__()
        stem = nn.Sequential(nn.Conv2d(3, 64, 3, 1, 1, bias=False), *_open(64), nn.MaxPool2d(3, 2, 1))
        self.add_module("stem", stem)
        cin, published = 64, wiring is Wiring.PUBLISHED
        for stage, (width, count) in enumerate(zip(widths[:3], modules, strict=True), 1):
            steps = [
                Unit(cin, width, 1 if stage == 1 else 2, wiring),
                *(AttentionModule(width, 4 - stage, wiring, adds=stage == 1 and published) for _ in range(count)),
            ]
            self.add_module(f"stage{stage}", nn.Sequential(*steps))
            cin = width
        last = widths[3]
        self.add_module("stage4", nn.Sequential(Unit(cin, last, 2, wiring), Unit(last, last), Unit(last, last)))


ATTENTION = {
    "attention_56": ((256, 512, 512, 512), (1, 1, 1)),
    "attention_92": ((256, 512, 1024, 2048), (1, 2, 3)),
}
"""Widths and modules of the two: found to be the ones that give the published counts, with the paper's p, t, r."""
