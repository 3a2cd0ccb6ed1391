"""Labels, angles, masks and touches: each number as it comes out by hand, from the same `evaluate`."""

from pathlib import Path

import numpy as np
import pytest
from evaluated import SIDE, contact, model, picture, touch_pictures

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.evaluate.bootstrap import quantile
from handlens.evaluate.classify import LabelJudge
from handlens.evaluate.curves import Confusion
from handlens.evaluate.detect import shown_regions as shown
from handlens.evaluate.evaluate import evaluate
from handlens.evaluate.segment import confusion, edges
from handlens.evaluate.touch import Touches
from handlens.predictor import Predictor
from handlens.types import Detections, Hand, Label


def value(measured, name):
    return measured.report[name].value


class TestLabels:
    names = ("one", "two", "three")
    rows = ([0.75, 0.15, 0.1], [0.65, 0.25, 0.1], [0.1, 0.85, 0.05], [0.2, 0.25, 0.55])
    truths = (0, 1, 1, 2)

    def measured(self, names=names, truths=truths, set_names=names):
        outputs = [{"probabilities": np.array([row], np.float32)} for row in self.rows]
        found = LabelledSet("classify", set_names, [picture(n, labels=[t]) for n, t in enumerate(truths)], Path("set"))
        return evaluate(Predictor(model("classify", names, outputs, "gesture")), found, resamples=30)

    def test_accuracy_precision_and_recall_by_hand(self):
        measured = self.measured()
        expected = {
            "accuracy": 3 / 4,
            "balanced accuracy": (1 + 1 / 2 + 1) / 3,
            "macro F1": (2 / 3 + 2 / 3 + 1) / 3,
            "precision one": 1 / 2,
            "recall two": 1 / 2,
            "F1 three": 1,
            "ECE": (0.25 + 0.65 + 0.15 + 0.45) / 4,
        }
        assert {name: value(measured, name) for name in expected} == pytest.approx(expected, abs=1e-6)
        row = measured.report["accuracy"]
        assert row.low <= row.value <= row.high
        (table,) = [curve for curve in measured.curves if isinstance(curve, Confusion)]
        assert table.counts.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 1]]

    def test_the_pictures_tell_what_went_wrong(self):
        quality, wrongness, words = self.measured().outcomes[1].verdict
        assert (quality, wrongness, words) == (pytest.approx(0.25), pytest.approx(0.65), "two, said one 0.65")

    def test_a_label_that_the_model_cannot_say_is_a_sentence(self):
        with pytest.raises(InputError, match=r"but the model 'fake' knows one, two, three.*--map 'vier=one'"):
            self.measured(set_names=("one", "vier", "three"))

    def test_two_labels_have_an_roc_curve(self):
        outputs = [{"probabilities": np.array([[1 - p, p]], np.float32)} for p in (0.1, 0.6, 0.4, 0.9)]
        found = LabelledSet("classify", ("no", "yes"), [picture(n, labels=[n > 1]) for n in range(4)])
        measured = evaluate(Predictor(model("classify", ("no", "yes"), outputs, "hold")), found, resamples=0)
        assert value(measured, "ROC AUC") == pytest.approx(3 / 4)

    def test_no_hand_is_a_wrong_answer_and_the_largest_hand_counts(self):
        judge = LabelJudge(self._predictor(), LabelledSet("classify", self.names, []))
        hands = [Hand(np.array([0, 0, side, side]), Label(n, 0.9, {n: 0.9})) for side, n in ((5, "one"), (9, "two"))]
        assert judge.add(Label("two", 1.0), tuple(hands)).text == "two, said two 0.90"
        assert judge.add(Label("two", 1.0), ()).text == "two, said (no hand)"
        findings = judge.finish()
        rows = {row.name: row.values[0] for row in findings.metrics(np.ones((1, 2)))}
        assert rows["accuracy"] == rows["hand found"] == 0.5
        assert findings.curves[0].counts[1].tolist() == [0, 1, 0, 1]

    def test_angles_are_compared_around_the_circle(self):
        judge = LabelJudge(self._predictor(), LabelledSet("classify", self.names, []))
        for true, said in ((170, -170), (0, 5), (-90, 90)):
            judge.add(Label("one", 1.0, {}, true), Label("one", 1.0, {"one": 1.0}, said))
        rows = {row.name: row for row in judge.finish().metrics(np.ones((1, 3)))}
        assert rows["angle error median, degrees"].values[0] == 20
        assert rows["angle error 90th percentile, degrees"].values[0] == 180
        assert rows["angle error median, degrees"].n == 3

    def test_a_quantile_under_weights_is_that_of_copies(self):
        values, weights = np.array([5.0, 1, 3]), np.array([[1.0, 1, 1], [0, 3, 1], [0, 0, 0]])
        assert quantile(values, weights, 0.5)[:2].tolist() == [3, 1]
        assert np.isnan(quantile(values, weights, 0.5)[2])

    def _predictor(self):
        return Predictor(model("classify", self.names, [], "gesture"))


