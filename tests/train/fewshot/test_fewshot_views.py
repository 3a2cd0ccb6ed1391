"""A few pictures are shown to the model just as it will see others: as hands, as silhouettes, or as a whole."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from training_sets import classify_set, noise

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.predictor import Predictor
from handlens.runner import FakeRunner
from handlens.train.fewshot.features import HAND, SILHOUETTE, WHOLE, read_subjects, views_of
from handlens.types import Frame

HANDS = ModelCard("hands", "touch", "detect", ("face", "hand"), (64, 64), "letterbox")


def judge(seen: list[np.ndarray], rule: str = "letterbox", **options: float) -> FakeRunner:
    """A classifier that notes what it is shown; its embedding is the mean colour of each half."""
    card = ModelCard("judge", "gesture", "classify", ("a", "b"), (32, 32), rule, options=options)

    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        seen.append(batch)
        halves = np.concatenate((batch[..., :16].mean((2, 3)), batch[..., 16:].mean((2, 3))), 1)
        return {"probabilities": np.tile(np.float32([0.5, 0.5]), (len(batch), 1)), "embedding": halves}

    return FakeRunner(card, answer)


def finder(size: float = 20.0) -> FakeRunner:
    """A detector that sees a hand in the middle of what is not dark."""

    def answer(batch: np.ndarray) -> dict[str, np.ndarray]:
        box = np.float32([[[32 - size / 2, 32 - size / 2, 32 + size / 2, 32 + size / 3]]])
        return {"boxes": box, "scores": np.float32([[[0, 0.9 if batch.mean() > 0.15 else 0.0]]])}

    return FakeRunner(HANDS, answer)


def pictures(folder: Path, dark: int = 0, count: int = 6) -> LabelledSet:
    folder.mkdir()
    images = [noise(70, 90, seed) // (8 if seed < dark else 1) for seed in range(count)]
    return classify_set(folder, images)


def nothing(text: str = "") -> None:
    """Neither told nor counted."""


@pytest.mark.parametrize(("shown", "rule"), [(HAND, "letterbox"), (WHOLE, "letterbox"), (WHOLE, "stretch")])
def test_the_first_view_is_what_prediction_looks_at(tmp_path: Path, shown: str, rule: str) -> None:
    seen: list[np.ndarray] = []
    runner, found = judge(seen, rule), pictures(tmp_path / "set")
    subjects = read_subjects(found, runner.card, finder(), shown, nothing, nothing)
    views = views_of(subjects, runner, 2, 0, nothing)
    firsts = [batch[0] for batch in seen]
    predictor = Predictor(runner, {"detector": finder()})
    for picture, first in zip(found, firsts, strict=True):
        seen.clear()
        predictor.predict(Frame(picture.image()), crop=shown)
        np.testing.assert_array_equal(seen[0][0], first)
    assert (views.label == [0, 1] * 3).all()
    mirror = views.features[views.first + 1][:, [3, 4, 5, 0, 1, 2]]
    np.testing.assert_allclose(mirror, views.features[views.first], atol=1e-5)
    assert views.mirrored[views.first + 1].all()


def test_silhouettes_are_shown_as_prediction_sees_them_and_move_as_shapes(tmp_path: Path) -> None:
    image = np.zeros((80, 100, 3), np.uint8)
    cv2.ellipse(image, (30, 40), (9, 25), 20, 0, 360, (255, 255, 255), -1)
    seen: list[np.ndarray] = []
    runner = judge(seen, silhouette=1.0)
    found = classify_set(tmp_path, [image, np.zeros_like(image)])
    told: list[str] = []
    subjects = read_subjects(found, runner.card, None, "", told.append, nothing)
    assert (subjects.shown, len(subjects.pictures)) == (SILHOUETTE, 1)
    assert "shows no hand" in told[0]
    views_of(subjects, runner, 2, 0, nothing)
    (batch,) = seen
    seen.clear()
    Predictor(runner).predict(Frame(image))
    np.testing.assert_array_equal(seen[0][0], batch[0])
    white = (batch > 0.5).mean((1, 2, 3))
    assert ((white > 0.5 * white[0]) & (white < 2 * white[0])).all()
    edge = np.concatenate((batch[..., 0], batch[..., -1], batch[..., 0, :], batch[..., -1, :]), axis=-1)
    assert edge.max() < 0.5  # nothing is cut off
    assert len(np.unique(batch, axis=0)) == len(batch)


def _shown(found: LabelledSet, detector: FakeRunner, **options: float) -> tuple[str, int, list[str]]:
    told: list[str] = []
    subjects = read_subjects(found, judge([], **options).card, detector, "", told.append, nothing)
    return subjects.shown, len(subjects.pictures), told


def test_whether_hands_are_cropped_is_for_the_pictures_to_say(tmp_path: Path) -> None:
    clear, some, most = (pictures(tmp_path / str(dark), dark) for dark in (0, 2, 4))
    assert _shown(clear, finder())[:2] == (HAND, 6)
    assert _shown(clear, finder(size=60.0))[0] == WHOLE  # hands that fill the picture
    shown, count, told = _shown(some, finder())
    assert (shown, count) == (HAND, 4)
    assert "4 of 6 pictures" in told[0]
    assert [text for text in told if "no hand is found" in text] == told[1:]
    assert len(told) == 3
    assert _shown(some, finder(), closeup=1.0)[:2] == (HAND, 6)  # the model looks at whole pictures there
    assert _shown(most, finder())[:2] == (WHOLE, 6)
    bare = some.having([each for number, each in enumerate(some) if number not in (3, 5)])
    shown, count, told = _shown(bare, finder())
    assert (shown, count) == (WHOLE, 4)
    assert "but none in those of odd" in told[0]


def test_the_same_seed_draws_the_same_views(tmp_path: Path) -> None:
    def features(seed: int) -> np.ndarray:
        runner = judge([])
        subjects = read_subjects(found, runner.card, finder(), "", nothing, nothing)
        return views_of(subjects, runner, 2, seed, nothing).features

    found = pictures(tmp_path / "set", count=3)
    np.testing.assert_array_equal(features(1), features(1))
    assert np.abs(features(1) - features(2)).max() > 0.01


def test_of_many_pictures_there_are_fewer_views(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runner = judge([])
    subjects = read_subjects(pictures(tmp_path / "set"), runner.card, finder(), "", nothing, nothing)
    assert len(views_of(subjects, runner, 2, 0, nothing).picture) == 6 * 24
    monkeypatch.setattr("handlens.train.fewshot.features.IN_ALL", 60)
    assert len(views_of(subjects, runner, 2, 0, nothing).picture) == 6 * 10
