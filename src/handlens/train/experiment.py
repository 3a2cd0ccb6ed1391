"""One net with all that its training, measuring and export need, for every kind; it must not read pictures or loop."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.card import ModelCard
from handlens.errors import InputError
from handlens.train.config import Settings
from handlens.train.defaults import NetDefaults, check_task, defaults_of
from handlens.train.export.graphs import OVER, LayeredGraph, canonical_graph
from handlens.train.inputs import network_input
from handlens.train.nets import catalog
from handlens.train.nets.contact import ContactMaps
from handlens.train.nets.hand_encoder import RawMaps
from handlens.train.precision import Batch
from handlens.weights import DETECTOR

SMOOTH = 0.03
RATES = ("precision", "recall", "F1")


def contact_loss(maps: ContactMaps, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parts and their sum `loss`; batch as `contact_data.ContactSamples` collates it."""
    hand, weight = maps.hand[:, 0], batch["hand_weight"]
    bce = fn.binary_cross_entropy_with_logits(hand, batch["hand"], reduction="none")
    mask = (bce * weight).sum() / (weight.sum() + 1)
    exact = (weight.flatten(1).min(1).values > 0.9).float()  # composites: every pixel known
    p = torch.sigmoid(hand)
    inter, total = (p * batch["hand"]).sum((1, 2)), p.sum((1, 2)) + batch["hand"].sum((1, 2))
    dice = ((1 - (2 * inter + 1) / (total + 1)) * exact).sum() / (exact.sum() + 1e-3)
    balance = torch.ones(maps.regions.shape[1], device=hand.device)
    balance[0] = 0.3
    parts = fn.cross_entropy(maps.regions, batch["parts"], balance, ignore_index=255)
    touch = _weighted_bce(maps.touch, batch["touch"] * (1 - 2 * SMOOTH) + SMOOTH, batch["touch_weight"])
    over = _weighted_bce(maps.over, batch["over"], batch["over_weight"])
    region = _weighted_bce(maps.region, batch["region"], batch["region_weight"])
    boxed = _box_evidence(p, batch["box"])
    loss = 2 * mask + dice + parts + 1.5 * touch + 0.5 * over + 0.5 * region + 0.2 * boxed
    return {
        "loss": loss,
        "mask": mask,
        "dice": dice,
        "parts": parts,
        "touch": touch,
        "over": over,
        "region": region,
        "boxed": boxed,
    }


