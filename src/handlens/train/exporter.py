"""A trained net -> an .onnx file with its card inside, refused when its answers differ; knows no task or data.

Kernels are stored as 8-bit integers with a scale for each output channel, and widened when the model is loaded: a
quarter of the size at the speed of 32-bit floats. The rounding happens here, before the comparison, so that the file's
answers are held against the very same numbers.
"""

from __future__ import annotations

import copy
import io
import os
import warnings
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from handlens.card import KEY, ModelCard
from handlens.errors import ModelError
from handlens.runner import OnnxRunner

OPSET = 17
TOLERANCE = 2e-3
ROUNDED = 4096
"""Kernels with at least this many numbers are stored in 8 bits."""


def export(graph: nn.Module, card: ModelCard, example: Tensor, outputs: Sequence[str], path: Path) -> Path:
    """Write `graph` (already in its canonical form) with `card` to `path`; the batch and, for "fit", sides are free.

    Args:
        example: (n, 3, h, w) float32 to trace with and to compare on.

    Raises:
        ModelError: onnxruntime's answers differ from torch's by more than 2e-3.
    """
    small = compact(graph)
    axes = {"image": {0: "n"} | ({2: "h", 3: "w"} if card.resize == "fit" else {})}
    if card.kind != "detect":
        axes |= {name: {0: "n"} for name in outputs}
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            small, (example,), buffer, opset_version=OPSET, input_names=["image"], output_names=list(outputs),
            dynamic_axes=axes, dynamo=False,
        )  # fmt: skip
    model = onnx.load_from_string(buffer.getvalue())
    _shrink(model)
    entry = model.metadata_props.add()
    entry.key, entry.value = KEY, card.to_json()
    model.producer_name = "handlens"
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".part.onnx")
    try:
        temporary.write_bytes(model.SerializeToString())
        compare(small, OnnxRunner(temporary), example, outputs)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


@torch.no_grad()
def compare(graph: nn.Module, runner: OnnxRunner, example: Tensor, outputs: Sequence[str]) -> float:
    """Return the largest difference between torch and the file.

    Raises:
        ModelError: it is above the tolerance.
    """
    truth = graph(example)
    answer = runner.run(np.ascontiguousarray(example.numpy()))
    worst = 0.0
    for name, value in zip(outputs, truth, strict=True):
        scale = max(1.0, float(value.abs().max()))
        worst = max(worst, float(np.abs(answer[name] - value.numpy()).max()) / scale)
    if worst > TOLERANCE:
        raise ModelError(
            f"the exported file's answers differ from torch by {worst:.2g}; at most {TOLERANCE} is allowed."
        )
    return worst


def compact(graph: nn.Module) -> nn.Module:
    """A copy in evaluation mode, batch norms folded into convolutions and big kernels rounded to 8 bits a channel."""
    small = copy.deepcopy(graph).eval()
    for module in list(small.modules()):
        if isinstance(module, nn.Sequential):
            for i in range(len(module) - 1):
                conv, norm = module[i], module[i + 1]
                if isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                    module[i], module[i + 1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
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


def _shrink(model: onnx.ModelProto) -> None:
    """Store big kernels as 8-bit levels, each widened by a Cast and a Mul that onnxruntime folds away while loading."""
    extra, nodes = [], []
    for tensor in model.graph.initializer:
        if tensor.data_type != TensorProto.FLOAT or len(tensor.dims) < 2 or np.prod(tensor.dims) < ROUNDED:
            continue
        name = tensor.name
        levels, scale = rounded(numpy_helper.to_array(tensor))
        tensor.CopyFrom(numpy_helper.from_array(levels, f"{name}.levels"))
        extra.append(numpy_helper.from_array(scale, f"{name}.scale"))
        nodes.append(helper.make_node("Cast", [f"{name}.levels"], [f"{name}.wide"], to=TensorProto.FLOAT))
        nodes.append(helper.make_node("Mul", [f"{name}.wide", f"{name}.scale"], [name]))
    model.graph.initializer.extend(extra)
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
