"""The one resize: what the network sees can be found again in the source, to a fraction of a pixel."""

import numpy as np
import pytest

from handlens.card import ModelCard
from handlens.preprocess import PAD, crop_box, prepare, resize, to_tensor

SIZES = [(1, 1), (1, 300), (37, 53), (480, 640), (640, 480), (1500, 900)]


def card(resize="fit", size=(128, 128), **fields):
    return ModelCard("m", "touch", "detect", ("face",), size, resize, **fields)


def noise(height, width):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)


def spot(height, width, box):
    """A black picture with a white box."""
    image = np.zeros((height, width, 3), np.uint8)
    x1, y1, x2, y2 = box
    image[y1:y2, x1:x2] = 255
    return image


def lit(image):
    """The box of what is white, by its mass: (centre x, centre y, width, height) at pixel edges."""
    light = image[:, :, 0].astype(float) / 255
    light[image[:, :, 0] == PAD] = 0
    across, down = light.sum(axis=0), light.sum(axis=1)
    x = (across * (np.arange(len(across)) + 0.5)).sum() / light.sum()
    y = (down * (np.arange(len(down)) + 0.5)).sum() / light.sum()
    return x, y, down.max(), across.max()


@pytest.mark.parametrize("rule", ["stretch", "letterbox", "fit"])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_boxes_go_to_the_network_and_back(rule, height, width):
    tensor, geometry = prepare(noise(height, width), card(rule))
    boxes = np.array([[0, 0, width, height], [0.25 * width, 0, 0.5 * width, 0.75 * height]], np.float32)
    assert tensor.dtype == np.float32
    assert tensor.flags.c_contiguous
    assert tensor.shape == (1, 3, geometry.net_height, geometry.net_width)
    there = geometry.to_network(boxes)
    assert there.min() >= 0
    assert (there[:, [0, 2]] <= geometry.net_width + 1e-3).all()
    assert (there[:, [1, 3]] <= geometry.net_height + 1e-3).all()
    assert np.allclose(geometry.to_source(there), boxes, atol=1e-2)


@pytest.mark.parametrize("rule", ["stretch", "letterbox", "fit"])
def test_what_is_seen_lies_where_the_geometry_says(rule):
    box = (200, 120, 320, 240)
    seen, geometry = resize(spot(480, 640, box), card(rule))
    x, y, width, height = lit(seen)
    x1, y1, x2, y2 = geometry.to_network(np.array([box], np.float32))[0]
    assert (x, y) == (pytest.approx((x1 + x2) / 2, abs=0.05), pytest.approx((y1 + y2) / 2, abs=0.05))
    assert (width, height) == (pytest.approx(x2 - x1, rel=0.05), pytest.approx(y2 - y1, rel=0.05))


def test_stretch_fills_the_input():
    seen, geometry = resize(noise(480, 640), card("stretch", (64, 96)))
    assert seen.shape == (64, 96, 3)
    assert (geometry.scale_x, geometry.scale_y) == (96 / 640, 64 / 480)


def test_letterbox_keeps_the_aspect_and_centres():
    seen, _ = resize(np.zeros((100, 200, 3), np.uint8), card("letterbox", (128, 128)))
    assert seen.shape == (128, 128, 3)
    assert (seen[:32] == PAD).all()
    assert (seen[96:] == PAD).all()
    assert (seen[32:96] == 0).all()


def test_fit_pads_right_and_bottom_to_the_stride():
    seen, _ = resize(np.zeros((100, 210, 3), np.uint8), card("fit", (128, 128), stride=32))
    assert seen.shape == (64, 128, 3)  # 61 rows, up to a multiple of 32
    assert (seen[:61] == 0).all()
    assert (seen[61:] == PAD).all()


