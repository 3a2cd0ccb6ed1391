"""The gesture nets have the published sizes and look at all places of a silhouette."""

import pytest

torch = pytest.importorskip("torch")

from handlens.train.nets.fuse import count
from handlens.train.nets.gestures import Attention, digits6, gestures20


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "side", "classes", "parameters"), [(digits6, 64, 6, 351_318), (gestures20, 50, 20, 105_012)]
)
def test_counts_are_the_published_ones(build, side, classes, parameters):
    net = build().eval()
    assert count(net) == parameters
    x = torch.rand(3, 1, side, side)
    assert net(x).shape == (3, classes)
    torch.testing.assert_close(net(x), net.classified(net.features(x)))


def test_any_number_of_classes():
    assert digits6(11)(torch.rand(2, 1, 64, 64)).shape == (2, 11)


def test_attention_is_what_torch_computes_with_the_same_weights():
    torch.manual_seed(0)
    ours = Attention(8, heads=2, width=4)
    theirs = torch.nn.MultiheadAttention(8, 2, batch_first=True)
    many = ours.attend
    theirs.in_proj_weight.data = torch.cat([many.query.weight, many.key.weight, many.value.weight])
    theirs.in_proj_bias.data = torch.cat([many.query.bias, many.key.bias, many.value.bias])
    theirs.out_proj.load_state_dict(many.out.state_dict())
    x = torch.randn(2, 8, 3, 5)
    places = x.flatten(2).transpose(1, 2)
    mixed, _ = theirs(ours.query(places), ours.key(places), ours.value(places))
    expected = ours.norm(places + mixed).transpose(1, 2).reshape(2, 8, 3, 5)
    torch.testing.assert_close(ours(x), expected)


def test_attention_knows_no_position():
    torch.manual_seed(0)
    block, x = Attention(8, heads=3, width=5), torch.randn(1, 8, 4, 6)
    torch.testing.assert_close(block(x.flip(3)), block(x).flip(3))


def test_what_trains_faster_has_the_same_answers_and_gradients():
    torch.manual_seed(0)
    quick = Attention(8, heads=3, width=5).double()
    plain = Attention(8, heads=3, width=5).double().eval()
    plain.load_state_dict(quick.state_dict())
    x, towards = torch.randn(2, 8, 4, 6).double(), torch.randn(2, 8, 4, 6).double()
    answers = [block(x) for block in (quick, plain)]
    torch.testing.assert_close(*answers, atol=1e-5, rtol=1e-5)
    for answer in answers:
        (answer * towards).sum().backward()
    for (name, one), other in zip(quick.named_parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-5, rtol=1e-5, msg=name)


def test_the_norm_is_learned_in_32_bits_where_all_else_has_16():
    torch.manual_seed(0)
    block, x = Attention(8, heads=2, width=4), torch.randn(8, 8, 32, 32)
    with torch.autocast("cpu", torch.bfloat16):
        block(x).sum().backward()
    assert block.norm.bias.grad.tolist() == pytest.approx([8 * 32 * 32] * 8)


@pytest.mark.parametrize(("build", "side"), [(digits6, 64), (gestures20, 50)])
def test_a_net_begins_as_in_keras_so_that_empty_places_do_not_outweigh_the_shape(build, side):
    torch.manual_seed(0)
    net = build().eval()
    for name, part in net.named_modules():
        if isinstance(part, torch.nn.Linear | torch.nn.Conv2d):
            assert not part.bias.any(), name
    query, out = net.attention.attend.query, net.attention.attend.out
    channels, heads = query.in_features, net.attention.attend.heads
    width = query.out_features // heads
    largest = [float(layer.weight.detach().abs().max()) for layer in (query, out)]
    limits = [(6 / (channels * (heads + width))) ** 0.5, (6 / (heads * (width + channels))) ** 0.5]
    assert largest == pytest.approx(limits, rel=0.01)
    shapes = torch.zeros(8, 1, side, side)
    for number in range(8):
        shapes[number, 0, 5 : 15 + 4 * number, 10 : 14 + 4 * number] = 1
    with torch.no_grad():
        told = net.features(shapes)
    assert float(told.std(0).mean() / told.abs().mean()) > 0.4  # with torch's own start it is about 0.1
