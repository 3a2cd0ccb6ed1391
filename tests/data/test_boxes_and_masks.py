"""A set with boxes and masks, as `data synth` renders one: each verb takes what it needs, and none has to be told."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from made_sets import HIGH, WIDE, save, view, yolo_picture

from handlens.cli import run
from handlens.data.formats.detect_format import has_boxes_and_masks, open_set

BOX = (1, 0.5, 0.5, 0.5, 0.5)


@pytest.fixture
def both(tmp_path: Path) -> Path:
    """Eight pictures with one hand each, boxed and masked, laid out as `data synth` does it."""
    root = tmp_path / "set"
    for number in range(8):
        split = ("train", "train", "val", "test")[number % 4]
        yolo_picture(root, f"{number}.jpg", view(number), [BOX], split)
        mask = np.zeros((HIGH, WIDE), np.uint8)
        mask[20:60, 24 : 24 + 4 * (number + 1)] = 1  # each picture's own
        save(root / "masks" / split / f"{number}.png", mask)
    splits = "".join(f"{split}: images/{split}\n" for split in ("train", "val", "test"))
    (root / "data.yaml").write_text(f"{splits}names: [face, hand]\n")
    (root / "names.txt").write_text("background\nhand\nface\n")
    return root


def test_boxes_are_read_unless_masks_are_asked_for(both):
    assert has_boxes_and_masks(both)
    assert (open_set(both).kind, open_set(both).names) == ("detect", ("face", "hand"))
    assert open_set(both, "segment").names == ("background", "hand", "face")
    assert open_set(both, ("classify", "segment")).kind == "segment"
    assert open_set(both, ("detect", "classify")).kind == "detect"


@pytest.mark.parametrize(("more", "shown"), [([], "detect: boxes"), (["--kind", "segment"], "segment: pictures")])
def test_check_looks_at_either(both, capsys, more, shown):
    assert run(["data", "check", str(both), *more]) == 0
    said = capsys.readouterr().out
    assert shown in said
    assert ("--kind segment" in said) == (not more)


def test_split_keeps_both(both, tmp_path):
    new = tmp_path / "new"
    assert run(["data", "split", str(both), "--dest", str(new), "--shares", "0.5,0.25,0.25", "--seed", "3"]) == 0
    boxes, masks = open_set(new, "detect"), open_set(new, "segment")
    assert [len(boxes.split(split)) for split in ("train", "val", "test")] == [4, 2, 2]
    assert masks.names == ("background", "hand", "face")
    assert {(p.path, p.split) for p in boxes} == {(p.path, p.split) for p in masks}
    for picture in masks:
        assert picture.mask is not None
        assert np.count_nonzero(picture.mask() == 1) == 40 * 4 * (int(picture.name) + 1)
    assert all(picture.labels.tolist() == [1] for picture in boxes)


def test_split_of_one_kind_writes_only_that(both, tmp_path):
    assert run(["data", "split", str(both), "--dest", str(tmp_path / "new"), "--kind", "detect"]) == 0
    assert not (tmp_path / "new" / "masks").exists()


def test_a_mask_that_cannot_be_read_leaves_no_half_set(both, tmp_path, capsys):
    cv2.imwrite(str(both / "masks" / "train" / "0.png"), np.full((HIGH, WIDE), 9, np.uint8))
    assert run(["data", "split", str(both), "--dest", str(tmp_path / "new")]) == 2
    assert "0.png" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_other_verbs_say_that_they_take_the_boxes(both, tmp_path, capsys):
    assert run(["data", "remap", str(both), "--dest", str(tmp_path / "new"), "--drop", "face"]) == 0
    assert "has boxes and masks: its boxes are read" in capsys.readouterr().err


@pytest.mark.parametrize(("model", "told"), [("touch", "hand"), ("segment", "IoU")])
def test_evaluate_takes_what_the_model_is_measured_on(both, capsys, model, told):
    assert run(["evaluate", model, "--data", str(both), "--resamples", "0"]) == 0
    said = capsys.readouterr()
    assert told in said.out
    assert "measuring on the test split" in said.err
