"""Sets drawn in LabelMe and CVAT, and Label Studio's predictions, give the boxes that were drawn."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.cli import run
from handlens.data.formats.detect_format import open_set
from handlens.data.problems import Problem
from handlens.errors import InputError


def picture(path: Path, width: int = 100, height: int = 80) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((height, width, 3), 90, np.uint8))
    return path


def sheet(path: Path, image: str, shapes: list[dict[str, object]]) -> None:
    content = {"version": "5.4.1", "flags": {}, "shapes": shapes, "imagePath": image, "imageData": None}
    path.write_text(json.dumps({**content, "imageHeight": 80, "imageWidth": 100}))


def shape(label: str, kind: str, *points: tuple[float, float]) -> dict[str, object]:
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}}


def test_labelme_rectangles_polygons_and_circles_count_by_their_boxes(tmp_path: Path) -> None:
    for name in ("train/a.png", "train/b.png", "val/c.png"):
        picture(tmp_path / name)
    shapes = [
        shape("hand", "rectangle", (60, 70), (10, 20)),  # drawn from the lower right corner
        shape("face", "polygon", (5, 5), (25, 8), (15, 30)),
        shape("face", "circle", (50, 40), (53, 44)),
        shape("hand", "line", (1, 1), (2, 2)),
    ]
    sheet(tmp_path / "train" / "a.json", "a.png", shapes)
    sheet(tmp_path / "val" / "c.json", "..\\val\\c.png", [])
    problems: list[Problem] = []
    found = open_set(tmp_path, on_problem=problems.append)
    assert (found.kind, found.names) == ("detect", ("face", "hand"))
    by_name = {each.path.name: each for each in found}
    assert by_name["a.png"].boxes.tolist() == [[10, 20, 60, 70], [5, 5, 25, 30], [45, 35, 55, 45]]
    assert by_name["a.png"].labels.tolist() == [1, 0, 0]
    assert (by_name["a.png"].split, by_name["c.png"].split) == ("train", "val")
    assert len(by_name["b.png"].boxes) == len(by_name["c.png"].boxes) == 0
    assert {problem.kind for problem in problems} == {"ignored", "no label file"}
    assert all(problem.harmless for problem in problems)


@pytest.mark.parametrize(
    ("shapes", "sentence"),
    [
        ([shape("", "rectangle", (1, 1), (9, 9))], "shape 2 has no label"),
        ([shape("hand", "rectangle", (1, 1))], "needs at least 2 points"),
        ([shape("hand", "polygon", (1, 1), (9, 9), ("a", 4))], "needs at least 3 points"),  # type: ignore[arg-type]
        ([shape("hand", "rectangle", (200, 10), (300, 30))], "lies outside"),
    ],
)
def test_a_wrong_labelme_shape_is_a_sentence(tmp_path: Path, shapes: list[dict[str, object]], sentence: str) -> None:
    picture(tmp_path / "a.png")
    sheet(tmp_path / "a.json", "a.png", [shape("face", "rectangle", (1, 1), (30, 30)), *shapes])
    with pytest.raises(InputError, match=sentence):
        open_set(tmp_path)
    problems: list[Problem] = []
    (found,) = open_set(tmp_path, on_problem=problems.append)
    assert found.boxes.tolist() == [[1, 1, 30, 30]]
    assert [sentence in problem.text for problem in problems] == [True]


@pytest.mark.parametrize("text", ['{"imagePath": "b.png", "shapes": 3}', '{"imagePath": "b.png", "shapes": [{"lab'])
def test_a_picture_whose_labelme_file_cannot_be_read_is_left_out(tmp_path: Path, text: str) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
    sheet(tmp_path / "a.json", "a.png", [shape("face", "rectangle", (1, 1), (30, 30))])
    (tmp_path / "b.json").write_text(text)
    with pytest.raises(InputError, match=r"b\.json"):
        open_set(tmp_path)
    problems: list[Problem] = []
    assert [each.path.name for each in open_set(tmp_path, on_problem=problems.append)] == ["a.png"]
    assert [problem.kind for problem in problems] == ["wrong line"]


def test_a_json_file_of_another_program_beside_a_picture_is_told_of(tmp_path: Path) -> None:
    for name in ("a", "b"):
        picture(tmp_path / f"{name}.png")
    sheet(tmp_path / "a.json", "a.png", [shape("face", "rectangle", (1, 1), (30, 30))])
    (tmp_path / "b.json").write_text("{}")
    problems: list[Problem] = []
    assert len(open_set(tmp_path, on_problem=problems.append)) == 2
    (problem,) = problems
    assert "has a .json file that is not LabelMe's" in problem.text


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version>
<meta><job><labels><label><name>hand</name></label><label><name>unused</name></label><label><name>face</name></label>
</labels></job></meta>
<image id="0" name="one/a.png" subset="Train" width="100" height="80">
  <box label="face" source="manual" occluded="0" xtl="10.5" ytl="20.00" xbr="60.00" ybr="70.00" z_order="0"></box>
  <polygon label="hand" source="manual" occluded="0" points="5.0,5.0;25.0,8.0;15.0,30.0" z_order="0"></polygon>
  <points label="hand" points="1,1"></points>
</image>
<image id="1" name="two/a.png" subset="Validation" width="100" height="80"></image>
</annotations>
"""


