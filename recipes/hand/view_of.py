"""A part of an ONNX graph as a model by itself; it must not know what the net is for."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
from onnx import helper

from handlens.card import KEY, ModelCard
from handlens.errors import ModelError


def view_of(model: onnx.ModelProto, outputs: Mapping[str, str], card: ModelCard) -> onnx.ModelProto:
    """Return the part of a graph that gives some outputs.

    Args:
        outputs: names in the graph -> names in the view.
        card: of the view.
    """
    graph = model.graph
    needed, nodes = set(outputs), []
    for node in reversed(_sorted(graph)):
        if needed & set(node.output):
            nodes.append(node)
            needed |= set(node.input)
    renamed = {old: new for old, new in outputs.items() if old != new}
    view = onnx.ModelProto()
    view.CopyFrom(model)
    del view.graph.node[:], view.graph.initializer[:], view.graph.output[:], view.graph.value_info[:]
    view.graph.node.extend(reversed(nodes))
    for node in view.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
        node.output[:] = [renamed.get(name, name) for name in node.output]
    view.graph.initializer.extend(tensor for tensor in graph.initializer if tensor.name in needed)
    for value in graph.output:
        if value.name in outputs:
            kept = view.graph.output.add()
            kept.CopyFrom(value)
            kept.name = outputs[value.name]
    helper.set_model_props(view, {KEY: card.to_json()})
    onnx.checker.check_model(view)
    return view


def _sorted(graph: onnx.GraphProto) -> list[onnx.NodeProto]:
    """Return the nodes so that each comes after those it reads from: the tool that quantizes appends its own."""
    made = {tensor.name for tensor in graph.initializer} | {value.name for value in graph.input} | {""}
    waiting, out = list(graph.node), []
    while waiting:
        ready = [node for node in waiting if made.issuperset(node.input)]
        if not ready:
            raise ModelError("the graph has a circle, or reads what nothing gives.")
        ids = {id(node) for node in ready}
        out += ready
        made |= {name for node in ready for name in node.output}
        waiting = [node for node in waiting if id(node) not in ids]
    return out
