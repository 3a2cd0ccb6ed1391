"""Faces between two looks of the detector: boxes move with what is drawn, and lost faces are kept for a while."""

import numpy as np
import pytest

from handlens.follow import KEPT_S, Following
from handlens.predictor import Predictor
from handlens.runner import FakeRunner
from handlens.types import Detections, Frame
from tests.fake_models import REGIONS, card

SIDE = 200


class Seeing:
    """A detector that sees the white disc of a frame, with a score that may be set; blind: it sees nothing."""

    def __init__(self):
        self.card = card("detect", ("face", "hand"), size=(SIDE, SIDE), thresholds={"face": 0.3, "hand": 0.3})
        self.score, self.blind, self.asked = 0.9, False, 0

    def run(self, batch):
        self.asked += 1
        seen = batch[0, 0] > 0.9
        if self.blind or not seen.any():
            return {"boxes": np.zeros((1, 0, 4), np.float32), "scores": np.zeros((1, 0, 2), np.float32)}
        ys, xs = np.nonzero(seen)
        box = np.array([[[xs.min(), ys.min(), xs.max() + 1, ys.max() + 1]]], np.float32)
        return {"boxes": box, "scores": np.array([[[self.score, 0.0]]], np.float32)}


def draws(batch):
    """A contact model that draws as a face what is white, and says that it is touched."""
    white = (batch[:, 0] > 0.9).astype(np.float32)
    count = len(batch)
    return {
        "hand": np.zeros((count, 1, *white.shape[1:]), np.float32),
        "regions": np.stack([1 - white, white, np.zeros_like(white)], axis=1),
        "touch_logit": np.full((count, 1), 2.0, np.float32),
        "region_scores": np.tile(np.float32([0.9, 0.1]), (count, 1)),
    }


@pytest.fixture
def detector():
    return Seeing()


@pytest.fixture
def following(detector):
    contact = FakeRunner(card("contact", REGIONS, size=(64, 64), parts={"detector": "eyes"}), draws)
    return Following(Predictor(contact, {"detector": detector}))


def shown(x, time, source="film", y=100, radius=20, grey=60):
    """A frame with a white disc."""
    image = np.full((SIDE, SIDE, 3), grey, np.uint8)
    ys, xs = np.mgrid[:SIDE, :SIDE]
    image[(xs - x) ** 2 + (ys - y) ** 2 < radius**2] = 255
    return Frame(image, round(time * 25), time, source)


def face_of(result):
    value = result.value
    assert isinstance(value, Detections)
    return value.xyxy[value.of("face")]


def test_the_detector_rests_and_the_box_follows_the_face(following, detector):
    for n in range(20):
        (box,) = face_of(following.predict(shown(60 + 3 * n, n / 25)))
        assert abs(float(box[0] + box[2]) / 2 - (60 + 3 * n)) < 5  # one frame late: 3 pixels
        assert abs(float(box[2] - box[0]) - 41) < 5
    assert detector.asked == following.looks
    assert 5 <= detector.asked <= 7  # every .12 seconds of 0.8


def test_a_face_that_grows_is_followed(following, detector):
    for n in range(3):
        (box,) = face_of(following.predict(shown(100, n / 25, radius=20 + 2 * n)))
    (box,) = face_of(following.predict(shown(100, 0.13, radius=26)))
    assert detector.asked == 2
    assert float(box[2] - box[0]) == pytest.approx(53, abs=3)


def test_a_face_that_the_detector_loses_is_kept_while_it_is_drawn(following, detector):
    following.predict(shown(100, 0.0))
    detector.blind = True
    seen = [len(face_of(following.predict(shown(100, n / 25)))) for n in range(1, 45)]
    kept = seen.index(0) / 25
    assert KEPT_S - 0.05 <= kept <= KEPT_S + 0.2
    assert not any(seen[seen.index(0) :])


def test_a_face_that_is_gone_is_not_kept(following, detector):
    following.predict(shown(100, 0.0))
    detector.blind = True
    following.predict(shown(100, 0.04, radius=0))
    assert len(face_of(following.predict(shown(100, 0.08, radius=0)))) == 0
    assert detector.asked == 2  # it did not wait for its turn


def test_a_hand_before_a_face_makes_it_no_less_a_face(following, detector):
    first = following.predict(shown(100, 0.0)).value
    detector.score = 0.35
    later = following.predict(shown(100, 0.2)).value
    assert detector.asked == 2
    assert later.best_touch == pytest.approx(first.best_touch)
    much_later = [following.predict(shown(100, 0.4 + n / 5)).value for n in range(20)][-1]
    assert much_later.best_touch < first.best_touch - 0.05


def test_a_cut_another_film_and_a_time_that_runs_back_begin_anew(following, detector):
    following.predict(shown(100, 0.0))
    following.predict(shown(100, 0.04, grey=160))
    assert detector.asked == 2
    following.predict(shown(100, 0.08, "other", grey=160))
    assert detector.asked == 3
    following.predict(shown(100, 0.0, "other", grey=160))
    assert detector.asked == 4


def test_slow_films_are_looked_at_frame_by_frame_and_zero_asks_always(following, detector):
    for n in range(5):
        following.predict(shown(100, float(n)))
    assert detector.asked == 5
    always = Following(following._predictor, 0.0)
    for n in range(5):
        always.predict(shown(100, n / 25))
    assert always.looks == 5


def test_the_same_film_gives_the_same_answers(following):
    def film():
        return [face_of(following.predict(shown(60 + 2 * n, n / 25))) for n in range(12)]

    for one, other in zip(film(), film(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("logit", [-9.0, 2.0])
def test_a_faint_face_is_looked_at_whether_it_is_one_or_not(detector, logit):
    def says(batch):
        return {**draws(batch), "touch_logit": np.full((len(batch), 1), logit, np.float32)}

    model = card("contact", REGIONS, size=(64, 64), parts={"detector": "eyes"}, options={"faint_face": 0.2})
    following = Following(Predictor(FakeRunner(model, says), {"detector": detector}))
    detector.score = 0.25
    seen = [len(face_of(following.predict(shown(100, n / 25)))) for n in range(4)]
    assert seen == [int(logit > 0)] * 4


def test_without_a_face_it_is_asked_at_every_frame(following, detector):
    for n in range(4):
        following.predict(shown(100, n / 25, radius=0))
    assert detector.asked == 4
