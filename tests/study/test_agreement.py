"""Measures of agreement: against figures that scikit-learn 1.9 and the package krippendorff 0.9 gave for the same data.

`python tests/study/test_agreement.py`, where both are installed, prints the expected figures again.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from handlens.study.agreement import (
    Unit,
    agreement,
    alpha,
    alpha_of_all,
    binned,
    bland_altman,
    coincidences,
    kappa,
    matched,
    table_of,
)

CASES = Path(__file__).parent / "agreement_expected.json"


def ratings(seed: int, coders: int, categories: int, missing: float) -> np.ndarray:
    """(coders, 200) numbers of categories that agree in part, NaN where one is missing."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, categories, 200)
    wrong = rng.random((coders, 200)) < 0.25
    values = np.where(wrong, rng.integers(0, categories, (coders, 200)), truth).astype(float)
    values[rng.random((coders, 200)) < missing] = np.nan
    return values


def cases():
    return [(seed, coders, categories, missing) for seed in range(3) for coders, categories, missing in SHAPES]


SHAPES = ((2, 2, 0.0), (2, 8, 0.0), (3, 2, 0.3), (5, 4, 0.5))


def figures(seed, coders, categories, missing):
    values = ratings(seed, coders, categories, missing)
    both = ~np.isnan(values[:2]).any(axis=0)
    counts = np.zeros((categories, categories))
    np.add.at(counts, tuple(values[:2, both].astype(int)), 1)
    return kappa(counts), alpha(coincidences(values, categories))


@pytest.mark.parametrize("number", range(len(cases())))
def test_kappa_and_alpha_are_those_of_published_packages(number):
    expected = json.loads(CASES.read_text())[number]
    case = cases()[number]
    assert expected["case"] == list(case)
    assert figures(*case) == pytest.approx((expected["kappa"], expected["alpha"]), abs=1e-12)


def test_figures_of_textbooks():
    assert kappa(np.array([[20, 5], [10, 15]])) == pytest.approx(0.4)  # the example of many introductions to kappa
    nan = np.nan
    krippendorff_2011 = np.array(  # the nominal example of Krippendorff's "Computing Krippendorff's alpha-reliability"
        [
            [1, 2, 3, 3, 2, 1, 4, 1, 2, nan, nan, nan],
            [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, nan, 3],
            [nan, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, nan],
            [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, nan],
        ]
    )
    assert alpha(coincidences(krippendorff_2011 - 1, 5)) == pytest.approx(0.743, abs=5e-4)


def test_nothing_is_said_where_both_used_one_category():
    assert kappa(np.array([[50, 0], [0, 0]])) is None
    assert alpha(coincidences(np.zeros((2, 50)), 2)) is None
    assert kappa(np.zeros((2, 2))) is None
    told = agreement([Unit("p", "v", 0, 10, (), ())], 1.0, 1.0)
    assert told.kappa.value is told.f1.value is told.onset_error_s.value is None
    assert told.kappa.n == 10


def test_a_bin_counts_where_events_cover_half_of_it():
    assert binned([(0.0, 0.5), (1.6, 2.4), (3.0, 3.49)], 0, 5, 1.0).tolist() == [True, False, False, False, False]
    assert binned([(0.1, 0.4), (0.5, 0.7)], 0, 1, 1.0).tolist() == [True], "two short ones together"
    assert binned([(0.0, 0.3), (0.1, 0.4)], 0, 1, 1.0).tolist() == [False], "what overlaps counts once"
    assert binned([(10.0, 12.0)], 10, 13.4, 1.0).tolist() == [True, True, False]
    assert len(binned([], 0, 3.6, 1.0)) == 4
    assert binned([(0.0, 100.0)], 0, 2, 1.0).all()
    assert binned([(-5.0, 0.2)], 0, 2, 1.0).tolist() == [False, False]


def test_events_are_matched_one_to_one_the_nearest_first():
    first, second = [(1.0, 2.0), (1.9, 3.0), (8.0, 9.0)], [(1.8, 2.5), (5.0, 6.0), (8.5, 8.9)]
    assert matched(first, second, 1.0) == [(1, 0), (2, 2)]
    assert matched(first, second, 0.05) == []
    assert matched([], second, 1.0) == []


