"""Probabilities of labels tuned on the validation part, and what that is worth on others; knows no net or file.

Of two classes, both count alike however many pictures they have, so that the cut at one half is good for balanced
accuracy: fitted as a logistic regression (Platt 1999) it was worth .003 to .01 more there, on 100 to 250 made scores,
than the cut that is best on those scores themselves. Of more classes only a temperature is fitted (Guo et al. 2017,
arXiv 1706.04599).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.evaluate.bootstrap import Array, Drawn, rows
from handlens.evaluate.classify import Labels
from handlens.kinds.classify import TINY, calibrated
from handlens.predictor import Predictor
from handlens.report import Report
from handlens.train.calibration import fit_platt, logit
from handlens.types import Hand

FEW, EACH = 60, 15  # pictures in all, and of each of two classes, below which tuning would chase chance
SURE, CUT = ("log loss", "ECE"), ("accuracy", "balanced accuracy")
NOTE = (
    "How sure answers are was fitted to these very pictures, of two classes also the cut, which flatters; the"
    " cross-fitted rows were fitted to one half of the groups and measured on the other."
)


@dataclass(frozen=True, eq=False)
class Told:
    """What a net said of pictures. said: (n, classes) probabilities; truth: (n,) class; kin: the group of each."""

    names: tuple[str, ...]
    said: NDArray[np.float64]
    truth: NDArray[np.int64]
    kin: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether there is enough to tune on: pictures, two groups, and of two classes some of each."""
        counts = np.bincount(self.truth, minlength=len(self.names))
        return len(self.truth) >= FEW and len(set(self.kin)) > 3 and (len(self.names) > 2 or int(counts.min()) >= EACH)

    def of(self, some: NDArray[np.bool_]) -> Told:
        """The chosen pictures."""
        kin = tuple(name for name, chosen in zip(self.kin, some, strict=True) if chosen)
        return Told(self.names, self.said[some], self.truth[some], kin)


def asked(predictor: Predictor, val: LabelledSet) -> Told:
    """What a model without a calibration says of whole pictures; those without a hand or unreadable are left out."""
    said, truth, kin = [], [], []
    for picture in val:
        try:
            hands = predictor.predict(val.sample(picture).frame, crop="whole").value
        except InputError:
            continue
        assert isinstance(hands, tuple)
        if hands and isinstance(hands[0], Hand):
            said.append([hands[0].gesture.scores[name] for name in predictor.card.names])
            truth.append(predictor.card.names.index(val.names[int(picture.labels[0])]))
            kin.append(picture.kin)
    names = predictor.card.names
    return Told(names, np.array(said).reshape(-1, len(names)), np.array(truth, np.int64), tuple(kin))


def fitted(told: Told) -> dict[str, float]:
    """The calibration {"a", "b"} for `kinds.classify`. A person with many pictures counts 1 / sqrt(pictures) each."""
    _, person = np.unique(told.kin, return_inverse=True)
    weight = np.bincount(person)[person] ** -0.5
    if len(told.names) > 2:
        return {"a": round(_sharpness(told, weight / weight.mean()), 4), "b": 0.0}
    second = told.truth == 1
    for side in (second, ~second):
        weight[side] *= len(weight) / 2 / weight[side].sum()
    a, b = fit_platt(logit(told.said[:, 1]), second, weight)
    return {"a": round(a, 4), "b": round(b, 4)}


def cross_fitted(told: Told, resamples: int = 1000, seed: int = 0) -> Report:
    """How good labels are whose calibration comes from other groups; empty where a half has too little to fit to."""
    groups = np.unique(told.kin)
    first = set(np.random.default_rng(seed).permutation(groups)[: len(groups) // 2].tolist())
    half = np.array([name in first for name in told.kin])
    said = told.said.copy()
    for measured in (half, ~half):
        other = told.of(~measured)
        if len(told.names) == 2 and not 0 < other.truth.sum() < len(other.truth):
            return Report()
        said[measured] = calibrated(told.said[measured].astype(np.float32), fitted(other))
    labels = Labels(told.names, told.truth, said.argmax(1), said, np.full(len(said), np.nan))

    reported = SURE if len(told.names) > 2 else (*CUT, *SURE)  # a temperature alone changes no answer

    def metrics(weights: Array) -> list[Drawn]:
        kept = [row for row in labels.metrics(weights) if row.name in reported]
        return [row._replace(name=f"{row.name}, cross-fitted") for row in kept]

    return Report(rows(metrics, told.kin, resamples), (NOTE,))


def _sharpness(told: Told, weight: NDArray[np.float64]) -> float:
    """The power of probabilities at which the truth surprises least, between 0.05 and 20, by golden section."""
    logs = np.log(np.maximum(told.said, TINY))
    right = np.arange(len(told.truth)), told.truth

    def cost(power: float) -> float:
        scaled = np.exp(power) * logs
        surprise = np.logaddexp.reduce(scaled, axis=1) - scaled[right]
        return float((weight * surprise).sum() + 0.25 * power**2)  # leaning to 1 where little can be told

    low, high, ratio = float(np.log(0.05)), float(np.log(20.0)), (5**0.5 - 1) / 2
    for _ in range(40):
        left, other = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, other) if cost(left) < cost(other) else (left, high)
    return float(np.exp((low + high) / 2))
