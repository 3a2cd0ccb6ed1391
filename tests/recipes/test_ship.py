"""A trained run becomes a shipped model: its sum is known, its card says where it comes from, soups are means."""

import json
from pathlib import Path

import numpy as np
import pytest

from handlens.predictor import load
from handlens.types import Frame

torch = pytest.importorskip("torch")

from handlens.train.config import Settings
from handlens.train.experiment import new_experiment
from handlens.train.initial_weights import load_initial_weights
from handlens.train.run import export_experiment
from handlens.weights import SHIPPED, verify
from recipes import average
from recipes.ship import averaged, put, put_weights, shipped


def experiment(seed: int):
    torch.manual_seed(seed)
    return new_experiment(Settings(task="hold", net="hold-net", data="made"), ("nothing", "object"))


def test_each_model_that_is_put_there_is_known_by_its_sum(tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    for name in ("touch", "facehand"):
        file = tmp_path / f"{name}.onnx"
        file.write_bytes(name.encode())
        put(file, tmp_path / "package")
        verify(tmp_path / "package" / file.name)
    assert set(json.loads((tmp_path / "package" / "sha256.json").read_text())) == {"touch", "facehand"}


def test_all_that_ships_is_listed() -> None:
    listed = set(json.loads((SHIPPED / "sha256.json").read_text()))
    assert listed == {file.stem for file in SHIPPED.glob("*.onnx")}


def test_the_card_says_what_it_learned_from_and_how_it_looks_at_hands() -> None:
    card = shipped(experiment(0), "hold", "0.1", ["photographs"]).card
    assert (card.name, card.data, card.licence) == ("hold", ("photographs",), "Apache-2.0")
    assert card.parts == {"detector": "facehand"}
    assert card.options["parameters"] > 1e6


def test_several_nets_become_their_mean_and_lose_their_calibration() -> None:
    first, second = experiment(1).with_card(calibration={"a": 2.0, "b": 1.0}), experiment(2)
    wanted = (first.net.out.weight + second.net.out.weight).detach() / 2
    soup = averaged([first, second])
    torch.testing.assert_close(soup.net.out.weight.detach(), wanted)
    assert soup.card.calibration == {}
    assert averaged([second]) is second


def test_the_mean_of_two_runs_is_a_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, third = experiment(1), experiment(2), experiment(3)
    wanted = (first.net.out.weight + second.net.out.weight).detach() / 2
    runs = {"one": first, "two": second}
    monkeypatch.setattr("recipes.average.open_experiment", lambda run: runs[run.name])
    average.main(["one", "two", "--out", str(tmp_path / "mean.safetensors")])
    load_initial_weights(third.net, str(tmp_path / "mean.safetensors"))
    torch.testing.assert_close(third.net.out.weight.detach(), wanted)
    assert [file.name for file in tmp_path.iterdir()] == ["mean.safetensors"]


def test_written_weights_are_a_beginning(tmp_path: Path) -> None:
    first, second = experiment(1), experiment(2)
    put_weights(first, tmp_path / "hold.safetensors")
    told = load_initial_weights(second.net, str(tmp_path / "hold.safetensors"))
    assert told.startswith("took ")
    assert "chance" not in told
    torch.testing.assert_close(second.net.out.weight, first.net.out.weight, atol=1e-3, rtol=1e-3)


def test_a_mask_net_ships_without_its_class_of_what_lies_below() -> None:
    names = ("background", "hand", "face", "hand over face")
    taught = new_experiment(Settings(task="segment", net="segment-net", data="made"), names)
    told = shipped(taught, "segment", "0.1", ["scenes"])
    assert told.card.names == names[:3]
    assert (told.card.options["upper"], told.card.options["lower"]) == (1.0, 2.0)
    probabilities, covered = told.graph().eval()(torch.zeros(1, 3, 64, 96))
    assert probabilities.shape == (1, 3, 32, 48)
    assert covered.shape == (1, 1, 32, 48)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(1, 32, 48))


@pytest.mark.slow
def test_a_mask_net_may_ship_with_the_sides_of_its_pictures(tmp_path: Path) -> None:
    taught = new_experiment(Settings(task="segment", net="segment-net", data="made"), ("background", "hand", "face"))
    file = export_experiment(taught.with_card(size=(96, 96), resize="fit"), tmp_path / "fit.onnx", int8=True)
    predictor, sides = load(file), []
    ask = predictor.runner.run
    predictor.runner.run = lambda batch: sides.append(batch.shape[2:]) or ask(batch)  # type: ignore[method-assign]
    for height, width in ((240, 320), (90, 320), (320, 240), (7, 7)):
        mask = predictor.predict(Frame(np.zeros((height, width, 3), np.uint8))).value
        assert mask.classes.shape == (height, width)
    assert sides == [(96, 96), (32, 96), (96, 96), (96, 96)]
