"""Landmarks: arrays and hands are each other's inverse, and what a hand says of itself."""

import numpy as np
import pytest
from landmark_fakes import SIZE, answer, card, points_runner, shape

from handlens.boxes import square
from handlens.errors import ModelError
from handlens.kinds.landmarks import Landmarks, degrees, names_of
from handlens.preprocess import crop_box
from handlens.tasks.hands import classified_hands
from handlens.types import LANDMARKS, Frame, Hand, Label


def crops(*boxes):
    image = np.full((200, 300, 3), 255, np.uint8)
    return [crop_box(image, box, SIZE) for box in boxes]


def test_what_is_decoded_lies_where_the_crop_was_taken():
    box = np.array([100, 50, 180, 130], np.float32)
    ((_, way),) = crops(box)
    (hand,) = Landmarks().decode(answer(np.ones((1, 3, SIZE, SIZE), np.float32)), card(), [way])
    assert np.allclose(hand.landmarks[:, :2], [100, 50] + shape() * 80, atol=1e-3)
    assert np.allclose(hand.landmarks[:, 2], 0.8)
    assert hand.side == "right"
    assert hand.gesture.scores == pytest.approx({"left": 0.1, "right": 0.9})
    assert hand.angle == pytest.approx(0, abs=1e-4)  # the middle finger points up
    assert hand.pose["hold"].name == "object"
    assert hand.pose["thing"].name == "cup"
    assert hand.pose["sign"].name == "2"


def test_encode_is_the_inverse_of_decode():
    ways = [way for _, way in crops([100, 50, 180, 130], [-20, 0, 60, 80])]
    told = answer(np.ones((2, 3, SIZE, SIZE), np.float32))
    hands = Landmarks().decode(told, card(), ways)
    again = Landmarks().encode(hands, card(), ways)
    assert again.keys() == told.keys()
    for name, array in told.items():
        np.testing.assert_allclose(again[name], array, atol=1e-5)


@pytest.mark.parametrize(("tip", "angle"), [((0, -10), 0), ((-10, 0), 90), ((10, 0), -90), ((-5, -5), 45)])
def test_the_angle_counts_counter_clockwise_from_upright(tip, angle):
    points = np.zeros((21, 3), np.float32)
    points[9, :2] = tip
    assert degrees(points) == pytest.approx(angle)


def test_a_point_has_no_angle():
    assert degrees(np.zeros((21, 3), np.float32)) is None


def test_the_names_of_a_card_are_told_apart():
    assert names_of(card()) == {"hold": ("nothing", "object"), "thing": ("cup", "other"), "sign": ("0", "1", "2")}


def test_arrays_of_another_shape_are_a_wrong_model():
    told = answer(np.ones((1, 3, SIZE, SIZE), np.float32))
    told["landmarks"] = told["landmarks"][:, :20]
    with pytest.raises(ModelError, match="landmarks"):
        Landmarks().decode(told, card(), [crops([0, 0, 9, 9])[0][1]])


def test_there_is_a_name_for_each_landmark():
    assert len(LANDMARKS) == len(set(LANDMARKS)) == 21
    assert [LANDMARKS[n] for n in (0, 4, 8, 12, 16, 20)] == [
        "wrist", "thumb_tip", "index_tip", "middle_tip", "ring_tip", "little_tip",
    ]  # fmt: skip


def test_a_hand_refuses_landmarks_of_another_shape():
    with pytest.raises(ValueError, match="landmarks"):
        Hand(np.zeros(4), Label("left", 1.0), landmarks=np.zeros((20, 3)))


class Seen:
    """Finds two hands."""

    def __init__(self, *boxes):
        self.hands = np.array(boxes, np.float32)
        self.has_sure_face = True

    def find(self, frame, min_score=None):
        return self


def test_two_hands_cost_one_run_and_keep_their_boxes():
    runs = []
    runner = points_runner()
    plain = runner.run
    runner.run = lambda batch: runs.append(len(batch)) or plain(batch)
    boxes = [[10, 10, 60, 70], [150, 40, 250, 120]]
    frame = Frame(np.full((200, 300, 3), 255, np.uint8))
    hands = classified_hands(frame, runner, "hand", lambda: Seen(*boxes))
    assert runs == [2]
    assert [hand.xyxy.tolist() for hand in hands] == boxes
    for hand, around in zip(hands, square(np.array(boxes, np.float32), 1.2), strict=True):
        side = around[2] - around[0]
        assert np.allclose(hand.landmarks[:, :2], around[:2] + shape() * side, atol=1e-3)


def test_what_is_no_hand_is_left_out():
    frame = Frame(np.zeros((200, 300, 3), np.uint8))
    frame.image[:, 150:] = 255
    boxes = [[10, 10, 60, 70], [180, 40, 260, 120]]
    runner = points_runner(std=(255.0,) * 3, thresholds={"present": 0.5})
    (hand,) = classified_hands(frame, runner, "hand", lambda: Seen(*boxes))
    assert hand.xyxy.tolist() == boxes[1]
