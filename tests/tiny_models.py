"""Models of a few hundred bytes for tests: real .onnx files with our card, whose answer is known beforehand."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from handlens.card import KEY, ModelCard

CARD = ModelCard(
    name="brightness",
    task="touch",
    kind="detect",
    names=("face", "hand", "cheek"),
    size=(64, 64),
    resize="stretch",
    version="1",
    data=("none: made by hand",),
    licence="Apache-2.0",
)


def brightness_model(path: Path, card: ModelCard | None = CARD) -> Path:
    """Write a touch model: it always sees a face and a hand, and a touched cheek as surely as the picture is bright."""
    boxes = np.array([[[16, 8, 48, 48], [30, 30, 60, 60], [32, 30, 46, 44]]], np.float32)
    always = np.zeros((1, 3, 3), np.float32)
    always[0, 0, 0], always[0, 1, 1] = 0.9, 0.8
    by_light = np.zeros((1, 3, 3), np.float32)
    by_light[0, 2, 2] = 1.0
    constants = {"box_values": boxes, "always": always, "by_light": by_light, "flat": np.array([1, 1, 1], np.int64)}
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0),
        helper.make_node("Reshape", ["mean", "flat"], ["light"]),
        helper.make_node("Mul", ["light", "by_light"], ["lit"]),
        helper.make_node("Add", ["lit", "always"], ["scores"]),
        helper.make_node("Identity", ["box_values"], ["boxes"]),
    ]
    return _write(path, nodes, constants, {"boxes": (1, 3, 4), "scores": (1, 3, 3)}, card)


def hand_model(
    path: Path,
    task: str = "gesture",
    names: tuple[str, str] = ("nothing", "object"),
    angle: float | None = None,
    **fields: Any,
) -> Path:
    """Write a model of one hand: the brighter it is, the surer of the second name; turned by `angle` degrees."""
    constants = {"one": np.array([1], np.float32), "flat": np.array([-1, 1], np.int64)}
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], keepdims=0, axes=[1, 2, 3]),
        helper.make_node("Reshape", ["mean", "flat"], ["light"]),
        helper.make_node("Sub", ["one", "light"], ["dark"]),
        helper.make_node("Concat", ["dark", "light"], ["probabilities"], axis=1),
    ]
    outputs: dict[str, tuple[int | str, ...]] = {"probabilities": ("n", 2)}
    if angle is not None:
        turn = math.radians(angle)
        constants |= {"none": np.zeros(1, np.float32), "turn": np.array([[math.cos(turn), math.sin(turn)]], np.float32)}
        nodes += [helper.make_node("Mul", ["light", "none"], ["zero"])]
        nodes += [helper.make_node("Add", ["zero", "turn"], ["angle"])]
        outputs["angle"] = ("n", 2)
    card = ModelCard(path.stem, task, "classify", names, (64, 64), "stretch", licence="Apache-2.0", **fields)
    return _write(path, nodes, constants, outputs, card, "n")


def mask_model(path: Path, names: tuple[str, ...] = ("background", "hand", "face"), **fields: Any) -> Path:
    """Write a model of masks at a quarter of its input: red is a hand, blue a face, all else neither."""
    weights = np.zeros((len(names), 3, 1, 1), np.float32)
    weights[1, 0], weights[-1, 2] = 12.0, 12.0 if len(names) > 2 else 0.0
    bias = np.zeros(len(names), np.float32)
    bias[0] = 6.0
    nodes = [
        helper.make_node("AveragePool", ["image"], ["small"], kernel_shape=[4, 4], strides=[4, 4]),
        helper.make_node("Conv", ["small", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    outputs: dict[str, tuple[int | str, ...]] = {"probabilities": (1, len(names), 16, 16)}
    card = ModelCard(path.stem, "segment", "segment", names, (64, 64), "letterbox", licence="Apache-2.0", **fields)
    return _write(path, nodes, {"weights": weights, "bias": bias}, outputs, card)


def _write(
    path: Path,
    nodes: list[onnx.NodeProto],
    constants: dict[str, np.ndarray],
    outputs: dict[str, tuple[int | str, ...]],
    card: ModelCard | None,
    batch: int | str = 1,
) -> Path:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (batch, 3, 64, 64))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    if card is not None:
        helper.set_model_props(model, {KEY: card.to_json()})
    onnx.save(model, str(path))
    return path
