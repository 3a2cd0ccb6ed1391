"""Everything a training can be told, from flags, a TOML file and the network's own defaults; knows no torch.

A flag wins over the file, the file over the defaults of the network, those over the defaults here. A key that does not
exist is an error that names the nearest one.
"""

from __future__ import annotations

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

from handlens.errors import InputError, unknown
from handlens.io.atomic import AtomicFile
from handlens.train.augment.config import AugmentConfig, find_preset
from handlens.train.fields import Doc, Row, check, converted, docs, rows, to_toml

OPTIMISERS = ("sgd", "adam", "adamw")
SCHEDULES = ("cosine", "steps", "constant")
PRECISIONS = ("auto", "32", "bf16")


@dataclass(frozen=True)
class Plan:
    """The schedule of a training: how long and how hard.

    Raises:
        InputError: a value outside its range.
    """

    epochs: Annotated[int, Doc("Passes over the training part.", above=0)] = 100
    minutes: Annotated[
        float | None, Doc("End after so many minutes, with the learning rate brought down by then.", above=0)
    ] = None
    batch: Annotated[int, Doc("Pictures for each step and device.", above=0)] = 16
    rate: Annotated[float, Doc("The learning rate at its highest.", above=0)] = 1e-3
    final: Annotated[float, Doc("The learning rate at the end, as a share of the highest.", least=0)] = 0.01
    schedule: Annotated[
        str, Doc("How the rate falls: `cosine`, `steps` or `constant`.", "cosine", choices=SCHEDULES)
    ] = "cosine"
    milestones: Annotated[
        tuple[float, ...], Doc("For `steps`: the shares of the run after which the rate is divided by ten.", "")
    ] = ()
    optimiser: Annotated[
        str, Doc("`sgd` (with Nesterov's momentum), `adam` or `adamw`.", "adamw", choices=OPTIMISERS)
    ] = "adamw"
    momentum: Annotated[float, Doc("Momentum of `sgd`; for Adam its first beta.", least=0, below=1)] = 0.9
    decay: Annotated[float, Doc("Weight decay, on kernels only.", least=0)] = 0.02
    warmup: Annotated[float, Doc("Epochs in which the rate rises.", least=0)] = 1.0
    warm_power: Annotated[
        float, Doc("The rate rises with this power of the time: 1 evenly, 4 as the burn-in of Darknet.")
    ] = 1.0
    warm_bias: Annotated[float | None, Doc("The rate of biases at the start, which falls to the common one.")] = None
    warm_momentum: Annotated[float | None, Doc("The momentum at the start of the warm-up.")] = None
    average: Annotated[
        float,
        Doc(
            "Decay of the averaged weights (EMA); 0: none. The averaged weights are measured and exported.",
            least=0,
            below=1,
        ),
    ] = 0.999
    clip: Annotated[float, Doc("The largest norm of the gradient.", least=0)] = 10.0
    accumulate: Annotated[int, Doc("Steps whose gradients are added up before the weights change.", above=0)] = 1
    patience: Annotated[
        int, Doc("Early stopping: end after so many measurements without a better score; 0: never.", least=0)
    ] = 0
    check: Annotated[int, Doc("Measure on the validation part every so many epochs.", above=0)] = 1
    save: Annotated[
        int,
        Doc("Write the checkpoint every so many epochs: more than 1 saves time with large networks.", above=0),
    ] = 1
    steps: Annotated[int, Doc("Batches in an epoch; 0: all.", least=0)] = 0
    precision: Annotated[
        str,
        Doc(
            "`32`, `bf16`, or with `auto` the faster of the two, timed on the first batch.", "auto", choices=PRECISIONS
        ),
    ] = "auto"
    device: Annotated[
        str, Doc("Where to train: `auto`, `cpu`, `gpu` (or `cuda`), `mps`. One that is not there is refused.", "auto")
    ] = "auto"
    devices: Annotated[
        int, Doc("Devices in each machine, at most as many as there are; for a CPU its cores.", above=0)
    ] = 1
    nodes: Annotated[int, Doc("Machines.", above=0)] = 1
    seed: Annotated[int, Doc("Seed of all random numbers.")] = 0

    def __post_init__(self) -> None:
        check(self)

    def share(self, done: float) -> float:
        """Return the learning rate as a share of `rate`, warm-up left out. done: 0 at the start to 1 at the end."""
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

    Raises:
        InputError: a value outside its range.
    """

    task: str = ""
    data: Annotated[str, Doc("A labelled set: folder, yaml, json, list or npz.", "")] = ""
    net: Annotated[
        str,
        Doc(
            "A network's name or a Darknet `.cfg`; `handlens models` lists the names. Without one: for touch"
            " `contact-net`, or `nano` where boxes say which part is touched; `lite0` for hold, `segment-net` for"
            " segment; for gesture `silhouette-net` where the pictures are silhouettes, else `hand-net`, or `lite0`"
            " without the package of weights.",
            "by task",
        ),
    ] = ""
    size: Annotated[
        int,
        Doc(
            "Side of the network's input in pixels. For detectors a multiple of the stride, mostly 32.",
            "the network's",
            least=0,
        ),
    ] = 0
    start: Annotated[
        str,
        Doc(
            "Weights to begin from: a run, a `.ckpt`, `.pt`, `.safetensors`, Darknet `.weights`, the name of a shipped"
            " model, or `none` for random ones. Also the first part of Darknet's weights (`.conv.74`) and YOLOv5 5.0 as"
            " plain tensors. The networks of shipped models begin with the weights of these:"
            " `contact-net` with `touch`, `face-hand-net` with `facehand`, `hand-net` with"
            " `signs`, `silhouette-net` with `digits`, `segment-net` with `segment`.",
            "random",
        ),
    ] = ""
    pretrained: Annotated[
        str,
        Doc(
            "Weights for the encoder of `lite0`, `vgg` and `deeplabv3plus`: `imagenet`, a file of them, or `none`. For"
            " `lite0` they come from an installed package; for the others `imagenet` may use the network connection,"
            " and a file is as torchvision has them.",
            "the network's",
        ),
    ] = "none"
    frames: Annotated[
        int,
        Doc(
            "Learn from only so many pictures of the training part; 0: all. They are drawn by the seed, spread over the"
            " groups, and are the same for every network; 25 of them are among the 50 of the same seed.",
            least=0,
        ),
    ] = 0
    anchors: Annotated[str, Doc("`auto` fits them to the boxes of the set, `keep` leaves the network's.", "auto")] = (
        "auto"
    )
    margin: Annotated[
        str,
        Doc("Margin of a backbone: `softmax`, `arcface`, `cosface`, `sphereface` or `multimargin`.", "softmax"),
    ] = "softmax"
    embedding: Annotated[int, Doc("Width of the embedding of a backbone.")] = 512
    angle: Annotated[
        bool,
        Doc(
            "The network also learns by how many degrees a hand is turned; the set's pictures count as upright."
            " `silhouette-net` does; `hand-net`, `digits6` and `gestures20` can.",
            "the network's",
        ),
    ] = False
    turning: Annotated[
        str,
        Doc(
            "Classes that are one shape in several directions, counter-clockwise from the one that points up, as in"
            " `up,left,down,right`. Turning a picture then turns its label.",
            "",
        ),
    ] = ""
    smoothing: Annotated[
        float, Doc("Share of the truth that is spread over all classes (arXiv 1512.00567).", least=0, below=1)
    ] = 0.0
    dice: Annotated[
        float,
        Doc(
            "For masks: weight of the soft Dice loss (arXiv 1606.04797) beside the cross-entropy.",
            "the network's",
            least=0,
        ),
    ] = 0.0
    even: Annotated[bool, Doc("Draw all classes equally often.")] = False
    balance: Annotated[
        bool, Doc("Draw people evenly: each picture with a weight of 1 / sqrt(pictures of its group).")
    ] = False
    epoch: Annotated[int, Doc("Pictures in an epoch; 0: all.", least=0)] = 0
    cache: Annotated[bool, Doc("Keep the resized pictures in memory, up to 1 GB: faster where decoding is slow.")] = (
        False
    )
    workers: Annotated[int, Doc("Processes that make samples. The samples are the same for any number.", least=0)] = 1
    plan: Plan = field(default_factory=Plan)
    augment: AugmentConfig = field(default_factory=AugmentConfig)

    def __post_init__(self) -> None:
        check(self)

    def changed(self, given: Mapping[str, Any]) -> Settings:
        """Return the same settings with these keys changed, those of the plan too.

        Args:
            given: "augment" is the name of a preset or a table; the old name "look" is accepted.

        Raises:
            InputError: an unknown key, or a value of another type.
        """
        own, plan = renamed(given), {}
        preset, table = self.augment, own.pop("augment", {})
        if isinstance(table, str):
            preset, table = find_preset(table), {}
        if not isinstance(table, Mapping):
            raise InputError(f"the setting 'augment' needs the name of a preset or a table, got {table!r}.")
        for key in list(own):
            if key in docs(Plan):
                plan[key] = own.pop(key)
        for key in own:
            if key != "task" and key not in docs(Settings):
                raise InputError(unknown("setting", key, {*docs(Settings), *docs(Plan), "task", "augment"}))
        for key in table:
            if key not in docs(AugmentConfig):
                raise InputError(unknown("setting of augment", key, docs(AugmentConfig)))
        return dataclasses.replace(
            self,
            **_converted(Settings, own),
            plan=dataclasses.replace(self.plan, **_converted(Plan, plan)),
            augment=dataclasses.replace(preset, **_converted(AugmentConfig, table)),
        )

    def to_toml(self) -> str:
        """Return the text of a config file that says exactly this."""
        values = {"task": self.task, **{key: getattr(self, key) for key in docs(Settings)}}
        values |= dataclasses.asdict(self.plan)
        table = dataclasses.asdict(self.augment)
        return "\n".join([*_lines(values), "", "[augment]", *_lines(table)]) + "\n"

    def save(self, path: Path) -> None:
        """Write the config file."""
        with AtomicFile(path) as draft:
            draft.write(self.to_toml().encode())


def read_toml(path: Path) -> dict[str, Any]:
    """Return the keys of a config file, each under its name of today.

    Raises:
        InputError: no such file, or no TOML; the sentence names the line.
    """
    try:
        return renamed(tomllib.loads(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise InputError(f"the config file '{path}' cannot be read: {reason}.") from error
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"the config file '{path}' is no TOML: {error}.") from error


def parse_set(text: str) -> dict[str, Any]:
    """Read `key=value` as one would write it in TOML; `augment.mosaic=0.5` reaches into the table `augment`.

    Raises:
        InputError: no key, or a value TOML does not know.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InputError(f"--set needs KEY=VALUE, as in --set augment.mosaic=0.5, not '{text}'.")
    try:
        return renamed(tomllib.loads(f"{key} = {value}"))
    except tomllib.TOMLDecodeError:
        try:  # a bare word is a text
            return renamed(tomllib.loads(f'{key} = "{value.strip()}"'))
        except tomllib.TOMLDecodeError as error:
            raise InputError(f"--set cannot read '{text}': {error}.") from error


