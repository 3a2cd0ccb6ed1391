"""Darknet: .cfg files make the networks they name, mistakes in them are sentences, .weights come back bit by bit."""

import struct
from pathlib import Path

import pytest

from handlens.errors import InputError
from handlens.train.nets.darknet.cfg import parse_cfg, read_cfg, standard_cfg

torch = pytest.importorskip("torch")

from handlens.train.nets.darknet.net import Darknet, DarknetGraph
from handlens.train.nets.darknet.weights import read_weights, write_weights
from handlens.train.nets.fuse import count, fuse

SMALL = """
[net]
width=64
height=32
channels=3
[convolutional]            # layer 0
batch_normalize=1
filters=8
size=3
stride=2
pad=1
activation=leaky
[route]
layers=-1
groups=2
group_id=1
[convolutional]
filters=4
size=1
activation=mish
[shortcut]
from=-2
activation=linear
[maxpool]
size=2
stride=1
[convolutional]
filters=14
size=1
activation=linear
[yolo]
mask=1,2
anchors=1,2, 8,6, 5,6
classes=2
num=3
scale_x_y=1.2
"""


def built(text: str = SMALL) -> Darknet:
    torch.manual_seed(0)
    return Darknet(parse_cfg(text)).eval()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "classes", "parameters", "layers"),
    [
        ("yolov3", 1, 61_523_734, 107),
        ("yolov3", 80, 61_949_149, 107),
        ("yolov3-spp", 80, 62_998_749, 114),
        ("yolov3-tiny", 80, 8_852_366, 24),
    ],
)
def test_the_standard_networks_have_the_published_counts(name, classes, parameters, layers):
    with torch.device("meta"):
        net = Darknet.standard(name, classes)
        assert count(net) == parameters
        assert len(net.layers) == layers
        assert len(net.heads) == (2 if "tiny" in name else 3)
        maps = net(torch.empty(1, 3, 64, 96))
    assert [tuple(raw.shape) for raw in maps[:2]] == [(1, 3, 2, 3, classes + 5), (1, 3, 4, 6, classes + 5)]


def test_filters_follow_the_classes():
    assert "filters=24" in standard_cfg("yolov3-tiny", 3)
    assert Darknet.standard("yolov3-tiny", 3).classes == 3


def test_a_cfg_of_ones_own_is_built_as_written():
    net = built()
    assert net.size == (64, 32)
    assert net.stride == 2
    (raw,) = net(torch.rand(2, 3, 32, 64))
    assert raw.shape == (2, 2, 16, 32, 7)
    boxes, scores = DarknetGraph(net)(torch.rand(2, 3, 32, 64))
    assert boxes.shape == (2, 2 * 16 * 32, 4)
    assert scores.shape == (2, 2 * 16 * 32, 2)


def test_a_logit_of_zero_is_the_middle_of_its_cell_and_its_anchor():
    boxes, scores = built().decode([torch.zeros(1, 2, 3, 4, 7)])
    assert boxes[0, 1].tolist() == pytest.approx([3 - 4, 1 - 3, 3 + 4, 1 + 3])
    assert scores[0, 0].tolist() == pytest.approx([0.25, 0.25])


def test_what_darknet_reads_and_does_not_use_is_read_here_with_a_remark():
    text = SMALL.replace("stride=2", "stride=2\nfilters=99\nlearning_rate_for_me=2", 1)
    net = built(text)
    assert net.layers[0].conv.out_channels == 8, "the first of two values counts"
    assert net.remarks == [
        "line 11: 'filters' is there twice in the [convolutional] of line 6; 8 counts, the first.",
        "line 12: 'learning_rate_for_me' in [convolutional] is not used.",
    ]
    assert built(SMALL.replace("stride=2", "stride=2\nxnor=0", 1)).remarks == [
        "line 11: 'xnor' in [convolutional] is not used."
    ]


