"""Training of classifiers of hands: one label for each picture, balanced accuracy decides."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.predictor import Predictor
from handlens.report import Report
from handlens.tasks import Task
from handlens.train.calibration import cross_fitted, fitted, predict_set
from handlens.train.defaults import NetDefaults
from handlens.train.export.graphs import ProbabilityGraph
from handlens.train.kinds.base import Kind, Make, SampleOptions
from handlens.train.loader.classify_sample import classify_sample
from handlens.train.loader.silhouette_sample import silhouette_sample
from handlens.train.precision import Batch
from handlens.weights import DETECTOR


class Classify(Kind):
    """One label for each hand, and where the net tells it the direction of the hand."""

    name = "classify"
    score = "balanced accuracy"
    has_angle = True

    def check(self, train: LabelledSet) -> None:
        """Refuse a class that cannot be learned, as that of an empty folder."""
        there = {int(label) for picture in train for label in picture.labels}
        empty = [f"'{name}'" for place, name in enumerate(train.names) if place not in there]
        if empty:
            what = f"the class {empty[0]} has" if len(empty) == 1 else f"the classes {', '.join(empty)} have"
            raise InputError(
                f"{what} no pictures in the train part of '{train.root}': add some, or take the class away."
            )

    def check_pictures(self, found: LabelledSet) -> None:
        """Refuse pictures without their one label."""
        for picture in found:
            if len(picture.labels) != 1:
                raise InputError(f"'{picture.path}' has {len(picture.labels)} labels; a classifier needs exactly one.")

    def answers(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the labels of the set, at least two."""
        if len(names) < 2:
            raise InputError(f"there is only the class '{names[0]}': telling classes apart needs at least two.")
        return tuple(names)

    def sight(self, task: Task, base: NetDefaults) -> tuple[dict[str, float], dict[str, str]]:
        """Return that each hand is cut out, by its silhouette or by the shipped detector."""
        if base.channels == 1:
            return {"silhouette" if base.silhouette else "grey": 1.0}, {}
        # Fingers reach beyond the boxes of hands: with 1.5 signs were told better than with 1.2 in every source.
        return {"closeup": 1.0, "crop_scale": 1.5} if task.fingers else {}, {"detector": DETECTOR}

    def trial(self, card: ModelCard, model: Path) -> str:
        """Return a line for pictures, and how hands are found in them."""
        command = super().trial(card, model)
        if not card.parts:
            return command
        return f"{command}, which looks at each hand it finds, or add --crop whole where each picture shows one hand"

    def maker(self, found: LabelledSet, card: ModelCard, options: SampleOptions) -> Make:
        """Pictures with their label; of nets of silhouettes the one shape in each."""
        make = silhouette_sample if card.options.get("silhouette") == 1.0 else classify_sample
        return partial(make, channels=options.channels, angle=options.angle, ring=options.ring)

    def loss(self, net: nn.Module, x: Tensor, batch: Batch, about: Mapping[str, Any]) -> dict[str, Tensor]:
        """Cross-entropy; where the net tells a direction also 1 - cos of its error, and the error in degrees."""
        from handlens.train.nets.margins import Recogniser

        answer = net(x, batch["label"]) if isinstance(net, Recogniser) else net(x)
        logits, direction = (answer, None) if isinstance(answer, Tensor) else answer
        smoothing = float(about.get("smoothing", 0.0))
        loss = nn.functional.cross_entropy(logits.float(), batch["label"], label_smoothing=smoothing)
        hits = (logits.argmax(1) == batch["label"]).float().mean()
        if direction is None:
            return {"loss": loss, "accuracy": hits}
        cosine = nn.functional.cosine_similarity(direction.float(), batch["angle"])
        degrees = torch.rad2deg(torch.acos(cosine.detach().clamp(-1, 1)))
        return {"loss": loss + (1 - cosine).mean(), "accuracy": hits, "angle": degrees.mean()}

    def graph(self, net: nn.Module, card: ModelCard, about: Mapping[str, Any], channels: int) -> nn.Module:
        """Probabilities, the direction and the embedding."""
        return ProbabilityGraph(net, grey=channels == 1)

    def tuned(self, predictor: Predictor, val: LabelledSet) -> tuple[ModelCard, Report] | None:
        """Return a calibration of the probabilities where there is enough to fit it to; none on a test part."""
        if "test" in val.splits:
            return None
        predictions = predict_set(predictor, val)
        if not predictions.enough:
            return None
        return dataclasses.replace(predictor.card, calibration=fitted(predictions)), cross_fitted(predictions)
