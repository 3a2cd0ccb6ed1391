"""YOLOv3's loss: who answers for a box, what each key of a [yolo] section does, and that it teaches."""

import pytest

torch = pytest.importorskip("torch")

from made_boxes import overfit, pictures, worst_overlap

from handlens.errors import InputError
from handlens.train.nets.box_losses import truth_of
from handlens.train.nets.darknet.cfg import parse_cfg
from handlens.train.nets.darknet.layers import Yolo
from handlens.train.nets.darknet.loss import assign
from handlens.train.nets.darknet.net import Darknet

ANCHORS = "8,8, 20,20, 30,60, 60,30"

CONV = "[convolutional]\nbatch_normalize=1\nfilters={}\nsize=3\nstride={}\npad=1\nactivation=leaky\n"

MINI = "".join(
    (
        "[net]\nwidth=96\nheight=96\n",
        *(CONV.format(filters, 2) for filters in (16, 32, 48, 64)),
        "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n",
        f"[yolo]\nmask=2,3\nanchors={ANCHORS}\nclasses=2\nnum=4\nEXTRA\n",
        "[route]\nlayers=-4\n",
        "[convolutional]\nfilters=14\nsize=1\nactivation=linear\n",
        f"[yolo]\nmask=0,1\nanchors={ANCHORS}\nclasses=2\nnum=4\nEXTRA\n",
    )
)
"""YOLOv3-tiny cut small: strides 16 and 8, two anchors each."""


def mini(extra: str = "") -> Darknet:
    torch.manual_seed(0)
    return Darknet(parse_cfg(MINI.replace("EXTRA", extra)))


def rows(*boxes: tuple[float, ...]) -> torch.Tensor:
    return torch.tensor(boxes, dtype=torch.float32)


