"""A live torch net behind the Runner seam, asked and judged as its file will be; knows no task or data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.errors import ModelError
from handlens.kinds import kind_of
from handlens.runner import Outputs
from handlens.types import Floats


class TorchRunner:
    """A net in its canonical form (see `handlens.train.export.graphs`), asked on the device its parameters are on.

    Args:
        outputs: Names of what the graph returns, in its order; when left out what the graph itself calls them, or else
            those of the card's kind. The graph may be in training: it is asked in evaluation mode, without autocast,
            and left as it was found.
    """

    def __init__(self, graph: nn.Module, card: ModelCard, outputs: Sequence[str] | None = None) -> None:
        self.graph, self.card = graph, card
        self.outputs = tuple(outputs or getattr(graph, "outputs", None) or kind_of(card).outputs)

    def run(self, batch: Floats) -> Outputs:
        """Return the named arrays for a batch (n, 3, h, w) float32.

        Raises:
            InputError: the net does not take pictures of that size.
            ModelError: the net fails on the batch, or returns another number of arrays.
        """
        weight = next(self.graph.parameters(), torch.empty(0))
        pictures = torch.tensor(batch, dtype=weight.dtype, device=weight.device)
        try:
            with evaluating(self.graph), torch.inference_mode(), torch.autocast(weight.device.type, enabled=False):
                answer = self.graph(pictures)
        except RuntimeError as error:
            why = (str(error).strip().splitlines() or ["RuntimeError"])[0]
            raise ModelError(f"the network failed on a batch of shape {batch.shape}: {why}") from error
        arrays = (answer,) if isinstance(answer, Tensor) else tuple(answer)
        if len(arrays) != len(self.outputs):
            raise ModelError(f"the network returns {len(arrays)} arrays, not the {len(self.outputs)} of its kind.")
        return {name: array.float().cpu().numpy() for name, array in zip(self.outputs, arrays, strict=True)}


@contextmanager
def evaluating(net: nn.Module) -> Iterator[None]:
    """Put a net into evaluation mode, and afterwards each of its modules back into the mode it was in."""
    modes = [(module, module.training) for module in net.modules()]
    net.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
