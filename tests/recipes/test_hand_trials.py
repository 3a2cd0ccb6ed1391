"""What the trials of the hand net and of second looks count by."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from second_looks import beside, missing

from recipes.hand.cache import Shown
from recipes.hand.grip import trained, weights_by
from recipes.hand.trials import best_cut, mean_of, of_groups


def shown(source: str, hold: int) -> Shown:
    return Shown(b"", None, source, "someone", "train", hold=hold)


def test_the_mean_of_weights_leaves_out_what_one_of_them_lacks() -> None:
    first, second = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor([0.0])}, {"a": torch.tensor([3.0, 6.0])}
    mean = mean_of([first, second])
    assert list(mean) == ["a"]
    assert mean["a"].tolist() == [2.0, 4.0]


def test_the_best_cut_parts_what_can_be_parted() -> None:
    said, holds = np.array([3.0, 0.5, 2.0, 1.0]), np.array([True, False, True, False])
    assert 1.0 < best_cut(said, holds) < 2.0


def test_the_interval_of_answers_that_are_all_right_is_a_point() -> None:
    said, holds = np.array([1.0, -1.0, 1.0, -1.0]), np.array([True, False, True, False])
    assert of_groups(said, holds, ["a", "a", "b", "b"]) == (1.0, 1.0)


def test_labels_weigh_alike_and_so_they_do_in_each_source() -> None:
    rows = [shown("a", 1), *[shown("a", 0)] * 3, *[shown("b", 1)] * 4, shown("b", 0)]
    holds, first = np.array([row.hold == 1 for row in rows]), np.array([row.source == "a" for row in rows])
    plain, even = weights_by(rows, False), weights_by(rows, True)
    for weight in (plain, even):
        assert weight[holds].sum() == pytest.approx(weight[~holds].sum())
    shares = [even[first & (holds == label)].sum() / even[holds == label].sum() for label in (True, False)]
    assert shares[0] == pytest.approx(shares[1])
    assert plain[first & holds].sum() < plain[first & ~holds].sum()


def test_a_head_learns_what_is_plain_to_see() -> None:
    x = torch.randn(4096, 4, generator=torch.Generator().manual_seed(0))
    y = (x[:, 0] > 0).long()
    head = torch.nn.Sequential(torch.nn.Linear(4, 2))
    with torch.no_grad():
        head[0].weight.zero_()
        head[0].bias.zero_()
    after = trained(head, x, y, torch.ones(4096), 0)(x).argmax(1)
    assert (after == y).float().mean() > 0.9


def test_hands_that_are_not_found_again_are_missing() -> None:
    some = np.array([[0, 0, 10, 10], [50, 50, 60, 60]], np.float32)
    assert missing(some, some[:1] + 1) == 1
    assert missing(some, np.zeros((0, 4), np.float32)) == 2
    assert missing(np.zeros((0, 4), np.float32), some) == 0


def test_pictures_lie_beside_one_another_unstretched() -> None:
    image = beside([np.full((100, 50, 3), 255, np.uint8), np.zeros((100, 200, 3), np.uint8)])
    assert image.shape == (480, 640, 3)
    assert (image[:, 40:280] == 255).all()
    assert (image[0, :40] == 114).all()
