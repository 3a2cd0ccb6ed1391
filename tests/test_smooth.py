"""Landmarks over time: calm at rest, no delay in movement, one hand never mixed with another."""

import numpy as np

from handlens.result import Result
from handlens.smooth import OneEuro
from handlens.track import Tracker
from handlens.types import Hand, Label

SIDE, RATE = 100.0, 30


def at(points):
    return np.concatenate([points, np.ones((21, 1))], axis=1).astype(np.float32)


def shape(rng):
    return rng.uniform(0, SIDE, (21, 2))


def test_a_still_hand_trembles_half_as_much():
    rng = np.random.default_rng(0)
    place, filtered = shape(rng), OneEuro()
    noise = rng.normal(0, 0.01 * SIDE, (90, 21, 2))
    out = np.array([filtered.smooth(1, at(place + n), SIDE, k / RATE)[:, :2] for k, n in enumerate(noise)])
    assert np.diff(out[10:], axis=0).std() < 0.5 * np.diff(noise[10:], axis=0).std()
    assert np.abs(out[30:].mean(0) - place).max() < 0.01 * SIDE


def test_a_moving_hand_is_not_left_behind():
    rng = np.random.default_rng(1)
    place, filtered = shape(rng), OneEuro()
    speed = 3.0 * SIDE / RATE  # three sides a second
    for k in range(30):
        true = place + np.array([speed * k, 0])
        out = filtered.smooth(1, at(true), SIDE, k / RATE)
    lag = float((true - out[:, :2])[:, 0].mean()) / speed
    assert 0 <= lag < 0.35  # of a frame


def test_two_hands_do_not_mix_and_scores_stay():
    filtered = OneEuro()
    filtered.smooth(1, at(np.zeros((21, 2))), SIDE, 0.0)
    told = at(np.full((21, 2), 50.0))
    told[:, 2] = 0.3
    assert np.array_equal(filtered.smooth(2, told, SIDE, 1 / RATE), told)


def test_a_hand_that_was_away_begins_anew():
    filtered = OneEuro()
    filtered.smooth(1, at(np.zeros((21, 2))), SIDE, 0.0)
    told = at(np.full((21, 2), 50.0))
    assert np.array_equal(filtered.smooth(1, told, SIDE, 2.0), told)
    filtered.reset()
    assert np.array_equal(filtered.smooth(1, told + 5, SIDE, 2.03), told + 5)


def result(k, points, box=(0, 0, 100, 100)):
    hand = Hand(np.array(box, np.float32), Label("left", 0.9), landmarks=at(points), side="left")
    return Result("hands", k, k / RATE, (hand,), "a.mp4", 640, 480, "hands")


def test_the_tracker_smooths_by_identity_and_can_be_asked_not_to():
    rng = np.random.default_rng(2)
    place = shape(rng)
    noisy = [place + rng.normal(0, 2, (21, 2)) for _ in range(12)]
    calm, plain = Tracker(), Tracker(smooth=False)
    for k, points in enumerate(noisy):
        (smoothed,), (same,) = calm.update(result(k, points)).value, plain.update(result(k, points)).value
        assert smoothed.id == same.id == 1
        assert np.allclose(same.landmarks[:, :2], points, atol=1e-4)
    assert np.abs(smoothed.landmarks[:, :2] - place).mean() < np.abs(noisy[-1] - place).mean()


def test_the_first_picture_stays_as_it_is():
    points = shape(np.random.default_rng(3))
    (hand,) = Tracker().update(result(0, points)).value
    assert np.allclose(hand.landmarks[:, :2], points, atol=1e-4)
