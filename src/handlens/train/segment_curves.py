"""What the log of a segmenter holds of each epoch, as the published trainings draw it; knows no nets and no files."""

from __future__ import annotations

import torch

from handlens.data.dataset import LabelledSet
from handlens.evaluate.segment import foreground
from handlens.report import Report
from handlens.train.augment.config import PLAIN
from handlens.train.experiment import Course
from handlens.train.loader.loader import Batches, Samples
from handlens.train.losses import RATES


def epoch_rates(report: Report, names: tuple[str, ...]) -> dict[str, float]:
    """Accuracy, precision, recall and F1 of a measurement, over all pixels of the set, as the log calls them.

    names: the set's, background first.
    """
    every = foreground(names)
    wanted = {"pixel accuracy": "accuracy"} | {f"{rate} {every}": rate for rate in RATES}
    return {wanted[row.name]: row.value for row in report if row.name in wanted}


def held_loss(course: Course, val: LabelledSet, batch: int) -> float:
    """The loss on pictures that are not learned from, unchanged; the mean over batches, as in training."""
    device = next(course.net.parameters()).device
    batches = Batches(Samples(val, course.card, PLAIN), batch, shuffle=False, on_skip=lambda sentence: None)
    with torch.no_grad():
        losses = [course.loss(course.net, {key: value.to(device) for key, value in one.items()}) for one in batches]
    return sum(float(parts["loss"]) for parts in losses) / len(losses)
