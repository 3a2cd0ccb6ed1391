"""A detector's .onnx of another project -> the same network with our arrays and a card; it needs no torch.

Its last output is rewritten inside the graph: boxes as corners in pixels of the network's input, and a score for each
class. Everything before stays as it is.
"""

from __future__ import annotations

import ast
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from handlens.card import KEY, ModelCard
from handlens.errors import InputError, ModelError, unknown
from handlens.offline import import_onnxruntime
from handlens.runner import OnnxRunner
from handlens.train.export.onnx_file import write_checked
from handlens.types import Floats

HEADS = {
    "yolov5": "(1, n, 5 + classes): cx cy w h, objectness, classes, as of YOLOv3, v5, v6, v7 and YOLOX with decoding",
    "yolov8": "(1, 4 + classes, n): cx cy w h, classes, as of YOLOv8, v9, v11 and v12",
    "nms": "(1, n, 6): x1 y1 x2 y2, score, class, after a suppression of overlaps, as of YOLOv10 and exports with NMS",
    "yolov7-nms": "(n, 7): picture, x1 y1 x2 y2, class, score, as of YOLOv7 with --end2end",
}
"""The outputs that are understood, by the name of their family."""

FEW = 1000
"""Boxes: an output of six columns with more rows has not been suppressed."""

OLDEST = 11
"""The first set of operators that the added nodes exist in."""

SIZE = 640
"""Pixels, where the file does not say."""

TOLERANCE = 1e-3


def export_foreign(source: Path, out: Path, names: Sequence[str], head: str = "", size: int = 0) -> Path:
    """Write a detector of another project with our arrays and a card.

    Args:
        source: Its .onnx: one input (1, 3, h, w) of RGB in [0, 1], one output of a head in `HEADS`.
        out: The .onnx to write.
        names: The labels in the order of its classes; none: those that the file's metadata lists.
        head: A key of `HEADS`; "": found out by the output's shape.
        size: Side of the input in pixels where the file leaves it open; 0: 640.

    Returns:
        `out`.

    Raises:
        InputError: no such file, no detector of a known head, or labels that do not fit its classes.
        OutputError: the file cannot be written.
    """
    model = _read(source)
    given = _input(model, source)
    sides = _sides(given, size, source)
    labels = tuple(names) or _metadata_names(model)
    if not labels:
        raise InputError(f"'{source}' does not say what it finds: give --names a,b in the order of its classes.")
    answer = _run(model, source, given.name, np.zeros((1, 3, *sides), np.float32))
    form = head or _head_of(answer.shape, len(labels), source)
    if form not in HEADS:
        raise InputError(unknown("head", form, HEADS))
    _check_columns(answer.shape, form, len(labels), source)
    _rewrite(model, form, len(labels))
    licence = next((each.value for each in model.metadata_props if each.key == "license"), "")
    card = ModelCard(
        name=out.stem, task="touch", kind="detect", names=labels, size=sides, resize="letterbox",
        data=(source.name,), licence=licence,
    )  # fmt: skip
    return write_checked(model, card, out, partial(_compare, source=source, form=form))


def _read(source: Path) -> onnx.ModelProto:
    try:
        model = onnx.load(source)
    except OSError as error:
        raise InputError(f"cannot read '{source}': {error.strerror}.") from error
    except Exception as error:  # of protobuf, which has no types
        raise InputError(f"'{source}' is not an ONNX file.") from error
    if any(each.key == KEY for each in model.metadata_props):
        raise InputError(f"'{source}' has a card of ours already: it can be used as it is.")
    versions = [each.version for each in model.opset_import if each.domain in ("", "ai.onnx")]
    if not versions or versions[0] < OLDEST:
        raise InputError(
            f"'{source}' has operators of set {versions or 'none'}: export it with opset {OLDEST} or newer."
        )
    return model


