"""What our own nets are trained to minimise; knows nothing of data files or loops."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as fn

from handlens.train.nets.contact import ContactMaps
from handlens.train.nets.hand_encoder import RawMaps

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
