"""The face-recognition backbones have the published sizes, and every margin makes its true class harder."""

import math

import pytest

torch = pytest.importorskip("torch")

from handlens.errors import InputError
from handlens.train.nets.attention import AttentionBody, AttentionModule, Unit, Wiring
from handlens.train.nets.backbones import BACKBONES, backbone
from handlens.train.nets.fuse import count, fuse
from handlens.train.nets.margins import MARGINS, Recogniser, margin

PUBLISHED = {
    "MobileFace": 1_200_512,
    "Res50": 74_886_208,
    "Res50_IR": 43_590_848,
    "SERes50_IR": 43_813_568,
    "Res100_IR": 65_156_160,
    "SERes100_IR": 65_528_384,
    "Attention_56": 26_419_392,
    "Attention_92": 134_559_424,
    "Attention_56-paper": 26_419_392,
    "Attention_92-paper": 134_559_424,
}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "parameters"), PUBLISHED.items())
def test_counts_are_the_published_ones_and_maps_fit_each_other(name, parameters):
    with torch.device("meta"):
        net = backbone(name)
        assert count(net) == parameters
        assert net.eval()(torch.empty(2, 3, 112, 112)).shape == (2, 512)


def test_every_backbone_is_held():
    assert {name.lower() for name in PUBLISHED} == set(BACKBONES)


@pytest.mark.slow
def test_the_small_one_runs_fused_and_with_another_embedding():
    torch.manual_seed(0)
    net, x = backbone("mobileface", 128).eval(), torch.rand(2, 3, 112, 112)
    assert net(x).shape == (2, 128)
    torch.testing.assert_close(net(x), fuse(net)(x), atol=1e-4, rtol=1e-3)


@pytest.mark.slow
def test_idle_parameters_of_the_attention_nets_are_frozen_and_all_others_learn():
    torch.manual_seed(0)
    net = AttentionBody((16, 32, 32, 32), (1, 1, 1))
    maps = net(torch.rand(2, 3, 112, 112))
    assert maps.shape == (2, 32, 7, 7)
    maps.square().sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in net.parameters())
    assert [name for name, p in net.named_parameters() if not p.requires_grad and "past" not in name] == []
    net.eval()
    torch.testing.assert_close(net(maps[:, :3]), fuse(net)(maps[:, :3]), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("name", MARGINS)
def test_a_margin_trains_and_predicts(name):
    torch.manual_seed(0)
    net = Recogniser(torch.nn.Linear(4, 8), margin(name, 8, 3))
    x, label = torch.randn(5, 4), torch.tensor([0, 1, 2, 0, 1])
    plain, hard = net(x), net(x, label)
    assert plain.shape == hard.shape == (5, 3)
    true = torch.nn.functional.one_hot(label, 3).bool()
    torch.testing.assert_close(plain[~true], hard[~true])
    assert (hard[true] == plain[true]).all() if name == "softmax" else (hard[true] < plain[true]).all()
    torch.nn.functional.cross_entropy(hard, label).backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def at(name: str, degrees: float) -> float:
    """The true class's logit over the scale, at this angle between embedding and class."""
    head = margin(name, 2, 2)
    head.weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    turn = math.radians(degrees)
    return head(torch.tensor([[3 * math.cos(turn), 3 * math.sin(turn)]]), torch.tensor([0]))[0, 0].item() / 32


@pytest.mark.parametrize("name", ["arcface", "cosface", "multimargin", "sphereface"])
def test_a_wider_angle_is_always_worse(name):
    logits = [at(name, degrees) for degrees in range(1, 180, 3)]
    assert logits == sorted(logits, reverse=True)


def test_unknown_names_and_one_class_say_so():
    with pytest.raises(InputError, match="did you mean 'res50_ir'"):
        backbone("res50ir")
    with pytest.raises(InputError, match="did you mean 'arcface'"):
        margin("ArcFase", 8, 3)
    with pytest.raises(InputError, match="at least two"):
        margin("softmax", 8, 1)


def test_the_published_wiring_of_the_attention_nets_differs_from_the_papers_where_its_source_does():
    torch.manual_seed(0)
    x = torch.randn(2, 8, 16, 16)
    for unit in (Unit(8, 16, 2, wiring) for wiring in Wiring):
        unit.eval()
        expected = unit.past(x if unit.wiring is Wiring.PUBLISHED else unit.first(x)) + unit.work(unit.first(x))
        torch.testing.assert_close(unit(x), expected)
    for adds in (True, False):
        module = AttentionModule(8, 2, adds=adds).eval()
        before = module.before(x)
        trunk = module.trunk(before)
        gain = 1 + module.mask(before, trunk)
        torch.testing.assert_close(module(x), module.after(gain + trunk if adds else gain * trunk))
    published, paper = AttentionModule(8, 1).eval(), AttentionModule(8, 1, Wiring.PAPER).eval()
    paper.load_state_dict(published.state_dict())
    trunk = torch.randn(2, 8, 16, 16)
    assert torch.equal(paper.mask(x, trunk), paper.mask(x, -trunk)), "the paper's mask does not see the trunk"
    assert not torch.allclose(published.mask(x, trunk), published.mask(x, -trunk))
    assert [body.get_submodule("stage1.1").adds for body in (AttentionBody((8,) * 4, (1,) * 3),)] == [True]
    assert not AttentionBody((8,) * 4, (1,) * 3, Wiring.PAPER).get_submodule("stage1.1").adds
