"""The promises of io/draw.py: any result on any picture, never on the original."""

import numpy as np
import pytest
from media import NAMES, quadrants, result, touch_result

from handlens.io.draw import CALM, HAND, REGION, draw
from handlens.types import Detections, Frame, Hand, Label, Mask, Value


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


@pytest.mark.parametrize(
    ("angle", "head"), [(0, (320, 160)), (90, (240, 240)), (-90, (400, 240)), (180, (320, 320)), (45, (263, 183))]
)
def test_the_arrow_points_up_and_turns_counter_clockwise(angle: float, head: tuple[int, int]) -> None:
    frame = Frame(np.zeros((480, 640, 3), np.uint8))
    label = Label("3", 0.9, angle=angle)

    def drawn(angle: float | None) -> np.ndarray:
        return draw(frame, result((Hand(np.array([220, 140, 420, 340], np.float32), label, angle),))).astype(int)

    box = np.array([220, 140, 420, 340])
    arrow = (np.abs(drawn(angle) - HAND).max(axis=2) < 40)[box[1] + 8 : box[3] - 8, box[0] + 8 : box[2] - 8]
    ys, xs = np.nonzero(arrow)
    x, y = xs + box[0] + 8, ys + box[1] + 8
    near = [np.hypot(x - px, y - py) < 25 for px, py in (head, (640 - head[0], 480 - head[1]))]
    assert near[0].sum() > 1.5 * near[1].sum() > 0  # a head is wider than a tail


@pytest.mark.parametrize(
    ("size", "times"), [((50, 50), 8), ((64, 64), 6), ((128, 128), 3), ((320, 240), 1), ((1, 1), 360), ((4, 1200), 1)]
)
def test_small_pictures_of_hands_are_enlarged_so_that_their_labels_can_be_read(
    size: tuple[int, int], times: int
) -> None:
    frame = Frame(np.zeros((size[1], size[0], 3), np.uint8))
    whole = np.array([0, 0, *size], np.float32)
    for value in ((Hand(whole, Label("3", 0.9), 30.0),), Label("3", 0.9), ()):
        drawn = draw(frame, result(value, "gesture"))
        assert drawn.shape == (size[1] * times, size[0] * times, 3)
        assert drawn.any() or min(size) < 8
