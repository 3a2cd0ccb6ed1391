"""The promises of events.py and summary.py: hysteresis in seconds, whatever the frame rate."""

import dataclasses
from time import tzset

import numpy as np
import pytest
from media import touch_result

from handlens.errors import InputError
from handlens.events import EVENT_FIELDS, EventTracker, event_fields, matched
from handlens.result import Result
from handlens.summary import Summary, clock
from handlens.types import Detections, Event, Hand, Label


def follow(tracker: EventTracker, probabilities: dict[float, float], source: str = "x") -> list[Event]:
    closed = []
    for index, (time, probability) in enumerate(sorted(probabilities.items())):
        closed += tracker.update(touch_result(probability, time, index, source))
    return closed


def steady(start: float, stop: float, rate: float, inside: float, outside: float, length: float) -> dict[float, float]:
    times = np.arange(0, length, 1 / rate)
    return {float(t): inside if start - 1e-9 <= t < stop - 1e-9 else outside for t in times}


@pytest.mark.parametrize("rate", [5, 10, 25, 30, 60])
def test_an_event_has_the_same_times_at_every_frame_rate(rate: int) -> None:
    tracker = EventTracker()
    events = follow(tracker, steady(2.0, 4.0, rate, 0.9, 0.1, 8.0)) + tracker.finish()
    assert len(events) == 1
    assert events[0].start == pytest.approx(2.0, abs=1 / rate)
    assert events[0].stop == pytest.approx(4.0, abs=1.01 / rate)
    assert (events[0].label, events[0].subject, events[0].task, events[0].source) == ("cheek", "face 7", "touch", "x")
    assert events[0].peak == pytest.approx(0.9, abs=1e-6)


def test_it_starts_at_the_first_frame_and_stops_at_the_last_one_of_the_touch() -> None:
    tracker = EventTracker(min_time=0.2, gap_time=0.3)
    times = {0.0: 0.1, 0.1: 0.6, 0.2: 0.7, 0.3: 0.8, 0.4: 0.4, 0.5: 0.3, 0.6: 0.2, 0.7: 0.1, 0.8: 0.0}
    (event,) = follow(tracker, times)
    assert (event.start, event.start_frame, event.stop, event.stop_frame) == (0.1, 1, 0.4, 4)


def test_a_touch_shorter_than_the_minimum_time_is_none() -> None:
    assert follow(EventTracker(min_time=0.25), steady(1.0, 1.2, 30, 0.9, 0.1, 3.0)) == []


def test_a_dip_shorter_than_the_gap_time_does_not_split_an_event() -> None:
    signal = steady(1.0, 4.0, 20, 0.9, 0.1, 6.0)
    signal.update({t: 0.1 for t in signal if 2.0 <= t < 2.4})
    assert len(follow(EventTracker(), signal)) == 1
    signal.update({t: 0.1 for t in signal if 2.0 <= t < 2.6})
    assert len(follow(EventTracker(), signal)) == 2


def test_between_the_thresholds_nothing_opens_and_nothing_closes() -> None:
    assert follow(EventTracker(), steady(0, 9, 10, 0.4, 0.4, 5.0)) == []
    tracker = EventTracker()
    assert follow(tracker, steady(0, 1, 10, 0.9, 0.4, 5.0)) == []
    (event,) = tracker.finish()
    assert event.stop == pytest.approx(4.9)


def test_opened_tells_once_and_active_while_it_lasts() -> None:
    tracker = EventTracker(min_time=0.2, gap_time=0.2)
    opened, active = [], []
    for index, probability in enumerate([0, 0.9, 0.9, 0.9, 0.9, 0, 0, 0, 0]):
        tracker.update(touch_result(probability, index / 10, index))
        opened.append(len(tracker.opened))
        active.append(tracker.active)
    assert opened == [0, 0, 0, 1, 0, 0, 0, 0, 0]
    assert active == [False, False, False, True, True, True, True, False, False]


