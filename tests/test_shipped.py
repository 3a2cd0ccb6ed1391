"""What ships with the package does the main job: the demo's touches are found, the check passes, the limits hold."""

import csv
from pathlib import Path

import cv2
import pytest

from handlens.cli import run
from handlens.weights import SHIPPED

CLIP = SHIPPED.parent / "media" / "demo.mp4"


@pytest.mark.slow
def test_the_demo_finds_touches_and_leaves_what_it_promises(demo_run: tuple[Path, str, str]) -> None:
    folder, out, err = demo_run
    assert sorted(path.name for path in folder.iterdir()) == ["demo.jpg", "demo.jsonl", "demo.mp4", "touches.csv"]
    touches = list(csv.DictReader((folder / "touches.csv").read_text().splitlines()))
    assert touches
    assert all(f"{float(touch['start']):8.2f}" in out for touch in touches)
    assert [touch["label"] for touch in touches][::3] == ["chin", "forehead"]
    assert len(touches) == 4
    rows = [line.split("|")[1].split() for line in out.splitlines() if "|" in line][1:]
    assert [row[0] for row in rows] == ["1.52", "7.24", "9.88", "12.04"]
    assert [" ".join(row[2:]) for row in rows] == ["chin", "nose", "cheek, chin", "forehead"]
    assert "time touched" in err
    sheet = cv2.imread(str(folder / "demo.jpg"))
    assert sheet is not None
    assert sheet.shape[1] > 600


@pytest.mark.slow
def test_the_check_passes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["check"]) == 0, capsys.readouterr().out


def test_the_models_stay_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 25_000_000


def test_the_card_of_the_touch_model_says_where_it_comes_from(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["models", "touch"]) == 0
    told = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines())
    assert told["data"] != "-"
    assert "Apache-2.0" in told["licence"]
    assert "f1" in told["scores"]
