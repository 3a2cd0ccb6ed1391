"""mAP is COCO's own, precision and recall are those of the boxes that a user sees, labels meet by name alone."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.remap import rename
from handlens.errors import FrameError, InputError
from handlens.evaluate import coco
from handlens.evaluate.bootstrap import resampled
from handlens.evaluate.coco import Boxes
from handlens.evaluate.curves import Confusion
from handlens.evaluate.detect import paired
from handlens.evaluate.evaluate import evaluate
from handlens.predictor import Predictor
from handlens.runner import FakeRunner

SIDE = 100
NAMES = ("chin", "cheek")


def labelled(number, boxes, labels, group=""):
    """A picture whose every pixel says its number, so that a fake model knows which one it is asked about."""
    image = np.full((SIDE, SIDE, 3), number, np.uint8)
    return Labelled(Path(f"{number}.jpg"), SIDE, SIDE, boxes, labels, pixels=lambda: image, group=group)


def model(answers, names=NAMES, **fields):
    """A model that gives answers[number] = rows (x1, y1, x2, y2, label, score) for the picture of that number."""
    card = ModelCard("fake", "touch", "detect", names, (SIDE, SIDE), "stretch", **fields)

    def run(batch):
        rows = answers[round(float(batch[0, 0, 0, 0]) * 255)]
        scores = np.zeros((1, len(rows), len(names)), np.float32)
        for row, (*_, label, score) in enumerate(rows):
            scores[0, row, label] = score
        return {"boxes": np.array([[row[:4] for row in rows]], np.float32).reshape(1, -1, 4), "scores": scores}

    return Predictor(FakeRunner(card, run))


def value(measurement, name):
    return measurement.report[name].value


ONE = [[10, 10, 50, 50]]


def test_a_perfect_detector_has_a_map_of_one():
    found = LabelledSet("detect", NAMES, [labelled(0, ONE, [0]), labelled(1, [[20, 20, 90, 90]], [1])])
    perfect = model([[(10, 10, 50, 50, 0, 0.9)], [(20, 20, 90, 90, 1, 0.8)]])
    measured = evaluate(perfect, found, resamples=20)
    for name in ("mAP 0.5:0.95", "mAP 0.5", "AP 0.5 chin", "AP 0.5:0.95 cheek", "precision", "recall", "F1"):
        row = measured.report[name]
        assert (row.value, row.low, row.high) == pytest.approx((1, 1, 1)), name


def test_a_shifted_box_counts_up_to_its_overlap():
    # 40 x 40 shifted by 5: 35 * 40 shared, 45 * 40 covered by either: IoU .778, so it counts at 6 IoUs, .5 to .75
    found = LabelledSet("detect", ("chin",), [labelled(0, ONE, [0])])
    measured = evaluate(model([[(15, 10, 55, 50, 0, 0.9)]], ("chin",)), found, resamples=0)
    assert value(measured, "mAP 0.5") == pytest.approx(1.0)
    assert value(measured, "mAP 0.5:0.95") == pytest.approx(0.6)


def test_average_precision_by_hand():
    # Surest first: right, wrong, right of two truths: precision 1 up to recall .5 (51 of 101 places), then 2/3 (50).
    found = LabelledSet("detect", ("chin",), [labelled(0, [[0, 0, 20, 20], [40, 40, 60, 60]], [0, 0])])
    rows = [(0, 0, 20, 20, 0, 0.9), (70, 0, 90, 20, 0, 0.8), (40, 40, 60, 60, 0, 0.7)]
    measured = evaluate(model([rows], ("chin",)), found, resamples=0)
    assert value(measured, "mAP 0.5") == pytest.approx((51 + 50 * 2 / 3) / 101)


def test_precision_and_recall_are_of_the_boxes_above_the_cards_thresholds():
    found = LabelledSet("detect", NAMES, [labelled(0, [[0, 0, 20, 20], [40, 40, 60, 60]], [0, 1])])
    rows = [(0, 0, 20, 20, 0, 0.6), (70, 0, 90, 20, 0, 0.55), (40, 40, 60, 60, 1, 0.3)]
    predictor = model([rows], thresholds={"chin": 0.5, "score": 0.4})
    measured = evaluate(predictor, found, resamples=0)
    told = {name: value(measured, name) for name in ("precision", "recall", "F1", "precision chin", "recall cheek")}
    assert told == pytest.approx(
        {"precision": 1 / 2, "recall": 1 / 2, "F1": 1 / 2, "precision chin": 1 / 2, "recall cheek": 0}
    )
    assert np.isnan(value(measured, "precision cheek"))
    assert measured.report.to_json()[-6]["value"] is not None
    assert value(measured, "AP 0.5 cheek") == pytest.approx(1.0)  # mAP looks at the doubtful ones too
    (confusion,) = [curve for curve in measured.curves if isinstance(curve, Confusion)]
    assert confusion.answers == ("chin", "cheek", "(nothing)")
    assert confusion.counts.tolist() == [[1, 0, 0], [0, 0, 1], [1, 0, 0]]


def test_a_box_of_another_label_is_confused_not_missed():
    there = Boxes(np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32), np.array([0, 1]), np.ones(2, np.float32))
    seen = Boxes(
        np.array([[0, 0, 10, 9], [1, 0, 10, 10], [51, 50, 60, 60]], np.float32), np.array([1, 0, 0]), np.ones(3)
    )
    pairs, overlap = paired(there, seen)
    assert pairs.tolist() == [-1, 0, 1]  # its own label comes first, though the other overlaps as well
    assert overlap == pytest.approx([0, 0.9, 0.9])
    assert paired(there, Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0)))[0].tolist() == []
    assert paired(Boxes(np.zeros((0, 4), np.float32), np.zeros(0, np.int64), np.zeros(0)), seen)[0].tolist() == [-1] * 3


def crowd(pictures, seed=0):
    """Truths and answers of many pictures with boxes of three labels, half right, some doubled."""
    draw = np.random.default_rng(seed)

    def boxes(count):
        centre, side = draw.uniform(10, 300, (count, 2)), draw.uniform(20, 70, (count, 2))
        return np.concatenate([centre - side / 2, centre + side / 2], axis=1).astype(np.float32)

    truths, founds = [], []
    for number in range(pictures):
        count = int(draw.integers(0, 4)) if number % 5 else 0
        there, label = boxes(count), draw.integers(0, 3, count)
        near = np.repeat(there, 2, axis=0) + draw.normal(0, 4, (2 * count, 4)).astype(np.float32)
        xyxy = np.concatenate([near, boxes(int(draw.integers(0, 6)))])
        labels = np.concatenate([np.repeat(label, 2), draw.integers(0, 3, len(xyxy) - 2 * count)])
        truths.append(Boxes(there, label, np.ones(count, np.float32)))
        founds.append(Boxes(xyxy, labels, draw.uniform(0, 1, len(xyxy)).astype(np.float32)))
    return truths, founds


def official(truths, founds, chosen):
    """What pycocotools itself accumulates over the chosen pictures, some of them several times: (10, labels)."""
    picked = [[boxes[number] for number in chosen] for boxes in (truths, founds)]
    judge = coco.require()
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = judge.COCOeval(coco._coco(picked[0], 3), coco._coco(picked[1], 3), "bbox")
        evaluation.evaluate()
        evaluation.accumulate()
    precision = evaluation.eval["precision"][:, :, :, 0, -1]
    return np.where(precision[:, 0] < 0, np.nan, precision.mean(axis=1))


def test_the_numbers_are_those_of_pycocotools_itself():
    truths, founds = crowd(40)
    matches = coco.match(truths, founds, 3)
    weights = np.concatenate([np.ones((1, 40)), *resampled(range(40), 3, 7)])
    ours = np.stack([coco.average_precision(match, weights) for match in matches], axis=-1)
    for row, weight in zip(ours, weights, strict=True):
        chosen = np.repeat(np.arange(40), weight.astype(int))
        np.testing.assert_allclose(row, official(truths, founds, chosen), atol=1e-12)


def test_a_label_that_nobody_drew_is_not_told():
    truths, founds = crowd(10)
    matches = coco.match(truths, founds, 4)
    assert np.isnan(coco.average_precision(matches[3], np.ones((2, 10)))).all()
    assert not coco.curve(matches[3]).any()


class TestNames:
    found = LabelledSet("detect", ("kinn", "wange"), [labelled(0, ONE, [0]), labelled(1, ONE, [1])], Path("set"))
    rows = ([(10, 10, 50, 50, 0, 0.9)], [(10, 10, 50, 50, 1, 0.9)])

    def test_labels_that_do_not_fit_are_a_sentence(self):
        with pytest.raises(InputError, match=r"labels kinn, wange, but the model 'fake' knows chin, cheek.*kinn=chin"):
            evaluate(model(self.rows), self.found, resamples=0)

    def test_labels_can_be_rename(self):
        measured = evaluate(model(self.rows), rename(self.found, {"kinn": "chin", "wange": "cheek"}), resamples=0)
        assert value(measured, "mAP 0.5:0.95") == pytest.approx(1)

    def test_two_labels_may_become_one(self):
        one = model([[(10, 10, 50, 50, 0, 0.9)]] * 2, ("facetouch",))
        measured = evaluate(one, rename(self.found, {"kinn": "facetouch", "wange": "facetouch"}), resamples=0)
        assert measured.report["mAP 0.5"].n == 2
        assert value(measured, "mAP 0.5") == pytest.approx(1)

    def test_an_unknown_label_to_map_is_a_sentence(self):
        with pytest.raises(InputError, match="did you mean 'kinn'"):
            rename(self.found, {"kin": "chin"})

    def test_what_only_one_side_has_is_left_out_and_said(self):
        measured = evaluate(model(self.rows), rename(self.found, {"kinn": "chin"}), resamples=0)
        assert measured.report["mAP 0.5"].n == 1
        assert value(measured, "precision") == 1.0
        notes = " ".join(measured.report.notes)
        assert "'fake' does not know them: wange" in notes
        assert "the set does not have them: cheek" in notes


def test_a_picture_that_cannot_be_read_is_told_and_left_out():
    def broken():
        raise FrameError("'b.jpg' is empty: it has 0 bytes.")

    bad = Labelled(Path("b.jpg"), 9, 9, ONE, [0], pixels=broken)
    found = LabelledSet("detect", NAMES, [bad, labelled(0, ONE, [0])])
    told, ticks = [], []
    perfect = model([[(10, 10, 50, 50, 0, 0.9)]])
    measured = evaluate(perfect, found, resamples=5, on_error=told.append, progress=lambda: ticks.append(1))
    assert (len(told), len(ticks), len(measured.outcomes)) == (1, 2, 1)
    with pytest.raises(FrameError, match="empty"):
        evaluate(perfect, found)
    with pytest.raises(InputError, match="no picture that can be measured"):
        evaluate(perfect, LabelledSet("detect", NAMES, [bad]), on_error=told.append)


def test_a_set_that_answers_another_question_is_a_sentence():
    found = LabelledSet("segment", NAMES, [labelled(0, [], [])], Path("set"))
    sentence = "'fake' is measured on boxes or one label for each picture, but 'set' has masks"
    with pytest.raises(InputError, match=sentence):
        evaluate(model([[]]), found)
