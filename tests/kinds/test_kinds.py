"""The kinds: encode and decode are each other's inverse, through every resize rule."""

from dataclasses import replace

import cv2
import numpy as np
import pytest

from handlens import card as card_module
from handlens.boxes import iou
from handlens.card import ModelCard
from handlens.errors import ModelError
from handlens.kinds import KINDS, classify, detect, segment
from handlens.kinds.contact import FaceView
from handlens.preprocess import resize
from handlens.tasks.answering import ANSWERING
from handlens.types import Detections, Hand, Label, Mask

RULES = ["stretch", "letterbox", "fit"]
SOURCES = [(96, 96), (48, 64), (480, 640), (333, 191)]


def card(kind, names, rule="fit", size=(96, 96), **fields):
    return ModelCard("m", "touch", kind, names, size, rule, **fields)


def geometry_of(height, width, the_card):
    return resize(np.zeros((height, width, 3), np.uint8), the_card)[1]


class TestDetect:
    NAMES = ("face", "hand", "chin")

    def asked(self, boxes, scores, min_score=None, **fields):
        """What is decoded from these boxes and scores, one network pixel being one source pixel."""
        the_card = card("detect", self.NAMES, "stretch", (100, 100), **fields)
        outputs = {"boxes": np.array([boxes], np.float32), "scores": np.array([scores], np.float32)}
        return detect.decode(outputs, the_card, geometry_of(100, 100, the_card), min_score)

    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize(("height", "width"), SOURCES)
    def test_round_trip(self, rule, height, width):
        the_card = card("detect", self.NAMES, rule)
        geometry = geometry_of(height, width, the_card)
        boxes = np.array([[0, 0, 0.5, 0.5], [0.4, 0.3, 0.9, 1.0], [0.1, 0.2, 0.3, 0.35]]) * ([width, height] * 2)
        told = Detections(boxes, [0.9, 0.8, 0.7], [0, 1, 2], self.NAMES)
        found = detect.decode(detect.encode(told, geometry), the_card, geometry)
        assert np.allclose(found.xyxy, told.xyxy, atol=1e-2)
        assert np.allclose(found.score, told.score)
        assert found.label_names == told.label_names

    def test_nothing_comes_back_as_nothing(self):
        the_card = card("detect", self.NAMES)
        geometry = geometry_of(50, 50, the_card)
        assert len(detect.decode(detect.encode(Detections.empty(self.NAMES), geometry), the_card, geometry)) == 0

    def test_of_two_boxes_of_one_label_on_one_place_the_better_stays(self):
        found = self.asked([[10, 10, 50, 50], [12, 12, 52, 52]], [[0.6, 0, 0], [0.9, 0, 0]])
        assert found.xyxy.tolist() == [[12, 12, 52, 52]]

    def test_a_hand_right_over_a_face_keeps_both(self):
        found = self.asked([[10, 10, 50, 50], [12, 12, 52, 52]], [[0.6, 0, 0], [0, 0.9, 0]])
        assert found.label_names == ["hand", "face"]

    def test_the_card_says_how_much_overlap_is_one_thing(self):
        boxes, scores = [[10, 10, 50, 50], [12, 12, 52, 52]], [[0.6, 0, 0], [0.9, 0, 0]]
        assert len(self.asked(boxes, scores, options={"nms": 0.95})) == 2

    def test_each_label_has_its_threshold_and_a_flag_goes_before_all(self):
        boxes, scores = [[10, 10, 50, 50], [60, 60, 90, 90]], [[0.5, 0, 0], [0, 0.5, 0]]
        assert self.asked(boxes, scores, thresholds={"face": 0.6}).label_names == ["hand"]
        assert self.asked(boxes, scores, thresholds={"score": 0.6}).label_names == []
        assert len(self.asked(boxes, scores, min_score=0.4, thresholds={"score": 0.6})) == 2
        assert len(self.asked(boxes, scores, min_score=0.0)) == 2  # a score of 0 is never a find

    def test_boxes_are_clipped_and_those_outside_are_dropped(self):
        found = self.asked([[-20, -20, 30, 30], [110, 110, 150, 150]], [[0.9, 0, 0], [0.9, 0, 0]])
        assert found.xyxy.tolist() == [[0, 0, 30, 30]]

    def test_numbers_that_are_none_are_dropped(self):
        nan = float("nan")
        found = self.asked([[nan, 0, 9, 9], [0, 0, 9, 9], [20, 20, 40, 40]], [[0.9, 0, 0], [nan, 0, 0], [0.9, 0, 0]])
        assert found.xyxy.tolist() == [[20, 20, 40, 40]]

    def test_arrays_of_another_shape_are_a_wrong_model(self):
        with pytest.raises(ModelError, match=r"'scores' should have the shape \(1, 1, 3\), but has \(1, 1, 2\)"):
            self.asked([[0, 0, 9, 9]], [[0.9, 0]])


