"""Training of segmenters: a mask for each picture, the mean IoU decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.train.augment.config import PRESETS, AugmentConfig
from handlens.train.export.graphs import OVER, LayeredGraph, PixelGraph
from handlens.train.kinds.base import Kind, Make, SampleOptions
from handlens.train.loader.segment_sample import check_masks, segment_sample
from handlens.train.precision import Batch

RATES = ("precision", "recall", "F1")
FEW = 100  # pictures with masks; with fewer the stronger preset is worth naming


class Segment(Kind):
    """A class for each pixel."""

    name = "segment"
    score = "IoU mean"
    has_curves = True
    pads = True

    def check(self, train: LabelledSet) -> None:
        """Refuse masks of one class."""
        check_masks(train)

    def hint(self, train: LabelledSet, augment: AugmentConfig) -> str:
        """Few pictures are named."""
        if len(train) < FEW and augment != PRESETS["few"]:
            return f"{len(train)} pictures are few to learn from: --set augment=few changes them more strongly"
        return ""

    def channels_out(self, names: Sequence[str]) -> int:
        """One for each name; of background and one class the logit of that class is enough."""
        return 1 if len(names) == 2 else len(names)

    def maker(self, found: LabelledSet, card: ModelCard, options: SampleOptions) -> Make:
        """Pictures with their masks."""
        return segment_sample

    def loss(self, net: nn.Module, x: Tensor, batch: Batch, about: Mapping[str, Any]) -> dict[str, Tensor]:
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
            predicted = (logits[:, 0] > 0).long()
        else:
            loss = nn.functional.cross_entropy(logits, mask, ignore_index=255)
            predicted = logits.argmax(1)
        predicted, known = predicted[counted], mask[counted]
        parts = {"loss": loss, "accuracy": (predicted == known).float().mean(), **pixel_rates(predicted > 0, known > 0)}
        weight = float(about.get("dice", 0.0))
        if not weight:
            return parts
        dice = dice_loss(logits, mask)
        return {**parts, "loss": loss + weight * dice, "dice": dice}

    def graph(self, net: nn.Module, card: ModelCard, about: Mapping[str, Any], channels: int) -> nn.Module:
        """Probabilities; of a flattened experiment (see `Experiment.flattened`) also where a class is covered."""
        names = about["names"]
        if OVER in names[-1] and len(card.names) < len(names):
            return LayeredGraph(net, names)
        return PixelGraph(net)


def dice_loss(logits: Tensor, mask: Tensor) -> Tensor:
    """1 - the soft Dice overlap of each class but the background, over the whole batch (arXiv 1606.04797).

    Args:
        logits: (n, classes, h, w), or (n, 1, h, w) for one sigmoid.
        mask: (n, h, w) int64, 255 counts nowhere.
    """
    known = (mask != 255).unsqueeze(1)
    p = torch.sigmoid(logits) if logits.shape[1] == 1 else torch.softmax(logits, dim=1)[:, 1:]
    classes = torch.arange(1, p.shape[1] + 1, device=mask.device).view(1, -1, 1, 1)
    truth = ((mask.unsqueeze(1) == classes) & known).float()
    p = p * known
    shared, total = (p * truth).sum((0, 2, 3)), p.sum((0, 2, 3)) + truth.sum((0, 2, 3))
    return (1 - (2 * shared + 1) / (total + 1)).mean()


def pixel_rates(predicted: Tensor, truth: Tensor) -> dict[str, Tensor]:
    """Precision, recall and F1 of the pixels of one batch, 0 where there is nothing; said, truth: (k,) bool."""
    hit, called, there = (pixels.sum().float() for pixels in (predicted & truth, predicted, truth))
    rates = hit / called.clamp(min=1), hit / there.clamp(min=1), 2 * hit / (called + there).clamp(min=1)
    return dict(zip(RATES, rates, strict=True))
