"""Anchors fitted to one's own boxes: clusters are found, recall never falls, levels get them by size."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import InputError
from handlens.train.nets.anchors import fit_anchors, network_sides, recall, search_anchors, set_anchors
from handlens.train.nets.darknet.cfg import parse_cfg, standard_cfg
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.yolov5 import STRIDES, YoloV5

CENTRES = np.array([[10.0, 20], [40, 15], [60, 90], [200, 120]])

NINE = [[90, 80], [9, 8], [200, 190], [21, 20], [31, 30], [41, 40], [51, 50], [61, 60], [71, 70]]


def made(count: int = 400) -> np.ndarray:
    """Boxes round four sizes."""
    rng = np.random.default_rng(1)
    return np.repeat(CENTRES, count // 4, axis=0) * np.exp(rng.normal(0, 0.06, (count, 2)))


def labelled(sides: np.ndarray, width: int = 640, height: int = 320) -> LabelledSet:
    boxes = np.concatenate((np.full_like(sides, 4), 4 + sides), axis=1).astype(np.float32)
    picture = Labelled(Path("a.jpg"), width, height, boxes, np.zeros(len(boxes), np.int64))
    return LabelledSet("detect", ("x",), (picture,))


def card(resize: str = "letterbox") -> ModelCard:
    return ModelCard(name="x", task="touch", kind="detect", names=("x",), size=(320, 320), resize=resize)


def test_the_clusters_are_found_smallest_first():
    found = search_anchors(made(), 4)
    np.testing.assert_allclose(found.anchors, CENTRES[np.argsort(CENTRES.prod(axis=1))], rtol=0.06)
    assert found.after == 1
    assert np.isnan(found.before)


def test_the_same_seed_finds_the_same():
    first, second = search_anchors(made(), 3, seed=4), search_anchors(made(), 3, seed=4)
    assert np.array_equal(first.anchors, second.anchors)
    assert not np.array_equal(first.anchors, search_anchors(made(), 3, seed=5).anchors)


def test_recall_is_the_share_of_boxes_within_a_factor_of_four():
    anchors = np.array([[10.0, 10], [100, 100]])
    sides = np.array([[39.0, 10], [41, 10], [26, 10], [30, 26], [2, 10], [399, 399]])
    assert recall(anchors, sides) == pytest.approx(4 / 6)  # out of reach are 41 x 10 and 2 x 10


def test_good_anchors_only_become_better():
    current = CENTRES * 1.3
    found = search_anchors(made(), 4, current, generations=200)
    assert found.before == found.after == 1
    poor = np.array([[5.0, 5], [6, 6], [7, 7], [8, 8]])
    found = search_anchors(made(), 4, poor, generations=20)
    assert found.before == pytest.approx(recall(poor, made()))
    assert found.before < 0.6 < found.after == 1


def test_mutation_reaches_what_clusters_do_not():
    sides = np.concatenate((np.full((300, 2), 20.0), np.full((3, 2), 300.0)))  # few large ones drown in the mean
    assert search_anchors(sides, 1, generations=0).after < 1
    sides[-3:] = 70
    assert search_anchors(sides, 1, seed=1).after == 1


def test_equal_boxes_and_too_few_boxes():
    assert search_anchors(np.full((12, 2), 30.0), 9).after == 1
    with pytest.raises(InputError, match="9 anchors need at least as many boxes to be fitted to; there are 3"):
        search_anchors(made(4)[:3], 9)


def test_levels_of_yolov5_get_them_by_size():
    net = YoloV5("n", 1)
    set_anchors(net, NINE)
    assert net.anchors().tolist() == sorted(NINE)
    for level, stride, rows in zip(net.model[-1].anchors, STRIDES, (0, 3, 6), strict=True):
        torch.testing.assert_close(level * stride, torch.tensor(sorted(NINE)[rows : rows + 3]).float())
    boxes, _ = net.decode([torch.zeros(1, 3, side, side, 6) for side in (4, 2, 1)])
    assert (boxes[0, 0, 2:] - boxes[0, 0, :2]).tolist() == pytest.approx([9, 8])


def test_levels_of_darknet_get_them_by_their_masks_and_keep_them_in_the_state():
    net, six = Darknet.standard("yolov3-tiny", 1), NINE[:6]
    set_anchors(net, six)
    assert [head.stride for head in net.heads] == [32, 16]
    assert [head.anchors[0].tolist() for head in net.heads] == [[41, 40], [9, 8]]
    again = Darknet.standard("yolov3-tiny", 1)
    again.load_state_dict(net.state_dict())
    assert again.anchors().tolist() == sorted(six)


@pytest.mark.parametrize("net", [YoloV5("n", 1), Darknet.standard("yolov3-tiny", 1)])
def test_wrong_anchors_are_one_sentence_and_change_nothing(net):
    before, count = net.anchors().clone(), len(net.anchors())
    with pytest.raises(InputError, match=f"has {count} anchors, each a width and a height; 2 were given"):
        set_anchors(net, [[1, 2], [3, 4]])
    with pytest.raises(InputError, match=r"shape \(3,\) was given"):
        set_anchors(net, [1, 2, 3])
    with pytest.raises(InputError, match="above 0"):
        set_anchors(net, [[1, 0]] * count)
    assert torch.equal(net.anchors(), before)


def test_a_net_without_anchors_says_so():
    with pytest.raises(InputError, match="Linear finds boxes without anchors"):
        set_anchors(torch.nn.Linear(1, 1), NINE)


def test_sides_are_those_in_the_networks_pixels():
    sides = np.array([[20.0, 10]])
    np.testing.assert_allclose(network_sides(labelled(sides), card()), [[10, 5]])
    np.testing.assert_allclose(network_sides(labelled(sides), card("stretch")), [[10, 10]])
    assert network_sides(labelled(np.zeros((0, 2))), card()).shape == (0, 2)


def test_a_net_is_fitted_or_says_why_not():
    net = Darknet.standard("yolov3-tiny", 1)
    said = fit_anchors(net, labelled(made()), card(), seed=0)
    assert "recall 1.000 -> 1.000: 5x" in said
    np.testing.assert_allclose(net.anchors()[-1], [100, 60], rtol=0.15)
    before = net.anchors().clone()
    assert fit_anchors(net, labelled(made(4)), card()).startswith("anchors kept as they are: 6 anchors need")
    own = Darknet(parse_cfg(standard_cfg("yolov3-tiny", 1).replace("anchors=10,14", "anchors=11,14", 1)))
    assert "list different anchors" in fit_anchors(own, labelled(made()), card())
    assert torch.equal(net.anchors(), before)
