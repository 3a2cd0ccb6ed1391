"""The promises of io/draw.py: any result on any picture, never on the original."""

import numpy as np
import pytest
from media import NAMES, quadrants, touch_result

from handlens.io.draw import CALM, REGION, draw
from handlens.types import Detections, Frame, Hand, Label, Mask, Result, Value


def result(value: Value, task: str = "touch") -> Result:
    return Result(task, 0, 0.0, value, "x", 64, 48, "m")


@pytest.mark.parametrize("size", [(1, 1), (2, 3), (17, 400), (640, 480), (4000, 16), (1920, 1080)])
def test_any_size_can_be_drawn_on(size: tuple[int, int]) -> None:
    frame = Frame(quadrants(*size))
    drawn = draw(frame, touch_result(0.9))
    assert (drawn.shape, drawn.dtype) == (frame.image.shape, np.uint8)


def test_the_frame_itself_stays_as_it_was() -> None:
    frame = Frame(quadrants(320, 240))
    before = frame.image.copy()
    drawn = draw(frame, touch_result(0.9))
    assert np.array_equal(frame.image, before)
    assert not np.array_equal(drawn, before)


def test_boxes_outside_the_picture_are_cut_off() -> None:
    boxes = np.array([[-500, -500, 9000, 9000], [700, 700, 800, 800], [np.nan, 0, np.inf, 5]], np.float32)
    found = Detections(boxes, np.ones(3, np.float32), np.array([0, 1, 2]), NAMES)
    draw(Frame(quadrants(100, 100)), result(found))


def test_the_bar_is_as_full_as_the_touch_is_sure_and_changes_colour() -> None:
    frame = Frame(np.zeros((480, 640, 3), np.uint8))

    def bar(touch: float) -> np.ndarray:
        return draw(frame, result(Detections.empty(NAMES, touch=touch)))[-2]

    assert tuple(bar(1.0)[320]) == REGION
    calm = bar(0.01)[2].astype(int)
    assert np.abs(calm - CALM).max() < 4
    assert [int((bar(p).max(axis=1) > 100).sum()) // 64 for p in (0.25, 0.5, 0.75)] == [2, 5, 7]


@pytest.mark.parametrize(
    "value",
    [
        Label("object", 0.9, {"object": 0.9}, angle=12.0),
        (Hand(np.array([5, 5, 50, 40], np.float32), Label("3", 0.8)),),
        (),
        Mask(np.ones((240, 320), np.uint8), ("background", "hand")),
        Mask(np.ones((3, 3), np.uint8), ("background", "hand")),
        Detections.empty(("facetouch",)),
    ],
)
def test_every_kind_of_result_can_be_drawn(value: Value) -> None:
    assert draw(Frame(quadrants(320, 240)), result(value, "hold")).shape == (240, 320, 3)