@pytest.mark.parametrize(("before", "after"), [(2, 5), (5, 2)])
def test_a_shortcut_adds_the_channels_that_both_layers_have(before, after):
    text = f"[net]\nwidth=64\nheight=32\n[convolutional]\nfilters={before}\n[convolutional]\nfilters={after}\n"
    text += "[shortcut]\nfrom=-2\n[convolutional]\nfilters=7\n[yolo]\nanchors=1,2\nclasses=2\n"
    net, x = built(text), torch.rand(1, 3, 32, 64)
    first = net.layers[0](x)
    second = net.layers[1](first)
    added = net.layers[2]([second, first])
    assert added.shape == second.shape
    torch.testing.assert_close(added[:, :2], (first + second[:, :2]) if before == 2 else first[:, :2] + second)
    assert torch.equal(added[:, 2:], second[:, 2:])


def test_the_number_that_batch_norms_add_is_a_setting_of_the_cfg():
    assert {layer.eps for layer in built().modules() if isinstance(layer, torch.nn.BatchNorm2d)} == {1e-5}
    net = built(SMALL.replace("width=64", "width=64\nbatch_normalize_epsilon=1e-4"))
    assert {layer.eps for layer in net.modules() if isinstance(layer, torch.nn.BatchNorm2d)} == {1e-4}


def test_fusing_changes_no_answer():
    net, x = built(), torch.rand(1, 3, 32, 64)
    torch.testing.assert_close(net(x), fuse(net)(x), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("filters=8", "filtrs=8", r"line 8: unknown key in \[convolutional\] 'filtrs': did you mean 'filters'\?"),
        ("[maxpool]", "[maxpol]", r"unknown section 'maxpol': did you mean 'maxpool'\?"),
        ("[maxpool]", "[maxpool", "closing bracket"),
        ("size=3", "size=three", r"\[convolutional\] of line 6: size=three should be a whole number"),
        ("filters=8", "filters=0", "filters=0 is too small; at least 1"),
        ("stride=2", "stride 2", "neither"),
        ("stride=2", "stride_x=2", r"stride_x=2 in \[convolutional\] changes what the network computes"),
        ("width=64", "batch_normalize_epsilon=2", "should lie between 0 and 1"),
        ("layers=-1", "layers=-2", "there is no layer -2 before it; it is layer 1 itself"),
        ("layers=-1", "layers=7", "there is no layer 7"),
        ("layers=-1", "", r"has no 'layers='"),
        ("layers=-1", "layers=a,b", "whole numbers with commas"),
        ("group_id=1", "group_id=2", "no group 2 of 2"),
        ("from=-2\nactivation=linear", "from=0\n[maxpool]\nstride=2\n[shortcut]\nfrom=0", "only layers of one size"),
        ("activation=mish", "activation=mosh", r"unknown activation 'mosh': did you mean 'mish'\?"),
        ("filters=14", "filters=15", r"needs filters=14, \(classes \+ 5\) \* 2, and has 15"),
        ("mask=1,2", "mask=1,3", "mask names anchor 3, and there are 3"),
        ("num=3", "num=4", "asks for 8 anchor sides above 0; 6 given"),
        ("scale_x_y=1.2", "new_coords=1", "new_coords=1"),
        ("[net]", "[maxpool]", r"a \.cfg begins with|unknown key"),
        ("[yolo]", "[net]", "unknown key|more than one"),
    ],
)
def test_a_mistake_in_a_cfg_is_one_sentence(old, new, sentence):
    with pytest.raises(InputError, match=sentence):
        Darknet(parse_cfg(SMALL.replace(old, new, 1)))


def test_layers_of_two_sizes_cannot_be_joined():
    with pytest.raises(InputError, match="layer 0 has stride 2, layer 4 has stride 4"):
        Darknet(parse_cfg(SMALL.replace("stride=1", "stride=2\n[route]\nlayers=0,-1")))


@pytest.mark.parametrize("text", ["", "[net]\nwidth=3", "width=3", "[net]\n[convolutional]\nactivation=linear"])
def test_what_is_no_network_says_so(text):
    with pytest.raises(InputError):
        Darknet(parse_cfg(text))


