"""A head learned from a few pictures: as the formula says, each left out honestly, and no surer than it may be."""

import numpy as np
import pytest

pytest.importorskip("onnx")

from handlens.train.fewshot.head import STRENGTHS, Views, fit_head, fit_temperature, leave_out, softmax
from handlens.train.fewshot.report import share


def views(label: list[int], features: np.ndarray, copies: int = 3, group_key: list[int] | None = None) -> Views:
    """Each picture in so many slightly different views, every other one mirrored: its features change their sign."""
    rng = np.random.default_rng(0)
    pictures, mirrored = len(label), np.tile(np.arange(copies) % 2 == 1, len(label))
    many = np.repeat(features, copies, axis=0) + 0.05 * rng.normal(size=(pictures * copies, features.shape[1]))
    many[::copies] = features
    many[mirrored, 0] *= -1
    numbers = np.arange(pictures) if group_key is None else np.array(group_key)
    return Views(many, np.repeat(np.arange(pictures), copies), mirrored, np.array(label), numbers, max(label) + 1)


def clusters(label: list[int], apart: float, d: int = 6) -> np.ndarray:
    rng = np.random.default_rng(1)
    return apart * np.eye(max(label) + 1, d)[:, ::-1][label] + rng.normal(size=(len(label), d))


def test_the_head_is_the_least_loss_there_is() -> None:
    label = [0, 0, 0, 1, 1, 2]
    given = views(label, clusters(label, 1.0), copies=1)
    (head,) = fit_head(given, np.ones(6, bool), (1e-2,))
    scale = np.array([1 / 3] * 3 + [1 / 2] * 2 + [1]) / 3
    centre = scale @ given.features
    spread = np.sqrt(scale @ (given.features - centre) ** 2)
    units = (spread + 0.1 * spread.mean()) * np.sqrt(6)

    def loss(weight: np.ndarray, bias: np.ndarray) -> float:
        told = softmax(given.features @ weight + bias)[np.arange(6), label]
        return float(-(scale * np.log(told)).sum() + 1e-2 / 2 * ((weight * units[:, None]) ** 2).sum())

    least, rng = loss(head.weight, head.bias), np.random.default_rng(2)
    for size in (0.3, 0.03):
        for _ in range(50):
            changed = loss(head.weight + size * rng.normal(size=head.weight.shape), head.bias)
            assert changed > least
    assert loss(head.weight, head.bias + np.array([0.1, 0, -0.1])) > least


def test_a_class_without_pictures_is_never_the_answer() -> None:
    label = [0, 0, 1, 1, 2]
    given = views(label, clusters(label, 3.0))
    for head in fit_head(given, given.picture < 4, STRENGTHS):
        assert (head.logits(given.features).argmax(1) != 2).all()


def test_what_cannot_be_told_apart_is_not_told_apart() -> None:
    label = [0, 1] * 20
    left = leave_out(views(label, clusters(label, 0.0)))
    right = (left.logits.argmax(1) == np.array(label)).mean()
    assert 0.2 < right < 0.8
    assert softmax(left.logits / left.temperature).max(1).mean() < 0.75


def test_copies_are_left_out_together() -> None:
    rng, label = np.random.default_rng(3), [0, 1] * 8
    features = np.repeat(rng.normal(size=(8, 30)), 2, axis=0)  # one picture in both classes, eight times over
    flattered = leave_out(views(label, features + 1e-3 * rng.normal(size=features.shape)))
    kin = np.repeat(np.arange(8), 2).tolist()
    honest = leave_out(views(label, features, group_key=kin))
    assert flattered.folds == 16
    assert honest.folds == 8
    twice = [0, 0, 1, 1] * 4  # two copies of each picture, and nothing that tells the classes apart
    alone = leave_out(views(twice, features))
    together = leave_out(views(twice, features, group_key=kin))
    assert (alone.logits.argmax(1) == np.array(twice)).mean() > 0.9
    assert (together.logits.argmax(1) == np.array(twice)).mean() < 0.8


def test_mirrored_views_are_given_up_where_left_and_right_are_two_signs() -> None:
    label = [0, 1] * 6
    sided = np.random.default_rng(4).normal(size=(12, 4))
    sided[:, 0] = np.where(np.array(label) == 1, 3.0, -3.0)  # what a mirror changes
    left = leave_out(views(label, sided, copies=4))
    assert not left.mirrors
    assert (left.logits.argmax(1) == np.array(label)).all()
    same = np.random.default_rng(4).normal(size=(12, 4))
    same[:, 1] = np.where(np.array(label) == 1, 3.0, -3.0)
    assert leave_out(views(label, same, copies=4)).mirrors


def test_large_sets_are_left_out_in_folds(monkeypatch) -> None:
    monkeypatch.setattr("handlens.train.fewshot.head.FITS", 1.0)
    label, ticks = [0, 1, 2] * 14, []
    left = leave_out(views(label, clusters(label, 6.0)), lambda: ticks.append(1))
    assert (left.folds, len(ticks)) == (10, 20)
    assert (left.logits.argmax(1) == np.array(label)).mean() > 0.9


def test_the_temperature_makes_probabilities_tell_how_often_they_are_right() -> None:
    rng = np.random.default_rng(5)
    logits = 8 * rng.normal(size=(4000, 3))
    label = np.array([rng.choice(3, p=row) for row in softmax(logits / 4)])
    assert fit_temperature(logits, label, 4000) == pytest.approx(4, rel=0.1)
    sure = np.eye(3)[[0, 1, 2] * 4]
    temperature = fit_temperature(sure, np.array([0, 1, 2] * 4), 12)
    assert 0.85 < softmax(sure / temperature).max() < 0.97  # twelve of twelve are not certainty


def test_wilsons_interval_as_the_books_have_it() -> None:
    row = share("accuracy", np.array([True] * 9 + [False]))
    assert (row.value, row.n) == (0.9, 10)
    assert (row.low, row.high) == (pytest.approx(0.5958, abs=1e-3), pytest.approx(0.9821, abs=1e-3))
    assert np.isnan(share("accuracy", np.zeros(0, bool)).value)
