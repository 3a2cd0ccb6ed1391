"""Boxes of training samples follow the pixels, whatever is done to the picture."""

import cv2
import numpy as np
import pytest
from media import save_picture
from training_sets import card, detect_set, lit_set, noise

torch = pytest.importorskip("torch")

from handlens.boxes import iou
from handlens.io.pictures.read import read_picture
from handlens.preprocess import resize
from handlens.train.augment.config import AugmentConfig
from handlens.train.loader.loader import Samples
from handlens.train.loader.mosaic import followed
from handlens.train.loader.pictures import read_smaller

MOVES = {
    "nothing": AugmentConfig(),
    "mirrored": AugmentConfig(flip=1.0),
    "upside down": AugmentConfig(upside=1.0),
    "turned": AugmentConfig(degrees=25.0),
    "shifted and zoomed": AugmentConfig(translate=0.05, scale=0.3),
    "sheared": AugmentConfig(shear=12.0),
    "in perspective": AugmentConfig(perspective=0.1),
    "all together": AugmentConfig(
        flip=0.5, upside=0.5, degrees=20, translate=0.04, scale=0.15, shear=5, perspective=0.04
    ),
}
LARGE = 2500  # a spot with more pixels cannot be what is left of a rectangle of which 90 % are cut off


def lights(image):
    """The box, the area and the green level of each bright spot in (3, h, w)."""
    red, green = image[0].numpy(), image[1].numpy()
    _, _, stats, centres = cv2.connectedComponentsWithStats((red > 180).astype(np.uint8))
    for (x, y, w, h, area), (cx, cy) in zip(stats[1:], centres[1:], strict=True):
        yield np.array([x, y, x + w, y + h], np.float32), area, green[round(cy), round(cx)]


def follow(sample, least=0.9):
    """Check that each box lies on a bright spot of its class and each spot has a box; return how many boxes."""
    spots = list(lights(sample["image"]))
    rows = sample["boxes"].numpy()
    found = set()
    for row in rows:
        overlap = iou(row[None, 1:], np.array([spot for spot, _, _ in spots]))[0]
        best = int(overlap.argmax())
        assert overlap[best] > least
        assert (spots[best][2] > 128) == (row[0] == 1)
        found.add(best)
    assert all(number in found for number, (_, area, _) in enumerate(spots) if area > LARGE)
    return len(rows)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["letterbox", "stretch", "fit"])
@pytest.mark.parametrize("name", MOVES)
def test_the_box_is_where_the_rectangle_is(tmp_path, name, rule):
    samples = Samples(lit_set(tmp_path, 4), card(160, rule), MOVES[name])
    for epoch in range(5):
        for number in range(4):
            assert follow(samples[(epoch, number)]) == 1


@pytest.mark.parametrize("rule", ["letterbox", "stretch", "fit"])
def test_a_box_is_right_to_a_tenth_of_a_pixel(tmp_path, rule):
    samples = Samples(
        lit_set(tmp_path, 3), card(160, rule), AugmentConfig(flip=0.5, degrees=15, scale=0.04, fill="black")
    )
    for number in range(15):
        sample = samples[(0, number)]
        light, box = sample["image"][0].double(), sample["boxes"][0, 1:]
        for side, low, high in ((0, box[0], box[2]), (1, box[1], box[3])):
            mass = light.sum(side)
            middle = float((mass * (torch.arange(len(mass)) + 0.5)).sum() / mass.sum())
            assert middle == pytest.approx(float(low + high) / 2, abs=0.1)


@pytest.mark.slow
@pytest.mark.parametrize("size", [(96, 128), (480, 200), (90, 90)])
def test_the_boxes_of_a_mosaic_are_where_the_rectangles_are(tmp_path, size):
    look = AugmentConfig(mosaic=1.0, flip=0.5, upside=0.3, translate=0.1, scale=0.4)
    samples = Samples(lit_set(tmp_path, 6, size), card(160), look)
    counts = [follow(samples[(epoch, number)]) for epoch in range(6) for number in range(6)]
    assert max(counts) == 4
    assert np.mean(counts) > 1.5


