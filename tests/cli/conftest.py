"""What the tests of the commands share."""

from pathlib import Path

import pytest
from tiny_clips import level_video
from tiny_models import brightness_model


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a model that takes light for a touch and a video of two touches."""
    monkeypatch.chdir(tmp_path)
    brightness_model(tmp_path / "light.onnx")
    level_video(tmp_path / "clip.mp4")
    return tmp_path
