"""The Python interface: every way to give a picture gives the same answer, and what cannot be one is a sentence."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typing_example
from media import save_picture, save_video
from test_readme import ROOT
from tiny_models import brightness_model, hand_model

import handlens
from handlens.types import Mask
from handlens.weights import demo_clip


@pytest.fixture
def model(tmp_path: Path) -> handlens.Predictor:
    return handlens.load(brightness_model(tmp_path / "m.onnx"))


def shades(height: int = 48, width: int = 64) -> np.ndarray:
    image = np.zeros((height, width, 3), np.uint8)
    image[..., 0], image[: height // 2, :, 1] = 250, 200
    return image


class Pillow:
    """What Pillow's images can do, as far as it is used; Pillow is not installed everywhere."""

    def __init__(self, pixels: np.ndarray, mode: str = "RGB", exif: dict[int, int] | None = None) -> None:
        self.pixels, self.mode, self.info, self._exif = pixels, mode, {}, exif or {}

    def convert(self, mode: str) -> np.ndarray:
        return self.pixels[..., : len(mode)]

    def getexif(self) -> dict[int, int]:
        return self._exif


def test_every_way_to_give_a_picture_gives_the_same_answer(model: handlens.Predictor, tmp_path: Path) -> None:
    image = shades()
    path = save_picture(tmp_path / "a.png", image)
    clear = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    ways: list[Any] = [handlens.Frame(image), image, str(path), path, Pillow(image), clear, Pillow(clear, "RGBA")]
    answers = [model.predict(way).to_dict()["value"] for way in ways]
    assert answers == answers[:1] * len(ways)
    several = model.predict(ways)
    assert [result.to_dict()["value"] for result in several] == answers
    assert model.predict([]) == []
    assert model.predict(path).source == str(path)


def test_grey_is_spread_and_what_is_seen_through_is_white(model: handlens.Predictor) -> None:
    grey = np.full((48, 64), 200, np.uint8)
    spread = model.predict(np.repeat(grey[..., None], 3, axis=2)).to_dict()
    assert model.predict(grey).to_dict() == model.predict(grey[..., None]).to_dict() == spread
    nothing = np.zeros((48, 64, 4), np.uint8)
    assert model.predict(nothing).to_dict() == model.predict(np.full((48, 64, 3), 255, np.uint8)).to_dict()


def test_an_image_of_pillow_is_turned_as_its_exif_says(model: handlens.Predictor) -> None:
    turned = model.predict(Pillow(shades(48, 64), exif={0x0112: 6}))
    assert (turned.width, turned.height) == (48, 64)
    assert turned.to_dict() == model.predict(np.ascontiguousarray(np.rot90(shades(48, 64), -1))).to_dict()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (np.zeros((48, 64, 3), np.float32), r"float32.*\* 255"),
        (np.zeros((48, 64, 3), np.uint16), r"uint16.*>> 8"),
        (np.zeros((48, 64), bool), "bool"),
        (np.zeros((3, 48, 64), np.uint8), r"transpose\(1, 2, 0\)"),
        (np.zeros((2, 48, 64, 3), np.uint8), r"list\(images\)"),
        (np.zeros((48, 64, 2), np.uint8), "48x64x2"),
        (np.zeros((0, 64, 3), np.uint8), "at least one pixel"),
        (np.zeros(5, np.uint8), "got 5 uint8"),
        (None, "got NoneType"),
        (b"\xff\xd8", "got bytes"),
        (Pillow(np.zeros((4, 4), np.int32), "I;16"), "more than 8 bits"),
        ("missing.jpg", "cannot be read"),
        ([1, 2, 3], "got int"),
    ],
)
def test_what_is_no_picture_is_refused_with_a_sentence(model: handlens.Predictor, given: Any, sentence: str) -> None:
    with pytest.raises(handlens.InputError, match=sentence):
        model.predict(given)


def test_a_video_and_a_folder_are_no_picture(model: handlens.Predictor, tmp_path: Path) -> None:
    with pytest.raises(handlens.InputError, match=r"handlens\.video"):
        model.predict(save_video(tmp_path / "a.mp4"))
    with pytest.raises(handlens.InputError, match="is a folder"):
        model.predict(tmp_path)


