"""Identities: the same face keeps its number while it is seen, in seconds, whatever the frame rate."""

import dataclasses

import numpy as np
import pytest

from handlens.result import Result
from handlens.track import Tracker
from handlens.types import Detections, Hand, Label

NAMES = ("face", "hand", "chin")


def result(time, *rows, source="clip.mp4"):
    """A frame with (label, x1, y1, x2, y2) rows."""
    labels = [NAMES.index(row[0]) for row in rows]
    boxes = np.array([row[1:] for row in rows], np.float32).reshape(-1, 4)
    found = Detections(boxes, np.ones(len(rows)), labels, NAMES, touch=0.5)
    return Result("touch", int(time * 30), time, found, source, 640, 480, "m")


def ids(tracker, *args, **kwargs):
    return tracker.update(result(*args, **kwargs)).value.id.tolist()


def test_faces_and_hands_get_numbers_and_regions_none():
    tracker = Tracker()
    assert ids(tracker, 0.0, ("chin", 0, 0, 9, 9), ("hand", 0, 0, 50, 50), ("face", 0, 0, 50, 50)) == [-1, 1, 1]


def test_a_moving_face_keeps_its_number_and_a_new_one_gets_the_next():
    tracker = Tracker()
    assert ids(tracker, 0.0, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 0.1, ("face", 100, 0, 150, 50), ("face", 10, 0, 60, 50)) == [2, 1]
    assert ids(tracker, 0.2, ("face", 20, 0, 70, 50), ("face", 100, 0, 150, 50)) == [1, 2]


def test_a_hand_never_takes_the_place_of_a_face():
    tracker = Tracker()
    assert ids(tracker, 0.0, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 0.1, ("hand", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 0.2, ("hand", 90, 0, 140, 50), ("face", 0, 0, 50, 50)) == [2, 1]


def test_the_best_overlap_is_matched_first():
    tracker = Tracker()
    assert ids(tracker, 0.0, ("hand", 0, 0, 50, 50), ("hand", 20, 0, 70, 50)) == [1, 2]
    assert ids(tracker, 0.1, ("hand", 19, 0, 69, 50), ("hand", 5, 0, 55, 50)) == [2, 1]


def test_who_was_away_too_long_is_somebody_new():
    tracker = Tracker(max_age_s=0.5)
    assert ids(tracker, 0.0, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 0.3) == []
    assert ids(tracker, 0.5, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 1.1, ("face", 0, 0, 50, 50)) == [2]


def test_too_little_overlap_is_somebody_new():
    tracker = Tracker(iou=0.3)
    assert ids(tracker, 0.0, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 0.1, ("face", 40, 0, 90, 50)) == [2]


def test_another_source_or_a_time_that_runs_back_starts_anew():
    tracker = Tracker()
    assert ids(tracker, 1.0, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 1.1, ("face", 200, 0, 250, 50)) == [2]
    assert ids(tracker, 1.2, ("face", 200, 0, 250, 50), source="b.mp4") == [1]
    assert ids(tracker, 0.0, ("face", 400, 0, 450, 50), source="b.mp4") == [1]


def test_hands_that_are_judged_keep_their_numbers_too():
    tracker = Tracker()

    def numbers(time, *lefts):
        value = tuple(Hand([left, 0, left + 50, 50], Label("3", 0.9), angle=5.0) for left in lefts)
        after = tracker.update(Result("gesture", int(time * 30), time, value, "a.mp4", 640, 480, "m")).value
        assert all((hand.angle, hand.gesture.name) == (5.0, "3") for hand in after)
        return [hand.id for hand in after]

    assert numbers(0.0, 0, 200) == [1, 2]
    assert numbers(0.1) == []
    assert numbers(0.2, 190, 400, 10) == [2, 3, 1]


def test_everything_else_of_the_result_stays():
    before = result(0.0, ("face", 0, 0, 50, 50))
    after = Tracker().update(before)
    assert after.value.touch == 0.5
    assert after.source == "clip.mp4"
    assert before.value.id.tolist() == [-1]
    label = Result("hold", 0, 0.0, Label("object", 1.0), "", 1, 1, "m")
    assert Tracker().update(label) is label


# --- people who move, at every frame rate


def walk(rate, seconds, *paths, seen=lambda face, time: True, size=50.0, tracker=None, jitter=0.0):
    """The numbers of faces that move along `paths` (time -> x, y of the centre), as the sets each of them had."""
    tracker, had = tracker or Tracker(), [set() for _ in paths]
    rng = np.random.default_rng(0)
    for n in range(int(rate * seconds) + 1):
        time = n / rate
        shown = [k for k in range(len(paths)) if seen(k, time)]
        places = [np.array(paths[k](time)) + rng.normal(0, jitter * size, 2) for k in shown]
        rows = [("face", *(place - size / 2), *(place + size / 2)) for place in places]
        for k, number in zip(shown, ids(tracker, time, *rows), strict=True):
            had[k].add(number)
    return had


RATES = [1, 2, 5, 12.5, 25, 60]


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_one_who_leans_and_sways_keeps_the_number(rate):
    sway = lambda time: (200 + 60 * np.sin(2 * np.pi * 0.25 * time), 100 + 20 * np.cos(time))  # noqa: E731
    assert walk(rate, 20, sway, jitter=0.03) == [{1}]


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("speed", [10, 40, 75])
def test_one_who_walks_through_the_picture_keeps_the_number(rate, speed):
    assert walk(rate, 12, lambda time: (50 + speed * time, 100), jitter=0.02) == [{1}]


@pytest.mark.parametrize("rate", RATES)
def test_one_who_jumps_by_half_a_width_keeps_the_number(rate):
    jump = lambda time: (100 + (25 if time > 3 else 0), 100 + (25 if time > 3 else 0))  # noqa: E731
    assert walk(rate, 6, jump) == [{1}]


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES[1:])
def test_two_side_by_side_keep_their_numbers_though_one_is_often_lost(rate):
    one, two = (lambda time: (100, 100)), (lambda time: (190, 105))
    lost = lambda face, time: face == 1 or time < 1 or time % 3 > 1.2  # noqa: E731
    assert walk(rate, 12, one, two, seen=lost, jitter=0.03) == [{1}, {2}]


