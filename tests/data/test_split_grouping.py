"""Who belongs together is never torn apart, and the splits come as near to their shares as that allows."""

from pathlib import Path

import numpy as np
import pytest

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.scan import BITS, Survey
from handlens.data.split import (
    SHARES,
    families,
    group_by_folder,
    group_by_pattern,
    name_families,
    read_shares,
    split_families,
)
from handlens.errors import InputError


def made(*paths: str, groups: tuple[str, ...] = ()) -> LabelledSet:
    told = groups or ("",) * len(paths)
    pictures = [Labelled(Path("/set", path), group=group) for path, group in zip(paths, told, strict=True)]
    return LabelledSet("detect", ("chin",), tuple(pictures), Path("/set"))


def seen(count: int, digests: tuple[str, ...] = (), alike: tuple[tuple[int, int], ...] = ()) -> Survey:
    prints = np.random.default_rng(1).choice([-1.0, 1.0], (count, BITS)).astype(np.float32)
    for one, other in alike:
        prints[other] = prints[one]
    none = np.zeros((count, 1), np.int64)
    return Survey(digests or tuple(map(str, range(count))), prints, none, none, {})


def test_the_first_bracket_of_an_expression_is_the_group():
    found = group_by_pattern(made("images/anna_01.jpg", "images/anna_02.jpg", "images/bo_01.jpg"), r"([a-z]+)_\d+")
    assert [picture.group for picture in found] == ["anna", "anna", "bo"]


def test_what_an_expression_does_not_fit_keeps_its_group():
    found = group_by_pattern(made("a_1.jpg", "x.jpg", groups=("", "old")), r"(.)_")
    assert [picture.group for picture in found] == ["a", "old"]


@pytest.mark.parametrize(
    ("pattern", "said"),
    [("(", "not a regular expression"), ("a", "no brackets"), ("(zzz)", "fits none of the 2 pictures")],
)
def test_an_expression_that_says_nothing_is_refused(pattern, said):
    with pytest.raises(InputError, match=said):
        group_by_pattern(made("a.jpg", "b.jpg"), pattern)


def test_folders_of_two_sets_are_different_groups():
    found = group_by_folder(made("anna/1.jpg", "anna/2.jpg", "bo/1.jpg"))
    assert [picture.group for picture in found] == ["set/anna", "set/anna", "set/bo"]


def test_kin_of_kin_is_kin_by_group_by_bytes_and_by_looks():
    found = made(*"abcdefg", groups=("g", "g", "", "", "", "", ""))
    family = families(found, seen(7, ("0", "1", "1", "3", "4", "5", "6"), ((2, 3), (5, 6))))
    assert family.tolist() == [0, 0, 0, 0, 1, 2, 2]


def test_unreadable_pictures_are_not_kin():
    assert families(made("a", "b"), seen(2, ("", ""))).tolist() == [0, 1]


def test_a_long_chain_of_pairs_is_one_family():
    count = 3000
    order = np.random.default_rng(0).permutation(count)
    digests = [""] * count
    groups = [""] * count
    for place in range(count):  # neighbours in a random order share a group or a digest, in turn
        groups[order[place]] = f"g{place // 2}"
        digests[order[place]] = f"d{(place + 1) // 2}"
    found = made(*(f"{n}" for n in range(count)), groups=tuple(groups))
    none = np.zeros((count, BITS), np.float32)
    survey = Survey(tuple(digests), none, np.zeros((count, 2), np.int64), np.zeros((count, 1), np.int64), {})
    assert set(families(found, survey).tolist()) == {0}


def test_kin_without_a_group_get_a_name_that_is_free():
    found = made("a/1.jpg", "b/1.jpg", "c/1.jpg", "d/2.jpg", "e/3.jpg", groups=("", "", "1", "x", ""))
    named = name_families(found, np.array([0, 0, 1, 2, 2]))
    assert [picture.group for picture in named] == ["1_2", "1_2", "1", "x", "x"]
    assert name_families(made("a", "b"), np.array([0, 1])).pictures[0].group == ""


@pytest.mark.parametrize(
    ("text", "shares"), [("0.75,0.15,0.1", (0.75, 0.15, 0.1)), ("80, 20", (0.8, 0.2, 0.0)), ("1,0,0", (1.0, 0.0, 0.0))]
)
def test_shares_are_read(text, shares):
    assert read_shares(text) == pytest.approx(shares)


@pytest.mark.parametrize(
    "text", ["", "a,b", "0.5,0.1,0.1", "1", "0,1", "-1,2", "nan,1", "0.25,0.25,0.25,0.25", "inf,0"]
)
def test_shares_that_are_none_are_refused(text):
    with pytest.raises(InputError, match="are not shares"):
        read_shares(text)


def shares_of(splits: list[str], weights: np.ndarray) -> list[float]:
    return [float(weights[np.array(splits) == name].sum() / weights.sum()) for name in ("train", "val", "test")]


def test_families_stay_whole_and_shares_are_met():
    rng = np.random.default_rng(0)
    family = np.unique(rng.integers(0, 120, 2000), return_inverse=True)[1]
    tally = rng.poisson(1.0, (2000, 3))
    splits = split_families(family, tally)
    for number in range(family.max() + 1):
        assert len({split for split, one in zip(splits, family, strict=True) if one == number}) == 1
    assert shares_of(splits, np.ones(2000)) == pytest.approx(SHARES, abs=0.01)
    for label in range(3):
        assert shares_of(splits, tally[:, label]) == pytest.approx(SHARES, abs=0.03)


def test_a_rare_class_of_few_families_reaches_every_split():
    family, tally = np.arange(200), np.ones((200, 2), int)
    tally[:, 1] = 0
    tally[:20, 1] = 1
    splits = split_families(family, tally)
    assert shares_of(splits, tally[:, 1]) == pytest.approx(SHARES, abs=0.051)


def test_one_large_family_goes_to_train_and_the_others_are_still_filled():
    family = np.array([0] * 90 + list(range(1, 11)))
    splits = split_families(family, np.ones((100, 1), int))
    assert set(splits[:90]) == {"train"}
    assert {"val", "test"} <= set(splits[90:])


def test_as_many_families_as_splits_is_enough_and_one_less_is_not():
    assert sorted(split_families(np.arange(3), np.ones((3, 1), int))) == ["test", "train", "val"]
    with pytest.raises(InputError, match="in 2 groups cannot be split into train, val, test"):
        split_families(np.array([0, 0, 1]), np.ones((3, 1), int))
    assert sorted(split_families(np.arange(2), np.ones((2, 1), int), (0.8, 0.2, 0))) == ["train", "val"]


def test_the_seed_decides_and_the_same_one_decides_the_same():
    family, tally = np.arange(50), np.ones((50, 1), int)
    draws = [split_families(family, tally, seed=seed) for seed in (0, 0, 1)]
    assert draws[0] == draws[1] != draws[2]
