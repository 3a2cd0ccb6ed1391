"""`handlens watch` plays a file at its own speed, counts, warns and ends, with or without a terminal."""

import csv
import io
import json
import re
from pathlib import Path

import pytest
from clocks import wait
from media import save_video, touch_result
from rich.console import Console
from tiny_clips import BRIGHT, DARK, level_video
from tiny_models import brightness_model

from handlens.cli import run
from handlens.cli.console import View
from handlens.live.history import History
from handlens.live.settings import SettingsFile
from handlens.loop import Step
from handlens.types import Event, Frame

WATCH = ["watch", "clip.mp4", "-m", "light.onnx", "--no-page", "--no-sound"]


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    brightness_model(tmp_path / "light.onnx")
    level_video(tmp_path / "clip.mp4", [DARK] * 5 + [BRIGHT] * 10 + [DARK] * 10)
    return tmp_path


def test_a_file_is_played_at_its_own_speed_to_its_end(at, play_clock, capsys):
    began = play_clock.now
    assert run([*WATCH, "--json", "out.jsonl", "--events", "e.csv"]) == 0
    assert play_clock.now - began == pytest.approx(24 / 15, abs=0.01)
    told = [json.loads(line) for line in Path("out.jsonl").read_text().splitlines()]
    assert [line["time"] for line in told] == pytest.approx([n / 15 for n in range(25)], abs=1e-3)
    (event,) = csv.DictReader(Path("e.csv").read_text().splitlines())
    assert event["label"] == "cheek"
    assert float(event["start"]) == pytest.approx(1 / 3, abs=1e-3)
    out, err = capsys.readouterr()
    assert out == ""
    assert "cheek (face 1)\n" in err
    assert "ended after" in err
    assert "time touched" in err


def test_it_stops_when_its_time_is_over(at, capsys):
    save_video(at / "clip.mp4", [0, 100_000])  # the second picture is due after 100 seconds
    assert run([*WATCH, "--max-seconds", "0.5", "--json", "out.jsonl"]) == 0
    assert len(Path("out.jsonl").read_text().splitlines()) == 1
    assert "ended after" not in capsys.readouterr().err


def test_the_address_of_the_page_is_a_line_on_stderr(at, capsys):
    watch = ["watch", "clip.mp4", "-m", "light.onnx", "--no-sound", "--max-seconds", "0.3"]
    assert run([*watch, "--no-open", "--port", "0"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("page:")]
    assert re.fullmatch(r"page: http://127\.0\.0\.1:\d+/\?token=[A-Za-z0-9_-]{32}", line)
    assert run([*WATCH, "--max-seconds", "0.3"]) == 0
    assert "page" not in capsys.readouterr().err


def test_other_machines_see_the_page_only_with_an_explicit_word(at, capsys):
    assert run(["watch", "clip.mp4", "-m", "light.onnx", "--no-open", "--host", "0.0.0.0"]) == 2
    assert "--allow-network" in capsys.readouterr().err


def test_without_a_camera_one_sentence_tells_how_to_try_it(at, capsys):
    assert run(["watch", "97", "-m", "light.onnx", "--no-open"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "no camera 97" in line
    assert "handlens watch demo" in line


def test_settings_that_were_kept_hold_and_a_flag_comes_before_them(at, play_clock, capsys):
    SettingsFile().change(open=0.99, source="clip.mp4", model="light.onnx", no_page=True, no_sound=True)
    assert run(["watch", "--events", "kept.csv"]) == 0
    assert len(Path("kept.csv").read_text().splitlines()) == 1
    assert run(["watch", "--open", "0.5", "--events", "flag.csv"]) == 0
    assert len(Path("flag.csv").read_text().splitlines()) == 2


def test_touches_go_into_the_history_unless_it_is_not_wanted(at, play_clock, capsys):
    assert run([*WATCH, "--no-history"]) == 0
    with History() as history:
        assert not history.touches()
    assert run(WATCH) == 0
    with History() as history:
        assert [touch.region for touch in history.touches()] == ["cheek"]


def test_the_alarm_rings_the_terminal_where_nothing_can_sound(at, play_clock, mute_machine, capsys):
    asked = [part for part in WATCH if part != "--no-sound"]
    assert run([*asked, "--voice", "Hands down"]) == 0
    assert capsys.readouterr().err.count("the alarm is the terminal bell") == 1


def step(probability: float, moment: float, *, opened: tuple[Event, ...] = ()) -> Step:
    import numpy as np

    frame = Frame(np.zeros((4, 4, 3), np.uint8))
    return Step(frame, touch_result(probability, moment), opened, (), bool(opened), 0.009, moment, None, 0)


def test_the_status_line_shows_touch_rate_and_count():
    screen = io.StringIO()
    view = View(0.5, Console(file=screen, width=100, force_terminal=True, color_system=None))
    event = Event("touch", "chin", "face 1", 1.0, 1.0, 10, 10, 0.9)
    with view:
        for n in range(20):
            view(step(0.93, n / 10, opened=(event,) if n == 10 else ()))
        wait(lambda: "93%" in screen.getvalue())
    shown = screen.getvalue()
    assert "93%" in shown
    assert "10.0 fps" in shown
    assert "9 ms" in shown
    assert "1 touch in" in shown
    assert "chin (face 1)" in shown


@pytest.mark.slow
def test_a_second_run_goes_on_in_the_same_files_and_gives_videos_new_names(at, play_clock):
    for _ in range(2):
        assert run([*WATCH, "--json", "out.jsonl", "--events", "e.csv", "--out", "seen"]) == 0
    text = Path("e.csv").read_text()
    assert text.count("source,subject") == 1
    first, second = csv.DictReader(text.splitlines())
    assert first == second
    assert first["clock"] == ""  # a recording says nothing of the time of day
    assert len(Path("out.jsonl").read_text().splitlines()) == 50
    assert sorted(path.name for path in Path("seen").iterdir()) == ["clip-2.mp4", "clip.mp4"]


@pytest.mark.parametrize(
    ("name", "text"),
    [("e.csv", "source,subject,label,start,stop,start_frame,stop_frame,peak\n"), ("e.jsonl", '{"name": 1}\n')],
)
def test_events_are_not_appended_to_a_file_of_other_columns(at, capsys, name, text):
    Path(name).write_text(text)
    assert run([*WATCH, "--events", name]) == 2
    assert f"'{name}' has other columns" in capsys.readouterr().err
    assert Path(name).read_text() == text


def test_a_line_that_was_cut_off_spoils_no_other_line(at, play_clock):
    assert run([*WATCH, "--events", "e.csv"]) == 0
    whole = Path("e.csv").read_text()
    Path("e.csv").write_text(whole + "clip.mp4,fa")
    assert run([*WATCH, "--events", "e.csv"]) == 0
    assert Path("e.csv").read_text().splitlines()[2:] == ["clip.mp4,fa", whole.splitlines()[1]]


def test_a_history_that_cannot_be_written_does_not_stop_the_watch(at, play_clock, capsys, monkeypatch):
    Path("file").write_text("")
    monkeypatch.setenv("HANDLENS_DATA", str(at / "file" / "data"))
    assert run(WATCH) == 0
    err = capsys.readouterr().err
    assert "cheek" in err
    assert "1 touches could not be written to the history" in err
