"""Every network is found by its name, in any case, and `handlens models` lists them and shows their layers."""

import subprocess
import sys

import pytest

from handlens.cli import run
from handlens.errors import InputError
from handlens.train.defaults import defaults_of
from handlens.train.nets import catalog
from handlens.train.same_run import refuse_other_settings

CONTRACT = (
    *("yolov3", "yolov3-spp", "yolov3-tiny", "yolov5n", "yolov5s", "yolov5m", "yolov5l", "yolov5x", "nano"),
    *("contact-net", "face-hand-net"),
    *("lite0", "lite0-detect", "lite0-segment"),
    *("mobileface", "res50", "res50_ir", "seres50_ir", "res100_ir", "seres100_ir", "attention_56", "attention_92"),
    *("attention_56-paper", "attention_92-paper"),
    *("hold-net", "hand-net", "silhouette-net", "digits6", "gestures20"),
    *("segment-net", "snet", "vgg", "unet", "deeplabv3plus"),
)


def table(out: str) -> dict[str, str]:
    """The first and the last word of every line of a layer table."""
    return {words[0]: words[-1] for line in out.splitlines() if len(words := line.split()) > 1}


def test_all_names_of_the_contract_are_known():
    assert set(catalog.names()) == set(CONTRACT)


def test_names_in_any_case_and_the_nearest_one():
    assert catalog.find("YOLOv5M") is catalog.find("yolov5m")
    with pytest.raises(InputError, match="did you mean 'mobileface'"):
        catalog.find("mobilface")
    with pytest.raises(InputError, match="at least one"):
        catalog.build("yolov5n", 0)


@pytest.mark.parametrize("old", catalog.OLD_NAMES)
def test_an_old_name_still_finds_its_network(old):
    assert old not in catalog.names()
    assert catalog.find(old.upper()).name == catalog.OLD_NAMES[old] == catalog.current_name(old)
    assert defaults_of(old) is defaults_of(catalog.OLD_NAMES[old])


@pytest.mark.parametrize("old", catalog.OLD_NAMES)
def test_a_run_with_an_old_name_goes_on_under_the_new_one(old, tmp_path):
    (tmp_path / "config.toml").write_text(f'net = "{old}"\n')
    refuse_other_settings(tmp_path, f'net = "{catalog.OLD_NAMES[old]}"\n')
    with pytest.raises(InputError, match="a run with other settings"):
        refuse_other_settings(tmp_path, 'net = "nano"\n')


@pytest.mark.slow
def test_the_list_needs_no_torch():
    code = "import sys; from handlens.cli import run; run(['models']); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    (row,) = (line.split() for line in done.stdout.splitlines() if line.startswith("  yolov5m "))
    assert row[:6] == ["yolov5m", "21,375,645", "parameters,", "80", "classes", "touch:"]
    assert done.stdout.splitlines()[-1] == "False"


def test_without_torch_the_layers_are_one_sentence(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "torch", None)
    assert run(["models", "unet"]) == 2
    err = capsys.readouterr().err
    assert err == "handlens: the network 'unet' needs torch, which is not installed: pip install 'handlens[train]'\n"


@pytest.mark.slow
@pytest.mark.parametrize("name", catalog.names())
def test_the_stated_parameters_are_the_real_ones(name):
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        net = catalog.build(name)
    stated = catalog.find(name).parameters
    assert sum(parameter.numel() for parameter in net.parameters()) == stated
    assert sum(row.parameters for row in catalog.layer_table(name)) == stated


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in catalog.names() if catalog.find(name).task != "touch"])
def test_any_number_of_classes(name):
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        net = catalog.build(name, 7).eval()
        network = catalog.find(name)
        side, channels = (64, 1) if network.task == "gesture" and name != "hand-net" else (112, 3)
        side -= side % int(getattr(net, "stride", 1))
        answer = net(torch.empty(2, channels, side, side))
        logits = answer[0] if network.angle else answer
        assert logits.shape[:2] == (2, 7)


@pytest.mark.parametrize("name", ["hand-net", "silhouette-net", "digits6", "gestures20"])
@pytest.mark.parametrize("angle", [True, False])
def test_the_nets_of_hands_tell_the_angle_where_it_is_asked_for(name, angle):
    torch = pytest.importorskip("torch")
    with torch.device("meta"):
        net = catalog.build(name, 4, angle).eval()
        answer = net(torch.empty(2, 3 if name == "hand-net" else 1, 64, 64))
    assert isinstance(answer, tuple) == angle
    assert not angle or answer[1].shape == (2, 2)


def test_a_net_that_knows_no_angle_says_so():
    with pytest.raises(
        InputError, match="'unet' cannot tell an angle; those that can are hand-net, silhouette-net, digits6"
    ):
        catalog.build("UNet", 1, True)


@pytest.mark.slow
def test_the_layers_of_yolov5m_are_the_published_ones(capsys):
    pytest.importorskip("torch")
    assert run(["models", "YOLOv5m", "--classes", "18", "--fused"]) == 0
    out = capsys.readouterr().out
    assert "yolov5m, 18 classes, fused" in out
    told = table(out)
    assert (told["1"], told["9"], told["25"], told["total"]) == ("5,232", "1,475,712", "92,943", "21,106,335")
    assert "25      Detect     18 classes, of 18, 21, 24" in out
    assert "frozen" not in out


def test_the_layers_of_yolov3_are_numbered_as_darknet_does(capsys):
    pytest.importorskip("torch")
    assert run(["models", "yolov3", "--classes", "1"]) == 0
    told = table(capsys.readouterr().out)
    assert told["total"] == "61,523,734"
    assert "106" in told
    assert "107" not in told


def test_what_is_frozen_is_told(capsys):
    pytest.importorskip("torch")
    assert run(["models", "vgg"]) == 0
    assert "of these 1,735,488 frozen" in capsys.readouterr().out


def test_a_shipped_model_goes_before_a_network_that_had_its_name(capsys):
    assert run(["models", "facehand"]) == 0
    assert "answers      boxes" in capsys.readouterr().out
