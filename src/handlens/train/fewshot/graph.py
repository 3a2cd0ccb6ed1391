"""A new linear head on the graph of a model file, in place of its own; it must not know how the head was learned."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from handlens.card import ModelCard
from handlens.errors import ModelError
from handlens.runner import OnnxRunner
from handlens.train.export.onnx_file import write_checked
from handlens.train.fewshot.head import Head, softmax

EMBEDDING, ANGLE = "embedding", "angle"
TOLERANCE = 1e-4
_HEAD = "few."  # what the names of the new nodes and weights begin with


def write_model(base: Path, head: Head, card: ModelCard, batch: NDArray[np.float32], path: Path) -> Path:
    """Write the base's graph as far as its embedding (and angle), and behind it the head, with a card of its own.

    Args:
        batch: (n, 3, h, w) normalised pictures by which the file is held against the head in numpy.

    Raises:
        ModelError: the answers of the file differ by more than 1e-4.
        OutputError: it cannot be written.
    """
    model = headed(onnx.load(str(base)), head)
    weights = [tensor for tensor in model.graph.initializer if tensor.data_type != TensorProto.INT64]  # no shapes
    count = float(sum(int(np.prod(tensor.dims)) for tensor in weights))
    card = dataclasses.replace(card, options={**card.options, "parameters": count})
    return write_checked(model, card, path, lambda file: _compare(OnnxRunner(base), file, head, batch))


def headed(base: onnx.ModelProto, head: Head) -> onnx.ModelProto:
    """Return the model whose "probabilities" are the head's of the base's "embedding"; what leads elsewhere is gone."""
    outputs = {value.name: value for value in base.graph.output}
    kept = [name for name in (ANGLE, EMBEDDING) if name in outputs]
    nodes, needed = _leading_to(base.graph, kept)
    weights = {f"{_HEAD}weight": head.weight, f"{_HEAD}bias": head.bias}
    probabilities = helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", len(head.bias)])
    graph = helper.make_graph(
        [
            *nodes,
            helper.make_node("Gemm", [EMBEDDING, *weights], [f"{_HEAD}logits"], name=f"{_HEAD}gemm"),
            helper.make_node("Softmax", [f"{_HEAD}logits"], ["probabilities"], name=f"{_HEAD}softmax", axis=1),
        ],
        base.graph.name,
        list(base.graph.input),
        [probabilities, *(outputs[name] for name in kept)],
        [
            *(tensor for tensor in base.graph.initializer if tensor.name in needed),
            *(numpy_helper.from_array(array.astype(np.float32), name) for name, array in weights.items()),
        ],
    )
    model = helper.make_model(graph, opset_imports=list(base.opset_import), functions=list(base.functions))
    model.ir_version, model.producer_name = base.ir_version, "handlens"
    onnx.checker.check_model(model)
    return model


def _leading_to(graph: onnx.GraphProto, names: list[str]) -> tuple[list[onnx.NodeProto], set[str]]:
    """Return the nodes that these values come from, in their order, and the names of all that goes into them."""
    needed, nodes = set(names), []
    for node in reversed(graph.node):  # a graph is written so that what a node needs comes before it
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(node.input)
    return nodes[::-1], needed


def _compare(base: OnnxRunner, made: OnnxRunner, head: Head, batch: NDArray[np.float32]) -> None:
    before, after = base.run(batch), made.run(batch)
    wanted = {"probabilities": softmax(head.logits(before[EMBEDDING].astype(np.float64)))}
    wanted |= {name: before[name] for name in (ANGLE, EMBEDDING) if name in before}
    for name, array in wanted.items():
        worst = float(np.abs(after[name] - array).max() / max(1.0, float(np.abs(array).max())))
        if not worst <= TOLERANCE:  # so that NaN is refused too
            raise ModelError(
                f"the new file's answers differ by {worst:.2g} in '{name}'; at most {TOLERANCE} is allowed."
            )
