"""Margin layers over an embedding, for any backbone: embedding and label -> logits; knows no data or backbone.

In training the logit of the true class is made harder by a margin; without labels all logits are plain, and their
softmax is the prediction. In all, t is the angle between an embedding and the direction of a class.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, normalize

from handlens.errors import InputError, unknown

SCALE = 32.0


class Softmax(nn.Module):
    """The inner product with each class's vector; no margin, no bias."""

    def __init__(self, dim: int, classes: int, scale: float = SCALE) -> None:
        super().__init__()
        if classes < 2:
            raise InputError(f"{classes} classes: to tell classes apart takes at least two.")
        self.scale = scale
        self.weight = nn.Parameter(torch.empty(classes, dim))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, embedding: Tensor, label: Tensor | None = None) -> Tensor:
        """embedding: (n, dim); label: (n,) int64, in training only -> logits (n, classes)."""
        return linear(embedding, self.weight)

    def cosine(self, embedding: Tensor) -> Tensor:
        """cos t for every class: (n, classes)."""
        return linear(normalize(embedding), normalize(self.weight)).clamp(-1 + 1e-7, 1 - 1e-7)


class MultiMargin(Softmax):
    """An angle and a cosine as margin: cos(t + angle) - cosine for the true class, cos t for the others.

    As in the published code (github.com/wujiyang/Face_Pytorch). Beyond t = pi - angle, where cos(t + angle) would rise
    again, the true class has cos t - angle sin(angle) instead.

    Args:
        dim: Numbers of an embedding.
        classes: How many classes there are.
        scale: Factor of all cosines.
        angle: Margin of the angle in radians.
        cosine: Margin of the cosine.
    """

    def __init__(self, dim: int, classes: int, scale: float = SCALE, angle: float = 0.2, cosine: float = 0.35) -> None:
        super().__init__(dim, classes, scale)
        self.angle, self.margin = angle, cosine

    def forward(self, embedding: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits (n, classes); with labels (n,) those of the true classes are made harder."""
        cosine = self.cosine(embedding)
        if label is None:
            return self.scale * cosine
        true = cosine.gather(1, label.view(-1, 1))
        turned = true * math.cos(self.angle) - torch.sqrt(1 - true * true) * math.sin(self.angle)
        monotonic = true > math.cos(math.pi - self.angle)
        hard = torch.where(monotonic, turned, true - self.angle * math.sin(math.pi - self.angle)) - self.margin
        return self.scale * cosine.scatter(1, label.view(-1, 1), hard)


class ArcFace(MultiMargin):
    """cos(t + 0.5) for the true class (arXiv 1801.07698)."""

    def __init__(self, dim: int, classes: int, scale: float = SCALE, margin: float = 0.5) -> None:
        super().__init__(dim, classes, scale, margin, 0.0)


class CosFace(MultiMargin):
    """cos t - 0.4 for the true class (arXiv 1801.09414)."""

    def __init__(self, dim: int, classes: int, scale: float = SCALE, margin: float = 0.4) -> None:
        super().__init__(dim, classes, scale, 0.0, margin)


class SphereFace(Softmax):
    """psi(t) = (-1)^k cos(4 t) - 2 k, k counting the quarter of the half turn that t lies in (arXiv 1704.08063).

    The logits are scaled by the length of the embedding, not by a fixed number. The margin grows in training: the logit
    is (lambda cos t + psi) / (1 + lambda), and lambda = 1000 / (1 + 1e-4 step)^2, at least 5, as in the published code.
    `steps` counts the steps and is part of the state.
    """

    steps: Tensor

    def __init__(self, dim: int, classes: int, margin: int = 4) -> None:
        super().__init__(dim, classes)
        self.margin = margin
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, embedding: Tensor, label: Tensor | None = None) -> Tensor:
        """Return logits (n, classes); with labels (n,) those of the true classes are made harder."""
        cosine, length = self.cosine(embedding), embedding.norm(dim=1, keepdim=True)
        if label is None:
            return torch.as_tensor(length * cosine)
        if self.training:
            self.steps += 1
        weight = torch.clamp(1000 / (1 + 1e-4 * self.steps) ** 2, min=5.0)
        true = cosine.gather(1, label.view(-1, 1))
        angle = torch.acos(true)
        k = torch.floor(self.margin * angle / math.pi)
        psi = (1 - 2 * (k % 2)) * torch.cos(self.margin * angle) - 2 * k
        hard = (weight * true + psi) / (1 + weight)
        return torch.as_tensor(length * cosine.scatter(1, label.view(-1, 1), hard))


MARGINS: dict[str, type[Softmax]] = {
    "softmax": Softmax,
    "arcface": ArcFace,
    "cosface": CosFace,
    "sphereface": SphereFace,
    "multimargin": MultiMargin,
}


def margin(name: str, dim: int, classes: int) -> Softmax:
    """Return the margin layer of that name, in any case.

    Raises:
        InputError: an unknown name, or fewer than two classes.
    """
    if name.lower() not in MARGINS:
        raise InputError(unknown("margin", name, MARGINS))
    return MARGINS[name.lower()](dim, classes)


class Recogniser(nn.Module):
    """A backbone and a margin layer: pictures (and labels, in training) -> logits."""

    def __init__(self, backbone: nn.Module, head: Softmax) -> None:
        super().__init__()
        self.backbone, self.head = backbone, head

    def features(self, x: Tensor) -> Tensor:
        """(n, 3, h, w) -> (n, embedding)."""
        return torch.as_tensor(self.backbone(x))

    def classified(self, features: Tensor) -> Tensor:
        """Return the logits of such features, without a margin."""
        return torch.as_tensor(self.head(features))

    def forward(self, x: Tensor, label: Tensor | None = None) -> Tensor:
        return torch.as_tensor(self.head(self.backbone(x), label))
