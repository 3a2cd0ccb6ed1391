"""The early warning: a hand that comes up is warned of once, one that rests, leaves or goes past is not."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from media import touch_result

from handlens.events import EventTracker
from handlens.live.early import FAINT, Approach, EarlyWarning, Listening, gaps_of, listening
from handlens.live.gate import Gate
from handlens.live.session import Session
from handlens.live.settings import Settings
from handlens.loop import Step
from handlens.predictor import load
from handlens.result import Result
from handlens.types import Detections, Frame

FPS = 20


def result(n: int, gap: float | None, aside: float = 0.0, source: str = "0") -> Result:
    """A face of height 100 and a hand so many face heights below it, and to its side."""
    boxes = [[100, 100, 200, 200]]
    if gap is not None:
        boxes.append([120 + 100 * aside, 200 + 100 * gap, 180 + 100 * aside, 260 + 100 * gap])
    label, ids = [0, 1][: len(boxes)], [1, 1][: len(boxes)]
    found = Detections(np.array(boxes, np.float32), np.full(len(boxes), 0.9, np.float32), np.array(label),
                       ("face", "hand"), id=np.array(ids))  # fmt: skip
    return Result("touch", n, n / FPS, found, source, 640, 480, "touch")


def warned(way: Callable[[float], float | None], seconds: float = 3.0, **more: float) -> list[float]:
    approach = Approach()
    return [
        n / FPS
        for n in range(round(seconds * FPS))
        if approach.update(result(n, way(n / FPS), more.get("aside", 0.0)), 0.0)
    ]


def test_a_hand_that_comes_up_is_warned_of_once_and_in_time() -> None:
    times = warned(lambda t: max(0.0, 1.2 - 1.5 * max(0.0, t - 1.0)))  # there at 1.8 s
    assert len(times) == 1
    assert 1.0 < times[0] <= 1.5


@pytest.mark.parametrize(
    "way",
    [
        lambda t: 0.3,  # rests below the chin
        lambda t: 0.5 + 0.05 * np.sin(6 * t),  # moves a little
        lambda t: min(1.5, 0.1 + 1.5 * t),  # goes away
        lambda t: max(0.0, 1.5 - 0.3 * t),  # comes very slowly
        lambda t: None,
    ],
)
def test_other_hands_are_not_warned_of(way: Callable[[float], float | None]) -> None:
    assert warned(way) == []


def test_a_hand_that_goes_past_beside_the_face_is_not_warned_of() -> None:
    assert warned(lambda t: 1.5 - 1.5 * t, seconds=2.5, aside=2.2) == []


def test_a_hand_whose_way_leads_past_the_face_is_not_warned_of() -> None:
    """It comes as near as half a height, so fast that it would be there, but it keeps to its side."""
    assert warned(lambda t: 1.2 - 1.5 * t, seconds=2.0, aside=1.3) == []


def test_the_next_warning_needs_a_hand_that_went_away() -> None:
    def twice(t: float) -> float:
        return max(0.0, 1.2 - 1.5 * (t % 3.0)) if t % 3.0 < 2.0 else 1.2

    assert len(warned(twice, 6.0)) == 2


def test_during_a_touch_and_until_the_hand_has_gone_there_is_no_warning() -> None:
    approach = Approach()
    coming = [max(0.0, 1.0 - 2 * n / FPS) for n in range(12)]
    assert not any(approach.update(result(n, gap), 0.9, touching=True) for n, gap in enumerate(coming))
    assert not any(approach.update(result(20 + n, gap), 0.05) for n, gap in enumerate(coming))  # not gone for long
    assert not any(approach.update(result(40 + n, None), 0.05) for n in range(20))
    assert sum(approach.update(result(60 + n, gap), 0.05) for n, gap in enumerate(coming)) == 1


def test_a_faint_box_that_stands_still_at_the_face_keeps_no_warning_back() -> None:
    approach, warnings = Approach(), 0
    for n in range(60):
        both = result(n, max(0.0, 1.2 - 1.5 * max(0.0, n / FPS - 1.5)))
        found = both.value
        assert isinstance(found, Detections)
        spot = dataclasses.replace(
            found, xyxy=np.concatenate([found.xyxy, [[150, 110, 170, 130]]]), score=np.append(found.score, 0.3),
            label=np.append(found.label, 1), id=np.append(found.id, 2), face=(), hand=(), side=(),
        )  # fmt: skip
        warnings += approach.update(dataclasses.replace(both, value=spot), 0.1)
    assert warnings == 1


def test_another_source_or_a_time_that_runs_back_begins_anew() -> None:
    approach = Approach()
    assert not approach.update(result(0, 1.0), 0.0)
    assert not approach.update(result(2, 0.1, source="1"), 0.0)  # would be very fast
    assert not approach.update(result(1, 0.8, source="1"), 0.0)


def test_gaps_are_from_box_to_box_to_the_nearest_face() -> None:
    assert gaps_of(result(0, 0.5).value) == {1: pytest.approx(0.5)}  # type: ignore[arg-type]
    assert gaps_of(result(0, -0.3).value) == {1: 0.0}  # type: ignore[arg-type]
    assert gaps_of(Detections.empty(("face", "hand"))) == {}


@pytest.mark.slow
def test_the_demo_clip_is_warned_of_before_its_first_touch() -> None:
    """The clip's first touch begins at 1.52 s; the alarm by itself opens after it."""
    from handlens.clips import frames
    from handlens.weights import demo_clip

    found = listening(load("touch", 1))
    assert found is not None
    predictor, detector = found
    warnings: list[float] = []
    now = [0.0]
    early = EarlyWarning(detector, lambda: warnings.append(now[0]), lambda: True)
    for frame in frames(demo_clip(), stop=1.6):
        answer = predictor.predict(frame)
        now[0] = frame.time
        early(Step(frame, answer, (), (), False, 0.0, frame.time, None, 0))
    assert len(warnings) == 1
    assert 1.0 < warnings[0] <= 1.4


def test_switched_off_it_looks_at_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Silent(Listening):
        def __init__(self) -> None: ...

        def boxes(self, frame: Frame) -> Detections | None:
            raise AssertionError("it was asked")

    frame = Frame(np.zeros((4, 4, 3), np.uint8))
    EarlyWarning(Silent(), lambda: None, lambda: False)(Step(frame, result(0, 1.0), (), (), False, 0, 0, None, 0))
    assert 0 < FAINT < 0.37


def test_the_warning_keeps_to_pause_snooze_and_cool_down_and_the_touch_after_it_sounds_no_second_time() -> None:
    now, sounded = [100.0], []

    class Loud:
        sound = voice = True
        cooldown, volume = 9.0, 1.0

        def start(self) -> bool:
            sounded.append(now[0])
            return True

    session = Session(Settings(cooldown=5.0), clock=lambda: now[0])
    events = EventTracker(min_time=0.0)
    gate = Gate(Loud(), events, session, clock=lambda: now[0])
    session.snooze(10.0)
    assert not gate.warn_early()
    now[0] = 111.0
    assert gate.warn_early()
    events.update(touch_result(0.9))
    assert events.active
    assert not gate.start()  # within the cool-down of the early warning
    assert not gate.warn_early()
    now[0] = 117.0
    assert gate.start()
    session.pause()
    now[0] = 130.0
    assert not gate.warn_early()
    assert sounded == [111.0, 117.0]