def _input(model: onnx.ModelProto, source: Path) -> onnx.ValueInfoProto:
    constants = {each.name for each in model.graph.initializer}
    inputs = [each for each in model.graph.input if each.name not in constants]
    kind = inputs[0].type.tensor_type if len(inputs) == 1 else None
    if kind is None or kind.elem_type != TensorProto.FLOAT or len(kind.shape.dim) != 4:
        raise InputError(f"'{source}' needs one input of float32 (n, 3, h, w); export it without --half and as NCHW.")
    if kind.shape.dim[1].dim_value not in (0, 3):
        raise InputError(
            f"'{source}' takes {kind.shape.dim[1].dim_value} channels: pictures have 3, in the order NCHW."
        )
    found: onnx.ValueInfoProto = inputs[0]
    return found


def _sides(given: onnx.ValueInfoProto, size: int, source: Path) -> tuple[int, int]:
    """Return (height, width) of the input, and write it into the graph where it was open."""
    dims = given.type.tensor_type.shape.dim
    stated = (dims[2].dim_value, dims[3].dim_value)
    sides = (stated[0] or size or SIZE, stated[1] or size or SIZE)
    if size and sides != (size, size):
        raise InputError(f"'{source}' takes pictures of {stated[1]} x {stated[0]} only: leave out --size {size}.")
    for place, side in ((1, 3), (2, sides[0]), (3, sides[1])):
        dims[place].dim_value = side
    return sides


def _metadata_names(model: onnx.ModelProto) -> tuple[str, ...]:
    """Return the labels that exporters write into a file, or none."""
    text = next((each.value for each in model.metadata_props if each.key == "names"), "")
    try:
        found = ast.literal_eval(text) if text else ()
    except (ValueError, SyntaxError):
        return ()
    if isinstance(found, dict):
        found = [found[key] for key in sorted(found)]
    return tuple(map(str, found)) if isinstance(found, list | tuple) else ()


def _run(model: onnx.ModelProto, source: Path, name: str, batch: Floats) -> Floats:
    """Return the first output of the network as it came."""
    runtime = import_onnxruntime()
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return np.asarray(session.run(None, {name: batch})[0])
    except Exception as error:  # onnxruntime raises several kinds, all its own
        raise InputError(f"'{source}' does not run: {str(error).splitlines()[0]}") from error


def _head_of(shape: tuple[int, ...], classes: int, source: Path) -> str:
    """Return the head that has an output of that shape."""
    rows = shape[1] if len(shape) == 3 else 0
    if len(shape) == 2 and shape[1] == 7:
        return "yolov7-nms"
    if len(shape) == 3 and shape[2] == 6 and (classes != 1 or rows <= FEW):
        return "nms"
    if len(shape) == 3 and shape[2] == 5 + classes:
        return "yolov5"
    if len(shape) == 3 and shape[1] == 4 + classes:
        return "yolov8"
    raise InputError(
        f"'{source}' answers {shape}, which is not a detector of {classes} classes that is known here: "
        + "; ".join(f"{name} {text}" for name, text in HEADS.items())
        + ". Give as many --names as it has classes, or --head if you know better."
    )


def _check_columns(shape: tuple[int, ...], form: str, classes: int, source: Path) -> None:
    columns = {"yolov5": (3, 2, 5 + classes), "yolov8": (3, 1, 4 + classes), "nms": (3, 2, 6), "yolov7-nms": (2, 1, 7)}
    length, axis, wanted = columns[form]
    if len(shape) != length or shape[axis] != wanted:
        raise InputError(
            f"'{source}' answers {shape}, but the head {form} of {classes} classes is {HEADS[form]}: "
            "give as many --names as it has classes, or another --head."
        )


