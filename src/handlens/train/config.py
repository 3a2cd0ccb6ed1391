"""Everything a training can be told, from flags, a TOML file and the network's own recipe; knows no torch.

A flag wins over the file, the file over the recipe of the network, the recipe over the defaults. A key that does not
exist is an error that names the nearest one.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from handlens.errors import InputError, unknown
from handlens.io.atomic import AtomicFile
from handlens.train.augment.config import AugmentConfig, find_preset

OPTIMISERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "steps", "constant")
PRECISIONS = ("auto", "32", "bf16")


@dataclass(frozen=True)
class Plan:
    """The schedule of a training.

    epochs: passes over the training part. minutes: end earlier, the rate fully annealed by then. batch: pictures a
    step and device. rate, final: learning rate at its highest and, as a share of it, at the end. milestones: for
    "steps", the shares of the run after which the rate is divided by ten. warmup: epochs of rising rate, growing with
    the power `warm_power`; warm_bias: rate from which biases come down to it; warm_momentum: momentum at its start.
    average: decay of the averaged weights (EMA), 0 = none. clip: largest norm of the gradient. patience: epochs
    without a better score after which it ends, 0 = never. check: measure on the validation part every so many epochs.
    steps: batches an epoch, 0 = all. precision: "auto" takes the faster of 32 and bf16, timed on the first batch.
    devices, nodes: how many.

    Raises:
        InputError: a value outside its range.
    """

    epochs: int = 100
    minutes: float | None = None
    batch: int = 16
    rate: float = 1e-3
    final: float = 0.01
    schedule: str = "cosine"
    milestones: tuple[float, ...] = ()
    optimiser: str = "adamw"
    momentum: float = 0.9
    decay: float = 0.02
    warmup: float = 1.0
    warm_power: float = 1.0
    warm_bias: float | None = None
    warm_momentum: float | None = None
    average: float = 0.999
    clip: float = 10.0
    accumulate: int = 1
    patience: int = 0
    check: int = 1
    steps: int = 0
    precision: str = "auto"
    device: str = "auto"
    devices: int = 1
    nodes: int = 1
    seed: int = 0

    def __post_init__(self) -> None:
        for name, known in (("optimiser", OPTIMISERS), ("schedule", SCHEDULES), ("precision", PRECISIONS)):
            if getattr(self, name) not in known:
                raise InputError(unknown(name, str(getattr(self, name)), known))
        for name in ("epochs", "batch", "check", "devices", "nodes", "accumulate", "rate"):
            if not getattr(self, name) > 0:
                raise InputError(f"{name} must be above 0, got {getattr(self, name)}.")
        for name in ("decay", "warmup", "clip", "patience", "steps", "final", "momentum", "average"):
            if not getattr(self, name) >= 0:
                raise InputError(f"{name} must be 0 or more, got {getattr(self, name)}.")
        if self.average >= 1 or self.momentum >= 1:
            raise InputError("average and momentum are shares and must lie below 1.")
        if self.minutes is not None and self.minutes <= 0:
            raise InputError(f"minutes must be above 0, got {self.minutes}.")

    def share(self, done: float) -> float:
        """The learning rate as a share of `rate`, warm-up left out. done: 0 at the start to 1 at the end."""
        if self.schedule == "cosine":
            return self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))
        if self.schedule == "steps":
            return float(0.1 ** sum(done >= milestone for milestone in self.milestones))
        return 1.0

    def warm(self, epoch: float) -> float:
        """How far the warm-up has come at that (fractional) epoch, 0 to 1."""
        return 1.0 if epoch >= self.warmup else (epoch / self.warmup) ** self.warm_power


@dataclass(frozen=True)
class Settings:
    """What to train on what, and how.

    data: a labelled set. net: a network's name or a Darknet .cfg. size: side of the network's input in pixels, 0 = the
    network's own. start: weights to begin from. anchors: "auto" fits them to the boxes, "keep" leaves the network's.
    margin, embedding: for the backbones. balance: draw people evenly, 1 / sqrt(pictures). epoch: pictures an epoch, 0 =
    all. cache: keep the resized pictures in memory. workers: processes that make samples. angle: the net also learns
    by how many degrees a hand is turned, the set's pictures counting as upright. turning: classes that are one shape in
    several directions, counter-clockwise from the one that points up, as in "up,left,down,right": turning a picture
    turns its label. smoothing: share of the truth that is spread over all classes (arXiv 1512.00567). dice: of
    masks, the weight of the soft Dice loss (arXiv 1606.04797) beside the cross-entropy. even: draw the
    classes evenly. frames: learn from only so many pictures of the training part, 0 = all; drawn by the seed, spread
    over the groups, the same ones for every network, and 25 of them are among the 50 of the same seed. pretrained:
    weights for the encoder of a network that has one: "imagenet", a file of them, or "none".
    """

    task: str = ""
    data: str = ""
    net: str = ""
    size: int = 0
    start: str = ""
    anchors: str = "auto"
    margin: str = "softmax"
    embedding: int = 512
    angle: bool = False
    turning: str = ""
    smoothing: float = 0.0
    dice: float = 0.0
    even: bool = False
    balance: bool = False
    epoch: int = 0
    frames: int = 0
    pretrained: str = "none"
    cache: bool = False
    workers: int = 1
    plan: Plan = field(default_factory=Plan)
    look: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        if not 0 <= self.smoothing < 1:
            raise InputError(f"smoothing must lie between 0 and 1, got {self.smoothing}.")
        if self.frames < 0:
            raise InputError(f"frames must be 0, for all, or more, got {self.frames}.")

    def changed(self, given: Mapping[str, Any]) -> Settings:
        """The same settings with these keys changed, those of the plan too; "look" is a look's name or a table.

        Raises:
            InputError: an unknown key, or a value of another type.
        """
        own, plan = dict(given), {}
        changed, look = self.look, own.pop("look", {})
        if isinstance(look, str):
            changed, look = find_preset(look), {}
        for key in list(own):
            if key in _fields(Plan):
                plan[key] = own.pop(key)
        for key in own:
            if key not in _fields(Settings) or key == "plan":
                raise InputError(unknown("setting", key, {*_fields(Settings), *_fields(Plan)} - {"plan"}))
        for key in look:
            if key not in _fields(AugmentConfig):
                raise InputError(unknown("setting of the look", key, _fields(AugmentConfig)))
        return dataclasses.replace(
            self,
            **{key: _typed(Settings, key, value) for key, value in own.items()},
            plan=dataclasses.replace(self.plan, **{key: _typed(Plan, key, value) for key, value in plan.items()}),
            look=dataclasses.replace(
                changed, **{key: _typed(AugmentConfig, key, value) for key, value in look.items()}
            ),
        )

    def to_toml(self) -> str:
        """The text of a config file that says exactly this."""
        rows = {key: getattr(self, key) for key in _fields(Settings) if key not in ("plan", "look")}
        rows |= dataclasses.asdict(self.plan)
        lines = [f"{key} = {_toml(value)}" for key, value in rows.items() if value is not None]
        lines += ["", "[look]"]
        lines += [
            f"{key} = {_toml(value)}" for key, value in dataclasses.asdict(self.look).items() if value is not None
        ]
        return "\n".join(lines) + "\n"

    def save(self, path: Path) -> None:
        """Write the config file."""
        with AtomicFile(path) as draft:
            draft.write(self.to_toml().encode())


def read_toml(path: Path) -> dict[str, Any]:
    """The keys of a config file.

    Raises:
        InputError: no such file, or no TOML; the sentence names the line.
    """
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InputError(f"the config file '{path}' cannot be read: {reason}.") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the config file '{path}' is no TOML: {error}.") from error


def parse_set(text: str) -> dict[str, Any]:
    """`key=value` as one would write it in TOML -> the same mapping; `look.mosaic=0.5` reaches into the look.

    Raises:
        InputError: no key, or a value TOML does not know.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set needs KEY=VALUE, as in --set look.mosaic=0.5, not '{text}'.")
    try:
        return tomllib.loads(f"{key} = {value}")
    except tomllib.TOMLDecodeError:
        try:  # a bare word is a text
            return tomllib.loads(f'{key} = "{value.strip()}"')
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"--set cannot read '{text}': {error}.") from error