def perfect(net: Darknet, boxes: torch.Tensor, sure: float = 12.0) -> list[torch.Tensor]:
    """The raw maps that say exactly these boxes: the inverse of `decode`."""
    truth, maps = truth_of(boxes, 2, net.classes), []
    for head in net.heads:
        side = 96 // head.stride
        shape = (2, len(head.mask), side, side, 5 + net.classes)
        raw = torch.full(shape, -sure)
        raw[..., :4] = 0
        place, row, classes = assign(head, shape, truth)
        cell = torch.stack((place % side, place // side % side), dim=1)
        anchor = head.anchors[place // side**2 % len(head.mask)]
        inside = truth.centre[row] / head.stride - cell
        fields = torch.cat(
            (
                torch.logit((inside + (head.spread - 1) / 2) / head.spread, eps=1e-6),
                torch.log(truth.sides[row] / anchor),
                torch.full((len(row), 1), sure),
                (classes * 2 - 1) * sure,
            ),
            dim=1,
        )
        raw.view(-1, 5 + net.classes)[place] = fields
        maps.append(raw)
    return maps


def where(head: Yolo, boxes: torch.Tensor, side: int) -> list[tuple[int, int, int, int, int]]:
    """(picture, anchor, line, column, true box) of every place that answers."""
    shape = (2, len(head.mask), side, side, 5 + head.classes)
    place, row, _ = assign(head, shape, truth_of(boxes, 2, head.classes))
    split = torch.unravel_index(place, shape[:4])
    return list(zip(*(part.tolist() for part in (*split, row)), strict=True))


def test_the_best_anchor_of_all_levels_answers_in_the_cell_of_the_centre():
    coarse, fine = mini().heads
    boxes = rows((1, 0, 30, 10, 50, 30), (0, 1, 5, 2, 35, 60))  # 20 x 20 round (40, 20); 30 x 58 round (20, 31)
    assert where(fine, boxes, 12) == [(1, 1, 2, 5, 0)]
    assert where(coarse, boxes, 6) == [(0, 0, 1, 1, 1)]


def test_iou_thresh_lets_more_anchors_answer():
    boxes = rows((0, 0, 16, 16, 56, 56))  # 40 x 40: IoU .25 with 20 x 20, .55 with 30 x 60 and with 60 x 30
    coarse, fine = mini().heads
    assert where(coarse, boxes, 6) == [(0, 0, 2, 2, 0)]
    assert where(fine, boxes, 12) == []
    coarse, fine = mini("iou_thresh=.2").heads
    assert where(coarse, boxes, 6) == [(0, 0, 2, 2, 0), (0, 1, 2, 2, 0)]
    assert where(fine, boxes, 12) == [(0, 1, 4, 4, 0)]


def test_two_boxes_in_one_place_share_it():
    boxes = rows((0, 0, 30, 10, 50, 30), (0, 1, 31, 11, 51, 31))
    fine = mini().heads[1]
    place, row, classes = assign(fine, (2, 2, 12, 12, 7), truth_of(boxes, 2, 2))
    assert len(place) == 1
    assert row.tolist() == [1]
    assert classes.tolist() == [[1, 1]]


def test_a_centre_on_the_edge_stays_inside():
    boxes = rows((0, 0, 86, 86, 106, 106))
    assert where(mini().heads[1], boxes, 12) == [(0, 1, 11, 11, 0)]


@pytest.mark.parametrize("extra", ["", "scale_x_y=1.1", *(f"iou_loss={k}" for k in ("iou", "giou", "diou", "ciou"))])
def test_a_perfect_map_costs_nothing_and_a_wrong_one_more(extra):
    net, (_, boxes) = mini(extra), pictures()
    right = net.loss(perfect(net, boxes, 15.0), boxes)
    floor = 0.0
    if "iou_loss" not in extra:  # cross-entropy with a target between 0 and 1 is least at its entropy
        least = perfect(net, boxes)
        floor = net.loss(least, boxes)["box"]
        least[0][..., 0] += 0.3
        assert net.loss(least, boxes)["box"] > floor
    assert right["box"] == pytest.approx(float(floor), abs=1e-4)
    assert right["objectness"] + right["class"] < 1e-3
    shifted = boxes + torch.tensor([0.0, 0, 9, 9, 9, 9])
    assert net.loss(perfect(net, shifted), boxes)["loss"] > right["loss"] + 1
    other = boxes.clone()
    other[:, 1] = 1 - other[:, 1]
    assert net.loss(perfect(net, other), boxes)["class"] > 10
    found, scores = net.decode(perfect(net, boxes))
    best = scores[0, :, 0].argmax()
    torch.testing.assert_close(found[0, best], boxes[0, 2:], atol=1e-3, rtol=1e-4)


def test_small_boxes_weigh_more():
    net = mini()
    small, large = rows((0, 0, 30, 10, 50, 30)), rows((0, 0, 0, 18, 96, 66))  # share .043 and .5 of the picture
    growth = []
    for boxes in (small, large):
        raw = perfect(net, boxes)
        before = net.loss(raw, boxes)["box"]
        for level in raw:
            level[..., 2] += 0.4
        growth.append(float(net.loss(raw, boxes)["box"] - before))
    assert growth[0] == pytest.approx((2 - 400 / 9216) * 0.4**2 / 2 * 0.75 / 2, rel=1e-3)
    assert growth[1] == pytest.approx(1.5 * 0.4**2 / 2 * 0.75 / 2, rel=1e-3)


def test_places_that_overlap_enough_are_left_alone():
    boxes = rows((0, 0, 16, 16, 56, 56))
    steps = []
    for extra in ("ignore_thresh=.3", "ignore_thresh=.9"):
        net = mini(extra)
        raw = [level.requires_grad_() for level in perfect(net, boxes, 2.0)]
        net.loss(raw, boxes)["loss"].backward()
        steps.append(raw[0].grad[0, 1, 2, 2, 4])  # the other anchor of the same cell: its box overlaps by .39
    assert steps[0] == 0
    assert steps[1] > 0


def test_truth_thresh_makes_good_places_answer():
    net, boxes = mini("truth_thresh=.3\nignore_thresh=.2"), rows((0, 0, 16, 16, 56, 56))
    raw = [level.requires_grad_() for level in perfect(net, boxes, 2.0)]
    net.loss(raw, boxes)["loss"].backward()
    assert raw[0].grad[0, 1, 2, 2, 4] < 0


def test_the_gains_and_the_smoothing_are_the_cfgs():
    _, boxes = pictures()
    plain = mini()
    raw = perfect(plain, boxes + torch.tensor([0.0, 0, 3, 3, 3, 3]), 2.0)
    base = plain.loss(raw, boxes)
    other = mini("iou_normalizer=1.5\ncls_normalizer=3\nobj_normalizer=.5").loss(raw, boxes)
    assert other["box"] == pytest.approx(float(2 * base["box"]))
    assert other["class"] == pytest.approx(float(3 * base["class"]))
    assert other["objectness"] == pytest.approx(float(base["objectness"] / 2))
    assert mini("label_smooth_eps=.2").loss(raw, boxes)["class"] > base["class"]
    assert base["loss"] == pytest.approx(float(base["box"] + base["objectness"] + base["class"]))


def test_keys_that_are_not_known_to_train_say_so_only_then():
    net = mini("focal_loss=1")
    raw = net(torch.rand(1, 3, 96, 96))
    with pytest.raises(InputError, match="trains with 'focal_loss=', which is not known here"):
        net.loss(raw, torch.zeros(0, 6))
    with pytest.raises(InputError, match=r"unknown iou_loss 'siou': did you mean"):
        mini("iou_loss=siou")


def test_without_boxes_the_gradient_is_finite_and_only_objectness_costs():
    net = mini()
    told = net.loss([level.bfloat16() for level in net(torch.rand(2, 3, 96, 96))], torch.zeros(0, 6))
    told["loss"].backward()
    assert told["loss"].dtype == torch.float32
    assert told["box"] == told["class"] == 0
    assert told["objectness"] > 0
    assert all(torch.isfinite(p.grad).all() for p in net.parameters())


@pytest.mark.slow
def test_two_pictures_are_learned():
    net, (image, boxes) = mini(), pictures()
    losses = overfit(net, image, boxes, 100, 5e-3)
    assert losses[-1] < losses[0] / 5
    assert worst_overlap(net, image, boxes) > 0.8
