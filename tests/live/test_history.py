"""The history: what is written is found again, in the right hour, whatever happens to process, clock and disk."""

import csv
import datetime as dt
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from handlens.errors import InputError
from handlens.live.diary import Diary
from handlens.live.history import History, HistoryError, delete_history, local_offset, pruned, since_date, usable
from handlens.live.recorder import Recorder
from handlens.live.spans import Change, Span, Touch, change, longest
from handlens.result import Result
from handlens.types import Detections, Event, Frame

NOON = dt.datetime(2026, 11, 30, 12, tzinfo=dt.UTC).timestamp()  # a Monday
FRAME = Frame(np.zeros((4, 4, 3), np.uint8))
FACE = Detections([[0, 0, 2, 2]], [0.9], [0], ("face", "hand"))  # type: ignore[arg-type]
NOBODY = Detections.empty(("face", "hand"), 0.0)


@pytest.fixture
def utc(monkeypatch: pytest.MonkeyPatch):
    yield from zone(monkeypatch, "UTC")


def zone(monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.setenv("TZ", name)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "history.sqlite"


def touch(start: float, seconds: float = 2.0, region: str = "chin", offset: int = 0) -> Touch:
    return Touch(start, offset, seconds, region, "left", 0.9)


def filled(path: Path, touches: list[Touch], spans: list[Span]) -> History:
    history = History(path)
    history.add(history.begin(NOON, "0", "touch"), touches, spans)
    return history


def test_what_is_written_is_read_again_in_order(path, utc):
    with filled(path, [touch(NOON + 60), touch(NOON, region="eye")], [Span(NOON, 0, 600.0)]) as history:
        assert [each.region for each in history.touches()] == ["eye", "chin"]
        assert history.touches(NOON + 1) == [Touch(NOON + 60, 0, 2.0, "chin", "left", 0.9, "0", "touch")]
        assert history.touches(until=NOON) == []
        assert history.observed(NOON + 100, NOON + 200) == [Span(NOON + 100, 0, 100.0)]
    assert path.stat().st_mode & 0o077 == 0  # nobody else may read it


def test_a_span_grows_and_is_counted_once(path):
    with History(path) as history:
        session = history.begin(NOON, "0", "touch")
        for seconds in (10.0, 20.0, 30.0):
            history.add(session, [], [Span(NOON, 0, seconds)])
        history.add(session, [], [Span(NOON + 100, 0, 5.0)])
        assert [span.seconds for span in history.observed()] == [30.0, 5.0]


def test_the_day_has_its_touches_and_the_part_of_a_night_that_lies_in_it(path, utc):
    evening = NOON + 11.5 * 3600
    with filled(path, [touch(evening), touch(evening + 3600)], [Span(evening, 0, 7200.0)]) as history:
        monday, tuesday = history.day(dt.date(2026, 11, 30)), history.day(dt.date(2026, 12, 1))
        assert [len(monday.touches), len(tuesday.touches)] == [1, 1]
        assert [monday.observed_seconds, tuesday.observed_seconds] == [1800.0, 5400.0]
        assert monday.per_hour == pytest.approx(2.0)
        assert tuesday.to_dict()["touches"][0]["start"] == "2026-12-01T00:30:00.000+00:00"
        assert history.day(dt.date(2026, 12, 2)).per_hour is None


def test_hours_and_weekdays_hold_touches_and_observed_time(path, utc):
    with filled(path, [touch(NOON + 1800), touch(NOON + 4000)], [Span(NOON + 1800, 0, 3600.0)]) as history:
        grid = history.grid()
        assert grid.touches[0][12:14] == [1, 1]
        assert grid.seconds[0][12:14] == pytest.approx([1800.0, 1800.0])
        assert sum(map(sum, grid.touches)) == 2
        assert grid.of_weekdays()[0] == (2, 3600.0)
        assert grid.of_hours()[13] == (1, 1800.0)
        assert grid.per_hour(0, 13) == pytest.approx(2.0)
        assert grid.per_hour(0, 14) is None


def test_a_touch_keeps_its_hour_when_the_clocks_go_back_and_after_a_journey(path, monkeypatch):
    for _ in zone(monkeypatch, "Europe/Berlin"):
        first = dt.datetime(2026, 10, 25, 0, 30, tzinfo=dt.UTC).timestamp()  # 2:30 in summer time
        assert [local_offset(first), local_offset(first + 3600)] == [7200, 3600]  # an hour later it is 2:30 again
        touches = [touch(at, offset=local_offset(at)) for at in (first, first + 3600, first + 7200)]
        with filled(path, touches, [Span(first, 7200, 1800.0), Span(first + 3600, 3600, 1800.0)]) as history:
            assert history.grid().touches[6][2:4] == [2, 1]
            assert history.grid().seconds[6][2] == pytest.approx(3600.0)
            assert history.day(dt.date(2026, 10, 25)).observed_seconds == pytest.approx(3600.0)
            assert [line["start"][-6:] for line in csv.DictReader(history.to_csv().splitlines())] == [
                "+02:00",
                "+01:00",
                "+01:00",
            ]
    for _ in zone(monkeypatch, "Asia/Kolkata"):
        with History(path) as history:
            assert history.grid().touches[6][2:4] == [2, 1]


def test_weeks_begin_on_monday_and_empty_ones_are_there(path, utc):
    week = 7 * 86400.0
    spans = [Span(NOON - week * 2, 0, 3600.0), Span(NOON, 0, 1800.0)]
    with filled(path, [touch(NOON - week * 2), touch(NOON), touch(NOON + 5)], spans) as history:
        weeks = history.trend(3, dt.date(2026, 12, 6))
        assert [each.monday.isoformat() for each in weeks] == ["2026-11-16", "2026-11-23", "2026-11-30"]
        assert [each.touches for each in weeks] == [1, 0, 2]
        assert [each.per_hour for each in weeks] == [pytest.approx(1.0), None, pytest.approx(4.0)]


def test_the_longest_time_without_a_touch_counts_observed_time_alone():
    spans = [Span(0, 0, 100.0), Span(200, 0, 100.0), Span(10_000, 0, 150.0)]
    pause = longest([touch(50, 10.0)], spans)
    assert pause is not None
    assert (pause.start, pause.stop, pause.seconds) == (10_000, 10_150, 150.0)
    pause = longest([touch(90, 5.0), touch(10_100)], spans)  # a break of 100 s does not end it, one of hours does
    assert pause is not None
    assert (pause.start, pause.stop, pause.seconds) == (95, 300, 105.0)
    assert longest([touch(5)], []) is None
    twice = longest([], [Span(0, 0, 100.0), Span(0, 0, 100.0)])
    assert twice is not None
    assert twice.seconds == 100.0  # two cameras


def test_a_change_is_clear_only_where_chance_would_not_do_it():
    assert change((10, 3600.0), (20, 60.0)) == Change((10, 3600.0), (20, 60.0))  # too little observed
    halved = change((100, 36000.0), (200, 36000.0))
    assert halved.ratio == pytest.approx(0.5, abs=0.01)
    assert halved.is_clear
    assert not change((4, 3600.0), (6, 3600.0)).is_clear
    assert change((0, 3600.0), (0, 3600.0)).ratio == pytest.approx(1.0)


def test_regions_retention_and_csv(path, utc):
    moved = Touch(NOON, 0, 1.5, "chin", "left", 0.9, regions=(("chin", 1.0), ("nose", 0.25), ("chin", 0.25)))
    touches = [touch(NOON - 40 * 86400), moved, touch(NOON + 9, 1.0, "=eye")]
    with filled(path, touches, [Span(NOON - 40 * 86400, 0, 60.0), Span(NOON, 0, 60.0)]) as history:
        assert {name: (total.count, total.seconds) for name, total in history.regions().items()} == {
            "chin": (2, 3.25),
            "=eye": (1, 1.0),
            "nose": (1, 0.25),
        }
        assert pruned(history, 0, NOON) == 0
        assert pruned(history, 30, NOON) == 1
        assert len(history.observed()) == 1
        out = path.with_name("out.csv")
        assert history.to_csv(out) == out.read_text()
        row, other = csv.DictReader(out.read_text().splitlines())
        assert other["region"] == "'=eye"  # no formula for a spreadsheet
        assert row["regions"] == "chin:1.000;nose:0.250;chin:0.250"
        assert row["start"] == "2026-11-30T12:00:00.000+00:00"
        assert row["stop"] == "2026-11-30T12:00:01.500+00:00"
        assert (row["region"], row["side"], row["probability"]) == ("chin", "left", "0.900")


def test_deleting_leaves_neither_file_nor_bytes(path):
    history = filled(path, [touch(NOON, region="a-secret-region")] * 50, [])
    reader = sqlite3.connect(path)  # another process that has it open sees an empty history
    assert reader.execute("SELECT count(*) FROM touches").fetchone() == (50,)
    assert history.delete_all() == 50
    assert list(path.parent.iterdir()) == []
    assert reader.execute("SELECT count(*) FROM touches").fetchone() == (0,)
    reader.close()


def test_a_damaged_file_is_kept_and_a_newer_one_left_alone(path):
    path.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    with pytest.raises(HistoryError, match="the file is damaged"):
        History(path)
    history, said = usable(path)
    history.close()
    assert "history.sqlite.damaged" in said
    assert path.with_name("history.sqlite.damaged").read_bytes().startswith(b"no database")
    with sqlite3.connect(path) as data:
        data.execute("PRAGMA user_version = 7")
    data.close()
    for attempt in (History, usable, delete_history):
        with pytest.raises(HistoryError, match="newer handlens"):
            attempt(path)
    assert path.exists()
    path.write_bytes(b"no database" * 100)
    assert delete_history(path) == 0
    assert not path.exists()


def test_dates_are_understood_or_refused(utc):
    now = dt.datetime(2026, 11, 30, 15)
    assert since_date("2026-11-30") == since_date("Today", now) == NOON - 12 * 3600
    assert since_date("yesterday", now) == NOON - 36 * 3600
    assert since_date("30d", now) == since_date("2026-10-31")
    for wrong in ("soon", "2026-13-01", "-3d", ""):
        with pytest.raises(InputError, match="is not a date"):
            since_date(wrong)


def test_the_page_gets_touches_and_hours_from_any_thread(path, utc):
    filled(path, [touch(NOON, 3.0)], [Span(NOON - 600, 0, 1200.0)]).close()
    diary, got = Diary(path), []
    asking = threading.Thread(target=lambda: got.extend([diary.touches(0), diary.observed(0), diary.told()["touches"]]))
    asking.start()
    asking.join()
    (first,), hours, count = got
    assert (first["start"], first["stop"], first["regions"]) == (NOON, NOON + 3.0, {"chin": 3.0})
    assert hours == [(NOON - 3600, 600.0), (NOON, 600.0)]
    assert count == 1
    assert diary.csv().count("chin") == 1
    diary.clear()
    assert diary.touches(0) == []


# ---- the recorder


def result(time_: float, value: Detections = FACE, clock: float | None = None) -> Result:
    return Result("touch", round(time_ * 10), time_, value, "0", 4, 4, "touch", 0.0, clock)


def event(start: float, stop: float, clock: float | None = None) -> Event:
    return Event("touch", "chin", "face 1", start, stop, 0, 1, 0.9, "0", clock=clock)


def play(recorder: Recorder, times: np.ndarray, value: Detections = FACE, clock: float = NOON) -> None:
    for moment in times:
        recorder.write(FRAME, result(float(moment), value, clock + float(moment)))


def test_a_run_is_recorded_with_the_time_in_which_a_face_was_seen(path):
    with Recorder(path, "0", "touch") as recorder:
        play(recorder, np.arange(0, 60, 0.1))
        play(recorder, np.arange(60, 120, 0.1), NOBODY)
        play(recorder, np.arange(120, 130, 0.1))
        recorder.note(event(5.0, 7.5, NOON + 5))
    with History(path) as history:
        assert [(each.start, each.seconds) for each in history.touches()] == [(NOON + 5, 2.5)]
        assert [span.start - NOON for span in history.observed()] == pytest.approx([0, 120], abs=0.01)
        assert [span.seconds for span in history.observed()] == pytest.approx([60, 9.9], abs=0.01)


def test_the_observed_time_is_that_of_the_summary(path):
    from handlens.summary import Summary

    summary, draw = Summary(), np.random.default_rng(0)
    with Recorder(path) as recorder:
        for moment in np.cumsum(draw.uniform(0.05, 0.3, 2000)):
            one = result(float(moment), FACE if draw.random() > 0.2 else NOBODY, NOON + float(moment))
            summary.add(one)
            recorder.write(FRAME, one)
    with History(path) as history:
        assert sum(span.seconds for span in history.observed()) == pytest.approx(summary.observed, abs=0.5)


def test_a_clock_that_is_set_back_begins_a_new_stretch_and_durations_stay(path):
    with Recorder(path) as recorder:
        play(recorder, np.arange(0, 20, 0.1))
        play(recorder, np.arange(20, 40, 0.1), clock=NOON - 3600)
        recorder.note(event(19.0, 21.0, NOON + 19))
    with History(path) as history:
        assert [round(span.start - NOON) for span in history.observed()] == [-3580, 0]
        assert sum(span.seconds for span in history.observed()) == pytest.approx(39.9, abs=0.01)
        assert history.touches()[0].seconds == 2.0


def test_a_file_that_is_played_gets_the_time_of_day_at_which_it_is_played(path):
    now = [NOON]
    with Recorder(path, clock=lambda: now[0]) as recorder:
        for moment in np.arange(0, 30, 0.1):
            now[0] = NOON + 100 + moment
            recorder.write(FRAME, result(float(moment)))
        recorder.note(event(10.0, 12.0))
    with History(path) as history:
        assert history.touches()[0].start == pytest.approx(NOON + 110)


def test_two_processes_write_at_the_same_time_and_nothing_is_lost(path):
    script = (
        "import sys; from handlens.live.history import History; from handlens.live.spans import Touch\n"
        "h = History(sys.argv[1]); s = h.begin(0, sys.argv[2], 'touch')\n"
        "for n in range(100): h.add(s, [Touch(float(n), 0, 1.0, 'chin')], [])\n"
    )
    runs = [subprocess.Popen([sys.executable, "-c", script, str(path), str(n)]) for n in range(3)]
    assert [run.wait(60) for run in runs] == [0, 0, 0]
    with History(path) as history:
        assert len(history.touches()) == 300


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_all_touches_that_ended(path):
    script = (
        "import sys, time; from handlens.live.recorder import Recorder; from handlens.types import Event\n"
        "with Recorder(sys.argv[1]) as r:\n"
        "    for n in range(20): r.note(Event('touch', 'chin', '', n, n + .5, 0, 1, .9, clock=time.time() - 99 + n))\n"
        "    r.flush(); print('written', flush=True); time.sleep(60)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    assert run.stdout.readline() == "written\n"
    run.send_signal(signal.SIGKILL)
    run.wait(10)
    run.stdout.close()
    with History(path) as history:
        assert len(history.touches()) == 20
        assert history._data.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_full_disk_is_said_once_and_what_waited_is_written_when_there_is_room(path):
    said: list[str] = []
    with Recorder(path, say=said.append) as recorder:
        recorder.note(event(0, 1, NOON))
        recorder.flush()
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (32 * 1024, hard))  # no file may grow any more, as on a full disk
        try:
            for n in range(3000):
                recorder.note(event(n, n + 1, NOON + n))
            recorder.flush()
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert len(said) == 1
        assert "the disk is full" in said[0]
        assert "The alarm goes on" in said[0]
        assert recorder.lost > 1000
        recorder.flush()
        assert recorder.lost == 0
    with History(path) as history:
        assert len(history.touches()) == 3001


def test_a_touch_never_waits_for_a_history_that_another_program_holds(path):
    History(path).close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with Recorder(path) as recorder:
        began = time.perf_counter()
        for n in range(100):
            recorder.note(event(n, n + 1, NOON + n))
            play(recorder, np.array([float(n)]))
        assert time.perf_counter() - began < 1.0  # the lock lasts longer
        holder.execute("COMMIT")
        assert recorder.flush()
    holder.close()
    with History(path) as history:
        assert len(history.touches()) == 100


def test_what_is_deleted_while_watching_stays_deleted_and_what_comes_after_is_kept(path):
    now = [NOON]
    with Recorder(path, clock=lambda: now[0]) as recorder:
        play(recorder, np.arange(0, 60, 0.1))
        recorder.note(event(5.0, 6.0, NOON + 5))
        recorder.flush()
        with History(path) as history:
            assert history.delete_all() == 1
        now[0] = NOON + 60
        play(recorder, np.arange(60, 75, 0.1))
        recorder.flush()
        play(recorder, np.arange(75, 95, 0.1))
        recorder.note(event(80.0, 81.0, NOON + 80))
    with History(path) as history:
        assert [each.start - NOON for each in history.touches()] == [80.0]
        assert 15 < sum(span.seconds for span in history.observed()) < 36


def test_a_folder_that_may_not_be_written_is_said_and_the_watch_goes_on(tmp_path):
    (tmp_path / "file").write_text("")
    said: list[str] = []
    with Recorder(tmp_path / "file" / "history.sqlite", say=said.append) as recorder:
        recorder.note(event(0, 1, NOON))
        recorder.flush()
    assert len(said) == 2
    assert "1 touches could not be written" in said[1]


def test_nothing_is_left_running(path):
    before = threading.active_count()
    with Recorder(path):
        pass
    assert threading.active_count() == before
    assert os.path.exists(path)
