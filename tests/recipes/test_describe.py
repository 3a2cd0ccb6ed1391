"""A card is rewritten, and nothing else of the model file changes."""

import dataclasses
import json
import shutil
from pathlib import Path

import onnx
import pytest

from handlens.predictor import load
from handlens.weights import SHIPPED, verify
from recipes.describe import describe, main


def test_only_the_sources_of_the_card_change(tmp_path: Path) -> None:
    file = Path(shutil.copy(SHIPPED / "gestures.onnx", tmp_path))
    before, graph = load(file).card, onnx.load(file).graph
    main([str(file), "--source", "one", "--source", "two"])
    card = load(file).card
    assert card.data == ("one", "two")
    assert dataclasses.replace(card, data=before.data) == before
    assert onnx.load(file).graph == graph
    assert set(json.loads((tmp_path / "sha256.json").read_text())) == {"gestures"}
    verify(file)


def test_a_file_without_a_card_is_left_as_it_is(tmp_path: Path) -> None:
    file = Path(shutil.copy(SHIPPED / "gestures.onnx", tmp_path))
    with pytest.raises(ValueError, match="no --source"):
        describe(file, [])
    assert file.read_bytes() == (SHIPPED / "gestures.onnx").read_bytes()


@pytest.mark.parametrize("name", [path.stem for path in sorted(SHIPPED.glob("*.onnx"))])
def test_a_card_names_only_modules_that_exist(name: str) -> None:
    root = Path(__file__).parents[2]
    for text in load(name).card.data:
        for word in text.replace("(", " ").replace(")", " ").replace(",", " ").split():
            if word.startswith(("handlens.", "recipes.")):
                place = Path(*word.split("."))
                assert any((root / base / place).with_suffix(".py").is_file() for base in ("", "src")), (
                    f"{name}: {word}"
                )
