"""A linear head learned from a few pictures, and what it says of pictures it never saw; knows no pictures or files.

Multinomial logistic regression with a penalty on the weights, each class counting alike. Its Hessian is never steeper
than half that of the squared features (Boehning, "Multinomial logistic regression algorithm", 1992), so that one
inverse serves all steps; Nesterov's momentum makes them few.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Singles = NDArray[np.float32]
Ints = NDArray[np.int64]
STRENGTHS = (1e-2, 1e-3, 1e-4)
"""Penalties that are tried, the strongest first; each begins where the one before ended.

Measured on other people than those of the five pictures of each sign: of 33 signs .55, .61, .61 were right, of 10 .81,
.81, .80, of 5 .91, .91, .91; ten times stronger or weaker ones were worse.
"""
STEPS, STILL = 200, 3e-3  # at most so many; the end is when no weight moves by more than this share of the largest
FITS = 1e11  # multiplications that may be spent on leaving pictures out: some 15 seconds of one busy core
FEWEST = 10  # folds
FEWEST_WON, SURE = 3, 1.64  # answers that must be won without mirroring; standard errors of their number


@dataclass(frozen=True, eq=False)
class Head:
    """Features (n, d) -> logits (n, classes). weight: (d, classes); bias: (classes,)."""

    weight: Array
    bias: Array

    def logits(self, features: Array) -> Array:
        """(n, d) -> (n, classes)."""
        return np.asarray(features @ self.weight + self.bias)

    def cooled(self, temperature: float) -> Head:
        """Return the head whose logits are divided by a temperature."""
        return Head(self.weight / temperature, self.bias / temperature)


@dataclass(frozen=True, eq=False)
class Views:
    """What a head learns from: several views of each picture, one after the other, the first one as it is.

    Attributes:
        features: (views, d).
        picture: (views,) the picture's number.
        mirrored: (views,) bool.
        label: (pictures,) its class.
        group_key: (pictures,) pictures of one number are the same picture.
        classes: How many there are.
    """

    features: Array
    picture: Ints
    mirrored: NDArray[np.bool_]
    label: Ints
    group_key: Ints
    classes: int

    @property
    def first(self) -> Ints:
        """(pictures,): the row of the view of each picture as it is."""
        return np.searchsorted(self.picture, np.arange(len(self.label)))


@dataclass(frozen=True, eq=False)
class LeftOut:
    """What heads say of the pictures that they never saw.

    Attributes:
        mirrors, strength: The choice that did best.
        temperature: What the logits are to be divided by, these and those of the head of all pictures.
        logits: (pictures, classes), not divided.
        counted: (pictures,) bool, False where its class has no other picture to learn from.
    """

    mirrors: bool
    strength: float
    temperature: float
    logits: Array
    counted: NDArray[np.bool_]
    folds: int


def fit_head(views: Views, rows: NDArray[np.bool_], strengths: Sequence[float]) -> Iterator[Head]:
    """Learn from these rows of the views; yield a head for each penalty, the strongest first.

    Features are centred and scaled by how far they vary; the weights that come out are for the features as they are.
    """
    label = views.label[views.picture[rows]]
    there, count = np.unique(label, return_counts=True)
    weight = 1 / (len(there) * count[np.searchsorted(there, label)])
    raw = views.features[rows]
    centre = weight @ raw
    spread = np.sqrt(weight @ (raw - centre) ** 2)
    scale = (spread + 0.1 * spread.mean() + 1e-9) * np.sqrt(raw.shape[1])
    x = np.column_stack(((raw - centre) / scale, np.ones(len(raw)))).astype(np.float32)
    truth = np.eye(views.classes, dtype=np.float32)[label]
    solution = np.zeros((x.shape[1], views.classes), np.float32)
    for strength in strengths:
        solution = _descended(x, truth, weight.astype(np.float32), strength, solution)
        kernel = solution[:-1].astype(np.float64) / scale[:, None]
        bias = solution[-1] - centre @ kernel
        bias[np.setdiff1d(np.arange(views.classes), there)] -= 20.0  # a class without any picture is never the answer
        yield Head(kernel, bias)


def leave_out(views: Views, tick: Callable[[], None] = lambda: None) -> LeftOut:
    """Choose penalty and mirroring by answering every picture with heads that never saw it, nor a copy of it.

    Each picture is left out by itself while that is quick, else in at least 10 folds. The pictures of one evening are
    alike, and what is best for them is too bold for the next: so the penalty is the strongest whose right answers lie
    within one standard error of the most (Breiman et al., 1984), and mirrored views, which stand for the other hand,
    are given up only where more answers are won than lost without them, beyond chance (McNemar, 1947). Where no class
    has two different pictures, there is nothing to choose by. The temperature is that of all views, for the next
    evening looks otherwise.

    Args:
        tick: Called twice for each fold.
    """
    different = [len(np.unique(views.group_key[views.label == k])) for k in range(views.classes)]
    counted = np.asarray(different)[views.label] > 1
    if not counted.any():
        return LeftOut(True, STRENGTHS[1], 1.0, np.zeros((len(counted), views.classes)), counted, 0)
    fold, label = _folds(views), views.label[counted]
    every = _answers(views, fold, np.ones(len(views.picture), bool), STRENGTHS, tick)
    right = (every[:, views.first[counted]].argmax(2) == label).sum(1)
    wrong = (len(label) - right.max() + 1) / (len(label) + 2)
    spread = np.sqrt(wrong * (1 - wrong) * len(label))
    best = int(np.argmax(right >= right.max() - spread))
    (plain,) = _answers(views, fold, ~views.mirrored, STRENGTHS[best : best + 1], tick)
    known, known_plain = (each[views.first[counted]].argmax(1) == label for each in (every[best], plain))
    won, lost = int((known_plain & ~known).sum()), int((known & ~known_plain).sum())
    mirrors = won - lost < max(FEWEST_WON, SURE * (won + lost) ** 0.5)
    logits = every[best] if mirrors else plain
    evaluated = counted[views.picture] & (mirrors | ~views.mirrored)
    temperature = fit_temperature(logits[evaluated], views.label[views.picture[evaluated]], int(counted.sum()))
    return LeftOut(mirrors, STRENGTHS[best], temperature, logits[views.first], counted, int(fold.max()) + 1)


def fit_temperature(logits: Array, label: Ints, count: int) -> float:
    """Return the temperature at which the probabilities (n, classes) tell best how often they are right.

    As in Platt's scaling the truth of so many pictures counts as (count + 1) / (count + 2) sure, so that a few, all
    right, do not make a head that is sure of everything.
    """
    truth = np.full(logits.shape, 1 / (count + 2) / (logits.shape[1] - 1))
    truth[np.arange(len(label)), label] = (count + 1) / (count + 2)
    tried = np.geomspace(0.05, 20, 121).tolist()
    return float(min(tried, key=lambda t: -float((truth * np.log(softmax(logits / t) + 1e-12)).sum())))


def softmax(logits: NDArray[Any]) -> NDArray[Any]:
    """Probabilities (n, classes), of the type of the logits."""
    raised = np.exp(logits - logits.max(1, keepdims=True))
    return np.asarray(raised / raised.sum(1, keepdims=True))


def _descended(x: Singles, truth: Singles, weight: Singles, strength: float, start: Singles) -> Singles:
    """Return the weights (d + 1, classes) of least loss; the last column of x is 1, and its weights pay no penalty."""
    penalty = np.full((x.shape[1], 1), strength, np.float32)
    penalty[-1] = 1e-6
    weighted = np.ascontiguousarray(x.T * weight)
    steepest = (weighted @ x).astype(np.float64) / 2 + np.diag(penalty[:, 0])
    inverse, wanted = np.linalg.inv(steepest).astype(np.float32), weighted @ truth
    here, ahead, pace = start, start, 1.0
    for _ in range(STEPS):
        there = ahead - inverse @ (weighted @ softmax(x @ ahead) - wanted + penalty * ahead)
        moved = there - here
        if float(((ahead - there) * moved).sum()) > 0:  # overshot: the momentum starts over (O'Donoghue, Candes, 2015)
            pace = 1.0
        faster = (1 + (1 + 4 * pace * pace) ** 0.5) / 2
        ahead, here, pace = there + np.float32((pace - 1) / faster) * moved, there, faster
        if np.abs(moved).max() <= STILL * np.abs(there).max():
            break
    return here


def _answers(
    views: Views, fold: Ints, rows: NDArray[np.bool_], strengths: Sequence[float], tick: Callable[[], None]
) -> Array:
    """(strengths, views, classes): the logits of all views from the heads of the folds that their picture is not in."""
    logits = np.zeros((len(strengths), len(views.picture), views.classes))
    for number in range(int(fold.max()) + 1):
        out = (fold == number)[views.picture]
        logits[:, out] = [head.logits(views.features[out]) for head in fit_head(views, rows & ~out, strengths)]
        tick()
    return logits


def _folds(views: Views) -> Ints:
    """(pictures,): the fold in which each is left out; copies share one, and each takes a little of every class."""
    order = np.lexsort((views.group_key, views.label))
    numbers = {int(group): number for number, group in enumerate(dict.fromkeys(views.group_key[order].tolist()))}
    one_fold = 30 * (len(STRENGTHS) + 1) * 2 * views.features.size * views.classes  # 30 steps of two products each
    count = int(np.clip(FITS / one_fold, min(FEWEST, len(numbers)), len(numbers)))
    return np.array([numbers[int(group)] % count for group in views.group_key])
