"""The margins have the published values: numbers worked out by hand from the published formulas."""

import math

import pytest

torch = pytest.importorskip("torch")

from handlens.train.nets.margins import ArcFace, CosFace, MultiMargin, Softmax, SphereFace

LENGTH = 2.5


def logits(head: Softmax, angle: float, train: bool = True) -> list[float]:
    """The logits of an embedding at `angle` from the true class; the other class is at a right angle to it."""
    head.weight.data = torch.tensor([[3.0, 0.0, 0.0], [0.0, 0.0, 0.5]])
    embedding = LENGTH * torch.tensor([[math.cos(angle), math.sin(angle), 0.0]])
    found: list[float] = head(embedding, torch.tensor([0]) if train else None)[0].tolist()
    return found


@pytest.mark.parametrize("angle", [0.3, 1.2, 2.2, 2.9])
def test_arcface_multimargin_and_cosface(angle: float) -> None:
    def turned(margin: float) -> float:
        return math.cos(angle + margin) if angle + margin < math.pi else math.cos(angle) - margin * math.sin(margin)

    assert logits(ArcFace(3, 2), angle) == pytest.approx([32 * turned(0.5), 0], abs=1e-4)
    assert logits(MultiMargin(3, 2), angle) == pytest.approx([32 * (turned(0.2) - 0.35), 0], abs=1e-4)
    assert logits(CosFace(3, 2), angle) == pytest.approx([32 * (math.cos(angle) - 0.4), 0], abs=1e-4)
    for kind in (ArcFace, MultiMargin, CosFace):
        assert logits(kind(3, 2), angle, train=False) == pytest.approx([32 * math.cos(angle), 0], abs=1e-4)


@pytest.mark.parametrize(
    ("angle", "psi"), [(0.3, math.cos(1.2)), (1.2, -math.cos(4.8) - 2), (2.9, -math.cos(11.6) - 6)]
)
def test_sphereface_scales_by_the_length_and_lambda_falls_as_published(angle: float, psi: float) -> None:
    head = SphereFace(3, 2).eval()
    head.steps.fill_(20_000)
    weight = 1000 / 9
    assert logits(head, angle)[0] == pytest.approx(LENGTH * (weight * math.cos(angle) + psi) / (1 + weight), abs=1e-4)
    assert logits(head, angle, train=False) == pytest.approx([LENGTH * math.cos(angle), 0], abs=1e-4)
    head.steps.fill_(10**6)
    assert logits(head, angle)[0] == pytest.approx(LENGTH * (5 * math.cos(angle) + psi) / 6, abs=1e-4)
    head.train().steps.zero_()
    logits(head, angle)
    assert int(head.steps) == 1
