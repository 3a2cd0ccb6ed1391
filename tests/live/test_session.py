"""What stands around the loop: pause, snooze, chosen regions, cool-down, another camera, saving power."""

import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from clocks import FakeClock, wait
from media import touch_result

from handlens.errors import DeviceError, InputError, OutputError
from handlens.events import EventTracker
from handlens.io.alarm import Alarm, find_players
from handlens.live.cameras import named_cameras
from handlens.live.gate import Gate
from handlens.live.points import operating_points, position_of, threshold_of
from handlens.live.resting import EMPTY_S, LOOK_S, Resting
from handlens.live.session import CHANGEABLE, Session
from handlens.live.settings import Settings
from handlens.live.source import LOW_POWER_STEP_S, Controlled
from handlens.result import Result
from handlens.types import Detections, Event, Frame
from handlens.weights import SHIPPED


class Sounded:
    """An alarm that counts."""

    sound, cooldown, voice, volume = True, 0.0, True, 1.0

    def __init__(self) -> None:
        self.count = 0

    def start(self) -> bool:
        self.count += self.sound
        return self.sound


class Touched(EventTracker):
    """A tracker in the middle of a touch."""

    def __init__(self, *regions: str) -> None:
        super().__init__()
        self.event = Event(
            "touch", regions[0], "", 0.0, 1.0, 0, 25, 0.9, regions=tuple((name, 1.0) for name in regions)
        )

    @property
    def current(self) -> list[Event]:
        return [self.event]


def gate(clock: FakeClock, session: Session, *regions: str) -> tuple[Gate, Sounded, list[Event]]:
    alarm, warned = Sounded(), []
    return Gate(alarm, Touched(*regions), session, warned.append, clock=clock.monotonic), alarm, warned


def test_the_alarm_keeps_its_cooldown_and_is_quiet_when_snoozed_or_paused():
    clock = FakeClock()
    session = Session(Settings(cooldown=5.0), clock=clock.monotonic)
    door, alarm, _ = gate(clock, session, "chin")
    assert [door.start(), door.start()] == [True, False]
    clock.now += 5.0
    session.snooze(300)
    assert not door.start()
    clock.now += 300.0
    assert door.start()
    clock.now += 5.0
    session.pause()
    assert not door.start()
    session.resume()
    assert door.start()
    assert alarm.count == 3


def test_only_the_chosen_places_warn_and_the_place_touched_last_counts():
    clock = FakeClock()
    session = Session(Settings(regions=("mouth", "nose"), cooldown=0.0), clock=clock.monotonic)
    assert not gate(clock, session, "chin")[0].start()
    assert gate(clock, session, "mouth")[0].start()
    assert gate(clock, session, "chin", "mouth")[0].start()
    assert not gate(clock, session, "mouth", "chin")[0].start()
    assert gate(clock, session, "facetouch")[0].start()  # a model without places warns always
    session = Session(Settings(regions=(), cooldown=0.0), clock=clock.monotonic)
    for place in ("chin", "facetouch"):
        assert not gate(clock, session, place)[0].start()
    assert not gate(clock, session, "chin")[0].warn_early()


def test_without_sound_the_page_is_still_told():
    clock = FakeClock()
    session = Session(Settings(sound="off"), clock=clock.monotonic)
    door, alarm, warned = gate(clock, session, "chin")
    assert not door.start()
    assert (alarm.count, [event.label for event in warned]) == (0, ["chin"])


def test_a_snooze_ends_by_itself_and_by_hand():
    clock = FakeClock()
    session = Session(clock=clock.monotonic)
    session.snooze(300)
    assert session.to_dict()["snoozed_s"] == 300.0
    clock.now += 301
    assert not session.snoozed
    session.snooze()
    assert session.to_dict()["snoozed_s"] is None
    session.snooze(0)
    assert not session.snoozed


def test_a_change_is_kept_told_and_checked():
    kept: list[dict[str, Any]] = []
    told: list[float] = []
    session = Session(Settings(close=0.4), kept.append)
    session.on_change(lambda: told.append(session.settings.open))
    session.change("open", 0.3)
    assert (session.settings.open, session.settings.closes) == (0.3, 0.3)
    assert kept == [{"open": 0.3, "close": None}]
    assert told == [0.3]
    with pytest.raises(InputError):
        session.change("model", "other.onnx")  # no path comes from a page
    assert not {"source", "model", "voice"} & set(CHANGEABLE)


def test_a_camera_that_was_chosen_is_kept():
    kept: list[dict[str, Any]] = []
    session = Session(Settings(), kept.append)
    session.choose_camera(2)
    assert kept == [{"source": "2"}]
    assert [session.take_camera(), session.take_camera()] == [2, None]


