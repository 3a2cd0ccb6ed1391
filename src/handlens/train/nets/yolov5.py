"""YOLOv5 n, s, m, l, x in the layout of release 5.0; knows nothing of data, losses or loops.

Cross-stage partial blocks after arXiv 1911.11929, pyramid pooling after arXiv 1406.4729, two-way pyramid after arXiv
1803.01534. Modules are named so that the tensors of that release's state dicts find their place by name.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor, nn

from handlens.errors import InputError, unknown
from handlens.train.nets.anchors import Decoded, canonical, cells, check_anchors, check_size
from handlens.train.nets.fuse import fuse
from handlens.train.nets.weights_files import load_by_name, read_state
from handlens.train.nets.yolov5_loss import Gains, boxes_of, yolov5_loss

STRIDES = (8, 16, 32)
ANCHORS = (
    ((10, 13), (16, 30), (33, 23)),
    ((30, 61), (62, 45), (59, 119)),
    ((116, 90), (156, 198), (373, 326)),
)
"""Width and height in input pixels, three a level: those found on COCO at 640."""

SCALES = {"n": (0.33, 0.25), "s": (0.33, 0.5), "m": (0.67, 0.75), "l": (1.0, 1.0), "x": (1.33, 1.25)}
"""Depth and width multiples of the five sizes."""


class Conv(nn.Sequential):
    """Convolution without bias, batch norm, SiLU; same padding."""

    def __init__(self, cin: int, cout: int, kernel: int = 1, stride: int = 1) -> None:
        conv = nn.Conv2d(cin, cout, kernel, stride, kernel // 2, bias=False)
        norm = nn.BatchNorm2d(cout, eps=1e-3, momentum=0.03)
        super().__init__(OrderedDict(conv=conv, bn=norm, act=nn.SiLU()))


class Focus(nn.Module):
    """Each 2x2 square of pixels becomes one place with four times the channels, then a 3x3 Conv."""

    def __init__(self, cin: int, cout: int) -> None:
        super().__init__()
        self.conv = Conv(4 * cin, cout, 3)

    def forward(self, x: Tensor) -> Tensor:
        quarters = [x[..., row::2, column::2] for column in (0, 1) for row in (0, 1)]
        answer: Tensor = self.conv(torch.cat(quarters, dim=1))
        return answer


class Bottleneck(nn.Module):
    """1x1 and 3x3 Conv, with the identity added where `shortcut` says so."""

    def __init__(self, channels: int, shortcut: bool) -> None:
        super().__init__()
        self.cv1, self.cv2, self.shortcut = Conv(channels, channels), Conv(channels, channels, 3), shortcut

    def forward(self, x: Tensor) -> Tensor:
        y = self.cv2(self.cv1(x))
        answer: Tensor = x + y if self.shortcut else y
        return answer


class C3(nn.Module):
    """Half the channels go through bottlenecks, half past them; both are joined by a 1x1 Conv."""

    def __init__(self, cin: int, cout: int, depth: int, shortcut: bool) -> None:
        super().__init__()
        half = cout // 2
        self.cv1, self.cv2, self.cv3 = Conv(cin, half), Conv(cin, half), Conv(2 * half, cout)
        self.m = nn.Sequential(*(Bottleneck(half, shortcut) for _ in range(depth)))

    def forward(self, x: Tensor) -> Tensor:
        answer: Tensor = self.cv3(torch.cat((self.m(self.cv1(x)), self.cv2(x)), dim=1))
        return answer


class SPP(nn.Module):
    """Maxima over 5, 9 and 13 places beside the map itself."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.cv1, self.cv2 = Conv(channels, channels // 2), Conv(2 * channels, channels)
        self.m = nn.ModuleList(nn.MaxPool2d(size, 1, size // 2) for size in (5, 9, 13))

    def forward(self, x: Tensor) -> Tensor:
        x = self.cv1(x)
        answer: Tensor = self.cv2(torch.cat((x, *(pool(x) for pool in self.m)), dim=1))
        return answer


class Concat(nn.Module):
    """Joins maps of one size by their channels."""

    def forward(self, maps: list[Tensor]) -> Tensor:
        return torch.cat(maps, dim=1)


class Detect(nn.Module):
    """A 1x1 convolution a level: maps -> raw maps (n, 3, h, w, 5 + classes)."""

    anchors: Tensor
    strides: Tensor

    def __init__(self, classes: int, channels: list[int]) -> None:
        super().__init__()
        self.fields = 5 + classes
        self.register_buffer("strides", torch.tensor(STRIDES, dtype=torch.float32).view(3, 1, 1), persistent=False)
        self.register_buffer("anchors", torch.tensor(ANCHORS, dtype=torch.float32) / self.strides)  # in cells
        self.m = nn.ModuleList(nn.Conv2d(c, 3 * self.fields, 1) for c in channels)
        for head, stride in zip(self.m, STRIDES, strict=True):
            with torch.no_grad():  # begin with few boxes: about 8 in a picture of 640 (prior after arXiv 1708.02002)
                bias = head.get_parameter("bias").view(3, self.fields)
                bias[:, 4] = math.log(8 / (640 / stride) ** 2)
                bias[:, 5:] = math.log(0.6 / (classes - 0.99))

    def forward(self, maps: list[Tensor]) -> list[Tensor]:
        raw = []
        for head, x in zip(self.m, maps, strict=True):
            n, _, height, width = x.shape
            raw.append(head(x).view(n, 3, self.fields, height, width).permute(0, 1, 3, 4, 2))
        return raw


class Row(NamedTuple):
    """One layer: what it is, the layers it takes its maps from (-1: the one before)."""

    layer: nn.Module
    sources: tuple[int, ...] = (-1,)


class YoloV5(nn.Module):
    """Pictures (n, 3, h, w), h and w multiples of 32, in [0, 1] -> three raw maps; gains: what its loss weighs how.

    Raises:
        InputError: an unknown size, no class, or pictures whose sides are not multiples of 32.
    """

    stride = STRIDES[-1]

    def __init__(self, size: str = "s", classes: int = 80, gains: Gains | None = None) -> None:
        super().__init__()
        if size not in SCALES:
            raise InputError(unknown("size of YOLOv5", size, SCALES))
        if classes < 1:
            raise InputError(f"{classes} classes: a detector needs at least one.")
        self.size, self.classes, self.gains = size, classes, gains or Gains()
        rows = _rows(*SCALES[size], classes)
        self.model = nn.ModuleList(row.layer for row in rows)
        self.sources = [row.sources for row in rows]

    def forward(self, x: Tensor) -> list[Tensor]:
        check_size(x, 32)
        seen: list[Tensor] = []
        for layer, sources in zip(self.model, self.sources, strict=True):
            taken = [seen[source] if seen else x for source in sources]
            seen.append(layer(taken) if isinstance(layer, Concat | Detect) else layer(taken[0]))
        return seen[-1]  # type: ignore[return-value]

    @property
    def _detect(self) -> Detect:
        head = self.model[-1]
        if not isinstance(head, Detect):
            raise TypeError(f"the last layer of YOLOv5 is a Detect, not a {type(head).__name__}")
        return head

    def decode(self, raw: list[Tensor]) -> tuple[Tensor, Tensor]:
        """Raw maps -> boxes (n, k, 4) x1 y1 x2 y2 in input pixels and scores (n, k, classes) in [0, 1].

        A centre may leave its cell by half a cell; a side is at most four times its anchor's.
        """
        found = []
        for level, stride, anchors in zip(raw, STRIDES, self._detect.anchors, strict=True):
            level = level.float()
            found.append((boxes_of(level, cells(level), anchors.view(3, 1, 1, 2)) * stride, level))
        return canonical(found)

    def loss(self, raw: list[Tensor], boxes: Tensor) -> dict[str, Tensor]:
        """Raw maps, true boxes (m, 6) of picture row, class, x1 y1 x2 y2 in pixels -> `loss` and its parts."""
        return yolov5_loss(raw, boxes, self._detect.anchors, STRIDES, self.gains)

    def graph(self) -> Decoded:
        """Return the form to export."""
        return Decoded(self)

    def anchors(self) -> Tensor:
        """(9, 2) the anchors of the three levels, width and height in input pixels."""
        head = self._detect
        return (head.anchors * head.strides).flatten(0, 1)

    def set_anchors(self, anchors: Sequence[Sequence[float]]) -> None:
        """Take nine other anchors, in pixels: the smallest three for the finest level, and so on.

        Raises:
            InputError: not nine, or sides that are none.
        """
        head = self._detect
        head.anchors.copy_(check_anchors(anchors, 9).view(3, 3, 2).to(head.strides) / head.strides)


YoloV5Graph = Decoded
"""The form to export."""


def load_yolov5(path: Path, size: str) -> YoloV5:
    """Read a state dict of release 5.0 (fused or not); the class count is found in it.

    Raises:
        InputError: not such a file, or of another size.
    """
    state = {name.replace("model.model.", "model.", 1): value for name, value in read_state(path).items()}
    state = {name: value for name, value in state.items() if not name.endswith("anchor_grid")}
    head = state.get("model.24.m.0.bias")
    if head is None or len(head) % 3 or len(head) < 18:
        raise InputError(
            f"'{path}' is not a YOLOv5 in the layout of release 5.0: it has no usable 'model.24.m.0.bias'."
        )
    net = YoloV5(size, len(head) // 3 - 5)
    if not any(".bn." in name for name in state):
        net = fuse(net)
    load_by_name(net, state, path)
    return net.eval()


def _rows(depth: float, width: float, classes: int) -> list[Row]:
    """Return the 25 layers, backbone, neck and head."""
    c1, c2, c3, c4, c5 = (math.ceil(c * width / 8) * 8 for c in (64, 128, 256, 512, 1024))
    short, long = (max(round(n * depth), 1) for n in (3, 9))
    return [
        Row(Focus(3, c1)),
        Row(Conv(c1, c2, 3, 2)),
        Row(C3(c2, c2, short, True)),
        Row(Conv(c2, c3, 3, 2)),
        Row(C3(c3, c3, long, True)),
        Row(Conv(c3, c4, 3, 2)),
        Row(C3(c4, c4, long, True)),
        Row(Conv(c4, c5, 3, 2)),
        Row(SPP(c5)),
        Row(C3(c5, c5, short, False)),
        Row(Conv(c5, c4)),
        Row(nn.Upsample(scale_factor=2.0, mode="nearest")),
        Row(Concat(), (-1, 6)),
        Row(C3(2 * c4, c4, short, False)),
        Row(Conv(c4, c3)),
        Row(nn.Upsample(scale_factor=2.0, mode="nearest")),
        Row(Concat(), (-1, 4)),
        Row(C3(2 * c3, c3, short, False)),
        Row(Conv(c3, c3, 3, 2)),
        Row(Concat(), (-1, 14)),
        Row(C3(2 * c3, c4, short, False)),
        Row(Conv(c4, c4, 3, 2)),
        Row(Concat(), (-1, 10)),
        Row(C3(2 * c4, c5, short, False)),
        Row(Detect(classes, [c3, c4, c5]), (17, 20, 23)),
    ]
