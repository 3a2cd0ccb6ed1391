"""One predictor for every task: a Frame goes in, a Result in source pixels comes out, whatever model stands behind."""

import dataclasses

import numpy as np
import pytest
from fake_models import REGIONS, card, detector, frame
from tiny_models import CARD, brightness_model

import handlens
from handlens.errors import InputError, ModelError
from handlens.predictor import Predictor, load
from handlens.runner import FakeRunner
from handlens.tasks import contact, find
from handlens.types import Detections, Mask


class TestDetect:
    def test_a_result_tells_where_it_comes_from(self):
        result = Predictor(detector([], [], ("facetouch",))).predict(frame(60, 80))
        assert (result.task, result.model, result.index, result.time, result.source) == (
            "touch",
            "fake",
            3,
            0.25,
            "a.jpg",
        )
        assert (result.width, result.height) == (80, 60)

    def test_a_model_of_one_class_fills_the_same_fields(self):
        model = Predictor(detector([[10, 10, 50, 50]], [[0.9]], ("facetouch",)))
        value = model.predict(frame(200, 50)).to_json()["value"]
        box = {"label": "facetouch", "score": 0.9, "xyxy": [5, 20, 25, 100], "face": -1, "hand": -1}
        assert value == {"touch": 0.9, "boxes": [box]}

    def test_a_model_of_three_regions_fills_the_same_fields(self):
        boxes, scores = [[0, 0, 9, 9], [50, 50, 90, 90]], [[0.4, 0, 0], [0, 0, 0.6]]
        value = Predictor(detector(boxes, scores, ("cheek", "forehead", "chin"))).predict(frame()).to_json()["value"]
        assert [box["label"] for box in value["boxes"]] == ["chin", "cheek"]
        assert value["touch"] == 0.6

    def test_touched_regions_find_the_face_and_the_hand_they_lie_in(self):
        boxes = [[0, 0, 40, 40], [50, 0, 100, 60], [70, 30, 100, 90], [75, 40, 85, 55], [5, 5, 10, 10]]
        labels = [0, 0, 1, 2, 3]
        scores = np.zeros((5, 4))
        scores[range(5), labels] = [0.9, 0.8, 0.7, 0.6, 0.5]
        found = Predictor(detector(boxes, scores, REGIONS)).predict(frame()).value
        assert found.label_names == ["face", "face", "hand", "chin", "cheek"]
        assert found.face.tolist() == [-1, -1, -1, 1, 0]
        assert found.hand.tolist() == [-1, -1, -1, 2, -1]
        assert found.touch == pytest.approx(0.6)

    def test_of_two_faces_that_hold_a_region_the_tighter_one_owns_it(self):
        boxes = [[0, 0, 100, 100], [20, 20, 60, 60], [30, 30, 40, 40]]
        scores = [[0.9, 0, 0, 0], [0.8, 0, 0, 0], [0, 0, 0.7, 0]]
        assert Predictor(detector(boxes, scores, REGIONS)).predict(frame()).value.face.tolist() == [-1, -1, 1]

    def test_a_calibrated_card_gives_a_probability(self):
        calibration = {"a": 1.0, "b": -1.0}
        sure = detector([[0, 0, 9, 9]], [[0.5]], ("facetouch",), calibration=calibration)
        assert Predictor(sure).predict(frame()).value.touch == pytest.approx(1 / (1 + np.e))
        none = detector([], [], ("facetouch",), calibration=calibration)
        assert Predictor(none).predict(frame()).value.touch == 0.0

    def test_min_score_goes_before_the_card(self):
        model = Predictor(detector([[0, 0, 9, 9]], [[0.5]], ("facetouch",)))
        assert len(model.predict(frame(), min_score=0.6).value) == 0
        assert len(model.predict(frame()).value) == 1  # and does not stick

    @pytest.mark.parametrize("score", [-0.1, 1.5])
    def test_a_min_score_that_is_none_is_refused(self, score):
        with pytest.raises(InputError, match="between 0 and 1"):
            Predictor(detector([], [], ("facetouch",))).predict(frame(), min_score=score)


class TestContact:
    def contact(self, seen=None, **fields):
        def answer(batch):
            if seen is not None:
                seen.append(batch)
            n, s = len(batch), 16
            regions = np.zeros((n, 3, s, s), np.float32)
            regions[:, 0] = 1.0
            hand, scores = np.zeros((n, 1, s, s), np.float32), np.zeros((n, 2), np.float32)
            return {
                "hand": hand,
                "regions": regions,
                "touch_logit": np.full((n, 1), -9.0, np.float32),
                "region_scores": scores,
            }

        return FakeRunner(card("contact", ("chin", "nose"), size=(32, 32), **fields), answer)

    def test_it_needs_its_detector(self):
        with pytest.raises(ModelError, match="stands on a 'detector'"):
            Predictor(self.contact())

    def test_without_a_face_nothing_touches_and_the_contact_model_rests(self):
        seen = []
        hands = detector([[0, 0, 9, 9]], [[0, 0.9]], ("face", "hand"))
        found = Predictor(self.contact(seen), {"detector": hands}).predict(frame()).value
        assert found.touch == 0.0
        assert "hand" in found.label_names
        assert seen == []

    def test_the_largest_and_surest_faces_go_first_and_only_so_many(self):
        boxes = [[0, 0, 10, 10], [0, 0, 50, 50], [0, 0, 5, 5], [60, 60, 90, 90]]
        found = Detections(boxes, [0.9, 0.5, 0.9, 0.4], [0, 0, 0, 1], ("face", "hand"))
        assert contact.chosen_faces(found, 2).tolist() == [1, 0]


class TestOtherKinds:
    def test_segment_answers_with_a_mask_in_source_size(self):
        maps = np.zeros((1, 2, 50, 50), np.float32)
        maps[0, 0, :, :25], maps[0, 1, :, 25:] = 1, 1
        model = Predictor(FakeRunner(card("segment", ("background", "hand"), "segment"), {"probabilities": maps}))
        value = model.predict(frame(30, 40)).value
        assert isinstance(value, Mask)
        assert value.boxes("hand").tolist() == [[20, 0, 40, 30]]


class TestLoad:
    def test_a_file_answers_a_picture(self, tmp_path):
        model = load(brightness_model(tmp_path / "m.onnx"))
        bright, dark = (model.predict(frame(120, 160, value)).value for value in (255, 10))
        assert bright.label_names == ["cheek", "face", "hand"]
        assert bright.face.tolist() == [1, -1, -1]
        assert bright.hand.tolist() == [2, -1, -1]
        assert dark.label_names == ["face", "hand"]

    def test_the_parts_lie_beside_the_model(self, tmp_path):
        brightness_model(tmp_path / "finder.onnx")
        path = brightness_model(tmp_path / "m.onnx", dataclasses.replace(CARD, parts={"detector": "finder"}))
        assert load(path).parts["detector"].card == CARD
        (tmp_path / "finder.onnx").unlink()
        with pytest.raises(ModelError, match="unknown model 'finder'"):
            load(path)

    @pytest.mark.parametrize(("height", "width"), [(1, 1), (1, 2000), (3000, 2)])
    def test_the_smallest_and_thinnest_pictures_are_answered(self, tmp_path, height, width):
        model = handlens.load(brightness_model(tmp_path / "m.onnx"))
        assert model.predict(frame(height, width)).to_json()["width"] == width


def test_tasks_are_found_by_their_names():
    assert [find(name).name for name in ("Touch", "GESTURE", "combined")] == ["touch", "gesture", "combined"]
    with pytest.raises(InputError, match="unknown task 'tuch': did you mean 'touch'"):
        find("tuch")
