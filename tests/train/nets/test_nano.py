"""Nano: its size, its boxes, who answers for a true box (counted by hand), and that it learns."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from made_boxes import overfit, pictures, worst_overlap

from handlens.errors import InputError
from handlens.train.nets.box_losses import truth_of
from handlens.train.nets.fuse import count, fuse
from handlens.train.nets.nano import STRIDES, Assigned, Nano, assign, places_of


def net_of(classes: int = 2) -> Nano:
    torch.manual_seed(0)
    return Nano(classes)


def blank(classes: int = 2, side: int = 64, sure: float = 15.0) -> list[torch.Tensor]:
    """Raw maps of two pictures that see nothing."""
    maps = [torch.zeros(2, 4 + classes, side // stride, side // stride) for stride in STRIDES]
    for level in maps:
        level[:, 4:] = -sure
    return maps


def perfect(boxes: torch.Tensor, classes: int = 2, side: int = 96) -> list[torch.Tensor]:
    """The raw maps that say exactly these boxes at one place each, on stride 16: the inverse of `decode`."""
    maps = blank(classes, side)
    for picture, label, x1, y1, x2, y2 in boxes.tolist():
        column, row = int((x1 + x2) / 2 // 16), int((y1 + y2) / 2 // 16)
        x, y = column * 16 + 8, row * 16 + 8
        reach = torch.tensor([x - x1, y - y1, x2 - x, y2 - y]) / 16
        maps[1][int(picture), :4, row, column] = torch.log(torch.expm1(reach))
        maps[1][int(picture), 4 + int(label), row, column] = 15
    return maps


def test_the_size_is_fixed():
    with torch.device("meta"):
        assert count(Nano()) == 1_133_280
        assert count(Nano(2)) == 1_132_825
        assert count(fuse(Nano(2))) == 1_131_465


def test_boxes_lie_round_their_places_and_scores_are_low_at_first():
    net = net_of(3).eval().requires_grad_(False)
    boxes, scores = net.graph()(torch.randn(2, 3, 64, 96))
    places = 8 * 12 + 4 * 6 + 2 * 3
    assert boxes.shape == (2, places, 4)
    assert scores.shape == (2, places, 3)
    where = places_of(net(torch.randn(1, 3, 64, 96)))
    assert where.centre[:2].tolist() == [[4, 4], [12, 4]]
    assert where.centre[-1].tolist() == [80, 48]
    assert (boxes[..., :2] < where.centre).all()
    assert (boxes[..., 2:] > where.centre).all()
    assert 1 < float(((boxes[..., 2] - boxes[..., 0]) / where.stride).mean()) < 8
    assert float(scores.mean()) == pytest.approx(0.01, abs=0.01)


def test_a_perfect_map_is_decoded_to_its_boxes():
    _, boxes = pictures()
    found, scores = net_of().decode(perfect(boxes))
    for picture, label, *xyxy in boxes.tolist():
        best = scores[int(picture), :, int(label)].argmax()
        assert found[int(picture), best].tolist() == pytest.approx(xyxy, abs=1e-3)


def test_fusing_changes_no_answer():
    net, x = net_of().eval(), torch.randn(1, 3, 64, 64)
    torch.testing.assert_close(net.graph()(x), fuse(net).graph()(x), atol=1e-4, rtol=1e-4)


@pytest.mark.slow
def test_the_exported_file_takes_any_batch_and_answers_as_torch(tmp_path: Path):
    pytest.importorskip("onnx")
    from handlens.card import ModelCard
    from handlens.runner import OnnxRunner
    from handlens.train.export.export import export

    card = ModelCard("nano", "touch", "detect", ("face", "hand"), (64, 64), "letterbox")
    graph, x = net_of().eval().graph(), torch.randn(3, 3, 64, 64)
    file = export(graph, card, x[:1], ("boxes", "scores"), tmp_path / "nano.onnx")
    answer = OnnxRunner(file).run(x.numpy())
    with torch.no_grad():
        boxes, scores = graph(x)
    torch.testing.assert_close(torch.from_numpy(answer["boxes"]), boxes, atol=1e-2, rtol=1e-3)
    torch.testing.assert_close(torch.from_numpy(answer["scores"]), scores, atol=1e-4, rtol=1e-3)


def assigned(found: torch.Tensor, scores: torch.Tensor, *boxes: tuple[float, ...]) -> Assigned:
    places = places_of(blank())
    return assign(found, scores, *places, truth_of(torch.tensor(boxes, dtype=torch.float32), 2, 2))


def answers(said: Assigned) -> dict[tuple[int, int], tuple[int, float]]:
    """(picture, place) -> (true box, quality)."""
    rows = zip(*(part.tolist() for part in said), strict=True)
    return {(picture, place): (row, pytest.approx(quality, abs=1e-4)) for picture, place, row, quality in rows}


def around(box: tuple[float, ...]) -> torch.Tensor:
    """(2, 84, 4): every place of 64 x 64 finds this box."""
    return torch.tensor(box, dtype=torch.float32).expand(2, 84, 4).clone()


def test_places_inside_answer_in_proportion_to_score_and_overlap():
    box = (16, 0, 32, 16)  # inside are four places of stride 8, and of stride 16 the one at (24, 8)
    found, scores = around(box), torch.full((2, 84, 2), 0.3)
    scores[1, 2, 0], scores[1, 3, 0], scores[1, 10, 0] = 0.8, 0.4, 0.8
    found[1, 10] = torch.tensor([16.0, 0, 32, 8])  # IoU 0.5
    assert answers(assigned(found, scores, (1, 0, *box))) == {
        (1, 2): (0, 1.0),
        (1, 3): (0, 0.5),
        (1, 10): (0, 0.5**6),
        (1, 11): (0, 0.375),
        (1, 65): (0, 0.375),
    }


def test_the_best_place_should_score_its_overlap():
    box = (16, 0, 32, 16)
    said = assigned(around((16, 0, 32, 8)), torch.full((2, 84, 2), 0.3), (0, 1, *box))
    assert said.quality.tolist() == pytest.approx([0.5] * 5)


def test_at_most_ten_answer():
    said = assigned(around((0, 0, 64, 64)), torch.rand(2, 84, 2), (0, 1, 0, 0, 64, 64))
    assert len(said.place) == 10
    assert set(said.picture.tolist()) == {0}
    assert said.quality.max() == 1


def test_a_place_claimed_twice_answers_for_the_better_overlap():
    large, small = (16, 0, 32, 32), (16, 0, 32, 16)  # inside are ten places, five of them in both
    found, scores = around(large), torch.full((2, 84, 2), 0.5)
    found[0, 2] = torch.tensor(small, dtype=torch.float32)
    said = answers(assigned(found, scores, (0, 0, *large), (0, 0, *small)))
    assert {place for (_, place), (row, _) in said.items() if row == 1} == {2}
    assert len(said) == 10
    apart = assigned(found, scores, (0, 0, *small), (1, 0, *small))
    assert set(apart.row.tolist()) == {0, 1}  # of two pictures each


def test_one_box_with_two_classes_teaches_both():
    box = (16, 0, 32, 16)  # as a face and the touch of a whole face
    boxes = torch.tensor([(0, 0, *box), (0, 1, *box)], dtype=torch.float32)
    said = assigned(around(box), torch.full((2, 84, 2), 0.5), *boxes.tolist())
    assert sorted(said.row.tolist()) == [0] * 5 + [1] * 5
    maps = [level.requires_grad_() for level in blank(sure=2.0)]
    net_of().loss(maps, boxes)["loss"].backward()
    assert (maps[1].grad[0, 4:, 0, 1] < 0).all()


def test_the_smallest_box_has_a_place():
    box = (15, 15, 17, 17)  # between the places of stride 8
    said = assigned(around(box), torch.full((2, 84, 2), 0.5), (0, 0, *box))
    assert sorted(said.place.tolist()) == [9, 10, 17, 18, 80]  # at (12, 12) ... (20, 20), and of stride 32 (16, 16)


def test_a_perfect_map_costs_nothing_and_a_wrong_one_more():
    net, (_, boxes) = net_of(), pictures()
    right = net.loss(perfect(boxes), boxes)
    assert right["loss"] < 1e-3
    assert net.loss(perfect(boxes + torch.tensor([0.0, 0, 7, 7, 7, 7])), boxes)["loss"] > 0.3
    other = boxes.clone()
    other[:, 1] = 1 - other[:, 1]
    assert net.loss(perfect(other), boxes)["score"] > 1
    nothing = net.loss(blank(side=96), boxes)
    assert nothing["score"] > 0.01
    assert nothing["loss"] == pytest.approx(float(nothing["box"] + nothing["score"]))


def test_a_sure_mistake_costs_more_than_an_unsure_one():
    net, none = net_of(), torch.zeros(0, 6)
    told = []
    for logit in (-3.0, 0.0, 3.0):
        maps = blank()
        maps[0][0, 4, 2, 2] = logit
        told.append(float(net.loss(maps, none)["loss"]))
    assert 0 < told[0] < told[1] / 10 < told[2] / 40


@pytest.mark.parametrize("classes", [1, 3])
def test_without_boxes_the_gradient_is_finite(classes):
    net = net_of(classes)
    with torch.autocast("cpu", torch.bfloat16):
        told = net.loss(net(torch.randn(2, 3, 64, 64)), torch.zeros(0, 6))
    told["loss"].backward()
    assert told["loss"].dtype == torch.float32
    assert told["box"] == 0
    assert told["score"] > 0
    assert all(p.grad is None or torch.isfinite(p.grad).all() for p in net.parameters())


def test_mistakes_are_one_sentence():
    with pytest.raises(InputError, match="at least one"):
        Nano(0)
    with pytest.raises(InputError, match="multiples of 32"):
        net_of()(torch.randn(1, 3, 60, 64))
    with pytest.raises(InputError, match="the class 2, and there are 2"):
        net_of().loss(blank(), torch.tensor([[0.0, 2, 0, 0, 9, 9]]))


@pytest.mark.slow
def test_two_pictures_are_learned():
    net, (image, boxes) = net_of(), pictures()
    losses = overfit(net, image * 4 - 2, boxes, 35, 3e-3)
    assert losses[-1] < losses[0] / 5
    assert worst_overlap(net, image * 4 - 2, boxes) > 0.8