class TestClassify:
    NAMES = ("fist", "palm", "3")

    def test_round_trip_with_angles(self):
        the_card = card("classify", self.NAMES)
        told = [
            Label("palm", 0.7, {"fist": 0.1, "palm": 0.7, "3": 0.2}, angle=-12.5),
            Label("3", 0.8, {"fist": 0.1, "palm": 0.1, "3": 0.8}, angle=179.0),
        ]
        found = classify.decode(classify.encode(told, self.NAMES), the_card)
        for label, back in zip(told, found, strict=True):
            assert back.name == label.name
            assert back.score == pytest.approx(label.score)
            assert back.scores == pytest.approx(label.scores)
            assert back.angle == pytest.approx(label.angle, abs=1e-3)

    def test_a_truth_has_all_its_probability_on_its_name_and_no_angle_stays_none(self):
        outputs = classify.encode([Label("3", 1.0)], self.NAMES)
        assert outputs["probabilities"].tolist() == [[0, 0, 1]]
        (back,) = classify.decode(outputs, card("classify", self.NAMES))
        assert (back.name, back.angle) == ("3", None)

    @pytest.mark.parametrize("names", [NAMES, NAMES[:2]])
    def test_round_trip_through_a_calibration(self, names):
        tuned = {"a": 0.6, "b": -1.3}
        rows = np.random.default_rng(0).dirichlet(np.ones(len(names)), 20)
        told = [Label(names[r.argmax()], r.max(), dict(zip(names, r.tolist(), strict=True))) for r in rows]
        outputs = classify.encode(told, names, tuned)
        assert not np.allclose(outputs["probabilities"], rows, atol=0.02)
        for label, back in zip(told, classify.decode(outputs, card("classify", names, calibration=tuned)), strict=True):
            assert back.name == label.name
            assert back.scores == pytest.approx(label.scores, abs=1e-5)
        truth = classify.encode([Label(names[1], 1.0)], names, tuned)
        assert classify.decode(truth, card("classify", names, calibration=tuned))[0].score == pytest.approx(1, abs=1e-4)

    def test_of_two_classes_the_cut_moves_and_of_many_only_how_sure(self):
        tuned = {"a": 2.0, "b": 1.0}
        outputs = {"probabilities": np.array([[0.6, 0.4], [0.9, 0.1]], np.float32)}
        first, second = classify.decode(outputs, card("classify", ("no", "yes"), calibration=tuned))
        assert (first.name, second.name) == ("yes", "no")
        assert first.score == pytest.approx(1 / (1 + np.exp(-(2 * np.log(0.4 / 0.6) + 1))))
        outputs = {"probabilities": np.array([[0.5, 0.3, 0.2]], np.float32)}
        (label,) = classify.decode(outputs, card("classify", self.NAMES, calibration=tuned))
        assert label.scores == pytest.approx({"fist": 25 / 38, "palm": 9 / 38, "3": 4 / 38})

    def test_what_was_never_thought_of_stays_a_number(self):
        outputs = {"probabilities": np.array([[1, 0], [0, 0]], np.float32)}
        for label in classify.decode(outputs, card("classify", ("a", "b"), calibration={"a": 5.0, "b": 9.0})):
            assert sum(label.scores.values()) == pytest.approx(1)

    def test_arrays_of_another_shape_are_a_wrong_model(self):
        with pytest.raises(ModelError, match=r"'probabilities' should have the shape \(n, 3\)"):
            classify.decode({"probabilities": np.zeros((1, 2), np.float32)}, card("classify", self.NAMES))


