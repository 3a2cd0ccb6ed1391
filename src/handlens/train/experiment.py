"""One net with all that its training, measuring and export need, for every kind; it must not read pictures or loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.errors import InputError
from handlens.tasks import task_of
from handlens.train.config import Settings
from handlens.train.defaults import NetDefaults, check_task, defaults_of
from handlens.train.export.graphs import OVER
from handlens.train.inputs import network_input
from handlens.train.kinds import TRAINING_KINDS
from handlens.train.kinds.base import TrainingKind
from handlens.train.nets import catalog
from handlens.train.precision import Batch


@dataclass(frozen=True, eq=False)
class Experiment:
    """A net and how it is taught. about: what a checkpoint keeps to build it again, plain values only."""

    net: nn.Module
    card: ModelCard
    channels: int
    about: Mapping[str, Any]

    def inputs(self, batch: Batch) -> Tensor:
        """Return the batch's pictures as the net wants them: (n, c, h, w) float32, normalised, channels last."""
        return network_input(batch["image"], self.card.mean, self.card.std, self.channels)

    @property
    def kind(self) -> TrainingKind:
        """What a net that answers in this way needs to be trained."""
        return TRAINING_KINDS[self.card.kind]

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """Return the parts of the loss, "loss" among them."""
        return self.kind.loss(net, self.inputs(batch), batch, self.about)

    def graph(self) -> nn.Module:
        """Return the exported form: it ends in the canonical arrays of its kind."""
        return self.kind.graph(self.net, self.card, self.about, self.channels)

    def flattened(self) -> Experiment:
        """Return the experiment of a segmenter whose last class, as "hand over face", is to count as what is seen."""
        names = self.about["names"]
        if OVER not in names[-1]:
            return self
        upper, lower = (float(names.index(name)) for name in names[-1].split(OVER))
        return self.with_card(names=tuple(names[:-1]), options={**self.card.options, "upper": upper, "lower": lower})

    def with_card(self, **changes: Any) -> Experiment:
        """Return the same net with a changed card."""
        card = dataclasses.replace(self.card, **changes)
        return dataclasses.replace(self, card=card, about={**self.about, "card": card.to_json()})


def new_experiment(settings: Settings, names: Sequence[str]) -> Experiment:
    """Return a net with random weights for these labels, and its card.

    Raises:
        InputError: a network that does not answer the task, or fewer than two classes to tell apart.
    """
    kind = TRAINING_KINDS[check_task(settings.task, settings.net)]
    answers = kind.answers(names)
    if settings.angle and not kind.has_angle:
        raise InputError(f"angle = true is for nets that classify hands, not to {kind.name}.")
    if settings.angle:
        catalog.check_angle(settings.net)
    base, size = defaults_of(settings.net), (settings.size, settings.size)
    about = {
        "net": settings.net,
        "cfg": Path(settings.net).read_text("utf-8") if settings.net.lower().endswith(".cfg") else "",
        "margin": settings.margin,
        "embedding": settings.embedding,
        "angle": settings.angle,
        "smoothing": settings.smoothing,
        "dice": settings.dice,
        "names": list(names),
    }
    net = build(about)
    if not settings.size:
        sized: Any = net  # a Darknet has the size of its cfg
        size = (sized.size[1], sized.size[0]) if about["cfg"] else base.size
    stride = int(getattr(net, "stride", 1))
    if not kind.pads and (size[0] % stride or size[1] % stride):
        raise InputError(f"--size {size[0]}: the input of '{settings.net}' must be a multiple of {stride}.")
    shown, parts = kind.sight(task_of(settings.task), base)
    own = kind.card_options()
    options = {"parameters": float(sum(p.numel() for p in net.parameters())), **shown, **own.get("options", {})}
    card = ModelCard(
        name=Path(settings.net).stem.lower(), task=settings.task, kind=kind.name, names=answers, size=size,
        resize=base.resize, mean=base.mean, std=base.std, stride=max(1, stride),
        options=options, parts=own.get("parts", parts), thresholds=dict(own.get("thresholds", {})),
        data=(_data_note(settings),), licence="that of the user",
    )  # fmt: skip
    return Experiment(net, card, base.channels, about).with_card()


def _data_note(settings: Settings) -> str:
    """Return what the card says of the pictures."""
    part = f", {settings.frames} of its training part, drawn by seed {settings.plan.seed}" if settings.frames else ""
    return f"pictures of the user: {Path(settings.data).name}{part}"


def build(about: Mapping[str, Any]) -> nn.Module:
    """Return the net that a checkpoint's note speaks of, with random weights."""
    names, net = about["names"], str(about["net"])
    if about["cfg"]:
        return _darknet(str(about["cfg"]), net, len(names))
    if catalog.find(net).classes is None:  # a backbone alone
        from handlens.train.nets.backbones import backbone
        from handlens.train.nets.margins import Recogniser, margin

        width = int(about["embedding"])
        return Recogniser(backbone(net.lower(), width), margin(str(about["margin"]), width, len(names)))
    channels = TRAINING_KINDS[defaults_of(net).kind].channels_out(names)
    return catalog.build(net, channels, bool(about.get("angle", False)))


def restored(checkpoint: Mapping[str, Any], note: Mapping[str, Any]) -> Experiment:
    """Return the experiment of a checkpoint, with its averaged weights."""
    net = build(note)
    state = {key.removeprefix("net."): value for key, value in checkpoint["state_dict"].items()}
    net.load_state_dict(state)
    base: NetDefaults = defaults_of(str(note["net"]))
    return Experiment(net.eval(), ModelCard.from_json(str(note["card"])), base.channels, note)


def _darknet(cfg: str, name: str, classes: int) -> nn.Module:
    from handlens.train.nets.darknet.cfg import parse_cfg
    from handlens.train.nets.darknet.net import Darknet

    net = Darknet(parse_cfg(cfg))
    if net.classes != classes:
        raise InputError(
            f"'{name}' says classes={net.classes}, but the set has {classes}: write classes={classes} in every [yolo]"
            f" section and filters={3 * (5 + classes)} in the [convolutional] before it."
        )
    return net
