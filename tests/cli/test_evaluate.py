"""The verb evaluate: a table, JSON and files from a model and a set on disk; each mistake is one sentence."""

import json
from pathlib import Path

import numpy as np
import pytest
from media import save_picture
from tiny_models import CARD, brightness_model

from handlens.cli import run

BOX = {"face": "0 0.5 0.4375 0.5 0.625", "cheek": "2 0.609375 0.578125 0.21875 0.21875"}


@pytest.fixture
def model(tmp_path: Path) -> str:
    return str(brightness_model(tmp_path / "light.onnx"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A YOLO set: bright pictures with a touched cheek, dark ones without, in val and test."""
    root = tmp_path / "set"
    for split in ("val", "test"):
        for number in range(4):
            touched = number % 2
            save_picture(path(root, split, number), np.full((64, 64, 3), 230 if touched else 30, np.uint8))
            labels = root / "labels" / split / f"{number}.txt"
            labels.parent.mkdir(parents=True, exist_ok=True)
            labels.write_text("\n".join([BOX["face"], *([BOX["cheek"]] if touched else [])]) + "\n")
    text = "path: .\nval: images/val\ntest: images/test\nnames: [face, hand, cheek]\n"
    (root / "data.yaml").write_text(text)
    return root


def path(root, split, number):
    file = root / "images" / split / f"{number}.png"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


@pytest.mark.slow
def test_a_table_json_curves_and_sheets(model, data, tmp_path, capsys):
    out, numbers = tmp_path / "out", tmp_path / "n.json"
    arguments = ["evaluate", model, "--data", str(data), "--out", str(out), "--json", str(numbers), "--resamples", "50"]
    assert run(arguments) == 0
    told = capsys.readouterr()
    assert "mAP 0.5:0.95" in told.out
    assert f"measuring on the test split of '{data}': 4 pictures" in told.err
    found = json.loads(numbers.read_text())
    assert (found["model"], found["data"], found["split"], found["n"]) == (model, str(data), "test", 4)
    rows = {row["name"]: row for row in found["rows"]}
    assert rows["AP 0.5 cheek"]["value"] == pytest.approx(1)
    assert rows["touch ROC AUC"]["value"] == 1
    assert json.loads((out / "report.json").read_text())["rows"] == found["rows"]
    made = {file.name for file in out.iterdir()}
    assert {"report.txt", "boxes-confusion.png", "touch-calibration.png", "best.jpg"} <= made
    assert not [name for name in made if name.endswith(".part")]


def test_json_to_a_dash_is_alone_on_stdout(model, data, capsys):
    assert run(["evaluate", model, "--data", str(data), "--split", "all", "--json", "-", "--resamples", "0"]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["n"] == 8
    assert "mAP 0.5" in told.err


def test_the_model_of_a_run_is_found_in_its_folder(model, data, tmp_path, capsys):
    assert run(["evaluate", str(tmp_path), "--data", str(data), "--split", "VAL", "--resamples", "0"]) == 0
    assert "touch F1" in capsys.readouterr().out


def test_an_unreadable_picture_is_told_and_the_rest_is_measured(model, data, tmp_path, capsys):
    path(data, "test", 1).write_bytes(b"\x89PNG rubbish")
    assert run(["evaluate", model, "--data", str(data), "--json", str(tmp_path / "n.json"), "--resamples", "5"]) == 2
    assert "1.png" in capsys.readouterr().err
    assert json.loads((tmp_path / "n.json").read_text())["n"] == 3


def test_labels_are_mapped(model, data, capsys):
    yaml = data / "data.yaml"
    yaml.write_text(yaml.read_text().replace("cheek", "Wange").replace("face", "Gesicht"))
    mapping = ["--map", "Wange=cheek", "--map", "Gesicht=face", "--resamples", "0"]
    assert run(["evaluate", model, "--data", str(data), *mapping]) == 0
    assert "AP 0.5 cheek" in capsys.readouterr().out


def test_pictures_without_a_label_file_are_counted_not_listed(model, data, capsys):
    for number in (0, 2):
        (data / "labels" / "test" / f"{number}.txt").unlink()
    assert run(["evaluate", model, "--data", str(data), "--resamples", "0"]) == 0
    err = capsys.readouterr().err
    assert "no label file: 2 times" in err
    assert "0.png" not in err


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (["--split", "tset"], "did you mean 'test'"),
        (["--map", "wange=cheek"], "unknown class 'wange'"),
        (["--map", "cheek"], "should be SET=MODEL"),
        (["--kind", "boxes"], "unknown kind 'boxes'"),
        (["--kind", "segment"], "to segment"),
        (["--crop", "half"], "unknown crop 'half'"),
        (["--resamples", "-1"], "resamples"),
        (["--data", "nowhere"], "'nowhere' does not exist"),
        (["--json", "/dev/null/n.json"], "'/dev/null' is a file, not a folder"),
        (["--out", "/dev/null/x"], "not written"),
    ],
)
def test_mistakes_are_a_sentence(change, sentence, model, data, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert run(["evaluate", model, "--data", str(data), "--resamples", "0", *change]) == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "Traceback" not in err


@pytest.mark.parametrize("name", ["tuch", "none.onnx", "none.ckpt", "text.onnx", "text.csv", "text.ckpt"])
def test_a_model_that_is_none_is_a_sentence(name, data, tmp_path, capsys):
    given = str(tmp_path / name) if name.startswith("text") else name
    if given != name:
        Path(given).write_text("no model")
    assert run(["evaluate", given, "--data", str(data)]) == 2
    assert name in capsys.readouterr().err


def test_labels_that_do_not_fit_are_a_sentence(data, tmp_path, capsys):
    import dataclasses

    other = brightness_model(tmp_path / "o.onnx", dataclasses.replace(CARD, names=("a", "b", "c")))
    assert run(["evaluate", str(other), "--data", str(data)]) == 2
    assert "--map 'face=a'" in capsys.readouterr().err


def test_without_pycocotools_it_says_what_to_install(model, data, capsys, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pycocotools", None)
    assert run(["evaluate", model, "--data", str(data)]) == 2
    assert "pip install 'handlens[data]'" in capsys.readouterr().err
