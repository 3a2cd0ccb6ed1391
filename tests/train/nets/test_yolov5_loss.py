"""YOLOv5's loss: which cells and anchors answer for a box, counted by hand, and that it teaches."""

import pytest

torch = pytest.importorskip("torch")

from made_boxes import overfit, pictures, worst_overlap
from torchvision.ops import complete_box_iou_loss

from handlens.errors import InputError
from handlens.train.nets.box_losses import truth_of
from handlens.train.nets.yolov5 import STRIDES, YoloV5
from handlens.train.nets.yolov5_loss import BALANCE, Gains, assign

SIDES = (12, 6, 3)


def net_of(classes: int = 2, **gains: float) -> YoloV5:
    torch.manual_seed(0)
    return YoloV5("n", classes, Gains(**gains))


def places(net: YoloV5, boxes: torch.Tensor, level: int) -> list[tuple[int, int, int, int, int]]:
    """(picture, anchor, line, column, true box) of every place that answers."""
    shape = (2, 3, SIDES[level], SIDES[level], 5 + net.classes)
    found = assign(truth_of(boxes, 2, net.classes), net.model[-1].anchors[level], STRIDES[level], shape, 4.0)
    return sorted(zip(*(part.tolist() for part in found), strict=True))


def perfect(net: YoloV5, boxes: torch.Tensor, sure: float = 15.0) -> list[torch.Tensor]:
    """The raw maps that say exactly these boxes wherever somebody answers: the inverse of `decode`."""
    truth, maps = truth_of(boxes, 2, net.classes), []
    for side, stride, anchors in zip(SIDES, STRIDES, net.model[-1].anchors, strict=True):
        raw = torch.full((2, 3, side, side, 5 + net.classes), -sure)
        picture, anchor, line, column, row = assign(truth, anchors, stride, raw.shape, 4.0)
        cell = torch.stack((column, line), dim=1)
        centre, sides = truth.centre[row] / stride, truth.sides[row] / stride
        fields = torch.full((len(row), 5 + net.classes), -sure)
        fields[:, :2] = torch.logit((centre - cell + 0.5) / 2)
        fields[:, 2:4] = torch.logit(torch.sqrt(sides / anchors[anchor]) / 2)
        fields[:, 4] = sure
        fields[torch.arange(len(row)), 5 + truth.label[row]] = sure
        raw[picture, anchor, line, column] = fields
        maps.append(raw)
    return maps


def box(x: float, y: float, width: float, height: float, label: int = 0) -> torch.Tensor:
    return torch.tensor([[1, label, x - width / 2, y - height / 2, x + width / 2, y + height / 2]])


def test_the_cell_and_its_two_nearest_neighbours_answer():
    boxes = box(18, 14, 10, 13)  # in cells (2.25, 1.75): left and below are nearest
    fine = places(net_of(), boxes, 0)
    assert [place[2:4] for place in fine if place[1] == 0] == [(1, 1), (1, 2), (2, 2)]
    assert {place[1] for place in fine} == {0, 1, 2}  # 33 x 23 is 3.3 times as wide: still below 4
    assert len(fine) == 9
    assert places(net_of(), boxes, 1) == []  # 30 x 61 is 4.7 times as high


def test_the_edge_has_no_neighbour_beyond_it():
    assert {place[2:4] for place in places(net_of(), box(2, 2, 10, 13), 0)} == {(0, 0)}
    assert {place[2:4] for place in places(net_of(), box(94, 94, 10, 13), 0)} == {(11, 11)}
    assert {place[2:4] for place in places(net_of(), box(96, 44, 10, 13), 0)} == {(5, 11)}  # on the edge itself


def test_the_middle_of_a_cell_has_no_nearer_neighbour():
    assert {place[2:4] for place in places(net_of(), box(20, 12, 10, 13), 0)} == {(1, 2)}


def test_the_ratio_is_that_of_the_worse_side():
    fine = places(net_of(), box(20, 12, 39, 13), 0)  # 3.9 and 1 times the first anchor
    assert {place[1] for place in fine} == {0, 1, 2}
    assert {place[1] for place in places(net_of(), box(20, 12, 41, 13), 0)} == {1, 2}


