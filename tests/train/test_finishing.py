"""The end of a run: probabilities are tuned where there is enough to tune on, and angles measured all around."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.cli import run
from handlens.predictor import load
from handlens.train.run import TURNED, open_predictor
from handlens.types import Frame

SHORT = ["--epochs", "1", "--batch", "8", "--workers", "0", "--precision", "32"]


def shapes(root: Path, counts: dict[str, int]) -> Path:
    """White triangles that point up and white boxes, on black, each split with so many of each."""
    draw = np.random.default_rng(0)
    for split, count in counts.items():
        for name in ("box", "wedge"):
            folder = root / "set" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                image, (x, y), side = np.zeros((48, 48), np.uint8), draw.integers(4, 14, 2).tolist(), 28
                corners = [(x + side // 2, y), (x + side, y + side), (x, y + side)]
                if name == "box":
                    cv2.rectangle(image, (x, y), (x + side, y + side), 255, -1)
                else:
                    cv2.fillPoly(image, [np.array(corners)], 255)
                cv2.imwrite(str(folder / f"{number}.png"), image)
    return root / "set"


def trained(root: Path, counts: dict[str, int], *more: str) -> Path:
    out = root / "run"
    line = ["train", "gesture", "--data", str(shapes(root, counts)), "--net", "gestures20", "--out", str(out)]
    assert run([*line, *SHORT, *more]) == 0
    return out


def rows(report: Path) -> dict[str, dict[str, float]]:
    return {row["name"]: row for row in json.loads(report.read_text())["rows"]}


@pytest.mark.slow
def test_an_angle_is_measured_over_the_full_circle(tmp_path, capsys):
    out = trained(tmp_path, {"train": 4, "val": 2}, "--set", "angle=true")
    assert "over the full circle" in capsys.readouterr().err
    found = json.loads((out / TURNED / "report.json").read_text())
    assert found["n"] == 4 * 24
    assert len(found["sectors"]) == 24
    assert (out / TURNED / "circle.png").stat().st_size > 10_000
    assert "angle error median, degrees" in rows(out / TURNED / "report.json")
    assert not (out / "circle.png").exists()
    header = (out / "log.csv").read_text().splitlines()[0]
    assert "val_angle error median, degrees" in header.replace('"', "")
    assert "val_log loss" in header


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_labels_are_tuned_on_val_and_file_and_checkpoint_answer_alike(tmp_path):
    out = trained(tmp_path, {"train": 8, "val": 32})
    (model,) = out.glob("*.onnx")
    assert load(model).card.calibration
    assert open_predictor(out).card.calibration == load(model).card.calibration
    frame = Frame(cv2.imread(str(tmp_path / "set" / "val" / "wedge" / "0.png")))
    ours, theirs = (
        one.predict(frame, crop="whole").value[0].gesture.scores for one in (load(model), open_predictor(out))
    )
    assert ours == pytest.approx(theirs, abs=1e-4)
    assert "balanced accuracy, cross-fitted" in rows(out / "report.json")
    assert "cross-fitted" in (out / "report.txt").read_text()


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_on_a_test_part_nothing_is_tuned(tmp_path):
    out = trained(tmp_path, {"train": 4, "test": 32})
    (model,) = out.glob("*.onnx")
    assert load(model).card.calibration == {}
    assert "accuracy, cross-fitted" not in rows(out / "report.json")
