"""The contact composition: faces, hands, touched regions with owners and one probability per frame."""

import dataclasses

import numpy as np
import pytest
from contact_fakes import CONTACT, contact

from handlens.card import ModelCard
from handlens.predictor import Predictor
from handlens.runner import FakeRunner
from handlens.tasks.contact import looked_at
from handlens.types import Detections, Frame

FINDER = ModelCard(name="facehand", task="touch", kind="detect", names=("face", "hand"), size=(320, 320), resize="fit")


def finder(boxes: list[list[float]], classes: list[int]) -> FakeRunner:
    scores = np.zeros((1, len(boxes), 2), np.float32)
    for row, c in enumerate(classes):
        scores[0, row, c] = 0.9 - 0.1 * row
    return FakeRunner(FINDER, {"boxes": np.array([boxes], np.float32).reshape(1, -1, 4), "scores": scores})


def probability(logit: float, face_score: float) -> float:
    return float(1 / (1 + np.exp(-(2.0 * (logit + np.log(face_score)) - 1.0))))


def ask(found: FakeRunner, judged: FakeRunner, min_score: float | None = None) -> Detections:
    frame = Frame(np.zeros((240, 320, 3), np.uint8))
    value = Predictor(judged, {"detector": found}).predict(frame, min_score).value
    assert isinstance(value, Detections)
    return value


def test_touched_region_has_owners_and_lies_where_hand_and_region_meet() -> None:
    answer = ask(finder([[120, 80, 180, 140], [130, 120, 170, 200]], [0, 1]), contact([3.0]))
    assert answer.label_names == ["face", "hand", "chin"]
    assert (answer.face[2], answer.hand[2]) == (0, 1)
    # The crop is the square of side 120 around (150, 110); cell = 3 px; region rows 26-30 and columns 16-24,
    # of which the hand, grown by one cell, covers rows 27-30.
    np.testing.assert_allclose(answer.xyxy[2], [90 + 16 * 3, 50 + 27 * 3, 90 + 24 * 3, 50 + 30 * 3], atol=0.01)
    assert answer.touch == pytest.approx(probability(3.0, 0.9))
    assert answer.score[2] == pytest.approx(answer.touch)


def test_hand_that_the_detector_lost_at_the_face_comes_from_the_mask() -> None:
    answer = ask(finder([[120, 80, 180, 140]], [0]), contact([3.0]))
    assert answer.label_names == ["face", "hand", "chin"]
    assert answer.hand[2] == 1
    np.testing.assert_allclose(answer.xyxy[1], [90 + 45, 50 + 84, 90 + 75, 50 + 120], atol=0.01)


def test_probability_is_that_of_the_most_touched_face_and_quiet_faces_get_no_region() -> None:
    answer = ask(finder([[20, 20, 80, 80], [200, 100, 250, 150]], [0, 0]), contact([-4.0, 1.0]))
    assert answer.touch == pytest.approx(probability(1.0, 0.8))
    regions = ~answer.of("face", "hand")
    assert regions.sum() == 1
    assert answer.label_names[int(answer.face[regions][0])] == "face"
    assert answer.xyxy[int(answer.face[regions][0])][0] == pytest.approx(200, abs=1)


def test_no_face_is_no_touch() -> None:
    answer = ask(finder([[10, 10, 50, 50]], [1]), contact([]))
    assert answer.touch == 0.0
    assert answer.label_names == ["hand"]


def test_min_score_drops_boxes_and_keeps_the_probability() -> None:
    boxes = [[120, 80, 180, 140], [130, 120, 170, 200]]
    answer = ask(finder(boxes, [0, 1]), contact([3.0]), min_score=0.85)
    assert answer.label_names == ["face", "chin"]
    assert (answer.face[1], answer.hand[1]) == (0, -1)
    assert answer.touch == pytest.approx(ask(finder(boxes, [0, 1]), contact([3.0])).touch)


def test_a_doubtful_face_gets_a_second_look_in_the_mirror() -> None:
    card = dataclasses.replace(CONTACT, options={"second_look": 2.0})
    asked = []

    def run(batch: np.ndarray) -> dict[str, np.ndarray]:
        asked.append(len(batch))
        bright = (batch[:, :1, ::4, ::4] > 0.3).astype(np.float32)
        left = batch[:, 0, :, :60].mean((1, 2))
        return {
            "hand": bright,
            "regions": np.repeat(bright, 8, 1),
            "touch_logit": np.where(left > 0.3, 5.0, 1.0).astype(np.float32)[:, None],
            "region_scores": np.zeros((len(batch), 7), np.float32),
        }

    doubtful, clear = np.zeros((160, 160, 3), np.uint8), np.full((160, 160, 3), 255, np.uint8)
    doubtful[:, 100:] = 255
    answer = looked_at(FakeRunner(card, run), [doubtful, clear])
    assert asked == [2, 1]
    assert answer["touch_logit"].tolist() == [[3.0], [5.0]]  # the mirror image of the first is bright at the left
    assert answer["hand"][0, 0, :, 26:].min() == 1.0
    assert answer["hand"][0, 0, :, :24].max() == 0.0


def scored(score: float) -> FakeRunner:
    """A detector that sees one face with this score."""
    scores = np.array([[[score, 0.0]]], np.float32)
    card = dataclasses.replace(FINDER, thresholds={"face": 0.3, "hand": 0.3})
    return FakeRunner(card, {"boxes": np.array([[[120, 80, 180, 140]]], np.float32), "scores": scores})


def with_options(runner: FakeRunner, **options: float) -> FakeRunner:
    runner.card = dataclasses.replace(runner.card, options={**runner.card.options, **options})
    return runner


def test_a_faint_face_alone_is_one_if_it_is_touched() -> None:
    assert len(ask(scored(0.25), contact([4.0]))) == 0
    found = ask(scored(0.25), with_options(contact([4.0]), faint_face=0.2))
    assert found.label_names[0] == "face"
    assert found.touch == pytest.approx(probability(4.0, 0.25))
    quiet = ask(scored(0.25), with_options(contact([0.0]), faint_face=0.2))
    assert (len(quiet), quiet.touch) == (0, 0.0)
    assert len(ask(scored(0.25), with_options(contact([4.0]), faint_face=0.3))) == 0
