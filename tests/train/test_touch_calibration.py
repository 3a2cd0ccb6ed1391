"""A handful of pictures moves the calibration of a shipped model little, many move it to where they say."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from handlens.data.dataset import Labelled, LabelledSet
from handlens.train.calibration import HELD, _touch_fit, fit_platt

PRIOR = {"a": 0.8, "b": -1.2}


def pictures(count: int) -> tuple[list[float], LabelledSet]:
    """So many pictures of one person, every third touched; the model says .3 of these and .05 of the others."""
    labels = [np.array([int(n % 3 == 0)]) for n in range(count)]
    found = [Labelled(Path(f"{n}.png"), labels=label, group=f"p{n % 1}") for n, label in enumerate(labels)]
    return [0.3 if n % 3 == 0 else 0.05 for n in range(count)], LabelledSet(
        "classify", ("other", "touch"), tuple(found)
    )


@pytest.mark.parametrize(("count", "least", "most"), [(6, 0.0, 1.2), (600, 2.0, 9.0)])
def test_few_pictures_move_it_little(count: int, least: float, most: float) -> None:
    best, val = pictures(count)
    found = _touch_fit(best, val, PRIOR)
    said = [np.log(0.3 / 0.7) * card["a"] + card["b"] for card in (PRIOR, found)]
    assert least < said[1] - said[0] < most


def test_without_pictures_of_both_kinds_there_is_none() -> None:
    best, val = pictures(1)
    assert _touch_fit(best, val, PRIOR) == {}


def test_the_prior_holds_where_pictures_weigh_nothing() -> None:
    nothing = np.zeros(4)
    found = fit_platt(
        np.array([-2.0, -1.0, 1.0, 2.0]), np.array([True, True, False, False]), nothing, (0.8, -1.2), HELD
    )
    assert found == pytest.approx((0.8, -1.2))
