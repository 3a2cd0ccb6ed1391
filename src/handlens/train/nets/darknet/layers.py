"""The layers a Darknet .cfg can ask for, each built from its section; knows neither files nor whole networks."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from handlens.errors import InputError, unknown
from handlens.train.nets.darknet.cfg import Section
from handlens.train.nets.darknet.yolo_layer import Yolo, rules_of

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "leaky": lambda: nn.LeakyReLU(0.1),
    "relu": nn.ReLU,
    "mish": nn.Mish,
    "swish": nn.SiLU,
    "logistic": nn.Sigmoid,
    "tanh": nn.Tanh,
}


@dataclass(frozen=True)
class Shape:
    """What a layer gives: so many channels, each place being `stride` input pixels."""

    channels: int
    stride: float


class Pool(nn.Module):
    """Maxima as Darknet takes them: `padding` places in all, the smaller half of them left and above."""

    def __init__(self, size: int, stride: int, padding: int) -> None:
        super().__init__()
        self.size, self.stride, self.padding = size, stride, padding

    def forward(self, x: Tensor) -> Tensor:
        before, after = self.padding // 2, self.padding - self.padding // 2
        x = nn.functional.pad(x, (before, after, before, after), value=float("-inf"))
        return nn.functional.max_pool2d(x, self.size, self.stride)


class Route(nn.Module):
    """Joins layers by their channels, or takes one of several equal groups of their channels."""

    def __init__(self, sources: Sequence[int], groups: int = 1, group: int = 0) -> None:
        super().__init__()
        self.sources, self.groups, self.group = tuple(sources), groups, group

    def forward(self, maps: list[Tensor]) -> Tensor:
        if self.groups > 1:
            maps = [x.chunk(self.groups, dim=1)[self.group] for x in maps]
        return torch.cat(maps, dim=1) if len(maps) > 1 else maps[0]


class Shortcut(nn.Module):
    """Adds layers of one size to the first; as in Darknet only the channels that both have are added."""

    def __init__(self, sources: Sequence[int], activation: nn.Module) -> None:
        super().__init__()
        self.sources, self.act = tuple(sources), activation

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Return (n, channels of the first, h, w) for maps of one size."""
        total = maps[0]
        for x in maps[1:]:
            shared = min(total.shape[1], x.shape[1])
            rest = total[:, shared:]
            total = total[:, :shared] + x[:, :shared]
            if rest.shape[1]:
                total = torch.cat([total, rest], dim=1)
        answer: Tensor = self.act(total)
        return answer


def _last(shapes: list[Shape], first: Shape) -> Shape:
    return shapes[-1] if shapes else first


def _activation(section: Section, default: str) -> nn.Module:
    name = section.text("activation", default)
    if name not in ACTIVATIONS:
        raise InputError(f"{section.place}: {unknown('activation', name, ACTIVATIONS)}")
    return ACTIVATIONS[name]()


def _convolutional(section: Section, shapes: list[Shape], first: Shape) -> tuple[nn.Module, Shape]:
    shape = _last(shapes, first)
    filters, size, stride = (section.integer(key, 1, 1) for key in ("filters", "size", "stride"))
    groups, dilation = section.integer("groups", 1, 1), section.integer("dilation", 1, 1)
    padding = size // 2 * dilation if section.integer("pad", 0) else section.integer("padding", 0, 0)
    if shape.channels % groups or filters % groups:
        raise InputError(f"{section.place}: {groups} groups divide not both {shape.channels} and {filters} channels.")
    normed = bool(section.integer("batch_normalize", 0))
    conv = nn.Conv2d(shape.channels, filters, size, stride, padding, dilation, groups, bias=not normed)
    parts: OrderedDict[str, nn.Module] = OrderedDict(conv=conv)
    if normed:
        parts["norm"] = nn.BatchNorm2d(filters)
    parts["act"] = _activation(section, "logistic")
    return nn.Sequential(parts), Shape(filters, shape.stride * stride)


def _maxpool(section: Section, shapes: list[Shape], first: Shape) -> tuple[nn.Module, Shape]:
    shape, stride = _last(shapes, first), section.integer("stride", 1, 1)
    size = section.integer("size", stride, 1)
    return Pool(size, stride, section.integer("padding", size - 1, 0)), Shape(shape.channels, shape.stride * stride)


