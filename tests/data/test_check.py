"""data check: whatever is wrong with a set is found, leaks between splits first, and spoiling things end with 2."""

import csv
from pathlib import Path

import cv2
import numpy as np
import pytest
from made_sets import class_folders, masked_set, save, view, yolo_picture, yolo_set

from handlens.cli import run
from handlens.data.check import (
    ERRORS,
    LEAK_GROUP,
    LEAK_NEAR,
    LEAK_SAME,
    NEAR_COPY,
    NO_CLASS,
    SAME,
    SIDE,
    Findings,
    check_set,
    check_sheet,
)
from handlens.data.formats.detect_format import open_set
from handlens.data.problems import Problem
from handlens.data.scan import survey

BOX = (0, 0.5, 0.5, 0.4, 0.3)


def look(root: Path) -> Findings:
    told: list[Problem] = []
    found = open_set(root, None, told.append)
    return check_set(found, survey(found), told)


@pytest.fixture
def clean(tmp_path: Path) -> Path:
    """A split set in which nothing is wrong."""
    for place, split in enumerate(("train", "train", "train", "val", "test")):
        for number in range(2):
            label = (number, 0.5, 0.5, 0.4, 0.3)
            yolo_picture(tmp_path / "set", f"{split}{place}_{number}.jpg", view(10 * place + number), [label], split)
    (tmp_path / "set" / "classes.txt").write_text("cheek\nchin\n")
    return tmp_path / "set"


def kinds(root: Path) -> dict[str, int]:
    return look(root).counts()


def test_a_clean_set_is_clean(clean, capsys):
    assert kinds(clean) == {}
    assert run(["data", "check", str(clean)]) == 0
    captured = capsys.readouterr()
    assert "nothing would stop or spoil a training." in captured.out
    assert captured.err == ""
    assert "pictures 6 2 2 10" in " ".join(captured.out.split())


def test_the_same_file_in_two_splits_is_a_leak(clean):
    yolo_picture(clean, "copy.jpg", view(0), [BOX], "test")
    findings = look(clean)
    assert findings.counts() == {LEAK_SAME: 1}
    (problem,) = findings.errors
    assert problem.path.name == "copy.jpg"
    assert "'" + str(clean / "images/train/train0_0.jpg") + "' in train" in problem.text


def changed(image: np.ndarray) -> np.ndarray:
    small = cv2.resize(image[:, ::-1], (48, 40), interpolation=cv2.INTER_AREA)
    return np.clip(small * 1.1 + 5, 0, 255).astype(np.uint8)


def test_a_mirrored_small_bright_copy_in_another_split_is_a_leak(clean):
    yolo_picture(clean, "copy.jpg", changed(view(0)), [BOX], "test")  # its folder is read before train
    findings = look(clean)
    assert findings.counts() == {LEAK_NEAR: 1}
    assert findings.problems[0].path.name == "copy.jpg"
    (_, (row, other)) = findings.pairs[0]
    assert [findings.found.pictures[n].split for n in (row, other)] == ["test", "train"]


def test_the_nearest_copy_is_named_for_a_picture_with_many(clean):
    for number in range(4):
        yolo_picture(clean, f"clip{number}.png", view(500, 3.0, number), [BOX], "train")
    for name, shade in (("leak", 9), ("leak_too", 12)):
        image = np.clip(view(500, 3.0, 2).astype(int) + shade, 0, 255).astype(np.uint8)
        yolo_picture(clean, f"{name}.png", image, [BOX], "val")
    findings = look(clean)
    assert findings.counts() == {LEAK_NEAR: 2, NEAR_COPY: 3}
    leaks = [problem for problem in findings.problems if problem.kind == LEAK_NEAR]
    assert {problem.path.name for problem in leaks} == {"leak.png", "leak_too.png"}
    assert all("clip2.png" in problem.text for problem in leaks)


def test_a_group_in_two_splits_is_a_leak(clean):
    rows = "images/train/train0_0.jpg,anna\nimages/train/train0_1.jpg,anna\nimages/val/val3_0.jpg,anna\n"
    (clean / "groups.csv").write_text(f"file,group\n{rows}")
    findings = look(clean)
    assert findings.counts() == {LEAK_GROUP: 1}
    assert "the group 'anna' is in train and in val" in findings.errors[0].text


def test_copies_within_a_split_are_no_leak(clean):
    yolo_picture(clean, "copy.jpg", view(0), [BOX], "train")
    yolo_picture(clean, "near.jpg", changed(view(10)), [BOX], "train")
    findings = look(clean)
    assert findings.counts() == {SAME: 1, NEAR_COPY: 1}
    assert findings.errors == []


def test_copies_within_a_group_are_no_news(clean):
    yolo_picture(clean, "near.jpg", changed(view(10)), [BOX], "train")
    (clean / "groups.csv").write_text("file,group\nimages/train/near.jpg,anna\nimages/train/train1_0.jpg,anna\n")
    assert kinds(clean) == {}


LABELS = {
    "wrong class": "7 0.5 0.5 0.1 0.1\n",
    "wrong line": "0 0.5 0.5\n",
    "wrong box": "0 0.5 0.5 0.0 0.1\n",
    "box outside": "0 0.9 0.5 0.6 0.3\n",
    "tiny box": "0 0.5 0.5 0.005 0.005\n",
    "box twice": "0 0.5 0.5 0.3 0.3\n0 0.5 0.5 0.3 0.3\n",
    "no objects": "",
}


