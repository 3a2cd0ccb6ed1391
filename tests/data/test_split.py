"""data split: any kind of set is copied into train, val and test, and what it was before stays as it was."""

from pathlib import Path

import pytest
from made_sets import class_folders, masked_set, yolo_set

from handlens.cli import run
from handlens.data.formats.detect_format import open_set


def content(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


MAKERS = {
    "detect": lambda root: yolo_set(root, ["cheek", "chin"], range(20)),
    "classify": lambda root: class_folders(root, ["fist", "palm"], 10, 1),
    "segment": lambda root: masked_set(root, 20),
}


@pytest.mark.parametrize("kind", MAKERS)
def test_every_kind_is_split_and_the_original_stays(kind, tmp_path):
    root = MAKERS[kind](tmp_path / "set")
    before = content(root)
    assert run(["data", "split", str(root), "--dest", str(tmp_path / "new")]) == 0
    assert content(root) == before
    found = open_set(tmp_path / "new")
    assert found.kind == kind
    assert found.names == open_set(root).names
    assert [len(found.split(name)) for name in ("train", "val", "test")] == [15, 3, 2]
    assert run(["data", "check", str(tmp_path / "new")]) == 0


def test_the_same_seed_splits_the_same_and_another_one_otherwise(tmp_path):
    root = MAKERS["detect"](tmp_path / "set")
    made = []
    for place, seed in enumerate((1, 1, 2)):
        assert run(["data", "split", str(root), "--dest", str(tmp_path / f"{place}" / "new"), "--seed", str(seed)]) == 0
        made.append(content(tmp_path / f"{place}" / "new"))
    assert made[0] == made[1]
    assert made[0] != made[2]


def test_an_old_split_is_forgotten(tmp_path):
    root = yolo_set(tmp_path / "set", ["chin"], range(20), splits=("train", "val"))
    assert run(["data", "split", str(root), "--dest", str(tmp_path / "new"), "--shares", "0.9,0.1"]) == 0
    assert [len(open_set(tmp_path / "new").split(name)) for name in ("train", "val")] == [18, 2]


def test_a_set_of_one_clip_cannot_be_split_but_says_why(tmp_path, capsys):
    root = yolo_set(tmp_path / "set", ["chin"], [1], 12)
    assert run(["data", "split", str(root), "--dest", str(tmp_path / "new")]) == 2
    err = capsys.readouterr().err
    assert "12 pictures in 1 group cannot be split" in err
    assert "--near" in err
    assert not (tmp_path / "new").exists()


def test_a_stricter_likeness_tears_copies_apart_when_the_user_wants_it(tmp_path):
    root = yolo_set(tmp_path / "set", ["chin"], [1], 12)
    assert run(["data", "split", str(root), "--dest", str(tmp_path / "new"), "--near", "0"]) == 0
    assert run(["data", "check", str(tmp_path / "new")]) == 2
    assert run(["data", "check", str(tmp_path / "new"), "--near", "-1"]) == 0


def test_nothing_readable_is_a_sentence(tmp_path, capsys):
    root = yolo_set(tmp_path / "set", ["chin"], range(3))
    for path in (root / "images").iterdir():
        path.write_bytes(path.read_bytes()[:-300])
    assert run(["data", "split", str(root), "--dest", str(tmp_path / "new")]) == 2
    assert "can be read" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
