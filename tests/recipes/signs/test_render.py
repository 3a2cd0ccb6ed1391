"""Rendered hands show what their labels say, the same for the same seed, in a file that is whole or not there."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from handlens.data.formats.silhouettes import read_silhouettes
from handlens.errors import InputError
from handlens.silhouette import find_shape
from recipes.signs.finger_poses import FINGER_POSES, NUMBERS, finger_pose
from recipes.signs.render import PER_HAND, Plan, main, render_one, write_hands

COUNT = 24


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hands") / "digits.npz"
    write_hands(path, Plan(seed=3), COUNT)
    return path


def fingers(mask: np.ndarray) -> int:
    """Count what a disc broader than a finger and narrower than palm and arm cannot reach."""
    mask = (mask > 127).astype(np.uint8)
    palm = int(cv2.distanceTransform(mask, cv2.DIST_L2, 5).max())
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (int(0.75 * palm) | 1, int(0.75 * palm) | 1))
    rest = cv2.subtract(mask, cv2.morphologyEx(mask, cv2.MORPH_OPEN, disc))
    _, _, stats, _ = cv2.connectedComponentsWithStats(rest)
    return int((stats[1:, cv2.CC_STAT_AREA] > 0.2 * palm * palm).sum())


@pytest.mark.slow
def test_a_pack_of_silhouettes_is_read_as_a_balanced_set_of_whole_hands(pack: Path) -> None:
    found = read_silhouettes(pack)
    labels = [int(picture.labels[0]) for picture in found.pictures]
    assert found.names == NUMBERS
    assert np.bincount(labels).tolist() == [COUNT // 6] * 6
    for picture in found.pictures:
        shape = find_shape(picture.image())
        assert shape is not None
        assert 0.02 < (shape.mask > 0).mean() < 0.7
        assert shape.box[1] > 0, "the fingers must not leave the picture at the top"


@pytest.mark.slow
def test_one_hand_lends_itself_to_one_group(pack: Path) -> None:
    groups = [picture.group for picture in read_silhouettes(pack).pictures]
    assert groups == [str(number // PER_HAND) for number in range(COUNT)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "expected"), [("1", {1}), ("2", {2}), ("4", {4}), ("5", {5}), ("I", {1})])
def test_stretched_fingers_can_be_counted(name: str, expected: set[int]) -> None:
    plan = Plan((name,), seed=11)
    seen = [fingers(render_one(plan, number)) for number in range(8)]
    assert sum(count in expected for count in seen) >= 4, seen  # others bend or close their fingers


@pytest.mark.slow
def test_the_same_seed_draws_the_same_hand_and_another_seed_another() -> None:
    first, again, other = (render_one(Plan(seed=seed), 4) for seed in (5, 5, 6))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_workers_change_nothing(pack: Path, tmp_path: Path) -> None:
    write_hands(tmp_path / "two.npz", Plan(seed=3), 18, workers=2)
    with np.load(tmp_path / "two.npz") as two, np.load(pack) as one:
        assert np.array_equal(two["bits"], one["bits"][:18])


def test_every_pose_bends_within_what_joints_can_do() -> None:
    rng = np.random.default_rng(0)
    for name in FINGER_POSES:
        pose = finger_pose(name, rng)
        assert pose.flex.shape == (5, 3)
        assert pose.flex[:4].min() > -30
        assert pose.flex[:4].max() < 130


@pytest.mark.slow
def test_colour_cut_outs_are_opaque_on_the_hand_and_clear_beside_it(tmp_path: Path) -> None:
    write_hands(tmp_path / "cut.npz", Plan(("5", "Y"), "colour", 64), 2)
    with np.load(tmp_path / "cut.npz") as pack:
        assert pack["rgba"].shape == (2, 64, 64, 4)
        assert pack["names"].tolist() == ["5", "Y"]
        assert (pack["rgba"][..., 3].min(axis=(1, 2)) == 0).all()
        assert (pack["rgba"][..., 3].max(axis=(1, 2)) == 255).all()


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"--names": "5,sixx"}, "did you mean 'six'"),
        ({"--names": "5,5"}, "give each once"),
        ({"--count": "0"}, "1 hand or more"),
        ({"--size": "7"}, "32 to 512"),
        ({"--out": "hands.zip"}, ".npz"),
    ],
)
def test_a_mistake_is_told_in_one_sentence_and_writes_nothing(
    change: dict[str, str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = {"--out": "hands.npz", "--count": "1", "--size": "32"} | change
    asked["--out"] = str(tmp_path / asked["--out"])
    assert main([word for pair in asked.items() for word in pair]) == 2
    assert told in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_an_unknown_pose_names_the_nearest() -> None:
    with pytest.raises(InputError, match="thumb_up"):
        finger_pose("thumbup", np.random.default_rng(0))


def test_a_render_that_fails_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(plan: Plan, number: int) -> np.ndarray:
        raise RuntimeError("the lamp went out")

    monkeypatch.setattr("recipes.signs.render.render_one", broken)
    with pytest.raises(RuntimeError):
        write_hands(tmp_path / "hands.npz", Plan(), 2)
    assert not list(tmp_path.iterdir())
