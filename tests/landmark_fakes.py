"""A model of landmarks whose answer is known: it sees a hand that fills its input, as sure as the input is bright."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from handlens.card import KEY, ModelCard
from handlens.runner import FakeRunner

SIGNS = ("0", "1", "2")
NAMES = ("left", "right", "nothing", "object", "cup", "other", *SIGNS)
SIZE = 64


def card(**fields):
    """The card of a model of landmarks: two holds, two things, three signs."""
    options = {"holds": 2, "things": 2, **fields.pop("options", {})}
    return ModelCard("points", "hands", "landmarks", NAMES, (SIZE, SIZE), "stretch", options=options,
                     data=("none: made by hand",), licence="Apache-2.0", **fields)  # fmt: skip


def shape():
    """(21, 2) shares of the input: the wrist at the bottom, five straight fingers."""
    points = [(0.5, 0.9)]
    for finger, x in enumerate((0.2, 0.35, 0.5, 0.65, 0.8)):
        points += [
            (0.5 + (x - 0.5) * k, 0.9 - (0.2 + 0.6 * k) * (0.7 if finger == 0 else 1)) for k in (0.4, 0.6, 0.8, 1)
        ]
    return np.array(points, np.float32)


def answer(batch):
    """What the model says of a batch."""
    count = len(batch)
    light = batch.reshape(count, -1).mean(axis=1, keepdims=True).astype(np.float32)
    points = np.concatenate([shape(), np.full((21, 1), 0.8, np.float32)], axis=1)
    return {
        "landmarks": np.tile(points, (count, 1, 1)),
        "present": light,
        "right": np.full((count, 1), 0.9, np.float32),
        "fingers": np.tile(np.array([[0.1, 0.9, 0.8, 0.2, 0.0]], np.float32), (count, 1)),
        "hold": np.tile(np.array([[0.3, 0.7]], np.float32), (count, 1)),
        "kinds": np.tile(np.array([[0.6, 0.4]], np.float32), (count, 1)),
        "signs": np.tile(np.array([[0.1, 0.1, 0.8]], np.float32), (count, 1)),
    }


def points_runner(**fields):
    """The model as a runner."""
    return FakeRunner(card(**fields), answer)


def parts():
    """(1, 3, 8, 8): hand on the left half of the input, then forearm, then ground."""
    cells = np.array([1, 1, 1, 1, 2, 2, 0, 0])
    return np.ascontiguousarray(np.broadcast_to(np.eye(3, dtype=np.float32)[cells].T[None, :, None], (1, 3, 8, 8)))


def points_model(path: Path, masks: bool = False, **fields) -> Path:
    """Write the model as an .onnx file; it is always sure of a hand. masks: it tells its parts as well."""
    told = answer(np.ones((1, 3, SIZE, SIZE), np.float32))
    if masks:
        told["parts"] = parts()
    constants = [numpy_helper.from_array(value, f"{name}_one") for name, value in told.items()]
    nodes = [helper.make_node("Shape", ["image"], ["sides"], start=0, end=1)]
    outputs = []
    for name, value in told.items():
        rest = numpy_helper.from_array(np.ones(value.ndim - 1, np.int64), f"{name}_rest")
        constants.append(rest)
        nodes.append(helper.make_node("Concat", ["sides", f"{name}_rest"], [f"{name}_times"], axis=0))
        nodes.append(helper.make_node("Tile", [f"{name}_one", f"{name}_times"], [name]))
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *value.shape[1:]]))
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIZE, SIZE])
    graph = helper.make_graph(nodes, "points", [image], outputs, constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    helper.set_model_props(model, {KEY: card(**fields).to_json()})
    onnx.save(model, path)
    return path
