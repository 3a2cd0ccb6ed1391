"""One exporter for every kind: the file answers as the net does, for any batch, or it is refused."""

import dataclasses
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

torch = pytest.importorskip("torch")

from lived_in import card_of, lived_in, written
from torch import nn

from handlens.card import ModelCard
from handlens.runner import OnnxRunner
from handlens.train.export.combined import export_combined
from handlens.train.export.export import export
from handlens.train.export.fold import fold
from handlens.train.export.graphs import PixelGraph, ProbabilityGraph, canonical_graph
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.nets.backbones import ImprovedResNet
from handlens.train.nets.catalog import build
from handlens.train.nets.darknet.cfg import parse_cfg
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.from_onnx import take_onnx_weights
from handlens.train.nets.hand_encoder import FaceHand, FaceHandGraph
from handlens.train.nets.margins import Recogniser, margin


def small_res_ir() -> nn.Module:
    return Recogniser(ImprovedResNet((1, 1, 1, 1), True, 16, 0.4), margin("arcface", 16, 3))


CFG = """
[net]
width=64
height=64
channels=3
[convolutional]
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
[maxpool]
size=2
stride=1
[convolutional]
batch_normalize=1
filters=8
size=3
pad=1
activation=mish
[shortcut]
from=-2
activation=linear
[maxpool]
size=2
stride=2
[upsample]
stride=2
[route]
layers=-1, 0
[convolutional]
filters=16
size=1
activation=linear
[yolo]
mask=0,1
anchors=8,8, 16,12, 40,30
classes=3
num=3
"""


GRAPHS = {
    "yolov5n": ("detect", 64, lambda: canonical_graph(build("yolov5n", 3), "detect")),
    "darknet": ("detect", 64, lambda: canonical_graph(Darknet(parse_cfg(CFG)), "detect")),
    "mobileface": ("classify", 112, lambda: canonical_graph(build("mobileface", 3), "classify")),
    "res_ir": ("classify", 112, lambda: canonical_graph(small_res_ir(), "classify")),
    "gestures20": ("classify", 50, lambda: canonical_graph(build("gestures20", 3), "classify", grey=True)),
    "silhouette-net": ("classify", 64, lambda: canonical_graph(build("silhouette-net", 3), "classify", grey=True)),
    "digits6": ("classify", 64, lambda: canonical_graph(build("digits6", 3, True), "classify", grey=True)),
    "hand-net": ("classify", 48, lambda: canonical_graph(build("hand-net", 3), "classify")),
    "unet": ("segment", 40, lambda: canonical_graph(build("unet", 3), "segment")),
}


