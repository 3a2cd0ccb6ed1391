"""What is wrong with masks is one sentence, and what is only unusual gets the right answer."""

import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from mask_sets import SIDE, array_pair, binary_masks, coco_polygons, index_masks, save, yolo_polygons
from tiny_models import mask_model

from handlens.cli import run
from handlens.data.formats.detect_format import open_set
from handlens.errors import InputError

NOTHING = np.zeros((SIDE, SIDE), np.uint8)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    mask_model(tmp_path / "three.onnx")
    mask_model(tmp_path / "two.onnx", ("background", "hand"))
    return tmp_path


def complaint(capsys: pytest.CaptureFixture[str]) -> str:
    """The last sentence on stderr."""
    err = capsys.readouterr().err
    assert "Traceback" not in err
    return err.strip().splitlines()[-1]


def numbers(model: str, data: str) -> dict[str, float]:
    assert run(["evaluate", model, "--data", data, "--split", "all", "--resamples", "5", "--json", "n.json"]) in (0, 2)
    told = json.loads(Path("n.json").read_text())
    return {row["name"]: row["value"] for row in told["rows"]} | {"n": told["n"]}


def wrong_size(root: Path) -> None:
    index_masks(root)
    save(root / "masks" / "train" / "0.png", np.zeros((20, 30), np.uint8))


def wrong_value(root: Path) -> None:
    index_masks(root)
    mask = NOTHING.copy()
    mask[3:5] = 7
    save(root / "masks" / "train" / "0.png", mask)


def wrong_value_with_names(root: Path) -> None:
    wrong_value(root)
    (root / "names.txt").write_text("background\nhand\nface\n")


def wrong_in_pack(root: Path) -> None:
    labels = np.load(array_pair(root) / "labels.npy").astype(np.uint8)
    labels[0, 0, 0] = 17
    np.save(root / "labels.npy", labels)


def wrong_shape_of_pack(root: Path) -> None:
    np.save(root / "labels.npy", np.load(array_pair(root) / "labels.npy")[:, :20])


def box_for_outline(root: Path) -> None:
    (yolo_polygons(root) / "labels" / "train" / "0.txt").write_text("0 .5 .5 .2 .2\n")


def no_outline(root: Path) -> None:
    file = coco_polygons(root) / "train" / "_annotations.coco.json"
    sheet = json.loads(file.read_text())
    sheet["annotations"][0]["segmentation"] = []
    file.write_text(json.dumps(sheet))


WRONG = {
    "size": (wrong_size, r"masks/train/0\.png' is 30 x 20, but its picture '.*0\.jpg' is 48 x 48", 8),
    "value": (wrong_value, r"values 0, 1, 2, 7 \(7 in 'set/masks/train/0\.png'\); allowed are classes 0 to 5", None),
    "value, names": (wrong_value_with_names, r"0\.png' has the value 7, which is not a class; allowed: 0 to 2", 8),
    "value in a pack": (wrong_in_pack, r"values 0, 1, 17 \(17 in 'set/labels\.npy, picture 0'\)", None),
    "shape of a pack": (wrong_shape_of_pack, r"shape \(9, 20, 48, 1\): masks for these pictures must be", None),
    "box": (box_for_outline, r"0\.txt' line 1 is a box: masks need outlines", 9),
    "no outline": (no_outline, r"annotations\[0\] has no outline", 9),
}


@pytest.mark.slow
@pytest.mark.parametrize(("make", "said", "left"), WRONG.values(), ids=WRONG)
def test_a_wrong_mask_is_named_and_the_rest_is_measured(at, make, said, left, capsys):
    make(at / "set")
    assert run(["data", "check", "set", "--kind", "segment"]) == 2
    told = capsys.readouterr()
    assert re.search(said, told.out + told.err)
    if left is None:
        assert run(["evaluate", "three.onnx", "--data", "set"]) == 2
        assert re.search(said, complaint(capsys))
    else:
        assert numbers("three.onnx", "set")["n"] == left
        assert re.search(said, capsys.readouterr().err)


def test_a_polygon_set_without_a_polygon_is_one_of_boxes(at, capsys):
    root = yolo_polygons(at / "set")
    for file in (root / "labels").rglob("*.txt"):
        file.write_text("0 .5 .5 .2 .2\n")
    assert run(["evaluate", "three.onnx", "--data", "set"]) == 2
    assert "which is to detect; this needs a set to segment" in complaint(capsys)


