"""Darknet's .cfg files: text -> checked sections; it must not know torch.

The format: `[section]` lines, each followed by `key=value` lines; `#` and `;` begin comments.
The first section is `net`.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from handlens.errors import InputError, unknown

T = TypeVar("T")

_NAMES = {
    "net": """batch subdivisions width height channels inputs momentum decay angle saturation exposure hue learning_rate
        burn_in max_batches policy steps scales step scale power gamma max_crop min_crop aspect flip blur gaussian_noise
        mosaic mixup cutmix letter_box adam b1 b2 eps optimized_memory workspace_size_limit_mb max_chart_loss num_steps
        ema_alpha batch_normalize_epsilon""",
    "convolutional": """batch_normalize filters size stride pad padding groups dilation activation stopbackward
        dontload""",
    "maxpool": "size stride padding",
    "upsample": "stride scale",
    "route": "layers groups group_id",
    "shortcut": "from activation",
    "yolo": """mask anchors classes num jitter ignore_thresh truth_thresh random scale_x_y iou_thresh iou_loss
        iou_normalizer cls_normalizer obj_normalizer max_delta nms_kind beta_nms resize max label_smooth_eps
        counters_per_class map focal_loss show_details objectness_smooth new_coords""",
}

KEYS = {kind: frozenset(names.split()) for kind, names in _NAMES.items()}
"""The sections that exist here and the keys that are understood or known to matter for Darknet's training alone."""

_SHAPING = {
    "net": "width height channels",
    "convolutional": "batch_normalize filters size stride pad padding groups dilation activation",
    "maxpool": "size stride padding",
    "upsample": "stride scale",
    "route": "layers groups group_id",
    "shortcut": "from activation",
    "yolo": "mask anchors classes num scale_x_y new_coords",
}
"""The keys that decide what the network computes: one that is nearly one of these is taken for a slip."""

_FOREIGN = {
    "convolutional": """antialiasing assisted_excitation share_index deform sway rotate stretch stretch_sway coordconv
        xnor binary bin_output reverse flipped stride_x stride_y""",
    "maxpool": "antialiasing maxpool_depth out_channels stride_x stride_y",
    "shortcut": "weights_type weights_normalization",
    "yolo": "embedding_layer",
}
"""Keys of Darknet that change what the network computes and are not built here."""

SLIP = 0.8
"""How alike two keys must be, from 0 to 1, for one to be a slip of the other."""

ALIASES = {"network": "net", "conv": "convolutional", "max": "maxpool"}


@dataclass(frozen=True)
class Section:
    """One section: its kind, its values by key, where it stands in the file, and sentences on what is not used."""

    kind: str
    line: int
    values: dict[str, str] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)

    @property
    def place(self) -> str:
        """How a message names the section."""
        return f"[{self.kind}] of line {self.line}"

    def text(self, key: str, default: str) -> str:
        """Return a word."""
        return self.values.get(key, default)

    def integer(self, key: str, default: int, least: int | None = None) -> int:
        """Return a whole number of at least `least`."""
        number = self._one(key, default, int, "a whole number")
        if least is not None and number < least:
            raise InputError(f"{self.place}: {key}={number} is too small; at least {least} is allowed.")
        return number

    def number(self, key: str, default: float) -> float:
        """Any number."""
        return self._one(key, default, float, "a number")

    def integers(self, key: str) -> list[int]:
        """Whole numbers with commas between them; the key must be there."""
        return self._many(key, int, "whole numbers")

    def numbers(self, key: str) -> list[float]:
        """Numbers with commas between them; the key must be there."""
        return self._many(key, float, "numbers")

    def _one(self, key: str, default: T, kind: Callable[[str], T], expected: str) -> T:
        if key not in self.values:
            return default
        try:
            return kind(self.values[key])
        except ValueError as error:
            raise InputError(f"{self.place}: {key}={self.values[key]} should be {expected}.") from error

    def _many(self, key: str, kind: Callable[[str], T], expected: str) -> list[T]:
        if key not in self.values:
            raise InputError(f"{self.place} has no '{key}='.")
        parts = [part.strip() for part in self.values[key].split(",") if part.strip()]
        try:
            found = [kind(part) for part in parts]
        except ValueError as error:
            raise InputError(
                f"{self.place}: {key}={self.values[key]} should be {expected} with commas between."
            ) from error
        if not found:
            raise InputError(f"{self.place}: '{key}=' is empty.")
        return found


