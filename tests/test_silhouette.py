"""A shape's view: centred, in proportion, nothing cut, and the same wherever the shape lies in its picture."""

import cv2
import numpy as np
import pytest

from handlens.silhouette import VIEW, Shape, find_shape, seen, weights


def view(image, size=(64, 64)):
    shape = find_shape(image)
    assert shape is not None
    return seen(shape, size)


def paddle(height=90, width=120):
    """A blob that is wider than high, with a bump, so that no turn of it looks like itself."""
    image = np.zeros((height, width), np.uint8)
    cv2.ellipse(image, (width // 2, height // 2), (width // 4, height // 6), 0, 0, 360, 255, -1)
    cv2.circle(image, (width // 3, height // 3), height // 12, 255, -1)
    return image


@pytest.mark.parametrize(("length", "side"), [(7, 8.12), (40, 46.4), (55, 63.8), (56, 64.96), (300, 348), (64, 200)])
def test_the_shares_of_a_pixel_sum_to_one(length, side):
    sums = weights(length, np.float32(side), 64).sum(axis=1)
    half = length / side / 2  # of the view that the pixels fill, in views
    inside = np.abs((np.arange(64) + 0.5) / 64 - 0.5) < half - 1.5 / min(side, 64)
    assert inside.any()
    np.testing.assert_allclose(sums[inside], 1, atol=1e-4)
    assert sums.max() < 1.0001


def test_where_it_lies_makes_no_difference():
    image = paddle()
    moved = np.zeros((400, 300), np.uint8)
    moved[310:400, 180:300] = image
    np.testing.assert_array_equal(view(image), view(moved))


def test_the_sides_stay_in_proportion_and_the_box_fills_its_part_of_the_view():
    image = np.zeros((200, 300), np.uint8)
    image[50:150, 100:150] = 255
    white = view(image)[..., 0] > 127
    tall, wide = (int(white.any(axis=axis).sum()) for axis in (1, 0))
    assert tall == pytest.approx(64 / VIEW, abs=1)
    assert wide == pytest.approx(tall / 2, abs=1)
    assert abs(int(white[:32].sum()) - int(white[32:].sum())) <= 64


@pytest.mark.parametrize("corner", [(0, 0), (0, 1), (1, 0), (1, 1)])
def test_a_shape_in_a_corner_keeps_its_last_row_and_column(corner):
    image = np.zeros((60, 60), np.uint8)
    rows, columns = (slice(-20, None) if end else slice(20) for end in corner)
    image[rows, columns] = 255
    middle = np.zeros_like(image)
    middle[20:40, 20:40] = 255
    np.testing.assert_array_equal(view(image), view(middle))


def test_large_shapes_are_shrunk_by_area():
    fine = np.zeros((1160, 1160), np.uint8)
    fine[80:1080, 80:1080] = 255
    fine[80:1080:2] = 0  # grey from afar
    shape = Shape(fine, np.array([80, 80, 1080, 1080], np.float32))
    middle = seen(shape, (64, 64))[16:48, 16:48].astype(int)
    assert abs(middle - 127).max() <= 8


def test_a_view_need_not_be_square():
    assert view(paddle(), (50, 40)).shape == (50, 40, 3)
