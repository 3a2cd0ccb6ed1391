"""A network's layers with their parameter counts, as a table shows them; knows no particular training or task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from torch import nn

from handlens.train.nets.darknet.layers import Route, Shortcut
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.yolov5 import YoloV5


class Row(NamedTuple):
    """One layer: its number or name, what it is, its convolution or where its maps come from."""

    place: str
    layer: str
    detail: str
    parameters: int
    frozen: int


def rows(net: nn.Module) -> list[Row]:
    """One row for each layer; those of YOLOv5 are counted from 1, those of Darknet from 0, as their tables do."""
    table = [
        Row(place, kind, detail, sum(p.numel() for p in layer.parameters()), _frozen(layer))
        for place, kind, detail, layer in _layers(net)
    ]
    own = [] if isinstance(net, YoloV5 | Darknet) else list(net.named_parameters(recurse=False))
    return table + [Row(name, "Parameter", "x".join(map(str, p.shape)), p.numel(), 0) for name, p in own]


def _layers(net: nn.Module) -> Iterator[tuple[str, str, str, nn.Module]]:
    if isinstance(net, YoloV5):
        for number, (layer, sources) in enumerate(zip(net.model, net.sources, strict=True), 1):
            taken = "" if sources == (-1,) else _taken(number - 1 if s < 0 else s + 1 for s in sources)
            detail = f"{net.classes} classes, {taken}" if number == len(net.model) else taken or _shape(layer)
            yield str(number), type(layer).__name__, detail, layer
    elif isinstance(net, Darknet):
        for number, (layer, kind) in enumerate(zip(net.layers, net.kinds, strict=True)):
            detail = _taken(layer.sources) if isinstance(layer, Route | Shortcut) else _shape(layer)
            yield str(number), kind, detail, layer
    else:
        for name, layer in net.named_children():
            if isinstance(layer, nn.ModuleList):
                yield from ((f"{name}.{n}", type(part).__name__, _shape(part), part) for n, part in enumerate(layer))
            elif name == "backbone":
                yield from _layers(layer)
            else:
                yield name, type(layer).__name__, _shape(layer), layer


def _taken(sources: Iterator[int] | tuple[int, ...]) -> str:
    return f"of {', '.join(map(str, sources))}"


def _shape(layer: nn.Module) -> str:
    """Return the one convolution or linear map of a layer, or how many it has."""
    parts = [part for part in layer.modules() if isinstance(part, nn.Conv2d | nn.Linear)]
    if len(parts) != 1:
        return f"{len(parts)} maps" if parts else ""
    part = parts[0]
    if isinstance(part, nn.Linear):
        return f"{part.in_features} -> {part.out_features}"
    stride = f" / {part.stride[0]}" if part.stride[0] > 1 else ""
    return f"{part.in_channels} -> {part.out_channels}, {'x'.join(map(str, part.kernel_size))}{stride}"


def _frozen(layer: nn.Module) -> int:
    return sum(p.numel() for p in layer.parameters() if not p.requires_grad)