def read_cfg(path: Path) -> list[Section]:
    """Read and check a .cfg file.

    Raises:
        InputError: no such file, no text, or a line that is none of the format.
    """
    try:
        text = path.read_text("utf-8")
    except OSError as error:
        raise InputError(f"cannot read '{path}': {error.strerror}.") from error
    except UnicodeDecodeError as error:
        raise InputError(f"'{path}' is not a text file, so no .cfg of Darknet.") from error
    try:
        return parse_cfg(text)
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error


def parse_cfg(text: str) -> list[Section]:
    """Text -> sections, the first of them `net`.

    As in Darknet the first of two values of one key counts, and a key that nothing knows is not used; the section has
    a remark on both.

    Raises:
        InputError: an unknown section, a key that is nearly a known one (that one is named) or that changes what the
            network computes and is not built here, or a line without `=`.
    """
    sections: list[Section] = []
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.split("#")[0].split(";")[0].strip()
        if not line:
            continue
        if line.startswith("["):
            sections.append(Section(_kind(line, number), number))
            continue
        key, equals, value = (part.strip() for part in line.partition("="))
        if not equals or not key:
            raise InputError(f"line {number}: '{line}' is neither [section] nor key=value.")
        if not sections:
            raise InputError(f"line {number}: '{line}' stands before the first section; a .cfg begins with [net].")
        section = sections[-1]
        _add(section, key, value, number)
    if not sections or sections[0].kind != "net":
        raise InputError("a .cfg begins with the section [net].")
    if any(section.kind == "net" for section in sections[1:]):
        raise InputError("there is more than one section [net].")
    if len(sections) == 1:
        raise InputError("there is no layer after [net].")
    return sections


def _add(section: Section, key: str, value: str, number: int) -> None:
    """Put a key of a line into its section."""
    kind = section.kind
    if key in _FOREIGN.get(kind, "").split() and value not in ("0", "none", ""):
        raise InputError(
            f"line {number}: {key}={value} in [{kind}] changes what the network computes, and is not known here;"
            " only networks without it can be read."
        )
    if key not in KEYS[kind]:
        if difflib.get_close_matches(key, _SHAPING[kind].split(), cutoff=SLIP):
            raise InputError(f"line {number}: {unknown(f'key in [{kind}]', key, KEYS[kind])}")
        section.remarks.append(f"line {number}: '{key}' in [{kind}] is not used.")
    elif key in section.values:
        section.remarks.append(
            f"line {number}: '{key}' is there twice in the {section.place}; {section.values[key]} counts, the first."
        )
    else:
        section.values[key] = value


def _kind(line: str, number: int) -> str:
    if not line.endswith("]"):
        raise InputError(f"line {number}: '{line}' lacks its closing bracket.")
    name = line[1:-1].strip()
    kind = ALIASES.get(name, name)
    if kind not in KEYS:
        raise InputError(f"line {number}: {unknown('section', name, KEYS)}")
    return kind


ANCHORS = "10,13, 16,30, 33,23, 30,61, 62,45, 59,119, 116,90, 156,198, 373,326"
TINY_ANCHORS = "10,14, 23,27, 37,58, 81,82, 135,169, 344,319"

NET = """[net]
batch=64
subdivisions=16
width={side}
height={side}
channels=3
momentum=0.9
decay=0.0005
learning_rate=0.001
burn_in=1000
"""