def test_polygons_over_one_another_and_pictures_without_a_label(at):
    root = yolo_polygons(at / "set")
    (root / "labels" / "train" / "0.txt").write_text("0 0 0 1 0 1 1 0 1\n1 .5 .5 1 .5 1 1 .5 1\n")
    (root / "labels" / "train" / "1.txt").unlink()
    found = open_set(root, "segment")
    masks = {picture.path.stem: picture.mask() for picture in found.split("train")}
    assert (masks["0"][:24] == 1).all()
    assert (masks["0"][25:, 25:] == 2).all()
    assert not masks["1"].any()
    assert open_set(root).kind == "detect"
    (root / "labels" / "train" / "0.txt").write_text("5 0 0 1 0 1 1\n")
    with pytest.raises(InputError, match=r"class 5 does not exist; allowed: 0 to 1 \(hand, face\)"):
        open_set(root, "segment")


def test_masks_without_any_hand_are_measured(at):
    root = binary_masks(at / "set")
    for file in (root / "masks").rglob("*.png"):
        save(file, NOTHING)
    told = numbers("two.onnx", "set")  # the pictures have hands
    assert told["IoU hand"] == told["F1 hand"] == told["precision hand"] == 0
    assert told["recall hand"] is None
    for file in (root / "images").rglob("*.png"):
        save(file, np.zeros((SIDE, SIDE, 3), np.uint8))
    told = numbers("two.onnx", "set")
    assert told["IoU hand"] is told["F1 hand"] is told["precision hand"] is None
    assert told["IoU mean"] == told["pixel accuracy"] == told["IoU background"] == 1
    assert told["F1 hand, mean of batches of 4"] == 0


@pytest.mark.parametrize("value", [1, 255])
def test_masks_that_are_all_hand_are_measured(at, value):
    root = index_masks(at / "set")
    for file in (root / "masks").rglob("*.png"):
        save(file, np.full((SIDE, SIDE), value, np.uint8))
    for file in (root / "images").rglob("*.jpg"):
        save(file, np.full((SIDE, SIDE, 3), (255, 0, 0), np.uint8))
    told = numbers("two.onnx", "set")
    assert told["IoU hand"] == told["precision hand"] == told["recall hand"] == told["IoU mean"] == 1
    assert told["IoU background"] is None


@pytest.mark.slow
def test_grey_tiny_and_huge_pictures_are_measured(at):
    root = binary_masks(at / "set")
    grey = save(root / "images" / "train" / "0.png", np.zeros((SIDE, SIDE), np.uint8))
    assert cv2.imread(str(grey), cv2.IMREAD_UNCHANGED).ndim == 2
    for name, side in (("1", (1, 1)), ("3", (3000, 4000))):
        save(root / "images" / "train" / f"{name}.png", np.full((*side, 3), (255, 0, 0), np.uint8))
        save(root / "masks" / "train" / f"{name}.png", np.full(side, 255, np.uint8))
    told = numbers("two.onnx", "set")
    assert told["n"] == 9
    assert told["recall hand"] > 0.99


class TestTraining:
    @pytest.fixture(autouse=True)
    def torch(self) -> None:
        pytest.importorskip("torch")
        pytest.importorskip("lightning")

    def refused(self, capsys: pytest.CaptureFixture[str]) -> str:
        tiny = ["--net", "unet", "--size", "32", "--epochs", "1", "--workers", "0", "--precision", "32"]
        assert run(["train", "segment", "--data", "set", "--out", "run", *tiny]) == 2
        return complaint(capsys)

    @pytest.mark.slow
    @pytest.mark.parametrize(("value", "name"), [(0, "background"), (255, "hand")])
    def test_of_masks_of_one_class_nothing_can_be_learned(self, at, value, name, capsys):
        root = binary_masks(at / "set")
        save(root / "masks" / "val" / "2.png", NOTHING + np.eye(SIDE, dtype=np.uint8) * 255)
        for file in (root / "masks" / "train").rglob("*.png"):
            save(file, np.full((SIDE, SIDE), value, np.uint8))
        assert f"every pixel is '{name}': there is nothing to tell apart" in self.refused(capsys)

    @pytest.mark.parametrize("split", ["train", "val"])
    def test_a_mask_of_another_size_ends_it_with_a_sentence(self, at, split, capsys):
        root = index_masks(at / "set")
        number = "0" if split == "train" else "2"
        save(root / "masks" / split / f"{number}.png", np.zeros((20, 30), np.uint8))
        assert re.search(rf"{number}\.jpg' is 30 x 20, but the picture is 48 x 48", self.refused(capsys))

    def test_a_value_that_is_no_class_ends_it_with_a_sentence(self, at, capsys):
        wrong_value_with_names(at / "set")
        assert "7 in 'set/masks/train/0.png'" in self.refused(capsys)
