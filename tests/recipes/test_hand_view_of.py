"""A part of a graph as a model by itself answers as the whole did."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from handlens.card import KEY, ModelCard
from handlens.errors import ModelError
from handlens.runner import OnnxRunner
from recipes.hand.view_of import view_of


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


def test_each_view_answers_as_the_whole_did(whole, tmp_path):
    x = np.random.default_rng(1).normal(size=(2, 3, 8, 8)).astype(np.float32)
    reference = ReferenceEvaluator(whole).run(None, {"image": x})
    views = (("first", ("x", "y")), ("second", ("x", "y", "z")))
    for (output, names), truth in zip(views, reference, strict=True):
        view = view_of(whole, {output: "probabilities"}, card(output, names))
        path = tmp_path / f"{output}.onnx"
        path.write_bytes(view.SerializeToString())
        runner = OnnxRunner(path)
        assert runner.card.names == names
        assert list(runner.outputs) == ["probabilities"]
        np.testing.assert_allclose(runner.run(x)["probabilities"], truth, atol=1e-5)
        assert len(view.graph.node) == 4
        assert len(view.graph.initializer) == 2


def test_nodes_in_any_order_are_put_right(whole):
    whole.graph.node.sort(key=lambda node: node.output[0])
    view = view_of(whole, {"second": "probabilities"}, card("second", ("x", "y", "z")))
    assert [node.op_type for node in view.graph.node] == ["Flatten", "MatMul", "MatMul", "Softmax"]


def test_a_graph_that_reads_what_nothing_gives_is_refused(whole):
    whole.graph.node[1].input[0] = "nowhere"
    with pytest.raises(ModelError, match="nothing gives"):
        view_of(whole, {"first": "probabilities"}, card("first", ("x", "y")))
