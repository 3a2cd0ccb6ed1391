"""A live net behind the Runner seam: one predictor gives the same answers for it and for its file."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from lived_in import lived_in
from torch import nn

from handlens.card import ModelCard
from handlens.errors import InputError, ModelError
from handlens.predictor import Predictor
from handlens.runner import OnnxRunner, Runner
from handlens.train.export.export import export
from handlens.train.export.graphs import PixelGraph, ProbabilityGraph, canonical_graph
from handlens.train.export.torch_runner import TorchRunner
from handlens.train.nets.catalog import build
from handlens.train.nets.contact import Contact, ContactGraph
from handlens.train.nets.hand_encoder import FaceHand, FaceHandGraph
from handlens.types import Detections, Frame, Mask
from recipes.touch.assemble import plain_card

CONTACT = ("hand", "regions", "touch_logit", "region_scores")


def picture(seed: int = 0) -> Frame:
    return Frame(np.random.default_rng(seed).integers(0, 255, (90, 120, 3)).astype(np.uint8))


def both(
    graph: nn.Module, card: ModelCard, folder: Path, outputs: tuple[str, ...] | None = None, sides: tuple[int, int] = ()
) -> tuple[Runner, Runner]:
    """The live net and its file."""
    live = TorchRunner(graph, card, outputs)
    example = torch.rand(1, 3, *(sides or card.size))
    return live, OnnxRunner(export(graph, card, example, live.outputs, folder / f"{card.name}.onnx"))


@pytest.mark.slow
def test_detect(tmp_path: Path) -> None:
    torch.manual_seed(0)
    net = build("yolov5n", 2)
    lived_in(net, 64, 96)
    for head in net.model[-1].m:
        nn.init.normal_(head.weight, 0, 0.1)  # sure here and unsure there, so that rounding decides nothing
        nn.init.zeros_(head.bias)
    card = ModelCard("d", "touch", "detect", ("face", "hand"), (64, 96), "letterbox")
    live, file = (Predictor(r).predict(picture(), 0.2).value for r in both(net.graph(), card, tmp_path))
    assert isinstance(live, Detections)
    assert isinstance(file, Detections)
    assert len(live) > 5
    np.testing.assert_allclose(live.xyxy, file.xyxy, atol=1e-2)  # pixels of the picture
    np.testing.assert_allclose(live.score, file.score, atol=1e-4)
    assert (live.label == file.label).all()


@pytest.mark.slow
def test_classify(tmp_path: Path) -> None:
    torch.manual_seed(0)
    card = ModelCard("c", "hold", "classify", ("nothing", "object"), (112, 112), "stretch")
    runners = both(canonical_graph(build("mobileface", 2), "classify"), card, tmp_path)
    live, file = (Predictor(runner).predict(picture(), crop="whole").value for runner in runners)
    assert live[0].gesture.name == file[0].gesture.name
    assert live[0].gesture.scores == pytest.approx(file[0].gesture.scores, abs=1e-4)


@pytest.mark.slow
def test_segment(tmp_path: Path) -> None:
    torch.manual_seed(0)
    card = ModelCard("s", "segment", "segment", ("background", "hand"), (48, 64), "stretch")
    runners = both(canonical_graph(build("unet", 1), "segment"), card, tmp_path)
    batch = np.random.default_rng(1).random((2, 3, 48, 64), np.float32)
    np.testing.assert_allclose(*(runner.run(batch)["probabilities"] for runner in runners), atol=1e-4)
    live, file = (Predictor(runner).predict(picture()).value for runner in runners)
    assert isinstance(live, Mask)
    assert isinstance(file, Mask)
    assert (live.classes == file.classes).mean() > 0.999  # a pixel may lie on the edge of one half


@pytest.mark.slow
def test_contact(tmp_path: Path) -> None:
    torch.manual_seed(0)
    finder, net = FaceHand(), Contact()
    lived_in(finder, 96, 128)
    nn.init.normal_(finder.out.weight, 0, 0.2)
    nn.init.constant_(finder.out.bias[:2], 0.0)
    found = ModelCard("f", "touch", "detect", ("face", "hand"), (128, 128), "fit", options={"nms": 0.45})
    detectors = both(FaceHandGraph(finder), found, tmp_path, sides=(96, 128))
    contacts = both(ContactGraph(net), plain_card("0"), tmp_path, CONTACT)
    live, file = (
        Predictor(contact, {"detector": detector}).predict(picture(), 0.1).value
        for contact, detector in zip(contacts, detectors, strict=True)
    )
    assert isinstance(live, Detections)
    assert isinstance(file, Detections)
    assert len(live) > 1
    assert live.touch == pytest.approx(file.touch, abs=1e-4)
    np.testing.assert_allclose(live.score, file.score, atol=1e-4)


def test_a_net_in_training_is_asked_in_evaluation_and_left_in_training() -> None:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5))
    net[1].eval()  # frozen by its owner
    net[0].train()
    card = ModelCard("s", "segment", "segment", ("background", "hand"), (8, 8), "stretch")
    runner = TorchRunner(PixelGraph(net), card)
    batch = np.random.default_rng(0).random((1, 3, 8, 8), np.float32)
    with torch.autocast("cpu", torch.bfloat16):
        first, second = runner.run(batch)["probabilities"], runner.run(batch)["probabilities"]
    net.eval()
    batch.flags.writeable = False
    assert first.dtype == np.float32
    assert (first == second).all()
    assert (first == runner.run(batch)["probabilities"]).all()
    net.train()
    net[1].eval()
    runner.run(batch)
    assert [module.training for module in net] == [True, False, True]
    assert net(torch.tensor(batch)).requires_grad  # training goes on


def test_a_batch_that_the_net_does_not_take_is_a_wrong_model() -> None:
    card = ModelCard("c", "hold", "classify", ("nothing", "object"), (8, 8), "stretch")
    runner = TorchRunner(ProbabilityGraph(nn.Sequential(nn.Flatten(), nn.Linear(192, 2))), card)
    with pytest.raises(ModelError, match=r"failed on a batch of shape \(1, 3, 9, 9\)"):
        runner.run(np.zeros((1, 3, 9, 9), np.float32))
    detector = TorchRunner(build("yolov5n", 1).graph(), ModelCard("d", "touch", "detect", ("a",), (40, 40), "stretch"))
    with pytest.raises(InputError, match="multiples of 32"):
        detector.run(np.zeros((1, 3, 40, 40), np.float32))


def test_a_graph_that_returns_other_arrays_is_a_wrong_model() -> None:
    runner = TorchRunner(nn.Identity(), ModelCard("d", "touch", "detect", ("a",), (8, 8), "stretch"))
    with pytest.raises(ModelError, match="returns 1 arrays"):
        runner.run(np.zeros((1, 3, 8, 8), np.float32))