def test_a_change_that_cannot_be_kept_holds_all_the_same():
    def full(changed: dict[str, Any]) -> None:
        raise OutputError("the disk is full.")

    session = Session(Settings(), full)
    with pytest.raises(OutputError):
        session.change("volume", 0.1)
    assert session.settings.volume == 0.1


class Shown:
    """A source whose frames a test gives; a camera by its name."""

    kind, live, total, fps, skipped, ended = "camera", True, None, 25.0, 0, ""

    def __init__(self, name: str, clock: FakeClock, count: int = 1000) -> None:
        self.name, self._clock, self._count = name, clock, count
        self.closed = False

    def frames(self, on_error: Any = None) -> Iterator[Frame]:
        for index in range(self._count):
            if self.closed:
                return
            self._clock.now += 0.04
            yield Frame(np.zeros((4, 4, 3), np.uint8), index, index * 0.04, self.name)

    def stop(self) -> None:
        self.closed = True

    def __enter__(self) -> "Shown":
        return self

    def __exit__(self, *given: object) -> None:
        self.closed = True


def test_a_pause_closes_the_camera_and_time_goes_on_after_it():
    clock = FakeClock()
    session = Session(clock=clock.monotonic)
    made = [Shown("0", clock)]
    source = Controlled(made[0], session, lambda number: again(number), clock=clock.monotonic)

    def again(number: int) -> Shown:
        made.append(Shown(str(number), clock))
        return made[-1]

    frames = source.frames()
    before = [next(frames) for _ in range(10)]
    session.pause()
    resume = threading.Timer(0.2, lambda: (setattr(clock, "now", clock.now + 60), session.resume()))
    resume.start()
    after = next(frames)
    resume.join()
    assert made[0].closed
    assert len(made) == 2
    assert after.time - before[-1].time > 60
    assert after.index > before[-1].index
    assert next(frames).time == pytest.approx(after.time + 0.04)
    source.stop()


def test_another_camera_is_opened_and_one_that_fails_leaves_the_old_one():
    clock = FakeClock()
    session = Session(clock=clock.monotonic)
    failed: list[str] = []

    def opened(number: int) -> Shown:
        if number == 7:
            raise DeviceError("camera 7 does not open.")
        return Shown(str(number), clock)

    source = Controlled(
        Shown("0", clock), session, opened, lambda error: failed.append(str(error)), clock=clock.monotonic
    )
    frames = source.frames()
    assert next(frames).source == "0"
    session.choose_camera(2)
    assert next(frames).source == "2"
    session.choose_camera(7)
    assert next(frames).source == "2"
    assert failed == ["camera 7 does not open."]
    source.stop()


def test_a_recording_is_played_again_as_long_as_it_is_asked_for():
    clock, films = FakeClock(), []

    def film() -> Shown:
        films.append(Shown("clip.mp4", clock, 3))
        films[-1].kind = "video"
        return films[-1]

    source = Controlled(
        film(),
        Session(clock=clock.monotonic),
        lambda number: film(),
        clock=clock.monotonic,
        again=lambda: film() if len(films) < 3 else None,
    )
    shown = list(source.frames())
    assert [frame.index for frame in shown] == list(range(9))
    assert [frame.time for frame in shown] == pytest.approx([0.04 * n for n in range(9)], abs=0.05)
    assert [each.closed for each in films] == [True, True, False]  # the last one is closed on leaving


def test_a_pause_does_not_keep_the_program_from_ending():
    clock = FakeClock()
    session = Session(clock=clock.monotonic)
    source = Controlled(Shown("0", clock), session, lambda number: Shown(str(number), clock), clock=clock.monotonic)
    ended = threading.Event()

    def look() -> None:
        for _ in source.frames():
            session.pause()
        ended.set()

    threading.Thread(target=look, daemon=True).start()
    wait(lambda: session.paused)
    source.stop()
    assert ended.wait(10)


def test_saving_power_looks_five_times_a_second(monkeypatch):
    clock = FakeClock()
    session = Session(Settings(low_power=True), clock=clock.monotonic)
    monkeypatch.setattr(session, "wait", clock.sleep)
    source = Controlled(Shown("0", clock), session, lambda number: Shown("0", clock), clock=clock.monotonic)
    frames = source.frames()
    next(frames)
    began = clock.now
    for _ in range(5):
        next(frames)
    assert clock.now - began == pytest.approx(5 * (LOW_POWER_STEP_S + 0.04))
    session.change("low_power", False)
    began = clock.now
    next(frames)
    assert clock.now - began == pytest.approx(0.04)


