"""What lies under a hand: from the classes a net learns to the share of a face that hands hide."""

import json

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")

from handlens.card import ModelCard
from handlens.io.draw import draw
from handlens.predictor import Predictor
from handlens.result import Result, to_json
from handlens.runner import FakeRunner
from handlens.train.export.graphs import LayeredGraph
from handlens.types import Frame, Mask

NAMES = ("background", "hand", "face")


def test_a_hand_over_a_face_counts_as_hand_and_as_covered() -> None:
    class Net(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.log(torch.tensor([0.1, 0.2, 0.3, 0.4])).view(1, 4, 1, 1).expand(len(x), 4, 2, 2)

    graph = LayeredGraph(Net(), [*NAMES, "hand over face"])
    probabilities, covered = graph(torch.zeros(2, 3, 4, 4))
    assert probabilities.shape == (2, 3, 2, 2)
    assert probabilities[0, :, 0, 0].tolist() == pytest.approx([0.1, 0.6, 0.3])
    assert covered[1, 0, 1, 1].item() == pytest.approx(0.4)


def _asked() -> Result:
    """A face of 40 x 40 pixels whose lower half a hand covers; the hand goes on below it for 20 rows."""
    probabilities = np.zeros((1, 3, 100, 100), np.float32)
    probabilities[0, 2, 20:40, 30:70] = 1
    probabilities[0, 1, 40:80, 30:70] = 1
    probabilities[0, 0] = 1 - probabilities[0, 1:].sum(0)
    covered = np.zeros((1, 1, 100, 100), np.float32)
    covered[0, 0, 40:60, 30:70] = 0.9
    card = ModelCard("made", "segment", "segment", NAMES, (100, 100), "letterbox", options={"upper": 1.0, "lower": 2.0})
    runner = FakeRunner(card, {"probabilities": probabilities, "covered": covered})
    return Predictor(runner).predict(Frame(np.full((100, 100, 3), 128, np.uint8)))


def test_the_share_of_a_face_under_a_hand_is_told() -> None:
    result = _asked()
    mask = result.value
    assert isinstance(mask, Mask)
    assert mask.under == "face"
    assert mask.hidden() == pytest.approx(0.5, abs=0.02)
    assert json.loads(json.dumps(to_json(result)))["value"]["covered"] == {"face": pytest.approx(0.5, abs=0.02)}


def test_nothing_is_hidden_where_nothing_of_it_is_there() -> None:
    none = np.zeros((4, 4), np.uint8)
    assert Mask(none, NAMES).hidden() is None
    assert Mask(none, NAMES, None, none.astype(bool), "face").hidden() is None
    with pytest.raises(ValueError, match="covered"):
        Mask(none, NAMES, None, np.zeros((2, 2), bool), "face")


def test_a_blob_that_is_not_sure_enough_hides_nothing() -> None:
    classes = np.zeros((20, 20), np.uint8)
    classes[5:15, 5:15] = 1
    mask = Mask(classes, NAMES, np.full((20, 20), 100, np.uint8), classes == 1, "face")
    assert mask.hidden() == 1.0
    assert mask.surer(0.9).hidden() is None


def test_the_outline_of_the_face_goes_on_below_the_hand() -> None:
    result = _asked()
    frame = Frame(np.full((100, 100, 3), 128, np.uint8))
    plain = Mask(result.value.classes, NAMES)  # type: ignore[union-attr]
    without = draw(frame, Result("segment", 0, 0.0, plain, "", 100, 100, "made"))
    changed = np.abs(draw(frame, result).astype(int) - without).sum(axis=2) > 0
    assert changed[56:64, 35:65].any(), "the chin"
    assert not changed[70:, :25].any()
    assert cv2.countNonZero(changed.astype(np.uint8)) < 1000


def test_parts_that_the_card_finds_too_unsure_are_left_out_unless_asked_for() -> None:
    probabilities = np.zeros((1, 3, 64, 64), np.float32)
    probabilities[0, 1, 8:24, 8:24], probabilities[0, 1, 40:56, 40:56] = 0.9, 0.6
    probabilities[0, 0] = 1 - probabilities[0, 1]
    card = ModelCard("made", "segment", "segment", NAMES, (64, 64), "letterbox", thresholds={"score": 0.7})
    predictor = Predictor(FakeRunner(card, {"probabilities": probabilities}))
    frame = Frame(np.full((64, 64, 3), 128, np.uint8))
    assert len(predictor.predict(frame).value.boxes("hand")) == 1  # type: ignore[union-attr]
    assert len(predictor.predict(frame, min_score=0.2).value.boxes("hand")) == 2  # type: ignore[union-attr]
