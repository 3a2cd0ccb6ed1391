"""`predict --labels` writes what a model finds as a set that labelling programs and `open_set` read."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import lines

from handlens import clips
from handlens.cli import run
from handlens.data.formats.detect_format import open_set

DEMO = Path(clips.__file__).parent / "media" / "demo.mp4"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """Two frames of the demo clip, the second with a touch, and a picture of nothing."""
    folder = tmp_path_factory.mktemp("pictures")
    video = cv2.VideoCapture(str(DEMO))
    for name, seconds in (("apart.png", 0.5), ("touch.png", 2.5)):
        video.set(cv2.CAP_PROP_POS_MSEC, 1000 * seconds)
        assert cv2.imwrite(str(folder / name), video.read()[1])
    assert cv2.imwrite(str(folder / "wall.png"), np.full((120, 160, 3), 128, np.uint8))
    return folder


@pytest.mark.parametrize("form", ["yolo", "coco", "voc", "labelstudio"])
def test_boxes_come_back_as_they_were_found(tmp_path: Path, pictures: Path, form: str, capsys) -> None:
    out = tmp_path / "out"
    assert (
        run(["predict", str(pictures), "--out", str(out), "--labels", form, "--json", str(tmp_path / "a.jsonl")]) == 0
    )
    assert f"labels-{form}" not in str(list(tmp_path.glob("*")))
    found = {each.path.name: each for each in open_set(out / f"labels-{form}", on_problem=lambda problem: None)}
    names = open_set(out / f"labels-{form}", on_problem=lambda problem: None).names
    assert {"face", "hand"} <= set(names)
    assert set(found) == {"apart.png", "touch.png", "wall.png"}
    for line in lines(tmp_path / "a.jsonl"):
        picture = found[Path(line["source"]).name]
        by_name = {names[label]: box for label, box in zip(picture.labels, picture.boxes, strict=True)}
        best = {box["label"]: box for box in reversed(line["value"]["boxes"])}
        for name, box in by_name.items():
            sides = (
                [best[name][side] for side in ("x1", "y1", "x2", "y2")] if "x1" in best[name] else best[name]["xyxy"]
            )
            np.testing.assert_allclose(box, sides, atol=1.1)
    assert len(found["wall.png"].boxes) == 0
    assert len(found["touch.png"].boxes) > len(found["apart.png"].boxes) > 0


def test_label_studio_sees_predictions_of_the_model(tmp_path: Path, pictures: Path) -> None:
    line = ["predict", str(pictures / "touch.png"), "--out", str(tmp_path / "out"), "--labels", "labelstudio"]
    assert run(line) == 0
    (task,) = json.loads((tmp_path / "out" / "labels-labelstudio" / "labelstudio.json").read_text())
    assert "annotations" not in task
    assert task["predictions"][0]["model_version"].startswith("touch ")
    assert len(task["predictions"][0]["result"]) > 2


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["wall.png", "--labels", "yolo"], "add --out DIR"),
        (["wall.png", "--labels", "yollo", "--out", "out"], "did you mean 'yolo'?"),
        (["wall.png", "--labels", "yolo", "--out", "out", "--resume"], "leave out --resume"),
        ([str(DEMO), "--labels", "yolo", "--out", "out"], "--labels is for pictures"),
        (["wall.png", "--labels", "yolo", "--out", "out", "--model", "segment"], "answers without boxes"),
        (["wall.png", "--labels", "yolo", "--out", "there"], "exists"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_leaves_nothing(
    tmp_path: Path, pictures: Path, monkeypatch: pytest.MonkeyPatch, line: list[str], sentence: str, capsys
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there" / "labels-yolo").mkdir(parents=True)
    (tmp_path / "there" / "labels-yolo" / "mine.txt").write_text("mine")
    (tmp_path / "wall.png").write_bytes((pictures / "wall.png").read_bytes())
    assert run(["predict", *line]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()
    assert [path.name for path in (tmp_path / "there" / "labels-yolo").iterdir()] == ["mine.txt"]