def merged(given: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """The settings with more of them; single numbers of a look change the one that was named before them.

    Raises:
        InputError: there is no look of that name.
    """
    out = dict(given)
    for key, value in more.items():
        before = out.get(key, {})
        if isinstance(value, Mapping) and isinstance(before, str) and key == "look":
            before = dataclasses.asdict(find_preset(before))
        out[key] = {**before, **value} if isinstance(value, Mapping) and isinstance(before, Mapping) else value
    return out


def _fields(kind: type) -> dict[str, Any]:
    return {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]


def _typed(kind: type, key: str, value: Any) -> Any:
    """The value as the field's type, where that loses nothing."""
    wanted = str(_fields(kind)[key].type)
    ok = True
    if wanted.startswith("bool"):
        ok = isinstance(value, bool)
    elif wanted.startswith("int"):
        ok = isinstance(value, int) and not isinstance(value, bool)
    elif wanted.startswith("float"):
        ok = (isinstance(value, int | float) and not isinstance(value, bool)) or (value is None and "None" in wanted)
        value = float(value) if ok and value is not None else value
    elif wanted.startswith("str"):
        ok = isinstance(value, str)
    elif wanted.startswith("tuple"):
        ok = isinstance(value, list | tuple) and all(isinstance(v, int | float) for v in value)
        value = tuple(value) if ok else value
    if not ok:
        raise InputError(f"the setting '{key}' needs a value of type {wanted}, got {value!r}.")
    return value


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, tuple | list):
        return "[" + ", ".join(_toml(v) for v in value) + "]"
    return repr(value)