class Counted:
    """A model that sees nobody, or somebody, and counts how often it is asked."""

    def __init__(self) -> None:
        self.asked, self.somebody = 0, False

    def predict(self, frame: Frame, /, min_score: float | None = None, crop: str = "hand") -> Result:
        self.asked += 1
        if self.somebody:
            return touch_result(0.1, frame.time)
        nobody = Detections.empty(("face", "hand"), 0.0)
        return Result("touch", frame.index, frame.time, nobody, frame.source, 64, 48, "fake")


def look(resting: Resting, start: float, seconds: float, level: int = 90) -> float:
    rng = np.random.default_rng(int(start))
    for n in range(int(seconds * 5)):
        image = np.clip(rng.normal(level, 3, (96, 128, 3)), 0, 255).astype(np.uint8)
        assert resting.predict(Frame(image, n, start + n / 5)).time == start + n / 5
    return start + seconds


def test_the_detector_sleeps_while_nobody_is_there_and_wakes_when_something_moves():
    model, session = Counted(), Session(Settings(low_power=True))
    resting = Resting(model, session)
    now = look(resting, 0.0, EMPTY_S)
    assert model.asked == 5 * EMPTY_S
    now = look(resting, now, 8.0)
    assert model.asked == 5 * EMPTY_S  # it is asleep
    model.somebody = True
    now = look(resting, now, 2.0, level=130)
    assert model.asked == 5 * EMPTY_S + 10  # awake at once, and while somebody is there
    model.somebody = False
    now = look(resting, now, EMPTY_S + 0.5, level=90)
    before = model.asked
    look(resting, now, 2 * LOOK_S)
    assert 2 <= model.asked - before <= 3  # from time to time it looks all the same


def test_it_does_not_sleep_when_no_power_is_to_be_saved():
    model = Counted()
    look(Resting(model, Session()), 0.0, 20.0)
    assert model.asked == 100


def test_the_measured_points_are_of_the_model_that_ships():
    """After a new model: benchmarks/operating_points.py."""
    table = operating_points(SHIPPED / "touch.onnx")
    assert table is not None, "the shipped touch is new: run benchmarks/operating_points.py (see its first lines)"
    assert [point["position"] for point in table["points"]] == list(range(0, 101, 5))
    for name in ("touch", "front", "plain", "things"):
        counts = [point[name] for point in table["points"]]
        assert counts == sorted(counts)
        assert counts[-1] <= table["of"][name]


def test_points_of_another_model_are_not_shown(tmp_path):
    (tmp_path / "touch.onnx").write_bytes(b"another")
    assert operating_points(tmp_path / "touch.onnx") is None
    assert operating_points(tmp_path / "missing.onnx") is None


def test_positions_and_thresholds_are_two_sides_of_one_scale():
    assert [threshold_of(position) for position in (0, 50, 100)] == [0.95, 0.5, 0.05]
    assert all(position_of(threshold_of(position)) == position for position in range(5, 100, 5))


def test_cameras_are_told_by_name_and_nodes_without_pictures_are_left_out(tmp_path, monkeypatch):
    monkeypatch.setattr("handlens.live.cameras.sys.platform", "linux")
    for node, name, index in (("video0", "Front", "0"), ("video1", "Front", "1"), ("video2", "Desk\n", "0")):
        (tmp_path / node).mkdir()
        (tmp_path / node / "name").write_text(name)
        (tmp_path / node / "index").write_text(index)
    assert named_cameras(tmp_path) == [(0, "Front"), (2, "Desk")]
    assert named_cameras(tmp_path / "missing") == []


def test_the_volume_reaches_the_voice_and_an_empty_text_only_beeps(tmp_path, monkeypatch):
    for name in ("espeak-ng", "aplay"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("handlens.io.alarm.sys.platform", "linux")
    beep = [str(tmp_path / "aplay"), "-q", "b.wav"]
    assert find_players("hi", Path("b.wav"), 0.4) == [[str(tmp_path / "espeak-ng"), "-a", "40", "hi"], beep]
    assert find_players("", Path("b.wav"), 0.4) == [beep]


def test_the_alarm_is_tried_out_within_its_cooldown_and_follows_the_volume():
    asked: list[tuple[str, float]] = []

    def players(text: str, wav: Path, volume: float) -> list[list[str]]:
        asked.append((text, volume))
        return [["true"]]

    with Alarm("hi", 60.0, players=players, device=lambda: True) as alarm:
        assert alarm.start()
        wait(lambda: asked == [("hi", 1.0)])
        assert not alarm.start()
        alarm.voice, alarm.volume = False, 0.2
        alarm.test()
        wait(lambda: asked == [("hi", 1.0), ("", 0.2)])
    assert math.isclose(alarm.volume, 0.2)
