"""Landmarks from the command line: JSON, table, drawing, and measuring against a table."""

import csv
import json

import cv2
import numpy as np
import pytest
from landmark_fakes import points_model, shape
from tiny_models import hand_model

import handlens
from handlens.cli.app import run
from handlens.io.sinks.landmarks import COLUMNS
from handlens.types import LANDMARKS


@pytest.fixture
def model(tmp_path):
    return points_model(tmp_path / "points.onnx")


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "hand.png"
    cv2.imwrite(str(path), np.full((300, 300, 3), 120, np.uint8))
    return path


def test_json_has_side_landmarks_and_what_the_hand_does(model, picture, tmp_path):
    assert run(["predict", str(picture), "--model", str(model), "--crop", "whole", "--json", str(tmp_path / "a")]) == 0
    (line,) = (tmp_path / "a").read_text().splitlines()
    told = json.loads(line)
    assert told["task"] == "hands"
    (hand,) = told["value"]["hands"]
    assert hand["xyxy"] == [0, 0, 300, 300]
    assert hand["side"] == "right"
    assert hand["score"] == 1.0
    assert len(hand["landmarks"]) == 21
    assert hand["landmarks"][0] == [150.0, 270.0, 0.8]
    assert hand["hold"] == {"label": "object", "score": 0.7}
    assert hand["thing"] == {"label": "cup", "score": 0.6}
    assert hand["sign"] == {"label": "2", "score": 0.8}
    assert hand["number"] == 2
    assert hand["fingers"] == {"thumb": 0.1, "index": 0.9, "middle": 0.8, "ring": 0.2, "little": 0.0}