class _Nodes:
    """Nodes that are added to the end of a graph, each named after its output."""

    def __init__(self, graph: onnx.GraphProto) -> None:
        self.graph, self.count = graph, 0

    def add(self, kind: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node and return its output."""
        self.count += 1
        output = name or f"handlens/{kind}{self.count}"
        self.graph.node.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def constant(self, value: object, dtype: type = np.int64) -> str:
        """Add numbers and return their name."""
        self.count += 1
        name = f"handlens/constant{self.count}"
        self.graph.initializer.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def columns(self, x: str, first: int, last: int) -> str:
        """Return columns first to last - 1 of the last axis."""
        return self.add("Slice", x, self.constant([first]), self.constant([last]), self.constant([-1]))


def _rewrite(model: onnx.ModelProto, form: str, classes: int) -> None:
    """Add what turns the first output into "boxes" (n, k, 4) and "scores" (n, k, classes)."""
    nodes, x = _Nodes(model.graph), model.graph.output[0].name
    if form == "yolov8":
        x = nodes.add("Transpose", x, perm=[0, 2, 1])
    if form == "yolov7-nms":
        x = (
            nodes.add("Unsqueeze", x, nodes.constant([0]))
            if _opset(model) >= 13
            else nodes.add("Unsqueeze", x, axes=[0])
        )
        nodes.add("Identity", nodes.columns(x, 1, 5), name="boxes")
        label, score = nodes.columns(x, 5, 6), nodes.columns(x, 6, 7)
    elif form == "nms":
        nodes.add("Identity", nodes.columns(x, 0, 4), name="boxes")
        score, label = nodes.columns(x, 4, 5), nodes.columns(x, 5, 6)
    else:
        centre, half = nodes.columns(x, 0, 2), nodes.columns(x, 2, 4)
        half = nodes.add("Mul", half, nodes.constant(0.5, np.float32))
        nodes.add("Concat", nodes.add("Sub", centre, half), nodes.add("Add", centre, half), name="boxes", axis=-1)
        if form == "yolov5":
            nodes.add("Mul", nodes.columns(x, 5, 5 + classes), nodes.columns(x, 4, 5), name="scores")
        else:
            nodes.add("Identity", nodes.columns(x, 4, 4 + classes), name="scores")
    if form.endswith("nms"):
        whole = nodes.add("Cast", label, to=TensorProto.INT64)
        same = nodes.add("Cast", nodes.add("Equal", whole, nodes.constant(range(classes))), to=TensorProto.FLOAT)
        nodes.add("Mul", same, score, name="scores")
    del model.graph.output[:]
    for name, sides in (("boxes", 4), ("scores", classes)):
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", "k", sides]))


def _opset(model: onnx.ModelProto) -> int:
    return max(int(each.version) for each in model.opset_import if each.domain in ("", "ai.onnx"))


def _compare(written: OnnxRunner, source: Path, form: str) -> None:
    """Hold the written file against the original on a picture of noise.

    Raises:
        ModelError: the answers differ.
    """
    card = written.card
    batch = np.random.default_rng(0).random((1, 3, *card.size), np.float32)
    model = _read(source)
    raw = _run(model, source, _input(model, source).name, batch)
    boxes, scores = reference(raw, form, len(card.names))
    found = written.run(batch)
    for name, wanted in (("boxes", boxes), ("scores", scores)):
        worst = float(np.abs(found[name] - wanted).max(initial=0)) if found[name].shape == wanted.shape else math.inf
        if not worst <= TOLERANCE * max(1.0, float(np.abs(wanted).max(initial=0))):
            raise ModelError(f"the written file's {name} differ from those of '{source}' by {worst:.2g}.")


def reference(raw: Floats, form: str, classes: int) -> tuple[Floats, Floats]:
    """Return boxes (n, k, 4) and scores (n, k, classes) of an output, computed outside the graph."""
    x = raw.transpose(0, 2, 1) if form == "yolov8" else raw[None] if form == "yolov7-nms" else raw
    if form.endswith("nms"):
        boxes, score, label = (x[..., 1:5], x[..., 6:], x[..., 5:6]) if form == "yolov7-nms" else (
            x[..., :4], x[..., 4:5], x[..., 5:6],
        )  # fmt: skip
        return boxes, ((label.astype(int) == np.arange(classes)) * score).astype(np.float32)
    centre, half = x[..., :2], x[..., 2:4] / 2
    scores = x[..., 5:] * x[..., 4:5] if form == "yolov5" else x[..., 4:]
    return np.concatenate((centre - half, centre + half), -1), scores
