"""Identities: the same face keeps its number while it is seen, in seconds, whatever the frame rate."""

import numpy as np

from handlens.track import Tracker
from handlens.types import Detections, Hand, Label, Result

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
    assert ids(tracker, 0.0, ("chin", 0, 0, 9, 9), ("hand", 0, 0, 50, 50), ("face", 0, 0, 50, 50)) == [-1, 2, 1]


def test_a_moving_face_keeps_its_number_and_a_new_one_gets_the_next():
    tracker = Tracker()
    assert ids(tracker, 0.0, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 0.1, ("face", 100, 0, 150, 50), ("face", 10, 0, 60, 50)) == [2, 1]
    assert ids(tracker, 0.2, ("face", 20, 0, 70, 50), ("face", 100, 0, 150, 50)) == [1, 2]


def test_a_hand_never_takes_the_number_of_a_face():
    tracker = Tracker()
    assert ids(tracker, 0.0, ("face", 0, 0, 50, 50)) == [1]
    assert ids(tracker, 0.1, ("hand", 0, 0, 50, 50)) == [2]


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
