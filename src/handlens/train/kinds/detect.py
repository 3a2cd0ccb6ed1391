"""Training of detectors: boxes in, mean average precision decides; a net brings its own loss and graph."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.predictor import Predictor
from handlens.report import Report
from handlens.train.calibration import tuned
from handlens.train.kinds.base import Kind, Make, SampleOptions
from handlens.train.loader.detect_sample import detect_sample
from handlens.train.precision import Batch


class Detect(Kind):
    """Boxes with labels."""

    name = "detect"
    score = "mAP 0.5"
    mosaics = True

    def maker(self, found: LabelledSet, card: ModelCard, options: SampleOptions) -> Make:
        """Pictures with their boxes."""
        return detect_sample

    def loss(self, net: nn.Module, x: Tensor, batch: Batch, about: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the net's own loss."""
        return net.loss(net(x), batch["boxes"])  # type: ignore[operator,no-any-return]

    def graph(self, net: nn.Module, card: ModelCard, about: Mapping[str, Any], channels: int) -> nn.Module:
        """Return the net's own graph."""
        detector: Any = net
        return cast(nn.Module, detector.graph())

    def trial(self, card: ModelCard, model: Path) -> str:
        """Return a line for the camera."""
        return f"'handlens watch --model {model}'"

    def tuned(self, predictor: Predictor, val: LabelledSet) -> tuple[ModelCard, Report] | None:
        """Return a threshold for each label, and where it can be told a calibration of touch."""
        return tuned(predictor, val), Report()
