"""The Runner seam: a real file runs, and whatever is not a model of ours is refused in one sentence."""

import dataclasses

import numpy as np
import onnx
import pytest
from tiny_models import CARD, brightness_model

from handlens.errors import ModelError
from handlens.runner import FakeRunner, OnnxRunner


def said(error) -> str:
    """The one line that a person would read."""
    assert "\n" not in str(error.value)
    return str(error.value)


def test_a_file_runs_and_knows_its_card(tmp_path):
    runner = OnnxRunner(brightness_model(tmp_path / "m.onnx"), threads=1)
    assert runner.card == CARD
    outputs = runner.run(np.full((1, 3, 64, 64), 0.5, np.float32))
    assert outputs["boxes"].shape == (1, 3, 4)
    assert outputs["scores"][0, 2, 2] == pytest.approx(0.5)


def test_a_missing_file_is_told_so(tmp_path):
    with pytest.raises(ModelError, match="no model file at"):
        OnnxRunner(tmp_path / "none.onnx")


@pytest.mark.parametrize("content", [b"", b"this is a text", b"\x08\x07\x12" * 100])
def test_a_file_that_is_no_model_is_told_so(tmp_path, content, capfd):
    path = tmp_path / "m.onnx"
    path.write_bytes(content)
    with pytest.raises(ModelError) as error:
        OnnxRunner(path)
    assert "not a model" in said(error)
    assert capfd.readouterr().err == ""


def test_a_truncated_model_is_told_so(tmp_path):
    path = brightness_model(tmp_path / "m.onnx")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(ModelError) as error:
        OnnxRunner(path)
    said(error)


def test_a_model_without_our_card_is_told_so(tmp_path):
    with pytest.raises(ModelError) as error:
        OnnxRunner(brightness_model(tmp_path / "m.onnx", card=None))
    assert "carries no handlens card" in said(error)
    assert "m.onnx" in said(error)


def test_a_graph_that_contradicts_its_card_is_told_so(tmp_path):
    wrong = dataclasses.replace(CARD, size=(32, 32))
    with pytest.raises(ModelError, match=r"the card says size \(32, 32\)"):
        OnnxRunner(brightness_model(tmp_path / "size.onnx", wrong))
    wrong = dataclasses.replace(CARD, kind="segment")
    with pytest.raises(ModelError, match="kind 'segment' needs the output 'probabilities', but has boxes, scores"):
        OnnxRunner(brightness_model(tmp_path / "kind.onnx", wrong))


def test_a_card_that_is_no_card_is_told_so(tmp_path):
    path = brightness_model(tmp_path / "m.onnx", card=None)
    model = onnx.load(str(path))
    onnx.helper.set_model_props(model, {"handlens": "{"})
    onnx.save(model, str(path))
    with pytest.raises(ModelError, match=r"m\.onnx.*card is not JSON"):
        OnnxRunner(path)


def test_a_batch_the_graph_does_not_take_is_one_sentence(tmp_path):
    runner = OnnxRunner(brightness_model(tmp_path / "m.onnx"))
    with pytest.raises(ModelError) as error:
        runner.run(np.zeros((1, 3, 8, 8), np.float32))
    assert "failed on a batch of shape (1, 3, 8, 8)" in said(error)


def test_a_fake_answers_what_it_was_given_or_what_it_computes():
    batch = np.ones((2, 3, 4, 4), np.float32)
    assert FakeRunner(CARD, {"scores": batch}).run(batch)["scores"] is batch
    assert FakeRunner(CARD, lambda given: {"sum": given.sum(keepdims=True)}).run(batch)["sum"].item() == 96