def standard_cfg(name: str, classes: int = 80) -> str:
    """Return the text of `yolov3`, `yolov3-spp` (608 pixels) or `yolov3-tiny` for so many classes.

    Raises:
        InputError: another name, or no class.
    """
    if name not in _WRITERS:
        raise InputError(f"A .cfg is written for a YOLOv3 only: {unknown('YOLOv3', name, _WRITERS)}")
    if classes < 1:
        raise InputError(f"{classes} classes: a detector needs at least one.")
    side, layers = _WRITERS[name]
    return "\n".join([NET.format(side=side), *layers(classes)])


def _conv(filters: int, size: int, stride: int = 1) -> str:
    shape = f"filters={filters}\nsize={size}\nstride={stride}\npad=1"
    return f"[convolutional]\nbatch_normalize=1\n{shape}\nactivation=leaky\n"


def _out(classes: int) -> str:
    return f"[convolutional]\nsize=1\nstride=1\npad=1\nfilters={(classes + 5) * 3}\nactivation=linear\n"


def _yolo(classes: int, mask: str, anchors: str) -> str:
    count = len(anchors.split(",")) // 2
    return (
        f"[yolo]\nmask={mask}\nanchors={anchors}\nclasses={classes}\nnum={count}\n"
        "jitter=.3\nignore_thresh=.7\ntruth_thresh=1\nrandom=1\n"
    )


def _route(*layers: int) -> str:
    return f"[route]\nlayers={','.join(map(str, layers))}\n"


def _pool(size: int, stride: int) -> str:
    return f"[maxpool]\nsize={size}\nstride={stride}\n"


def _upsample() -> str:
    return "[upsample]\nstride=2\n"


def _darknet53() -> list[str]:
    """Return the backbone: 75 layers, strides 8, 16 and 32 end at layers 36, 61 and 74."""
    layers = [_conv(32, 3)]
    for filters, units in ((64, 1), (128, 2), (256, 8), (512, 8), (1024, 4)):
        layers.append(_conv(filters, 3, 2))
        for _ in range(units):
            layers += [_conv(filters // 2, 1), _conv(filters, 3), "[shortcut]\nfrom=-3\nactivation=linear\n"]
    return layers


def _pyramid() -> list[str]:
    """Spatial pyramid pooling: the map beside its maxima over 5, 9 and 13 places."""
    return [_pool(5, 1), _route(-2), _pool(9, 1), _route(-4), _pool(13, 1), _route(-1, -3, -5, -6)]


def _head(filters: int, classes: int, mask: str, spp: bool = False) -> list[str]:
    pair = [_conv(filters, 1), _conv(2 * filters, 3)]
    first = [*pair, _conv(filters, 1), *_pyramid(), *pair] if spp else [*pair, *pair]
    return [*first, *pair, _out(classes), _yolo(classes, mask, ANCHORS)]


def _full(classes: int, spp: bool = False) -> list[str]:
    return [
        *_darknet53(),
        *_head(512, classes, "6,7,8", spp),
        *(_route(-4), _conv(256, 1), _upsample(), _route(-1, 61)),
        *_head(256, classes, "3,4,5"),
        *(_route(-4), _conv(128, 1), _upsample(), _route(-1, 36)),
        *_head(128, classes, "0,1,2"),
    ]


def _tiny(classes: int) -> list[str]:
    layers = []
    for filters in (16, 32, 64, 128, 256):
        layers += [_conv(filters, 3), _pool(2, 2)]
    return [
        *(*layers, _conv(512, 3), _pool(2, 1), _conv(1024, 3), _conv(256, 1), _conv(512, 3)),
        *(_out(classes), _yolo(classes, "3,4,5", TINY_ANCHORS)),
        *(_route(-4), _conv(128, 1), _upsample(), _route(-1, 8), _conv(256, 3)),
        *(_out(classes), _yolo(classes, "0,1,2", TINY_ANCHORS)),
    ]


_WRITERS: dict[str, tuple[int, Callable[[int], list[str]]]] = {
    "yolov3": (416, _full),
    "yolov3-spp": (608, lambda classes: _full(classes, spp=True)),
    "yolov3-tiny": (416, _tiny),
}
