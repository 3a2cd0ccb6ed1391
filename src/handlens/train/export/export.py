"""A trained net -> an .onnx file with its card inside, refused when its answers differ; knows no task or data.

With `int8`, kernels are stored as 8-bit integers with a scale for each output channel, and widened when the model is
loaded: a quarter of the size at the speed of 32-bit floats. The rounding happens here, before the comparison, so that
the file's answers are held against the very same numbers.
"""

from __future__ import annotations

import copy
import dataclasses
import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.errors import ModelError
from handlens.runner import OnnxRunner
from handlens.train.export.fold import fold
from handlens.train.export.onnx_file import write_checked
from handlens.train.nets.fuse import Net

DYNAMO = True
"""Whether graphs are written with torch's exporter of programs. It takes 1.4 to 10 seconds of processor time, where
tracing takes 0.1 to 5: the tests trace."""
OPSET = 17
DYNAMO_OPSET = 18
"""The lowest that torch's exporter of programs writes by itself; onnxruntime reads it from version 1.14 on."""
IR = 8
"""The version of the file itself, which goes with both."""
TOLERANCE = 2e-3
ROUNDED = 4096
"""Kernels with at least this many numbers are stored in 8 bits."""
MOVED = 1000
"""At most so many rows of a detector's answer are looked for elsewhere."""


def export(
    graph: nn.Module,
    card: ModelCard,
    example: Tensor,
    outputs: Sequence[str],
    path: Path,
    int8: bool = False,
    dynamo: bool | None = None,
    static: bool = False,
) -> Path:
    """Write `graph` (already in its canonical form) with `card` to `path`; the batch and, for "fit", sides are free.

    Args:
        example: (n, 3, h, w) float32 to trace with; the answers to it and to another batch are compared.
        outputs: names of what the graph returns, in its order.
        int8: store big kernels in 8 bits.
        dynamo: write the graph with torch's exporter of programs, and not with the deprecated one that traces; by
            itself as `DYNAMO` says.
        static: fix all sides, for readers that take no free ones: the file answers one picture of the card's size at a
            time, and a card that says "fit" says "letterbox".

    Raises:
        InputError: the network does not take pictures of the example's size.
        ModelError: the network cannot be traced, or onnxruntime's answers differ from torch's by more than 2e-3.
        OutputError: the file cannot be written.
    """
    small = compact(graph, int8)
    plain = small if int8 else copy.deepcopy(graph).cpu().float().eval()
    first = example.detach().cpu().float()
    if static:
        first, card = first[:1], dataclasses.replace(card, resize="letterbox" if card.resize == "fit" else card.resize)
    second = first.flip(3) if static else _other(first, card)
    pairs = [(batch, _answers(plain, batch)) for batch in (first, second)]
    arrays = [dict(zip(("image", *outputs), (x, *ys), strict=True)) for x, ys in pairs]
    program = DYNAMO if dynamo is None else dynamo
    model = (_exported if program else _traced)(small, first, outputs, _sides(*arrays))
    if int8:
        shrink(model)
    model.producer_name = "handlens"
    onnx.checker.check_model(model)

    def check(runner: OnnxRunner) -> None:
        for batch, truth in pairs:
            _compare(runner, batch, dict(zip(outputs, truth, strict=True)))

    return write_checked(model, card, path, check)


def compact(graph: Net, int8: bool = False) -> Net:
    """Return a copy in float32 and evaluation mode, its layers folded.

    And for `int8` its big kernels rounded to 8 bits.
    """
    small = fold(graph).cpu().float()
    if int8:
        with torch.no_grad():
            for parameter in small.parameters():
                if parameter.ndim > 1 and parameter.numel() >= ROUNDED:
                    levels, scale = rounded(parameter.numpy())
                    parameter.copy_(torch.from_numpy(levels.astype(np.float32) * scale))
    return small


