"""The body of our detector of hands with a head that tells classes, for hands that hold; knows no data or loops.

Few people label what hands hold, so the body may come from `FaceHand` (`--start`), which has seen many hands.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from handlens.train.nets.hand_encoder import Body

WIDTH = 64
EMBEDDING = 2 * WIDTH + 128 + 96


class HoldNet(Body):
    """Pictures (n, 3, h, w), sides multiples of 32, normalised -> logits (n, classes).

    The body is that of `FaceHand`, so that its weights fit.
    """

    stride = 32

    def __init__(self, classes: int) -> None:
        super().__init__(WIDTH)
        self.norm = nn.BatchNorm1d(EMBEDDING)
        self.dropout = nn.Dropout(0.3)
        self.out = nn.Linear(EMBEDDING, classes)

    def features(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, 352): means over the maps at strides 8, 16 and 32, and the highest of the finest."""
        near, middle, coarse = self.maps(x)
        parts = (near.mean((2, 3)), near.amax((2, 3)), middle.mean((2, 3)), coarse.mean((2, 3)))
        return torch.as_tensor(self.norm(torch.cat(parts, dim=1)))

    def classified(self, features: Tensor) -> Tensor:
        """(n, 352) -> logits (n, classes)."""
        return torch.as_tensor(self.out(self.dropout(features)))

    def forward(self, x: Tensor) -> Tensor:
        return self.classified(self.features(x))
