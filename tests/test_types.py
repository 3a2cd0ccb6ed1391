"""The values: they refuse what contradicts itself, keep owners right, and say what CONTRACT.md says as JSON."""

import json

import numpy as np
import pytest

from handlens.report import Report, Row
from handlens.result import Result
from handlens.types import Detections, Event, Frame, Hand, Label, Mask

NAMES = ("face", "hand", "chin", "cheek")


def scene() -> Detections:
    """A face, a hand, and a chin of that face touched by that hand."""
    return Detections(
        xyxy=[[0, 0, 100, 100], [60, 60, 120, 120], [60, 70, 80, 100]],
        score=[0.9, 0.8, 0.7],
        label=[0, 1, 2],
        names=NAMES,
        face=[-1, -1, 0],
        hand=[-1, -1, 1],
    )


def result(task: str, value: object) -> Result:
    return Result(task, 12, 0.5005, value, "clip.mp4", 640, 480, "m")


class TestFrame:
    def test_a_frame_knows_its_size(self):
        frame = Frame(np.zeros((3, 5, 3), np.uint8))
        assert (frame.width, frame.height, frame.index, frame.time) == (5, 3, 0, 0.0)

    def test_a_flipped_view_becomes_contiguous(self):
        image = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
        frame = Frame(image[:, ::-1])
        assert frame.image.flags.c_contiguous
        assert np.array_equal(frame.image, image[:, ::-1])

    @pytest.mark.parametrize("image", [np.zeros((4, 4), np.uint8), np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4, 3))])
    def test_another_shape_or_type_is_refused_with_both_named(self, image):
        with pytest.raises(ValueError, match=r"expected \(H, W, 3\) uint8 RGB, got \(4, 4"):
            Frame(image)

    def test_a_picture_without_pixels_is_refused(self):
        with pytest.raises(ValueError, match="at least one pixel"):
            Frame(np.zeros((0, 4, 3), np.uint8))


class TestDetections:
    def test_lists_become_arrays_of_the_promised_types(self):
        found = scene()
        assert found.xyxy.dtype == np.float32
        assert found.score.dtype == np.float32
        assert found.label.dtype == found.face.dtype == found.id.dtype == np.int64
        assert found.label_names == ["face", "hand", "chin"]

    def test_owners_and_identities_left_out_are_minus_one(self):
        found = Detections([[0, 0, 1, 1]], [1], [0], ("face",))
        assert found.face.tolist() == found.hand.tolist() == found.id.tolist() == [-1]

    def test_nothing_found_is_no_rows(self):
        found = Detections.empty(NAMES)
        assert len(found) == 0
        assert found.xyxy.shape == (0, 4)
        assert found.best_touch == 0.0
        assert len(found.select([])) == len(found.select(np.zeros(0, bool))) == 0

    def test_shapes_that_disagree_are_refused_with_both_named(self):
        with pytest.raises(ValueError, match=r"Detections.score: expected shape \(1,\), got \(2,\)"):
            Detections([[0, 0, 1, 1]], [1, 1], [0], ("face",))
        with pytest.raises(ValueError, match=r"Detections.xyxy: expected shape \(1, 4\), got \(1, 3\)"):
            Detections([[0, 0, 1]], [1], [0], ("face",))

    def test_a_label_without_a_name_is_refused(self):
        with pytest.raises(ValueError, match="expected 0 to 0"):
            Detections([[0, 0, 1, 1]], [1], [1], ("face",))

    def test_an_owner_that_is_no_row_is_refused(self):
        with pytest.raises(ValueError, match=r"Detections\.face: expected rows -1 to 0"):
            Detections([[0, 0, 1, 1]], [1], [0], ("face",), face=[1])

    def test_a_touch_that_is_no_probability_is_refused(self):
        with pytest.raises(ValueError, match="expected 0 to 1"):
            Detections.empty(NAMES, touch=1.5)

    def test_select_keeps_the_owners(self):
        kept = scene().select([2, 0])
        assert kept.label_names == ["chin", "face"]
        assert kept.face.tolist() == [1, -1]
        assert kept.hand.tolist() == [-1, -1]  # the hand was dropped

    def test_select_of_nothing_is_nothing(self):
        assert len(scene().select([])) == len(scene().select(np.zeros(3, bool))) == 0

    def test_select_takes_a_mask_of_rows(self):
        found = scene()
        assert found.select(found.of("hand", "chin")).label_names == ["hand", "chin"]
        assert found.select([True, False, False]).label_names == ["face"]

    def test_without_a_calibrated_touch_the_best_region_speaks(self):
        assert scene().best_touch == pytest.approx(0.7)
        assert scene().select([0, 1]).best_touch == 0.0


