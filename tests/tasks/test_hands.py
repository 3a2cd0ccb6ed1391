"""Each hand is judged by itself, a silhouette has one, and where there is no hand nothing is said."""

import numpy as np
import pytest
from hand_fakes import canvas, finder, judge
from tiny_models import hand_model

from handlens.errors import InputError, ModelError
from handlens.predictor import Predictor, load
from handlens.tasks.find_hands import single
from handlens.types import Detections, Frame


class TestSilhouettes:
    model = Predictor(judge(angle=30, options={"silhouette": 1.0}))

    @pytest.mark.parametrize("crop", ["hand", "whole"])
    def test_the_largest_white_shape_is_the_one_hand(self, crop):
        (hand,) = self.model.predict(canvas((10, 20, 40, 60), (80, 80, 90, 90)), crop=crop).value
        assert hand.xyxy.tolist() == [10, 20, 40, 60]
        assert hand.angle == pytest.approx(30)

    @pytest.mark.parametrize("size", [(8, 8), (50, 50), (64, 200), (720, 1280)])
    def test_a_blank_mask_is_no_hand_and_the_model_is_not_asked(self, size):
        seen = []
        model = Predictor(judge(seen=seen, options={"silhouette": 1.0}))
        for level in (0, 255):
            assert model.predict(Frame(np.full((*size, 3), level, np.uint8))).value == ()
        assert seen == []

    def test_a_few_specks_are_no_hand(self):
        assert self.model.predict(canvas((10, 10, 12, 12), (50, 50, 52, 52))).to_json()["value"] == {"hands": []}

    def test_a_mask_of_zeros_and_ones_is_read_as_black_and_white(self):
        frame = canvas((10, 20, 40, 60))
        (hand,) = self.model.predict(Frame(np.asarray(frame.image > 127, np.uint8))).value
        assert hand.xyxy.tolist() == [10, 20, 40, 60]

    def test_where_and_how_big_the_shape_is_makes_no_difference(self):
        frames = [canvas((10, 20, 40, 60)), canvas((300, 100, 420, 260), size=(480, 640))]
        first, second = (self.model.predict(frame).value[0].gesture.scores["bright"] for frame in frames)
        assert first == pytest.approx(second, abs=0.02)


class TestWhole:
    @pytest.mark.parametrize("crop", ["hand", "whole"])
    def test_nets_of_grey_pictures_see_the_whole_one_unless_it_is_blank(self, crop):
        model = Predictor(judge(options={"grey": 1.0}))
        (hand,) = model.predict(canvas((10, 10, 60, 60)), crop=crop).value
        assert hand.xyxy.tolist() == [0, 0, 100, 100]
        assert len(model.predict(canvas((10, 10, 60, 60), colour=60), crop=crop).value) == 1
        assert model.predict(canvas((10, 10, 60, 60), colour=10), crop=crop).value == ()
        assert model.predict(Frame(np.full((9, 9, 3), 255, np.uint8)), crop=crop).value == ()

    def test_a_model_that_learned_from_whole_pictures_looks_at_whole_pictures(self):
        model = Predictor(judge(options={"whole": 1.0}, parts={"detector": "finder"}))
        (hand,) = model.predict(canvas((10, 10, 60, 60))).value
        assert hand.xyxy.tolist() == [0, 0, 100, 100]

    def test_without_a_detector_only_the_whole_picture_can_be_judged(self):
        model = Predictor(judge("hold"))
        assert len(model.predict(canvas(), crop="whole").value) == 1
        with pytest.raises(InputError, match="no hand detector beside it; ask with --crop whole"):
            model.predict(canvas())
        with pytest.raises(InputError, match="unknown crop 'hole': did you mean 'whole'"):
            model.predict(canvas(), crop="hole")

    def test_the_detector_is_opened_where_it_is_needed_and_once(self):
        opened = []

        def open_part(name):
            opened.append(name)
            return finder(("hand", 0.9, 10, 10, 50, 50))

        model = Predictor(judge("hold", parts={"detector": "finder"}), opened=open_part)
        model.predict(canvas(), crop="whole")
        assert opened == []
        for _ in range(2):
            assert len(model.predict(canvas()).value) == 1
        assert opened == ["finder"]


