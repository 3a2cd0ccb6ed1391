"""From raw scores on labelled pictures to thresholds and probabilities; knows no net and no files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.errors import FrameError, InputError
from handlens.evaluate import coco
from handlens.evaluate.bootstrap import Drawn, rows
from handlens.evaluate.classify import Labels
from handlens.evaluate.coco import Boxes
from handlens.evaluate.touch import touches_of
from handlens.kinds.classify import TINY, calibrated
from handlens.predictor import Predictor
from handlens.report import Report
from handlens.tasks import task_of
from handlens.types import Detections, Hand


def sigmoid(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-z)), safe far out."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -50, 50))))


def logit(p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the inverse of `sigmoid`, finite at 0 and 1."""
    p = np.clip(np.asarray(p, np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def fit_platt(
    logits: NDArray[np.float64],
    positive: NDArray[np.bool_],
    weight: NDArray[np.float64],
    prior: tuple[float, float] = (1.0, 0.0),
    hold: tuple[float, float] = (0.25, 5e-4),
) -> tuple[float, float]:
    """Return Platt's two numbers (a, b) by weighted logistic regression.

    Args:
        logits: (n,) of the model.
        positive: (n,) the truth.
        weight: (n,) how much each counts.
        prior: what a and b are without pictures.
        hold: how strongly they are held there: what their squared distance costs.
    """
    x, y = np.stack((logits, np.ones_like(logits)), 1), positive.astype(float)

    def cost(theta: NDArray[np.float64]) -> float:
        z = x @ theta
        return float((weight * (np.logaddexp(0, z) - y * z)).sum() + (strength * (theta - middle) ** 2).sum())

    middle, strength = np.array(prior, np.float64), np.array(hold, np.float64)
    theta = middle.copy()
    for _ in range(100):
        p = sigmoid(x @ theta)
        gradient = x.T @ (weight * (p - y)) + 2 * strength * (theta - middle)
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag(2 * strength)
        step = np.linalg.solve(hessian, gradient)
        while cost(theta - step) > cost(theta) and np.abs(step).max() > 1e-9:  # Newton overshoots from afar
            step = step / 2
        theta = theta - step
    return max(0.05, float(theta[0])), float(theta[1])


def best_threshold(score: NDArray[np.float64], hit: NDArray[np.bool_], there: int) -> float:
    """Return the score from which boxes are shown so that F1 is highest, between .05 and .9. there.

    Objects in truth.
    """
    if not len(score) or not there:
        return 0.25
    order = np.argsort(-score, kind="stable")
    right = np.cumsum(hit[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + there)
    best = int(f1.argmax())
    after = score[order][best + 1] if best + 1 < len(order) else 0.0
    return float(np.clip((score[order][best] + after) / 2, 0.05, 0.9))


FEW, EACH = 60, 15  # pictures in all, and of each of two classes, below which tuning would chase chance
SURE, CUT = ("log loss", "ECE"), ("accuracy", "balanced accuracy")
NOTE = (
    "How sure answers are was fitted to these very pictures, of two classes also the cut, which flatters; the"
    " cross-fitted rows were fitted to one half of the groups and measured on the other."
)


@dataclass(frozen=True, eq=False)
class Predictions:
    """What a net said of pictures. said: (n, classes) probabilities; truth: (n,) class; group_key: of each."""

    names: tuple[str, ...]
    probabilities: NDArray[np.float64]
    truth: NDArray[np.int64]
    group_key: tuple[str, ...]

    @property
    def enough(self) -> bool:
        """Whether there is enough to tune on: pictures, two groups, and of two classes some of each."""
        counts = np.bincount(self.truth, minlength=len(self.names))
        return (
            len(self.truth) >= FEW
            and len(set(self.group_key)) > 3
            and (len(self.names) > 2 or int(counts.min()) >= EACH)
        )

    def of(self, some: NDArray[np.bool_]) -> Predictions:
        """Return the chosen pictures."""
        groups = tuple(name for name, chosen in zip(self.group_key, some, strict=True) if chosen)
        return Predictions(self.names, self.probabilities[some], self.truth[some], groups)


def predict_set(predictor: Predictor, val: LabelledSet) -> Predictions:
    """Return what a model without a calibration says of whole pictures.

    Those without a hand or unreadable are left out.
    """
    probabilities, truth, groups = [], [], []
    for picture in val:
        try:
            hands = predictor.predict(val.sample(picture).frame, crop="whole").value
        except InputError:
            continue
        assert isinstance(hands, tuple)
        if hands and isinstance(hands[0], Hand):
            probabilities.append([hands[0].gesture.scores[name] for name in predictor.card.names])
            truth.append(predictor.card.names.index(val.names[int(picture.labels[0])]))
            groups.append(picture.group_key)
    names = predictor.card.names
    return Predictions(names, np.array(probabilities).reshape(-1, len(names)), np.array(truth, np.int64), tuple(groups))


def fitted(predictions: Predictions) -> dict[str, float]:
    """Return the calibration {"a", "b"} for `kinds.classify`.

    A person with many pictures counts 1 / sqrt(pictures) each.
    """
    _, person = np.unique(predictions.group_key, return_inverse=True)
    weight = np.asarray(np.bincount(person)[person] ** -0.5, np.float64)
    if len(predictions.names) > 2:
        return {"a": round(_sharpness(predictions, weight / weight.mean()), 4), "b": 0.0}
    second = predictions.truth == 1
    for side in (second, ~second):
        weight[side] *= len(weight) / 2 / weight[side].sum()
    a, b = fit_platt(logit(predictions.probabilities[:, 1]), second, weight)
    return {"a": round(a, 4), "b": round(b, 4)}


def cross_fitted(predictions: Predictions, resamples: int = 1000, seed: int = 0) -> Report:
    """How good labels are whose calibration comes from other groups; empty where a half has too little to fit to."""
    groups = np.unique(predictions.group_key)
    first = set(np.random.default_rng(seed).permutation(groups)[: len(groups) // 2].tolist())
    half = np.array([name in first for name in predictions.group_key])
    probabilities = predictions.probabilities.copy()
    for measured in (half, ~half):
        other = predictions.of(~measured)
        if len(predictions.names) == 2 and not 0 < other.truth.sum() < len(other.truth):
            return Report()
        probabilities[measured] = calibrated(predictions.probabilities[measured].astype(np.float32), fitted(other))
    labels = Labels(
        predictions.names,
        predictions.truth,
        probabilities.argmax(1),
        probabilities,
        np.full(len(probabilities), np.nan),
    )

    reported = SURE if len(predictions.names) > 2 else (*CUT, *SURE)  # a temperature alone changes no answer

    def metrics(weights: NDArray[np.float64]) -> list[Drawn]:
        kept = [row for row in labels.metrics(weights) if row.name in reported]
        return [row._replace(name=f"{row.name}, cross-fitted") for row in kept]

    return Report(rows(metrics, predictions.group_key, resamples), (NOTE,))


def _sharpness(predictions: Predictions, weight: NDArray[np.float64]) -> float:
    """Return the power of probabilities at which the truth surprises least, between 0.05 and 20, by golden section."""
    logs = np.log(np.maximum(predictions.probabilities, TINY))
    right = np.arange(len(predictions.truth)), predictions.truth

    def cost(power: float) -> float:
        scaled = np.exp(power) * logs
        surprise = np.logaddexp.reduce(scaled, axis=1) - scaled[right]
        return float((weight * surprise).sum() + 0.25 * power**2)  # leaning to 1 where little can be told

    low, high, ratio = float(np.log(0.05)), float(np.log(20.0)), (5**0.5 - 1) / 2
    for _ in range(40):
        left, other = high - ratio * (high - low), low + ratio * (high - low)
        low, high = (low, other) if cost(left) < cost(other) else (left, high)
    return float(np.exp((low + high) / 2))


LEAST = 0.001


def tuned(predictor: Predictor, val: LabelledSet) -> ModelCard:
    """Return the card with a threshold for each label, where F1 is highest.

    And where it can be told a touch calibration.

    A person with many pictures counts 1 / sqrt(pictures) each, as in the calibration of the shipped model.
    """
    card = predictor.card
    founds, truths, best = [], [], []
    for picture in val:
        answer = predictor.predict(val.sample(picture).frame, LEAST).value
        assert isinstance(answer, Detections)
        founds.append(Boxes(answer.xyxy, answer.label, answer.score))
        truths.append(Boxes(picture.boxes, picture.labels, np.ones(len(picture.labels), np.float32)))
        best.append(answer.best_touch)
    thresholds = {
        name: round(best_threshold(match.score, match.hit[0], int(match.truths.sum())), 3)
        for name, match in zip(card.names, coco.match(truths, founds, len(card.names)), strict=True)
    }
    card = dataclasses.replace(card, thresholds={**thresholds, "score": min(thresholds.values())})
    calibration = _touch_fit(best, val) if task_of(card.task).touches else {}
    return dataclasses.replace(card, calibration=calibration or card.calibration)


HELD = (1.0, 0.5)
"""How strongly the calibration of a shipped model is kept: about as much as ten pictures of one person say."""


def touch_calibration(
    predictor: Predictor, val: LabelledSet, prior: Mapping[str, float] | None = None
) -> dict[str, float]:
    """Return the calibration {"a", "b"} of the touches that a model without one tells; {} where it cannot be fitted.

    Args:
        predictor: the model, with a card without calibration.
        val: pictures to fit it to.
        prior: the calibration of the model that the training began with: a handful of pictures moves it little.
    """
    best, pictures = [], []
    for picture in val:
        try:
            answer = predictor.predict(val.sample(picture).frame).value
        except FrameError:
            continue
        assert isinstance(answer, Detections)
        best.append(answer.best_touch)
        pictures.append(picture)
    return _touch_fit(best, val.having(pictures), prior)


def _touch_fit(best: Sequence[float], val: LabelledSet, prior: Mapping[str, float] | None = None) -> dict[str, float]:
    """Platt's numbers for the likeliest touch of each picture; {} unless some are touched and some are not."""
    touch = touches_of(val)
    if touch.all() or not touch.any():
        return {}
    _, person = np.unique([picture.group_key for picture in val], return_inverse=True)
    weight = np.asarray(np.bincount(person)[person] ** -0.5, np.float64)
    kept: dict[str, tuple[float, float]] = {"prior": (prior["a"], prior["b"]), "hold": HELD} if prior else {}
    a, b = fit_platt(logit(np.array(best)), touch, weight, **kept)
    return {"a": round(a, 4), "b": round(b, 4)}
