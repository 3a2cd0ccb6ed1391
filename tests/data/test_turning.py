"""A turned set: known angles all around the circle, nothing cut off, and labels that turn with their pictures."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from arrows import arrow, pointing

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.rotate import ring_of, turned, turned_label, turned_picture, upto_half
from handlens.errors import InputError
from handlens.kinds.landmarks import degrees
from handlens.types import Hand, Label


def some(count=5, names=("up", "left", "down", "right", "fist"), **fields):
    pictures = [Labelled(Path(f"{n}.png"), 60, 40, labels=[n % 5], pixels=arrow, **fields) for n in range(count)]
    return LabelledSet("classify", names, pictures, Path("set"))


def test_the_angles_cover_the_circle_evenly_and_are_those_of_the_pixels():
    found = turned(some(40), 6, seed=3)
    assert len(found) == 240
    angles = np.array([picture.angle for picture in found])
    assert np.allclose(np.diff(np.sort(angles[:6])), 60)
    assert np.histogram(angles, 12, (-180, 180))[0].min() >= 10  # of 20 each
    for picture in found.pictures[:12]:
        sample = found.sample(picture)
        assert abs(upto_half(pointing(sample.frame.image) - picture.angle)) < 2
        assert sample.truth.angle == picture.angle
        assert (sample.frame.image > 127).sum() == pytest.approx((arrow() > 127).sum(), rel=0.05)  # nothing is cut


def test_a_set_turned_twice_alike_is_the_same_and_another_seed_is_another():
    one, two, other = (turned(some(), 3, seed) for seed in (1, 1, 2))
    assert [p.angle for p in one] == [p.angle for p in two]
    assert [p.angle for p in one] != [p.angle for p in other]


def test_all_turns_of_a_picture_are_of_its_group():
    assert {picture.group for picture in turned(some(2), 4)} == {"0.png", "1.png"}
    assert {picture.group for picture in turned(some(2, group="ann"), 4)} == {"ann"}


def test_a_turn_goes_on_from_the_angle_that_was_told():
    plain, leaning = (turned(some(2, **fields), 4) for fields in ({}, {"angle": 30.0}))
    for one, other in zip(plain, leaning, strict=True):
        assert upto_half(other.angle - one.angle) == pytest.approx(30)


def test_a_picture_is_read_once_for_all_its_turns():
    reads = []

    def read():
        reads.append(1)
        return arrow()

    found = turned(LabelledSet("classify", ("a",), [Labelled(Path("a.png"), labels=[0], pixels=read)]), 8)
    for picture in found:
        found.sample(picture)
    assert len(reads) == 1


def test_a_quarter_turn_moves_pixels_and_changes_none():
    image = np.random.default_rng(0).integers(0, 255, (7, 10, 3), np.uint8)
    assert np.abs(turned_picture(image, 90).astype(int) - np.rot90(image)).max() <= 1
    assert (turned_picture(image, 0) == image).all()


def test_the_ground_goes_on_in_the_corners():
    photo = np.full((30, 30, 3), (90, 60, 30), np.uint8)
    photo[10:20, 10:20] = 200
    assert turned_picture(photo, 45)[0, 0].tolist() == [90, 60, 30]
    tight = np.full((30, 30, 3), 255, np.uint8)  # a hand that fills its crop
    tight[:4, :15] = tight[20:, :8] = 0
    assert turned_picture(tight, 45)[0, 0].tolist() == [0, 0, 0]
    assert turned_picture(255 - arrow(), 45)[0, 0].tolist() == [255, 255, 255]


def test_labels_of_the_ring_turn_with_the_picture():
    names = ("fist", "up", "left", "down", "right")
    ring = ring_of(["up", "left", "down", "right"], names)
    assert turned_label(1, 100, ring) == (2, 10)
    assert turned_label(1, -100, ring) == (4, -10)
    assert turned_label(4, 170, ring) == (2, -10)
    assert turned_label(0, 100, ring) == (0, 100)
    assert turned_label(0, 270) == (0, -90)
    found = turned(some(5), 4, ring=ring_of(["up", "left", "down", "right"], some().names))
    assert all(abs(picture.angle) <= 45 for picture in found if picture.labels[0] < 4)
    assert {int(picture.labels[0]) for picture in found.pictures[:4]} == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("turning", "sentence"), [(["up"], "two or more"), (["up", "up"], "none twice"), (["upp", "down"], "mean 'up'")]
)
def test_a_wrong_ring_is_a_sentence(turning, sentence):
    with pytest.raises(InputError, match=sentence):
        ring_of(turning, ("up", "down"))


def test_what_cannot_be_turned_is_a_sentence():
    with pytest.raises(InputError, match="between 1 and 360, got 0"):
        turned(some(), 0)
    with pytest.raises(InputError, match="one label each"):
        turned(LabelledSet("detect", ("a",), []), 4)


def pointed(points, side="right"):
    hand = Hand(np.array([0, 0, 1, 1], np.float32), Label(side, 1.0), landmarks=points, side=side)
    pictures = [Labelled(Path("a.png"), boxes=[[0, 0, 1, 1]], labels=[1], hands=(hand,), pixels=arrow)]
    return LabelledSet("landmarks", ("left", "right"), pictures, Path("set"))


def test_landmarks_turn_with_their_pictures():
    ys, xs = np.nonzero(arrow()[..., 0] > 127)
    chosen = np.linspace(0, len(xs) - 1, 21).astype(int)
    points = np.stack([xs[chosen] + 0.5, ys[chosen] + 0.5, np.ones(21)], axis=1).astype(np.float32)
    before = degrees(points)
    for picture in turned(pointed(points), 7, seed=2):
        sample = pointed(points).sample(picture)
        (hand,) = sample.truth
        height, width = sample.frame.image.shape[:2]
        assert (picture.width, picture.height) == (width, height)
        at = np.floor(hand.landmarks[:, :2]).astype(int)
        near = cv2.dilate(sample.frame.image[..., 0], np.ones((3, 3), np.uint8))
        assert (near[at[:, 1], at[:, 0]] > 60).all()  # all still lie on the arrow
        turn = upto_half(pointing(sample.frame.image) - pointing(arrow()))
        assert abs(upto_half(degrees(hand.landmarks) - before - turn)) < 3
        assert hand.side == "right"
        assert np.allclose(picture.boxes[0], hand.xyxy)


def test_sides_do_not_turn():
    with pytest.raises(InputError, match="--turning is for labels"):
        turned(pointed(np.ones((21, 3), np.float32)), 4, ring=(0, 1))