def test_an_event_that_is_still_open_ends_with_the_source() -> None:
    tracker = EventTracker()
    assert follow(tracker, steady(1.0, 9.0, 10, 0.9, 0.1, 3.0)) == []
    (event,) = tracker.finish()
    assert (event.start, event.stop) == (1.0, pytest.approx(2.9))
    assert tracker.finish() == []


def test_another_source_closes_what_was_open() -> None:
    tracker = EventTracker()
    assert follow(tracker, steady(0.5, 9.0, 10, 0.9, 0.1, 2.0), "a.mp4") == []
    (event,) = follow(tracker, steady(9, 9, 10, 0.9, 0.1, 2.0), "b.mp4")
    assert (event.source, event.stop) == ("a.mp4", pytest.approx(1.9))


def test_the_label_is_the_region_touched_most() -> None:
    tracker = EventTracker()
    for index in range(20):
        tracker.update(touch_result(0.9, index / 10, index, label=2 if index < 6 else 3))
    assert tracker.finish()[0].label == "chin"


def test_a_touch_without_a_region_is_still_an_event() -> None:
    tracker = EventTracker()
    for index in range(10):
        found = Detections.empty(("face", "hand"), touch=0.8)
        tracker.update(Result("touch", index, index / 10, found, "x", 9, 9, "m"))
    (event,) = tracker.finish()
    assert (event.label, event.subject) == ("touch", "")


def hold(index: int, name: str, *more: Hand) -> Result:
    """Frame number `index` of ten in a second, with one hand that does `name`."""
    other = "nothing" if name == "object" else "object"
    hand = Hand(np.array([0, 0, 9, 9], np.float32), Label(name, 0.9, {name: 0.9, other: 0.1}), id=4)
    return Result("hold", index, index / 10, (hand, *more), "x", 9, 9, "hold")


def test_a_model_that_names_hands_has_one_stream_for_each_name_and_none_for_nothing() -> None:
    tracker = EventTracker()
    closed = [e for i in range(40) for e in tracker.update(hold(i, "object" if 10 <= i < 20 else "nothing"))]
    (event,) = closed
    assert (event.label, event.subject, event.start_frame, event.stop_frame) == ("object", "hand 4", 10, 19)
    assert event.peak == pytest.approx(0.9)
    assert tracker.finish() == []


def test_the_subject_is_the_hand_that_did_it_most() -> None:
    tracker = EventTracker()
    for index in range(10):
        brief = Hand(np.array([20, 0, 29, 9], np.float32), Label("object", 0.95), id=7)
        tracker.update(hold(index, "object", *([brief] if index < 3 else [])))
    (event,) = tracker.finish()
    assert (event.subject, event.peak) == ("hand 4", pytest.approx(0.95))


@pytest.mark.parametrize(
    ("name", "counts"), [("HoldingNothing", False), ("Blank", False), ("3", True), ("none!", True)]
)
def test_labels_that_say_that_nothing_is_done_are_no_events(name: str, counts: bool) -> None:
    tracker = EventTracker()
    for index in range(10):
        tracker.update(Result("gesture", index, index / 10, Label(name, 0.9), "x", 9, 9, "m"))
    assert len(tracker.finish()) == counts


@pytest.mark.parametrize("wrong", [{"open": 0.3, "close": 0.4}, {"open": 1.2}, {"min_time": -1}, {"gap_time": -0.1}])
def test_contradicting_thresholds_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match="events need"):
        EventTracker(**wrong)


def test_the_fields_of_a_file_are_those_of_the_contract() -> None:
    event = Event("touch", "chin", "face 1", 0.12345, 1.99951, 3, 60, 0.987654, "clip.mp4")
    first = ("source", "subject", "label", "start", "stop", "start_frame", "stop_frame", "peak")
    assert (*first, "side", "hand", "regions", "clock", "cut") == EVENT_FIELDS
    known = ["clip.mp4", "face 1", "chin", 0.123, 2.0, 3, 60, 0.988]
    assert list(event_fields(event).values()) == [*known, "", "", "", "", 0]


