"""DeepLabV3+ takes pictures of any size, is exported, and says what it lacks."""

import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segmentation_models_pytorch")

from handlens.card import ModelCard
from handlens.errors import InputError
from handlens.runner import OnnxRunner
from handlens.train.export.export import export
from handlens.train.export.graphs import canonical_graph
from handlens.train.nets import catalog
from handlens.train.nets.deeplab import DeepLab

SMALL = "resnet18"


@pytest.mark.parametrize(("height", "width"), [(32, 48), (33, 50), (9, 21)])
def test_any_size_comes_back_as_it_was(height: int, width: int) -> None:
    with torch.device("meta"):
        assert DeepLab(3, SMALL).eval()(torch.empty(2, 3, height, width)).shape == (2, 3, height, width)


@pytest.mark.slow
def test_the_file_answers_as_the_net_at_sides_that_are_no_multiples(tmp_path: Path) -> None:
    torch.manual_seed(0)
    card = ModelCard("deeplab", "segment", "segment", ("background", "hand"), (42, 37), "stretch")
    graph = canonical_graph(DeepLab(1, SMALL).eval(), "segment")
    file = export(graph, card, torch.rand(1, 3, 42, 37), ("probabilities",), tmp_path / "deeplab.onnx")
    assert OnnxRunner(file).outputs == {"probabilities": (None, 2, 42, 37)}


@pytest.mark.slow
def test_the_encoder_takes_what_torchvision_calls_resnet(tmp_path: Path) -> None:
    from torchvision.models import resnet34

    torch.manual_seed(0)
    taught = resnet34().state_dict()
    torch.save(taught, tmp_path / "resnet34.pth")
    net = DeepLab(1)
    net.take_encoder(tmp_path / "resnet34.pth")
    assert torch.equal(net.encoder.layer3[5].conv2.weight, taught["layer3.5.conv2.weight"])
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match="is of another network"):
        net.take_encoder(tmp_path / "other.pth")


def test_one_picture_a_step_is_refused_in_a_sentence() -> None:
    with torch.device("meta"), pytest.raises(InputError, match="--batch 2"):
        DeepLab(1, SMALL).train()(torch.empty(1, 3, 32, 32))


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "segmentation_models_pytorch", None)
    with pytest.raises(InputError, match=r"needs segmentation-models-pytorch.*pip install 'handlens\[train\]'"):
        catalog.build("deeplabv3plus")
    assert catalog.build("unet", 1) is not None


def test_without_a_channel_there_is_no_mask() -> None:
    with pytest.raises(InputError, match="at least one channel"):
        DeepLab(0)