def rounded(kernel: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Levels (same shape) and scale (out, 1, ...) with kernel ~ levels * scale, symmetric about 0."""
    most = np.abs(kernel).reshape(len(kernel), -1).max(1).reshape(-1, *([1] * (kernel.ndim - 1)))
    scale = np.maximum(most / 127, 1e-12).astype(np.float32)
    return np.round(kernel / scale).astype(np.int8), scale


def _other(example: Tensor, card: ModelCard) -> Tensor:
    """One picture more, the first mirrored; for "fit" all of them blown up by a stride."""
    batch = torch.cat((example, example[:1].flip(3)))
    if card.resize != "fit":
        return batch
    height, width = example.shape[2:]
    return nn.functional.interpolate(batch, (height + card.stride, width + card.stride), mode="bilinear")


@torch.inference_mode()
def _answers(graph: nn.Module, batch: Tensor) -> tuple[Tensor, ...]:
    answer = graph(batch)
    return (answer,) if isinstance(answer, Tensor) else tuple(answer)


def _sides(first: dict[str, Tensor], second: dict[str, Tensor]) -> dict[str, list[int | str]]:
    """Of every array its sides, a name for those that are free: they differ between the arrays of two batches."""
    return {
        name: [
            side if side == other else "n" if axis == 0 else f"{name}_{axis}"
            for axis, (side, other) in enumerate(zip(array.shape, second[name].shape, strict=True))
        ]
        for name, array in first.items()
    }


def _traced(
    graph: nn.Module, example: Tensor, outputs: Sequence[str], sides: dict[str, list[int | str]]
) -> onnx.ModelProto:
    buffer: Any = io.BytesIO()  # the exporter by tracing writes to a file that is open, which its hints leave out
    free = {name: {axis: side for axis, side in enumerate(row) if isinstance(side, str)} for name, row in sides.items()}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                graph, (example,), buffer, opset_version=OPSET, input_names=["image"], output_names=list(outputs),
                dynamic_axes=free, dynamo=False,
            )  # fmt: skip
    except torch.onnx.errors.OnnxExporterError as error:
        why = str(error).strip().splitlines()[0]
        raise ModelError(f"the network cannot be written as ONNX: {why}") from error
    model = onnx.load_from_string(buffer.getvalue())
    for value in model.graph.output:  # tracing forgets sides that are known
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, sides[value.name]))
    return model


def _exported(
    graph: nn.Module, example: Tensor, outputs: Sequence[str], sides: dict[str, list[int | str]]
) -> onnx.ModelProto:
    """Return the graph as torch's exporter of programs writes it, without the places of its source code.

    A side of 1 would be taken for one that is always 1: an example of one picture is doubled.
    """
    fixed = all(isinstance(side, int) for side in sides["image"])
    example = torch.cat((example, example)) if len(example) == 1 and not fixed else example
    free = {axis: torch.export.Dim.DYNAMIC for axis, side in enumerate(sides["image"]) if isinstance(side, str)}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                graph, (example,), opset_version=DYNAMO_OPSET, input_names=["image"], output_names=list(outputs),
                dynamic_shapes=None if fixed else (free,), dynamo=True, external_data=False, verbose=False,
            )  # fmt: skip
    except torch.onnx.errors.OnnxExporterError as error:
        why = str(error).strip().splitlines()[0]
        raise ModelError(f"the network cannot be written as ONNX: {why}") from error
    assert program is not None
    model: onnx.ModelProto = program.model_proto
    model.ir_version = IR
    for value in (*model.graph.input, *model.graph.output):
        value.CopyFrom(helper.make_tensor_value_info(value.name, TensorProto.FLOAT, sides[value.name]))
    del model.graph.value_info[:], model.graph.metadata_props[:], model.metadata_props[:]
    for part in (*model.graph.node, *model.graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    return model


def _compare(runner: OnnxRunner, batch: Tensor, truth: dict[str, Tensor]) -> None:
    """Raise ModelError where the file answers otherwise than torch did."""
    answer = runner.run(batch.numpy())
    ours: dict[str, NDArray[np.floating[Any]]] = {}
    theirs: dict[str, NDArray[np.floating[Any]]] = {}
    for name, value in truth.items():
        if answer[name].shape != value.shape:
            raise ModelError(
                f"for a batch {tuple(batch.shape)} the exported file's '{name}' has the shape {answer[name].shape}, "
                f"not {tuple(value.shape)}."
            )
        scale = max(1.0, float(value.abs().max()))
        ours[name], theirs[name] = answer[name] / scale, value.numpy() / scale
    if truth.keys() >= {"boxes", "scores"}:
        theirs = {"boxes": np.concatenate((theirs["boxes"], theirs["scores"]), axis=2)}
        ours = {"boxes": _ordered(np.concatenate((ours["boxes"], ours["scores"]), axis=2), theirs["boxes"])}
    for name, array in theirs.items():
        worst = float(np.abs(ours[name] - array).max())
        if not worst <= TOLERANCE:  # so that NaN is refused too
            raise ModelError(
                f"the exported file's answers differ from torch by {worst:.2g} in '{name}'; at most {TOLERANCE} is "
                "allowed."
            )


def _ordered(ours: NDArray[np.floating[Any]], theirs: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Ours (n, k, columns), each row that differs from theirs exchanged for the nearest of those that differ.

    Where a detector keeps its best k, rounding decides the order of what is equally good.
    """
    ours = ours.copy()
    for mine, its in zip(ours, theirs, strict=True):
        moved = np.flatnonzero(np.abs(mine - its).max(axis=1) > TOLERANCE)
        if 0 < len(moved) <= MOVED:
            gaps = np.abs(its[moved, None] - mine[None, moved]).max(axis=2)
            mine[moved] = mine[moved[gaps.argmin(axis=1)]]
    return ours


def _levels_of(kernel: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]] | None:
    """Return levels and scale of a kernel that `compact` rounded, also of a transposed one; None for any other."""
    for turned in (False, True) if kernel.ndim == 2 else (False,):
        levels, scale = rounded(kernel.T if turned else kernel)
        if turned:
            levels, scale = np.ascontiguousarray(levels.T), np.ascontiguousarray(scale.T)
        if np.allclose(levels * scale, kernel, rtol=0, atol=1e-5 * float(np.abs(kernel).max())):
            return levels, scale
    return None


def shrink(model: onnx.ModelProto) -> None:
    """Store big kernels as 8-bit levels, each widened by a Cast and a Mul that onnxruntime folds away while loading."""
    extra, nodes = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2 or np.prod(tensor.dims) < ROUNDED:
            continue
        name = tensor.name
        kernel = numpy_helper.to_array(tensor)
        stored = _levels_of(kernel)
        if stored is None:
            continue  # no kernel that `compact` rounded, but a table that the exporter computed
        levels, scale = stored
        tensor.CopyFrom(numpy_helper.from_array(levels, f"{name}.levels"))
        extra.append(numpy_helper.from_array(scale, f"{name}.scale"))
        nodes.append(helper.make_node("Cast", [f"{name}.levels"], [f"{name}.wide"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name]))
    model.graph.initializer.extend(extra)
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