def test_an_event_tells_its_regions_its_wall_clock_and_that_it_was_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Etc/GMT-2")  # two hours east of Greenwich
    tzset()
    regions = (("cheek", 1.2), ("forehead", 0.8004))
    event = Event("touch", "cheek", "face 1", 0, 2, 0, 50, 0.9, regions=regions, clock=1764504000.25, cut=True)
    fields = event_fields(event)
    assert (fields["regions"], fields["cut"]) == ("cheek:1.200;forehead:0.800", 1)
    assert fields["clock"] == "2025-11-30T14:00:00.250+02:00"
    monkeypatch.undo()
    tzset()


@pytest.mark.slow
def test_the_summary_tells_touches_per_hour_time_touched_and_regions() -> None:
    summary, tracker = Summary(), EventTracker()
    for index in range(6001):
        probability = 0.9 if 100 <= index < 200 or 300 <= index < 350 else 0.1
        result = touch_result(probability, index / 10, index, label=2 if index < 250 else 3)
        for event in tracker.update(result):
            summary.note(event)
        summary.add(result)
    assert (summary.frames, summary.touched, summary.events, summary.sources) == (6001, 150, 2, 1)
    assert summary.seconds == pytest.approx(600.0)
    assert summary.per_hour == pytest.approx(12.0)
    assert summary.event_seconds == pytest.approx(9.9 + 4.9)
    text = str(summary)
    assert "touches per hour" in text
    assert "12.0" in text
    assert text.index("cheek") < text.index("chin")


def test_the_summary_of_pictures_has_no_duration() -> None:
    summary = Summary()
    for name in "abc":
        summary.add(touch_result(0.8, source=name))
    assert summary.per_hour is None
    assert "per hour" not in str(summary)
    assert (summary.sources, summary.touched) == (3, 3)


def test_summaries_add_up_and_rich_can_print_them(capsys: pytest.CaptureFixture[str]) -> None:
    from rich.console import Console

    one, two = Summary(), Summary()
    for index in range(11):
        one.add(touch_result(0.9, index, index, "a"))
        two.add(touch_result(0.1, index, index, "b"))
    one.note(Event("touch", "chin", "", 1, 2, 1, 2, 0.9, "a"))
    two.note(Event("touch", "chin", "", 1, 4, 1, 4, 0.9, "b"))
    one.merge(two)
    assert (one.frames, one.sources, one.seconds, one.events, one.regions["chin"].count) == (22, 2, 20, 2, 2)
    Console().print(one)
    assert "chin" in capsys.readouterr().out


def test_durations_read_like_a_clock() -> None:
    assert [clock(s) for s in (0.04, 3.41, 59.96, 83.5, 3723.4)] == ["0.0 s", "3.4 s", "1:00.0", "1:23.5", "1:02:03.4"]


# --- each frame counts for its own duration, and a pause closes


def shown(probability: float, time: float, index: int, duration: float, **more: object) -> Result:
    return dataclasses.replace(touch_result(probability, time, index, **more), duration=duration)


def test_one_frame_a_second_gives_events_and_a_frame_without_a_touch_closes_one() -> None:
    tracker = EventTracker()
    closed = [e for n, p in enumerate([0.9, 0.9, 0.1, 0.9, 0.9]) for e in tracker.update(shown(p, n, n, 1.0))]
    closed += tracker.finish()
    assert [(e.start, e.stop, e.cut) for e in closed] == [(0.0, 2.0, False), (3.0, 5.0, True)]


def test_a_single_frame_of_a_second_is_an_event_and_one_of_a_25th_is_none() -> None:
    for duration, count in ((1.0, 1), (0.04, 0)):
        tracker = EventTracker()
        levels = [0.1, 0.9, 0.1, 0.1, 0.1]
        closed = [e for n, p in enumerate(levels) for e in tracker.update(shown(p, n * duration, n, duration))]
        assert len(closed + tracker.finish()) == count