def masks(rows):
    return np.array(rows, np.uint8)


class TestMasks:
    names = ("background", "hand")

    def measured(self, truths, answers, names=names, known=names, **fields):
        """Masks of SIDE x SIDE; the model answers exactly `answers`."""
        outputs = [
            {"probabilities": (mask[None, None] == np.arange(len(known))[None, :, None, None]).astype(np.float32)}
            for mask in answers
        ]
        pictures = [picture(n, mask=lambda mask=mask: mask) for n, mask in enumerate(truths)]
        predictor = Predictor(model("segment", known, outputs, "segment", **fields))
        return evaluate(predictor, LabelledSet("segment", names, pictures), resamples=0)

    def test_pixels_by_hand(self):
        truth, answer = np.zeros((2, SIDE, SIDE), np.uint8), np.zeros((2, SIDE, SIDE), np.uint8)
        truth[0, :32] = 1  # 32 rows, 16 of them found, 8 others wrong
        answer[0, 16:40] = 1
        truth[1, :8] = answer[1, :8] = 1
        measured = self.measured(truth, answer)
        expected = {
            "precision hand": (16 + 8) / (24 + 8),
            "recall hand": (16 + 8) / (32 + 8),
            "IoU hand": (16 + 8) / (40 + 8),
            "precision hand, mean of pictures": (16 / 24 + 1) / 2,
            "recall hand, mean of pictures": (16 / 32 + 1) / 2,
            "F1 hand, mean of pictures": (2 * 16 / (24 + 32) + 1) / 2,
            "pixel accuracy": (128 - 24) / 128,
            "IoU mean": ((16 + 8) / (40 + 8) + (24 + 56) / (48 + 56)) / 2,
            "IoU background": (24 + 56) / (48 + 56),
            "IoU mean without background": 1 / 2,
        }
        assert {name: value(measured, name) for name in expected} == pytest.approx(expected)
        assert measured.outcomes[1].verdict.quality == 1

    def test_ignored_pixels_count_nowhere(self):
        truth, answer = np.zeros((1, SIDE, SIDE), np.uint8), np.zeros((1, SIDE, SIDE), np.uint8)
        truth[0, :10, :30], answer[0, :20, :30] = 1, 1
        truth[0, 10:20] = 255  # exactly what would be wrong
        measured = self.measured(truth, answer)
        for name in ("IoU hand", "precision hand", "pixel accuracy", "boundary F1 hand, within 2 px"):
            assert value(measured, name) == 1, name

    def test_classes_that_only_the_model_has_are_background(self):
        truth, answer = np.zeros((1, SIDE, SIDE), np.uint8), np.zeros((1, SIDE, SIDE), np.uint8)
        truth[0, :10] = answer[0, :10] = 1
        answer[0, 30:] = 2
        measured = self.measured(truth, answer, known=("background", "hand", "face"))
        assert value(measured, "IoU mean") == 1
        assert "Taken as background, because the set lacks them: face." in measured.report.notes

    def test_a_part_that_the_set_does_not_tell_apart_counts_as_its_whole(self):
        truth, answer = np.zeros((1, SIDE, SIDE), np.uint8), np.zeros((1, SIDE, SIDE), np.uint8)
        truth[0, :30] = 1
        answer[0, :20], answer[0, 20:30] = 1, 3
        about = {"known": ("background", "hand", "face", "forearm"), "options": {"part": 3.0, "whole": 1.0}}
        measured = self.measured(truth, answer, **about)
        assert value(measured, "IoU hand") == 1
        assert "Taken as hand, because the set lacks them: forearm." in measured.report.notes
        assert "Taken as background, because the set lacks them: face." in measured.report.notes
        told = np.where(answer == 3, 3, truth).astype(np.uint8)
        apart = self.measured(told, answer, ("background", "hand", "face", "forearm"), **about)
        assert value(apart, "IoU forearm") == 1

    def test_classes_may_have_another_order_in_the_model(self):
        truth = np.zeros((1, SIDE, SIDE), np.uint8)
        truth[0, :10], truth[0, 20:40] = 1, 2
        answer = np.array([0, 2, 1], np.uint8)[truth]
        names = ("background", "hand", "face")
        assert value(self.measured(truth, answer, names, ("background", "face", "hand")), "IoU mean") == 1

    def test_a_class_nobody_shows_is_not_told(self):
        nothing = np.zeros((1, SIDE, SIDE), np.uint8)
        measured = self.measured(nothing, nothing)
        assert np.isnan(value(measured, "IoU hand"))
        assert value(measured, "IoU mean") == 1

    def test_the_published_numbers_are_means_of_batches_of_four(self):
        truth, answer = np.zeros((6, SIDE, SIDE), np.uint8), np.zeros((6, SIDE, SIDE), np.uint8)
        truth[0, :32], answer[0, :16] = 1, 1
        truth[1, :8], answer[1, :24] = 1, 1
        measured = self.measured(truth, answer)  # in the second batch there is nothing
        assert value(measured, "precision hand") == pytest.approx((16 + 8) / (16 + 24))
        assert value(measured, "precision hand, mean of batches of 4") == pytest.approx((16 + 8) / (16 + 24) / 2)
        assert value(measured, "recall hand, mean of batches of 4") == pytest.approx((16 + 8) / (32 + 8) / 2)
        assert value(measured, "F1 hand, mean of batches of 4") == pytest.approx(2 * 24 / (40 + 40) / 2)
        assert "Mean of batches" in " ".join(measured.report.notes)

    def test_hands_and_faces_together_are_one_class_as_published(self):
        truth, answer = np.zeros((5, SIDE, SIDE), np.uint8), np.zeros((5, SIDE, SIDE), np.uint8)
        truth[:, :10], answer[:, :10] = 1, 2  # the wrong class, and yet not background
        truth[4, 20:40], answer[4, 20:30] = 2, 2
        names = ("background", "hand", "face")
        measured = self.measured(truth, answer, names, names)
        assert value(measured, "precision hand or face") == 1
        assert value(measured, "recall hand or face") == pytest.approx(60 / 70)
        assert value(measured, "recall hand or face, mean of batches of 4") == pytest.approx((1 + 20 / 30) / 2)
        assert value(measured, "recall hand") == 0

    def test_intervals_of_batches_take_no_batch_for_empty_that_was_not_drawn(self):
        truth = np.zeros((12, SIDE, SIDE), np.uint8)
        truth[:, :10] = 1
        outputs = [{"probabilities": (mask == np.arange(2)[:, None, None])[None].astype(np.float32)} for mask in truth]
        pictures = [picture(n, mask=lambda mask=mask: mask) for n, mask in enumerate(truth)]
        predictor = Predictor(model("segment", self.names, outputs, "segment"))
        report = evaluate(predictor, LabelledSet("segment", self.names, pictures), resamples=50).report
        row = report["F1 hand, mean of batches of 4"]
        assert (row.low, row.value, row.high) == (1, 1, 1)

    @pytest.mark.parametrize("class_of_all", [0, 1])
    def test_masks_of_one_class_alone_are_measured(self, class_of_all):
        truth = np.full((2, SIDE, SIDE), class_of_all, np.uint8)
        measured = self.measured(truth, truth)
        assert value(measured, "IoU mean") == value(measured, "pixel accuracy") == 1
        for name in ("IoU hand", "precision hand", "recall hand", "F1 hand, mean of pictures"):
            assert (value(measured, name) == 1) is bool(class_of_all), name
        wrong = self.measured(truth, 1 - truth)
        assert value(wrong, "IoU mean") == value(wrong, "pixel accuracy") == 0
        assert wrong.outcomes[0].verdict.quality == 0

    def test_boundaries_agree_within_two_pixels(self):
        truth, said = np.zeros((40, 40), np.uint8), np.zeros((40, 40), np.uint8)
        truth[10:30, 10:30], said[12:32, 10:30] = 1, 1  # shifted by 2
        near, all_said, found, there = edges(truth, said, 2)[:, 1]
        assert (near, all_said, found, there) == (76, 76, 76, 76)
        said[:] = 0
        said[15:35, 10:30] = 1  # by 5: only what lies on the sides agrees
        near, all_said, found, there = edges(truth, said, 2)[:, 1]
        assert near == found == 38

    def test_the_border_of_the_picture_is_no_boundary(self):
        whole = np.ones((20, 20), np.uint8)
        assert not edges(whole, whole, 2).any()

    def test_large_masks_are_compared_small(self):
        truth, said = np.zeros((1600, 1600), np.uint8), np.zeros((1600, 1600), np.uint8)
        truth[400:1200, 400:1200], said[408:1208, 400:1200] = 1, 1  # 8 pixels there, 2 where they are compared
        near, all_said, found, there = edges(truth, said, 2)[:, 1]
        assert near == all_said == found == there

    def test_the_confusion_of_many_classes(self):
        draw = np.random.default_rng(0)
        truth, said = draw.integers(0, 200, (30, 30)).astype(np.uint8), draw.integers(0, 200, (30, 30)).astype(np.uint8)
        truth[:3] = 255
        table = confusion(truth, said, 200)
        assert table.sum() == 27 * 30
        assert table[truth[5, 5], said[5, 5]] == ((truth == truth[5, 5]) & (said == said[5, 5])).sum()


