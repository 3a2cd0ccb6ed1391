"""Tuned probabilities mean what they say, the cut serves both classes, and what is reported was not tuned on itself."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import FrameError
from handlens.evaluate.evaluate import evaluate
from handlens.kinds.classify import calibrated
from handlens.predictor import Predictor
from handlens.runner import FakeRunner
from handlens.train.calibration import Predictions, cross_fitted, fitted, predict_set

PAIR = ("nothing", "object")


def rare(count=600, share=0.2, seed=0):
    """Scores of a net that has seen few objects: its cut at one half finds hardly any."""
    draw = np.random.default_rng(seed)
    truth = (draw.random(count) < share).astype(np.int64)
    z = draw.normal(2.0 * truth - 3.0, 1.0)
    second = 1 / (1 + np.exp(-z))
    return Predictions(PAIR, np.stack((1 - second, second), 1), truth, tuple(f"p{n // 2}" for n in range(count)))


def balanced(told, probabilities):
    right = probabilities.argmax(1) == told.truth
    return np.mean([right[told.truth == k].mean() for k in range(len(told.names))])


def test_the_cut_of_two_classes_serves_both():
    told, other = rare(), rare(seed=1)
    calibration = fitted(told)
    assert balanced(other, other.probabilities) < 0.65
    assert balanced(other, calibrated(other.probabilities, calibration)) > 0.82  # no cut reaches more than .84
    assert calibration["b"] / calibration["a"] == pytest.approx(2, abs=0.25)  # halfway between -3 and -1


def test_how_sure_many_classes_are_is_put_right_and_who_wins_stays():
    draw = np.random.default_rng(0)
    honest = draw.dirichlet(np.full(5, 0.6), 800)
    truth = np.array([draw.choice(5, p=row) for row in honest])
    boast = honest**3 / (honest**3).sum(1, keepdims=True)
    told = Predictions(tuple("abcde"), boast, truth, tuple(map(str, range(800))))
    calibration = fitted(told)
    assert calibration["a"] == pytest.approx(1 / 3, abs=0.05)
    after = calibrated(boast, calibration)
    assert (after.argmax(1) == boast.argmax(1)).all()
    report = cross_fitted(told, 20)
    assert report["ECE, cross-fitted"].value < 0.06
    assert [row.name for row in report] == ["log loss, cross-fitted", "ECE, cross-fitted"]


def test_the_cross_fitted_number_does_not_flatter():
    draw = np.random.default_rng(3)
    values = []
    for seed in range(12):  # nothing can be told from these scores
        second = draw.random(80)
        kin = tuple(map(str, range(80)))
        told = Predictions(PAIR, np.stack((1 - second, second), 1), draw.integers(0, 2, 80), kin)
        values.append(cross_fitted(told, 0, seed)["balanced accuracy, cross-fitted"].value)
    assert np.mean(values) == pytest.approx(0.5, abs=0.05)
    report = cross_fitted(rare(), 50)
    assert "which flatters" in report.notes[0]
    row = report["balanced accuracy, cross-fitted"]
    assert 0.75 < row.low < row.value < row.high < 0.95
    assert row.n == 600


def test_too_little_is_not_tuned_on():
    assert rare().enough
    assert not rare(50).enough
    few = rare(600, 0.01)
    assert not few.enough
    one = Predictions(PAIR, few.probabilities, few.truth, ("ann",) * 600)
    assert not one.enough
    lonely = Predictions(
        PAIR, few.probabilities, few.truth, tuple("ann" if t else f"b{n}" for n, t in enumerate(few.truth))
    )
    assert cross_fitted(lonely, 0).rows == ()


def test_what_a_model_says_becomes_a_card_that_evaluates_better():
    told = rare(120)

    def broken():
        raise FrameError("gone")

    def pixels(number):
        return lambda: np.full((16, 16, 3), number, np.uint8)

    pictures = [
        Labelled(Path(f"{n}.png"), labels=[1 - k], pixels=pixels(n), group=told.group_key[n])
        for n, k in enumerate(told.truth)
    ]
    found = LabelledSet("classify", PAIR[::-1], [*pictures, Labelled(Path("x.png"), labels=[0], pixels=broken)])

    def predictor(**fields):
        card = ModelCard("fake", "hold", "classify", PAIR, (16, 16), "stretch", **fields)
        rows = told.probabilities.astype(np.float32)
        return Predictor(FakeRunner(card, lambda b: {"probabilities": rows[[round(float(b[0, 0, 0, 0]) * 255)]]}))

    heard = predict_set(predictor(), found)
    assert np.allclose(heard.probabilities, told.probabilities, atol=1e-6)
    assert heard.truth.tolist() == told.truth.tolist()
    before, after = (
        evaluate(model, found.having(pictures), resamples=0).report["balanced accuracy"].value
        for model in (predictor(), predictor(calibration=fitted(heard)))
    )
    assert after > before + 0.15
