"""Rendered people of the face net's training: the labels agree with what is drawn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from handlens.tasks.touch import REGIONS
from recipes.shared.cutouts import render_one
from recipes.touch.cache import MADE_SIZE, MADE_SPAN, Composer
from recipes.touch.rendered import RENDERED, close_stage, contacts_of, own_hands, real_hands, write_part
from recipes.touch.train import Store, batch_of, composites, sample
from tests.made_faces import face


def test_a_touch_of_a_rendered_person_is_named_where_it_is() -> None:
    rng = np.random.default_rng(3)
    stage = close_stage(rng)
    made = [one for one in (own_hands(rng, stage, "touch", "p") for _ in range(4)) if one is not None]
    assert len(made) >= 2
    for one in made:
        parts, hand = one.planes[..., 0], one.planes[..., 1] > 127
        assert one.row.touch == (1.0, 1.0)
        assert one.row.region.any()
        assert set(np.unique(parts)) <= set(range(8))
        assert hand.mean() > 0.003
        points = one.row.contacts[~np.isnan(one.row.contacts[:, 0])]
        assert len(points) >= 1
        at = np.clip(np.round(points / 2).astype(int), 3, 84)
        near = [hand[y - 3 : y + 4, x - 3 : x + 4].any() for x, y in at]
        assert all(near)  # skin that is touched lies under a hand, or at its edge


def test_a_person_without_hands_and_one_with_a_hand_beside_are_not_touched() -> None:
    rng = np.random.default_rng(4)
    stage = close_stage(rng)
    for kind in ("none", "beside", "front"):
        one = own_hands(rng, stage, kind, "p")
        assert one is not None
        assert one.row.touch[0] == 0
        assert not one.row.region.any()
        assert np.isnan(one.row.contacts).all()


def test_a_touched_half_is_the_half_on_that_side_of_the_picture() -> None:
    seen = 0
    for seed in range(6):
        rng = np.random.default_rng([5, seed])
        one = own_hands(rng, close_stage(rng), "touch", "p")
        if one is None:
            continue
        for i in np.flatnonzero(one.row.side_trust):
            if REGIONS[i] in ("cheek", "ear") and one.row.side[i].sum() == 1:
                _, xs = np.nonzero(one.planes[..., 0] > 0)
                points = one.row.contacts[~np.isnan(one.row.contacts[:, 0])]
                right = points[:, 0].mean() > 2 * xs.mean()
                assert bool(one.row.side[i, 1]) == bool(right)
                seen += 1
    assert seen


def test_a_rendered_face_takes_the_hands_of_real_people() -> None:
    rng = np.random.default_rng(6)
    hand = next(one for one in (render_one(np.random.default_rng(n)) for n in range(9)) if one is not None)
    made = [real_hands(rng, close_stage(rng), Composer([face("touch")], [hand], 0), "p") for _ in range(3)]
    assert all(one.row.label == RENDERED for one in made)
    assert any((one.planes[..., 1] > 127).any() for one in made)


def test_contacts_are_few_and_far_from_one_another() -> None:
    points = np.stack(np.meshgrid(np.arange(20, 60), np.arange(20, 60)), 2).reshape(-1, 2).astype(np.float32)
    found = contacts_of(points)
    apart = np.hypot(*(found[:, None] - found[None]).transpose(2, 0, 1)) + 99 * np.eye(8)
    assert apart.min() >= 6
    assert np.isnan(contacts_of(points - 500)).all()


def test_the_training_finds_the_parts_and_hears_no_teacher_on_them(tmp_path: Path) -> None:
    hand = next(one for one in (render_one(np.random.default_rng(n)) for n in range(9)) if one is not None)
    composer = Composer([face("touch")], [hand], 0)
    write_part(tmp_path, 97, composer, composer, 3)
    real, rendered = composites(tmp_path)
    assert (len(real), len(rendered)) == (0, 1)
    assert isinstance(rendered[0], Store)
    assert (rendered[0].size, rendered[0].span) == (MADE_SIZE, MADE_SPAN)
    batch = batch_of([sample(np.random.default_rng(0), rendered[0], n, 96) for n in range(3)])
    assert batch["heard"].tolist() == [0, 0, 0]
    assert batch["made"].tolist() == [1, 1, 1]


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_seed_draws_the_same_person(seed: int) -> None:
    one, other = (own_hands(r, close_stage(r), "near", "p") for r in (np.random.default_rng(seed) for _ in range(2)))
    assert one is not None
    assert other is not None
    assert np.array_equal(one.image, other.image)