def test_one_pass_gives_all_measures():
    units = [
        Unit("a", "v", 0, 3600, ((10, 12), (20, 22), (30, 31)), ((10.5, 12.5), (20, 23), (50, 51))),
        Unit("b", "v", 0, 1800, ((5, 7),), ((5, 7), (100, 101))),
    ]
    told = agreement(units, 1.0, 1.0)
    assert told.precision.value == pytest.approx(3 / 4)
    assert told.recall.value == pytest.approx(3 / 5)
    assert told.f1.value == pytest.approx(2 * 3 / (2 * 3 + 1 + 2))
    assert (told.precision.n, told.recall.n, told.f1.n) == (4, 5, 6)
    assert told.onset_error_s.value == pytest.approx(-0.5 / 3)
    assert told.offset_error_s.value == pytest.approx((-0.5 - 1 + 0) / 3)
    assert told.onset_spread[:2] == pytest.approx((0.0, 0.5 / 3))
    assert told.rate.bias == pytest.approx(((3 - 3) + (2 - 4)) / 2)
    spread = 1.96 * np.std([0, -2], ddof=1)
    assert (told.rate.low, told.rate.high) == pytest.approx((-1 - spread, -1 + spread))
    assert told.share.points[0] == pytest.approx(((5 + 6) / 2 / 3600, -1 / 3600))
    table = sum(table_of(binned(u.first, u.start, u.stop, 1.0), binned(u.second, u.start, u.stop, 1.0)) for u in units)
    assert told.kappa.value == pytest.approx(kappa(table))
    assert told.persons == 2


def test_intervals_come_from_persons():
    rng = np.random.default_rng(0)
    units = []
    for person in range(12):
        first = [(t, t + 2.0) for t in np.arange(10, 590, 20.0)]
        kept = [span for span in first if rng.random() < 0.5 + person / 30]
        units.append(Unit(f"p{person}", "v", 0, 600, tuple(first), tuple(kept)))
    told = agreement(units, 1.0, 0.5)
    hits = np.array([len(unit.second) for unit in units])
    draws = np.random.default_rng(1).integers(0, 12, (4000, 12))
    plain = np.percentile(hits[draws].sum(axis=1) / (12 * 29), [2.5, 97.5])
    assert (told.precision.low, told.precision.high) == pytest.approx(tuple(plain), abs=0.02)
    assert told.recall.value == told.recall.low == told.recall.high == 1.0
    assert told.kappa.low < told.kappa.value < told.kappa.high
    alone = agreement(units[:1], 1.0, 0.5)
    assert (alone.kappa.low, alone.kappa.high) == (None, None)
    assert alone.kappa.value is not None


def test_alpha_of_three_coders_of_whom_one_saw_less():
    one = {("v", "p"): np.array([1, 0, 1, 1, 0], bool), ("w", "p"): np.array([0, 0, 1], bool)}
    two = {("v", "p"): np.array([1, 0, 0, 1, 0], bool), ("w", "p"): np.array([0, 1, 1], bool)}
    three = {("w", "p"): np.array([0, 1, 1], bool)}
    told = alpha_of_all([one, two, three])
    values = np.array([[1, 0, 1, 1, 0, 0, 0, 1], [1, 0, 0, 1, 0, 0, 1, 1], [np.nan] * 5 + [0, 1, 1]], float)
    assert told.value == pytest.approx(alpha(coincidences(values, 2)))
    assert told.n == 8


def test_bland_altman_of_one_video_has_no_limits():
    assert bland_altman([]).n == 0
    one = bland_altman([(3.0, 1.0)])
    assert (one.bias, one.low, one.points) == (2.0, None, ((2.0, 2.0),))


def _print_expected() -> None:
    import krippendorff
    from sklearn.metrics import cohen_kappa_score

    told = []
    for case in cases():
        values = ratings(*case)
        both = ~np.isnan(values[:2]).any(axis=0)
        k = cohen_kappa_score(values[0, both].astype(int), values[1, both].astype(int))
        a = krippendorff.alpha(reliability_data=values, level_of_measurement="nominal")
        told.append({"case": list(case), "kappa": float(k), "alpha": float(a)})
    print(json.dumps(told, indent=1))


if __name__ == "__main__":
    _print_expected()
