"""LiteClassifier: tells classes of a picture with the pre-trained body EfficientNet-Lite0; knows no data or loops.

Its features are the mean and the highest of each channel: even frozen, they tell hands that hold from empty ones.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from handlens.train.nets.lite import CHANNELS
from handlens.train.nets.lite_encoder import OnLite0


class LiteClassifier(OnLite0):
    """Pictures (n, 3, h, w), sides multiples of 32, mean and std 0.5 -> logits (n, classes)."""

    def __init__(self, classes: int = 2, pretrained: bool = False) -> None:
        super().__init__(pretrained)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(2 * CHANNELS[-1], classes)

    def features(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 640)."""
        last = self.body(x)[-1]
        return torch.cat((last.mean((2, 3)), last.amax((2, 3))), dim=1)

    def classified(self, features: Tensor) -> Tensor:
        """(n, 640) -> logits (n, classes)."""
        return torch.as_tensor(self.out(self.dropout(features)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classified(self.features(x))
