"""Rendered crops hold what their folder says, the same for the same seed, and a folder is whole or not there."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.data.formats.detect_format import open_set
from handlens.errors import InputError, OutputError
from handlens.synth.hand_bones import FINGERS
from recipes.hold.grips import GRIPS, bend, grip
from recipes.hold.held_hand import CANVAS, EMPTY, held_picture
from recipes.hold.objects import random_thing
from recipes.hold.render import NAMES, Plan, main, render_crop, write_held


@pytest.mark.slow
def test_half_of_the_crops_hold_a_thing_and_the_folders_open_as_a_set(tmp_path: Path) -> None:
    write_held(tmp_path / "held", Plan(size=48, seed=2), 8)
    found = open_set(tmp_path / "held")
    labels = [found.names[int(picture.labels[0])] for picture in found.pictures]
    assert {name: labels.count(name) for name in NAMES} == dict.fromkeys(NAMES, 4)
    assert {picture.split for picture in found.pictures} == {"train"}
    for picture in found.pictures:
        assert picture.image().shape == (48, 48, 3)
        assert picture.image().std() > 3


@pytest.mark.slow
def test_the_same_seed_draws_the_same_crop_and_another_seed_another() -> None:
    first, again, other = (render_crop(Plan(size=48, seed=seed), 1) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_a_held_thing_is_seen_and_an_empty_hand_has_none() -> None:
    ground = np.full((CANVAS, CANVAS, 3), 0.2, np.float32)
    held = [held_picture(np.random.default_rng(seed), True, ground) for seed in range(6)]
    assert {one.kind for one in held} <= set(GRIPS)
    assert min(one.share for one in held) > 0.01
    empty = [held_picture(np.random.default_rng(seed), False, ground) for seed in range(6)]
    assert {one.kind for one in empty} <= set(EMPTY)
    assert all(one.share == 0 for one in empty if one.kind != "behind")


def test_fingers_bend_less_round_what_is_thicker_and_never_reach_into_it() -> None:
    sums = [float(bend(1, (82 - r / 4, -13.5 - r), (82 - r / 4, -13.5 - r), r).sum()) for r in (5.0, 15.0, 30.0, 45.0)]
    assert sums == sorted(sums, reverse=True)
    at, lean, bar = np.array([92.0, 3.0]), 0.0, np.array([74.0, -43.5])
    for angle, length in zip(bend(1, (74, -43.5), (74, -43.5), 30), FINGERS[1][2], strict=True):
        lean += float(np.deg2rad(angle))
        at = at + length * np.array([np.cos(lean), -np.sin(lean)])
        assert np.linalg.norm(at - bar) > 30


def test_every_grip_turns_a_thing_without_bending_it() -> None:
    rng = np.random.default_rng(1)
    for kind in GRIPS:
        found = grip(kind, 12.0, 80.0, rng)
        assert np.allclose(found.turn @ found.turn.T, np.eye(3), atol=1e-4)
        assert np.linalg.det(found.turn) == pytest.approx(1, abs=1e-3)
        assert np.linalg.norm(found.shift) < 260
    with pytest.raises(ValueError, match="known are wrap"):
        grip("juggle", 1.0, 1.0, rng)


def test_things_face_outward_and_lie_about_their_grip() -> None:
    for seed in range(25):
        thing = random_thing(np.random.default_rng(seed))
        assert thing.grip in GRIPS
        assert np.allclose(np.linalg.norm(thing.cloud.normals, axis=1), 1, atol=1e-3)
        assert np.abs(thing.cloud.points).max() < 700
        assert 0 <= thing.cloud.rgb.min() <= thing.cloud.rgb.max() < 1.3


@pytest.mark.slow
def test_photographs_behind_the_hands_are_used(tmp_path: Path) -> None:
    red = np.zeros((60, 80, 3), np.uint8)
    red[..., 2] = 200  # OpenCV writes BGR
    cv2.imwrite(str(tmp_path / "red.png"), red)
    with_photo = [render_crop(Plan((tmp_path / "red.png",), 32, seed), 1).astype(int) for seed in range(4)]
    assert max((image[..., 0] - image[..., 2]).mean() for image in with_photo) > 40


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--count": "1"}, "2 crops or more"),
        ({"--size": "9"}, "32 to 256"),
        ({"--backgrounds": "nowhere"}, "is not a folder"),
        ({"--backgrounds": "."}, "no pictures"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_and_writes_nothing(
    change: dict[str, str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"--out": str(tmp_path / "held"), "--count": "2"} | change
    if "--backgrounds" in asked:
        asked["--backgrounds"] = str(tmp_path / asked["--backgrounds"])
    assert main([word for pair in asked.items() for word in pair]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty"):
        write_held(tmp_path, Plan(size=32), 2)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_broken_photograph_stops_the_work_and_leaves_no_folder(tmp_path: Path) -> None:
    (tmp_path / "torn.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"torn\.jpg"):
        write_held(tmp_path / "held", Plan((tmp_path / "torn.jpg",), 32, seed=1), 8)
    assert [path.name for path in tmp_path.iterdir()] == ["torn.jpg"]
