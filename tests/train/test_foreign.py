"""Weights trained elsewhere become models, and go back to Darknet; what does not fit is a sentence."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.cli import run
from handlens.predictor import load
from handlens.train.config import Settings
from handlens.train.experiment import new_experiment
from handlens.train.foreign import write_darknet
from handlens.train.initial_weights import load_initial_weights
from handlens.train.nets.darknet.cfg import parse_cfg, standard_cfg
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.darknet.weights import read_weights, write_weights
from handlens.train.nets.yolov5 import YoloV5
from handlens.types import Frame


def brought(folder: Path) -> Darknet:
    """What a user of Darknet has: facetouch.cfg, .names and .weights."""
    torch.manual_seed(0)
    text = standard_cfg("yolov3-tiny", 1)
    own = "10,14, 23,27, 37,58, 81,82, 135,169, 300.5,200"  # of the first [yolo] alone
    text = text.replace("10,14, 23,27, 37,58, 81,82, 135,169, 344,319", own, 1).replace("burn_in", "colour=1\nburn_in")
    net = Darknet(parse_cfg(text)).eval()
    net.seen = 32_013_312
    (folder / "facetouch.cfg").write_text(text)
    (folder / "facetouch.names").write_text("facetouch\n")
    write_weights(net, folder / "facetouch.weights")
    return net


@pytest.mark.slow
def test_darknet_comes_and_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    net = brought(tmp_path)
    line = ["export", "facetouch.weights", "--net", "facetouch.cfg", "--names", "facetouch.names"]
    assert run([*line, "--out", "mine.onnx"]) == 0
    assert "facetouch.cfg: line 10: 'colour' in [net] is not used." in capsys.readouterr().err
    predictor = load("mine.onnx")
    assert predictor.card.names == ("facetouch",)
    assert predictor.card.size == (416, 416)
    batch = np.random.default_rng(0).random((1, 3, 416, 416), np.float32)
    with torch.no_grad():
        boxes, scores = net.graph()(torch.from_numpy(batch))
    answer = predictor.runner.run(batch)
    np.testing.assert_allclose(answer["scores"], scores.numpy(), atol=1e-4)
    np.testing.assert_allclose(answer["boxes"], boxes.numpy(), rtol=1e-3, atol=0.05)

    assert run([*line, "--out", "new/back.weights"]) == 0
    again = Darknet.from_cfg(tmp_path / "new" / "back.cfg")
    assert read_weights(again, tmp_path / "new" / "back.weights") == net.seen
    assert [head.anchors[-1].tolist() for head in again.heads] == [[300.5, 200.0], [37.0, 58.0]]
    assert all(torch.equal(value, again.state_dict()[name]) for name, value in net.state_dict().items())
    assert (tmp_path / "new" / "back.names").read_text() == "facetouch\n"


@pytest.mark.slow
@pytest.mark.parametrize("form", ["pt", "safetensors"])
def test_yolov5_of_release_5_comes_as_plain_tensors(tmp_path: Path, form: str, capsys) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    net, file = YoloV5("n", 3).eval(), tmp_path / f"best.{form}"
    state = {name: value.contiguous() for name, value in net.state_dict().items()}
    torch.save(state, file) if form == "pt" else save_file(state, file)
    out = tmp_path / "mine.onnx"
    line = ["export", str(file), "--net", "yolov5n", "--names", "cheek, forehead, chin", "--size", "64"]
    assert run([*line, "--out", str(out)]) == 0, capsys.readouterr().err
    batch = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
    with torch.no_grad():
        scores = net.graph()(torch.from_numpy(batch))[1]
    np.testing.assert_allclose(load(out).runner.run(batch)["scores"], scores.numpy(), atol=1e-4)
    assert load(out).predict(Frame(np.zeros((48, 64, 3), np.uint8))).value.names == ("cheek", "forehead", "chin")


WRONG = [
    (["facetouch.weights", "--out", "a.onnx"], "holds weights alone: say what they belong to"),
    (["facetouch.weights", "--net", "facetouch.cfg", "--names", "a,b", "--out", "a.onnx"], "the set has 2"),
    (["facetouch.weights", "--net", "yolov3", "--names", "facetouch", "--out", "a.onnx"], "cut off or of another .cfg"),
    (["facetouch.weights", "--net", "nano", "--names", "facetouch", "--out", "a.onnx"], "not for 'nano'"),
    (["none.pt", "--net", "yolov5n", "--names", "a", "--out", "a.onnx"], "there is no file 'none.pt'"),
    (["facetouch.weights", "--out", "a.weights", "--int8"], "--int8 is for .onnx files"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "said"), WRONG, ids=[said[:20] for _, said in WRONG])
def test_what_does_not_fit_is_a_sentence(tmp_path: Path, monkeypatch, capsys, line: list[str], said: str) -> None:
    monkeypatch.chdir(tmp_path)
    brought(tmp_path)
    assert run(["export", *line]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "a.onnx").exists()


def test_the_header_of_weights_counts_the_pictures_of_a_run_and_of_its_start(tmp_path: Path) -> None:
    brought(tmp_path)
    settings = Settings(task="touch", net=str(tmp_path / "facetouch.cfg"), data="set")
    experiment = new_experiment(settings, ["facetouch"])
    load_initial_weights(experiment.net, str(tmp_path / "facetouch.weights"))
    assert experiment.net.seen == 32_013_312
    of_run = dataclasses.replace(
        new_experiment(settings, ["facetouch"]), about={**experiment.about, "seen before": 32_013_312, "seen": 64}
    )
    write_darknet(of_run, tmp_path / "new.weights")
    assert read_weights(experiment.net, tmp_path / "new.weights") == 32_013_376
