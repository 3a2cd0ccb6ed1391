"""Things at the face, sides and doubt: from a contact model's arrays to JSON, events, words and pictures."""

import dataclasses

import numpy as np
import pytest

from handlens.card import ModelCard
from handlens.cli.console import verdict
from handlens.events import EventTracker
from handlens.io.draw import draw
from handlens.result import Result
from handlens.runner import FakeRunner
from handlens.summary import Summary
from handlens.tasks.contact import composed, looked_at
from handlens.types import Detections, Frame
from tests.contact_fakes import CONTACT, REGIONS, contact

DOUBT = {"unsure_from": 0.3, "unsure_to": 0.8}
FRAME = Frame(np.full((240, 320, 3), 90, np.uint8), "clip.mp4")
FOUND = Detections([[100, 60, 180, 150]], [0.99], [0], ("face", "hand"))  # type: ignore[arg-type]


def seeing(logit: float, right: float = 0.9, card: ModelCard = CONTACT) -> FakeRunner:
    """A contact model that sees a chin, a thing at the mouth, and the touch in the right half of the picture."""
    arrays = contact([logit]).run(np.zeros((1, 3, 160, 160), np.float32))
    sides = np.full((1, 7, 2), 0.5, np.float32)
    sides[0, REGIONS.index("chin")] = (1 - right, right)
    return FakeRunner(card, {**arrays, "object_scores": np.array([[0.75, 0.1]], np.float32), "side_scores": sides})


def answered(runner: FakeRunner) -> Result:
    value, _ = composed(FRAME, runner, FOUND)
    return Result("touch", 0, 0.0, value, "clip.mp4", 320, 240, "touch", duration=0.5)


def test_things_and_sides_stand_in_the_json() -> None:
    value = answered(seeing(4.0)).to_json()["value"]
    face = next(box for box in value["boxes"] if box["label"] == "face")
    chin = next(box for box in value["boxes"] if box["label"] == "chin")
    assert (face["object_at_mouth"], face["object_at_face"]) == (0.75, 0.1)
    assert chin["side"] == "left"
    assert "unsure" not in value


def test_a_model_without_them_says_nothing_of_them() -> None:
    value = answered(contact([4.0])).to_json()["value"]
    assert not any({"side", "object_at_mouth"} & box.keys() for box in value["boxes"])


@pytest.mark.parametrize(("right", "side"), [(0.9, "left"), (0.1, "right"), (0.6, "")])
def test_the_right_half_of_the_picture_is_the_left_of_the_person(right: float, side: str) -> None:
    boxes = answered(seeing(4.0, right)).boxes
    assert [box.side for box in boxes if box.label == "chin"] == [side]


def test_an_event_names_the_side_that_had_most() -> None:
    tracker, closed = EventTracker(min_time=0.5, gap_time=0.5), []
    for index, right in enumerate((0.9, 0.9, 0.1, 0.9)):
        closed += tracker.update(dataclasses.replace(answered(seeing(4.0, right)), index=index, time=index / 2))
    assert [event.side for event in closed + tracker.finish()] == ["left"]


@pytest.mark.parametrize(("logit", "unsure"), [(4.0, False), (0.6, True), (-4.0, False)])
def test_a_doubtful_answer_is_called_unsure(logit: float, unsure: bool) -> None:
    card = dataclasses.replace(CONTACT, calibration={}, options=DOUBT)
    result = answered(seeing(logit, card=card))
    assert result.to_json()["value"]["unsure"] is unsure
    assert ("unsure" in verdict(result, 0.5)) is unsure


def things(names: tuple[str, ...], frame: Frame = FRAME) -> Result:
    """Return the answer of a detector that gives no probability of touch."""
    rows = len(names)
    boxes = np.tile(np.array([20, 20, 80, 80], np.float32), (rows, 1))
    found = Detections(boxes, np.linspace(0.6, 0.71, rows, dtype=np.float32), np.arange(rows), names)
    return Result("touch", 0, 0.0, found, "a.jpg", *frame.image.shape[1::-1], "theirs")


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (("phone", "cup"), "cup 71%, phone 60%"),
        (("left_cheek", "wange"), "touch 71%: wange, left_cheek"),
        (("other", "facetouch"), "touch 71%: facetouch, other"),
        (("face", "hand"), "no touch (0%), 1 face, 1 hand"),
        (("bear", "heart"), "heart 71%, bear 60%"),
    ],
)
def test_only_what_can_be_touched_is_called_a_touch(names: tuple[str, ...], said: str) -> None:
    assert verdict(things(names), 0.5) == said


def test_boxes_of_other_things_are_counted_as_boxes_and_drawn_without_the_bar_of_touches() -> None:
    nothing = dataclasses.replace(things(("cup",)), value=Detections.empty(("cup",)))
    assert verdict(nothing, 0.5) == "nothing found"
    summary = Summary()
    summary.add(things(("phone", "cup")))
    assert ("frames with a box", "1 (100%)") in summary.rows()
    assert not any("touch" in name for name, _ in summary.rows())
    frame = Frame(np.full((480, 640, 3), 90, np.uint8), "a.jpg")
    bars = [(draw(frame, things(names, frame))[-20:] != 90).any() for names in (("phone", "cup"), ("phone", "chin"))]
    assert bars == [False, True]


def test_the_drawing_names_the_thing() -> None:
    frame = Frame(np.full((480, 640, 3), 90, np.uint8), "a.jpg")
    found = dataclasses.replace(FOUND, xyxy=FOUND.xyxy * 2, touch=0.1, face_touch=[0.1])  # type: ignore[arg-type]
    seen = dataclasses.replace(found, face_thing=[[0.9, 0.0]])  # type: ignore[arg-type]
    plain, told = (draw(frame, Result("touch", 0, 0.0, v, "a.jpg", 640, 480, "touch")) for v in (found, seen))
    assert (plain != told).any()


def test_boxes_keep_their_things_and_sides_when_rows_are_chosen() -> None:
    value = answered(seeing(4.0)).value
    assert isinstance(value, Detections)
    kept = value.select(value.of("chin"))
    assert kept.side == ("left",)
    assert kept.face_thing is not None
    assert np.isnan(kept.face_thing).all()


def test_a_mirrored_second_look_swaps_the_sides() -> None:
    card = dataclasses.replace(CONTACT, options={"second_look": 1.0})
    crop = np.zeros((160, 160, 3), np.uint8)
    answer = looked_at(seeing(0.0, 0.9, card), [crop])  # the fake says the same of both looks
    np.testing.assert_allclose(answer["side_scores"][0, REGIONS.index("chin")], 0.5, atol=1e-6)