class TestMask:
    def test_each_connected_part_has_a_box_largest_first(self):
        classes = np.zeros((10, 20), np.uint8)
        classes[1:3, 2:5] = 1
        classes[4:9, 10:18] = 1
        classes[0, 0] = 2
        mask = Mask(classes, ("background", "hand", "face"))
        assert mask.boxes("hand").tolist() == [[10, 4, 18, 9], [2, 1, 5, 3]]
        assert mask.boxes("face").tolist() == [[0, 0, 1, 1]]
        assert mask.fraction("hand") == pytest.approx(46 / 200)

    def test_no_pixel_of_a_class_is_no_box(self):
        mask = Mask(np.zeros((4, 4), np.uint8), ("background", "hand"))
        assert mask.boxes("hand").shape == (0, 4)

    def test_an_unknown_class_is_refused(self):
        with pytest.raises(ValueError, match="no class 'hnad'; known: background"):
            Mask(np.zeros((4, 4), np.uint8), ("background",)).boxes("hnad")


class TestJson:
    def test_touch(self):
        line = result("touch", scene()).to_json()
        assert line == {
            "source": "clip.mp4",
            "frame": 12,
            "time": 0.5005,
            "width": 640,
            "height": 480,
            "model": "m",
            "task": "touch",
            "value": {
                "touch": 0.7,
                "boxes": [
                    {"label": "face", "score": 0.9, "xyxy": [0, 0, 100, 100], "id": -1},
                    {"label": "hand", "score": 0.8, "xyxy": [60, 60, 120, 120], "id": -1},
                    {"label": "chin", "score": 0.7, "xyxy": [60, 70, 80, 100], "face": 0, "hand": 1},
                ],
            },
        }
        assert json.loads(json.dumps(line)) == line

    def test_nothing_found(self):
        assert result("touch", Detections.empty(NAMES)).to_json()["value"] == {"touch": 0.0, "boxes": []}

    def test_a_calibrated_touch_goes_before_the_scores(self):
        assert result("touch", Detections.empty(NAMES, touch=0.25)).to_json()["value"]["touch"] == 0.25

    def test_hold(self):
        label = Label("object", 0.97, {"nothing": 0.03, "object": 0.97})
        hands = result("hold", (Hand([1, 2, 3, 4], label),)).to_json()["value"]
        scores = {"nothing": 0.03, "object": 0.97}
        assert hands == {"hands": [{"xyxy": [1, 2, 3, 4], "label": "object", "score": 0.97, "scores": scores}]}

    def test_a_label_of_the_whole_picture_is_the_one_hand(self):
        hands = result("hold", Label("object", 0.97)).to_json()["value"]["hands"]
        assert [hand["xyxy"] for hand in hands] == [[0, 0, 640, 480]]

    def test_gesture_has_an_angle_or_null(self):
        turned, unknown = Label("3", 0.9, {"3": 0.9}, angle=-12.5), Label("3", 0.9, {"3": 0.9})
        value = result("gesture", (Hand([1, 2, 3, 4], turned), Hand([1, 2, 3, 4], unknown))).to_json()["value"]
        assert [hand["angle"] for hand in value["hands"]] == [-12.5, None]

    def test_a_hand_that_is_followed_has_its_number(self):
        (hand,) = result("hold", (Hand([1, 2, 3, 4], Label("object", 0.97), id=3),)).to_json()["value"]["hands"]
        assert hand["id"] == 3

    def test_segment(self):
        classes = np.zeros((10, 10), np.uint8)
        classes[:5, :2] = 1
        value = result("segment", Mask(classes, ("background", "hand", "face"))).to_json(mask="out/1.png")["value"]
        assert value == {
            "mask": "out/1.png",
            "names": ["background", "hand", "face"],
            "fraction": {"hand": 0.1, "face": 0.0},
            "boxes": [{"label": "hand", "xyxy": [0, 0, 2, 5]}],
        }

    def test_combined(self):
        hand = Hand([1, 2, 3, 4], Label("3", 0.9), angle=-12.5)
        box = {"xyxy": [1, 2, 3, 4], "label": "3", "score": 0.9, "scores": {}, "angle": -12.5, "mask": None}
        assert result("combined", (hand,)).to_json()["value"] == {"hand_found": True, "hands": [box]}
        assert result("combined", ()).to_json()["value"] == {"hand_found": False, "hands": []}


def test_an_event_cannot_stop_before_it_starts():
    with pytest.raises(ValueError, match="before start"):
        Event("touch", "chin", "face 1", 2.0, 1.0, 20, 10, 0.9)


def test_a_report_is_a_table_and_json():
    report = Report([Row("F1", 0.9, 0.85, 0.94, 120)])
    assert report["F1"].value == 0.9
    assert str(report).splitlines()[1].split() == ["F1", "0.9000", "0.8500", "0.9400", "120"]
    assert report.to_json() == [{"name": "F1", "value": 0.9, "low": 0.85, "high": 0.94, "n": 120}]
