"""The touch benchmark: numbers by hand, differences to other programs, answers from a file, and the command."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.cli import run
from handlens.errors import InputError
from handlens.evaluate.binary import recall_at
from handlens.evaluate.touch_benchmark import (
    TouchAnswers,
    TouchTruth,
    answers_of,
    benchmark,
    read_answers,
    renamed,
)
from handlens.types import Detections

ONE = np.ones((1, 5))
LABELS = ["touch", "touch", "touch", "touch", "overlap_no_touch", "no_touch", "no_touch", "no_touch", "object_at_mouth"]
REGIONS = [{"mouth", "chin"}, {"mouth"}, {"cheek"}, set(), set(), set(), set(), set(), set()]
SIDES = ["", "left", "right", "", "", "", "", "", ""]


def truth() -> TouchTruth:
    files = tuple(f"{n}.png" for n in range(len(LABELS)))
    groups = np.array([f"p{n % 4}" for n in range(len(LABELS))])
    return TouchTruth(files, np.array(LABELS), groups, tuple(map(frozenset, REGIONS)), np.array(SIDES))


def said(name: str = "ours", score: tuple[float, ...] = (0.9, 0.8, 0.7, 0.2, 0.6, 0.1, 0.3, 0.0, 0.9)) -> TouchAnswers:
    values = np.array(score)
    region = np.array(["chin", "nose", "cheek", "", "mouth", "", "", "", "mouth"])
    side = np.array(["left", "left", "left", "", "", "", "", "", ""])
    return TouchAnswers(name, values, values >= 0.5, region, side, np.array([0.1] * 8 + [0.9]))


def test_recall_at_a_share_of_false_alarms() -> None:
    score, positive = np.array([0.9, 0.8, 0.7, 0.6, 0.5]), np.array([True, False, True, True, False])
    assert recall_at(score, positive, ONE, 0.0)[0] == pytest.approx(1 / 3)
    assert recall_at(score, positive, ONE, 0.5)[0] == pytest.approx(1.0)
    assert np.isnan(recall_at(score, np.ones(5, bool), ONE, 0.5)[0])


def test_the_numbers_by_hand() -> None:
    report = benchmark(truth(), [said()], resamples=50).systems["ours"]
    wanted = {
        "precision": 3 / 4,  # the thing at the mouth is neither right nor wrong
        "recall": 3 / 4,
        "F1": 3 / 4,
        "recall at 1% false alarms": 3 / 4,
        "false alarms, overlap_no_touch": 1.0,
        "false alarms, no_touch": 0.0,
        "called touch, object_at_mouth": 1.0,
        "region named first": 2 / 3,
        "side": 1 / 2,
        "thing at the face, ROC AUC": 1.0,
    }
    assert {name: report[name].value for name in wanted} == pytest.approx(wanted)
    assert report["region, mean over regions"].value == pytest.approx((1 + 1 / 2 + 1) / 3)  # chin, mouth, cheek
    assert all(row.low <= row.value <= row.high for row in report if not np.isnan(row.value))


def test_the_first_is_held_against_the_others() -> None:
    worse = said("other", (0.1, 0.2, 0.7, 0.2, 0.6, 0.8, 0.9, 0.0, 0.1))
    found = benchmark(truth(), [said(), worse], resamples=200)
    assert found.ahead["other"]["recall"].value == pytest.approx(1 / 2)
    assert found.systems["other"]["recall"].value == pytest.approx(1 / 4)
    assert "other" in str(found)
    assert json.loads(json.dumps(found.to_json()))["labels"]["touch"] == 4


def test_equal_programs_do_not_differ() -> None:
    found = benchmark(truth(), renamed([said(), said()]), resamples=50)
    assert list(found.systems) == ["ours", "ours (2)"]
    told = [row for row in found.ahead["ours (2)"] if not np.isnan(row.value)]
    assert {(row.value, row.low, row.high) for row in told} == {(0.0, 0.0, 0.0)}


def test_scores_that_are_no_probabilities_have_no_calibration_error() -> None:
    found = benchmark(truth(), [said(), said("rule", (9, 8, 7, -2, 6, -1, -3, 0, 9))], resamples=0)
    assert np.isnan(found.systems["rule"]["calibration error"].value)
    assert found.systems["ours"]["calibration error"].value > 0


def test_a_set_without_touches_is_a_sentence() -> None:
    none = TouchTruth(("a",), np.array(["no_touch"]), np.array(["a"]), (frozenset(),), np.array([""]))
    with pytest.raises(InputError, match="pictures with the label 'touch'"):
        benchmark(none, [], 0)


def test_a_model_answers_with_its_surest_region() -> None:
    boxes = np.array([[0, 0, 9, 9], [1, 1, 4, 4], [2, 2, 5, 5]], np.float32)
    things = np.array([[0.2, 0.6], [np.nan, np.nan], [np.nan, np.nan]])
    names = ("face", "hand", "chin", "mouth")
    value = Detections(
        boxes, np.array([0.9, 0.3, 0.8]), np.array([0, 2, 3]), names, touch=0.8, face_thing=things,
        side=("", "left", "right"),
    )  # fmt: skip
    (answers) = answers_of("ours", [value, Detections.empty(names, 0.1)])
    assert answers.region.tolist() == ["mouth", ""]
    assert answers.side.tolist() == ["right", ""]
    assert answers.called.tolist() == [True, False]
    assert answers.thing is not None
    assert answers.thing.tolist() == pytest.approx([0.6, 0.0])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,score\n0.png,0.5\n", "lacks 8 of 9 pictures, the first is '1.png'"),
        ("file\n0.png\n", "has no column 'score'"),
        ("file,score\n" + "".join(f"{n}.png,high\n" for n in range(9)), "a score that is not a number"),
    ],
)
def test_a_wrong_file_of_answers_is_a_sentence(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "rule.csv").write_text(text)
    with pytest.raises(InputError, match=sentence):
        read_answers(tmp_path / "rule.csv", truth())


def test_answers_of_another_program(tmp_path: Path) -> None:
    rows = [f"{n}.png,{n - 5},{n % 2}" for n in reversed(range(9))]
    (tmp_path / "rule.csv").write_text("\n".join(["file,score,called", *rows]) + "\n")
    found = read_answers(tmp_path / "rule.csv", truth())
    assert found.name == "rule"
    assert found.score.tolist() == [n - 5 for n in range(9)]
    assert found.called.tolist() == [bool(n % 2) for n in range(9)]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    (tmp_path / "set" / "images").mkdir(parents=True)
    rows = ["file,label,person,region,side"]
    for number in range(6):
        cv2.imwrite(str(tmp_path / "set" / "images" / f"{number}.png"), rng.integers(0, 255, (96, 96, 3), np.uint8))
        rows.append(f"{number}.png,{'touch,a,chin,left' if number % 2 else 'no_touch,b,,'}")
    (tmp_path / "set" / "labels.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "rule.csv").write_text("file,score\n" + "".join(f"{n}.png,{n % 2}\n" for n in range(6)))
    return tmp_path


def test_the_command_sets_both_in_one_table(pictures: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["evaluate", "touch", "--data", str(pictures / "set"), "--split", "all", "--resamples", "20"]
    line += [
        "--baseline",
        f"rule={pictures / 'rule.csv'}",
        "--json",
        str(pictures / "n.json"),
        "--out",
        str(pictures / "o"),
    ]
    assert run(line) == 0
    printed = capsys.readouterr().out
    assert "rule" in printed
    assert "* differs from the first" in printed
    numbers = json.loads((pictures / "n.json").read_text())["benchmark"]
    recall = {row["name"]: row["value"] for row in numbers["systems"]["rule"]}["recall"]
    assert recall == 1.0
    assert (pictures / "o" / "touch-systems.png").stat().st_size > 10_000


@pytest.mark.parametrize(
    ("model", "baseline", "sentence"),
    [("touch", "none.csv", "there is no file 'none.csv'"), ("touch", "signs", "'signs' does not tell touches")],
)
def test_a_wrong_baseline_is_a_sentence(
    pictures: Path, model: str, baseline: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["evaluate", model, "--data", str(pictures / "set"), "--split", "all", "--baseline", baseline]) == 2
    assert sentence in capsys.readouterr().err