def _weighted_bce(logit: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    value = fn.binary_cross_entropy_with_logits(logit, target, reduction="none")
    return (value * weight).sum() / (weight.sum() + 1e-3)


def _box_evidence(p: Tensor, box: Tensor) -> Tensor:
    """A marked box holds a hand: the mean of its best third of pixels should be high (a weak label's mask loss)."""
    area = box.sum((1, 2))
    has = (area > 12).float()
    best = (p * box).flatten(1).sort(1, descending=True).values
    rank = torch.arange(best.shape[1], device=p.device).unsqueeze(0)
    chosen = (rank < (0.33 * area).unsqueeze(1)).float()
    mean = (best * chosen).sum(1) / (chosen.sum(1) + 1e-3)
    return -(torch.log(mean.clamp(1e-3, 1)) * has).sum() / (has.sum() + 1e-3)


def facehand_loss(maps: RawMaps, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """CenterNet's focal heat loss, and for size and offset L1 at the centres (arXiv 1904.07850) with IoU beside it.

    batch: heat (n, c, h, w) Gaussian targets, heat_weight (n, c, h, w), box (n, c, 4, h, w): log size and offset at
    the centre cells, centre (n, c, h, w) weights there.
    """
    p = torch.sigmoid(maps.heat).clamp(1e-4, 1 - 1e-4)
    goal, weight = batch["heat"], batch["heat_weight"]
    positive = (goal > 0.999).float()
    gain = -torch.log(p) * (1 - p) ** 2 * positive
    pain = -torch.log(1 - p) * p**2 * (1 - goal) ** 4 * (1 - positive)
    count = positive.sum() + 1
    heat = ((gain + pain) * weight).sum() / count
    n, c, h, w = goal.shape
    size, offset = maps.size.view(n, c, 2, h, w), maps.offset.view(n, c, 2, h, w)
    near = batch["centre"].unsqueeze(2)
    amount = near.sum() + 1e-3
    l1 = ((size - batch["box"][:, :, :2]).abs() * near).sum() / amount
    shift = ((offset - batch["box"][:, :, 2:]).abs() * near).sum() / amount
    return {"loss": heat + 0.6 * l1 + 0.6 * shift, "heat": heat, "size": l1, "offset": shift}


def dice_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """1 - the soft Dice overlap of each class but the background, over the whole batch (arXiv 1606.04797).

    logits: (n, classes, h, w), or (n, 1, h, w) for one sigmoid; mask: (n, h, w) int64, 255 counts nowhere.
    """
    known = (mask != 255).unsqueeze(1)
    p = torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)[:, 1:]
    classes = torch.arange(1, p.shape[1] + 1, device=mask.device).view(1, -1, 1, 1)
    truth = ((mask.unsqueeze(1) == classes) & known).float()
    p = p * known
    shared, total = (p * truth).sum((0, 2, 3)), p.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    return (1 - (2 * shared + 1) / (total + 1)).mean()


def pixel_rates(said: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Precision, recall and F1 of the pixels of one batch, 0 where there is nothing; said, truth: (k,) bool."""
    hit, called, there = (pixels.sum().float() for pixels in (said & truth, said, truth))
    rates = hit / called.clamp(min=1), hit / there.clamp(min=1), 2 * hit / (called + there).clamp(min=1)
    return dict(zip(RATES, rates, strict=True))


SCORES = {"detect": "mAP 0.5", "classify": "balanced accuracy", "segment": "IoU mean"}
"""The number of the report that decides which epoch was the best."""


@dataclass(frozen=True, eq=False)
class Experiment:
    """A net and how it is taught. about: what a checkpoint keeps to build it again, plain values only."""

    net: nn.Module
    card: ModelCard
    channels: int
    about: Mapping[str, Any]

    def inputs(self, batch: Batch) -> Tensor:
        """The batch's pictures as the net wants them: (n, c, h, w) float32, normalised, channels last."""
        return network_input(batch["image"], self.card.mean, self.card.std, self.channels)

    def loss(self, net: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """The parts of the loss, "loss" among them."""
        classify = partial(_classify, smoothing=float(self.about.get("smoothing", 0.0)))
        losses: dict[str, Callable[[nn.Module, Tensor, Batch], dict[str, Tensor]]] = {
            "detect": _detect,
            "classify": classify,
            "segment": partial(_segment, weight=float(self.about.get("dice", 0.0))),
        }
        return losses[self.card.kind](net, self.inputs(batch), batch)

    def graph(self) -> nn.Module:
        """The exported form: it ends in the canonical arrays of its kind."""
        names = self.about["names"]
        if OVER in names[-1] and len(self.card.names) < len(names):
            return LayeredGraph(self.net, names)
        return canonical_graph(self.net, self.card.kind, grey=self.channels == 1)

    def flattened(self) -> Experiment:
        """The experiment of a segmenter whose last class, as "hand over face", is to count as what is seen."""
        names = self.about["names"]
        if OVER not in names[-1]:
            return self
        upper, lower = (float(names.index(name)) for name in names[-1].split(OVER))
        return self.with_card(names=tuple(names[:-1]), options={**self.card.options, "upper": upper, "lower": lower})

    def with_card(self, **changes: Any) -> Experiment:
        """The same net with a changed card."""
        card = dataclasses.replace(self.card, **changes)
        return dataclasses.replace(self, card=card, about={**self.about, "card": card.to_json()})


def new_experiment(settings: Settings, names: Sequence[str]) -> Experiment:
    """A net with weights of chance for these labels, and its card.

    Raises:
        InputError: a network that does not answer the task, or fewer than two classes to tell apart.
    """
    kind = check_task(settings.task, settings.net)
    if kind == "classify" and len(names) < 2:
        raise InputError(f"there is only the class '{names[0]}': telling classes apart needs at least two.")
    if settings.angle and kind != "classify":
        raise InputError(f"angle = true is for nets that classify hands, not to {kind}.")
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
    if kind != "segment" and (size[0] % stride or size[1] % stride):  # those of masks pad and cut by themselves
        raise InputError(f"--size {size[0]}: the input of '{settings.net}' must be a multiple of {stride}.")
    shown, parts = sight(settings.task, base)
    card = ModelCard(
        name=Path(settings.net).stem.lower(), task=settings.task, kind=kind, names=tuple(names), size=size,
        resize=base.resize, mean=base.mean, std=base.std, stride=max(1, stride),
        options={"parameters": float(sum(p.numel() for p in net.parameters())), **shown}, parts=parts,
        data=(_told(settings),), licence="that of the user",
    )  # fmt: skip
    return Experiment(net, card, base.channels, about).with_card()


def _told(settings: Settings) -> str:
    """What the card says of the pictures."""
    part = f", {settings.frames} of its training part, drawn by seed {settings.plan.seed}" if settings.frames else ""
    return f"pictures of the user: {Path(settings.data).name}{part}"


def sight(task: str, base: NetDefaults) -> tuple[dict[str, float], dict[str, str]]:
    """How a net that judges one hand is shown it: options and parts of its card."""
    if base.kind != "classify":
        return {}, {}
    if base.channels == 1:
        return {"silhouette" if base.silhouette else "grey": 1.0}, {}
    # Fingers reach beyond the boxes of hands: with 1.5 signs were told better than with 1.2 in every source.
    return {"closeup": 1.0, "crop_scale": 1.5} if task == "gesture" else {}, {"detector": DETECTOR}


def build(about: Mapping[str, Any]) -> nn.Module:
    """The net that a checkpoint's note speaks of, with weights of chance."""
    names, net = about["names"], str(about["net"])
    if about["cfg"]:
        return _darknet(str(about["cfg"]), net, len(names))
    if defaults_of(net).kind == "classify" and catalog.find(net).classes is None:
        from handlens.train.nets.backbones import backbone
        from handlens.train.nets.margins import Recogniser, margin

        width = int(about["embedding"])
        return Recogniser(backbone(net.lower(), width), margin(str(about["margin"]), width, len(names)))
    one_channel = defaults_of(net).kind == "segment" and len(names) == 2
    return catalog.build(net, 1 if one_channel else len(names), bool(about.get("angle", False)))


def restored(checkpoint: Mapping[str, Any], note: Mapping[str, Any]) -> Experiment:
    """The experiment of a checkpoint, with its averaged weights."""
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


def _detect(net: nn.Module, x: Tensor, batch: Batch) -> dict[str, Tensor]:
    return net.loss(net(x), batch["boxes"])  # type: ignore[operator,no-any-return]


def _classify(net: nn.Module, x: Tensor, batch: Batch, smoothing: float) -> dict[str, Tensor]:
    """Cross-entropy; where the net tells a direction also 1 - cos of its error, and the error in degrees."""
    from handlens.train.nets.margins import Recogniser

    answer = net(x, batch["label"]) if isinstance(net, Recogniser) else net(x)
    logits, direction = (answer, None) if isinstance(answer, Tensor) else answer
    loss = nn.functional.cross_entropy(logits.float(), batch["label"], label_smoothing=smoothing)
    hits = (logits.argmax(1) == batch["label"]).float().mean()
    if direction is None:
        return {"loss": loss, "accuracy": hits}
    cosine = nn.functional.cosine_similarity(direction.float(), batch["angle"])
    degrees = torch.rad2deg(torch.acos(cosine.detach().clamp(-1, 1)))
    return {"loss": loss + (1 - cosine).mean(), "accuracy": hits, "angle": degrees.mean()}


def _segment(net: nn.Module, x: Tensor, batch: Batch, weight: float) -> dict[str, Tensor]:
    """Cross-entropy over the known pixels, and as much of the Dice loss; nets may answer at a smaller size.

    Precision, recall and F1 take all but the background for one class, as the published nets have it.
    """
    logits, mask = net(x).float(), batch["mask"].long()
    if logits.shape[2:] != mask.shape[1:]:
        logits = nn.functional.interpolate(logits, mask.shape[1:], mode="bilinear", align_corners=False)
    counted = mask != 255
    if logits.shape[1] == 1:
        truth = (mask == 1).float()
        loss = nn.functional.binary_cross_entropy_with_logits(logits[:, 0], truth, weight=counted.float())
        said = (logits[:, 0] > 0).long()
    else:
        loss = nn.functional.cross_entropy(logits, mask, ignore_index=255)
        said = logits.argmax(1)
    said, known = said[counted], mask[counted]
    parts = {"loss": loss, "accuracy": (said == known).float().mean(), **pixel_rates(said > 0, known > 0)}
    if not weight:
        return parts
    dice = dice_loss(logits, mask)
    return {**parts, "loss": loss + weight * dice, "dice": dice}
