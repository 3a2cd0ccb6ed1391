"""8-bit arithmetic: pads move into convolutions, integers answer nearly as floats do, chosen layers stay in float."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")

from handlens.card import ModelCard
from handlens.runner import OnnxRunner
from handlens.train.export.export import export
from handlens.train.export.int8 import Quantizer, fold_activations, quantized, safe_ranges, simplified
from handlens.train.export.onnx_file import write_checked
from handlens.weights import SHIPPED

CARD = ModelCard(name="n", task="gesture", kind="classify", names=("a", "b"), size=(16, 16), resize="stretch")


class Padded(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = torch.nn.Conv2d(3, 8, 3, 2), torch.nn.Conv2d(8, 8, 3, 1, 1)
        self.last = torch.nn.Linear(8, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.relu(self.first(torch.nn.functional.pad(x, (0, 1, 0, 1))))
        return self.last(torch.relu(self.second(x)).mean((2, 3)))


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("m") / "n.onnx"
    return export(Padded(), CARD, torch.randn(2, 3, 16, 16), ("probabilities",), path)


def batches() -> list[np.ndarray]:
    return [np.random.default_rng(k).standard_normal((4, 3, 16, 16)).astype(np.float32) for k in range(4)]


def test_a_merged_pad_answers_the_same(exported: Path) -> None:
    model = simplified(onnx.load(exported))
    assert [n.op_type for n in model.graph.node].count("Pad") == 0
    path = write_checked(model, CARD, exported.with_name("merged.onnx"), lambda runner: None)
    (x, *_) = batches()
    np.testing.assert_allclose(
        OnnxRunner(path).run(x)["probabilities"], OnnxRunner(exported).run(x)["probabilities"], atol=1e-5, rtol=1e-5
    )


def test_integers_answer_nearly_as_floats_do(exported: Path) -> None:
    small = quantized(onnx.load(exported), batches())
    kinds = {t.data_type for t in small.graph.initializer if "weight" in t.name and len(t.dims) == 4}
    assert kinds == {onnx.TensorProto.INT8}
    path = write_checked(small, CARD, exported.with_name("int8.onnx"), lambda runner: None)
    x = batches()[0]
    wide, narrow = (OnnxRunner(p).run(x)["probabilities"] for p in (exported, path))
    assert 0 < np.abs(wide - narrow).max() < 0.05 * np.abs(wide).max() + 0.02


def test_a_convolution_rounds_once_behind_its_activation(exported: Path) -> None:
    small = quantized(onnx.load(exported), batches())
    onnx.checker.check_model(small)
    makers = {name: node.op_type for node in small.graph.node for name in node.output}
    active = [node for node in small.graph.node if node.op_type == "Relu"]
    assert [makers[node.input[0]] for node in active] == ["Conv", "DequantizeLinear"]  # nobody rounds the last one
    twice = onnx.ModelProto()
    twice.CopyFrom(small)
    assert fold_activations(twice) == 0
    assert twice == small


def test_a_sum_of_a_few_numbers_stays_in_float(tmp_path: Path) -> None:
    class Added(Padded):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            y = torch.relu(self.first(torch.nn.functional.pad(x, (0, 1, 0, 1))))
            y = y + torch.relu(self.second(y))  # of two maps
            return self.last(y.mean((2, 3))) + y.amax((1, 2, 3))[:, None]  # of two numbers

    path = export(Added(), CARD, torch.randn(2, 3, 16, 16), ("probabilities",), tmp_path / "n.onnx")
    maker = Quantizer(onnx.load(path), batches())
    kinds = {node.name: node.op_type for node in maker.model.graph.node}
    assert [kinds[name] for name in maker.nodes].count("Add") == 1
    small = maker.graph()
    makers = {name: node.op_type for node in small.graph.node for name in node.output}
    sums = [[makers.get(name) for name in node.input] for node in small.graph.node if node.op_type == "Add"]
    assert ["DequantizeLinear"] * 2 in sums
    assert any("DequantizeLinear" not in inputs for inputs in sums)


def test_a_layer_that_is_named_stays_in_float(exported: Path) -> None:
    model = onnx.load(exported)
    first = next(n.name for n in model.graph.node if n.op_type == "Conv")
    small = quantized(model, batches(), (first,))
    kept = [t for t in small.graph.initializer if list(t.dims) == [8, 3, 3, 3]]
    assert [t.data_type for t in kept] == [onnx.TensorProto.FLOAT]


def test_sensitivity_names_the_part_that_loses_most(exported: Path) -> None:
    maker = Quantizer(onnx.load(exported), batches())
    moved = maker.sensitivity(batches()[:1], "probabilities", depth=1)
    assert sorted(name for _, names in moved.values() for name in names) == sorted(maker.nodes)
    assert all(value > 0 for value, _ in moved.values())
    every = maker.answers(maker.graph(), batches()[:1], "probabilities")
    exact = maker.answers(maker.graph(maker.nodes), batches()[:1], "probabilities")
    worst = max(moved, key=lambda part: moved[part][0])
    saved = maker.answers(maker.graph(moved[worst][1]), batches()[:1], "probabilities")
    assert np.abs(saved - exact).mean() < np.abs(every - exact).mean()


def test_no_two_products_overflow_16_bits(exported: Path) -> None:
    weights = np.array([[[[100.0]], [[90.0]], [[-5.0]]], [[[100.0]], [[-90.0]], [[3.0]]]], np.float32)
    assert safe_ranges(weights).tolist() == [190.0, 100.0]
    even = safe_ranges(np.ones((1, 4, 3, 3), np.float32))
    assert even.tolist() == [2.0]
    model = onnx.load(exported)
    for tensor in model.graph.initializer:
        if list(tensor.dims) == [8, 8, 3, 3]:  # neighbours of one sign and the same size
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.full((8, 8, 3, 3), 0.1, np.float32), tensor.name))
    small = quantized(model, batches())
    kernels = [onnx.numpy_helper.to_array(t) for t in small.graph.initializer if list(t.dims) == [8, 8, 3, 3]]
    assert [int(kernel.max()) for kernel in kernels] == [64]
    assert 2 * 64 * 255 < 2**15


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.onnx")), ids=lambda path: path.stem)
def test_no_shipped_graph_holds_constants_that_nobody_reads(path: Path) -> None:
    """Runtimes warn of each, and the browser shows the warnings as errors."""
    graph = onnx.load(path).graph
    read = {name for node in graph.node for name in node.input} | {output.name for output in graph.output}
    assert {tensor.name for tensor in graph.initializer} <= read


@pytest.mark.parametrize("path", sorted(SHIPPED.glob("*.onnx")), ids=lambda path: path.stem)
def test_no_shipped_graph_overflows_without_vnni(path: Path) -> None:
    graph = onnx.load(path).graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    makers = {name: node for node in graph.node for name in node.output}
    for conv in [node for node in graph.node if node.op_type == "Conv"]:
        seen, kernel = (makers.get(name) for name in conv.input[:2])
        if not (seen and kernel and seen.op_type == kernel.op_type == "DequantizeLinear"):
            continue  # it computes in float
        weights = onnx.numpy_helper.to_array(constants[kernel.input[0]]).astype(int)
        rows = weights.transpose(0, 2, 3, 1).reshape(len(weights), -1)
        pairs = rows[:, : rows.shape[1] // 2 * 2].reshape(len(weights), -1, 2)
        same = pairs.prod(-1) > 0
        assert weights.shape[1] == 1 or 255 * np.abs(pairs.sum(-1) * same).max() < 2**15, conv.name