def test_the_table_has_a_row_for_each_point(model, picture, tmp_path):
    table = tmp_path / "points.csv"
    assert run(["predict", str(picture), "--model", str(model), "--crop", "whole", "--landmarks", str(table)]) == 0
    rows = list(csv.DictReader(table.read_text().splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert [row["name"] for row in rows] == list(LANDMARKS)
    assert {row["side"] for row in rows} == {"right"}
    got = np.array([[float(row["x"]), float(row["y"])] for row in rows])
    assert np.allclose(got, shape() * 300, atol=0.01)


def test_in_python_they_are_one_array(model, picture):
    result = handlens.load(model).predict(picture, crop="whole")
    assert result.landmarks.shape == (1, 21, 3)
    assert result.landmarks.dtype == np.float32
    assert np.allclose(result.landmarks[0, :, :2], shape() * 300, atol=1e-3)
    (box,) = result
    assert box.side == "right"
    assert np.allclose(box.landmarks, result.landmarks[0])


def test_drawn_they_are_a_skeleton(model, picture, tmp_path):
    assert run(["predict", str(picture), "--model", str(model), "--crop", "whole", "--out", str(tmp_path / "o")]) == 0
    (drawn,) = (tmp_path / "o").glob("*.*g")
    image = cv2.imread(str(drawn)).astype(int)
    for x, y in shape() * 300:  # at each joint there is paint on the grey ground
        patch = image[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3]
        assert np.abs(patch - 120).max() > 60


def test_the_mask_of_each_hand_lies_beside_the_drawing(tmp_path, picture):
    model, out = points_model(tmp_path / "masks.onnx", masks=True), tmp_path / "o"
    lines = tmp_path / "a.jsonl"
    asked = ["predict", str(picture), "--model", str(model), "--crop", "whole", "--out", str(out)]
    assert run([*asked, "--json", str(lines)]) == 0
    assert "mask" not in json.loads(lines.read_text())["value"]["hands"][0]
    assert [path.stem for path in out.iterdir()] == [picture.stem]  # a mask for each frame is written when asked for
    assert run([*asked, "--json", str(lines), "--masks"]) == 0
    (hand,) = json.loads(lines.read_text())["value"]["hands"]
    mask = cv2.imread(hand["mask"], cv2.IMREAD_GRAYSCALE)
    assert mask.shape == (300, 300)
    assert mask[150, 50] == 1  # the left half is hand
    assert mask[150, 250] == 0  # of the right half, half is forearm
    (found,) = handlens.load(model).predict(picture, crop="whole").value
    assert np.array_equal(found.mask, mask)


def test_masks_that_cannot_be_written_are_refused(tmp_path, model, picture, capsys):
    other = hand_model(tmp_path / "hold.onnx")
    asked = ["predict", str(picture), "--masks", "--crop", "whole"]
    assert run([*asked, "--model", str(other), "--out", str(tmp_path / "o")]) == 2
    assert "--model segment" in capsys.readouterr().err
    assert run([*asked, "--model", str(model)]) == 2
    assert "--out DIR" in capsys.readouterr().err
    assert not (tmp_path / "o").exists()


def test_a_model_without_landmarks_says_so(picture, tmp_path, capsys):
    other = hand_model(tmp_path / "hold.onnx")
    assert run(["predict", str(picture), "--model", str(other), "--landmarks", str(tmp_path / "a.csv")]) == 2
    assert "--model hands" in capsys.readouterr().err
    assert not (tmp_path / "a.csv").exists()


def test_a_table_of_another_ending_is_refused(model, picture, tmp_path, capsys):
    assert run(["predict", str(picture), "--model", str(model), "--landmarks", str(tmp_path / "a.txt")]) == 2
    assert ".csv" in capsys.readouterr().err
    assert run(["predict", str(picture), "-m", str(model), "--landmarks", "a.csv", "--events", "a.csv"]) == 2


def written(folder, points, side="right"):
    """A picture and a table of its landmarks."""
    cv2.imwrite(str(folder / "a.png"), np.full((300, 300, 3), 120, np.uint8))
    lines = ["file,point,x,y,side"]
    lines += [f"a.png,{n},{x:.3f},{y:.3f},{side}" for n, (x, y) in enumerate(points)]
    (folder / "truth.csv").write_text("\n".join(lines) + "\n")
    return folder / "truth.csv"


def measured(model, table, tmp_path):
    out = tmp_path / "report.json"
    assert run(["evaluate", str(model), "--data", str(table), "--crop", "whole", "--json", str(out)]) == 0
    return {row["name"]: row["value"] for row in json.loads(out.read_text())["rows"]}


def test_evaluate_says_how_far_they_are_off(model, tmp_path):
    palm = float(np.linalg.norm((shape()[9] - shape()[0]) * 300))
    rows = measured(model, written(tmp_path, shape() * 300 + [0.15 * palm, 0]), tmp_path)
    assert rows["hand found"] == 1
    assert rows["mean error, % of palm"] == pytest.approx(15, abs=0.1)
    assert rows["PCK 10% of palm"] == 0
    assert rows["PCK 20% of palm"] == 1
    assert rows["side right"] == 1


def test_evaluate_writes_curve_and_sheets(model, tmp_path):
    table = written(tmp_path, shape() * 300 + 6, side="left")
    out = tmp_path / "report"
    assert run(["evaluate", str(model), "--data", str(table), "--crop", "whole", "--out", str(out)]) == 0
    assert (out / "landmarks-pck.png").stat().st_size > 5_000
    assert cv2.imread(str(out / "worst.jpg")) is not None


def test_what_predict_writes_can_be_measured_against(model, picture, tmp_path):
    table = tmp_path / "points.csv"
    assert run(["predict", str(picture), "--model", str(model), "--crop", "whole", "--landmarks", str(table)]) == 0
    rows = measured(model, table, tmp_path)
    assert rows["mean error, % of palm"] == pytest.approx(0, abs=0.01)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("a.png,21,1,1,left", "0 to 20"),
        ("a.png,3,x,1,left", "numbers"),
        ("b.png,0,1,1,left", "of 21 landmarks|no such"),
    ],
)
def test_a_wrong_row_is_told(model, tmp_path, capsys, line, word):
    table = written(tmp_path, shape() * 300)
    table.write_text(table.read_text() + line + "\n")
    assert run(["evaluate", str(model), "--data", str(table), "--crop", "whole"]) == 2
    import re

    assert re.search(word, capsys.readouterr().err)


def test_evaluate_turns_landmarks_and_draws_the_circle(model, tmp_path):
    table, out = written(tmp_path, shape() * 300), tmp_path / "report"
    asked = ["evaluate", str(model), "--data", str(table), "--crop", "whole", "--turns", "12", "--out", str(out)]
    assert run(asked) == 0
    report = json.loads((out / "report.json").read_text())
    assert report["rows"][0]["n"] == 12
    error = {sector["from"]: sector["angle_error"][0] for sector in report["sectors"] if sector["n"]}
    assert max(error.values()) > 120  # this model says upright whatever it sees
    assert min(error.values()) < 20
    assert (out / "circle.png").stat().st_size > 5_000
