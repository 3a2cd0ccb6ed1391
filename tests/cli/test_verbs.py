"""models, check, bench, demo: each answers on a machine as it is; also what a new user types first."""

import json
from pathlib import Path

import pytest
from tiny_clips import level_video
from tiny_models import brightness_model

from handlens.cli import run
from handlens.cli.app import app


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(brightness_model(tmp_path / "light.onnx"))


def test_no_arguments_show_the_verbs_in_the_order_a_user_needs_them(capsys):
    assert run([]) == 0
    out = capsys.readouterr().out
    verbs = ["predict", "watch", "stats", "demo", "models", "check", "bench", "train", "evaluate", "compare", "export"]
    places = [out.index(f"\n  {verb} ") for verb in verbs]
    assert places == sorted(places)


@pytest.mark.parametrize("verb", [info.callback.__name__ for info in app.registered_commands if info.callback])
def test_every_verb_has_help(verb, capsys):
    assert run([verb, "--help"]) == 0
    assert verb in capsys.readouterr().out


def test_verbs_are_known_in_any_case(capsys):
    assert run(["Models"]) == 0


def test_models_lists_what_is_shipped_and_cached(capsys, monkeypatch, tmp_path):
    monkeypatch.setenv("HANDLENS_CACHE", str(tmp_path))
    brightness_model(tmp_path / "light.onnx")
    (tmp_path / "broken.onnx").write_text("no model")
    assert run(["models"]) == 0
    out = capsys.readouterr().out
    assert "shipped with the package" in out
    assert "light        0.00 MB  version 1  task touch: face, hand, cheek" in out
    assert "broken: " in out
    assert "networks" in out


def test_models_shows_a_card(model, capsys):
    assert run(["models", model]) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert told["name"] == "brightness"
    assert told["size"] == "64 x 64"
    assert told["licence"] == "Apache-2.0"


@pytest.mark.slow
def test_bench_measures_speed_memory_and_size(model, capsys, tmp_path):
    video = str(level_video(tmp_path / "clip.mp4", [20] * 8))
    to = tmp_path / "speed.json"
    assert run(["bench", "-m", model, "--video", video, "--frames", "20", "--json", str(to)]) == 0
    numbers = json.loads(to.read_text())
    assert numbers["speed"]["frames"] == 20
    assert 0 < numbers["speed"]["median_ms"] <= numbers["speed"]["p95_ms"]
    assert 0 < numbers["resident_mb"] <= numbers["peak_mb"] * 1.01
    assert (numbers["width"], numbers["height"]) == (640, 480)
    assert "median" in capsys.readouterr().out


@pytest.mark.slow
def test_bench_to_a_dash_prints_json_alone(model, capsys, tmp_path):
    video = str(level_video(tmp_path / "clip.mp4", [20] * 8))
    assert run(["bench", "-m", model, "--video", video, "--frames", "5", "--json", "-"]) == 0
    assert json.loads(capsys.readouterr().out)["speed"]["frames"] == 5


def test_check_tells_what_works_and_fails_when_something_is_broken(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("handlens.weights.SHIPPED", tmp_path)
    assert run(["check"]) == 1
    out = capsys.readouterr().out
    assert "ok      versions" in out
    assert "BROKEN  model touch" in out
    assert "cameras" in out
    assert "sound" in out


@pytest.mark.slow
def test_demo_writes_an_annotated_clip_a_sheet_and_the_answers(model, capsys, monkeypatch, tmp_path):
    clip = level_video(tmp_path / "demo.mp4")
    monkeypatch.setattr("handlens.weights.demo_clip", lambda: clip)
    assert run(["demo", "-m", model, "--out", str(tmp_path / "out")]) == 0
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["demo.jpg", "demo.jsonl", "demo.mp4", "touches.csv"]
    out = capsys.readouterr().out
    assert "    1.00      3.00     2.00    90%  cheek" in out
    assert "    5.00      5.67     0.67    90%  cheek" in out


def test_demo_without_a_folder_writes_nothing(model, capsys, monkeypatch, tmp_path):
    clip = level_video(tmp_path / "demo.mp4")
    monkeypatch.setattr("handlens.weights.demo_clip", lambda: clip)
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert run(["demo", "-m", model]) == 0
    assert sorted(tmp_path.iterdir()) == before
    assert "cheek" in capsys.readouterr().out


def test_a_package_without_its_clip_says_so(model, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr("handlens.weights._MEDIA", tmp_path)
    assert run(["demo", "-m", model]) == 2
    assert "the demo clip is missing" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["predict", "clip.mp4", "--min-time", "nan"], "--min-time needs a number, not nan."),
        (["predict", "clip.mp4", "--gap", "inf"], "--gap"),
        (["predict", "clip.mp4", "--min-time", "90000"], "--min-time"),
        (["study", "agree", "here", "--tolerance", "inf"], "--tolerance"),
        (["study", "run", "here", "--jobs", "1e9"], "is not a whole number"),
        (["stats", "--csv", "."], "is a folder: give the name of a file"),
        (["calibrate", "demo", "--out", "/"], "is a folder: give the name of a file"),
        (["watch", "clip.mp4", "--no-page", "--max-seconds", "nan"], "--max-seconds needs a number, not nan."),
        (["study", "agree", "here", "--coded", "a.csv", "--tolerance", "nan"], "--tolerance needs a number, not nan."),
        (["study", "agree", "here", "--coded", "a.csv", "--bin", "1e300"], "--bin"),
        (["export", "a.onnx", "--names", "a", "--size", "99999999999", "--out", "b.onnx"], "--size"),
        (["bench", "--frames", "99999999999999999999"], "--frames"),
    ],
)
def test_numbers_that_are_none_or_endless_are_refused(line, sentence, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert run(line) == 2
    told = capsys.readouterr().err
    assert sentence in told
    assert "fault of handlens" not in told