class TestSegment:
    NAMES = ("background", "hand", "face")

    def mask(self, height, width):
        """An ellipse of a face with a box of a hand over it."""
        y, x = np.mgrid[0:height, 0:width]
        classes = np.zeros((height, width), np.uint8)
        classes[((x / width - 0.5) / 0.3) ** 2 + ((y / height - 0.4) / 0.35) ** 2 < 1] = 2
        classes[int(height * 0.5) : int(height * 0.9), int(width * 0.3) : int(width * 0.6)] = 1
        return Mask(classes, self.NAMES)

    def overlap(self, first, second, name):
        a, b = (mask.classes == self.NAMES.index(name) for mask in (first, second))
        return (a & b).sum() / (a | b).sum()

    @pytest.mark.parametrize("rule", RULES)
    @pytest.mark.parametrize(("height", "width"), SOURCES)
    def test_round_trip(self, rule, height, width):
        the_card = card("segment", self.NAMES, rule)
        geometry = geometry_of(height, width, the_card)
        told = self.mask(height, width)
        back = segment.decode(segment.encode(told, geometry), the_card, geometry)
        assert back.classes.shape == (height, width)
        at_least = 1.0 if max(height, width) <= 96 else 0.95  # a picture shrunk fivefold loses its edges
        assert self.overlap(told, back, "hand") >= at_least
        assert self.overlap(told, back, "face") >= at_least

    def test_a_map_at_half_the_resolution_is_blown_up_in_place(self):
        the_card = card("segment", self.NAMES, "letterbox")
        geometry = geometry_of(48, 96, the_card)
        told = self.mask(48, 96)
        full = segment.encode(told, geometry)["probabilities"]
        half = full.reshape(1, 3, 48, 2, 48, 2).mean(axis=(3, 5))
        back = segment.decode({"probabilities": np.ascontiguousarray(half)}, the_card, geometry)
        assert self.overlap(told, back, "hand") >= 0.95

    @pytest.mark.parametrize(("cells", "most"), [(8, 0.095), (16, 0.13), (32, 0.17)])
    def test_edges_of_coarse_maps_are_smooth(self, cells, most):
        side = 384
        the_card = card("segment", self.NAMES, "stretch")
        y, x = np.mgrid[0:side, 0:side] - (side - 1) / 2
        disc = (np.hypot(x, y) < 100).astype(np.float32)
        share = disc.reshape(cells, side // cells, cells, side // cells).mean(axis=(1, 3))  # as an ideal net says it
        maps = np.stack([1 - share, share, 0 * share])[None]
        back = segment.decode({"probabilities": maps}, the_card, geometry_of(side, side, the_card))
        edge = back.classes.astype(int) - cv2.erode(back.classes, np.ones((3, 3), np.uint8))
        off = np.abs(np.hypot(x, y)[edge > 0] - 100)
        assert off.max() < most * side / cells  # where linear interpolation is all: 0.109, 0.137, 0.184 of a cell
        assert back.score[side // 2, side // 2] == 255
        assert np.array_equal(back.classes > 0, back.classes[::-1, ::-1] > 0)

    def test_what_a_part_shares_with_its_whole_is_no_doubt(self):
        said = np.array([0.1, 0.45, 0.05, 0.4], np.float32)  # background, hand, face, forearm
        maps = {"probabilities": np.ascontiguousarray(np.broadcast_to(said[None, :, None, None], (1, 4, 16, 16)))}
        names = ("background", "hand", "face", "forearm")
        plain = card("segment", names, "stretch")
        joined = replace(plain, options={"part": 3.0, "whole": 1.0})
        geometry = geometry_of(32, 32, plain)
        for the_card, least in ((plain, 0.45), (joined, 0.85)):
            mask = segment.decode(maps, the_card, geometry)
            assert (mask.classes == 1).all()
            assert mask.score.mean() / 255 == pytest.approx(least, abs=0.01)
        assert not segment.decode(maps, plain, geometry).surer(0.7).classes.any()
        assert (segment.decode(maps, joined, geometry).surer(0.7).classes == 1).all()

    def test_strips_are_seamless(self, monkeypatch):
        the_card = card("segment", self.NAMES)
        geometry = geometry_of(333, 191, the_card)
        outputs = segment.encode(self.mask(333, 191), geometry)
        whole = segment.decode(outputs, the_card, geometry)
        monkeypatch.setattr(segment, "STRIP", 10_000)
        assert np.array_equal(segment.decode(outputs, the_card, geometry).classes, whole.classes)

    def test_a_pixel_to_be_ignored_has_no_class(self):
        the_card = card("segment", self.NAMES, "stretch")
        mask = Mask(np.full((96, 96), 255, np.uint8), self.NAMES)
        assert segment.encode(mask, geometry_of(96, 96, the_card))["probabilities"].max() == 0


def test_iou_of_known_boxes():
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6]], np.float32)
    assert np.allclose(iou(boxes, boxes), [[1, 1 / 3, 0], [1 / 3, 1, 0], [0, 0, 1]])


