"""A detector built from a Darknet .cfg: YOLOv3 and whatever else its layers can say; knows no data, losses or loops.

After arXiv 1804.02767; layers are numbered as Darknet numbers them, the section after [net] being layer 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from handlens.errors import InputError
from handlens.train.nets.anchors import canonical, cells, check_size
from handlens.train.nets.darknet_cfg import Section, parse_cfg, read_cfg
from handlens.train.nets.darknet_layers import BUILDERS, Route, Shape, Shortcut, Yolo
from handlens.train.nets.darknet_standard import standard_cfg


class Darknet(nn.Module):
    """Pictures (n, 3, h, w), sides multiples of the coarsest stride, in [0, 1] -> one raw map a yolo layer.

    size: (width, height) that the cfg asks for; layers: one module a section.

    Raises:
        InputError: sections that make no network; the sentence names the section and its line.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        net = sections[0]
        self.size = (net.whole("width", 416, 1), net.whole("height", 416, 1))
        self.kinds = [section.kind for section in sections[1:]]
        self.layers = nn.ModuleList()
        shapes: list[Shape] = []
        first = Shape(net.whole("channels", 3, 1), 1)
        for section in sections[1:]:
            layer, shape = BUILDERS[section.kind](section, shapes, first)
            self.layers.append(layer)
            shapes.append(shape)
        self.heads = [layer for layer in self.layers if isinstance(layer, Yolo)]
        if not self.heads:
            raise InputError("the .cfg has no [yolo] section, so the network would detect nothing.")
        counts = {head.classes for head in self.heads}
        if len(counts) > 1:
            raise InputError(f"the [yolo] sections name different numbers of classes: {sorted(counts)}.")
        self.classes = counts.pop()
        self.stride = int(max(shape.stride for shape in shapes))
        self._needed = {source for layer in self.layers for source in getattr(layer, "sources", ())}

    @classmethod
    def from_cfg(cls, path: Path) -> Darknet:
        """The network of a .cfg file."""
        sections = read_cfg(path)
        try:
            return cls(sections)
        except InputError as error:
            raise InputError(f"'{path}': {error}") from error

    @classmethod
    def standard(cls, name: str, classes: int = 80) -> Darknet:
        """`yolov3`, `yolov3-spp` or `yolov3-tiny`."""
        return cls(parse_cfg(standard_cfg(name, classes)))

    def forward(self, x: Tensor) -> list[Tensor]:
        check_size(x, self.stride)
        kept: dict[int, Tensor] = {}
        raw = []
        for number, layer in enumerate(self.layers):
            x = layer([kept[source] for source in layer.sources]) if isinstance(layer, Route | Shortcut) else layer(x)
            if number in self._needed:
                kept[number] = x
            if isinstance(layer, Yolo):
                raw.append(x)
        return raw

    def decode(self, raw: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Raw maps -> boxes (n, k, 4) x1 y1 x2 y2 in input pixels and scores (n, k, classes) in [0, 1]."""
        levels = []
        for head, level in zip(self.heads, raw, strict=True):
            inside = torch.sigmoid(level[..., :2]) * head.spread - (head.spread - 1) / 2
            centre = (inside + cells(level)) * head.stride
            side = torch.exp(level[..., 2:4].clamp(max=10.0)) * head.anchors.view(-1, 1, 1, 2)
            levels.append((centre, side, level))
        return canonical(levels)


class DarknetGraph(nn.Module):
    """The exported form: pictures -> boxes and scores as `Darknet.decode` gives them."""

    def __init__(self, net: Darknet) -> None:
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.net.decode(self.net(x))
