"""A detector of another project gets our arrays and a card, and finds the boxes that it found before."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from onnx import TensorProto, helper, numpy_helper

from handlens.cli import run
from handlens.predictor import load
from handlens.types import Frame

SIDE = 64
ROWS = np.array([[20, 24, 8, 16], [40, 40, 20, 10], [10, 50, 6, 6]], np.float32)  # cx cy w h
CORNERS = np.array([[16, 16, 24, 32], [30, 35, 50, 45], [7, 47, 13, 53]], np.float32)
SCORES = np.array([[0.9, 0.1], [0.05, 0.8], [0.2, 0.1]], np.float32)


def raw_output(head: str) -> np.ndarray:
    """What a detector of two classes says of the three boxes."""
    if head == "yolov5":
        return np.concatenate((ROWS, np.ones((3, 1), np.float32), SCORES), 1)[None]
    if head == "yolov8":
        return np.concatenate((ROWS, SCORES), 1).T[None]
    best, label = SCORES.max(1, keepdims=True), SCORES.argmax(1)[:, None].astype(np.float32)
    if head == "nms":
        return np.concatenate((CORNERS, best, label), 1)[None]
    return np.concatenate((np.zeros((3, 1), np.float32), CORNERS, label, best), 1)


def detector(
    path: Path, output: np.ndarray, opset: int = 17, side: int | str = SIDE, metadata: dict[str, str] | None = None
):
    """Write a detector that says the same of every picture."""
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["answer", "nothing"], ["output0"]),
    ]
    constants = [numpy_helper.from_array(output, "answer"), numpy_helper.from_array(np.float32(0), "zero")]
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, side, side])
    told = helper.make_tensor_value_info("output0", TensorProto.FLOAT, output.shape)
    graph = helper.make_graph(nodes, "detector", [given], [told], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    helper.set_model_props(model, metadata or {})
    onnx.save(model, path)


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("head", ["yolov5", "yolov8", "nms", "yolov7-nms"])
def test_each_head_gives_the_boxes_that_it_gave(tmp_path: Path, head: str, opset: int, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    detector(tmp_path / "theirs.onnx", raw_output(head), opset)
    assert run(["export", "theirs.onnx", "--names", "face,hand", "--out", "new/mine.onnx"]) == 0, (
        capsys.readouterr().err
    )
    predictor = load("new/mine.onnx")
    assert predictor.card.names == ("face", "hand")
    found = predictor.predict(Frame(np.zeros((SIDE, SIDE, 3), np.uint8), "x", 0, 0.0)).value
    assert [found.names[label] for label in found.label] == ["face", "hand"]
    np.testing.assert_allclose(found.xyxy, CORNERS[:2], atol=1e-3)
    np.testing.assert_allclose(found.score, [0.9, 0.8], atol=1e-6)


def test_names_and_licence_come_from_the_files_own_metadata(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    metadata = {"names": "{0: 'face', 1: 'hand'}", "license": "MIT"}
    detector(tmp_path / "theirs.onnx", raw_output("yolov8"), side="side", metadata=metadata)
    assert run(["export", "theirs.onnx", "--size", "96", "--out", "mine.onnx"]) == 0
    card = load("mine.onnx").card
    assert (card.names, card.licence, card.size, card.data) == (("face", "hand"), "MIT", (96, 96), ("theirs.onnx",))


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        (["theirs.onnx"], "give --names a,b"),
        (["theirs.onnx", "--names", "a,b,c"], "as many --names as it has classes"),
        (["theirs.onnx", "--names", "a,,b"], "name 2 of 'a,,b' is empty: give every class a name"),
        (["theirs.onnx", "--names", "a,a"], "has the name 'a' twice"),
        (["theirs.onnx", "--names", "a,b", "--head", "yolov5"], "another --head"),
        (["theirs.onnx", "--names", "a,b", "--head", "yolo5"], "did you mean 'yolov5'?"),
        (["theirs.onnx", "--names", "a,b", "--size", "128"], "leave out --size 128"),
        (["theirs.onnx", "--names", "a,b", "--int8"], "--int8 is not for an .onnx file"),
        (["missing.onnx", "--names", "a,b"], "cannot read 'missing.onnx'"),
        (["text.onnx", "--names", "a,b"], "'text.onnx' is not an ONNX file"),
        (["old.onnx", "--names", "a,b"], "opset 11 or newer"),
        (["carded.onnx", "--names", "a,b"], "has a card of ours already"),
    ],
)
def test_what_cannot_be_is_a_sentence(tmp_path: Path, monkeypatch, capsys, line: list[str], sentence: str) -> None:
    monkeypatch.chdir(tmp_path)
    detector(tmp_path / "theirs.onnx", raw_output("yolov8"))
    detector(tmp_path / "old.onnx", raw_output("yolov8"), opset=9)
    detector(tmp_path / "carded.onnx", raw_output("yolov8"), metadata={"handlens": "{}"})
    (tmp_path / "text.onnx").write_text("no model")
    assert run(["export", *line, "--out", "mine.onnx"]) == 2
    assert sentence in capsys.readouterr().err
    assert not (tmp_path / "mine.onnx").exists()


def test_the_file_itself_is_not_overwritten(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    detector(tmp_path / "theirs.onnx", raw_output("yolov8"))
    before = (tmp_path / "theirs.onnx").read_bytes()
    assert run(["export", "theirs.onnx", "--names", "a,b", "--out", "theirs.onnx"]) == 2
    assert "give another name" in capsys.readouterr().err
    assert (tmp_path / "theirs.onnx").read_bytes() == before