def test_the_boxes_of_a_turned_mosaic_hold_the_rectangles(tmp_path):
    samples = Samples(lit_set(tmp_path, 6), card(160), AugmentConfig(mosaic=1.0, degrees=10, shear=3, perspective=0.03))
    whole = 0
    for epoch in range(12):
        sample = samples[(epoch, 0)]
        for row in sample["boxes"].numpy():
            inside = row[1:3].min() > 1 and row[3:].max() < 159
            overlap = iou(row[None, 1:], np.array([spot for spot, _, _ in lights(sample["image"])]))[0]
            if inside:  # a turned rectangle that is cut fills its box no more
                whole += overlap.max() > 0.9
                assert overlap.max() > 0.8
    assert whole > 5


def test_a_large_jpeg_decoded_small_keeps_its_boxes(tmp_path):
    found = lit_set(tmp_path, 2, (1203, 1609), ".jpg")
    assert read_smaller(found.pictures[0].path, (160, 160))[0].shape == (301, 403, 3)
    for rule in ("letterbox", "stretch", "fit"):
        samples = Samples(found, card(160, rule), AugmentConfig(degrees=10.0, flip=0.5))
        assert [follow(samples[(epoch, 0)]) for epoch in range(4)] == [1] * 4


@pytest.mark.parametrize("orientation", [1, 3, 6, 8])
def test_a_jpeg_decoded_small_stands_upright(tmp_path, orientation):
    path = save_picture(tmp_path / "large.jpg", noise(640, 960))
    data = path.read_bytes()
    block = b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0" + bytes([orientation, 0, 0, 0, 0, 0, 0, 0])
    path.write_bytes(data[:2] + b"\xff\xe1" + (len(block) + 2).to_bytes(2, "big") + block + data[2:])
    whole = read_picture(str(path))
    small, width, height = read_smaller(path, (64, 64))
    assert (height, width) == whole.shape[:2]
    assert small.shape[0] * 4 == height
    one, other = resize(small, card(64))[0], resize(whole, card(64))[0]
    assert np.abs(one.astype(int) - other).mean() < 2


def test_only_what_is_large_enough_is_decoded_small(tmp_path):
    assert read_smaller(save_picture(tmp_path / "a.jpg", noise(96, 128)), (64, 64)) is None
    assert read_smaller(save_picture(tmp_path / "a.png", noise(640, 960)), (64, 64)) is None
    assert read_smaller(tmp_path / "none.jpg", (64, 64)) is None


def test_what_is_hardly_left_goes():
    rows = np.array([[0, -90, 0, 10, 50], [1, -91, 0, 9, 50], [2, 99, 0, 101, 90], [3, 10, 10, 20, 12]], np.float32)
    kept = followed(rows, rows, np.eye(3), (100, 100))
    assert kept.tolist() == [[0, 0, 0, 10, 50], [3, 10, 10, 20, 12]]
    half = np.diag([0.5, 0.5, 1.0])  # the last two then have one pixel on a side
    assert followed(rows, rows, half, (100, 100))[:, 0].tolist() == [0]


def test_two_pictures_in_one_keep_the_boxes_of_both(tmp_path):
    found = lit_set(tmp_path, 2)
    samples = Samples(found, card(160), AugmentConfig(mixup=1.0))
    counts = {len(samples[(epoch, 0)]["boxes"]) for epoch in range(6)}
    assert counts == {2}
    assert samples[(0, 0)]["image"].max() < 255 or samples[(0, 0)]["boxes"][:, 0].unique().numel() == 1


def test_a_box_that_is_painted_over_goes(tmp_path):
    found = detect_set(tmp_path, 4)
    small = np.array([[60, 30, 68, 38]], np.float32)
    found = found.having([p.__class__(p.path, boxes=small, labels=np.array([0])) for p in found])
    samples = Samples(found, card(128), AugmentConfig(erase=1.0))
    counts = [len(samples[(epoch, number)]["boxes"]) for epoch in range(15) for number in range(4)]
    assert 0 < sum(counts) < len(counts)


def test_four_pictures_without_boxes_make_an_empty_sample(tmp_path):
    found = detect_set(tmp_path, 1)  # its picture has none
    sample = Samples(found, card(), AugmentConfig(mosaic=1.0, mixup=1.0, degrees=5.0))[(0, 0)]
    assert sample["boxes"].shape == (0, 5)
    assert sample["image"].shape == (3, 64, 64)