@pytest.mark.parametrize("rate", [1, 2, 5, 25])
def test_a_pause_in_the_time_stamps_closes_an_event_where_it_was_last_seen(rate: int) -> None:
    tracker, closed = EventTracker(), []
    times = [n / rate for n in range(3 * rate + 3)]
    later = [times[-1] + 1 / rate + 4.0 + n / rate for n in range(3 * rate)]
    for n, at in enumerate(times + later):
        long = n == len(times) - 1  # players show the frame before the hole until the next one comes
        closed += tracker.update(shown(0.9, at, n, 1 / rate + (4.0 if long else 0.0)))
    closed += tracker.finish()
    assert [(e.start, e.cut) for e in closed] == [(0.0, True), (later[0], True)]
    assert closed[0].stop == pytest.approx(times[-1] + 1 / rate)


def test_a_steady_slow_source_has_no_pause() -> None:
    tracker = EventTracker()
    closed = [e for n in range(10) for e in tracker.update(shown(0.9, 5.0 * n, n, 5.0))]
    assert closed == []
    (event,) = tracker.finish()
    assert (event.start, event.stop) == (0.0, 50.0)


def test_late_frames_of_a_busy_camera_are_no_pause() -> None:
    tracker = EventTracker()
    at, closed = 0.0, []
    for n in range(60):
        at += 0.1 + (0.3 if n % 7 == 0 else 0.0)
        closed += tracker.update(touch_result(0.9, at, n))
    assert closed == []


def test_an_event_that_ended_before_the_source_is_not_cut() -> None:
    tracker = EventTracker()
    follow(tracker, {n / 10: 0.9 if n < 10 else 0.1 for n in range(13)})
    (event,) = tracker.finish()
    assert not event.cut


# --- one stream for each face


def people(time: float, touched: dict[int, float], regions: dict[int, str], index: int = 0) -> Result:
    """A frame with these faces (number -> probability) and their touched regions."""
    names = ("face", "hand", *REGIONS)
    labels = [0] * len(touched) + [names.index(region) for region in regions.values()]
    order = list(touched)
    owners = [-1] * len(touched) + [order.index(face) for face in regions]
    count = len(labels)
    scores = [0.9] * len(touched) + [touched[face] for face in regions]
    found = Detections(
        np.tile(np.array([0, 0, 9, 9], np.float32), (count, 1)),
        np.array(scores, np.float32),
        np.array(labels),
        names,
        face=np.array(owners),
        id=np.array([*order, *[-1] * len(regions)]),
        touch=max(touched.values(), default=0.0),
        face_touch=np.array([*touched.values(), *[np.nan] * len(regions)], np.float32),
    )
    return Result("touch", index, time, found, "x", 9, 9, "m", 0.1)


REGIONS = ("cheek", "chin", "forehead", "eye", "ear")


def test_two_people_side_by_side_have_their_own_events() -> None:
    tracker, closed = EventTracker(), []
    for n in range(60):
        one, two = 10 <= n < 30, 20 <= n < 40
        regions = ({1: "chin"} if one else {}) | ({2: "cheek"} if two else {})
        closed += tracker.update(people(n / 10, {1: 0.9 if one else 0.1, 2: 0.8 if two else 0.1}, regions, n))
    assert [(e.subject, e.label, round(e.start, 3), round(e.stop, 3)) for e in closed] == [
        ("face 1", "chin", 1.0, 3.0),
        ("face 2", "cheek", 2.0, 4.0),
    ]


def test_touches_of_two_people_that_follow_each_other_are_not_one() -> None:
    tracker, closed = EventTracker(), []
    for n in range(40):
        closed += tracker.update(people(n / 10, {1: 0.9 if n < 10 else 0.1, 2: 0.9 if 10 <= n < 20 else 0.1}, {}, n))
    assert [(e.subject, e.start_frame, e.stop_frame) for e in closed] == [("face 1", 0, 9), ("face 2", 10, 19)]


