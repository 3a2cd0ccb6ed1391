"""`predict --events` in the formats of coding programs: the same events as in the CSV, written whole or not at all."""

import csv
import json

import pytest
import typer
from tiny_clips import level_video
from tiny_models import brightness_model

from handlens.cli import run
from handlens.cli.app import app
from handlens.io.sinks.base import event_endings
from handlens.study.formats.write import read


@pytest.fixture
def at(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    brightness_model(tmp_path / "light.onnx")
    level_video(tmp_path / "clip.mp4")
    level_video(tmp_path / "more.mp4")
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("name", ["e.boris", "e.eaf", "e.TextGrid", "e.vtt"])
def test_they_hold_the_events_of_the_csv(at, name):
    for events in ("e.csv", name):
        assert run(["predict", "clip.mp4", "-m", "light.onnx", "--events", events]) == 0
    with open("e.csv", newline="") as file:
        wanted = [(float(row["start"]), float(row["stop"])) for row in csv.DictReader(file)]
    (coding,) = read(at / name)
    assert [(mark.start, mark.stop) for mark in coding.marks] == wanted
    assert len(wanted) == 2
    assert all("cheek" in mark.words[0].split() or "cheek" in mark.words for mark in coding.marks)


def test_a_project_takes_many_videos_and_the_others_one(at, capsys):
    assert run(["predict", "clip.mp4", "more.mp4", "-m", "light.onnx", "--events", "e.boris"]) == 0
    told = json.loads((at / "e.boris").read_text())["observations"]
    assert {name: len(one["events"]) for name, one in told.items()} == {"clip": 4, "more": 4}
    (fps,) = told["clip"]["media_info"]["fps"].values()
    assert fps == pytest.approx(15, abs=0.01)
    assert run(["predict", "clip.mp4", "more.mp4", "-m", "light.onnx", "--events", "e.eaf"]) == 2
    assert "holds the events of one video, and there are 2" in capsys.readouterr().err
    assert not (at / "e.eaf").exists()


def test_what_they_cannot_do_is_said(at, capsys):
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--events", "e.boris", "--resume"]) == 2
    assert "--resume needs an event file that grows line by line" in capsys.readouterr().err
    assert run(["predict", "missing.mp4", "-m", "light.onnx", "--events", "e.boris"]) == 2
    assert sorted(file.name for file in at.iterdir()) == ["clip.mp4", "light.onnx", "more.mp4"]


def test_another_ending_is_refused_with_all_that_are_allowed(tmp_path, capsys):
    level_video(tmp_path / "a.mp4")
    assert run(["predict", str(tmp_path / "a.mp4"), "--events", str(tmp_path / "x.foo")]) == 2
    assert "an event file ends in .csv, .jsonl, .boris, .eaf, .TextGrid or .vtt." in capsys.readouterr().err


def test_the_help_names_all_endings():
    assert f"Write the events: {event_endings()}." in {
        parameter.help for parameter in typer.main.get_command(app).commands["predict"].params
    }
