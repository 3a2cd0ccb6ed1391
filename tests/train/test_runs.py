"""From a set to a model in one verb, for every kind of net; what is wrong is a sentence, and a run goes on."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from run_sets import SHORT, boxes_set, class_folders, masks_set

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.cli import run
from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.evaluate.evaluate import evaluate
from handlens.predictor import load
from handlens.train.checkpoints import read_checkpoint
from handlens.train.config import Plan
from handlens.train.devices import check_devices
from handlens.train.run import open_predictor

CASES = [
    ("touch", "yolov5n", boxes_set, ["--size", "64"]),
    ("touch", "nano", boxes_set, ["--size", "64"]),
    ("gesture", "digits6", class_folders, []),
    ("segment", "unet", masks_set, ["--size", "32"]),
]


@pytest.mark.slow
@pytest.mark.parametrize(("task", "net", "make", "more"), CASES, ids=[case[1] for case in CASES])
def test_one_verb_goes_from_a_set_to_a_model(tmp_path, task, net, make, more, capsys) -> None:
    data, out = make(tmp_path), tmp_path / "run"
    line = ["train", task, "--data", str(data), "--net", net, "--out", str(out), *SHORT, *more]
    assert run(line) == 0, capsys.readouterr().err
    there = {path.name for path in out.iterdir()}
    assert {"config.toml", "log.csv", "curves.png", "last.ckpt", "best.ckpt", f"{net}.onnx", "report.json"} <= there
    said = json.loads((out / "report.json").read_text())
    assert said["n"] > 0

    found = _val(data, task)
    live = {row.name: row.value for row in evaluate(open_predictor(out), found, resamples=0).report}
    filed = {row.name: row.value for row in evaluate(load(out / f"{net}.onnx"), found, resamples=0).report}
    assert live.keys() == filed.keys()
    near = 1e-2 if task == "touch" else 1e-3  # boxes of two epochs score nearly alike: the last bit ranks them
    for name, value in live.items():
        assert filed[name] == pytest.approx(value, abs=near, nan_ok=True), name

    assert run(["export", str(out), "--out", str(tmp_path / "small.onnx"), "--int8"]) == 0
    assert (tmp_path / "small.onnx").stat().st_size < 0.5 * (out / f"{net}.onnx").stat().st_size
    assert run(["evaluate", str(out / "best.ckpt"), "--data", str(data), "--resamples", "0"]) == 0


@pytest.mark.slow
def test_two_processes_train_one_model(tmp_path: Path) -> None:
    """The command of several devices and machines, with two processes of one CPU, which Lightning joins by gloo."""
    data, out = class_folders(tmp_path), tmp_path / "run"
    line = ["train", "gesture", "--data", str(data), "--net", "digits6", "--out", str(out), *SHORT]
    command = [sys.executable, "-m", "handlens", *line, "--device", "cpu", "--devices", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr[-2000:]
    steps = torch.load(out / "last.ckpt", weights_only=False)["global_step"]
    assert steps == 2, "twelve pictures, four in each process: one step in each of two epochs, and three without them"
    assert [path.name for path in out.glob("*.onnx")] == ["digits6.onnx"]
    assert json.loads((out / "report.json").read_text())["n"] == 6


def _val(data: Path, task: str) -> LabelledSet:
    from handlens.data.formats.detect_format import open_set
    from handlens.train.defaults import TASK_KINDS

    return open_set(data, TASK_KINDS[task]).split("val")


@pytest.mark.slow
@pytest.mark.usefixtures("quick_figures")
def test_a_finished_run_goes_on_with_more_epochs_and_refuses_other_settings(tmp_path, capsys) -> None:
    data, out = class_folders(tmp_path), tmp_path / "run"
    line = ["train", "gesture", "--data", str(data), "--out", str(out), *SHORT]
    assert run(line) == 0
    first = read_checkpoint(out / "last.ckpt")
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    for more, said in [
        (["--rate", "0.01"], "holds a run with other settings, rate = 0.002 (now 0.01): give another --out, --fresh"),
        (["--seed", "3", "--set", "augment.erase=0.4"], "seed = 0 (now 3), augment.erase = "),
        (["--net", "digits6"], "net = 'hand-net' (now 'digits6')"),
        (["--epochs", "1"], "has 2 epochs already, more than --epochs 1"),
        (["--set", "warm_bias=0.1"], "warm_bias = none (now 0.1)"),
    ]:
        capsys.readouterr()
        assert run([*line, *more]) == 2
        assert said in capsys.readouterr().err
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before
    assert run([*line, "--epochs", "4"]) == 0
    assert len((out / "log.csv").read_text().splitlines()) == 5
    assert read_checkpoint(out / "last.ckpt")["epoch"] > first["epoch"]


def test_an_unknown_task_is_refused_before_a_network_is_named_for_it(tmp_path, capsys) -> None:
    assert run(["train", "gestures", "--data", str(class_folders(tmp_path))]) == 2
    said = capsys.readouterr().err
    assert "did you mean 'gesture'" in said
    assert "the network is" not in said


WRONG = [
    (["train", "touch"], "nothing to train on: give a labelled set with --data"),
    (["train", "tuch", "--data", "."], "unknown task to train 'tuch': did you mean 'touch'"),
    (["train", "touch", "--data", "SET", "--net", "yolov9"], "unknown network 'yolov9': did you mean 'yolov"),
    (["train", "touch", "--data", "SET", "--net", "mobileface"], "does not answer 'touch'"),
    (["train", "touch", "--data", "SET", "--net", "yolov5n", "--size", "70"], "must be a multiple of 32"),
    (["train", "touch", "--data", "none"], "'none' does not exist"),
    (["train", "touch", "--data", "SET", "--set", "mosiac=1"], "unknown setting 'mosiac'"),
    (["train", "touch", "--data", "SET", "--config", "none.toml"], "config file 'none.toml' cannot be read"),
    (["train", "touch", "--data", "SET", "--start", "none.pt", *SHORT], "there is no file 'none.pt'"),
    (["train", "touch", "--data", "SET", "--start", "combined"], "is segment and digits together"),
    (["train", "touch", "--data", "SET", "--start", "mine.onnx"], "its weights are folded. Give a RUN"),
    (
        ["train", "touch", "--data", "SET", "--net", "yolov5n", "--start", "segment"],
        "they fit the network 'lite0-segment'",
    ),
    (["train", "touch", "--data", "SET", "--device", "gpu"], "there is no GPU that torch can use"),
    (["train", "touch", "--data", "SET", "--device", "cuda"], "type --device cpu or --device auto"),
    (["train", "touch", "--data", "SET", "--device", "mps"], "there is no Apple GPU (mps) on this machine"),
    (["train", "touch", "--data", "SET", "--device", "gup"], "unknown device 'gup': did you mean 'gpu'"),
    (["train", "touch", "--data", "SET", "--devices", "9"], "this machine has 4 CPU cores; give --devices 4 or fewer"),
    (["train", "touch", "--data", "SET", "--nodes", "2"], "set MASTER_ADDR, MASTER_PORT and NODE_RANK"),
    (["export", "none", "--out", "a.onnx"], "there is no checkpoint"),
    (
        ["export", "touch", "--int8", "--out", "a.onnx"],
        "'touch' is a shipped model, an .onnx file already: add --static",
    ),
    (["export", "none", "--out", "a.txt"], "--out must end in .onnx"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "said"), WRONG, ids=[said[:25] for _, said in WRONG])
def test_what_is_wrong_is_one_sentence(tmp_path, monkeypatch, capsys, line, said) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: False)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    monkeypatch.delenv("MASTER_ADDR", raising=False)
    data = class_folders(tmp_path) if "hold" in line else boxes_set(tmp_path)
    assert run([str(data) if word == "SET" else word for word in line]) == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert said in told[-1]
    assert not (tmp_path / "runs").exists()


def test_as_many_gpus_as_there_are_may_be_asked_for(monkeypatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    monkeypatch.setenv("MASTER_ADDR", "10.0.0.1")
    for device in ("auto", "GPU", "cuda"):
        check_devices(Plan(device=device, devices=2, nodes=3))
        with pytest.raises(InputError, match="this machine has 2 GPUs; give --devices 2 or fewer"):
            check_devices(Plan(device=device, devices=4))


def test_one_class_alone_cannot_be_told_apart(tmp_path, capsys) -> None:
    data = class_folders(tmp_path)
    for split in ("train", "val"):
        for file in (data / split / "light").iterdir():
            file.unlink()
        (data / split / "light").rmdir()
    assert run(["train", "gesture", "--data", str(data), "--out", str(tmp_path / "run"), *SHORT]) == 2
    assert "only the class 'dark'" in capsys.readouterr().err


def test_a_cfg_of_another_number_of_classes_is_a_sentence(tmp_path, capsys) -> None:
    from handlens.train.nets.darknet.cfg import standard_cfg

    (tmp_path / "mine.cfg").write_text(standard_cfg("yolov3-tiny", 3))
    data = boxes_set(tmp_path)
    assert run(["train", "touch", "--data", str(data), "--net", str(tmp_path / "mine.cfg"), *SHORT]) == 2
    assert "says classes=3, but the set has 1: write classes=1" in capsys.readouterr().err


@pytest.mark.slow
def test_finished_runs_are_compared(tmp_path, capsys) -> None:
    data = class_folders(tmp_path)
    for net in ("digits6", "gestures20"):
        line = ["train", "gesture", "--data", str(data), "--net", net, "--out", str(tmp_path / net), *SHORT]
        assert run(line) == 0
    capsys.readouterr()
    picture = tmp_path / "compared.png"
    assert run(["compare", str(tmp_path / "digits6"), str(tmp_path / "gestures20"), "--out", str(picture)]) == 0
    told = capsys.readouterr().out
    assert "351,250" in told  # the 351,318 of six classes less 4 x (16 + 1)
    assert "gestures20" in told
    assert picture.stat().st_size > 10_000
    assert run(["compare", str(data)]) == 2
    assert "is not a finished run" in capsys.readouterr().err
