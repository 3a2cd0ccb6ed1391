"""Darknet's .cfg files: text -> checked sections; it must not know torch.

The format: `[section]` lines, each followed by `key=value` lines; `#` and `;` begin comments.
The first section is `net`.
"""

from __future__ import annotations

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
        ema_alpha""",
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
"""The sections that exist here and the keys each may have."""

ALIASES = {"network": "net", "conv": "convolutional", "max": "maxpool"}


@dataclass(frozen=True)
class Section:
    """One section: its kind, its values by key, and where it stands in the file."""

    kind: str
    line: int
    values: dict[str, str] = field(default_factory=dict)

    @property
    def place(self) -> str:
        """How a message names the section."""
        return f"[{self.kind}] of line {self.line}"

    def text(self, key: str, default: str) -> str:
        """A word."""
        return self.values.get(key, default)

    def whole(self, key: str, default: int, least: int | None = None) -> int:
        """A whole number of at least `least`."""
        number = self._one(key, default, int, "a whole number")
        if least is not None and number < least:
            raise InputError(f"{self.place}: {key}={number} is too small; at least {least} is allowed.")
        return number

    def number(self, key: str, default: float) -> float:
        """Any number."""
        return self._one(key, default, float, "a number")

    def wholes(self, key: str) -> list[int]:
        """Whole numbers with commas between them; the key must be there."""
        return self._many(key, int, "whole numbers")

    def numbers(self, key: str) -> list[float]:
        """Numbers with commas between them; the key must be there."""
        return self._many(key, float, "numbers")

    def _one(self, key: str, default: T, kind: Callable[[str], T], said: str) -> T:
        if key not in self.values:
            return default
        try:
            return kind(self.values[key])
        except ValueError as error:
            raise InputError(f"{self.place}: {key}={self.values[key]} should be {said}.") from error

    def _many(self, key: str, kind: Callable[[str], T], said: str) -> list[T]:
        if key not in self.values:
            raise InputError(f"{self.place} has no '{key}='.")
        parts = [part.strip() for part in self.values[key].split(",") if part.strip()]
        try:
            found = [kind(part) for part in parts]
        except ValueError as error:
            raise InputError(f"{self.place}: {key}={self.values[key]} should be {said} with commas between.") from error
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
        raise InputError(f"'{path}' is no text file, so no .cfg of Darknet.") from error
    try:
        return parse_cfg(text)
    except InputError as error:
        raise InputError(f"'{path}': {error}") from error


def parse_cfg(text: str) -> list[Section]:
    """Text -> sections, the first of them `net`.

    Raises:
        InputError: an unknown section or key (the nearest known one is named), a key twice, or a line without `=`.
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
        if key not in KEYS[section.kind]:
            raise InputError(f"line {number}: {unknown(f'key in [{section.kind}]', key, KEYS[section.kind])}")
        if key in section.values:
            raise InputError(f"line {number}: '{key}' is there twice in the {section.place}.")
        section.values[key] = value
    if not sections or sections[0].kind != "net":
        raise InputError("a .cfg begins with the section [net].")
    if any(section.kind == "net" for section in sections[1:]):
        raise InputError("there is more than one section [net].")
    if len(sections) == 1:
        raise InputError("there is no layer after [net].")
    return sections


def _kind(line: str, number: int) -> str:
    if not line.endswith("]"):
        raise InputError(f"line {number}: '{line}' lacks its closing bracket.")
    name = line[1:-1].strip()
    kind = ALIASES.get(name, name)
    if kind not in KEYS:
        raise InputError(f"line {number}: {unknown('section', name, KEYS)}")
    return kind