def test_a_card_decides_how_pixels_become_numbers():
    image = np.full((8, 8, 3), (10, 20, 30), np.uint8)
    tensor = to_tensor([image, image], card(mean=(10.0, 10.0, 10.0), std=(1.0, 2.0, 4.0)))
    assert tensor.shape == (2, 3, 8, 8)
    assert np.allclose(tensor[1, :, 0, 0], [0, 5, 5], atol=1e-5)
    assert np.allclose(to_tensor([image], card())[0, :, 0, 0], np.array([10, 20, 30]) / 255)


def test_shrinking_keeps_the_mean_of_fine_stripes():
    stripes = np.zeros((512, 512, 3), np.uint8)
    stripes[:, ::2] = 255
    seen, _ = resize(stripes, card("stretch", (64, 64)))
    assert np.abs(seen.astype(int) - 127).max() <= 2


class TestCropBox:
    def test_a_whole_crop_is_the_picture(self):
        image = noise(64, 64)
        crop, geometry = crop_box(image, (0, 0, 64, 64), 64)
        assert np.array_equal(crop, image)
        assert geometry.to_source(np.array([[3, 4, 5, 6]], np.float32)).tolist() == [[3, 4, 5, 6]]

    def test_outside_the_picture_is_grey(self):
        crop, _ = crop_box(np.zeros((50, 50, 3), np.uint8), (-50, -50, 50, 50), 100)
        assert (crop[:49, :49] == PAD).all()
        assert (crop[51:, 51:] == 0).all()

    @pytest.mark.parametrize("box", [(100, 100, 200, 200), (-300, -300, -200, -200)])
    def test_a_box_beside_the_picture_is_all_grey(self, box):
        crop, _ = crop_box(noise(50, 50), box, 32)
        assert (crop == PAD).all()

    @pytest.mark.parametrize("side", [40.0, 63.5, 100.25, 200.0, 400.5])
    def test_what_is_seen_lies_where_the_geometry_says(self, side):
        box = (210, 205, 226, 225)
        x0, y0 = 205.3, 199.7
        crop, geometry = crop_box(spot(640, 640, box), (x0 - side / 8, y0 - side / 8, x0 + side, y0 + side), 96)
        x, y, _, _ = lit(crop)
        x1, y1, x2, y2 = geometry.to_network(np.array([box], np.float32))[0]
        assert (x, y) == (pytest.approx((x1 + x2) / 2, abs=0.25), pytest.approx((y1 + y2) / 2, abs=0.25))

    def test_shrinking_far_does_not_alias(self):
        stripes = np.zeros((800, 800, 3), np.uint8)
        stripes[:, ::2] = 255
        crop, _ = crop_box(stripes, (100.5, 100.5, 700.5, 700.5), 100)
        assert np.abs(crop.astype(int) - 127).max() <= 3

    def test_height_and_width_may_differ(self):
        crop, geometry = crop_box(noise(50, 50), (0, 0, 50, 50), (20, 40))
        assert crop.shape == (20, 40, 3)
        assert (geometry.net_height, geometry.net_width) == (20, 40)

    def test_a_box_without_area_is_refused(self):
        with pytest.raises(ValueError, match="x1 < x2"):
            crop_box(noise(50, 50), (10, 10, 10, 20), 32)

    def test_one_pixel_is_enough(self):
        crop, _ = crop_box(np.full((1, 1, 3), 200, np.uint8), (0, 0, 1, 1), 16)
        assert crop.shape == (16, 16, 3)
        assert crop[8, 8, 0] == pytest.approx(200, abs=10)


@pytest.mark.shared
def test_a_real_picture_looks_the_same_cropped_and_stretched(shared):
    import cv2

    file = sorted((shared / "data" / "touch" / "images").iterdir())[0]
    image = cv2.cvtColor(cv2.imread(str(file)), cv2.COLOR_BGR2RGB)
    height, width = image.shape[:2]
    stretched, _ = resize(image, card("stretch", (96, 96)))
    cropped, _ = crop_box(image, (0, 0, width, height), 96)
    inner = (slice(2, -2), slice(2, -2))
    assert np.abs(stretched[inner].astype(int) - cropped[inner]).mean() < 3