def test_cvat_boxes_and_polygons_come_with_their_order_of_names_and_subsets(tmp_path: Path) -> None:
    for name in ("images/one/a.png", "images/two/a.png"):
        picture(tmp_path / name)
    (tmp_path / "annotations.xml").write_text(CVAT)
    for place in (tmp_path, tmp_path / "annotations.xml"):
        problems: list[Problem] = []
        found = open_set(place, on_problem=problems.append)
        assert (found.kind, found.names, len(found)) == ("detect", ("hand", "face"), 2)
        first, second = found
        assert first.boxes.tolist() == [[10.5, 20, 60, 70], [5, 5, 25, 30]]
        assert first.labels.tolist() == [1, 0]
        assert (first.split, second.split, len(second.boxes)) == ("train", "val", 0)
        assert [problem.kind for problem in problems] == ["ignored"]


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ('xtl="10.5"', "", "lacks numbers: xtl, ytl, xbr, ybr"),
        ("25.0,8.0;", "25.0;", "lacks numbers: points"),
        ('"one/a.png"', '"one/b.png"', "there is no picture 'one/b.png'"),
        ('width="100"', 'width="120"', "its labels are for 120 x 80"),
        ("</annotations>", '<track id="0" label="hand"></track></annotations>', "tracks of a video"),
        ("<version>", "<!ENTITY x SYSTEM 'y'><version>", "entities"),
    ],
)
def test_a_wrong_cvat_file_is_a_sentence(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    for name in ("one/a.png", "two/a.png"):
        picture(tmp_path / name)
    (tmp_path / "annotations.xml").write_text(CVAT.replace(old, new, 1))
    with pytest.raises(InputError, match=sentence):
        open_set(tmp_path)


@pytest.mark.parametrize(
    ("degrees", "box"),
    [("90", [10.25, 20.25, 60.25, 69.75]), ("180.0", [10.5, 20, 60, 70]), ("45", [0.07, 9.82, 70.43, 80])],
)
def test_of_a_rotated_cvat_box_the_upright_box_around_its_corners_counts(tmp_path, degrees, box):
    """It is turned about its centre, here (35.25, 45); the box is 49.5 x 50 pixels large, the picture 100 x 80."""
    for name in ("one/a.png", "two/a.png"):
        picture(tmp_path / name)
    (tmp_path / "annotations.xml").write_text(CVAT.replace('z_order="0"></box>', f'rotation="{degrees}"></box>', 1))
    problems: list[Problem] = []
    found = open_set(tmp_path, on_problem=problems.append)
    assert next(iter(found)).boxes[0].tolist() == pytest.approx(box, abs=0.01)
    assert f"is rotated by {float(degrees):g} degrees: the upright box around it is taken" in problems[0].text
    dest = tmp_path.with_name(f"converted-{degrees}")
    assert run(["data", "convert", str(tmp_path), "--to", "yolo", "--dest", str(dest)]) == 0


def test_label_studios_predictions_count_until_somebody_annotates(tmp_path: Path) -> None:
    def result(x: float) -> dict[str, object]:
        value = {"x": x, "y": 10, "width": 30, "height": 50, "rectanglelabels": ["hand"]}
        return {"type": "rectanglelabels", "original_width": 100, "original_height": 80, "value": value}

    for name in ("a.png", "b.png"):
        picture(tmp_path / name)
    predicted = [{"model_version": "touch", "score": 0.9, "result": [result(10)]}]
    tasks = [
        {"id": 1, "data": {"image": "a.png"}, "predictions": predicted, "annotations": []},
        {"id": 2, "data": {"image": "b.png"}, "predictions": predicted, "annotations": [{"result": [result(20)]}]},
    ]
    (tmp_path / "labelstudio.json").write_text(json.dumps(tasks))
    problems: list[Problem] = []
    found = {each.path.name: each.boxes.tolist() for each in open_set(tmp_path, on_problem=problems.append)}
    assert found == {"a.png": [[10, 8, 40, 48]], "b.png": [[20, 8, 50, 48]]}
    assert [(problem.kind, problem.harmless) for problem in problems] == [("unchecked", True)]


def test_data_convert_takes_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / "set" / "a.png")
    sheet(tmp_path / "set" / "a.json", "a.png", [shape("hand", "rectangle", (10, 20), (60, 70))])
    assert run(["data", "convert", "set", "--to", "yolo", "--dest", "yolo"]) == 0, capsys.readouterr().err
    (found,) = open_set(tmp_path / "yolo")
    np.testing.assert_allclose(found.boxes, [[10, 20, 60, 70]], atol=0.01)
