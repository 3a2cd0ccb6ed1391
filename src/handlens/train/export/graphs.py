"""The canonical form of a net of each kind: pictures -> the arrays of its card; knows no training and no files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from handlens.errors import InputError


class ProbabilityGraph(nn.Module):
    """A classifier's: logits, or logits and a direction (n, 2) -> probabilities (n, classes) and its unit vector.

    A net that also has `features` and `classified`, its two halves, returns the features as well: an embedding (n, d),
    from which new classes are learned.

    Args:
        grey: The net takes pictures of one channel; it is given the mean of the three.
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
            return _probabilities(self.net(x))
        net: Any = self.net  # its two halves are not part of nn.Module
        embedding = net.features(x)
        probabilities = _probabilities(net.classified(embedding))
        return (probabilities, embedding) if isinstance(probabilities, Tensor) else (*probabilities, embedding)


def _probabilities(answer: Tensor | tuple[Tensor, Tensor]) -> Tensor | tuple[Tensor, Tensor]:
    if isinstance(answer, Tensor):
        return torch.softmax(answer, dim=1)
    logits, direction = answer
    return torch.softmax(logits, dim=1), nn.functional.normalize(direction, dim=1)


OVER = " over "
"""In the name of a class: "hand over face" is a hand, and a face is known to be under it."""


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


class LayeredGraph(nn.Module):
    """A segmenter's whose last class lies over another one, as "hand over face" does.

    -> probabilities (n, classes - 1, h, w), in which it counts as what is seen there, the hand; and "covered"
    (n, 1, h, w): how likely it is, that is, that a face is hidden there.
    """

    outputs = ("probabilities", "covered")

    def __init__(self, net: nn.Module, names: Sequence[str]) -> None:
        super().__init__()
        self.net, self.seen = net, names.index(names[-1].split(OVER)[0])

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        every = torch.softmax(self.net(x), dim=1)
        covered, plain = every[:, -1:], every[:, :-1]
        before, here, after = plain[:, : self.seen], plain[:, self.seen : self.seen + 1], plain[:, self.seen + 1 :]
        return torch.cat((before, here + covered, after), dim=1), covered


def canonical_graph(net: nn.Module, kind: str, grey: bool = False) -> nn.Module:
    """Return the canonical form of a net of that kind; a detector brings its own, `net.graph()`.

    Raises:
        InputError: a kind that has none.
    """
    graphs: dict[str, Callable[[], nn.Module]] = {
        "detect": lambda: cast(Any, net).graph(),
        "classify": lambda: ProbabilityGraph(net, grey),
        "segment": lambda: PixelGraph(net),
    }
    if kind not in graphs:
        raise InputError(f"a net of kind '{kind}' has no canonical form of its own; known are {', '.join(graphs)}.")
    return graphs[kind]()