@pytest.mark.parametrize("kind", LABELS)
def test_a_label_that_is_odd_is_found(clean, kind, tmp_path):
    label = clean / "labels" / "train" / "train0_0.txt"
    before = label.read_text()
    label.write_text(LABELS[kind] if kind == "no objects" else before + LABELS[kind])
    findings = look(clean)
    assert findings.counts() == {kind: 1}
    assert "train0_0" in findings.problems[0].text
    out = tmp_path / "out"
    assert run(["data", "check", str(clean), "--out", str(out)]) == (2 if kind in ERRORS else 0)
    assert (out / "check.jpg").exists() == (kind != "no objects")


def test_two_classes_with_the_same_box_are_no_problem(clean):
    label = clean / "labels" / "train" / "train0_0.txt"
    label.write_text("0 0.5 0.5 0.3 0.3\n1 0.5 0.5 0.3 0.3\n")
    assert kinds(clean) == {}


def test_pictures_without_labels_and_labels_without_pictures_are_found(clean):
    (clean / "labels" / "train" / "train0_0.txt").unlink()
    (clean / "labels" / "train" / "lonely.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    assert kinds(clean) == {"no label file": 1, "no picture": 1}


@pytest.mark.parametrize("how", ["empty", "text", "cut off", "gone dark inside"])
def test_unreadable_pictures_are_found_once(clean, how):
    path = clean / "images" / "train" / "train0_0.jpg"
    data = path.read_bytes()
    path.write_bytes({"empty": b"", "text": b"hello", "cut off": data[:-400]}.get(how, data[:2] + bytes(500)))
    assert kinds(clean) == {"unreadable": 1}


def test_a_class_that_a_split_lacks_is_told(clean):
    (clean / "labels" / "test" / "test4_1.txt").write_text("0 0.5 0.5 0.1 0.1\n")
    (clean / "classes.txt").write_text("cheek\nchin\nforehead\n")
    findings = look(clean)
    assert findings.counts() == {NO_CLASS: 2}
    assert sorted(problem.text for problem in findings.problems) == [
        "test has no object of the class 'chin'.",
        "the set has no object of the class 'forehead'.",
    ]


def test_a_set_that_is_not_split_is_checked_and_told_so(tmp_path, capsys):
    root = yolo_set(tmp_path / "set", ["chin"], range(4))
    yolo_picture(root, "copy.jpg", view(0), [BOX])
    assert run(["data", "check", str(root)]) == 0
    out = capsys.readouterr().out
    assert "not split yet" in out
    assert "1 thing is worth a look" in out


def test_all_problems_are_in_the_csv_and_20_of_a_kind_on_the_screen(clean, tmp_path, capsys):
    lines = "".join("9 0.5 0.5 0.1 0.1\n" for _ in range(30))
    (clean / "labels" / "train" / "train0_0.txt").write_text(lines)
    out = tmp_path / "new" / "out"
    assert run(["data", "check", str(clean), "--out", str(out)]) == 2
    captured = capsys.readouterr()
    assert captured.out.count("wrong class: '") == 20
    assert "wrong class: and 10 more; all are in problems.csv" in captured.out
    assert "30 problems that stop or spoil a training: wrong class (30)." in captured.err
    with (out / "problems.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] == "wrong class"]
    assert len(rows) == 30
    assert {row["level"] for row in rows} == {"error"}


def test_the_sheet_shows_leaking_pairs_side_by_side_and_then_odd_boxes(clean):
    yolo_picture(clean, "copy.jpg", view(0), [BOX], "test")
    (clean / "labels" / "train" / "train1_0.txt").write_text("0 0.9 0.5 0.6 0.3\n")
    image = check_sheet(look(clean))
    assert image is not None
    wide = image.shape[1] // 3
    assert wide > SIDE
    assert np.abs(image[:, :wide].astype(int) - image[:, wide : 2 * wide]).mean() < 25  # the same picture twice
    assert np.abs(image[:, :wide].astype(int) - image[:, 2 * wide : 3 * wide]).mean() > 25


def test_the_sheet_of_an_earlier_check_does_not_stay(clean, tmp_path):
    (tmp_path / "check.jpg").write_text("old")
    assert run(["data", "check", str(clean), "--out", str(tmp_path)]) == 0
    assert not (tmp_path / "check.jpg").exists()
    assert (tmp_path / "problems.csv").read_text() == "kind,level,file,text\n"


def test_class_folders_are_checked(tmp_path):
    root = class_folders(tmp_path / "set", ["fist", "palm"], 2, 1)
    save(root / "fist" / "again.jpg", view(1000, 2.0, 0))
    assert kinds(root) == {SAME: 1}


def test_masks_are_checked(tmp_path):
    root = masked_set(tmp_path / "set", 6)
    save(root / "masks" / "2.png", np.zeros((10, 10), np.uint8))
    save(root / "masks" / "3.png", np.full((80, 96), 77, np.uint8))
    (root / "masks" / "4.png").write_text("no mask")
    save(root / "masks" / "5.png", np.zeros((80, 96), np.uint8))
    (root / "names.txt").write_text("background\nhand\nface\n" + "".join(f"c{n}\n" for n in range(75)))
    found = {kind: count for kind, count in kinds(root).items() if kind != NO_CLASS}
    assert found == {"wrong size": 1, "unreadable": 1, "no objects": 1}


def test_no_set_is_one_sentence(tmp_path, capsys):
    assert run(["data", "check", str(tmp_path)]) == 2
    assert run(["data", "check", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
