"""A detector built from a Darknet .cfg: YOLOv3 and whatever else its layers can say; knows no data, losses or loops.

After arXiv 1804.02767; layers are numbered as Darknet numbers them, the section after [net] being layer 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor, nn

from handlens.errors import InputError
from handlens.train.nets.anchors import Decoded, canonical, cells, check_anchors, check_size
from handlens.train.nets.darknet.cfg import Section, parse_cfg, read_cfg, standard_cfg
from handlens.train.nets.darknet.layers import BUILDERS, Route, Shape, Shortcut
from handlens.train.nets.darknet.loss import yolov3_loss
from handlens.train.nets.darknet.yolo_layer import Yolo

EPSILON = 1e-5
"""Added to the variance by batch norms, as Darknet does when it trains on a GPU.

Others add other numbers: 1e-6 (OpenCV's reader, and the first Darknet, to the deviation), 1e-4 (the trainer of the
face-touch alarm). A .cfg says it as `batch_normalize_epsilon=1e-4` in [net], a key of ours that Darknet does not use.
"""


class Darknet(nn.Module):
    """Pictures (n, 3, h, w), sides multiples of the coarsest stride, in [0, 1] -> one raw map a yolo layer.

    Attributes:
        size: (width, height) that the cfg asks for.
        layers: One module a section; classes.
        stride: The coarsest.
        seen: Pictures that the weights were trained on, as the header of a .weights file says.
        remarks: Sentences on what the .cfg says that is not used.

    Raises:
        InputError: sections that make no network; the sentence names the section and its line.
    """

    def __init__(self, sections: Sequence[Section]) -> None:
        super().__init__()
        net = sections[0]
        self.size = (net.integer("width", 416, 1), net.integer("height", 416, 1))
        self.seen = 0
        self.remarks = [remark for section in sections for remark in section.remarks]
        self.kinds = [section.kind for section in sections[1:]]
        self.layers = nn.ModuleList()
        shapes: list[Shape] = []
        first = Shape(net.integer("channels", 3, 1), 1)
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
        self._expect_little()
        self._set_epsilon(net.number("batch_normalize_epsilon", EPSILON))
        self._needed = {source for layer in self.layers for source in getattr(layer, "sources", ())}

    @classmethod
    def from_cfg(cls, path: Path) -> Darknet:
        """Return the network of a .cfg file."""
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
        found = []
        for head, level in zip(self.heads, raw, strict=True):
            level = level.float()
            found.append((head.boxes(level, cells(level), head.anchors.view(-1, 1, 1, 2)), level))
        return canonical(found)

    def loss(self, raw: list[Tensor], boxes: Tensor) -> dict[str, Tensor]:
        """Raw maps, true boxes (m, 6) of picture row, class, x1 y1 x2 y2 in pixels -> parts and their sum `loss`."""
        return yolov3_loss(self.heads, raw, boxes)

    def graph(self) -> Decoded:
        """Return the form to export."""
        return Decoded(self)

    def anchors(self) -> Tensor:
        """(num, 2) the anchors of its [yolo] sections, width and height in input pixels.

        Raises:
            InputError: the sections list different anchors.
        """
        first = self.heads[0].every
        if any(not torch.equal(head.every, first) for head in self.heads):
            raise InputError("the [yolo] sections list different anchors: change them in the .cfg itself.")
        return first

    def set_anchors(self, anchors: Sequence[Sequence[float]]) -> None:
        """Take other anchors, in pixels; each section keeps its mask, which counts from the smallest.

        Raises:
            InputError: not as many as the .cfg lists, or sides that are none.
        """
        ordered = check_anchors(anchors, len(self.anchors()))
        for head in self.heads:
            head.every.copy_(ordered)

    def _set_epsilon(self, epsilon: float) -> None:
        """Give all batch norms that number, which is added to the variance."""
        if not 0 < epsilon < 1:
            raise InputError(f"[net]: batch_normalize_epsilon={epsilon:g} should lie between 0 and 1.")
        for layer in self.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.eps = epsilon

    def _expect_little(self) -> None:
        """Begin with a chance of 0.01 for an object in each place (arXiv 1708.02002), not with thousands of boxes."""
        for before, head in zip(self.layers, list(self.layers)[1:], strict=False):
            conv = before.conv if isinstance(before, nn.Sequential) else None
            if isinstance(head, Yolo) and isinstance(conv, nn.Conv2d) and conv.bias is not None:
                with torch.no_grad():
                    conv.bias.view(len(head.mask), -1)[:, 4] = math.log(0.01 / 0.99)


DarknetGraph = Decoded
"""The form to export."""
