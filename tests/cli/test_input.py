"""Whatever a person gets wrong is one sentence on stderr and exit code 2, and nothing half-written is left."""

import os
import re
from pathlib import Path

import numpy as np
import pytest
from media import save_picture
from tiny_clips import level_video
from tiny_models import brightness_model

from handlens.cli import run

CLIP = ["predict", "clip.mp4", "-m", "light.onnx"]


@pytest.fixture(scope="module")
def material(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one of everything that can be wrong."""
    folder = tmp_path_factory.mktemp("wrong")
    brightness_model(folder / "light.onnx")
    brightness_model(folder / "bare.onnx", card=None)
    level_video(folder / "clip.mp4", [20] * 10)
    whole = level_video(folder / "whole.mp4", list(range(0, 250, 5))).read_bytes()
    (folder / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    picture = save_picture(folder / "whole.jpg", np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8))
    (folder / "cut.jpg").write_bytes(picture.read_bytes()[:4000])
    (folder / "text.jpg").write_text("no picture")
    (folder / "text.onnx").write_text("no model")
    (folder / "empty").mkdir()
    return folder


@pytest.fixture(autouse=True)
def inside(material: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(material)


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence on stderr."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1, err
    assert err.startswith("handlens: ")
    assert err.endswith(".\n")
    assert "Traceback" not in err
    return err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["predict", "missing.jpg", "-m", "light.onnx"], "'missing.jpg' does not exist"),
        (["predict", "empty", "-m", "light.onnx"], "'empty' holds no picture"),
        (["predict", "*.tif", "-m", "light.onnx"], r"'\*.tif' matches no picture"),
        (["predict", "text.jpg", "-m", "light.onnx"], "'text.jpg' is not a picture"),
        (["predict", "cut.jpg", "-m", "light.onnx"], "'cut.jpg' is cut off"),
        (["predict", "99", "-m", "light.onnx"], "no camera 99"),
        (["watch", "99", "-m", "light.onnx", "--no-page"], "no camera 99"),
        (["watch", "missing.mp4", "-m", "light.onnx", "--no-page"], "'missing.mp4' does not exist"),
        (["watch", "whole.jpg", "-m", "light.onnx", "--no-page"], "handlens predict whole.jpg"),
        (["predict", "clip.mp4", "-m", "tuch"], "unknown model 'tuch'"),
        (["predict", "clip.mp4", "-m", "missing.onnx"], "no model file at 'missing.onnx'"),
        (["predict", "clip.mp4", "-m", "text.onnx"], "'text.onnx' is not a model"),
        (["predict", "clip.mp4", "-m", "bare.onnx"], "no handlens card"),
        (["predict", "clip.mp4", "-m", "clip.mp4"], "'clip.mp4' is not a model"),
        ([*CLIP, "--every", "0"], "--every.*1"),
        ([*CLIP, "--every", "two"], "--every"),
        ([*CLIP, "--min-score", "2"], "--min-score.*1"),
        ([*CLIP, "--open", "0.3", "--close", "0.6"], "closing"),
        ([*CLIP, "--crop", "face"], "'face'.*hand, whole"),
        ([*CLIP, "--jsn", "x"], "did you mean '--json'"),
        ([*CLIP, "--json"], "--json"),
        ([*CLIP, "--json", "text.onnx/x.jsonl"], "'text.onnx' is a file, not a folder"),
        ([*CLIP, "--json", "empty"], "'empty' is a folder"),
        ([*CLIP, "--json", "clip.mp4"], "the input 'clip.mp4'"),
        ([*CLIP, "--json", "a.csv", "--events", "a.csv"], "is also --json"),
        ([*CLIP, "--events", "e.txt"], r"\.csv, \.jsonl.* or \.vtt"),
        ([*CLIP, "--out", "text.jpg"], "'text.jpg' is a file"),
        ([*CLIP, "--out", "text.jpg/deeper"], "was not written"),
        (["predict"], "SOURCE"),
        (["predct", "clip.mp4"], "did you mean 'predict'"),
        (["clip.mp4"], "handlens predict clip.mp4"),
        (["--json", "x", "predict", "clip.mp4"], "belongs after the command"),
        (["--nonsense"], "--nonsense"),
        (["models", "tuch"], "unknown model 'tuch'"),
        (["models", "yolov5", "--fused"], "unknown network 'yolov5': did you mean 'yolov5"),
        (["models", "yolov5m", "--classes", "0"], "--classes"),
        (["models", "text.onnx"], "not a model"),
        (["models", "light.onnx", "--classes", "3"], "belong to networks"),
        (["train", "touch", "--data", "set"], "'set' does not exist: give a folder|training needs torch"),
        (["evaluate", "touch", "--data", "set"], "'set' does not exist: give a folder"),
        (["export", "run", "--out", "x.onnx"], "there is no checkpoint|exporting needs torch"),
        (["bench", "--frames", "0"], "--frames"),
        (["bench", "-m", "light.onnx", "--video", "missing.mp4"], "'missing.mp4' does not exist"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_mistake_is_one_sentence_and_exit_code_2(arguments, said, material, capsys):
    before = sorted(os.listdir(material))
    assert run(arguments) == 2
    sentence = complaint(capsys)
    assert re.search(said, sentence), sentence
    assert sorted(os.listdir(material)) == before


def test_a_cut_video_gives_its_frames_and_a_sentence(tmp_path, capsys):
    assert run(["predict", "cut.mp4", "-m", "light.onnx", "--json", str(tmp_path / "out.jsonl")]) == 2
    err = capsys.readouterr().err
    assert "'cut.mp4'" in err
    assert "Traceback" not in err


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_without_a_writer_does_not_hang(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    assert run(["predict", str(tmp_path / "pipe.mp4"), "-m", "light.onnx"]) == 2
    assert "is a pipe, which cannot be read twice" in complaint(capsys)


def test_no_empty_folder_is_left_of_a_picture_that_was_refused(tmp_path: Path) -> None:
    out = tmp_path / "new" / "deep"
    assert run(["predict", "text.jpg", "-m", "light.onnx", "--out", str(out)]) == 2
    assert list(tmp_path.iterdir()) == []
    assert run(["predict", "whole.jpg", "-m", "light.onnx", "--out", str(out)]) == 0
    assert [file.name for file in out.iterdir()] == ["whole.jpg"]
    (tmp_path / "mine").mkdir()
    assert run(["predict", "text.jpg", "-m", "light.onnx", "--out", str(tmp_path / "mine")]) == 2
    assert (tmp_path / "mine").is_dir(), "a folder that was there stays"


@pytest.mark.parametrize("flag", ["--every", "--stream"])
def test_numbers_beyond_all_files_are_refused(flag: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*CLIP, flag, "9" * 30]) == 2
    assert flag in capsys.readouterr().err