def test_a_face_that_is_gone_for_less_than_the_gap_goes_on() -> None:
    tracker, closed = EventTracker(), []
    for n in range(40):
        closed += tracker.update(people(n / 10, {} if 10 <= n < 13 else {1: 0.9 if n < 20 else 0.1}, {}, n))
    assert [(e.start_frame, e.stop_frame) for e in closed] == [(0, 19)]


def test_a_minimum_score_changes_no_event() -> None:
    tracker = EventTracker()
    for n in range(10):
        full = people(n / 10, {1: 0.9}, {1: "chin"}, n)
        tracker.update(dataclasses.replace(full, value=full.value.select([]), basis=full.value))
    (event,) = tracker.finish()
    assert (event.subject, event.label, event.regions) == ("face 1", "chin", (("chin", pytest.approx(1.0)),))


# --- regions over time


def moved(regions: "list[tuple[str, float]]", rate: int = 25, tracker: EventTracker | None = None) -> list[Event]:
    """Events of a touch on these regions one after the other for so many seconds; "" is not a touch."""
    tracker, closed, n = tracker or EventTracker(), [], 0
    for region, seconds in [*regions, ("", 1.0)]:
        for _ in range(round(seconds * rate)):
            result = people(n / rate, {1: 0.9 if region else 0.2}, {1: region} if region else {}, n)
            closed += tracker.update(dataclasses.replace(result, duration=1 / rate))
            n += 1
    return closed + tracker.finish()


def test_a_touch_that_slides_over_the_face_is_one_event_that_says_where_it_was() -> None:
    (event,) = moved([("cheek", 1.2), ("forehead", 0.8), ("cheek", 1.0)])
    assert event.label == "cheek"
    assert [name for name, _ in event.regions] == ["cheek", "forehead", "cheek"]
    assert [seconds for _, seconds in event.regions] == pytest.approx([1.2, 0.8, 1.0], abs=0.2)
    assert sum(seconds for _, seconds in event.regions) == pytest.approx(event.stop - event.start)


def test_a_region_that_only_flickers_is_not_told() -> None:
    (event,) = moved([("ear", 0.04), ("chin", 1.0), ("cheek", 0.08), ("chin", 1.0), ("eye", 0.08)])
    assert event.regions == (("chin", pytest.approx(2.2)),)


@pytest.mark.parametrize("rate", [10, 25, 60])
def test_a_hand_that_leaves_for_less_than_the_gap_and_lands_elsewhere_makes_two_events(rate: int) -> None:
    one, two = moved([("", 0.5), ("chin", 1.0), ("", 0.3), ("forehead", 1.0)], rate)
    assert (one.label, two.label) == ("chin", "forehead")
    assert (one.start, one.stop) == pytest.approx((0.5, 1.5), abs=0.06)
    assert (two.start, two.stop) == pytest.approx((1.8, 2.8), abs=0.06)
    assert (one.regions, two.regions) == ((("chin", pytest.approx(1.0)),), (("forehead", pytest.approx(1.0)),))


def test_a_dip_with_the_same_region_before_and_after_is_one_event() -> None:
    (event,) = moved([("chin", 1.0), ("", 0.3), ("chin", 1.0)])
    assert event.regions == (("chin", pytest.approx(2.32)),)


def test_a_dip_and_another_region_for_less_than_the_minimum_time_is_one_event() -> None:
    (event,) = moved([("chin", 1.0), ("", 0.2), ("forehead", 0.12), ("", 0.2), ("chin", 1.0)])
    assert [name for name, _ in event.regions] == ["chin"]


def test_a_split_opens_the_second_event_in_the_same_step() -> None:
    tracker = EventTracker()
    opened: list[str] = []
    for n in range(50):
        region = "chin" if n < 25 else "" if n < 30 else "eye"
        tracker.update(people(n / 25, {1: 0.9 if region else 0.1}, {1: region} if region else {}, n))
        opened += [event.label for event in tracker.opened]
        assert tracker.active or n < 6
    assert opened == ["chin", "eye"]


