"""The card: what is written into a model comes out again, and a card that contradicts itself is refused in words."""

import dataclasses
import json

import pytest

from handlens.card import ModelCard
from handlens.errors import ModelError

CARD = ModelCard(
    name="touch",
    task="touch",
    kind="detect",
    names=("face", "hand"),
    size=(256, 256),
    resize="fit",
    mean=(1.0, 2.0, 3.0),
    thresholds={"face": 0.4, "score": 0.3},
    calibration={"a": 2.0, "b": -1.0},
    parts={"detector": "facehand"},
    options={"max_faces": 6},
    data=("a", "b"),
    scores={"F1": 0.9},
)


def changed(**fields):
    return json.dumps({**json.loads(CARD.to_json()), **fields})


def test_a_card_comes_back_as_it_was_written():
    assert ModelCard.from_json(CARD.to_json()) == CARD


def test_optional_fields_may_be_left_out_and_required_ones_not():
    required = {name: json.loads(CARD.to_json())[name] for name in ("name", "task", "kind", "names", "size", "resize")}
    assert ModelCard.from_json(json.dumps(required)).std == (255.0, 255.0, 255.0)
    for name in required:
        with pytest.raises(ModelError, match=f"misses the key '{name}'"):
            ModelCard.from_json(json.dumps({k: v for k, v in required.items() if k != name}))


def test_an_unknown_key_is_refused_with_the_nearest_name():
    with pytest.raises(ModelError, match="unknown key 'tresholds': did you mean 'thresholds'"):
        ModelCard.from_json(changed(tresholds={}))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"size": [256]}, "'size' needs 2 numbers"),
        ({"size": [256, "256"]}, "'size' needs a list of two whole numbers"),
        ({"size": [0, 0]}, "at least 1"),
        ({"size": [128, 256]}, "needs a square size"),
        ({"mean": [0, float("nan"), 0]}, "'mean' needs a list of numbers"),
        ({"std": [1, 0, 1]}, "std must be above 0"),
        ({"kind": "detct"}, "did you mean 'detect'"),
        ({"resize": "crop"}, "unknown resize rule 'crop'"),
        ({"names": []}, "at least one label name"),
        ({"names": ["face", "face"]}, "none twice"),
        ({"names": "face"}, "a list of texts"),
        ({"stride": True}, "a whole number"),
        ({"thresholds": {"face": "high"}}, "an object of numbers"),
        ({"parts": {"detector": 1}}, "an object of texts"),
        ({"calibration": {"a": 1.0}}, "needs 'a' and 'b'"),
        ({"version": 1}, "'version' needs a text"),
    ],
)
def test_a_wrong_value_is_refused_in_words(fields, said):
    with pytest.raises(ModelError, match=said):
        ModelCard.from_json(changed(**fields))


@pytest.mark.parametrize("text", ["", "{", "[]", "3"])
def test_a_text_that_is_no_card_is_refused(text):
    with pytest.raises(ModelError, match="the model's card"):
        ModelCard.from_json(text)


def test_a_label_without_its_own_threshold_takes_the_common_one():
    assert (CARD.threshold("face"), CARD.threshold("hand")) == (0.4, 0.3)
    assert dataclasses.replace(CARD, thresholds={}).threshold("hand") == 0.25


def test_the_calibration_turns_a_logit_into_a_probability():
    assert CARD.calibrated(0.5) == pytest.approx(0.5)
    assert CARD.calibrated(1000.0) == 1.0
    assert CARD.calibrated(-1000.0) == 0.0
    assert dataclasses.replace(CARD, calibration={}).calibrated(0.0) == 0.5
