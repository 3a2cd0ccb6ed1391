"""Our own small classifier of hands, for colour crops and for silhouettes; knows no data, losses or loops.

Residual blocks (arXiv 1512.03385) of plain 3x3 convolutions, which a CPU's matrix units like best, ending in the mean
over the map: an embedding that also serves to learn new gestures from a few pictures.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

WIDTHS = (32, 64, 96, 192)
EMBEDDING = WIDTHS[-1]


def _conv(cin: int, cout: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(cin, cout, 3, stride, 1, bias=False), nn.BatchNorm2d(cout))


class Residual(nn.Module):
    """Two 3x3 convolutions beside the identity."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first, self.second = _conv(channels, channels), _conv(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x + self.second(torch.relu(self.first(x))))


class HandNet(nn.Module):
    """Pictures (n, channels, h, w) -> logits (n, classes); with `angle` also a direction (n, 2): cosine, sine.

    The direction is as long as it happens to come out; the exported graph makes it a unit vector.
    """

    def __init__(self, classes: int, channels: int = 3, angle: bool = False) -> None:
        super().__init__()
        steps: list[nn.Module] = []
        for cin, cout, depth in zip((channels, *WIDTHS), WIDTHS, (0, 1, 2, 1), strict=False):
            steps += [_conv(cin, cout, 2), nn.ReLU(inplace=True), *(Residual(cout) for _ in range(depth))]
        self.body = nn.Sequential(*steps)
        self.dropout = nn.Dropout(0.2)
        self.out = nn.Linear(EMBEDDING, classes)
        self.direction = nn.Linear(EMBEDDING, 2) if angle else None

    def features(self, x: Tensor) -> Tensor:
        """(n, channels, h, w) -> (n, 192): the mean of the last map."""
        return torch.as_tensor(self.body(x).mean((2, 3)))

    def classified(self, features: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        """Return what the net says of such features (n, 192)."""
        logits = self.out(self.dropout(features))
        return logits if self.direction is None else (logits, self.direction(features))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        return self.classified(self.features(x))
