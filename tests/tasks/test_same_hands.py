"""The models of touch, signs and holding find the same hands in the same frame."""

import dataclasses

import numpy as np
import pytest
from contact_fakes import contact
from hand_fakes import canvas, finder, judge

import handlens
from handlens.card import ModelCard
from handlens.io.sources.open import open_source
from handlens.predictor import Predictor
from handlens.runner import FakeRunner
from handlens.types import Detections, Frame
from handlens.weights import demo_clip

FACE = ("face", 0.9, 30, 20, 60, 50)


def shipped(*rows: tuple[object, ...]) -> FakeRunner:
    """A detector that is called like the shipped one."""
    seen = finder(*rows)
    card = ModelCard("facehand", "touch", "detect", ("face", "hand"), (100, 100), "stretch", thresholds={"score": 0.4})
    return FakeRunner(card, seen.run)


def hands_of(found: object) -> list[list[float]]:
    if isinstance(found, Detections):
        return found.xyxy[found.of("hand")].tolist()
    assert isinstance(found, tuple)
    return [hand.xyxy.tolist() for hand in found]


def ask(frame: Frame, *rows: tuple[object, ...], logit: float = 3.0) -> list[list[list[float]]]:
    """The hands that the three tasks find, with the shipped detector seeing these rows."""
    signs = judge(options={"closeup": 1.0}, parts={"detector": "facehand"})
    hold = judge("hold", parts={"detector": "facehand"})
    helpers = {"touch": contact([logit]), "signs": signs}
    return [
        hands_of(Predictor(model, {"detector": shipped(*rows)}, helper=helpers.__getitem__).predict(frame).value)
        for model in (helpers["touch"], signs, hold)
    ]


def test_a_hand_that_only_the_contact_model_sees_at_the_face_is_found_by_all() -> None:
    touch, signs, hold = ask(canvas((0, 0, 50, 100)), FACE)
    assert touch == signs == hold
    assert len(touch) == 1


def test_a_part_of_a_hand_is_a_second_hand_to_nobody() -> None:
    rows = FACE, ("hand", 0.9, 0, 40, 60, 100), ("hand", 0.6, 5, 50, 40, 95)
    assert ask(canvas((0, 0, 50, 100)), *rows, logit=-9.0) == [[[0, 40, 60, 100]]] * 3


@pytest.mark.parametrize(("light", "hands"), [((50, 50, 100, 100), 1), ((0, 0, 100, 46), 0)])
def test_a_hand_close_up_is_confirmed_by_the_same_model(light: tuple[int, int, int, int], hands: int) -> None:
    touch, signs, hold = ask(canvas(light), ("hand", 0.3, 20, 26, 60, 66), logit=-9.0)
    assert touch == signs == hold
    assert len(touch) == hands


def test_models_of_ones_own_need_no_shipped_model() -> None:
    model = Predictor(judge("hold", parts={"detector": "mine"}), {"detector": finder(FACE)}, helper=lambda name: 1 / 0)
    assert model.predict(canvas()).value == ()


@pytest.mark.parametrize(("hand", "looks"), [((), [1, 1]), (("hand", 0.9, 0, 30, 60, 80), [1])])
def test_a_face_in_doubt_is_looked_at_again_for_a_hand_that_only_the_contact_model_sees(hand, looks) -> None:
    rows = [FACE, hand] if hand else [FACE]
    found = {}
    for name, model in (("touch", None), ("hold", judge("hold", parts={"detector": "facehand"}))):
        asked: list[int] = []
        known = contact([0.8])
        card = dataclasses.replace(known.card, options={"second_look": 1.6})

        def says(batch: np.ndarray, known: FakeRunner = known, asked: list[int] = asked) -> dict[str, np.ndarray]:
            asked.append(len(batch))
            return known.run(batch)

        at_faces = FakeRunner(card, says)
        helpers = {"touch": at_faces, "signs": judge(options={"closeup": 1.0})}
        predictor = Predictor(model or at_faces, {"detector": shipped(*rows)}, helper=helpers.__getitem__)
        found[name] = hands_of(predictor.predict(canvas((0, 0, 50, 100))).value)
        assert asked == ([1, 1] if name == "touch" else looks)
    assert found["touch"] == found["hold"]
    assert len(found["hold"]) == 1


@pytest.mark.slow
def test_the_shipped_models_agree_on_the_demo_clip() -> None:
    models = [handlens.load(name) for name in ("touch", "signs", "hold")]
    count = 0
    with open_source(demo_clip(), every=50) as source:
        for frame in source.frames():
            touch, signs, hold = (np.array(hands_of(model.predict(frame).value)).tolist() for model in models)
            assert touch == signs == hold, frame.time
            count += len(touch)
    assert count >= 3
