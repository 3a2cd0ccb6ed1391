"""8-bit arithmetic: an ONNX graph whose convolutions compute with integers, calibrated on real inputs.

Weights get one scale for each output channel, activations one for each tensor (static, QDQ format). It must not know
what the graph is for, nor what a loss of quality is: whoever calls it measures the answer on data of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from handlens.offline import import_onnxruntime

Batch = NDArray[np.float32]
QUANTIZED = ("Conv", "Add", "Resize")


def simplified(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with its constants folded and its pads inside the convolutions."""
    quantization = import_onnxruntime("quantization.shape_inference")
    with tempfile.TemporaryDirectory() as folder:
        plain, folded = Path(folder) / "plain.onnx", Path(folder) / "folded.onnx"
        onnx.save(model, plain)
        quantization.quant_pre_process(str(plain), str(folded), skip_symbolic_shape=True)
        graph = onnx.load(folded)
    merge_pads(graph)
    return graph


def merge_pads(model: onnx.ModelProto) -> int:
    """Transform every constant zero Pad into the convolution behind it, in place; return how many there were.

    Integer kernels exist for padded convolutions, not for a Pad between two of them.
    """
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    constants |= {n.output[0]: n.attribute[0].t for n in graph.node if n.op_type == "Constant"}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    merged = 0
    for pad in [node for node in graph.node if node.op_type == "Pad"]:
        behind = users.get(pad.output[0], [])
        if len(behind) != 1 or behind[0].op_type != "Conv" or pad.input[1] not in constants:
            continue
        amounts = numpy_helper.to_array(constants[pad.input[1]]).tolist()
        conv = behind[0]
        own = next((a for a in conv.attribute if a.name == "pads"), None)
        if own is None:
            own = conv.attribute.add()
            own.name, own.type = "pads", onnx.AttributeProto.INTS
            own.ints.extend([0, 0, 0, 0])
        outer = [amounts[2], amounts[3], amounts[6], amounts[7]]
        own.ints[:] = [a + b for a, b in zip(own.ints, outer, strict=True)]
        conv.input[0] = pad.input[0]
        graph.node.remove(pad)
        merged += 1
    return merged


def quantized(
    model: onnx.ModelProto, batches: Iterable[Batch], floating: Sequence[str] = (), method: str = "minmax"
) -> onnx.ModelProto:
    """Return the graph with integer convolutions.

    Args:
        model: a float graph with one input.
        batches: real inputs (n, 3, h, w), normalised, that set the ranges of the activations.
        floating: names of nodes that stay in float, such as first and last layers that lose too much.
        method: minmax, entropy or percentile: how the ranges follow from what is seen.
    """
    quantization: Any = import_onnxruntime("quantization")  # untyped
    name = model.graph.input[0].name

    class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
        """Hands the batches out one by one."""

        def __init__(self) -> None:
            self.stream: Iterator[Batch] = iter(batches)

        def get_next(self) -> dict[str, Batch] | None:
            batch = next(self.stream, None)
            return None if batch is None else {name: batch}

    ways = quantization.CalibrationMethod
    methods = {
        "minmax": ways.MinMax,
        "entropy": ways.Entropy,
        "percentile": ways.Percentile,
    }
    with tempfile.TemporaryDirectory() as folder:
        prepared, out = Path(folder) / "prepared.onnx", Path(folder) / "out.onnx"
        onnx.save(simplified(model), prepared)
        quantization.quantize_static(
            str(prepared),
            str(out),
            Reader(),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=list(QUANTIZED),
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            nodes_to_exclude=list(floating),
            calibrate_method=methods[method],
        )
        return onnx.load(out)
