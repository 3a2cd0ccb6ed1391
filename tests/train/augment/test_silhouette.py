"""Nets of silhouettes learn from what inference shows them: one shape, moved without a cut, distorted as masks are."""

import math
from pathlib import Path

import cv2
import numpy as np
import pytest
from paws import paw
from training_sets import classify_set, noise

torch = pytest.importorskip("torch")

from handlens.data.dataset import LabelledSet
from handlens.errors import FrameError, InputError
from handlens.predictor import Predictor
from handlens.runner import FakeRunner
from handlens.silhouette import VIEW, find_shape
from handlens.train.augment.config import PRESETS, SHAPES, AugmentConfig
from handlens.train.augment.silhouette import LEAST_KEPT, distorted
from handlens.train.config import Settings
from handlens.train.defaults import defaults_of
from handlens.train.experiment import Experiment, new_experiment
from handlens.train.loader.loader import Batches, Samples
from handlens.train.loader.silhouettes import FINE, upright

MOVED = AugmentConfig(flip=0.5, degrees=180.0, fill="black")
SIZE = (64, 64)


def experiment(net: str = "silhouette-net") -> Experiment:
    return new_experiment(
        Settings().changed(defaults_of(net).settings).changed({"task": "gesture", "net": net, "data": "x"}),
        ("even", "odd"),
    )


def off_centre(height: int = 90, width: int = 130) -> np.ndarray:
    """A paw in a corner of a larger picture, with a speck far from it."""
    image = np.zeros((height, width, 3), np.uint8)
    image[-60:, 10:70] = paw(60)
    image[5:8, -8:-5] = 255
    return image


def samples(folder: Path, look: AugmentConfig, images: list[np.ndarray] | None = None, **more) -> Samples:
    found: LabelledSet = classify_set(folder, images or [off_centre()])
    return Samples(found, experiment().card, look, channels=1, angle=True, **more)


@pytest.mark.parametrize("cache", [False, True])
def test_an_unchanged_sample_is_what_inference_shows_the_net(tmp_path: Path, cache: bool) -> None:
    for place, image in enumerate((off_centre(), 255 - off_centre(), paw(300), paw(20))):
        folder = tmp_path / str(place)
        folder.mkdir()
        made = samples(folder, AugmentConfig(), [image], cache=cache)
        shown = []

        def answer(batch: np.ndarray, shown: list[np.ndarray] = shown) -> dict[str, np.ndarray]:
            shown.append(batch)
            return {"probabilities": np.array([[0.5, 0.5]], np.float32)}

        found = made.pictures.found
        Predictor(FakeRunner(experiment().card, answer)).predict(found.sample(found.pictures[0]).frame)
        batch = {"image": made[(0, 0)]["image"][None]}
        np.testing.assert_allclose(experiment().inputs(batch)[0].numpy(), shown[0].mean(1), atol=1e-5)
        assert made[(0, 0)]["angle"].tolist() == [1, 0]


def bearing(image: np.ndarray) -> float:
    """Degrees, counter-clockwise from up, from the middle of the shape's mass to the middle of its box: to its tip."""
    shape = find_shape(image)
    assert shape is not None
    ys, xs = np.nonzero(shape.mask)
    points = np.stack((xs, ys), 1).astype(np.float32)
    far = points[np.argmax(np.linalg.norm(points - points.mean(0), axis=1))]
    x, y = far - points.mean(0)
    return math.degrees(math.atan2(-x, -y))


