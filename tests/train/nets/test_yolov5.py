"""YOLOv5 in the layout of release 5.0: the published layer table, and state dicts that find their places by name."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from handlens.errors import InputError
from handlens.train.nets.fuse import count, fuse
from handlens.train.nets.yolov5 import SCALES, YoloV5, YoloV5Graph, load_yolov5

FUSED_18 = [
    *(5232, 41568, 64896, 166080, 628224, 663936, 2509824, 2654976, 1475712, 4131840, 295296, 0, 0, 1181184, 73920),
    *(0, 0, 295680, 331968, 0, 1033728, 1327488, 0, 4131840, 92943),
]
"""The published table of YOLOv5m with 18 classes, fused (FACTS.md)."""


def settled(classes: int = 2) -> YoloV5:
    """A small net whose batch norms are not identities."""
    torch.manual_seed(0)
    net = YoloV5("n", classes)
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -0.2, 0.2)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
            torch.nn.init.uniform_(module.weight, 0.5, 2)
    return net.eval()


def test_the_layer_table_is_the_published_one():
    with torch.device("meta"):
        net = fuse(YoloV5("m", 18))
    assert [count(layer) for layer in net.model] == FUSED_18
    names = [type(layer).__name__ for layer in net.model]
    assert names[:3] == ["Focus", "Conv", "C3"]
    assert names[8:13] == ["SPP", "C3", "Conv", "Upsample", "Concat"]
    assert names[-1] == "Detect"


@pytest.mark.slow
@pytest.mark.parametrize(("classes", "plain", "fused"), [(18, 21_125_103, 21_106_335), (3, 21_064_488, 21_045_720)])
def test_the_counts_are_the_published_ones(classes, plain, fused):
    with torch.device("meta"):
        net = YoloV5("m", classes)
        assert count(net) == plain
        assert count(fuse(net)) == fused


def test_five_sizes_grow():
    with torch.device("meta"):
        counts = [count(YoloV5(size)) for size in SCALES]
    assert counts == sorted(counts)
    assert counts[1] == 7_276_605  # s with 80 classes, as release 5.0 prints it


def test_boxes_are_in_input_pixels_and_scores_in_0_1():
    boxes, scores = YoloV5Graph(settled())(torch.rand(2, 3, 64, 96))
    places = 3 * (8 * 12 + 4 * 6 + 2 * 3)
    assert boxes.shape == (2, places, 4)
    assert scores.shape == (2, places, 2)
    assert ((scores >= 0) & (scores <= 1)).all()
    assert (boxes[..., 2:] >= boxes[..., :2]).all()


def test_a_logit_of_zero_is_the_middle_of_its_cell_and_its_anchor():
    net = YoloV5("n", 1)
    raw = [torch.zeros(1, 3, 2, 2, 6), torch.zeros(1, 3, 1, 1, 6), torch.zeros(1, 3, 1, 1, 6)]
    boxes, scores = net.decode(raw)
    assert boxes[0, 1].tolist() == pytest.approx([12 - 5, 4 - 6.5, 12 + 5, 4 + 6.5])
    assert scores[0, 0, 0] == pytest.approx(0.25)


def test_fusing_changes_no_answer():
    net, x = settled(), torch.rand(1, 3, 64, 64)
    for plain, fused in zip(net(x), fuse(net)(x), strict=True):
        torch.testing.assert_close(plain, fused, atol=1e-4, rtol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("ending", [".pt", ".safetensors"])
@pytest.mark.parametrize("folded", [False, True])
def test_a_state_dict_gives_the_same_outputs(tmp_path: Path, ending, folded):
    net, path, x = settled(), tmp_path / f"best{ending}", torch.rand(1, 3, 64, 64)
    net = fuse(net) if folded else net
    state = dict(net.state_dict())
    pixels = state["model.24.anchors"] * torch.tensor([8.0, 16, 32]).view(3, 1, 1)
    state["model.24.anchor_grid"] = pixels.view(3, 1, 3, 1, 1, 2)  # release 5.0 keeps it beside the anchors
    if ending == ".pt":
        torch.save({"epoch": 3, "model": state}, path)
    else:
        pytest.importorskip("safetensors.torch").save_file(state, path)
    again = load_yolov5(path, "n")
    assert again.classes == 2
    for mine, theirs in zip(again(x), net(x), strict=True):
        assert torch.equal(mine, theirs)


@pytest.mark.slow
def test_files_that_do_not_fit_say_so(tmp_path: Path):
    path = tmp_path / "w.pt"
    with pytest.raises(InputError, match="there is no file"):
        load_yolov5(path, "n")
    path.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="is not a file of plain tensors"):
        load_yolov5(path, "n")
    torch.save({"a": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"layout of release 5\.0"):
        load_yolov5(path, "n")
    torch.save({"model": settled()}, path)  # a pickled class, as the original scripts save it
    with pytest.raises(InputError, match="is not a file of plain tensors"):
        load_yolov5(path, "n")
    state = settled().state_dict()
    torch.save(state, path)
    with pytest.raises(InputError, match=r"is \(16, 12, 3, 3\) there and \(32, 12, 3, 3\) here"):
        load_yolov5(path, "s")
    del state["model.3.conv.weight"]
    torch.save(state, path)
    with pytest.raises(InputError, match=r"'model\.3\.conv\.weight' is missing"):
        load_yolov5(path, "n")
    torch.save({**settled().state_dict(), "model.30.x": torch.zeros(1)}, path)
    with pytest.raises(InputError, match=r"no place for 'model\.30\.x'"):
        load_yolov5(path, "n")


def test_wrong_sizes_and_counts_say_so():
    with pytest.raises(InputError, match="did you mean"):
        YoloV5("mm")
    with pytest.raises(InputError, match="at least one"):
        YoloV5("n", 0)
    with pytest.raises(InputError, match="multiples of 32"):
        YoloV5("n", 1)(torch.rand(1, 3, 60, 64))
