"""Training of the net that says whether a hand touches a face, and where, from boxes; the ROC AUC of touch decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as fn

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.evaluate.touch import TOUCH, touches_of
from handlens.predictor import Predictor, load, open_part
from handlens.report import Report
from handlens.runner import Runner
from handlens.tasks.touch import REGIONS
from handlens.train.calibration import touch_calibration
from handlens.train.kinds.base import Kind, Make, SampleOptions
from handlens.train.loader.face_sample import ROOM, SET_KINDS, face_sample, faces_of
from handlens.train.nets.contact import ContactMaps
from handlens.train.nets.facetouch import FaceMaps, FaceTouchGraph
from handlens.train.precision import Batch
from handlens.types import OWNERS
from handlens.weights import DETECTOR

SMOOTH = 0.03
SHIPPED = "touch"
"""The model whose network this is, and whose calibration holds until many pictures say otherwise."""


class ContactKind(Kind):
    """A look at each face that the shipped detector finds."""

    name = "contact"
    score = "touch ROC AUC"

    @property
    def set_kinds(self) -> tuple[str, ...]:
        """It learns from boxes of faces, hands and touches, or from pictures that are labelled "touch" or not."""
        return SET_KINDS

    def check(self, train: LabelledSet) -> None:
        """Refuse a set without touches, or without pictures that show none."""
        touched = touches_of(train)
        if not touched.all() and touched.any():
            return
        if not train.label_kind.has_boxes:
            others = ", ".join(name for name in train.names if name != TOUCH)
            raise InputError(
                f"the train part of '{train.root}' needs pictures with the label '{TOUCH}' and pictures with another"
                f" one, but has {', '.join(train.names)}: 'handlens data remap {train.root} --dest NEW --rename"
                f" {others.split(', ')[0]}={TOUCH}' renames a label."
            )
        missing = "shows a touch: label touched regions" if not touched.any() else "is without a touch: add some"
        raise InputError(
            f"no picture in the train part of '{train.root}' {missing}, or train a detector with --net nano."
        )

    def answers(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the labels of the shipped model, whatever the set has."""
        return (*OWNERS, *REGIONS)

    def card_options(self) -> Mapping[str, Any]:
        """Return what `tasks.contact` reads."""
        return {
            "thresholds": {"touch": 0.5, "score": 0.5},
            "parts": {"detector": DETECTOR},
            "options": {"max_faces": 6.0, "crop_scale": 2.0, "second_look": 1.6},
        }

    def units(self, found: LabelledSet, card: ModelCard) -> tuple[LabelledSet, ModelCard]:
        """Return samples are made of faces, with some room around what the net sees."""
        side = 2 * round(card.size[0] * ROOM / 2)
        return faces_of(found, side), dataclasses.replace(card, size=(side, side))

    def maker(self, found: LabelledSet, card: ModelCard, options: SampleOptions) -> Make:
        """Faces with what is known of them."""
        return partial(face_sample, size=card.size[0], named=found.names)

    def loss(self, net: nn.Module, x: Tensor, batch: Batch, about: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the loss of the shipped net, in 32 bits."""
        return contact_loss(FaceMaps(*(part.float() for part in net(x))), batch)

    def graph(self, net: nn.Module, card: ModelCard, about: Mapping[str, Any], channels: int) -> nn.Module:
        """Return the maps, the logit of a touch and the regions."""
        return FaceTouchGraph(net)  # type: ignore[arg-type]

    def trial(self, card: ModelCard, model: Path) -> str:
        """Return a line for the camera."""
        return f"'handlens watch --model {model}'"

    def parts(self, card: ModelCard) -> dict[str, Runner]:
        """Return the shipped detector."""
        return {role: open_part(name) for role, name in card.parts.items()}

    def tuned(self, predictor: Predictor, val: LabelledSet) -> tuple[ModelCard, Report] | None:
        """Return a calibration of the probability of a touch, of the whole chain with its detector."""
        calibration = touch_calibration(predictor, val, load(SHIPPED).card.calibration)
        return (dataclasses.replace(predictor.card, calibration=calibration), Report()) if calibration else None


def contact_loss(maps: ContactMaps | FaceMaps, batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """Parts and their sum `loss`.

    Args:
        maps: of the net.
        batch: hand, hand_weight, box (n, h, w) float; parts (n, h, w) int64, 255 = not known; touch, touch_weight,
            over, over_weight (n, 1); region, region_weight (n, 7).
    """
    hand, weight = maps.hand[:, 0], batch["hand_weight"]
    bce = fn.binary_cross_entropy_with_logits(hand, batch["hand"], reduction="none")
    mask = (bce * weight).sum() / (weight.sum() + 1)
    exact = (weight.flatten(1).min(1).values > 0.9).float()  # composites: every pixel known
    p = torch.sigmoid(hand)
    inter, total = (p * batch["hand"]).sum((1, 2)), p.sum((1, 2)) + batch["hand"].sum((1, 2))
    dice = ((1 - (2 * inter + 1) / (total + 1)) * exact).sum() / (exact.sum() + 1e-3)
    balance = torch.ones(maps.regions.shape[1], device=hand.device)
    balance[0] = 0.3
    known = bool((batch["parts"] != 255).any())  # a mean over no pixel is not a number
    parts = fn.cross_entropy(maps.regions, batch["parts"], balance, ignore_index=255) if known else hand.sum() * 0
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
    """Return a marked box holds a hand.

    The mean of its best third of pixels should be high (a weak label's mask loss).
    """
    area = box.sum((1, 2))
    has = (area > 12).float()
    best = (p * box).flatten(1).sort(1, descending=True).values
    rank = torch.arange(best.shape[1], device=p.device).unsqueeze(0)
    chosen = (rank < (0.33 * area).unsqueeze(1)).float()
    mean = (best * chosen).sum(1) / (chosen.sum(1) + 1e-3)
    return -(torch.log(mean.clamp(1e-3, 1)) * has).sum() / (has.sum() + 1e-3)
