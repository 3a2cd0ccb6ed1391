"""The shipped model of landmarks on rendered hands, whose landmarks are exact; it needs no other pictures."""

import numpy as np
import pytest

import handlens
from handlens.evaluate.landmarks import palm_length
from handlens.synth.hand_model import draw_hand
from handlens.types import Frame
from handlens.weights import SHIPPED

pytestmark = pytest.mark.skipif(not (SHIPPED / "hands.onnx").is_file(), reason="the model 'hands' does not ship yet")


def rendered(seed: int, pose: str, left: bool = False, view: str = "palmar") -> tuple[Frame, np.ndarray]:
    """A hand on a grey ground of 320 x 320, and its landmarks (21, 2)."""
    drawn = draw_hand(np.random.default_rng(seed), 200, pose, view=view, left=left, arm=60.0)
    image = np.full((320, 320, 3), 150, np.uint8)
    part, alpha = image[60:260, 60:260], drawn.alpha[..., None]
    part[:] = part * (1 - alpha) + drawn.rgb * alpha
    return Frame(image), drawn.landmarks + 60


def error(frame: Frame, true: np.ndarray) -> float:
    """The mean distance of the landmarks in lengths of the palm."""
    (hand,) = handlens.load("hands", 1).predict(frame, crop="whole").value
    assert hand.landmarks is not None
    return float(np.linalg.norm(hand.landmarks[:, :2] - true, axis=1).mean()) / palm_length(true)


def test_open_hands_have_their_landmarks() -> None:
    errors = [error(*rendered(seed, "open")) for seed in range(8)]
    assert np.median(errors) < 0.15


def test_stretched_fingers_are_counted() -> None:
    model = handlens.load("hands", 1)
    counts = [
        model.predict(rendered(seed, pose)[0], crop="whole").value for pose in ("open", "fist") for seed in range(6)
    ]
    stretched = [int((hands[0].fingers >= 0.5).sum()) for hands in counts]
    assert np.mean(stretched[:6]) > 3.5
    assert np.mean(stretched[6:]) < 2.0


def test_a_blank_picture_has_no_hand() -> None:
    for level in (0, 128, 255):
        assert handlens.load("hands", 1).predict(Frame(np.full((480, 640, 3), level, np.uint8))).value == ()


def test_left_and_right_are_told_from_both_sides() -> None:
    model = handlens.load("hands", 1)
    for view in ("palmar", "dorsal"):
        for left in (False, True):
            frames = [rendered(seed, "open", left, view)[0] for seed in range(8)]
            sides = [model.predict(frame, crop="whole").value[0].side for frame in frames]
            assert sides.count("left" if left else "right") >= 6


def test_the_mask_ends_at_the_wrist() -> None:
    model, inside, behind = handlens.load("hands", 1), [], []
    for seed in range(8):
        frame, true = rendered(seed, "open")
        (hand,) = model.predict(frame, crop="whole").value
        assert hand.mask is not None
        forearm = true[:1] + 0.4 * (true[0] - true[9])
        for points, kept in ((true, inside), (forearm, behind)):
            x, y = np.clip(points.astype(int), 0, 319).T
            kept.append(hand.mask[y, x].mean())
    assert np.mean(inside) > 0.7
    assert np.mean(behind) < 0.3
