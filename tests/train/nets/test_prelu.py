import pytest
import torch
from torch import nn

from handlens.train.nets.backbones import backbone
from handlens.train.nets.prelu import PReLU


@pytest.mark.parametrize("shape", [(3, 4, 5, 6), (3, 4)])
@pytest.mark.parametrize("slopes", [1, 4])
def test_answers_and_gradients_are_those_of_torch(shape, slopes):
    torch.manual_seed(0)
    theirs, ours = nn.PReLU(slopes).double(), PReLU(slopes).double()
    ours.load_state_dict(theirs.state_dict())
    with torch.no_grad():
        for each in (theirs, ours):
            each.weight.copy_(torch.linspace(-0.5, 0.75, slopes))
    towards, found = torch.randn(shape, dtype=torch.float64), []
    for each in (theirs, ours):
        x = torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
        x.view(-1)[0] = 0  # the edge
        x.requires_grad_()
        answer = each(x)
        answer.backward(towards)
        found.append((answer, x.grad, each.weight.grad))
    for their, our in zip(*found, strict=True):
        torch.testing.assert_close(our, their, rtol=1e-12, atol=1e-12)


def test_it_learns_in_16_bits():
    layer = PReLU(4)
    x = torch.randn(2, 4, 8, 8).bfloat16().to(memory_format=torch.channels_last).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        layer(x).float().square().sum().backward()
    exact = (0.25 * x.detach().float().clamp(max=0).square()).sum((0, 2, 3)) * 2
    torch.testing.assert_close(layer.weight.grad, exact, rtol=0.02, atol=0.02)
    assert x.grad.dtype == torch.bfloat16


def test_a_backbone_answers_alike_when_it_is_asked_and_when_it_learns():
    net = backbone("mobileface", 8)
    norms = [part for part in net.modules() if isinstance(part, nn.BatchNorm1d | nn.BatchNorm2d)]
    x = torch.randn(2, 3, 112, 112)
    asked = net.eval()(x)
    learning = net.train()
    for norm in norms:
        norm.eval()
    torch.testing.assert_close(learning(x), asked, rtol=1e-4, atol=1e-5)
