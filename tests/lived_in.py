"""Nets of chance that are worth comparing, their cards and files; for tests of what is exported."""

from pathlib import Path

import torch
from torch import nn

from handlens.card import ModelCard
from handlens.train.export.export import export
from handlens.train.export.torch_runner import TorchRunner


def lived_in(net: nn.Module, *sides: int) -> nn.Module:
    """The net in evaluation mode after its batch norms saw a batch of noise (4, 3, *sides): every layer has a say."""
    torch.manual_seed(0)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None  # the first batch sets mean and deviation
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, 0, 0.2)
    with torch.no_grad():
        net.train()(torch.rand(4, 3, *sides))
    return net.eval()


def card_of(kind: str, size: int, classes: int = 3, resize: str = "stretch") -> ModelCard:
    """A card for square pictures of that size."""
    names = tuple(f"label {number}" for number in range(classes))
    return ModelCard("made", "touch", kind, names, (size, size), resize, scores={"f1": 0.5})


def written(tmp_path: Path, graph: nn.Module, card: ModelCard, pictures: int = 1, **more: bool) -> Path:
    """The graph's file, traced with so many pictures."""
    example = torch.rand(pictures, 3, *card.size, generator=torch.Generator().manual_seed(1))
    return export(graph, card, example, TorchRunner(graph, card).outputs, tmp_path / "made.onnx", **more)
