"""`evaluate` and `predict` say the same of the same picture and model, each as it runs without further flags."""

import json
import re
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from fake_models import REGIONS, detector
from fake_models import frame as grey
from media import save_picture

from handlens.cli import run
from handlens.io.sources.open import open_source
from handlens.predictor import Predictor
from handlens.types import Image
from handlens.weights import demo_clip

PLACE = {
    "touch": ("touch", "no_touch"),
    "hold": ("object", "nothing"),
    "signs": ("5", "0"),
    "digits": ("3", "0"),
    "combined": ("3", "0"),
}


def demo_frame() -> Image:
    with open_source(demo_clip(), every=70) as source:
        frames = source.frames()
        next(frames)
        return next(frames).image


def people(folder: Path, labels: tuple[str, str]) -> list[Path]:
    """A frame of the demo clip as JPEG and a small crop of it as PNG, in class folders."""
    for label in labels:
        (folder / label).mkdir(parents=True)
    image = demo_frame()
    crop = cv2.resize(image[200:400, 200:400], (60, 60))
    return [save_picture(folder / labels[0] / "a.jpg", image), save_picture(folder / labels[1] / "b.png", crop)]


def masks(folder: Path, labels: tuple[str, str]) -> list[Path]:
    files = []
    for number, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        mask = np.zeros((200, 160), np.uint8)
        cv2.ellipse(mask, (80, 120), (30 + 10 * number, 50), 0, 0, 360, 255, -1)
        files.append(save_picture(folder / label / "mask.jpg", mask))
    return files


def answers(file: Path) -> dict[str, Any]:
    """What a file of JSON lines says of each picture, but for the numbers that hands and faces are known by."""
    text = re.sub(r', "id": \d+', "", file.read_text())
    lines = [json.loads(line) for line in re.sub(r', "id": -1', "", text).splitlines()]
    return {Path(line["source"]).relative_to(file.parent / "set").as_posix(): line["value"] for line in lines}


@pytest.fixture(autouse=True)
def without_plots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody looks at the curves and sheets here, and they take most of the time."""
    monkeypatch.setattr("handlens.evaluate.write.write_measurement", lambda *arguments: [])


def both(tmp_path: Path, model: str, data: Path, files: list[Path]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What each verb says of these pictures."""
    pytest.importorskip("matplotlib")
    assert run(["predict", *map(str, files), "--model", model, "--json", str(tmp_path / "predicted.jsonl")]) == 0
    more = ["--split", "all", "--out", str(tmp_path / "report"), "--resamples", "0"]
    assert run(["evaluate", model, "--data", str(data), *more]) == 0
    (tmp_path / "report" / "answers.jsonl").rename(tmp_path / "evaluated.jsonl")
    return answers(tmp_path / "predicted.jsonl"), answers(tmp_path / "evaluated.jsonl")


@pytest.mark.slow
@pytest.mark.parametrize("model", list(PLACE))
def test_pictures_with_a_label_are_answered_alike(tmp_path: Path, model: str) -> None:
    made = masks if model == "digits" else people
    predicted, evaluated = both(tmp_path, model, tmp_path / "set", made(tmp_path / "set", PLACE[model]))
    assert predicted == evaluated
    assert len(predicted) >= 2


@pytest.mark.slow
def test_masks_are_answered_alike(tmp_path: Path) -> None:
    (tmp_path / "set" / "images").mkdir(parents=True)
    (tmp_path / "set" / "masks").mkdir()
    image = demo_frame()
    file = save_picture(tmp_path / "set" / "images" / "a.jpg", image)
    save_picture(tmp_path / "set" / "masks" / "a.png", np.ones(image.shape[:2], np.uint8))
    (tmp_path / "set" / "names.txt").write_text("background\nhand\nface\n")
    predicted, evaluated = both(tmp_path, "segment", tmp_path / "set", [file])
    assert predicted == evaluated


def test_boxes_below_the_threshold_do_not_change_the_probability() -> None:
    model = Predictor(detector([[0, 0, 9, 9], [5, 5, 30, 30]], [[0, 0, 0.1, 0], [0.9, 0, 0, 0]], REGIONS))
    plain, asked = (model.predict(grey(), min_score).value for min_score in (None, 0.001))
    assert plain.touch == asked.touch == pytest.approx(0.1)
    assert (len(plain), len(asked)) == (1, 2)