@pytest.mark.parametrize("rate", [2, 5, 12.5, 25, 60])
@pytest.mark.parametrize("hidden", [False, True])
def test_two_who_cross_do_not_swap(rate, hidden):
    """The one behind is hidden while the one in front covers it."""
    ahead, back = (lambda time: (100 + 40 * time, 100)), (lambda time: (420 - 40 * time, 110))
    covered = lambda face, time: not (hidden and face == 1 and abs(320 - 80 * time) < 35)  # noqa: E731
    assert walk(rate, 8, ahead, back, seen=covered, jitter=0.01) == [{1}, {2}]


def test_one_who_comes_after_a_long_time_is_somebody_new():
    assert walk(2, 12, lambda time: (100, 100), seen=lambda face, time: time < 3 or time > 8) == [{1, 2}]


def test_one_who_appears_far_away_is_somebody_new_even_at_two_frames_a_second():
    tracker = Tracker()
    assert ids(tracker, 0.0, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 0.5, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 1.0, ("face", 250, 0, 300, 50)) == [2]
    assert ids(tracker, 1.5, ("face", 0, 0, 50, 50), ("face", 250, 0, 300, 50)) == [1, 2]


def test_a_face_three_times_as_large_is_somebody_new():
    tracker = Tracker()
    assert ids(tracker, 0.0, ("face", 100, 100, 140, 140)) == [1]
    assert ids(tracker, 0.1, ("face", 60, 60, 180, 180)) == [2]


def test_what_a_minimum_score_leaves_out_changes_no_number():
    tracker = Tracker()
    for time in (0.0, 0.5, 1.0):
        full = result(time, ("face", 0, 0, 50, 50), ("face", 200, 0, 250, 50))
        shown = dataclasses.replace(full, value=full.value.select([1]), basis=full.value)
        after = tracker.update(shown)
        assert after.value.id.tolist() == [2]
        assert after.basis.id.tolist() == [1, 2]


@pytest.mark.parametrize(("pause", "number"), [(3.0, 1), (40.0, 1), (600.0, 2)])
def test_one_who_sits_there_after_a_pause_of_the_recording_keeps_the_number(pause, number):
    tracker = Tracker()
    for n in range(10):
        assert ids(tracker, n / 25, ("face", n, 0, n + 50, 50)) == [1]
    assert ids(tracker, 0.4 + pause, ("face", 15, 0, 65, 50)) == [number]
