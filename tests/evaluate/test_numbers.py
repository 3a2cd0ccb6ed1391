"""Intervals hold whole groups together, and the numbers of a yes-or-no question are those counted by hand."""

import math

import numpy as np
import pytest

from handlens.evaluate import binary
from handlens.evaluate.bootstrap import BLOCK, Drawn, interval, resampled, rows
from handlens.evaluate.curves import reliability
from handlens.report import Report, Row

ONE = np.ones((1, 6))
SCORE = np.array([0.9, 0.8, 0.8, 0.4, 0.3, 0.1])
TRUTH = np.array([True, False, True, True, False, False])


def share_of(right):
    return lambda weights: [Drawn("share", binary.ratio(weights @ right, weights.sum(axis=1)), len(right))]


class TestIntervals:
    right = np.repeat(np.random.default_rng(1).uniform(size=30) < 0.7, 10).astype(float)  # 30 persons, each all or none
    persons = np.repeat(np.arange(30), 10)

    def test_an_interval_holds_its_value(self):
        (row,) = rows(share_of(self.right), self.persons, 500)
        assert row.low < row.value < row.high
        assert (row.value, row.n) == (pytest.approx(self.right.mean()), 300)

    def test_an_interval_over_persons_is_wider_than_over_pictures(self):
        (groups,) = rows(share_of(self.right), self.persons, 500)
        (alone,) = rows(share_of(self.right), np.arange(300), 500)
        assert groups.high - groups.low > 2 * (alone.high - alone.low)

    def test_the_interval_is_that_of_theory(self):
        right = np.arange(400) % 4 > 0
        (row,) = rows(share_of(right), np.arange(400), 2000)
        deviation = math.sqrt(0.75 * 0.25 / 400)
        assert row.low == pytest.approx(0.75 - 1.96 * deviation, abs=0.006)
        assert row.high == pytest.approx(0.75 + 1.96 * deviation, abs=0.006)

    def test_without_resamples_there_is_no_interval(self):
        (row,) = rows(share_of(self.right), self.persons, 0)
        assert row.low == row.value == row.high

    def test_the_same_seed_draws_the_same(self):
        assert rows(share_of(self.right), self.persons, 50, 3) == rows(share_of(self.right), self.persons, 50, 3)
        assert rows(share_of(self.right), self.persons, 50, 3) != rows(share_of(self.right), self.persons, 50, 4)

    def test_draws_take_whole_groups_and_as_many_as_there_are(self):
        (weights,) = resampled(["b", "a", "b", "c"], 50, 0)
        assert weights.shape == (50, 4)
        assert (weights[:, 0] == weights[:, 2]).all()
        assert (weights[:, 1:].sum(axis=1) == 3).all()

    @pytest.mark.slow
    def test_blocks_draw_what_one_draw_would(self):
        pictures = np.arange(BLOCK // 8)
        blocks = list(resampled(pictures % 50, 20, 5))
        assert [len(block) for block in blocks] == [8, 8, 4]
        (whole,) = resampled(np.arange(50), 20, 5)
        assert (np.concatenate(blocks)[:, :50] == whole).all()

    def test_what_cannot_be_told_is_left_out_and_a_value_never_is(self):
        assert interval(0.5, np.array([np.nan, 0.6, 0.6])) == (0.5, 0.6)
        assert all(map(math.isnan, interval(np.nan, np.array([0.1]))))


class TestBinary:
    def test_roc_auc_is_the_share_of_pairs_in_order(self):
        draw = np.random.default_rng(0)
        score, truth = draw.integers(0, 8, 60) / 8, draw.uniform(size=60) < 0.4
        weights = np.concatenate([np.ones((1, 60)), draw.integers(0, 3, (4, 60))]).astype(float)
        for weight, area in zip(weights, binary.roc_auc(score, truth, weights), strict=True):
            good, bad = np.repeat(score, weight.astype(int) * truth), np.repeat(score, weight.astype(int) * ~truth)
            pairs = (good[:, None] > bad).mean() + (good[:, None] == bad).mean() / 2
            assert area == pytest.approx(pairs)

    def test_roc_auc_of_one_kind_cannot_be_told(self):
        assert np.isnan(binary.roc_auc(SCORE, np.ones(6, bool), ONE)).all()

    def test_average_precision_by_hand(self):
        # .9: 1 of 1; .8: 2 of 3; .4: 3 of 4
        assert binary.average_precision(SCORE, TRUTH, ONE) == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)

    def test_the_best_f1_and_its_threshold(self):
        value, threshold = binary.best_f1(SCORE, TRUTH, ONE)
        assert (value[0], threshold[0]) == pytest.approx((6 / 7, 0.4))

    def test_calibration_error_by_hand(self):
        # bins: {.9} off by .1; {.8, .8} says .8, is so half the time; {.4} off by .6; {.3} off by .3; {.1} off by .1
        expected = (0.1 + 2 * 0.3 + 0.6 + 0.3 + 0.1) / 6
        assert binary.calibration_error(SCORE, TRUTH, ONE) == pytest.approx(expected)
        curve = reliability("touch", SCORE, TRUTH)
        assert curve.count.tolist() == [0, 1, 0, 1, 1, 0, 0, 0, 2, 1]
        assert curve.accuracy[8] == 0.5

    def test_a_score_of_one_lies_in_the_last_bin(self):
        assert binary.in_bins(np.array([0.0, 0.999, 1.0])).argmax(axis=1).tolist() == [0, 9, 9]

    def test_matthews_by_hand(self):
        hit, called, there, every = (np.array([v]) for v in (2.0, 3.0, 3.0, 6.0))
        assert binary.mcc(hit, called, there, every) == pytest.approx((2 * 2 - 1 * 1) / 9)
        assert np.isnan(binary.mcc(hit, every, there, every)).all()

    def test_weights_count_as_copies(self):
        weights = np.array([[2.0, 1, 0, 3, 1, 1]])
        copies = np.repeat(np.arange(6), weights[0].astype(int))
        same = np.ones((1, len(copies)))
        for measure in (binary.roc_auc, binary.average_precision, binary.calibration_error):
            assert measure(SCORE, TRUTH, weights) == pytest.approx(measure(SCORE[copies], TRUTH[copies], same))


def test_a_report_says_what_could_not_be_told_and_its_notes():
    report = Report([Row("precision", math.nan, math.nan, math.nan, 0), Row("AP", 0.5, 0.4, 0.6, 7)], ["7 pictures."])
    assert str(report).splitlines()[1].split() == ["precision", "-", "-", "-", "0"]
    assert str(report).splitlines()[-1] == "7 pictures."
    assert report.to_json()[0] == {"name": "precision", "value": None, "low": None, "high": None, "n": 0}