def test_a_perfect_map_costs_nothing_and_a_wrong_one_more():
    net, boxes = net_of(), pictures()[1]
    raw = perfect(net, boxes)
    right = net.loss(raw, boxes)
    assert right["loss"] < 1e-4
    assert net.loss(perfect(net, boxes + torch.tensor([0.0, 0, 9, 9, 9, 9])), boxes)["box"] > 0.01
    other = boxes.clone()
    other[:, 1] = 1 - other[:, 1]
    assert net.loss(perfect(net, other), boxes)["class"] > 100 * right["class"]
    found, scores = net.decode(raw)
    best = scores[0, :, 0].argmax()
    torch.testing.assert_close(found[0, best], boxes[0, 2:], atol=1e-3, rtol=1e-4)


def test_the_parts_are_those_of_the_description():
    net, boxes = net_of(), box(20, 12, 20, 26)
    raw = [torch.zeros(2, 3, side, side, 7) for side in SIDES]
    told = net.loss(raw, boxes)
    half = torch.log(torch.tensor(2.0))
    apart, objectness = [], 0.0
    for level, stride, weight in zip(range(3), STRIDES, BALANCE, strict=True):
        anchors, goal, costs = net.model[-1].anchors[level], torch.zeros(2, 3, SIDES[level], SIDES[level]), []
        for picture, anchor, line, column, _ in places(net, boxes, level):
            side = anchors[anchor] * stride
            centre = (torch.tensor([column, line]) + 0.5) * stride
            here = torch.cat((centre - side / 2, centre + side / 2))[None]
            costs.append(complete_box_iou_loss(here, boxes[:, 2:])[0])
            goal[picture, anchor, line, column] = (1 - costs[-1]).clamp(min=0)
        if costs:
            apart.append(sum(costs) / len(costs))
        objectness += weight * torch.nn.functional.binary_cross_entropy_with_logits(torch.zeros_like(goal), goal)
    assert len(apart) == 2
    assert told["box"] == pytest.approx(float(0.05 * sum(apart)), rel=1e-4)
    assert told["class"] == pytest.approx(float(0.5 * 2 / 80 * 2 * half), rel=1e-4)
    assert told["objectness"] == pytest.approx(float(objectness * (96 / 640) ** 2), rel=1e-4)
    assert told["loss"] == pytest.approx(2 * float(told["box"] + told["objectness"] + told["class"]))  # two pictures


def test_weights_and_smoothing_of_the_positives():
    boxes = box(20, 12, 20, 26)
    raw = [torch.zeros(2, 3, side, side, 7) for side in SIDES]
    base = net_of().loss(raw, boxes)
    assert net_of(positive_class=3.0).loss(raw, boxes)["class"] == pytest.approx(float(2 * base["class"]))
    assert net_of(positive_object=3.0).loss(raw, boxes)["objectness"] > base["objectness"]
    certain = perfect(net_of(), boxes)
    assert net_of(smoothing=0.1).loss(certain, boxes)["class"] > 100 * net_of().loss(certain, boxes)["class"]


def test_two_boxes_in_one_place_keep_the_better_objectness():
    net = net_of()
    boxes = torch.cat((box(20, 12, 20, 26), box(20, 12, 12, 14)))
    raw = perfect(net, boxes[:1])
    both, turned = net.loss(raw, boxes), net.loss(raw, boxes.flip(0))
    assert both["objectness"] == turned["objectness"]


@pytest.mark.parametrize("classes", [1, 2])
def test_without_boxes_the_gradient_is_finite_and_only_objectness_costs(classes):
    net = net_of(classes)
    told = net.loss([level.bfloat16() for level in net(torch.rand(2, 3, 96, 96))], torch.zeros(0, 6))
    told["loss"].backward()
    assert told["loss"].dtype == torch.float32
    assert told["box"] == told["class"] == 0
    assert told["objectness"] > 0
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


def test_a_class_that_does_not_exist_is_one_sentence():
    net = net_of()
    with pytest.raises(InputError, match="the class 2, and there are 2"):
        net.loss(net(torch.rand(2, 3, 64, 64)), box(20, 12, 20, 26, label=2))


@pytest.fixture
def one_thread():
    """The sums of several threads differ in the last bit, and sixty steps make a different net of that."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_two_pictures_are_learned():
    net, (image, boxes) = net_of(objectness=4.0, box=0.4), pictures()
    losses = overfit(net, image, boxes, 160, 4e-3)  # three seeds: .99
    assert losses[-1] < losses[0]
    assert worst_overlap(net, image, boxes) > 0.8
