"""predict, watch, check, models and bench with models that judge hands, as a user would type it."""

import csv
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import save_picture
from tiny_clips import level_video
from tiny_models import hand_model

from handlens.cli import run

SHAPE = {"silhouette": 1.0}


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model of silhouettes, whose hands are turned by 30 degrees, and one of pictures."""
    monkeypatch.chdir(tmp_path)
    hand_model(tmp_path / "shapes.onnx", "gesture", ("fist", "palm"), angle=30, options=SHAPE)
    hand_model(tmp_path / "held.onnx", "hold")
    return tmp_path


def hand(height: int, width: int) -> np.ndarray:
    """A white blob on black, its box the middle half of the picture."""
    mask = np.zeros((height, width), np.uint8)
    mask[height // 4 : height * 3 // 4, width // 4 : width * 3 // 4] = 255
    return mask


def lines(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_pictures_of_mixed_sizes_and_modes_with_a_blank_one_in_the_middle(at, capsys):
    masks = at / "masks"
    masks.mkdir()
    grey, colour = hand(64, 64), cv2.cvtColor(hand(90, 120), cv2.COLOR_GRAY2BGR)
    clear = np.dstack([colour, np.full(colour.shape[:2], 255, np.uint8)])
    pictures = {
        "1.png": grey, "2.jpg": colour, "3.png": np.zeros((50, 50), np.uint8), "4.png": clear,
        "5.png": hand(200, 100).astype(np.uint16) * 257, "6.bmp": hand(500, 700), "7.jpg": 255 - hand(128, 128),
        "8.png": np.full((40, 40, 3), 255, np.uint8),
    }  # fmt: skip
    for name, pixels in pictures.items():
        assert cv2.imwrite(str(masks / name), pixels)
    assert run(["predict", "masks", "-m", "shapes.onnx", "--json", "out.jsonl", "--out", "seen"]) == 0
    told = lines("out.jsonl")
    assert [line["source"] for line in told] == [f"masks/{name}" for name in sorted(pictures)]
    assert [len(line["value"]["hands"]) for line in told] == [1, 1, 0, 1, 1, 1, 1, 0]
    assert told[0]["value"]["hands"] == [
        {
            "xyxy": [16, 16, 48, 48],
            "label": "palm",
            "score": pytest.approx(0.74, abs=0.02),
            "scores": {"fist": pytest.approx(0.26, abs=0.02), "palm": pytest.approx(0.74, abs=0.02)},
            "angle": 30.0,
            "id": 1,
        }
    ]
    err = capsys.readouterr().err
    assert "masks/1.png  palm (74%, 30 deg)" in err
    assert "masks/3.png  no hand" in err
    assert "frames with a hand  6 (75%)" in err
    assert len(list((at / "seen").iterdir())) == 8


def test_hold_says_what_of_the_whole_picture_and_which_flag_it_needs(at, capsys):
    save_picture(at / "a.png", np.full((30, 40, 3), 230, np.uint8))
    assert run(["predict", "a.png", "-m", "held.onnx", "--crop", "whole", "--json", "out.jsonl"]) == 0
    (line,) = lines("out.jsonl")
    (found,) = line["value"]["hands"]
    assert (line["task"], line["model"], found["xyxy"], found["label"]) == ("hold", "held", [0, 0, 40, 30], "object")
    assert found["scores"] == {"nothing": pytest.approx(0.098, abs=1e-3), "object": pytest.approx(0.902, abs=1e-3)}
    assert "angle" not in found
    capsys.readouterr()
    assert run(["predict", "a.png", "-m", "held.onnx"]) == 2
    assert "ask with --crop whole" in capsys.readouterr().err


@pytest.mark.slow
def test_events_say_when_an_object_was_held_and_nothing_of_nothing(at):
    level_video(at / "clip.mp4", [20] * 15 + [230] * 30 + [20] * 15)
    line = ["predict", "clip.mp4", "-m", "held.onnx", "--crop", "whole", "--events", "e.csv", "--out", "seen"]
    assert run(line) == 0
    (event,) = csv.DictReader(Path("e.csv").read_text().splitlines())
    assert (event["label"], event["subject"], event["start"], event["stop"]) == ("object", "hand 1", "1.000", "3.000")
    assert float(event["peak"]) == pytest.approx(0.9, abs=0.01)
    assert [path.name for path in (at / "seen").iterdir()] == ["clip.mp4"]


def test_watch_tells_what_hands_do_and_keeps_quiet(at, play_clock, mute_machine, capsys):
    level_video(at / "clip.mp4", [230] * 20)
    line = ["watch", "clip.mp4", "-m", "held.onnx", "--crop", "whole", "--no-page", "--json", "out.jsonl"]
    assert run(line) == 0
    err = capsys.readouterr().err
    assert "object (hand 1)" in err
    assert "alarm" not in err
    assert lines("out.jsonl")[0]["value"]["hands"][0]["label"] == "object"
    assert run([*line[:-2], "--voice", "put it down"]) == 0
    assert "the alarm is the terminal bell" in capsys.readouterr().err


def test_a_card_of_a_model_of_hands_says_what_it_looks_at_and_answers(at, capsys):
    cases = {
        "shapes.onnx": "the one white shape of a silhouette; a blank one has no hand",
        "held.onnx": "the whole picture (--crop whole)",
    }
    fields = {"parts": {"detector": "facehand"}, "options": {"closeup": 1.0, "parameters": 12345.0, "crop_scale": 1.5}}
    hand_model(at / "both.onnx", **fields)
    cases["both.onnx"] = "each hand that 'facehand' finds, and close-ups of one, or the whole picture (--crop whole)"
    for name, view in cases.items():
        assert run(["models", name]) == 0
        told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
        assert told["sees"] == view
        assert told["answers"] == ("probabilities (2), angle (2)" if name == "shapes.onnx" else "probabilities (2)")
    assert told["options"] == "closeup 1, crop_scale 1.5, parameters 12,345"


@pytest.mark.slow
def test_check_and_bench_ask_every_shipped_model(at, capsys, monkeypatch):
    files = [at / "shapes.onnx", at / "held.onnx"]
    (at / "sha256.json").write_text(json.dumps({p.stem: hashlib.sha256(p.read_bytes()).hexdigest() for p in files}))
    monkeypatch.setattr("handlens.weights.SHIPPED", at)
    assert run(["check"]) == 0
    out = capsys.readouterr().out
    assert ", 30 deg)" in out
    assert "ok      model held" in out
    video = str(level_video(at / "clip.mp4", [20] * 8))
    asked = ["bench", "-m", "shapes", "--video", video, "--frames", "5", "--json", "b.json"]
    assert run(asked) == 0
    assert sorted(json.loads(Path("b.json").read_text())["hand_ms"]) == ["held", "shapes"]
    assert "one hand" in capsys.readouterr().out
