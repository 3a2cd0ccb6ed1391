"""The mask nets have the published sizes, take pictures of any size, and say where weights are to come from."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.errors import InputError
from handlens.runner import OnnxRunner
from handlens.train.export.export import export
from handlens.train.export.graphs import canonical_graph
from handlens.train.nets.fuse import count
from handlens.train.nets.masknets import Joined, SNet, UNet, VGGDecoder
from handlens.train.nets.segment_net import SegmentNet


def test_counts_are_the_published_ones():
    with torch.device("meta"):
        assert count(SNet()) == 3_519_745
        assert count(UNet()) == 1_946_881
        vgg = VGGDecoder()
        assert count(vgg) == 4_243_201
        assert sum(p.numel() for p in vgg.parameters() if not p.requires_grad) == 1_735_488


@pytest.mark.parametrize("build", [SNet, UNet, VGGDecoder])
@pytest.mark.parametrize(("height", "width"), [(16, 24), (17, 30), (5, 9)])
def test_any_size_comes_back_as_it_was(build, height, width):
    assert build(3).eval()(torch.rand(1, 3, height, width)).shape == (1, 3, height, width)


RULES = [
    (SNet, "stretch", 42, 37),
    (VGGDecoder, "letterbox", 21, 30),
    (UNet, "fit", 42, 42),
    (SegmentNet, "fit", 42, 42),
]


@pytest.mark.slow
@pytest.mark.parametrize(("build", "rule", "height", "width"), RULES)
def test_files_take_sides_that_are_no_multiples_of_the_stride(build, rule, height, width, tmp_path: Path):
    torch.manual_seed(0)
    net, x = build(1).eval(), torch.rand(1, 3, height, width)
    card = ModelCard("net", "segment", "segment", ("background", "hand"), (height, width), rule, stride=net.stride)
    file = export(canonical_graph(net, "segment"), card, x, ("probabilities",), tmp_path / "net.onnx")
    answer = OnnxRunner(file).run(x.numpy())["probabilities"]
    assert answer.shape == (1, 2, *net(x).shape[2:])


def test_the_signal_lives_through_all_layers():
    torch.manual_seed(0)
    for net in (SNet(), UNet(), VGGDecoder()):
        answer = net.eval()(torch.randn(1, 3, 32, 32))
        assert 0.1 < answer.std() < 10  # with torch's own beginning it is 0.005, and SNet learned nothing in 200 steps


def test_padding_is_the_same_as_black_beside_the_picture():
    torch.manual_seed(0)
    net, x = UNet().eval(), torch.rand(1, 3, 13, 20)
    black = torch.nn.functional.pad(x, (0, 4, 0, 3))
    torch.testing.assert_close(net(x), net(black)[:, :, :13, :20])


def torchvision_like() -> dict[str, torch.Tensor]:
    """The tensors that torchvision's vgg16 has in its first three blocks, and one beyond."""
    torch.manual_seed(1)
    sides = {0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256)}
    state = {}
    for number, (cin, cout) in sides.items():
        state[f"features.{number}.weight"] = torch.randn(cout, cin, 3, 3) * 0.05
        state[f"features.{number}.bias"] = torch.randn(cout)
    return state | {"classifier.6.bias": torch.zeros(1000)}


def test_vgg_takes_the_weights_of_a_file(tmp_path: Path):
    path, state = tmp_path / "vgg16.pth", torchvision_like()
    torch.save(state, path)
    net = VGGDecoder()
    net.take_encoder(path)
    assert torch.equal(net.down[2][1][0].weight, state["features.12.weight"])
    x = torch.rand(1, 3, 8, 8)
    expected = torch.relu(torch.conv2d(x, state["features.0.weight"], state["features.0.bias"], padding=1))
    torch.testing.assert_close(net.down[0][0](x), expected)


def test_missing_and_foreign_weights_say_so(tmp_path: Path):
    with pytest.raises(InputError, match=r"there is no file .*--no-pretrained"):
        VGGDecoder().take_encoder(tmp_path / "vgg16.pth")
    torch.save({"conv.weight": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"holds no VGG16 .* 'features\.0\.weight' is missing"):
        VGGDecoder().take_encoder(tmp_path / "other.pth")


def test_without_a_network_the_way_out_is_named(monkeypatch, tmp_path: Path, capsys):
    pytest.importorskip("torchvision")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    def offline(*_: object, **__: object) -> None:
        raise OSError("Network is unreachable")

    monkeypatch.setattr("torch.hub.urlopen", offline)
    with pytest.raises(InputError, match=r"cannot be had .*Network is unreachable.*--pretrained .*--no-pretrained"):
        VGGDecoder().take_encoder()
    assert "fetching the ImageNet weights of vgg16, 528 MB" in capsys.readouterr().err


def test_a_mask_needs_a_channel():
    with pytest.raises(InputError, match="at least one channel"):
        UNet(0)


def plainly(layer: Joined, x: Tensor, level: Tensor) -> Tensor:
    """Return what a convolution answers to the doubled map and the level behind it."""
    doubled = nn.functional.interpolate(x, scale_factor=2.0, mode="nearest")
    return nn.functional.conv2d(torch.cat((doubled, level), 1), layer.weight, layer.bias, padding=1)


def test_a_doubled_map_is_learned_from_by_fewer_products_with_the_same_answers_and_gradients():
    torch.manual_seed(0)
    layer, maps = Joined(5, 4, 3, 1, 1).double(), (torch.randn(2, 3, 5, 7).double(), torch.randn(2, 2, 10, 14).double())
    towards, found = torch.randn(2, 4, 10, 14).double(), []
    for answer_of in (lambda x, level: layer.train()((x, level)), lambda x, level: plainly(layer, x, level)):
        given = [each.clone().requires_grad_() for each in maps]
        layer.zero_grad()
        answer = answer_of(*given)
        answer.backward(towards)
        found.append([answer, *(each.grad for each in given), layer.weight.grad, layer.bias.grad])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)
    assert torch.equal(layer.eval()(maps), plainly(layer, *maps))


@pytest.mark.parametrize("net", [UNet, SNet, VGGDecoder])
def test_a_mask_net_answers_alike_when_it_is_asked_and_when_it_learns(net):
    torch.manual_seed(0)
    made, x = net(), torch.rand(1, 3, 36, 44)
    for part in made.modules():
        if isinstance(part, nn.Dropout | nn.Dropout2d):
            part.p = 0.0
    torch.testing.assert_close(made.train()(x), made.eval()(x), rtol=1e-4, atol=1e-4)