class TestFoundHands:
    def ask(self, *rows, frame=None, min_score=None, seen=None, **fields):
        model = Predictor(judge("hold", seen=seen, **fields), {"detector": finder(*rows)})
        return model.predict(frame or canvas((50, 50, 100, 100)), min_score=min_score).value

    def test_the_surest_comes_first_each_with_what_its_own_place_shows(self):
        hands = self.ask(("hand", 0.6, 5, 5, 40, 40), ("hand", 0.9, 60, 60, 90, 90), ("face", 0.9, 0, 0, 99, 99))
        assert [hand.gesture.name for hand in hands] == ["bright", "dark"]
        assert hands[0].xyxy.tolist() == [60, 60, 90, 90]

    def test_hands_of_whose_label_it_is_less_sure_than_asked_are_left_out(self):
        rows = ("hand", 0.6, 5, 5, 40, 40), ("hand", 0.9, 60, 60, 90, 90)
        frame = canvas((30, 30, 100, 100))
        doubtful, sure = sorted(hand.gesture.score for hand in self.ask(*rows, frame=frame))
        assert len(self.ask(*rows, frame=frame, min_score=(doubtful + sure) / 2)) == 1
        assert len(self.ask(*rows, frame=frame, min_score=doubtful)) == 2

    def test_how_much_around_the_box_is_seen_says_the_card(self):
        shown = []
        for scale in (1.0, 3.0):
            self.ask(("hand", 0.9, 60, 60, 90, 90), seen=shown, options={"crop_scale": scale})
        close, wide = (batch.mean() for batch in shown)
        assert close == pytest.approx(1.0)
        assert wide < 0.9

    def test_a_part_of_a_hand_is_no_second_hand(self):
        whole, part, beside = (0, 0, 60, 60), (20, 20, 58, 58), (50, 0, 100, 60)
        found = Detections([whole, part, beside], [0.6, 0.9, 0.7], [0, 0, 0], ("hand",))
        assert single(found).tolist() == [list(beside), list(whole)]

    def test_a_faint_large_box_does_not_swallow_a_sure_small_one(self):
        found = Detections([[0, 0, 60, 60], [20, 20, 58, 58]], [0.3, 0.9], [0, 0], ("hand",))
        assert single(found).tolist() == [[20, 20, 58, 58]]

    def test_boxes_of_a_few_pixels_are_no_hands(self):
        assert self.ask(("hand", 0.9, 10, 10, 14, 16)) == ()


class TestCloseUp:
    FAINT = ("hand", 0.2, 55, 55, 95, 95)

    def ask(self, *rows, frame=None, **fields):
        fields = {"options": {"closeup": 1.0}, **fields}
        model = Predictor(judge(**fields), {"detector": finder(*rows)})
        return model.predict(frame or canvas((50, 50, 100, 100))).value

    def test_it_needs_the_option(self):
        assert self.ask(self.FAINT, options={}) == ()

    def test_the_surest_of_a_faint_box_and_the_whole_picture_counts(self):
        (hand,) = self.ask(self.FAINT)
        assert hand.xyxy.tolist() == [55, 55, 95, 95]
        (hand,) = self.ask(("hand", 0.2, 0, 0, 40, 40), frame=canvas((20, 0, 100, 100)))
        assert hand.xyxy.tolist() == [0, 0, 100, 100]

    def test_without_a_trace_of_a_hand_there_is_none(self):
        assert self.ask() == self.ask(("hand", 0.1, 55, 55, 95, 95)) == ()

    def test_where_the_model_is_not_sure_there_is_no_hand(self):
        half = canvas((0, 0, 100, 46), colour=255)
        trace = ("hand", 0.2, 20, 26, 60, 66)
        assert self.ask(trace, frame=half) == ()
        assert len(self.ask(trace, frame=half, thresholds={"closeup": 0.5})) == 1

    def test_a_sure_face_is_a_person_without_hands_and_a_doubtful_one_is_not(self):
        assert self.ask(self.FAINT, ("face", 0.8, 0, 0, 60, 60)) == ()
        assert len(self.ask(self.FAINT, ("face", 0.45, 0, 0, 60, 60))) == 1

    def test_a_part_of_a_hand_that_is_found_does_not_hide_the_rest(self):
        edge = ("hand", 0.5, 30, 30, 70, 70)  # half bright: the model cannot tell
        (hand,) = self.ask(edge, frame=canvas((50, 0, 100, 100), (0, 0, 100, 20)))
        assert hand.xyxy.tolist() == [30, 30, 70, 70]
        alone = self.ask(edge, frame=canvas((50, 0, 100, 100), (0, 0, 100, 20)), options={})[0]
        assert hand.gesture.score > alone.gesture.score

    def test_a_hand_that_is_found_counts_even_where_the_model_is_in_doubt(self):
        assert len(self.ask(("hand", 0.5, 30, 30, 70, 70), frame=canvas((50, 0, 100, 100)))) == 1

    @pytest.mark.parametrize("more", [("face", 0.8, 0, 0, 60, 60), ("hand", 0.6, 75, 75, 99, 99)])
    def test_among_people_or_with_two_hands_each_hand_is_seen_alone(self, more):
        dark, image = ("hand", 0.5, 0, 0, 30, 30), canvas((0, 46, 100, 100), (46, 0, 100, 46))
        hands = self.ask(dark, more, frame=image)
        assert [hand.gesture.name for hand in hands if hand.xyxy[0] == 0] == ["dark"]

    def test_a_small_hand_is_not_seen_close_up(self):
        small = ("hand", 0.5, 0, 0, 20, 20)
        (hand,) = self.ask(small, frame=canvas((0, 30, 100, 100), (30, 0, 100, 100)))
        assert hand.gesture.name == "dark"

    def test_a_blank_picture_stays_without_hands(self):
        assert self.ask(self.FAINT, frame=Frame(np.full((50, 50, 3), 255, np.uint8))) == ()


def test_a_file_with_a_detector_in_its_card_opens_it_beside_itself_or_not_at_all(tmp_path):
    path = hand_model(tmp_path / "hold.onnx", task="hold", parts={"detector": "finder"})
    model = load(path)
    assert model.predict(canvas(), crop="whole").value[0].gesture.name == "nothing"
    with pytest.raises(ModelError, match="unknown model 'finder'"):
        model.predict(canvas())
