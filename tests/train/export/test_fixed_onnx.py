"""A model file gets fixed sides: what was computed from the sides is a number then, and the answers stay."""

from pathlib import Path

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")

from tiny_models import mask_model

from handlens.cli import run
from handlens.runner import OnnxRunner
from handlens.train.export.fixed_onnx import export_fixed


def sides(path: Path) -> list[int | str]:
    return [side.dim_param or side.dim_value for side in onnx.load(path).graph.input[0].type.tensor_type.shape.dim]


@pytest.mark.slow
def test_the_shipped_net_of_masks_has_no_computed_shapes_any_more(tmp_path: Path, capsys) -> None:
    out = tmp_path / "new" / "fixed.onnx"
    assert run(["export", "segment", "--static", "--out", str(out)]) == 0, capsys.readouterr().err
    height, width = OnnxRunner(out).card.size
    assert sides(out) == [1, 3, height, width]
    nodes = {node.op_type for node in onnx.load(out).graph.node}
    assert not nodes & {"Shape", "Gather", "Range", "Cast", "Unsqueeze"}
    assert OnnxRunner(out).card.resize == "letterbox"


def test_a_model_of_the_user_too(tmp_path: Path) -> None:
    mask_model(tmp_path / "a.onnx")
    free = OnnxRunner(tmp_path / "a.onnx")
    fixed = OnnxRunner(export_fixed(tmp_path / "a.onnx", tmp_path / "b.onnx"))
    picture = np.random.default_rng(1).random((1, 3, *free.card.size), np.float32)
    for name, array in free.run(picture).items():
        np.testing.assert_allclose(fixed.run(picture)[name], array, atol=1e-5)
    assert fixed.card.names == free.card.names


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--names", "a,b"], "--names and --static"),
        (["--int8"], "--int8 and --static"),
        (["--out", "a.onnx"], "is the file that is read"),
    ],
)
def test_what_does_not_go_together_is_a_sentence(
    tmp_path: Path, monkeypatch, capsys, more: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    mask_model(tmp_path / "a.onnx")
    before = (tmp_path / "a.onnx").read_bytes()
    assert run(["export", "a.onnx", "--static", "--out", "b.onnx", *more]) == 2
    assert said in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["a.onnx"]
    assert (tmp_path / "a.onnx").read_bytes() == before
