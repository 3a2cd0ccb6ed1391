"""Hands on a map: the largest first, without forearms and specks, and none where there is no outline to read."""

import cv2
import numpy as np
import pytest
from combined_parts import hand_picture

from handlens.kinds.hand_crop import WRIST, find_crops, find_palm


def maps(white, classes=3):
    """Probabilities that say hand, class 1, where `white` is above 0."""
    hand = np.where(np.asarray(white) > 0, 0.8, 0.1).astype(np.float32)
    rest = (1 - hand) / (classes - 1)
    return np.stack([hand if number == 1 else rest * (1.2 if number == 0 else 0.8) for number in range(classes)])


def white(*hands, height=120, width=160, **drawn):
    return (hand_picture(height, width, *hands, **drawn)[..., 0] > 200).astype(np.uint8)


def crops(mask):
    return find_crops(maps(mask), 1)


def test_a_hand_has_its_mask_and_its_box():
    shape = white((80, 60, 15))
    (crop,) = crops(shape)
    np.testing.assert_array_equal(crop.shape.mask, 255 * shape)
    rows, columns = np.nonzero(shape)
    assert crop.shape.box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    assert crop.area == shape.sum()


def test_the_largest_hand_comes_first_and_none_enters_the_box_of_another():
    found = crops(white((40, 60, 10), (115, 60, 14)))
    assert len(found) == 2
    assert found[0].area > found[1].area
    assert found[0].shape.box[0] > found[1].shape.box[2]
    assert found[0].shape.mask[:, :70].max() == 0


def test_of_two_of_one_size_the_one_that_ends_first_comes_first():
    image = np.zeros((60, 90), np.uint8)
    image[30:50, 60:80] = image[10:30, 10:30] = 1
    assert [crop.shape.box[:2].tolist() for crop in crops(image)] == [[10, 10], [60, 30]]


def test_specks_are_no_hands():
    image = white((80, 60, 15))
    image[5:9, 5:9] = 1  # 16 of 19,200 pixels
    assert len(crops(image)) == 1
    assert crops(image * 0) == ()
    speck = np.zeros((120, 160), np.uint8)
    speck[5:12, 5:11] = 1  # 42, less than the 48 that are asked for
    assert crops(speck) == ()


def test_what_is_hand_with_too_little_probability_is_none():
    shape = white((40, 60, 10), (115, 60, 14))
    unsure = maps(shape)
    unsure[1, :, 80:] *= 0.7  # the larger one: 0.56, and still the likeliest class
    assert len(find_crops(unsure, 1)) == 2
    (crop,) = find_crops(unsure, 1, sure=0.7)
    assert crop.shape.box[2] < 80
    assert find_crops(unsure, 1, sure=0.9) == ()


@pytest.mark.parametrize("bar", [(slice(None), slice(None)), (slice(40, None), slice(None)), (slice(None), slice(30))])
def test_a_map_or_a_bar_of_it_that_is_all_hand_has_no_outline_to_read(bar):
    image = np.zeros((60, 80), np.uint8)
    image[bar] = 1
    assert crops(image) == ()


def test_the_forearm_is_cut_and_the_fingers_are_not():
    hand, arm = white((80, 45, 12)), white((80, 45, 12), forearm=6)
    (whole,), (cut,) = crops(hand), crops(arm)
    assert arm.sum() > 1.3 * hand.sum()
    np.testing.assert_array_equal(whole.shape.mask > 0, hand > 0)
    assert (cut.shape.mask[hand > 0] == 255).all()
    _, y, radius = find_palm(arm)
    assert cut.shape.box[3] == pytest.approx(y + WRIST * radius, abs=3)
    assert cut.shape.box[3] < 110 < np.nonzero(arm)[0].max()


@pytest.mark.parametrize("turns", range(4))
def test_a_forearm_is_cut_in_any_direction_and_no_finger_is(turns):
    hand, arm = (np.rot90(white((80, 45, 12), forearm=length), turns) for length in (0, 6))
    (cut,) = crops(np.ascontiguousarray(arm))
    assert (cut.shape.mask[hand > 0] == 255).all()
    assert (cut.shape.mask > 0).sum() < hand.sum() + 0.5 * (arm.sum() - hand.sum())


@pytest.mark.parametrize("turns", range(4))
def test_a_finger_over_a_fist_is_no_forearm(turns):
    fist = np.ascontiguousarray(np.rot90(white((80, 70, 15), fingers=(0,)), turns))
    (crop,) = crops(fist)
    np.testing.assert_array_equal(crop.shape.mask > 0, fist > 0)


def test_a_hand_at_the_border_keeps_its_last_row_and_column():
    for image in (white((80, 60, 15))[:70, :90], white((80, 60, 15))[30:, 60:]):
        (crop,) = crops(image)
        rows, columns = np.nonzero(image)
        assert crop.shape.box.tolist() == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    image = np.zeros((50, 50), np.uint8)
    image[35:, 38:] = 1
    (crop,) = crops(image)
    assert crop.shape.box.tolist() == [38, 35, 50, 50]


def test_holes_move_no_palm_and_stay():
    hand = white((80, 60, 18))
    holed = hand.copy()
    holed[58:61, 78:84] = 0
    assert find_palm(holed) == find_palm(hand)
    (crop,) = crops(holed)
    assert crop.shape.mask[59, 80] == 0


def test_the_palm_lies_in_the_blob_also_where_it_is_as_deep_at_both_ends():
    image = np.zeros((120, 160), np.uint8)
    cv2.polylines(image, [np.array([[30, 30], [30, 100], [120, 100], [120, 30]])], False, 1, 3)
    for middle in ((30, 30), (120, 30)):
        cv2.circle(image, middle, 12, 1, -1)
    x, y, radius = find_palm(image)
    assert image[y, x] == 1
    assert radius >= 11
    (crop,) = crops(image)
    assert crop.shape.mask.any()


def test_the_radius_is_that_of_a_circle():
    image = np.zeros((200, 200), np.uint8)
    for radius in (5, 20, 60):
        image[:] = 0
        cv2.circle(image, (100, 90), radius, 1, -1)
        x, y, found = find_palm(image)
        assert (x, y) == (100, 90)
        assert found == pytest.approx(radius, rel=0.12, abs=1)


def test_a_tie_between_classes_is_no_hand():
    even = np.full((2, 30, 30), 0.5, np.float32)
    assert find_crops(even, 1) == ()
    assert find_crops(even[:, :1, :1], 1) == ()
