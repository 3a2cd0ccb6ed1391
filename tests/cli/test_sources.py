"""The flags of `predict` that say how sources are read, and what is told of them on stderr."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from films import broken, film, set_matrix
from media import lines, save_picture, save_video

from handlens.cli import run


def predict(*words: str) -> int:
    return run(["predict", *words, "--model", "light.onnx", "--json", "out.jsonl"])


def test_a_part_of_a_video_keeps_its_times(at: Path) -> None:
    assert predict("clip.mp4", "--start", "2", "--stop", "2.5", "--every", "2") == 0
    told = lines("out.jsonl")
    assert [line["frame"] for line in told] == [30, 32, 34, 36]
    assert told[0]["time"] == pytest.approx(2.0)


def test_sizes_are_those_that_are_shown(at: Path) -> None:
    set_matrix(film(at / "up.mp4", count=3), (0, 1, -1, 0))
    assert predict("up.mp4", "clip.mp4", "--rotate", "90", "--mirror", "--stop", "0.1") == 0
    assert [(line["source"], line["width"]) for line in lines("out.jsonl")][::3] == [("up.mp4", 64), ("clip.mp4", 48)]


@pytest.mark.slow
def test_a_damaged_video_ends_with_2(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    broken(film(at / "bad.mp4", size=(160, 120), noise=True), 0.5, 0.55)
    assert predict("bad.mp4") == 2
    assert "'bad.mp4' is damaged: frames are damaged from " in capsys.readouterr().err


def test_what_is_left_out_is_said_and_is_no_error(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (at / "day" / "deeper").mkdir(parents=True)
    shutil.copy("clip.mp4", "day/deeper/a.MP4")
    save_picture(at / "day" / "b.png", np.full((48, 64), 7000, np.uint16))
    (at / "day" / "notes.txt").write_text("x")
    assert predict("day") == 0
    told = capsys.readouterr().err
    assert "1 file left out of the folder 'day': .txt." in told
    assert "1 folder in the folder 'day' not searched: add --recursive" in told
    assert "'day/b.png' holds 14 bits in 16: 16383 is white." in told
    assert predict("day", "--recursive", "--stop", "0.05") == 0
    assert [line["source"] for line in lines("out.jsonl")] == ["day/b.png", "day/deeper/a.MP4"]


def test_a_raw_video_asks_for_its_rate(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_video(at / "raw.mjpeg", range(5), "mjpeg")
    assert predict("raw.mjpeg") == 2
    assert "such as --fps 25" in capsys.readouterr().err
    assert predict("raw.mjpeg", "--fps", "10") == 0
    assert lines("out.jsonl")[-1]["time"] == pytest.approx(0.4)


@pytest.mark.parametrize(
    "words", [["--rotate", "45"], ["--start", "3", "--stop", "1"], ["--fps", "0"], ["--stream", "7"]]
)
def test_a_value_that_cannot_be_ends_with_2(at: Path, words: list[str]) -> None:
    assert predict("clip.mp4", *words) == 2
    assert not Path("out.jsonl").exists()