# --- observed time


def faceless(result: Result) -> Result:
    assert isinstance(result.value, Detections)
    return dataclasses.replace(result, value=result.value.select([]))


@pytest.mark.slow
def test_time_without_a_face_and_pauses_are_not_observed_and_the_rate_refers_to_the_rest() -> None:
    summary = Summary()
    for n in range(4000):  # ten a second: 400 s, 100 s of them without a face
        result = people(n / 10 + (50.0 if n >= 2000 else 0.0), {1: 0.1}, {}, n)
        summary.add(faceless(result) if 1000 <= n < 2000 else result)
    summary.note(Event("touch", "chin", "face 1", 1, 4, 10, 40, 0.9, "x"))
    assert summary.seconds == pytest.approx(450.0)
    assert summary.observed == pytest.approx(300.0, abs=0.11)
    assert summary.per_hour == pytest.approx(12.0, rel=0.01)
    assert summary.share == pytest.approx(0.01, rel=0.01)
    rows = dict(summary.rows())
    assert (rows["duration"], rows["observed"]) == ("7:30.0", "5:00.0 (67%)")


def test_below_five_observed_minutes_no_rate_is_told() -> None:
    summary = Summary()
    for n in range(2990):
        summary.add(people(n / 10, {1: 0.1}, {}, n))
    assert summary.per_hour is None
    assert "per hour" not in str(summary)


def test_a_model_that_knows_no_faces_observes_all_the_time() -> None:
    summary = Summary()
    for n in range(11):
        found = Detections.empty(("facetouch",), touch=None)
        summary.add(Result("touch", n, n / 10, found, "x", 9, 9, "m"))
    assert summary.observed == summary.seconds == pytest.approx(1.0)


def test_each_source_has_a_row_of_its_own() -> None:
    summary = Summary()
    for name, seconds in (("a.mp4", 400), ("b.mp4", 20)):
        for n in range(seconds + 1):
            summary.add(touch_result(0.1, n, n, name))
    summary.note(Event("touch", "chin", "", 1, 21, 1, 21, 0.9, "a.mp4"))
    heading, one, two = summary.source_rows()
    assert heading == ("source", "duration", "observed", "touches", "per hour", "time touched")
    assert one == ("a.mp4", "6:40.0", "6:40.0", "1", "9.0", "20.0 s (5.0%)")
    assert two == ("b.mp4", "20.0 s", "20.0 s", "0", "-", "0.0 s (0.0%)")
    assert "b.mp4" in str(summary)


def test_a_summary_goes_through_json_and_back() -> None:
    import json

    summary = Summary(errors=[InputError("'c.mp4' is empty.")])
    for n in range(5):
        summary.add(hold(n, "object"))
    summary.note(Event("hold", "object", "hand 4", 0, 0.4, 0, 4, 0.9, "x"))
    again = Summary.from_dict(json.loads(json.dumps(summary.to_dict())))
    assert again.to_dict() == summary.to_dict()
    assert (again.labels["object"], again.regions["object"].count, again.seconds) == (5, 1, pytest.approx(0.4))
    assert str(again.merge(again)).count("object") == 2


def test_events_stand_beside_the_true_ones_that_they_overlap_most() -> None:
    def one(start: float, stop: float) -> Event:
        return Event("touch", "chin", "", start, stop, 0, 0, 1.0)

    found = [one(0, 2), one(3, 3.5), one(6, 9)]
    truth = [one(0.5, 1.5), one(1.8, 2.5), one(7, 8)]
    assert matched(found, truth) == [
        (found[0], truth[0]),
        (None, truth[1]),
        (found[1], None),
        (found[2], truth[2]),
    ]
    assert matched([], truth[:1]) == [(None, truth[0])]