def _upsample(section: Section, shapes: list[Shape], first: Shape) -> tuple[nn.Module, Shape]:
    shape, factor = _last(shapes, first), section.integer("stride", 2, 1)
    if section.number("scale", 1.0) != 1.0:
        raise InputError(f"{section.place}: only scale=1 is known here.")
    return nn.Upsample(scale_factor=float(factor), mode="nearest"), Shape(shape.channels, shape.stride / factor)


def _sources(section: Section, key: str, shapes: list[Shape]) -> list[int]:
    """Return the layers a section names, counted from the first (0 or more) or back from here (negative)."""
    here, found = len(shapes), []
    for number in section.integers(key):
        source = number if number >= 0 else here + number
        if not 0 <= source < here:
            raise InputError(f"{section.place}: there is no layer {number} before it; it is layer {here} itself.")
        found.append(source)
    strides = {source: shapes[source].stride for source in found}
    if len(set(strides.values())) > 1:
        sizes = ", ".join(f"layer {source} has stride {stride:g}" for source, stride in strides.items())
        raise InputError(f"{section.place}: the layers differ in size: {sizes}.")
    return found


def _route(section: Section, shapes: list[Shape], first: Shape) -> tuple[nn.Module, Shape]:
    sources = _sources(section, "layers", shapes)
    groups, group = section.integer("groups", 1, 1), section.integer("group_id", 0, 0)
    if group >= groups or any(shapes[source].channels % groups for source in sources):
        raise InputError(f"{section.place}: there is no group {group} of {groups} in its layers' channels.")
    channels = sum(shapes[source].channels for source in sources) // groups
    return Route(sources, groups, group), Shape(channels, shapes[sources[0]].stride)


def _shortcut(section: Section, shapes: list[Shape], first: Shape) -> tuple[nn.Module, Shape]:
    if not shapes:
        raise InputError(f"{section.place}: there is no layer before it.")
    sources = [len(shapes) - 1, *_sources(section, "from", shapes)]
    if len({shapes[source].stride for source in sources}) > 1:
        listed = ", ".join(f"layer {s} has stride {shapes[s].stride:g}" for s in sources)
        raise InputError(f"{section.place}: only layers of one size can be added; {listed}.")
    return Shortcut(sources, _activation(section, "linear")), shapes[-1]


def _yolo(section: Section, shapes: list[Shape], first: Shape) -> tuple[nn.Module, Shape]:
    shape, classes = _last(shapes, first), section.integer("classes", 20, 1)
    sides = section.numbers("anchors")
    count = section.integer("num", len(sides) // 2, 1)
    if len(sides) != 2 * count or min(sides) <= 0:
        raise InputError(f"{section.place}: num={count} asks for {2 * count} anchor sides above 0; {len(sides)} given.")
    mask = section.integers("mask") if "mask" in section.values else list(range(count))
    wrong = [number for number in mask if not 0 <= number < count]
    if wrong:
        raise InputError(f"{section.place}: mask names anchor {wrong[0]}, and there are {count}, counted from 0.")
    if section.integer("new_coords", 0):
        raise InputError(f"{section.place}: new_coords=1 is another kind of box than YOLOv3's; it is not known here.")
    filters = (classes + 5) * len(mask)
    if shape.channels != filters:
        raise InputError(
            f"{section.place}: the layer before it needs filters={filters}, (classes + 5) * {len(mask)}, "
            f"and has {shape.channels}."
        )
    if shape.stride < 1:
        raise InputError(f"{section.place}: its map is finer than the picture.")
    every = list(zip(sides[::2], sides[1::2], strict=True))
    return Yolo(every, mask, classes, int(shape.stride), section.number("scale_x_y", 1.0), rules_of(section)), shape


BUILDERS = {
    "convolutional": _convolutional,
    "maxpool": _maxpool,
    "upsample": _upsample,
    "route": _route,
    "shortcut": _shortcut,
    "yolo": _yolo,
}
"""For every section but [net]: (section, shapes of the layers before, shape of the picture) -> module and its shape."""
