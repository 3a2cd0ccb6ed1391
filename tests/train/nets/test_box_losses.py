"""What the detectors' losses share: checked true boxes, overlaps by hand, box losses held to torchvision."""

import pytest

torch = pytest.importorskip("torch")

from torchvision.ops import box_iou, complete_box_iou_loss, generalized_box_iou_loss

from handlens.errors import InputError
from handlens.train.nets.box_losses import BOX_LOSSES, best_overlap, iou_loss, pair_loss, truth_of


def some_boxes(count: int, seed: int) -> torch.Tensor:
    made = torch.rand(count, 4, generator=torch.Generator().manual_seed(seed)) * 50
    return torch.cat((made[:, :2], made[:, :2] + made[:, 2:] + 1), dim=1)


def test_the_loss_of_a_pair_is_one_minus_its_iou():
    first, second = some_boxes(20, 0), some_boxes(20, 1)
    torch.testing.assert_close(iou_loss(first, second), 1 - box_iou(first, second).diagonal())
    assert iou_loss(torch.tensor([[0.0, 0, 2, 2]]), torch.tensor([[1.0, 0, 3, 2]])).item() == pytest.approx(2 / 3)
    assert iou_loss(first, first).abs().max() < 1e-6


@pytest.mark.parametrize("kind", sorted(BOX_LOSSES))
def test_every_box_loss_is_zero_on_itself_and_falls_towards_the_truth(kind):
    true = some_boxes(8, 2)
    loss = BOX_LOSSES[kind]
    assert loss(true, true).shape == (8,)
    assert loss(true, true).abs().max() < 1e-5
    near, far = loss(true + 1, true), loss(true + 4, true)
    assert (near < far).all()


def test_the_losses_are_torchvisions_own():
    first, second = some_boxes(20, 0), some_boxes(20, 1)
    assert torch.equal(BOX_LOSSES["ciou"](first, second), complete_box_iou_loss(first, second))
    assert torch.equal(BOX_LOSSES["giou"](first, second), generalized_box_iou_loss(first, second))


@pytest.mark.parametrize("kind", sorted(BOX_LOSSES))
def test_a_box_of_no_size_has_a_finite_loss_and_gradient(kind):
    found = torch.tensor([[5.0, 5, 5, 5], [9, 9, 3, 3]], requires_grad=True)
    loss = pair_loss(kind, found, some_boxes(2, 0))
    loss.sum().backward()
    assert torch.isfinite(loss).all()
    assert torch.isfinite(found.grad).all()
    first, second = some_boxes(20, 0), some_boxes(20, 1)
    assert torch.equal(pair_loss(kind, first, second), BOX_LOSSES[kind](first, second))


def test_boxes_without_area_are_left_out():
    boxes = torch.tensor([[0, 1, 5, 5, 9, 9], [1, 0, 5, 5, 5, 9], [1, 0, 7, 5, 5, 9]], dtype=torch.float32)
    truth = truth_of(boxes, 2, 2)
    assert truth.label.tolist() == [1]
    assert truth.centre.tolist() == [[7, 7]]
    assert truth.sides.tolist() == [[4, 4]]
    assert len(truth_of(torch.zeros(0, 6), 2, 2).label) == 0


@pytest.mark.parametrize(
    ("row", "sentence"),
    [
        ((0, 2, 0, 0, 1, 1), "a box has the class 2, and there are 2, counted from 0"),
        ((0, -1, 0, 0, 1, 1), "the class -1"),
        ((3, 0, 0, 0, 1, 1), "the picture row 3, and there are 3"),
    ],
)
def test_a_box_that_cannot_be_is_one_sentence(row, sentence):
    with pytest.raises(InputError, match=sentence):
        truth_of(torch.tensor([row], dtype=torch.float32), 3, 2)
    with pytest.raises(InputError, match=r"boxes of shape \(1, 5\)"):
        truth_of(torch.zeros(1, 5), 3, 2)


def test_overlaps_are_only_with_boxes_of_the_same_picture():
    boxes = torch.tensor([[1, 0, 0, 0, 10, 10], [1, 0, 0, 0, 10, 5]], dtype=torch.float32)
    found = torch.tensor([[0.0, 0, 10, 6], [20, 20, 30, 30]]).expand(3, 2, 4)
    overlap, row = best_overlap(found, truth_of(boxes, 3, 1))
    assert overlap.tolist() == [[0, 0], [pytest.approx(5 / 6), 0], [0, 0]]
    assert row[1, 0] == 1
    assert row[0].tolist() == row[2].tolist() == [-1, -1]
