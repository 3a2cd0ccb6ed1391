"""Batches that are made on a device: they are those of the loader, and the same ones each time."""

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import HandlensError
from handlens.train.augment.config import AugmentConfig
from handlens.train.config import Plan, Settings
from handlens.train.experiment import Experiment, new_experiment
from handlens.train.loader.loader import Samples
from recipes.published import device_feed as feed

FEED = Callable[[int], Iterable[dict[str, Any]]]


def settings(task: str, net: str, size: int, augment: AugmentConfig, batch: int = 4) -> Settings:
    return Settings(task=task, net=net, size=size, augment=augment, plan=Plan(batch=batch, epochs=10, device="cpu"))


def smooth(rng: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A picture whose neighbouring pixels differ little, so that rounding of places changes little."""
    y, x = np.mgrid[:height, :width] / 20 + rng.uniform(0, 6, 2)[:, None, None]
    return np.stack([110 + 80 * np.sin(x), 120 + 60 * np.cos(y), 90 + 50 * np.sin(x + y)], 2).astype(np.uint8)


def boxed_set(count: int = 6) -> LabelledSet:
    rng = np.random.default_rng(0)
    pictures = [
        Labelled(
            Path(f"{k}.png"), boxes=np.array([[10, 8, 40, 30], [30, 20, 60, 44]], np.float32),
            labels=np.array([0, 1]), pixels=partial(np.copy, smooth(rng, 48, 64)), split="train",
        )
        for k in range(count)
    ]  # fmt: skip
    return LabelledSet("detect", ("face", "chin"), tuple(pictures), Path("made"))


def hand_set(count: int = 8) -> LabelledSet:
    rng = np.random.default_rng(1)
    pictures = [
        Labelled(
            Path(f"{k}.png"), labels=np.array([k % 2]), pixels=partial(np.copy, smooth(rng, 32, 32)), split="train"
        )
        for k in range(count)
    ]
    return LabelledSet("classify", ("a", "b"), tuple(pictures), Path("made"))


def made(found: LabelledSet, wanted: Settings) -> tuple[Experiment, FEED]:
    experiment = new_experiment(wanted, found.names)
    return experiment, feed.device_feed(experiment, found, wanted)


@pytest.mark.parametrize("augment", [
    AugmentConfig(flip=0.5, translate=0.15, scale=0.3), AugmentConfig(flip=0.5, degrees=30, shear=5, upside=0.5),
    AugmentConfig(flip=0.5, hue=0.1, saturation=0.5, value=0.5),
])  # fmt: skip
def test_a_picture_is_moved_and_coloured_as_the_loader_does(augment: AugmentConfig) -> None:
    found, wanted = boxed_set(), settings("touch", "yolov3-tiny", 64, augment, batch=6)
    experiment, epoch = made(found, wanted)
    (batch,) = epoch(3)
    order = feed.DeviceBatches(feed.hold(found, experiment, torch.device("cpu")), augment, 6, 0, 3).order
    samples = Samples(found, experiment.card, augment, epochs=10)
    for place, index in enumerate(order.tolist()):
        one = samples[3, index]
        rows = batch["boxes"][batch["boxes"][:, 0] == place, 1:]
        assert torch.allclose(rows, one["boxes"], atol=1e-3)
        worse = (batch["image"][place].int() - one["image"].int()).abs()[:, 10:-10, 4:-4]
        assert float(worse.float().mean()) < (2.5 if augment.hue else 1.0)


def test_hands_keep_their_labels_and_the_loader_s_pixels() -> None:
    augment = AugmentConfig(flip=0.5)
    found, wanted = hand_set(), settings("hold", "mobileface", 32, augment, batch=8)
    experiment, epoch = made(found, wanted)
    (batch,) = epoch(0)
    order = feed.DeviceBatches(feed.hold(found, experiment, torch.device("cpu")), augment, 8, 0, 0).order.tolist()
    samples = Samples(found, experiment.card, augment, epochs=10)
    assert batch["label"].tolist() == [index % 2 for index in order]
    assert all(torch.equal(batch["image"][k], samples[0, index]["image"]) for k, index in enumerate(order))


def test_a_mosaic_has_boxes_that_lie_on_what_they_mark() -> None:
    white = np.zeros((64, 64, 3), np.uint8)
    white[16:48, 20:44] = 255
    pictures = [
        Labelled(Path(f"{k}.png"), boxes=np.array([[20, 16, 44, 48]], np.float32), labels=np.array([0]),
                 pixels=partial(np.copy, white), split="train")
        for k in range(4)
    ]  # fmt: skip
    found = LabelledSet("detect", ("face",), tuple(pictures), Path("made"))
    augment = AugmentConfig(mosaic=1.0, flip=0.5, scale=0.5, translate=0.1)
    _, epoch = made(found, settings("touch", "yolov3-tiny", 64, augment))
    (batch,) = epoch(0)
    assert len(batch["boxes"]) >= 4
    for number, _, x1, y1, x2, y2 in batch["boxes"].round().int().tolist():
        inside = batch["image"][number, 0, y1 + 2 : y2 - 2, x1 + 2 : x2 - 2].float()
        assert inside.numel() == 0 or float(inside.mean()) > 235


def test_an_epoch_is_the_same_each_time_and_others_differ() -> None:
    _, epoch = made(boxed_set(), settings("touch", "yolov3-tiny", 64, AugmentConfig(mosaic=1.0, hue=0.02)))
    first, again, other = ([batch["image"] for batch in epoch(number)] for number in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not torch.equal(first[0], other[0])


def test_other_changes_are_refused() -> None:
    found = boxed_set()
    for augment in (AugmentConfig(blur=0.1), AugmentConfig(mosaic=0.5)):
        with pytest.raises(HandlensError, match="cannot be done"):
            made(found, settings("touch", "yolov3-tiny", 64, augment))


def test_the_check_counts_right_answers() -> None:
    found = hand_set(10)
    experiment, _ = made(found, settings("hold", "mobileface", 112, AugmentConfig()))
    told = feed.accuracy_check(experiment, found)
    assert told["accuracy"] == pytest.approx(round(told["accuracy"] * 10) / 10)
    assert told["log loss"] > 0
