"""The published weights of a shipped model are found where they lie, and damage or absence is one sentence."""

import json
import shutil
from pathlib import Path

import pytest

pytest.importorskip("torch")

from handlens.errors import InputError
from handlens.train import initial_weights
from handlens.train.initial_weights import CHECKOUT, load_initial_weights, shipped_weights
from handlens.train.nets.catalog import find


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed package of weights, and no checkout."""
    folder = tmp_path / "site" / "handlens_weights"
    shutil.copytree(CHECKOUT, folder, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.syspath_prepend(str(folder.parent))
    monkeypatch.setattr(initial_weights, "CHECKOUT", tmp_path / "nowhere")
    return folder


def test_every_published_file_has_its_checksum() -> None:
    sums = json.loads((CHECKOUT / "sha256.json").read_text("utf-8"))
    assert set(sums) == set(initial_weights.PUBLISHED) == {file.stem for file in CHECKOUT.glob("*.safetensors")}


def test_the_checkout_has_them_without_an_installation() -> None:
    assert shipped_weights("segment") == CHECKOUT / "segment.safetensors"
    assert CHECKOUT.parts[-3:] == ("weights", "src", "handlens_weights")


def test_an_installed_package_is_found(installed: Path) -> None:
    assert shipped_weights("segment") == installed / "segment.safetensors"


def test_damage_is_a_sentence(installed: Path) -> None:
    file = installed / "segment.safetensors"
    file.write_bytes(file.read_bytes()[:-1] + b"\0\0")
    with pytest.raises(InputError, match=r"are damaged, their sha256 differs: type 'pip install ./weights'"):
        shipped_weights("segment")


def test_without_the_package_a_sentence_says_where_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(initial_weights, "CHECKOUT", tmp_path)
    monkeypatch.setattr(initial_weights, "PACKAGE", "handlens_weights_that_nobody_has")
    with pytest.raises(InputError, match=r"handlens-weights, which is not installed: type 'pip install ./weights'"):
        shipped_weights("segment")


@pytest.mark.parametrize("name", ["segment-net", "lite0-segment"])
def test_each_network_of_masks_takes_all_but_its_head(name: str) -> None:
    told = load_initial_weights(find(name).build(2), "segment", ("background", "hand"))
    assert told.startswith("took ")
    assert "the last layer, 'out', is rebuilt from what it knew" in told
    assert "at random" not in told
