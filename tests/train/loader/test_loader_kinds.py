"""Samples of classifiers and of segmentation: angles have the right sign, masks move with their pictures."""

import math

import cv2
import numpy as np
import pytest
from training_sets import card, classify_set, detect_set, noise, segment_set

torch = pytest.importorskip("torch")

from handlens.card import ModelCard
from handlens.errors import InputError
from handlens.kinds.classify import decode
from handlens.kinds.segment import encode
from handlens.preprocess import resize
from handlens.train.augment.config import PRESETS, AugmentConfig
from handlens.train.augment.photometric import coloured, photometric
from handlens.train.loader.loader import Batches, Samples
from handlens.train.loader.segment_sample import class_counts
from handlens.types import IGNORE, Mask


def pointer(size=100):
    """A white disc above the middle of a black picture: what is upright points up."""
    image = np.zeros((size, size, 3), np.uint8)
    cv2.circle(image, (size // 2, size // 5), size // 12, (255, 255, 255), -1)
    return image


def bearing(image):
    """Degrees, counter-clockwise from up as seen on the screen, at which the disc of a (c, h, w) image lies."""
    y, x = np.nonzero(image[0].numpy() > 200)
    height, width = image.shape[1:]
    return math.degrees(math.atan2(width / 2 - (x.mean() + 0.5), height / 2 - (y.mean() + 0.5)))


@pytest.mark.parametrize(
    "look",
    [
        AugmentConfig(degrees=80.0, fill="black"),
        AugmentConfig(degrees=180.0, flip=0.5, fill="black"),
        AugmentConfig(upside=0.5, fill="black"),
        AugmentConfig(degrees=40.0, shear=15.0, flip=0.5, upside=0.5, fill="black"),
    ],
)
def test_the_angle_says_how_far_the_hand_is_turned(tmp_path, look):
    samples = Samples(classify_set(tmp_path, [pointer()]), card(80, kind="classify"), look, angle=True)
    for epoch in range(20):
        sample = samples[(epoch, 0)]
        cosine, sine = sample["angle"].tolist()
        assert math.hypot(cosine, sine) == pytest.approx(1)
        difference = bearing(sample["image"]) - math.degrees(math.atan2(sine, cosine))
        assert (difference + 180) % 360 - 180 == pytest.approx(0, abs=2)


def test_the_angle_means_what_the_answer_means(tmp_path):
    samples = Samples(
        classify_set(tmp_path, [pointer()]), card(80, kind="classify"), AugmentConfig(degrees=80), angle=True
    )
    sample = next(s for s in (samples[(epoch, 0)] for epoch in range(20)) if s["angle"][1] > 0.5)
    label = decode({"probabilities": np.ones((1, 2), np.float32), "angle": sample["angle"].numpy()[None]},
                   card(80, kind="classify"))[0]  # fmt: skip
    assert label.angle == pytest.approx(bearing(sample["image"]), abs=2)
    _, columns = np.nonzero(sample["image"][0].numpy() > 200)
    assert columns.mean() < 40  # counter-clockwise: what was up is now at the left


def test_an_upright_sample_has_no_turn(tmp_path):
    found = classify_set(tmp_path, [noise(50, 40, n) for n in range(4)])
    batch = next(
        iter(Batches(Samples(found, card(32, kind="classify"), AugmentConfig(), angle=True), 4, shuffle=False))
    )
    assert batch["angle"].tolist() == [[1, 0]] * 4
    assert batch["label"].tolist() == [0, 1, 0, 1]
    assert batch["label"].dtype == torch.int64
    assert "angle" not in Samples(found, card(32, kind="classify"), AugmentConfig())[(0, 0)]


def test_silhouettes_have_one_channel_with_the_same_levels(tmp_path):
    levels = np.repeat(np.arange(256, dtype=np.uint8).reshape(16, 16, 1), 3, axis=2)
    samples = Samples(classify_set(tmp_path, [levels]), card(16, kind="classify"), AugmentConfig(), channels=1)
    assert samples[(0, 0)]["image"].numpy().tolist() == levels[None, :, :, 0].tolist()
    moved = Samples(classify_set(tmp_path, [pointer()]), card(50, kind="classify"), PRESETS["silhouette"], channels=1)
    assert moved[(0, 0)]["image"].shape == (1, 50, 50)
    assert all((moved[(epoch, 0)]["image"][0, [0, 0, -1, -1], [0, -1, 0, -1]] == 0).all() for epoch in range(5))


def test_the_edge_hides_that_a_picture_was_turned(tmp_path):
    image = np.full((60, 60, 3), (200, 150, 90), np.uint8)
    sample = Samples(
        classify_set(tmp_path, [image]), card(60, kind="classify"), AugmentConfig(degrees=80, fill="edge")
    )[(0, 0)]
    assert (sample["image"].numpy().transpose(1, 2, 0) == (200, 150, 90)).all()


def hand(height=120, width=160):
    """A picture whose bright part is the class 1 of its mask."""
    mask = np.zeros((height, width), np.uint8)
    cv2.ellipse(mask, (width // 2 - 10, height // 2 + 5), (width // 5, height // 3), 20, 0, 360, 1, -1)
    return np.repeat(mask[..., None] * 255, 3, axis=2), mask


@pytest.mark.parametrize("rule", ["letterbox", "stretch", "fit"])
@pytest.mark.parametrize("size", [40, 100, 400])
def test_an_unchanged_mask_is_what_evaluation_compares_with(tmp_path, rule, size):
    image, _ = hand()
    mask = (noise(120, 160)[..., 0] > 128).astype(np.uint8)
    the_card = card(size, rule, "segment", ("background", "hand"))
    sample = Samples(segment_set(tmp_path, [image], [mask]), the_card, AugmentConfig())[(0, 0)]
    seen, geometry = resize(image, the_card)
    assert np.array_equal(sample["image"].numpy().transpose(1, 2, 0), seen)
    classes = encode(Mask(mask, ("background", "hand")), geometry)["probabilities"][0]
    inside = sample["mask"].numpy() != IGNORE
    assert np.array_equal(sample["mask"].numpy()[inside], classes.argmax(0)[inside])
    high, wide = round(120 * geometry.scale_y), round(160 * geometry.scale_x)
    y, x = int(geometry.pad_y), int(geometry.pad_x)
    assert inside[y : y + high, x : x + wide].all()
    assert inside.sum() == high * wide


@pytest.mark.parametrize(
    "look",
    [
        AugmentConfig(flip=1.0),
        AugmentConfig(upside=1.0),
        AugmentConfig(degrees=40.0, translate=0.1, scale=0.4, shear=10.0, fill="black"),
        AugmentConfig(perspective=0.1, fill="black"),
    ],
)
def test_the_mask_moves_with_the_picture(tmp_path, look):
    image, mask = hand()
    samples = Samples(segment_set(tmp_path, [image], [mask]), card(96, kind="segment"), look)
    for epoch in range(8):
        sample = samples[(epoch, 0)]
        lit, marked = sample["image"][0].numpy() > 127, sample["mask"].numpy() == 1
        assert (lit & marked).sum() / (lit | marked).sum() > 0.95
        assert (sample["mask"] == IGNORE).any()
        assert not (lit & (sample["mask"].numpy() == IGNORE)).any()


def test_what_is_painted_over_is_not_asked_for(tmp_path):
    _, mask = hand()
    found = segment_set(tmp_path, [np.zeros((120, 160, 3), np.uint8)], [mask])
    sample = Samples(found, card(96, "stretch", "segment"), AugmentConfig(erase=1.0))[(0, 0)]
    painted = sample["image"].numpy().any(axis=0)
    assert painted.sum() > 100
    assert (sample["mask"].numpy()[painted] == IGNORE).all()


def test_classes_are_counted(tmp_path):
    image, mask = hand()
    mask[:10] = IGNORE
    found = segment_set(tmp_path, [image, image], [mask, mask])
    ones = int((mask == 1).sum())
    assert class_counts(found).tolist() == [2 * (110 * 160 - ones), 2 * ones]
    assert class_counts(classify_set(tmp_path, [image] * 3)).tolist() == [2, 1]
    boxes = detect_set(tmp_path)
    assert class_counts(boxes).sum() == sum(len(picture.labels) for picture in boxes)


def test_light_and_colour_change_as_far_as_they_are_told():
    image = noise(60, 80)
    same = photometric(np.random.default_rng(0), image, AugmentConfig())
    assert same is image
    for name in ("hue", "saturation", "value", "light", "grey", "blur", "noise", "jpeg"):
        changed = [photometric(np.random.default_rng(n), image, AugmentConfig(**{name: 0.5})) for n in range(6)]
        assert any(not np.array_equal(one, image) for one in changed), name
        assert all(one.shape == image.shape and one.dtype == np.uint8 for one in changed), name
        assert not np.array_equal(changed[0], changed[1]) or not np.array_equal(changed[1], changed[2]), name
    grey = photometric(np.random.default_rng(0), image, AugmentConfig(grey=1.0))
    assert np.ptp(grey, axis=2).max() == 0
    red = np.full((4, 4, 3), (200, 0, 0), np.uint8)
    assert coloured(red, 1 / 3, 0, 0)[0, 0].tolist() == [0, 200, 0]
    assert coloured(red, 0, -0.5, 0.2)[0, 0].tolist() == pytest.approx([240, 120, 120], abs=2)


def test_noise_reaches_pictures_of_any_size():
    for size in (20, 640, 700):
        grey = np.full((size, 30, 3), 128, np.uint8)
        noisy = photometric(np.random.default_rng(0), grey, AugmentConfig(noise=1.0))
        assert noisy.shape == grey.shape
        assert 1 < noisy.std() < 16


def test_a_card_of_another_kind_of_name_is_no_matter(tmp_path):
    """The names of a sigmoid's single channel are the lead's business; the sample only needs the size."""
    image, mask = hand()
    one = ModelCard("m", "segment", "segment", ("hand",), (64, 64), "stretch")
    assert Samples(segment_set(tmp_path, [image], [mask]), one, AugmentConfig())[(0, 0)]["mask"].max() == 1
    with pytest.raises(InputError):
        AugmentConfig(degrees=float("nan"))
