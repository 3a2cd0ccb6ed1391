"""Parts of the combined model, made by hand: masks by colour, signs by a random net over the shape."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from handlens.card import KEY, ModelCard

RED = (230, 20, 20)


def mask_model(
    path: Path,
    size: tuple[int, int] = (96, 128),
    names: tuple[str, ...] = ("background", "hand", "face"),
    stride: int = 1,
    batch: int | str = "n",
    opset: int = 17,
    **fields: Any,
) -> Path:
    """Write a mask model: red is "hand" (or the second class), blue "face", green "forearm", the rest is ground."""
    planes = {"background": (0, 0, 0, 0.4), "hand": (1, -1, 0, 0), "face": (-1, -1, 1, 0), "forearm": (-1, 1, -1, 0)}
    rows = np.array([planes.get(name, planes["hand"]) for name in names], np.float32)
    kernel = np.repeat(np.repeat(rows[:, :3, None, None], stride, axis=2), stride, axis=3) / stride**2
    constants = {"kernel": 12 * kernel, "bias": 12 * rows[:, 3]}
    nodes = [
        helper.make_node("Conv", ["image", "kernel", "bias"], ["logits"], strides=[stride, stride]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
    ]
    free = fields.get("resize") == "fit"
    sides = ("h", "w") if free else size
    inner = ("h2", "w2") if free else (size[0] // stride, size[1] // stride)
    card = ModelCard(
        **{
            "name": path.stem, "task": "segment", "kind": "segment", "names": names, "size": size,
            "resize": "letterbox", "stride": stride, "licence": "Apache-2.0", "data": ("none: made by hand",), **fields,
        }
    )  # fmt: skip
    outputs = {"probabilities": (batch, len(names), *inner)}
    return _write(path, nodes, constants, (batch, 3, *sides), outputs, card, opset)


def sign_model(
    path: Path,
    size: tuple[int, int] = (64, 64),
    angle: bool = True,
    int8: bool = False,
    batch: int | str = "n",
    opset: int = 17,
    **fields: Any,
) -> Path:
    """Write a gesture model that says something else of every shape: a random layer over all its pixels."""
    rng = np.random.default_rng(3)
    rows, names = 3 * size[0] * size[1], ("zero", "one", "two", "three")
    constants = {"flat": np.array([0, -1], np.int64), "matrix": rng.normal(0, 0.03, (rows, 6)).astype(np.float32)}
    nodes = []
    if int8:
        scale = np.abs(constants["matrix"]).max() / 127
        constants["levels"] = np.round(constants.pop("matrix") / scale).astype(np.int8)
        constants["scale"] = np.float32(scale)
        nodes += [
            helper.make_node("Cast", ["levels"], ["wide"], to=TensorProto.FLOAT),
            helper.make_node("Mul", ["wide", "scale"], ["matrix"]),
        ]
    constants |= {"cut": np.array([4, 2], np.int64)}
    nodes += [
        helper.make_node("Reshape", ["image", "flat"], ["row"]),
        helper.make_node("MatMul", ["row", "matrix"], ["six"]),
        helper.make_node("Split", ["six", "cut"], ["logits", "way"], axis=1),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("ReduceL2", ["way"], ["length"], axes=[1], keepdims=1),
        helper.make_node("Div", ["way", "length"], ["angle"]),
    ]
    outputs: dict[str, tuple[int | str, ...]] = {"probabilities": (batch, 4)}
    if angle:
        outputs["angle"] = (batch, 2)
    card = ModelCard(
        **{
            "name": path.stem, "task": "gesture", "kind": "classify", "names": names, "size": size,
            "resize": "letterbox", "mean": (127.5, 120.0, 110.0), "std": (64.0, 60.0, 70.0), "licence": "Apache-2.0",
            "options": {"silhouette": 1.0}, "calibration": {"a": 0.8, "b": 0.0}, **fields,
        }
    )  # fmt: skip
    return _write(path, nodes, constants, (batch, 3, *size), outputs, card, opset)


def _write(path, nodes, constants, sides, outputs, card, opset) -> Path:
    graph = helper.make_graph(
        nodes,
        "part",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    helper.set_model_props(model, {KEY: card.to_json()})
    onnx.save(model, str(path))
    return path


def hand_picture(
    height: int,
    width: int,
    *hands: tuple[float, float, float],
    fingers: tuple[int, ...] = (-35, -12, 10, 32, 75),
    forearm: float = 0.0,
    colour: tuple[int, int, int] = RED,
) -> np.ndarray:
    """A picture (h, w, 3) of red hands on grey. hands: x, y, radius of each palm, pixels; forearm: length in radii."""
    image = np.full((height, width, 3), 90, np.uint8)
    for x, y, radius in hands:
        for degrees in (*fingers, *([180] if forearm else [])):
            turn = np.deg2rad(degrees)
            reach, wide = (forearm, 1.4) if degrees == 180 else (2.6, 0.5)
            tip = (round(x + reach * radius * np.sin(turn)), round(y - reach * radius * np.cos(turn)))
            cv2.line(image, (round(x), round(y)), tip, colour, max(1, round(wide * radius)))
        cv2.circle(image, (round(x), round(y)), round(radius), colour, -1)
    return image
