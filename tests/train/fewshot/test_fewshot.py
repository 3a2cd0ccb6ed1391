"""A few pictures of each gesture make a model, honestly measured; what is wrong with them is a sentence."""

import dataclasses
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from media import save_picture
from onnx import TensorProto, helper, numpy_helper
from tiny_models import brightness_model
from training_sets import break_picture

from handlens.card import KEY, ModelCard
from handlens.cli import run
from handlens.cli.errors import NEEDED
from handlens.data.formats.class_folders import read_folders
from handlens.errors import ModelError
from handlens.predictor import load
from handlens.preprocess import to_tensor
from handlens.runner import OnnxRunner
from handlens.train.fewshot.graph import headed, write_model
from handlens.train.fewshot.head import Head
from handlens.train.fewshot.run import few_settings
from handlens.types import Frame, Image

if any(find_spec(name) is None for name in NEEDED):
    pytest.skip("the verb asks for all that training needs", allow_module_level=True)

SIDE, CELLS = 32, 4


def base_model(path: Path, embedding: bool = True, angle: bool = False, kind: str = "classify", **card: object) -> Path:
    """A classifier whose embedding is the mean colour of each of 4 x 4 cells, and whose head knows nothing."""
    d = 3 * CELLS * CELLS
    rng = np.random.default_rng(0)
    weights = {"w": rng.normal(size=(d, 3)), "b": np.zeros(3), "turn": rng.normal(size=(d, 2)), "flat": None}
    constants = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in weights.items() if v is not None]
    constants.append(numpy_helper.from_array(np.array([-1, d], np.int64), "flat"))
    side = [SIDE // CELLS] * 2
    nodes = [
        helper.make_node("AveragePool", ["image"], ["cells"], kernel_shape=side, strides=side),
        helper.make_node("Reshape", ["cells", "flat"], ["embedding"]),
        helper.make_node("Gemm", ["embedding", "w", "b"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"], axis=1),
        helper.make_node("Gemm", ["embedding", "turn"], ["angle"]),
    ]
    shapes = {"probabilities": ["n", 3], "angle": ["n", 2], "embedding": ["n", d]}
    told = [name for name in shapes if {"angle": angle, "embedding": embedding}.get(name, True)]
    graph = helper.make_graph(
        [node for node in nodes if node.output[0] != "angle" or angle],
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shapes[name]) for name in told],
        [each for each in constants if each.name != "turn" or angle],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    given = {"version": "7", "data": ("none: made by hand",), "licence": "Apache-2.0", "std": (64.0,) * 3, **card}
    about = ModelCard("cells", "gesture", "classify", ("x", "y", "z"), (SIDE, SIDE), "letterbox", **given)
    helper.set_model_props(model, {KEY: about.to_json()})
    onnx.save(model, str(path))
    return path


def pointing_model(path: Path, options: dict[str, float]) -> Path:
    """The same as a model of landmarks, all of which lie in the corner."""
    model = onnx.load(str(base_model(path, angle=True)))
    d, graph = 3 * CELLS * CELLS, model.graph
    for name, shape in {"landmarks": (21, 3), "right": (1,), "present": (1,)}.items():
        flat = np.array([-1, *shape], np.int64)
        graph.initializer.append(numpy_helper.from_array(np.zeros((d, int(np.prod(shape))), np.float32), f"{name}_w"))
        graph.initializer.append(numpy_helper.from_array(flat, f"{name}_shape"))
        graph.node.append(helper.make_node("MatMul", ["embedding", f"{name}_w"], [f"{name}_flat"]))
        graph.node.append(helper.make_node("Reshape", [f"{name}_flat", f"{name}_shape"], [name]))
        graph.output.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", *shape]))
    card = ModelCard.from_json(next(entry.value for entry in model.metadata_props if entry.key == KEY))
    about = dataclasses.replace(card, kind="landmarks", names=("left", "right", "x"), options=options)
    helper.set_model_props(model, {KEY: about.to_json()})
    onnx.save(model, str(path))
    return path


def sign(rng: np.random.Generator, name: str, light: int = 255) -> Image:
    """A bar on dark noise, upright, lying, or a thick dot, each of its colour; a bit elsewhere and of another size."""
    image = rng.integers(0, 60, (60, 80, 3)).astype(np.uint8)
    x, y, half = (int(v) for v in rng.integers((38, 28, 20), (43, 33, 26)))
    wide, high = {"upright": (5, half), "lying": (half, 5), "dot": (13, 13)}[name]
    colour = np.array({"upright": (1.0, 0.5, 0.5), "lying": (0.5, 1.0, 0.5), "dot": (0.5, 0.5, 1.0)}[name]) * light
    cv2.rectangle(image, (x - wide, y - high), (x + wide, y + high), colour.tolist(), -1)
    return image


def signs(root: Path, count: int = 5, names: tuple[str, ...] = ("dot", "lying", "upright")) -> Path:
    rng = np.random.default_rng(1)
    for name in names:
        (root / name).mkdir(parents=True)
        for number in range(count):
            save_picture(root / name / f"{number}.png", sign(rng, name))
    return root


def few(data: Path, base: Path, out: Path, *more: str) -> int:
    return run(["train", "gesture", "--data", str(data), "--few", "--start", str(base), "--out", str(out), *more])


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Five pictures of each of three signs, the model that they were learned on, and the run."""
    root = tmp_path_factory.mktemp("few")
    base = base_model(root / "base.onnx", angle=True, options={"parameters": 9.0})
    assert few(signs(root / "set"), base, root / "run", "--seed", "3") == 0
    return root / "set", base, root / "run"


@pytest.mark.slow
def test_five_pictures_of_each_sign_make_a_model_that_knows_new_ones(learned) -> None:
    _, _, out = learned
    predictor, rng = load(out / "few.onnx"), np.random.default_rng(5)
    for name in ("dot", "lying", "upright") * 4:
        (hand,) = predictor.predict(Frame(sign(rng, name, light=220))).value
        assert (hand.gesture.name, hand.gesture.score > 0.5) == (name, True)
        assert hand.gesture.angle is not None


@pytest.mark.slow
def test_a_run_holds_what_runs_hold_and_does_not_flatter(learned) -> None:
    _, _, out = learned
    made = {"config.toml", "few.onnx", "report.txt", "report.json", "left-out.jpg", "left-out-confusion.png"}
    assert made <= {path.name for path in out.iterdir()}
    rows = {row["name"]: row for row in json.loads((out / "report.json").read_text("utf-8"))["rows"]}
    assert rows["accuracy"]["n"] == 15
    assert rows["accuracy"]["value"] > 0.9
    assert rows["accuracy"]["low"] < 0.85  # fifteen right answers are not certainty
    assert rows["recall dot"]["n"] == 5


@pytest.mark.slow
def test_the_card_says_what_it_stands_on(learned) -> None:
    card = load(learned[2] / "few.onnx").card
    assert (card.task, card.kind, card.names) == ("gesture", "classify", ("dot", "lying", "upright"))
    assert card.data[0] == "none: made by hand"
    assert "on the model 'cells', version 7: pictures of the user: set" in card.data[1]
    assert (card.parts, card.options["whole"]) == ({}, 1.0)
    assert card.options["parameters"] == 48 * 3 + 3 + 48 * 2
    assert card.scores["pictures"] == 15


def test_the_old_head_is_gone_and_the_features_stay(learned) -> None:
    _, base, out = learned
    graph = onnx.load(str(out / "few.onnx")).graph
    assert [value.name for value in graph.output] == ["probabilities", "angle", "embedding"]
    assert {tensor.name for tensor in graph.initializer} == {"flat", "turn", "few.weight", "few.bias"}
    assert [node.op_type for node in graph.node] == ["AveragePool", "Reshape", "Gemm", "Gemm", "Softmax"]
    before, after = OnnxRunner(base), OnnxRunner(out / "few.onnx")
    batch = to_tensor([np.full((SIDE, SIDE, 3), 90, np.uint8)], before.card)
    for name in ("embedding", "angle"):
        np.testing.assert_array_equal(before.run(batch)[name], after.run(batch)[name])
    again = headed(onnx.load(str(out / "few.onnx")), Head(np.ones((48, 2)), np.zeros(2)))  # one learned on the other
    assert len(again.graph.node) == len(graph.node)


def test_a_file_that_answers_otherwise_is_refused(learned, tmp_path) -> None:
    _, base, _ = learned
    card = dataclasses.replace(OnnxRunner(base).card, names=("a", "b"))
    huge = Head(np.full((48, 2), 1e6) * [1, 1 + 1e-8], np.zeros(2))  # more than 32 bits can hold
    with pytest.raises(ModelError, match="the new file's answers differ"):
        write_model(base, huge, card, np.ones((2, 3, SIDE, SIDE), np.float32), tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_its_config_makes_the_same_model_again(learned, tmp_path) -> None:
    _, _, first = learned
    assert run(["train", "gesture", "--config", str(first / "config.toml"), "--out", str(tmp_path)]) == 0
    for name in ("few.onnx", "config.toml", "report.txt"):
        assert (first / name).read_bytes() == (tmp_path / name).read_bytes()


@pytest.mark.slow
def test_a_run_with_other_settings_is_refused_and_stays(learned, capsys) -> None:
    data, base, out = learned
    before = {path: path.read_bytes() for path in out.iterdir()}
    assert few(data, base, out, "--seed", "4") == 2
    assert "holds a run with other settings, seed = 3 (now 4): give another --out, --fresh" in capsys.readouterr().err
    assert run(["train", "gesture", "--data", str(data), "--no-few", "--out", str(out)]) == 2
    assert {path: path.read_bytes() for path in out.iterdir()} == before


@pytest.mark.slow
def test_hands_are_cropped_where_the_detector_finds_them_small(tmp_path, capsys) -> None:
    data, base = signs(tmp_path / "set"), base_model(tmp_path / "base.onnx", options={"closeup": 1.0})
    brightness_model(tmp_path / "facehand.onnx")  # sees a hand in a quarter of every picture
    assert few(data, base, tmp_path / "run") == 0
    assert "in 15 of 15 pictures: the model looks at the squares around hands" in capsys.readouterr().err
    card = OnnxRunner(tmp_path / "run" / "few.onnx").card
    assert card.parts == {"detector": "facehand"}
    assert card.options["closeup"] == 1.0
    assert "whole" not in card.options
    assert 'shown = "hand"' in (tmp_path / "run" / "config.toml").read_text("utf-8")


@pytest.mark.slow
def test_silhouettes_are_learned_as_they_are_looked_at(tmp_path, capsys) -> None:
    rng, data = np.random.default_rng(2), tmp_path / "set"
    for name in ("lying", "upright"):
        (data / name).mkdir(parents=True)
        for number in range(4):
            save_picture(data / name / f"{number}.png", np.where(sign(rng, name) > 100, 255, 0).max(2, keepdims=True)
                         .repeat(3, 2).astype(np.uint8))  # fmt: skip
    save_picture(data / "lying" / "blank.png", np.zeros((60, 80, 3), np.uint8))
    base = base_model(tmp_path / "base.onnx", options={"silhouette": 1.0})
    assert few(data, base, tmp_path / "run") == 0
    assert "blank.png' shows no hand" in capsys.readouterr().err
    predictor = load(tmp_path / "run" / "few.onnx")
    far = np.zeros((300, 200, 3), np.uint8)
    far[20:60, 150:158] = 255
    assert predictor.predict(Frame(far)).value[0].gesture.name == "upright"
    assert predictor.predict(Frame(np.zeros_like(far))).value == ()
    assert few(signs(tmp_path / "colour"), base, tmp_path / "other") == 2
    assert "knows silhouettes" in capsys.readouterr().err


@pytest.mark.slow
def test_odd_pictures_are_told_and_the_rest_is_learned(tmp_path, capsys) -> None:
    data, base = signs(tmp_path / "set"), base_model(tmp_path / "base.onnx")
    cut = break_picture(read_folders(data), 0)
    (data / "lying" / "copy.png").write_bytes((data / "upright" / "1.png").read_bytes())
    (data / "rare").mkdir()
    save_picture(data / "rare" / "one.png", np.full((60, 80, 3), 200, np.uint8))
    assert few(data, base, tmp_path / "run") == 0
    told = capsys.readouterr().err
    assert f"left out: '{cut}' is cut off" in told
    assert "are the same picture: one of them is wrong" in told
    assert "of rare there is only one picture" in told
    rows = {r["name"]: r for r in json.loads((tmp_path / "run" / "report.json").read_text("utf-8"))["rows"]}
    assert rows["recall rare"] == {"name": "recall rare", "value": None, "low": None, "high": None, "n": 0}
    assert rows["accuracy"]["n"] == 15


def test_one_picture_of_each_is_enough_for_a_model_but_not_for_a_number(tmp_path, capsys) -> None:
    data, base = signs(tmp_path / "set", count=1), base_model(tmp_path / "base.onnx")
    assert few(data, base, tmp_path / "run") == 0
    assert "too few to leave one out" in capsys.readouterr().err
    picture = Frame(cv2.imread(str(data / "lying" / "0.png"))[..., ::-1])
    assert load(tmp_path / "run" / "few.onnx").predict(picture).value[0].gesture.name == "lying"


def test_a_model_of_landmarks_teaches_as_well(tmp_path) -> None:
    options = {"holds": 1.0, "things": 0.0, "crop_scale": 1.5}
    base = pointing_model(tmp_path / "base.onnx", options)
    assert few(signs(tmp_path / "set", count=3), base, tmp_path / "run") == 0
    made = load(tmp_path / "run" / "few.onnx")
    assert (made.card.kind, made.card.resize) == ("classify", "letterbox")
    assert {"holds", "things"}.isdisjoint(made.card.options)
    assert made.card.options["crop_scale"] == 1.5
    (hand,) = made.predict(Frame(sign(np.random.default_rng(9), "lying"))).value
    assert hand.gesture.name == "lying"


def _one_class(data: Path) -> None:
    for folder in ("dot", "lying"):
        for file in (data / folder).iterdir():
            file.unlink()
        (data / folder).rmdir()


def _unreadable(data: Path) -> None:
    for file in (data / "dot").iterdir():
        file.write_bytes(b"no picture")


def _empty(data: Path) -> None:
    (data / "fist").mkdir()


WRONG = [
    (_one_class, [], "only the class 'upright': telling classes apart needs at least two"),
    (_empty, [], "the class 'fist' of"),
    (_unreadable, [], "of the class 'dot' of"),
    (None, ["--epochs", "3"], "--few trains no network and has no setting 'epochs'"),
    (None, ["--set", "shown=hend"], "unknown value of 'shown' 'hend': did you mean 'hand'"),
    (None, ["--set", "shown=1"], "the setting 'shown' needs a value of type str"),
    (None, ["--start", "DETECTOR"], "is made to detect: gestures are learned on"),
    (None, ["--start", "NO EMBEDDING"], "tells no embedding"),
    (None, ["--start", "none.onnx"], "no model file at 'none.onnx'"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("spoil", "more", "said"), WRONG, ids=[said[:25] for *_, said in WRONG])
def test_what_is_wrong_is_one_sentence(tmp_path, capsys, spoil, more, said) -> None:
    data, base = signs(tmp_path / "set"), base_model(tmp_path / "base.onnx")
    files = {
        "DETECTOR": brightness_model(tmp_path / "detector.onnx"),
        "NO EMBEDDING": base_model(tmp_path / "old.onnx", embedding=False),
    }
    if spoil is not None:
        spoil(data)
    assert few(data, base, tmp_path / "run", *(str(files.get(word, word)) for word in more)) == 2
    assert said in capsys.readouterr().err.strip().splitlines()[-1]
    assert not list(tmp_path.glob("run/*.onnx"))


def test_one_class_is_refused_before_anything_is_promised(tmp_path, capsys) -> None:
    data = signs(tmp_path / "set")
    _one_class(data)
    assert run(["train", "gesture", "--data", str(data), "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr()
    assert "only the class 'upright'" in told.err
    assert "enough for a small head" not in told.out + told.err


def test_only_gestures_are_learned_so(tmp_path, capsys) -> None:
    assert run(["train", "hold", "--data", str(signs(tmp_path / "set")), "--few"]) == 2
    assert "--few learns gestures, not 'hold'" in capsys.readouterr().err
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "last.ckpt").write_bytes(b"")
    assert few(tmp_path / "set", base_model(tmp_path / "base.onnx"), tmp_path / "run") == 2
    assert "holds the run of a network" in capsys.readouterr().err


def test_without_a_shipped_model_it_says_what_to_do(tmp_path, capsys, monkeypatch) -> None:
    monkeypatch.setattr("handlens.weights.SHIPPED", tmp_path)
    assert run(["train", "gesture", "--data", str(signs(tmp_path / "set")), "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert "15 pictures, 5 in the smallest class: too few for a network" in told
    assert "the shipped model 'hands', which does not exist yet" in told


def test_few_pictures_are_told_from_many(tmp_path) -> None:
    small, said = str(signs(tmp_path / "small")), []
    (tmp_path / "config.toml").write_text("epochs = 3\n", "utf-8")

    def chosen(given: dict[str, object], few: bool | None = None, config: Path | None = None, task: str = "gesture"):
        return few_settings(task, {"data": small, **given}, config, None, few, said.append)

    settings, found = chosen({"seed": 4})
    assert (settings.seed, len(found)) == (4, 15)
    assert "--no-few trains a network all the same" in said[0]
    for given in ({"net": "hand-net"}, {"start": "signs"}, {"epochs": 3}, {"augment": "hand"}):
        assert chosen(given) is None
    assert chosen({}, few=False) is None
    assert chosen({}, config=tmp_path / "config.toml") is None
    assert chosen({}, task="hold") is None
    many = signs(tmp_path / "many", count=21)
    assert chosen({"data": str(many)}) is None
    assert len(chosen({"data": str(many)}, few=True)[1]) == 63
    for split in ("train", "val"):
        signs(tmp_path / "split" / split, count=3)
    assert chosen({"data": str(tmp_path / "split")}) is None
    assert len(chosen({"data": str(tmp_path / "split")}, few=True)[1]) == 9


@pytest.mark.slow
def test_learning_needs_no_torch() -> None:
    code = "import handlens.train.fewshot.run, sys; print([m for m in ('torch', 'lightning') if m in sys.modules])"
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
