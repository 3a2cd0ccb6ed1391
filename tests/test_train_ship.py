"""A trained run becomes a shipped model: its sum is known, its card says where it comes from, soups are means."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from handlens.train.course import new_course  # noqa: E402
from handlens.train.settings import Settings  # noqa: E402
from handlens.train.ship import averaged, put, shipped  # noqa: E402
from handlens.weights import SHIPPED, verify  # noqa: E402


def course(seed: int):
    torch.manual_seed(seed)
    return new_course(Settings(task="hold", net="grip", data="made"), ("nothing", "object"))


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
    card = shipped(course(0), "hold", "0.1", ["photographs"]).card
    assert (card.name, card.data, card.licence) == ("hold", ("photographs",), "Apache-2.0")
    assert card.parts == {"detector": "facehand"}
    assert card.options["parameters"] > 1e6


def test_several_nets_become_their_mean_and_lose_their_calibration() -> None:
    first, second = course(1).with_card(calibration={"a": 2.0, "b": 1.0}), course(2)
    wanted = (first.net.out.weight + second.net.out.weight).detach() / 2
    soup = averaged([first, second])
    torch.testing.assert_close(soup.net.out.weight.detach(), wanted)
    assert soup.card.calibration == {}
    assert averaged([second]) is second
