"""8-bit arithmetic: an ONNX graph whose convolutions compute with integers, calibrated on real inputs.

Weights get one scale for each output channel, activations one for each tensor (static, QDQ format). It must not know
what the graph is for, nor what a loss of quality is: whoever calls it measures the answer on data of its own.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

from handlens.offline import import_onnxruntime

Batch = NDArray[np.float32]
QUANTIZED = ("Conv", "Add", "Resize")
ACTIVATIONS = ("Relu", "Clip")


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


def fold_activations(model: onnx.ModelProto) -> int:
    """Let convolutions round once, behind their ReLU or Clip, in place; return how many there were.

    A quantizer rounds what a convolution gives, and again what its activation leaves of it: one step too many, with a
    coarser scale, and two kernels more. Without the first step the convolution, its activation and the rounding are
    one integer kernel.
    """
    graph = model.graph
    makers = {name: node for node in graph.node for name in node.output}
    users: dict[str, list[onnx.NodeProto]] = {}
    for node in graph.node:
        for name in node.input:
            users.setdefault(name, []).append(node)
    shown = {output.name for output in graph.output}

    def before(node: onnx.NodeProto | None, kind: str) -> onnx.NodeProto | None:
        """Return the node that makes the first input, if it is of that kind and makes it for nobody else."""
        name = node.input[0] if node is not None else ""
        made = makers.get(name)
        alone = made is not None and len(users[name]) == 1 and name not in shown
        return made if made is not None and alone and made.op_type == kind else None

    folded = 0
    for active in [node for node in graph.node if node.op_type in ACTIVATIONS]:
        wide = before(active, "DequantizeLinear")
        rounding = before(wide, "QuantizeLinear")
        conv = before(rounding, "Conv")
        after = users.get(active.output[0], [])
        if conv is None or active.output[0] in shown or any(node.op_type != "QuantizeLinear" for node in after):
            continue
        active.input[0] = conv.output[0]
        graph.node.remove(wide)
        graph.node.remove(rounding)
        folded += 1
    _sort(graph)
    _drop_unused(graph)
    return folded


def _drop_unused(graph: onnx.GraphProto) -> None:
    """Remove the constants that no node reads any more: runtimes warn of each."""
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    for tensor in [tensor for tensor in graph.initializer if tensor.name not in read]:
        graph.initializer.remove(tensor)


def _sort(graph: onnx.GraphProto) -> None:
    """Bring the nodes into an order in which each comes after those that it reads."""
    waiting, made = list(graph.node), {""}
    made |= {value.name for value in (*graph.input, *graph.initializer)}
    ordered: list[onnx.NodeProto] = []
    while waiting:
        later = []
        for node in waiting:
            if all(name in made for name in node.input):
                ordered.append(node)
                made.update(node.output)
            else:
                later.append(node)
        if len(later) == len(waiting):
            raise ValueError(f"the graph has a circle at '{later[0].name}'.")
        waiting = later
    del graph.node[:]
    graph.node.extend(ordered)


def safe_ranges(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return for each output channel of a convolution (n, c, h, w) the value that 127 should stand for.

    Without VNNI, the kernels of AVX2 and AVX-512 add the products of two neighbouring input channels in 16 bits before
    they add in 32. Activations reach 255, so the sum overflows if two weights of one sign add up to more than 128. A
    range as wide as the largest such sum prevents that; 7-bit weights, the usual remedy, would double every rounding.
    """
    rows = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1)
    pairs = np.pad(rows, ((0, 0), (0, rows.shape[1] % 2))).reshape(len(weights), -1, 2)
    sums = np.where(pairs[..., 0] * pairs[..., 1] > 0, np.abs(pairs.sum(-1)), np.abs(pairs).max(-1))
    return np.asarray(np.maximum(sums.max(1), 1e-12), np.float32)