def touches(boxes):
    names = ("face", "hand", "chin", "ear")
    labels = [names.index(name) for name, _ in boxes]
    return Detections([[0, 0, 9, 9]] * len(boxes), [score for _, score in boxes], labels, names)


class TestTouches:
    def scores(self):
        judge = Touches(("chin", "ear"))
        judge.add({"chin"}, touches([("face", 0.9), ("chin", 0.8), ("ear", 0.3)]))
        judge.add({"ear", "nose"}, touches([("chin", 0.6), ("ear", 0.4)]))
        judge.add({"nose"}, touches([("ear", 0.2)]))
        judge.add(set(), touches([("hand", 0.9), ("ear", 0.75)]))
        judge.add(set(), touches([("face", 0.9)]))
        return judge.scores()

    def test_by_hand(self):
        rows = {row.name: (row.values[0], row.n) for row in self.scores().metrics(np.ones((1, 5)))}
        assert rows["touch precision"] == (pytest.approx(2 / 3), 3)
        assert rows["touch recall"] == (pytest.approx(2 / 3), 3)
        assert rows["touch F1"] == (pytest.approx(2 / 3), 5)
        assert rows["touch MCC"] == (pytest.approx((2 * 1 - 1 * 1) / np.sqrt(3 * 3 * 2 * 2)), 5)
        assert rows["touch ROC AUC"] == (pytest.approx(4 / 6), 5)  # .8 .6 .2 over .75 0
        assert rows["touch AP"] == (pytest.approx((1 + 2 / 3 + 3 / 4) / 3), 5)
        assert rows["touch ECE"] == (pytest.approx((0.2 + 0.4 + 0.8 + 0.75 + 0.0) / 5), 5)
        assert rows["touch best F1"] == (pytest.approx(2 * 3 / (4 + 3)), 5)
        assert rows["touch best-F1 threshold"] == (pytest.approx(0.2), 5)
        assert rows["region top-1"] == (pytest.approx(1 / 2), 2)  # nobody could have said nose
        assert rows["region top-1 where found"] == (pytest.approx(1 / 2), 2)

    def test_with_one_kind_of_pictures_nothing_is_told(self):
        judge = Touches(("chin",))
        judge.add({"chin"}, touches([("chin", 0.8)]))
        assert judge.scores() is None


