"""Models of silhouettes say once that photographs are none, and name the models that read photographs."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from media import save_picture, save_video
from tiny_models import hand_model

import handlens
from handlens.cli import run
from handlens.io.sources.open import open_source
from handlens.silhouette import is_silhouette
from handlens.types import Image
from handlens.weights import demo_clip


def hand(height: int = 240, width: int = 320) -> Image:
    """A hand in white on black, as a mask has it."""
    mask = np.zeros((240, 320), np.uint8)
    cv2.ellipse(mask, (160, 160), (50, 60), 0, 0, 360, 255, -1)
    for tip in ((90, 60), (130, 30), (170, 25), (215, 40)):
        cv2.line(mask, (160, 150), tip, 255, 22)
    return np.repeat(cv2.resize(mask, (width, height), interpolation=cv2.INTER_AREA)[..., None], 3, axis=2)


def jpeg(image: Image, quality: int) -> Image:
    good, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert good
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR), np.uint8)


def photograph() -> Image:
    with open_source(demo_clip()) as source:
        return next(source.frames()).image


GUISES = {
    "as it is": hand(),
    "dark on white": 255 - hand(),
    "a JPEG": jpeg(hand(), 30),
    "a bad JPEG": jpeg(hand(480, 640), 10),
    "grey edges": cv2.GaussianBlur(hand(), (0, 0), 2.5),
    "tiny": hand(36, 48),
    "enlarged": cv2.resize(hand(36, 48), (640, 480), interpolation=cv2.INTER_CUBIC),
    "large": hand(1500, 2000),
    "coloured": np.where(hand() > 127, np.uint8([220, 60, 40]), np.uint8([20, 40, 90])),
    "a coloured JPEG": jpeg(np.where(hand() > 127, np.uint8([40, 160, 240]), np.uint8([90, 40, 20])), 40),
    "grey on grey": np.where(hand() > 127, np.uint8(200), np.uint8(60)),
    "zeros and ones": (hand() > 127).astype(np.uint8),
    "with noise": np.clip(hand() + np.random.default_rng(0).normal(0, 6, (240, 320, 3)), 0, 255).astype(np.uint8),
    "black": np.zeros((50, 50, 3), np.uint8),
    "white": np.full((50, 50, 3), 255, np.uint8),
    "one pixel": np.zeros((1, 1, 3), np.uint8),
}


@pytest.mark.parametrize("name", list(GUISES))
def test_silhouettes_in_every_guise_are_silhouettes(name: str) -> None:
    assert is_silhouette(GUISES[name])


def test_photographs_are_none_in_colour_and_in_grey() -> None:
    colour = photograph()
    grey = np.repeat(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
    ramp = np.repeat(np.tile(np.arange(256, dtype=np.uint8), (64, 1))[..., None], 3, axis=2)
    for image in (colour, grey, cv2.resize(colour, (80, 60)), ramp):
        assert not is_silhouette(image)


@pytest.fixture
def at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    hand_model(tmp_path / "shapes.onnx", options={"silhouette": 1.0})
    return tmp_path


def test_python_raises_an_input_error(at: Path) -> None:
    model = handlens.load("shapes.onnx")
    with pytest.raises(handlens.NotSilhouette, match=r"'shapes' reads only .*--model signs.*--model combined"):
        model.predict(photograph())
    assert len(model.predict(hand())) == 1


def test_photographs_among_masks_are_left_out_and_told_once(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        save_picture(at / f"photo{number}.png", photograph())
    save_picture(at / "mask.png", hand())
    assert run(["predict", str(at), "-m", "shapes.onnx", "--json", "out.jsonl"]) == 2
    err = capsys.readouterr().err
    assert err.count("--model signs") == 1
    assert "3 of 4 pictures are not silhouettes" in err
    assert "photo0.png' is the first" in err
    assert [Path(json.loads(line)["source"]).name for line in Path("out.jsonl").read_text().splitlines()] == [
        "mask.png"
    ]


def test_photographs_alone_leave_no_file(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_picture(at / "photo.png", photograph())
    assert run(["predict", "photo.png", "-m", "shapes.onnx", "--json", "out.jsonl", "--out", "seen"]) == 2
    err = capsys.readouterr().err
    assert err.count("'photo.png' is not a silhouette") == 1
    assert not Path("out.jsonl").exists()


def test_a_video_of_photographs_is_told_once_with_its_number(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    save_video(at / "clip.mp4", tuple(range(0, 400, 40)), size=(640, 480))  # four colours: no silhouette
    assert run(["predict", "clip.mp4", "-m", "shapes.onnx"]) == 2
    assert capsys.readouterr().err.count("10 of 10 pictures are not silhouettes") == 1


def test_evaluate_tells_it_once_as_well(at: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label in ("nothing", "object"):
        (at / "set" / label).mkdir(parents=True)
        save_picture(at / "set" / label / "a.png", photograph())
    assert run(["evaluate", "shapes.onnx", "--data", "set", "--resamples", "0"]) == 2
    assert capsys.readouterr().err.count("2 pictures are not silhouettes") == 1
    save_picture(at / "set" / "object" / "b.png", hand())
    assert run(["evaluate", "shapes.onnx", "--data", "set", "--resamples", "0"]) == 2
    told = capsys.readouterr()
    assert told.err.count("2 pictures are not silhouettes") == 1
    assert "accuracy" in told.out
