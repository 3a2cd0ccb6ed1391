"""The shipped `segment` and `combined` on real pictures of people and sources that they never learned from."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")

from handlens.data.formats.detect_format import open_set
from handlens.evaluate.evaluate import evaluate
from handlens.predictor import Predictor, load
from handlens.types import Frame, Mask
from handlens.weights import SHIPPED
from recipes.segment.build_test_set import Shown, hands, numbers, outlined, portraits
from recipes.segment.outlines import read_outlines

HAND, FACE, FOREARM = 1, 2, 3


def overlap(predictor: Predictor, pictures: Iterator[Shown], value: int, most: int = 60) -> float:
    """IoU of one class over all pixels of at most so many pictures; these call forearms hand."""
    shared = either = 0
    for number, shown in enumerate(pictures):
        if number >= most:
            break
        mask = predictor.predict(Frame(shown.image)).value
        assert isinstance(mask, Mask)
        assert mask.classes.shape == shown.mask.shape
        known = shown.mask != 255
        classes = np.where(mask.classes == FOREARM, HAND, mask.classes)
        said, true = (classes == value) & known, (shown.mask == value) & known
        shared, either = shared + int((said & true).sum()), either + int((said | true).sum())
    assert either
    return shared / either


@pytest.mark.slow
def test_hands_are_found_in_photographs_of_a_source_never_seen(shared: Path) -> None:
    assert overlap(load("segment"), hands(shared / "data", "hgr1"), HAND) >= 0.82


@pytest.mark.slow
def test_hands_over_faces_are_found(shared: Path) -> None:
    assert overlap(load("segment"), outlined(shared / "data", read_outlines("val")), HAND, most=100) >= 0.68


@pytest.mark.slow
@pytest.mark.parametrize("source", ["fasseg", "sfa_skin", "lfw_hair"])
def test_faces_of_portraits_are_found(shared: Path, source: str) -> None:
    assert overlap(load("segment"), portraits(shared / "data", source), FACE) >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("source", ["sign_digits", "asl_photos"])
def test_a_colour_picture_becomes_its_number(shared: Path, source: str, tmp_path: Path) -> None:
    numbers(shared / "data", source, tmp_path / source)
    report = evaluate(load("combined"), open_set(tmp_path / source, "classify"), resamples=0).report
    accuracy = next(row for row in report if row.name == "accuracy")
    assert accuracy.value >= 0.95


def test_a_picture_without_a_hand_has_no_hand_and_no_number() -> None:
    ramp = np.linspace(30, 200, 640).astype(np.uint8)
    picture = np.repeat(np.repeat(ramp[None, :, None], 480, axis=0), 3, axis=2)
    assert load("combined").predict(Frame(picture)).value == ()
    mask = load("segment").predict(Frame(picture)).value
    assert isinstance(mask, Mask)
    assert mask.fraction("hand") < 0.01
    assert mask.hidden() is None or mask.fraction("face") < 0.01


def test_the_models_of_masks_stay_small() -> None:
    assert (SHIPPED / "segment.onnx").stat().st_size <= 6_000_000
    assert not list(SHIPPED.glob("*.safetensors"))  # they are in the package handlens-weights