def merged(given: Mapping[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with more of them; single numbers of `augment` change the preset named before them.

    Raises:
        InputError: there is no preset of that name.
    """
    out = renamed(given)
    for key, value in renamed(more).items():
        before = out.get(key, {})
        if isinstance(value, Mapping) and isinstance(before, str) and key == "augment":
            before = dataclasses.asdict(find_preset(before))
        out[key] = {**before, **value} if isinstance(value, Mapping) and isinstance(before, Mapping) else value
    return out


def renamed(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings with the names of today: `augment` was `look` in earlier runs.

    Raises:
        InputError: both names are given.
    """
    if "look" in given and "augment" in given:
        raise InputError("'look' is the old name of 'augment': give one of them.")
    return {"augment" if key == "look" else key: value for key, value in given.items()}


def describe() -> dict[str, tuple[Row, ...]]:
    """Return all settings in the tables of the page: key, type, default and meaning of each.

    The keys of "augment" are set in the table [augment], the others at the top of a config file.
    """
    return {"settings": rows(Settings), "plan": rows(Plan), "augment": rows(AugmentConfig)}


def help_of(key: str) -> str:
    """Return what the help of a flag says of its setting: the first sentence of the meaning."""
    return {**docs(Settings), **docs(Plan)}[key].brief


def _converted(kind: type, values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: converted(kind, key, value) for key, value in values.items()}


def _lines(values: Mapping[str, Any]) -> list[str]:
    return [f"{key} = {to_toml(value)}" for key, value in values.items() if value is not None]
