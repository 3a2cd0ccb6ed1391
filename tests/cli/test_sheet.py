"""The contact sheet shows each touch at its surest and some calm moments, in the order of the clip."""

import numpy as np
import pytest
from media import touch_result

from handlens.cli.demo import CELL, _caption, pick, sheet
from handlens.errors import OutputError
from handlens.io.draw import GAP, STRIP
from handlens.types import Event, Frame

RESULTS = [touch_result(0.9 if 20 <= n < 30 else 0.8 if 50 <= n < 60 else 0.1, n / 10, n) for n in range(100)]
EVENTS = [Event("touch", "chin", "", a / 10, b / 10, a, b, peak) for a, b, peak in ((20, 29, 0.9), (50, 59, 0.8))]


def test_each_event_is_shown_and_the_rest_is_calm_and_spread():
    picks = pick(RESULTS, EVENTS)
    assert picks == sorted(picks)
    assert len(picks) == 6
    assert [sum(event.start_frame <= n <= event.stop_frame for n in picks) for event in EVENTS] == [1, 1]


def test_many_events_leave_room_for_calm_moments():
    many = [Event("touch", "chin", "", n / 10, n / 10, n, n, 0.5) for n in range(0, 40, 2)]
    picks = pick(RESULTS, many)
    assert sum(n < 40 and n % 2 == 0 for n in picks) == 4
    assert len(picks) == 6


def test_without_events_there_are_calm_moments_only():
    assert pick(RESULTS, [], count=3) == [16, 50, 83]
    assert pick(RESULTS[:2], [], count=3) == [0, 1]


def test_the_cells_stand_side_by_side():
    frames = [Frame(np.full((30, 40, 3), 100, np.uint8), n, n / 10) for n in range(100)]
    image = sheet(frames, RESULTS, [1, 25, 50, 75])
    assert image.shape == (2 * (300 + STRIP + GAP) + GAP, 3 * (CELL + GAP) + GAP, 3)
    assert image[-GAP - 10, -GAP - 10].tolist() == [245, 245, 245]  # the seat of a fifth cell is free


def test_nothing_to_show_is_a_sentence():
    with pytest.raises(OutputError, match="no picture"):
        sheet([], RESULTS, [])


def test_answer_and_truth_stand_below_each_frame():
    frames = [Frame(np.full((30, 40, 3), 100, np.uint8), n, n / 10) for n in range(100)]
    image = sheet(frames, RESULTS, [1, 25, 50], EVENTS)
    assert image.shape == (300 + STRIP + 2 * GAP, 3 * (CELL + GAP) + GAP, 3)
    assert _caption(RESULTS[25], EVENTS) == "answer: cheek    truth: chin"
    assert _caption(RESULTS[1], EVENTS) == "answer: no touch    truth: no touch"
