"""The canonical form of a net of each kind: pictures -> the arrays of its card; knows no training and no files."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from handlens.errors import InputError


class ProbabilityGraph(nn.Module):
    """A classifier's: logits, or logits and a direction (n, 2) -> probabilities (n, classes) and its unit vector.

    A net that also has `features` and `judged`, its two halves, returns the features as well: an embedding (n, d), from
    which new classes are learned. grey: the net takes pictures of one channel; it is given the mean of the three.
    """

    def __init__(self, net: nn.Module, grey: bool = False) -> None:
        super().__init__()
        self.net, self.grey = net, grey

    @property
    def outputs(self) -> tuple[str, ...]:
        """The names of what comes out, in its order."""
        angle = ("angle",) if getattr(self.net, "direction", None) is not None else ()
        return ("probabilities", *angle, *(("embedding",) if hasattr(self.net, "features") else ()))

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, ...]:
        x = x.mean(1, keepdim=True) if self.grey else x
        if not hasattr(self.net, "features"):
            return _told(self.net(x))
        embedding = self.net.features(x)
        told = _told(self.net.judged(embedding))
        return (told, embedding) if isinstance(told, Tensor) else (*told, embedding)


def _told(answer: Tensor | tuple[Tensor, Tensor]) -> Tensor | tuple[Tensor, Tensor]:
    if isinstance(answer, Tensor):
        return torch.softmax(answer, dim=1)
    logits, direction = answer
    return torch.softmax(logits, dim=1), nn.functional.normalize(direction, dim=1)


class PixelGraph(nn.Module):
    """A segmenter's: logits (n, classes, h, w) -> probabilities of the same shape.

    One channel means hand or not: its sigmoid is the second of two classes, background and hand.
    """

    def __init__(self, net: nn.Module) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> Tensor:
        logits = self.net(x)
        if logits.shape[1] > 1:
            return torch.softmax(logits, dim=1)
        hand = torch.sigmoid(logits)
        return torch.cat((1 - hand, hand), dim=1)


def canonical_graph(net: nn.Module, kind: str, grey: bool = False) -> nn.Module:
    """The canonical form of a net of that kind; a detector brings its own, `net.graph()`.

    Raises:
        InputError: a kind that has none.
    """
    if kind == "detect":
        return net.graph()
    if kind == "classify":
        return ProbabilityGraph(net, grey)
    if kind == "segment":
        return PixelGraph(net)
    raise InputError(f"a net of kind '{kind}' has no canonical form of its own; known are detect, classify, segment.")