class Quantizer:
    """Makes graphs with integer convolutions from one float graph; the ranges of the activations are measured once.

    Args:
        model: a float graph with one input.
        batches: real inputs (n, 3, h, w), normalised, that set the ranges.
        method: minmax, entropy or percentile: how the ranges follow from what is seen.
    """

    def __init__(self, model: onnx.ModelProto, batches: Iterable[Batch], method: str = "minmax") -> None:
        calibrate = import_onnxruntime("quantization.calibrate")
        self.model = simplified(model)
        self.input = self.model.graph.input[0].name
        name, stream = self.input, iter(batches)

        class Reader(calibrate.CalibrationDataReader):  # type: ignore[misc, name-defined]
            """Hands the batches out one by one."""

            def get_next(self) -> dict[str, Batch] | None:
                batch = next(stream, None)
                return None if batch is None else {name: batch}

        ways = calibrate.CalibrationMethod
        methods = {"minmax": ways.MinMax, "entropy": ways.Entropy, "percentile": ways.Percentile}
        with tempfile.TemporaryDirectory() as folder:
            plain, widened = Path(folder) / "plain.onnx", Path(folder) / "widened.onnx"
            onnx.save(self.model, plain)
            calibrator = calibrate.create_calibrator(
                plain, list(QUANTIZED), augmented_model_path=str(widened), calibrate_method=methods[method]
            )
            calibrator.collect_data(Reader())
            self.ranges = calibrator.compute_data()

    @property
    def nodes(self) -> list[str]:
        """Names of all nodes that can compute with integers."""
        few = set(self._sums_of_few())
        return [node.name for node in self.model.graph.node if node.op_type in QUANTIZED and node.name not in few]

    def _sums_of_few(self) -> list[str]:
        """Return the names of additions of a few numbers in heads: rounding them costs more than it saves."""
        makers = {name: node.op_type for node in self.model.graph.node for name in node.output}
        maps = {*QUANTIZED, *ACTIVATIONS}
        sums = [node for node in self.model.graph.node if node.op_type == "Add"]
        return [node.name for node in sums if not all(makers.get(name) in maps for name in node.input)]

    def _ranges_of_weights(self, floating: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
        """Return the ranges of the channels of all weights that processors without VNNI could add up wrongly."""
        constants = {tensor.name: tensor for tensor in self.model.graph.initializer}
        ranges: dict[str, list[dict[str, Any]]] = {}
        for node in self.model.graph.node:
            if node.op_type != "Conv" or node.name in floating or node.input[1] not in constants:
                continue
            weights = numpy_helper.to_array(constants[node.input[1]])
            if weights.shape[1] > 1:
                largest = [np.float32(value) for value in safe_ranges(weights)]
                ranges[node.input[1]] = [{"axis": 0, "rmin": -value, "rmax": value} for value in largest]
        return ranges

    def graph(self, floating: Sequence[str] = ()) -> onnx.ModelProto:
        """Return the graph with integers, except in the nodes named: first layers often lose too much."""
        kinds: Any = import_onnxruntime("quantization").QuantType
        maker: Any = import_onnxruntime("quantization.qdq_quantizer").QDQQuantizer
        copied = onnx.ModelProto()
        copied.CopyFrom(self.model)
        made = maker(
            copied,
            per_channel=True,
            reduce_range=False,
            weight_qType=kinds.QInt8,
            activation_qType=kinds.QUInt8,
            tensors_range=self.ranges,
            nodes_to_quantize=[],
            nodes_to_exclude=[*floating, *self._sums_of_few()],
            op_types_to_quantize=list(QUANTIZED),
            extra_options={"TensorQuantOverrides": self._ranges_of_weights(floating)},
        )
        made.quantize_model()
        graph: onnx.ModelProto = made.model.model
        graph.producer_name = "handlens"  # not the quantizer's
        fold_activations(graph)
        return graph

    def sensitivity(self, probe: Sequence[Batch], output: str, depth: int = 3) -> dict[str, tuple[float, list[str]]]:
        """Return for each part of the graph how far one output moves when only that part computes with integers.

        Args:
            probe: inputs to ask, not those of the ranges.
            output: name of the output.
            depth: how many parts of a node's name, between slashes, name its part of the graph.

        Returns:
            Part -> root mean square of the move, and the names of its nodes.
        """
        parts: dict[str, list[str]] = {}
        for name in self.nodes:
            parts.setdefault("/".join(name.strip("/").split("/")[:depth]), []).append(name)
        exact, every = self.answers(self.model, probe, output), set(self.nodes)
        moved = {}
        for part, names in parts.items():
            said = self.answers(self.graph(sorted(every - set(names))), probe, output)
            moved[part] = (float(np.sqrt(np.mean((said - exact) ** 2))), names)
        return moved

    def answers(self, graph: onnx.ModelProto, probe: Sequence[Batch], output: str) -> Batch:
        """Return one output of a graph for all inputs."""
        runtime = import_onnxruntime()
        options = runtime.SessionOptions()
        options.intra_op_num_threads, options.log_severity_level = 1, 3
        session = runtime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
        return np.concatenate([np.asarray(session.run([output], {self.input: batch})[0]) for batch in probe])


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
    return Quantizer(model, batches, method).graph(floating)