def assert_same(file: Path, runner: TorchRunner, batch: np.ndarray, close: float = 1e-3) -> None:
    ours, truth = OnnxRunner(file).run(batch), runner.run(batch)
    assert ours.keys() == truth.keys()
    for name, value in truth.items():
        scale = max(1.0, float(np.abs(value).max()))
        np.testing.assert_allclose(ours[name] / scale, value / scale, rtol=0, atol=close, err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("name", GRAPHS)
def test_the_file_answers_as_the_net_for_any_batch(name: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    kind, size, make = GRAPHS[name]
    torch.manual_seed(0)
    graph, card = lived_in(make(), size, size), card_of(kind, size)
    file = written(tmp_path, graph, card)
    assert OnnxRunner(file).card == card
    pictures = np.random.default_rng(0).random((3, 3, size, size), np.float32)
    for batch in (pictures[:1], pictures):
        assert_same(file, TorchRunner(graph, card), batch)
    truth = TorchRunner(graph, card).run(pictures)
    assert declared_sides(file) == {output: ["n", *value.shape[1:]] for output, value in truth.items()}
    assert_no_norm_after_a_convolution(file)
    assert [entry.name for entry in tmp_path.iterdir()] == ["made.onnx"]
    assert capfd.readouterr() == ("", "")


def declared_sides(file: Path) -> dict[str, list[int | str]]:
    """The sides of every output as the file tells them."""
    outputs = onnx.load(file).graph.output
    return {o.name: [side.dim_param or side.dim_value for side in o.type.tensor_type.shape.dim] for o in outputs}


def assert_no_norm_after_a_convolution(file: Path) -> None:
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    made_by = {name: node.op_type for node in model.graph.node for name in node.output}
    norms = [node for node in model.graph.node if node.op_type == "BatchNormalization"]
    assert "Conv" not in {made_by.get(node.input[0]) for node in norms}


@pytest.mark.slow
def test_a_fitted_picture_may_have_any_sides(tmp_path: Path) -> None:
    net = lived_in(FaceHand(), 64, 96)
    nn.init.normal_(net.out.weight, 0, 0.2)  # scores far apart: what is kept, and in which order, is then certain
    graph, card = FaceHandGraph(net), card_of("detect", 96, 2, "fit")  # type: ignore[arg-type]
    file = export(graph, card, torch.rand(1, 3, 64, 96), ("boxes", "scores"), tmp_path / "made.onnx")
    for sides in ((96, 64), (128, 160)):
        assert_same(file, TorchRunner(graph, card), np.random.default_rng(3).random((2, 3, *sides), np.float32))


@pytest.mark.slow
def test_the_new_exporter_writes_the_same_answers_for_any_batch_and_sides(
    tmp_path: Path, capfd: pytest.CaptureFixture
) -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.ReLU(), nn.Upsample(scale_factor=2))
    graph, card = PixelGraph(net.eval()), card_of("segment", 16, 4, "fit")
    names = ("probabilities",)
    file = export(graph, card, torch.rand(1, 3, 16, 32), names, tmp_path / "made.onnx", dynamo=True)
    for sides in ((1, 3, 32, 16), (3, 3, 64, 32)):
        assert_same(file, TorchRunner(graph, card), np.random.default_rng(3).random(sides, np.float32))
    model = onnx.load(file)
    onnx.checker.check_model(model, full_check=True)
    assert (model.ir_version, [(found.domain, found.version) for found in model.opset_import]) == (8, [("", 18)])
    assert declared_sides(file)["probabilities"] == ["n", 4, "probabilities_2", "probabilities_3"]
    assert str(Path(__file__).parent).encode() not in file.read_bytes()
    assert [entry.name for entry in tmp_path.iterdir()] == ["made.onnx"]
    assert capfd.readouterr() == ("", "")


def test_users_have_the_exporter_of_programs(traced_exports: bool) -> None:
    assert traced_exports is True


@pytest.mark.slow
def test_what_the_exporter_of_programs_writes_goes_on_to_all_who_read_files(tmp_path: Path) -> None:
    card = dataclasses.replace(card_of("classify", 64, 4, "letterbox"), task="gesture", options={"silhouette": 1.0})
    graph = lived_in(canonical_graph(build("silhouette-net", 4), "classify", grey=True), 64, 64)
    names = TorchRunner(graph, card).outputs
    sign = export(graph, card, torch.rand(1, 3, 64, 64), names, tmp_path / "sign.onnx", int8=True, dynamo=True)
    other = build("silhouette-net", 4)
    take_onnx_weights(other, canonical_graph(other, "classify", grey=True), sign, torch.rand(2, 3, 64, 64))

    conv = nn.Conv2d(3, 3, 1)
    with torch.no_grad():  # red is a hand, blue a face
        conv.weight.copy_(12 * torch.tensor([[0.0, 0, 0], [1, -1, 0], [-1, -1, 1]])[..., None, None])
        conv.bias.copy_(12 * torch.tensor([0.4, 0, 0]))
    seen = ModelCard("mask", "segment", "segment", ("background", "hand", "face"), (96, 128), "letterbox")
    mask = export(PixelGraph(conv), seen, torch.rand(1, 3, 96, 128), names[:1], tmp_path / "mask.onnx", dynamo=True)
    export_combined(mask, sign, tmp_path / "both.onnx")  # refuses a file that answers otherwise than its parts

    for file in (sign, mask):
        assert cv2.dnn.readNetFromONNX(str(file)).getLayerNames()


class Tabled(nn.Module):
    """A convolution, and a table of places that an exporter computes."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 160, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        table = torch.linspace(0, 1, 160 * 64).reshape(1, 160, 8, 8) * 3.0
        return torch.softmax(self.conv(x) + table, dim=1)


@pytest.mark.slow
@pytest.mark.parametrize("dynamo", [False, True])
def test_eight_bits_are_for_kernels_and_not_for_tables(tmp_path: Path, dynamo: bool) -> None:
    torch.manual_seed(0)
    card, names = card_of("segment", 8, 160), ("probabilities",)
    file = export(Tabled().eval(), card, torch.rand(2, 3, 8, 8), names, tmp_path / "a.onnx", int8=True, dynamo=dynamo)
    kinds = {tensor.name: tensor.data_type for tensor in onnx.load(file).graph.initializer if len(tensor.dims) == 4}
    assert sorted(kinds.values()).count(onnx.TensorProto.INT8) == 1


class Sorted(nn.Module):
    """A detector whose rows come in the order of scores that are all but equal."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        corners = x.flatten(2)[:, :1, :24].reshape(-1, 6, 4)
        noise = 1e-6 * torch.rand(6) if torch.onnx.is_in_onnx_export() else torch.zeros(6)
        scores, order = torch.sort(0.5 + noise.expand(x.shape[0], 6), descending=True)
        return torch.gather(corners, 1, order.unsqueeze(2).expand(-1, -1, 4)), scores.unsqueeze(2)


def test_the_order_of_equally_good_boxes_is_free(tmp_path: Path) -> None:
    torch.manual_seed(0)
    graph, card = Sorted(), card_of("detect", 8, 1)
    file = written(tmp_path, graph, card)
    batch = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    ours, theirs = OnnxRunner(file).run(batch)["boxes"][0], TorchRunner(graph, card).run(batch)["boxes"][0]
    assert {tuple(box) for box in ours.tolist()} == {tuple(box) for box in theirs.tolist()}


def test_a_turned_hand_has_a_direction_of_length_one(tmp_path: Path) -> None:
    class Turned(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.map = nn.Linear(3, 5)

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            both = self.map(x.mean((2, 3)))
            return both[:, :3], both[:, 3:]

    graph, card = ProbabilityGraph(Turned()), card_of("classify", 8)
    names = ("probabilities", "angle")
    file = export(graph, card, torch.rand(2, 3, 8, 8), names, tmp_path / "made.onnx")
    batch = np.random.default_rng(0).random((4, 3, 8, 8), np.float32)
    assert_same(file, TorchRunner(graph, card, names), batch)
    np.testing.assert_allclose(np.linalg.norm(OnnxRunner(file).run(batch)["angle"], axis=1), 1, atol=1e-5)


def test_one_channel_is_background_and_hand() -> None:
    maps = PixelGraph(nn.Conv2d(3, 1, 1))(torch.rand(2, 3, 4, 4))
    assert maps.shape == (2, 2, 4, 4)
    torch.testing.assert_close(maps.sum(1), torch.ones(2, 4, 4))
    logits = nn.Conv2d(3, 1, 1)
    nn.init.constant_(logits.weight, 5.0)
    assert (PixelGraph(logits)(torch.ones(1, 3, 2, 2))[:, 1] > 0.9).all()


def test_folding_changes_no_answer_and_leaves_the_net_alone() -> None:
    net = lived_in(build("yolov5n", 1), 64, 64)
    before = {name: value.clone() for name, value in net.state_dict().items()}
    picture = torch.rand(1, 3, 64, 96)
    folded = fold(net)
    with torch.no_grad():
        for ours, truth in zip(folded(picture), net(picture), strict=True):
            torch.testing.assert_close(ours, truth, rtol=1e-3, atol=1e-3)
            assert truth[..., :4].std() > 0.05
    assert not [module for module in folded.modules() if isinstance(module, nn.BatchNorm2d)]
    assert folded.model[0][0].kernel_size == (6, 6)  # the Focus
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())


@pytest.mark.slow
def test_eight_bits_are_asked_for_and_a_quarter_of_the_size(tmp_path: Path) -> None:
    graph, card = canonical_graph(build("unet", 1), "segment"), card_of("segment", 16, 2)
    full = written(tmp_path, graph, card).stat().st_size
    small = written(tmp_path, graph, card, int8=True)
    assert small.stat().st_size < 0.3 * full
    batch = np.random.default_rng(0).random((2, 3, 16, 16), np.float32)
    ours, theirs = (runner.run(batch)["probabilities"] for runner in (OnnxRunner(small), TorchRunner(graph, card)))
    assert 1e-6 < np.abs(ours - theirs).max() < 0.02