def club(side: int = 100) -> np.ndarray:
    """A disc with a long thin rod that points up."""
    image = np.zeros((side, side, 3), np.uint8)
    cv2.circle(image, (side // 2, round(0.75 * side)), round(0.2 * side), (255, 255, 255), -1)
    cv2.line(image, (side // 2, 3), (side // 2, side // 2 + 20), (255, 255, 255), 5)
    return image


FINELY = AugmentConfig(degrees=180, stretch=0.1, coarse=0.6)


@pytest.mark.parametrize(("look", "near"), [(MOVED, 2.0), (FINELY, 4.0), (PRESETS["shape"], 12.0)])
def test_the_angle_is_that_of_the_shape_and_nothing_is_cut(tmp_path: Path, look: AugmentConfig, near: float) -> None:
    made = samples(tmp_path, look, [club()])
    off = []
    for epoch in range(25):
        sample = made[(epoch, 0)]
        cosine, sine = sample["angle"].tolist()
        image = sample["image"][0].numpy()
        off.append(abs((bearing(image) - math.degrees(math.atan2(sine, cosine)) + 180) % 360 - 180))
        ys, xs = np.nonzero(image > 127)
        longer = max(np.ptp(xs), np.ptp(ys)) + 1
        assert longer == pytest.approx(64 / VIEW, abs=3)
        assert (np.ptp(xs) / 2 + xs.min(), np.ptp(ys) / 2 + ys.min()) == pytest.approx((31.5, 31.5), abs=2)
    assert np.median(off) < near
    assert np.max(off) < 2 * near


def test_the_same_key_is_the_same_sample(tmp_path: Path) -> None:
    one, two = samples(tmp_path, PRESETS["shape"]), samples(tmp_path, PRESETS["shape"], cache=True)
    for epoch in range(4):
        assert torch.equal(one[(epoch, 0)]["image"], two[(epoch, 0)]["image"])
    assert not torch.equal(one[(0, 0)]["image"], one[(1, 0)]["image"])


def test_the_shape_is_kept_whole_and_says_where_the_picture_ended() -> None:
    ends, floats = off_centre(), np.pad(paw(60)[:50], ((5, 5), (5, 5), (0, 0)))
    assert (upright(ends, SIZE, "a")[-1] > 127).any()
    assert not upright(floats, SIZE, "a")[-1].any()
    for side in (20, 60, 500):
        mask = upright(paw(side), SIZE, "a")
        longer = np.ptp(np.nonzero(mask > 127)[0]) + 1
        assert longer == pytest.approx(FINE * 64, abs=4)
    with pytest.raises(FrameError, match="'a' shows no hand"):
        upright(np.zeros((20, 20, 3), np.uint8), SIZE, "a")


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in ("stretch", "coarse")])
def test_each_distortion_changes_the_shape_and_keeps_most_of_it(name: str) -> None:
    mask = upright(paw(128), SIZE, "a")
    assert distorted(np.random.default_rng(0), mask, AugmentConfig()) is mask
    look = AugmentConfig(**{name: 1.0 if name in ("bites", "cut", "arm") else 0.06})
    areas = []
    for seed in range(12):
        changed = distorted(np.random.default_rng(seed), mask, look)
        assert find_shape(changed) is not None
        areas.append(np.count_nonzero(changed > 127) / np.count_nonzero(mask > 127))
    assert len(set(areas)) > 5
    assert min(areas) > 0.6
    assert max(areas) < (2.0 if name == "arm" else 1.35)
    if name in ("swell", "ragged", "bend"):
        assert min(areas) < 1 < max(areas)


def test_a_cut_wrist_keeps_the_length_it_must_and_an_arm_needs_an_edge() -> None:
    mask = upright(paw(128), SIZE, "a")
    length = np.ptp(np.nonzero(mask > 127)[0]) + 1
    for seed in range(12):
        cut = distorted(np.random.default_rng(seed), mask, AugmentConfig(cut=1.0))
        assert LEAST_KEPT * length <= np.ptp(np.nonzero(cut > 127)[0]) + 1 <= length
        arm = distorted(np.random.default_rng(seed), mask, AugmentConfig(arm=1.0))
        assert np.ptp(np.nonzero(arm > 127)[0]) + 1 > length
    inside = upright(np.pad(paw(60)[:50], ((5, 5), (5, 5), (0, 0))), SIZE, "a")
    assert np.count_nonzero(distorted(np.random.default_rng(0), inside, AugmentConfig(arm=1.0))) == np.count_nonzero(
        inside
    )


def test_a_picture_without_a_shape_is_told_and_another_taken(tmp_path: Path) -> None:
    said: list[str] = []
    made = samples(tmp_path, PRESETS["shape"], [paw(), np.zeros((50, 50, 3), np.uint8), paw(fingers=1), paw(fingers=2)])
    (batch,) = Batches(made, 4, on_skip=said.append)
    assert len(batch["image"]) == 4
    assert [sentence.split(" shows no hand")[0] for sentence in said] == [f"'{tmp_path / '1.png'}'"]


def test_looks_that_would_do_nothing_are_refused(tmp_path: Path) -> None:
    found = classify_set(tmp_path, [paw(), noise(20, 20)])
    with pytest.raises(InputError, match="'light' does nothing to the shape of a hand"):
        Samples(found, experiment().card, PRESETS["hand"], channels=1)
    with pytest.raises(InputError, match="'bites' does something to shapes only; set it to 0 to train 'digits6'"):
        Samples(found, experiment("digits6").card, PRESETS["shape"], channels=1)
