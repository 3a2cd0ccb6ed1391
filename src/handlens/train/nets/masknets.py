"""SNet, the VGG16 decoder and a plain U-Net: pictures -> mask logits of the same size; knows no data, losses or loops.

All three take pictures of any size: they are padded right and below to the stride, and the mask is cropped.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, conv_transpose2d, interpolate, max_pool2d, pad

from handlens.errors import InputError
from handlens.train.nets.weights_files import encoder_state, load_by_name


def _conv(cin: int, cout: int, kernel: int = 3, kind: type[nn.Conv2d] = nn.Conv2d) -> nn.Sequential:
    return nn.Sequential(kind(cin, cout, kernel, 1, kernel // 2), nn.ReLU(inplace=True))


class Joined(nn.Conv2d):
    """A 3x3 convolution of a map, doubled by the nearest pixels, and behind it the encoder's map of that level.

    The input is (map, level). In training on a processor it does the same by fewer products: a doubled map that is
    convolved is the map itself, transposed with a stride of 2 by the sum of the 3x3 kernel's shifts by a pixel.
    """

    def forward(self, input: tuple[Tensor, Tensor]) -> Tensor:  # type: ignore[override]
        x, level = input
        if not self.training or x.is_cuda:
            return super().forward(torch.cat((interpolate(x, scale_factor=2.0, mode="nearest"), level), dim=1))
        mine, theirs = self.weight.split((x.shape[1], level.shape[1]), 1)
        turned = mine.transpose(0, 1).flip(2, 3)
        kernel = torch.stack([pad(turned, (left, 1 - left, top, 1 - top)) for left in (0, 1) for top in (0, 1)]).sum(0)
        return conv_transpose2d(x, kernel, stride=2, padding=1) + conv2d(level, theirs, self.bias, padding=1)


def _double(
    cin: int, cout: int, kernel: int = 3, middle: nn.Module | None = None, first: type[nn.Conv2d] = nn.Conv2d
) -> nn.Sequential:
    """Two convolutions with `middle`, a dropout, between them."""
    return nn.Sequential(_conv(cin, cout, kernel, first), *([middle] if middle else []), _conv(cout, cout, kernel))


def _joined(below: int, level: int, cout: int, middle: nn.Module | None = None) -> nn.Sequential:
    """Return two convolutions with `middle` between them, of the map below, doubled, and the encoder's map."""
    return _double(below + level, cout, 3, middle, Joined)


class Ladder(nn.Module):
    """Down by pools, up by doubling, each level seeing its own encoder level again (arXiv 1505.04597).

    Pictures (n, 3, h, w) -> logits (n, classes, h, w).

    Attributes:
        down: One module a level, its map is pooled by 2 after it.
        centre: At the end of the way down.
        up: Coarsest first; each gets (the map below, its level).
        out: 1x1.
    """

    def __init__(
        self, down: list[nn.Module], centre: nn.Module, up: list[nn.Module], channels: int, classes: int
    ) -> None:
        super().__init__()
        if classes < 1:
            raise InputError(f"{classes} classes: a mask needs at least one channel.")
        self.down, self.centre, self.up = nn.ModuleList(down), centre, nn.ModuleList(up)
        self.out = nn.Conv2d(channels, classes, 1)
        self.stride = 2 ** len(down)
        for part in self.modules():
            if isinstance(part, nn.Conv2d):  # without norms torch's own beginning lets the signal die on the way
                nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
                if part.bias is not None:
                    nn.init.zeros_(part.bias)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2], x.shape[3]
        x = pad(x, (0, -width % self.stride, 0, -height % self.stride))
        levels = []
        for step in self.down:
            levels.append(step(x))
            x = max_pool2d(levels[-1], 2)
        x = self.centre(x)
        for step, level in zip(self.up, reversed(levels), strict=True):
            x = step((x, level))
        answer: Tensor = self.out(x)[:, :, :height, :width]
        return answer


class SNet(Ladder):
    """SNet: 32-64-128, 5x5 in the middle, whole channels dropped in the deep levels."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__(
            [_double(3, 32), _double(32, 64), _double(64, 128, middle=nn.Dropout2d(0.4))],
            _double(128, 256, 5, nn.Dropout2d(0.5)),
            [_joined(256, 128, 128, nn.Dropout2d(0.4)), _joined(128, 64, 64), _joined(64, 32, 32)],
            32,
            classes,
        )


class UNet(Ladder):
    """The plain U-Net: 32-64-128, 256 in the middle, no batch norm."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__(
            [_double(3, 32), _double(32, 64), _double(64, 128)],
            _double(128, 256),
            [_joined(256, 128, 128), _joined(128, 64, 64), _joined(64, 32, 32)],
            32,
            classes,
        )


class VGGDecoder(Ladder):
    """The first three blocks of VGG16 (arXiv 1409.1556), frozen, and a decoder over them.

    Input: RGB with ImageNet's mean (0.485, 0.456, 0.406) and deviation (0.229, 0.224, 0.225), as the weights know it.
    They start at random; `take_encoder` brings what ImageNet taught.
    """

    def __init__(self, classes: int = 1) -> None:
        super().__init__(
            [_double(3, 64), _double(64, 128), nn.Sequential(_conv(128, 256), _conv(256, 256), _conv(256, 256))],
            nn.Identity(),
            [
                _joined(256, 256, 256, nn.Dropout(0.2)),
                nn.Sequential(_joined(256, 128, 128, nn.Dropout(0.2)), nn.Dropout(0.2)),
                _joined(128, 64, 64, nn.Dropout(0.2)),
            ],
            64,
            classes,
        )
        self.down.requires_grad_(False)

    def take_encoder(self, source: Path | None = None) -> None:
        """Put torchvision's ImageNet weights into the three blocks. source: a file of them, None: fetch them.

        Raises:
            InputError: the weights cannot be had, or the file holds others.
        """
        name = str(source or "torchvision")
        load_by_name(self.down, _renamed(encoder_state("vgg16", source), name), name)

    def free_encoder(self) -> None:
        """Let the blocks learn too: frozen random weights would be a poor encoder."""
        self.down.requires_grad_(True)


_PLACES = {0: "0.0", 2: "0.1", 5: "1.0", 7: "1.1", 10: "2.0", 12: "2.1", 14: "2.2"}
"""VGG16's convolutions by their number among torchvision's `features`, and where they are here."""


def _renamed(state: dict[str, Tensor], source: str) -> dict[str, Tensor]:
    """torchvision's names of VGG16's first three blocks -> ours."""
    found: OrderedDict[str, Tensor] = OrderedDict()
    for number, place in _PLACES.items():
        for part in ("weight", "bias"):
            name = f"features.{number}.{part}"
            if name not in state:
                raise InputError(f"'{source}' holds no VGG16 as torchvision names it: '{name}' is missing.")
            found[f"{place}.0.{part}"] = state[name]
    return found
