"""Models that share their kernels: each answers as before, the files together are as large as one."""

import json

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from handlens import weights
from handlens.card import KEY, ModelCard
from handlens.errors import ModelError
from handlens.runner import OnnxRunner
from recipes.hand.share import put, view_of, write_shared


def card(name, names):
    return ModelCard(name, "gesture", "classify", names, (8, 8), "stretch")


@pytest.fixture
def whole():
    """A net with a large common part and two heads of 2 and 3 classes."""
    rng = np.random.default_rng(0)
    kernels = {"body": rng.normal(size=(192, 300)), "a": rng.normal(size=(300, 2)), "b": rng.normal(size=(300, 3))}
    constants = [numpy_helper.from_array(value.astype(np.float32), name) for name, value in kernels.items()]
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "body"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "a"], ["a_logits"]),
        helper.make_node("Softmax", ["a_logits"], ["first"]),
        helper.make_node("MatMul", ["hidden", "b"], ["b_logits"]),
        helper.make_node("Softmax", ["b_logits"], ["second"]),
    ]
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, 8, 8])
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", k]) for name, k in (("first", 2), ("second", 3))
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "two", [image], ends, constants),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=8,
    )
    helper.set_model_props(model, {KEY: card("two", ("x", "y")).to_json()})
    return model


@pytest.fixture
def files(whole, tmp_path):
    views = {
        "one": view_of(whole, {"first": "probabilities"}, card("one", ("x", "y"))),
        "two": view_of(whole, {"second": "probabilities"}, card("two", ("x", "y", "z"))),
    }
    return write_shared(views, tmp_path / "made", "both.weights")


def test_each_view_answers_as_the_whole_did(files, whole):
    x = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    reference = ReferenceEvaluator(whole).run(None, {"image": x})
    for file, truth in zip(files[:2], reference, strict=True):
        np.testing.assert_allclose(OnnxRunner(file).run(x)["probabilities"], truth, atol=1e-5)
    assert OnnxRunner(files[1]).card.names == ("x", "y", "z")


def test_the_common_part_is_there_once(files):
    assert files[-1].stat().st_size < 1.1 * (192 * 300 + 5 * 300) * 4
    assert all(file.stat().st_size < 4_000 for file in files[:2])


def test_a_view_alone_says_what_it_misses(files, tmp_path):
    alone = tmp_path / "alone.onnx"
    alone.write_bytes(files[0].read_bytes())
    with pytest.raises(ModelError, match=r"needs the file 'both\.weights' beside it"):
        OnnxRunner(alone)


def test_shipped_kernels_are_verified(files, tmp_path, monkeypatch):
    package = tmp_path / "package"
    package.mkdir()
    put(files, package)
    assert set(json.loads((package / "sha256.json").read_text())) == {"one", "two", "both.weights"}
    monkeypatch.setattr(weights, "SHIPPED", package)
    assert weights.resolve("one") == package / "one.onnx"
    kernels = package / "both.weights"
    kernels.write_bytes(kernels.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"both\.weights"):
        weights.resolve("one")