def test_a_video_gives_results_with_times_and_numbers(model: handlens.Predictor, tmp_path: Path) -> None:
    clip = save_video(tmp_path / "a.mp4")
    results = list(handlens.video(clip, model, every=5))
    assert [result.time for result in results] == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8])
    assert [result.index for result in results] == [0, 5, 10, 15, 20]
    assert all(box.id == 1 for result in results for box in result if box.label in ("face", "hand"))
    part = handlens.video(str(clip), tmp_path / "m.onnx", start=0.2, stop=0.5)
    assert [round(result.time, 2) for result in part] == [0.2, 0.24, 0.28, 0.32, 0.36, 0.4, 0.44, 0.48]
    frame = next(handlens.frames(clip))
    assert results[0].draw(frame).shape == frame.image.shape


def test_what_is_no_video_is_said_at_once(model: handlens.Predictor, tmp_path: Path) -> None:
    picture = save_picture(tmp_path / "a.png")
    for path, sentence in (
        (picture, "is a picture"),
        (tmp_path, "is a folder"),
        ("0", "cameras"),
        ("x.mp4", "not exist"),
    ):
        with pytest.raises(handlens.InputError, match=sentence):
            handlens.video(path, model)
    with pytest.raises(handlens.InputError, match="every must be 1 or more"):
        handlens.video(save_video(tmp_path / "a.mp4"), model, every=0)


def test_a_result_counts_and_yields_its_boxes(model: handlens.Predictor) -> None:
    result = model.predict(np.full((120, 160, 3), 255, np.uint8))
    assert len(result) == 3
    cheek, face, hand = result
    assert (cheek.label, face.label, hand.label) == ("cheek", "face", "hand")
    assert (cheek.face, cheek.hand, face.id, face.side) == (1, 2, -1, "")
    assert list(face.xyxy) == result.to_dict()["value"]["boxes"][1]["xyxy"]
    with pytest.raises(AttributeError):
        face.label = "x"  # type: ignore[misc]


def test_rows_of_hands_and_of_masks(tmp_path: Path) -> None:
    hand_model(tmp_path / "held.onnx", task="hold", angle=30)
    (hand,) = handlens.load(tmp_path / "held.onnx").predict(np.full((30, 40, 3), 230, np.uint8), crop="whole")
    assert (hand.label, hand.xyxy, round(hand.angle or 0)) == ("object", (0, 0, 40, 30), 30)
    assert hand.scores["object"] == hand.score
    classes = np.zeros((20, 20), np.uint8)
    classes[2:8, 3:9], classes[12:14, 12:19] = 1, 2
    mask = handlens.Result("segment", 0, 0.0, Mask(classes, ("background", "hand", "face")), "x", 20, 20, "m")
    assert [(box.label, box.xyxy) for box in mask] == [("hand", (3, 2, 9, 8)), ("face", (12, 12, 19, 14))]


def test_drawing_leaves_the_picture_as_it_was(model: handlens.Predictor) -> None:
    image = shades(240, 320)
    before = image.copy()
    drawn = model.predict(image).draw(image)
    assert (drawn.shape, drawn.dtype) == (image.shape, np.uint8)
    assert np.array_equal(image, before)
    assert not np.array_equal(drawn, before)
    with pytest.raises(handlens.InputError, match="320 x 240 pixels"):
        model.predict(image).draw(image[:100])


def test_every_public_name_has_a_docstring() -> None:
    for name in set(handlens.__all__) - {"__version__", "ImageLike"}:
        assert (getattr(handlens, name).__doc__ or "").strip(), name


@pytest.mark.slow
def test_a_users_code_runs(tmp_path: Path) -> None:
    with_frame = tmp_path / "photo.png"
    save_picture(with_frame, next(handlens.frames(demo_clip())).image)
    assert "face" in typing_example.labels(with_frame)
    assert [time for time, _ in typing_example.probabilities(demo_clip(), 200)][:1] == [0.0]


def test_the_marker_for_types_is_in_the_package() -> None:
    assert (Path(handlens.__file__).parent / "py.typed").is_file()
    assert "tests/typing_example.py" in (ROOT / "pyproject.toml").read_text()


@pytest.mark.slow
def test_every_example_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = (ROOT / "docs" / "reference" / "python.md").read_text("utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert len(blocks) >= 7
    code = "\n".join(blocks).replace("every=10", "every=100").replace("every=60", "every=200")
    if not _has_pillow():
        code = code.replace("from PIL import Image", "Image = None").replace('Image.open("photo.jpg")', '"photo.jpg"')
    monkeypatch.chdir(tmp_path)
    save_picture(tmp_path / "photo.jpg", np.zeros((480, 640, 3), np.uint8))
    (tmp_path / "clip.mp4").write_bytes(demo_clip().read_bytes())
    exec(compile(code, "docs/reference/python.md", "exec"), {})


def _has_pillow() -> bool:
    import importlib.util

    return importlib.util.find_spec("PIL") is not None
