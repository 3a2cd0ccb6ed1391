"""Names to files: any case, damaged files are noticed, and an unknown name is told the nearest known one."""

import hashlib
import json

import pytest

from handlens import weights
from handlens.errors import ModelError, NotYet


@pytest.fixture
def models(tmp_path, monkeypatch):
    """A package with one model, 'touch', whose bytes are b'net'."""
    folder = tmp_path / "models"
    folder.mkdir()
    (folder / "touch.onnx").write_bytes(b"net")
    (folder / "sha256.json").write_text(json.dumps({"touch": hashlib.sha256(b"net").hexdigest()}))
    monkeypatch.setattr(weights, "SHIPPED", folder)
    return folder


def test_a_shipped_name_is_found_in_any_case(models):
    assert weights.resolve("Touch") == models / "touch.onnx"
    assert weights.shipped() == ["touch"]


def test_a_damaged_or_unlisted_shipped_file_is_refused(models):
    (models / "touch.onnx").write_bytes(b"ne")
    with pytest.raises(ModelError, match="'touch' is damaged"):
        weights.resolve("touch")
    (models / "touch.onnx").write_bytes(b"net")
    (models / "sha256.json").unlink()
    with pytest.raises(ModelError, match="'touch' is damaged"):
        weights.resolve("touch")


def test_a_file_of_the_user_is_taken_as_it_is(models, tmp_path):
    mine = tmp_path / "Mine.ONNX"
    mine.write_bytes(b"x")
    assert weights.resolve(str(mine)) == mine
    assert weights.resolve(mine) == mine


def test_a_file_that_is_missing_or_ends_otherwise_is_told_so(models, tmp_path):
    with pytest.raises(ModelError, match=r"no model file at 'nowhere\.onnx'.*touch"):
        weights.resolve("nowhere.onnx")
    text = tmp_path / "notes.txt"
    text.write_text("hello")
    with pytest.raises(ModelError, match=r"ends in \.onnx"):
        weights.resolve(text)


def test_the_cache_comes_after_what_is_shipped(models, tmp_path, monkeypatch):
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "touch.onnx").write_bytes(b"older")
    (cache / "mine.onnx").write_bytes(b"mine")
    monkeypatch.setenv("HANDLENS_CACHE", str(cache))
    assert weights.resolve("touch") == models / "touch.onnx"
    assert weights.resolve("mine") == cache / "mine.onnx"
    assert weights.cached() == ["mine", "touch"]


def test_a_part_beside_its_model_goes_first(models, tmp_path):
    (tmp_path / "touch.onnx").write_bytes(b"freshly trained")
    assert weights.resolve("touch", beside=tmp_path) == tmp_path / "touch.onnx"
    assert weights.resolve("touch", beside=models) == models / "touch.onnx"


def test_a_planned_name_says_that_it_does_not_exist_yet(models):
    with pytest.raises(NotYet, match="the model 'hold' does not exist yet; there are: touch"):
        weights.resolve("hold")


def test_an_unknown_name_is_told_the_nearest(models):
    with pytest.raises(ModelError, match="unknown model 'tuch': did you mean 'touch'"):
        weights.resolve("tuch")


def test_what_ships_is_listed_and_undamaged():
    for name in weights.shipped():
        assert weights.resolve(name).stem == name