def test_files_that_cannot_be_read_say_so(tmp_path: Path):
    with pytest.raises(InputError, match="No such file"):
        read_cfg(tmp_path / "no.cfg")
    (tmp_path / "x.cfg").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="is not a text file"):
        Darknet.from_cfg(tmp_path / "x.cfg")
    (tmp_path / "x.cfg").write_text(SMALL.replace("filters=14", "filters=15"))
    with pytest.raises(InputError, match=r"x\.cfg': \[yolo\]"):
        Darknet.from_cfg(tmp_path / "x.cfg")


def test_unknown_standards_and_no_class_say_so():
    with pytest.raises(InputError, match="did you mean 'yolov3-tiny'"):
        standard_cfg("yolov3-tini")
    with pytest.raises(InputError, match="at least one"):
        standard_cfg("yolov3", 0)
    with pytest.raises(InputError, match="multiples of 32"):
        Darknet.standard("yolov3-tiny", 1)(torch.rand(1, 3, 60, 64))


@pytest.mark.slow
def test_weights_come_back_bit_by_bit(tmp_path: Path):
    path, x = tmp_path / "tiny.weights", torch.rand(1, 3, 64, 64)
    torch.manual_seed(0)
    net = Darknet.standard("yolov3-tiny", 1).eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    write_weights(net, path, seen=5_000_000_000)
    assert path.stat().st_size == 20 + 4 * (count(net) + 2 * sum(len(layer.norm.bias) for layer in normed(net)))
    again = Darknet.standard("yolov3-tiny", 1).eval()
    assert read_weights(again, path) == 5_000_000_000
    assert all(torch.equal(a, b) for a, b in zip(net(x), again(x), strict=True))


def normed(net: Darknet) -> list[torch.nn.Module]:
    return [layer for layer in net.layers if hasattr(layer, "norm")]


def test_the_numbers_lie_in_darknets_order(tmp_path: Path):
    net, path = built(), tmp_path / "w.weights"
    write_weights(net, path)
    first = net.layers[0]
    blocks = [first.norm.bias, first.norm.weight, first.norm.running_mean, first.norm.running_var, first.conv.weight]
    blocks += [net.layers[2].conv.bias, net.layers[2].conv.weight]
    expected = torch.cat([block.detach().flatten() for block in blocks])
    numbers = struct.unpack(f"<{len(expected)}f", path.read_bytes()[20 : 20 + 4 * len(expected)])
    assert torch.equal(torch.tensor(numbers), expected)


def test_old_files_count_pictures_in_four_bytes_and_backbones_fill_a_part(tmp_path: Path):
    net, path = built(), tmp_path / "w.weights"
    write_weights(net, path)
    numbers = path.read_bytes()[20:]
    path.write_bytes(struct.pack("<iiii", 0, 1, 0, 77) + numbers)
    assert read_weights(built(), path) == 77
    path.write_bytes(struct.pack("<iiiq", 0, 2, 5, 3) + numbers[: 4 * (4 * 8 + 8 * 27)])
    other = built()
    torch.nn.init.zeros_(other.layers[0].conv.weight)
    read_weights(other, path, layers=1)
    assert torch.equal(other.layers[0].conv.weight, net.layers[0].conv.weight)
    with pytest.raises(InputError, match="has 7 layers"):
        read_weights(other, path, layers=8)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda data: data[:-4], "cut off"),
        (lambda data: data[:-3], "cut off"),
        (lambda data: data + b"\0\0\0\0", "too long"),
        (lambda data: data[:10], "too short"),
        (lambda data: b"\x89PNG" + data[4:], "its version reads"),
    ],
)
def test_weights_that_do_not_fit_say_so_and_change_nothing(tmp_path: Path, change, sentence):
    net, path = built(), tmp_path / "w.weights"
    write_weights(net, path)
    path.write_bytes(change(path.read_bytes()))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    with pytest.raises(InputError, match=sentence):
        read_weights(net, path)
    assert all(torch.equal(value, before[name]) for name, value in net.state_dict().items())
    with pytest.raises(InputError, match="cannot read"):
        read_weights(net, tmp_path / "none.weights")
