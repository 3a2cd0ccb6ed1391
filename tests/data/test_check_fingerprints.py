"""Fingerprints find a picture again after what people do to pictures, and tell different ones apart."""

import cv2
import numpy as np
import pytest
from made_sets import view

from handlens.cli.data.options import NEAR_BITS, PUBLISHED_SHARES
from handlens.data.scan import BITS, NEAR, digest, distances, fingerprint, near_pairs
from handlens.data.split import SHARES, read_shares


def jpeg(image, quality):
    return cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)


CHANGES = {
    "smaller": lambda image: cv2.resize(image, (48, 40), interpolation=cv2.INTER_AREA),
    "larger": lambda image: cv2.resize(image, (400, 300), interpolation=cv2.INTER_CUBIC),
    "jpeg": lambda image: jpeg(image, 20),
    "brighter": lambda image: np.clip(image * 1.2 + 10, 0, 255).astype(np.uint8),
    "darker": lambda image: (image * 0.5).astype(np.uint8),
    "mirrored": lambda image: image[:, ::-1],
    "mirrored, small, jpeg": lambda image: jpeg(np.ascontiguousarray(cv2.resize(image, (60, 50))[:, ::-1]), 40),
    "grey": lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_near(change):
    prints = [np.stack([fingerprint(picture)]) for picture in (view(1), np.ascontiguousarray(CHANGES[change](view(1))))]
    assert distances(*prints)[0, 0] <= NEAR


def test_a_picture_is_at_0_from_its_own_mirror_image():
    one, other = fingerprint(view(5))[None], fingerprint(np.ascontiguousarray(view(5)[:, ::-1]))[None]
    assert distances(one, other)[0, 0] <= 1
    assert not (one == other).all()


def test_different_pictures_are_far():
    prints = np.stack([fingerprint(view(seed)) for seed in range(60)])
    apart = distances(prints, prints)[np.triu_indices(60, 1)]
    assert apart.min() > NEAR
    assert 0.35 * BITS < np.median(apart) < 0.5 * BITS


def test_a_picture_of_one_colour_is_near_to_nothing_not_even_another_one():
    flat = [np.full((40, 50, 3), shade, np.uint8) for shade in (0, 90)]
    prints = np.stack([fingerprint(picture) for picture in [*flat, view(1)]])
    assert not list(near_pairs(prints))


def test_all_pairs_are_found_across_blocks_each_once():
    prints = np.random.default_rng(0).choice([-1.0, 1.0], (600, BITS)).astype(np.float32)
    prints[590] = prints[3]
    prints[591] = prints[3]
    prints[592, :5] *= -1
    found = [
        pair
        for pairs in near_pairs(prints, 0)
        for pair in zip(pairs.first.tolist(), pairs.second.tolist(), strict=True)
    ]
    assert sorted(found) == [(3, 590), (3, 591), (590, 591)]


def test_the_same_bytes_have_the_same_digest():
    assert digest(b"a") == digest(b"a") != digest(b"b")


def test_the_command_line_has_the_numbers_of_the_house():
    assert NEAR_BITS == NEAR
    assert read_shares(PUBLISHED_SHARES) == pytest.approx(SHARES)