class TestContact:
    def test_round_trip(self):
        rng = np.random.default_rng(0)
        the_card = card("contact", ("face", "hand", "chin", "cheek"), "stretch", (32, 32))
        ways = [geometry_of(40, 60, the_card), geometry_of(20, 20, the_card)]
        told = [
            FaceView(*(rng.random(shape, np.float32) for shape in ((8, 8), (3, 8, 8), (2,))), float(i) - 0.5, way)
            for i, way in enumerate(ways)
        ]
        kind = KINDS["contact"]
        back = kind.decode(kind.encode(told, the_card, ways), the_card, ways)
        assert [view.touch_logit for view in back] == [-0.5, 0.5]
        for ours, theirs in zip(back, told, strict=True):
            for name in ("hand", "regions", "scores"):
                assert np.array_equal(getattr(ours, name), getattr(theirs, name))


class TestCombined:
    CARD = card("combined", ("one", "two"), "letterbox", (96, 128), options={"hand": 1.0})

    def hand(self, x, y, radius, name, angle):
        rows, columns = np.mgrid[y - radius : y + radius, x - radius : x + radius]
        disc = (np.hypot(rows - y + 0.5, columns - x + 0.5) < radius).astype(np.uint8)
        scores = {"one": 0.1, "two": 0.1} | {name: 0.9}
        return Hand(
            np.array([x - radius, y - radius, x + radius, y + radius]),
            Label(name, 0.9, scores, angle),
            angle,
            mask=disc,
        )

    def test_all_hands_of_all_pictures_come_back(self):
        told = [
            (self.hand(80, 40, 25, "two", 30.0), self.hand(30, 60, 15, "one", -170.0)),
            (),
            (self.hand(60, 50, 20, "one", 5.0),),
        ]
        ways, kind = [geometry_of(96, 128, self.CARD)] * 3, KINDS["combined"]
        outputs = kind.encode(told, self.CARD, ways)
        assert outputs["found"].tolist() == [True, False, True]
        assert outputs["picture"].tolist() == [0, 0, 2]
        back = kind.decode(outputs, self.CARD, ways)
        assert [len(hands) for hands in back] == [2, 0, 1]
        for ours, theirs in zip(back, told, strict=True):
            for hand, true in zip(ours, theirs, strict=True):
                assert hand.xyxy.tolist() == true.xyxy.tolist()
                assert hand.gesture.name == true.gesture.name
                assert hand.angle == pytest.approx(true.angle, abs=1e-3)
                assert (hand.mask != true.mask).mean() < 0.05

    def test_arrays_of_the_largest_hand_alone_give_one(self):
        told = (self.hand(80, 40, 25, "two", 30.0), self.hand(30, 60, 15, "one", -170.0))
        way, kind = geometry_of(96, 128, self.CARD), KINDS["combined"]
        outputs = kind.encode([told], self.CARD, [way])
        del outputs["picture"]
        largest = {name: array if name == "mask" else array[:1] for name, array in outputs.items()}
        ((hand,),) = kind.decode(largest, self.CARD, [way])
        assert hand.gesture.name == "two"


def test_each_kind_of_a_card_has_its_object_and_its_answer():
    assert list(KINDS) == list(card_module.KINDS) == list(ANSWERING)
    assert all(kind.name == name and kind.outputs for name, kind in KINDS.items())


def test_the_objects_decode_batches_as_their_functions_decode_one():
    names = ("face", "hand")
    the_card = card("detect", names, "stretch", (50, 50))
    ways = [geometry_of(50, 100, the_card), geometry_of(200, 50, the_card)]
    told = [Detections([[0, 0, 20 + i, 30]], [0.9], [i], names) for i in (0, 1)]
    shown = KINDS["detect"].decode(KINDS["detect"].encode(told, the_card, ways), the_card, ways)
    assert [found.label_names for found in shown] == [["face"], ["hand"]]
    assert np.allclose(shown[1].xyxy, told[1].xyxy, atol=1e-3)
    labels = [Label("hand", 1.0), Label("face", 1.0)]
    the_card = card("classify", names)
    outputs = KINDS["classify"].encode(labels, the_card, ())
    assert [one.name for one in KINDS["classify"].decode(outputs, the_card, ())] == ["hand", "face"]