class TestTouchModels:
    names = ("face", "hand", "chin")

    def predictor(self, probabilities, names=("chin",), task="touch"):
        boxes = np.array([[[0, 0, 20, 20]]], np.float32)
        outputs = [{"boxes": boxes, "scores": np.array([[[p]]], np.float32)} for p in probabilities]
        return Predictor(model("detect", names, outputs, task))

    def test_a_box_that_is_neither_face_nor_hand_is_a_touch(self):
        box = [[0, 0, 20, 20]]
        pictures = [picture(0, boxes=box, labels=[2]), picture(1, boxes=box, labels=[1]), picture(2)]
        measured = evaluate(self.predictor([0.9, 0.2, 0.6]), LabelledSet("detect", self.names, pictures), resamples=9)
        assert value(measured, "touch ROC AUC") == 1
        assert value(measured, "touch precision") == 0.5
        assert measured.outcomes[2].verdict.wrongness == pytest.approx(0.6)
        assert "does not know them: hand." in " ".join(measured.report.notes)

    def test_pictures_may_carry_the_word_touch_instead(self):
        found = LabelledSet("classify", ("touch", "calm", "cup"), [picture(n, labels=[n % 3]) for n in range(6)])
        measured = evaluate(self.predictor([0.9, 0.1, 0.8, 0.4, 0.2, 0.1]), found, resamples=0)
        assert value(measured, "touch recall") == 0.5
        assert value(measured, "false alarms, cup") == 0.5
        assert value(measured, "false alarms, calm") == 0
        assert value(measured, "touch ROC AUC") == pytest.approx(7 / 8)
        with pytest.raises(InputError, match=r"say which one is a touch.*--map 'calm=touch'"):
            evaluate(self.predictor([]), LabelledSet("classify", ("calm", "cup"), []))

    def test_a_model_for_something_else_is_not_asked_about_touches(self):
        pictures = [picture(0, boxes=[[0, 0, 20, 20]], labels=[2]), picture(1)]
        measured = evaluate(
            self.predictor([0.9, 0.2], task="hold"), LabelledSet("detect", self.names, pictures), resamples=0
        )
        assert not [row.name for row in measured.report if row.name.startswith("touch")]

    def test_touches_alone_are_enough_for_a_contact_model(self):
        measured = evaluate(contact(), touch_pictures(("somewhere",)), resamples=0)
        assert next(row.name for row in measured.report) == "touch precision"
        assert "does not know them: somewhere" in " ".join(measured.report.notes)

    def test_a_contact_model_has_the_ap_of_the_labels_both_have(self):
        report = evaluate(contact(), touch_pictures(("face", "chin"), 1), resamples=0).report
        names = [row.name for row in report]
        assert {"AP 0.5 face", "AP 0.5 chin", "precision", "touch ROC AUC", "region top-1"} <= set(names)
        assert not {"precision face", "AP 0.5 hand"} & set(names)


def test_a_contact_model_shows_the_regions_of_surely_touched_faces():
    card = ModelCard("c", "touch", "contact", ("chin", "ear"), (9, 9), "stretch", thresholds={"touch": 0.5})
    answer = Detections(
        [[0, 0, 9, 9]] * 5, [0.9, 0.6, 0.2, 0.8, 0.4], [0, 2, 3, 0, 2], ("face", "hand", "chin", "ear"),
        face=[-1, 0, 0, -1, 3],
    )  # fmt: skip
    assert shown(answer, card).tolist() == [False, True, True, False, False]
