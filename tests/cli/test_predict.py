"""`handlens predict` keeps CONTRACT.md: JSON lines, events, annotated files, a summary, and the rest of a batch."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from media import lines, save_picture
from tiny_clips import BRIGHT, DARK

from handlens.cli import run
from handlens.events import EVENT_FIELDS


def grey(path: Path, level: int) -> Path:
    return save_picture(path, np.full((48, 64, 3), level, np.uint8))


@pytest.mark.slow
def test_a_video_gives_one_json_line_per_frame_with_the_streams_times(at, capsys):
    assert run(["predict", "clip.mp4", "--model", "light.onnx", "--json", "out.jsonl"]) == 0
    told = lines("out.jsonl")
    assert len(told) == 100
    assert [line["frame"] for line in told] == list(range(100))
    assert [line["time"] for line in told] == pytest.approx([n / 15 for n in range(100)], abs=1e-5)
    first = told[0]
    assert {key: first[key] for key in ("source", "width", "height", "model", "task")} == {
        "source": "clip.mp4",
        "width": 64,
        "height": 48,
        "model": "brightness",
        "task": "touch",
    }
    assert [box["label"] for box in first["value"]["boxes"]] == ["face", "hand"]
    assert first["value"]["touch"] < 0.2 < 0.8 < told[20]["value"]["touch"]
    boxes = {box["label"]: box for box in told[20]["value"]["boxes"]}
    assert told[20]["value"]["boxes"][boxes["cheek"]["face"]]["label"] == "face"
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_jobs_change_no_answer(at):
    made = {}
    for jobs in "1", "3":
        command = ["predict", "clip.mp4", "--model", "light.onnx", "--jobs", jobs, "--out", f"drawn{jobs}"]
        assert run([*command, "--json", f"{jobs}.jsonl", "--events", f"{jobs}.csv"]) == 0
        made[jobs] = [Path(f"{jobs}.jsonl").read_text(), Path(f"{jobs}.csv").read_text()]
        made[jobs] += [path.read_bytes() for path in sorted(Path(f"drawn{jobs}").iterdir())]
    assert len(made["1"][0].splitlines()) == 100
    assert made["1"] == made["3"]


@pytest.mark.parametrize("jobs", ["0", "two"])
def test_jobs_are_a_number_from_one_on(at, capsys, jobs):
    assert run(["predict", "clip.mp4", "--jobs", jobs]) == 2
    assert "--jobs" in capsys.readouterr().err


@pytest.mark.slow
def test_json_to_a_dash_leaves_stdout_to_json_alone(at, capsys):
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    assert len([json.loads(line) for line in out.splitlines()]) == 100
    assert "time touched" in err


@pytest.mark.slow
def test_events_go_to_csv_and_jsonl_with_the_same_fields(at):
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--events", "e.csv"]) == 0
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--events", "e.jsonl"]) == 0
    rows = list(csv.DictReader(Path("e.csv").read_text().splitlines()))
    assert tuple(rows[0]) == EVENT_FIELDS
    assert [(row["start"], row["start_frame"], row["label"]) for row in rows] == [
        ("1.000", "15", "cheek"),
        ("5.000", "75", "cheek"),
    ]
    told = lines("e.jsonl")
    assert [float(row["stop"]) for row in rows] == [event["stop"] for event in told]
    assert list(told[0]) == list(rows[0])


@pytest.mark.slow
def test_the_thresholds_of_events_are_flags(at):
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--events", "long.csv", "--min-time", "1"]) == 0
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--events", "one.csv", "--gap", "3"]) == 0
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--events", "none.csv", "--open", "0.99"]) == 0
    counts = [len(Path(name).read_text().splitlines()) - 1 for name in ("long.csv", "one.csv", "none.csv")]
    assert counts == [1, 1, 0]


@pytest.mark.slow
def test_an_opening_threshold_below_the_usual_closing_one_needs_no_second_flag(at):
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--open", "0.3", "--events", "e.csv"]) == 0


def test_every_skips_frames_and_keeps_their_numbers(at):
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--every", "10", "--json", "out.jsonl"]) == 0
    assert [line["frame"] for line in lines("out.jsonl")] == list(range(0, 100, 10))


def test_min_score_leaves_boxes_out(at):
    grey(at / "bright.png", BRIGHT)
    assert run(["predict", "bright.png", "-m", "light.onnx", "--min-score", "0.85", "--json", "out.jsonl"]) == 0
    assert {box["label"] for box in lines("out.jsonl")[0]["value"]["boxes"]} == {"face", "cheek"}


def test_pictures_get_a_line_each_and_come_back_annotated(at, capsys):
    grey(at / "dark.jpg", DARK)
    grey(at / "bright.png", BRIGHT)
    assert run(["predict", "dark.jpg", "bright.png", "-m", "light.onnx", "--out", "seen"]) == 0
    err = capsys.readouterr().err
    assert "dark.jpg  no touch" in err
    assert "bright.png  touch 90%: cheek" in err
    assert sorted(path.name for path in Path("seen").iterdir()) == ["bright.png", "dark.jpg"]


@pytest.mark.slow
def test_a_video_comes_back_annotated(at):
    assert run(["predict", "clip.mp4", "-m", "light.onnx", "--out", "seen"]) == 0
    assert [path.name for path in Path("seen").iterdir()] == ["clip.mp4"]


@pytest.mark.slow
def test_folders_patterns_and_files_mix(at, capsys):
    (at / "more").mkdir()
    grey(at / "more" / "a.png", DARK)
    grey(at / "b1.png", DARK)
    grey(at / "b2.png", BRIGHT)
    assert run(["predict", "more", "b*.png", "clip.mp4", "-m", "light.onnx", "--json", "out.jsonl"]) == 0
    sources = list(dict.fromkeys(line["source"] for line in lines("out.jsonl")))
    assert sources == ["more/a.png", "b1.png", "b2.png", "clip.mp4"]
    assert "sources                          4" in capsys.readouterr().err


def test_the_rest_of_a_batch_is_done(at, capsys):
    grey(at / "good.png", BRIGHT)
    (at / "text.jpg").write_text("this is not a picture")
    (at / "text.mp4").write_text("this is not a video")
    asked = ["text.jpg", "missing.png", "text.mp4", "good.png"]
    assert run(["predict", *asked, "-m", "light.onnx", "--json", "out.jsonl"]) == 2
    assert [line["source"] for line in lines("out.jsonl")] == ["good.png"]
    complaints = [line for line in capsys.readouterr().err.splitlines() if line.startswith("handlens: ")]
    assert len(complaints) == 3
    assert all(any(name in line for line in complaints) for name in ("text.jpg", "missing.png", "text.mp4"))


def test_nothing_found_is_no_failure(at):
    grey(at / "dark.png", DARK)
    assert run(["predict", "dark.png", "-m", "light.onnx", "--min-score", "1"]) == 0
