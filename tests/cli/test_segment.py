"""predict, watch, check, bench, models and demo with models of masks, as a user would type it."""

import csv
import hashlib
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import save_picture, save_video
from tiny_models import mask_model

from handlens.cli import run
from handlens.types import Image

RED, BLUE = (255, 0, 0), (0, 0, 255)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model of masks."""
    monkeypatch.chdir(tmp_path)
    mask_model(tmp_path / "parts.onnx")
    return tmp_path


def people(width: int = 128, height: int = 96) -> Image:
    """A red hand in the left half, a blue face in the right, on black."""
    image = np.zeros((height, width, 3), np.uint8)
    image[height // 4 : 3 * height // 4, : width // 4] = RED
    image[: height // 2, width // 2 :] = BLUE
    return image


def lines(path: str) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def mask_at(path: str) -> Image:
    mask = cv2.imread(path, cv2.IMREAD_UNCHANGED)
    assert mask is not None, path
    assert (mask.dtype, mask.ndim) == (np.uint8, 2)
    return mask


def test_a_picture_gives_a_line_a_drawing_and_a_mask_in_its_own_size(at, capsys):
    save_picture(at / "a.jpg", people())
    assert run(["predict", "a.jpg", "-m", "parts.onnx", "--json", "a.jsonl", "--out", "seen"]) == 0
    (line,) = lines("a.jsonl")
    assert (line["task"], line["model"]) == ("segment", "parts")
    told = line["value"]
    assert told["names"] == ["background", "hand", "face"]
    assert told["fraction"] == {"hand": pytest.approx(1 / 8, abs=0.02), "face": pytest.approx(1 / 4, abs=0.02)}
    assert [box["label"] for box in told["boxes"]] == ["hand", "face"]
    assert told["boxes"][0]["xyxy"] == pytest.approx([0, 24, 32, 72], abs=3)
    assert 0.9 < told["boxes"][0]["score"] <= 1
    mask = mask_at(told["mask"])
    assert told["mask"] == "seen/a_mask.png"
    assert mask.shape == (96, 128)
    assert (mask[48, 10], mask[20, 100], mask[80, 100]) == (1, 2, 0)
    assert {path.name for path in (at / "seen").iterdir()} == {"a.jpg", "a_mask.png"}
    assert cv2.imread("seen/a.jpg").shape == (96, 128, 3)
    err = capsys.readouterr().err
    assert "hand 12" in err
    assert "mean area" in err


def test_without_a_folder_no_mask_is_written_and_its_path_is_null(at):
    save_picture(at / "a.png", people())
    assert run(["predict", "a.png", "-m", "parts.onnx", "--json", "a.jsonl"]) == 0
    assert lines("a.jsonl")[0]["value"]["mask"] is None
    assert not list(at.glob("*mask*"))


def test_pictures_of_one_name_do_not_share_a_mask_and_no_input_is_hidden(at):
    for name in ("one/a.png", "two/a.jpg", "two/a_mask.png"):
        (at / name).parent.mkdir(exist_ok=True)
        save_picture(at / name, people() if "one" in name else 255 - people())
    before = {path: path.read_bytes() for path in at.glob("*/*")}
    assert run(["predict", "one", "two", "-m", "parts.onnx", "--json", "a.jsonl", "--out", "two"]) == 0
    assert {path: path.read_bytes() for path in before} == before
    masks = [line["value"]["mask"] for line in lines("a.jsonl")]
    assert masks == ["two/a-2_mask.png", "two/a-3_mask.png", "two/a_mask-2_mask.png"]
    assert not np.array_equal(mask_at(masks[0]), mask_at(masks[1]))


def test_a_video_gives_a_folder_of_masks_and_events_of_what_is_seen(at):
    save_video(at / "clip.mp4", range(0, 1000, 100))  # red, green / blue, white: it gets brighter
    arguments = ["--json", "c.jsonl", "--out", "seen", "--events", "e.csv"]
    assert run(["predict", "clip.mp4", "-m", "parts.onnx", *arguments]) == 0
    value = [line["value"] for line in lines("c.jsonl")]
    assert [one["mask"] for one in value] == [f"seen/clip_masks/{number:06d}.png" for number in range(10)]
    for one in value:
        mask = mask_at(one["mask"])
        assert mask.shape == (48, 64)
        assert np.mean(mask == 1) == pytest.approx(one["fraction"]["hand"], abs=1e-4)
    events = list(csv.DictReader(Path("e.csv").read_text().splitlines()))
    assert {row["label"] for row in events} == {"hand", "face"}
    assert all(0.5 <= float(row["peak"]) <= 1 and float(row["start"]) < float(row["stop"]) for row in events)
    assert (at / "seen" / "clip.mp4").is_file()


def test_a_minimum_score_leaves_out_what_is_less_sure(at):
    image = people()
    image[image[..., 0] > 0, 0] = 150  # a pale hand
    save_picture(at / "a.png", image)
    for score, labels in (("0.1", ["hand", "face"]), ("0.9", ["face"]), ("1", [])):
        arguments = ["-m", "parts.onnx", "--min-score", score, "--json", "a.jsonl", "--out", "seen"]
        assert run(["predict", "a.png", *arguments]) == 0
        told = lines("a.jsonl")[0]["value"]
        assert [box["label"] for box in told["boxes"]] == labels
        assert set(np.unique(mask_at(told["mask"]))) == {0, *(told["names"].index(name) for name in labels)}


@pytest.mark.slow
@pytest.mark.parametrize("size", [(1, 1), (1, 300), (4000, 3000), (33000, 3)])
def test_pictures_of_any_size_get_a_mask(at, size):
    save_picture(at / "a.png", np.full((size[1], size[0], 3), RED, np.uint8))
    assert run(["predict", "a.png", "-m", "parts.onnx", "--json", "a.jsonl", "--out", "seen"]) == 0
    told = lines("a.jsonl")[0]["value"]
    assert told["fraction"]["hand"] > 0.9
    assert mask_at(told["mask"]).shape == size[::-1]


@pytest.mark.parametrize("pixels", [np.zeros((40, 50), np.uint8), np.zeros((40, 50, 4), np.uint8)])
def test_where_nothing_is_seen_the_answer_is_empty(at, pixels, capsys):
    save_picture(at / "a.png", pixels)
    assert run(["predict", "a.png", "-m", "parts.onnx", "--json", "-"]) == 0
    out, err = capsys.readouterr()
    grey = pixels.ndim == 2  # a clear picture lies on white, which this model takes for a hand
    value = json.loads(out)["value"]
    assert (value["fraction"] == {"hand": 0.0, "face": 0.0}) is grey
    assert ("no hand, no face" in err) is grey
    assert (value["boxes"] == []) is grey


def test_watch_shows_areas_and_writes_masks(at, play_clock, capsys):
    save_video(at / "clip.mp4", range(0, 600, 100))
    arguments = ["--no-page", "--no-sound", "--json", "w.jsonl", "--out", "seen", "--events", "e.csv"]
    assert run(["watch", "clip.mp4", "-m", "parts.onnx", *arguments]) == 0
    told = lines("w.jsonl")
    assert len(told) == 6
    assert all(mask_at(line["value"]["mask"]).shape == (48, 64) for line in told)
    err = capsys.readouterr().err
    assert "frames with hand" in err
    assert "Traceback" not in err


def test_a_folder_of_masks_that_cannot_be_made_is_one_sentence(at, capsys):
    save_video(at / "clip.mp4", range(0, 300, 100))
    (at / "seen").mkdir()
    (at / "seen" / "clip_masks").write_text("a file")
    assert run(["predict", "clip.mp4", "-m", "parts.onnx", "--out", "seen"]) == 2
    assert "'seen/clip_masks' is a file" in capsys.readouterr().err


@pytest.mark.slow
def test_check_bench_models_and_demo_know_it(at, capsys, monkeypatch):
    shipped = at / "models"
    shipped.mkdir()
    model = mask_model(shipped / "segment.onnx")
    (shipped / "sha256.json").write_text(json.dumps({"segment": hashlib.sha256(model.read_bytes()).hexdigest()}))
    monkeypatch.setattr("handlens.weights.SHIPPED", shipped)
    run(["check"])
    assert "ok      model segment" in capsys.readouterr().out
    assert run(["models"]) == 0
    assert "task segment: background, hand, face" in capsys.readouterr().out
    assert run(["models", "segment"]) == 0
    assert "probabilities (3 x 16 x 16)" in capsys.readouterr().out
    assert run(["bench", "-m", "segment", "--frames", "3"]) == 0
    assert "segment" in capsys.readouterr().out


def test_the_demo_shows_what_is_seen(at, monkeypatch, capsys):
    monkeypatch.setattr("handlens.weights.demo_clip", lambda: save_video(at / "short.mp4", range(0, 600, 100)))
    assert run(["demo", "-m", "parts.onnx", "--out", "shown"]) == 0
    assert len(list((at / "shown").glob("*_masks/*.png"))) == len(lines("shown/demo.jsonl"))
    assert {"events.csv", "demo.jpg", "short.mp4", "short_masks"} <= {path.name for path in (at / "shown").iterdir()}
    assert "label" in capsys.readouterr().out
