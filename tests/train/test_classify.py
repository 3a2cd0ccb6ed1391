"""Training a classifier: from silhouettes to a model that tells angles, and a sentence for each thing that is wrong."""

import csv
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from paws import paw
from PIL import Image

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.card import ModelCard
from handlens.cli import run
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.detect_format import open_set
from handlens.errors import InputError
from handlens.predictor import load
from handlens.runner import OnnxRunner
from handlens.train.augment.config import PRESETS
from handlens.train.loader.auto_split import divided
from handlens.train.loader.loader import Batches, Samples
from handlens.train.loader.turned_labels import direction_hint
from handlens.train.run import open_predictor, prepared
from handlens.types import Frame

SHORT = ["--epochs", "2", "--batch", "4", "--workers", "0", "--precision", "32"]

pytestmark = pytest.mark.usefixtures("quick_figures")
FINGERS = {"fist": 0, "one": 1, "three": 3}


def shapes(root: Path, splits: tuple[str, ...] = ("train", "val"), names: tuple[str, ...] = tuple(FINGERS)) -> Path:
    """Class folders with four silhouettes each."""
    for split in splits:
        for name in names:
            folder = root / split / name
            folder.mkdir(parents=True)
            for number in range(4):
                cv2.imwrite(str(folder / f"{number}.png"), paw(60 + 4 * number, FINGERS.get(name, 2)))
    return root


def train(data: Path, out: Path, *more: str) -> int:
    return run(["train", "gesture", "--data", str(data), "--out", str(out), *SHORT, *more])


@pytest.mark.slow
def test_silhouettes_become_a_model_that_tells_the_angle(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data, out = shapes(tmp_path / "set"), tmp_path / "run"
    blank = data / "train" / "blank"
    blank.mkdir()
    for number in range(2):
        cv2.imwrite(str(blank / f"{number}.png"), np.zeros((40, 40), np.uint8))
    assert train(data, out) == 0
    told = capsys.readouterr().err
    assert "the network is 'silhouette-net', because the pictures are silhouettes" in told
    assert "2 blank pictures of the class 'blank' show no hand and are left out: a blank mask is not a hand" in told
    with (out / "log.csv").open() as opened:
        rows = list(csv.DictReader(opened))
    assert all(0 < float(row["angle"]) < 180 for row in rows)

    file = OnnxRunner(out / "silhouette-net.onnx")
    assert file.card.names == ("fist", "one", "three")
    assert file.card.options["silhouette"] == 1.0
    assert list(file.outputs) == ["probabilities", "angle", "embedding"]
    frame = Frame(paw(200, 3))
    (filed,), (live,) = (p.predict(frame).value for p in (load(out / "silhouette-net.onnx"), open_predictor(out)))
    assert filed.gesture.scores == pytest.approx(live.gesture.scores, abs=1e-3)
    assert filed.angle == pytest.approx(live.angle, abs=0.5)
    assert load(out / "silhouette-net.onnx").predict(Frame(np.zeros((50, 50, 3), np.uint8))).value == ()


@pytest.mark.slow
def test_a_set_with_no_val_is_measured_on_its_test_part(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    data = shapes(tmp_path / "set", ("train", "test"))
    assert train(data, tmp_path / "run", "--net", "gestures20") == 0
    told = capsys.readouterr().err
    assert told.count("the set has no val: its test part chooses the best epoch") == 1
    assert "training gestures20 on 12 pictures, measuring on 12" in told
    assert "embedding" in OnnxRunner(tmp_path / "run" / "gestures20.onnx").outputs


def test_photographs_get_the_net_for_photographs(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    for split in ("train", "val"):
        for name, level in (("dark", 60), ("light", 200)):
            (tmp_path / split / name).mkdir(parents=True)
            cv2.imwrite(str(tmp_path / split / name / "1.png"), np.full((30, 40, 3), level, np.uint8))
    assert prepared("gesture", {"data": str(tmp_path)}, None)[0].net == "hand-net"
    assert prepared("gesture", {"data": str(tmp_path), "net": "digits6"}, None)[0].net == "digits6"
    assert prepared("hold", {"data": str(tmp_path)}, None)[0].net == "lite0"
    assert prepared("hold", {"data": str(tmp_path), "net": "grip"}, None)[0].net == "hold-net"
    first, second = capsys.readouterr().err.splitlines()
    assert first == "the network is 'hand-net', because the pictures are not silhouettes (--net takes another)"
    assert second == "the network is 'lite0', the default of hold (--net takes another)"


def empty_class(root: Path) -> Path:
    (shapes(root) / "train" / "zwei").mkdir()
    return root


def only_measured(root: Path) -> Path:
    return shapes(shapes(root), ("val",), ("two",))


def lists(root: Path, line: str) -> Path:
    shapes(root)
    for split in ("train", "test"):
        rows = [
            f"{'train' if split == 'train' else 'val'}/{name}/{n}.png  {k}"
            for k, name in enumerate(FINGERS)
            for n in range(4)
        ]
        (root / f"{split}.list").write_text("\n".join([*rows, line] if split == "train" else rows))
    return root


WRONG = {
    "one class": (lambda root: shapes(root, names=("one",)), "there is only the class 'one'"),
    "empty folder": (empty_class, "the class 'zwei' has no pictures in the train part of"),
    "only in val": (only_measured, "the class 'two' has no pictures in the train part of"),
    "missing file": (
        lambda root: lists(root, "train/one/nine.png  1"),
        "line 13: there is no file 'train/one/nine.png'",
    ),
    "no number": (
        lambda root: lists(root, "train/one/1.png  uno"),
        "line 13: the label 'uno' is not a number as the others",
    ),
    "no such class": (lambda root: lists(root, "train/one/1.png  -1"), "the label '-1' is not a class"),
    "blank only": (lambda root: blank_only(root), "has blank pictures only: there is no hand to train on"),
}


def blank_only(root: Path) -> Path:
    for file in shapes(root).rglob("*.png"):
        cv2.imwrite(str(file), np.zeros((30, 30), np.uint8))
    return root


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture, case: str) -> None:
    make, said = WRONG[case]
    assert train(make(tmp_path / "set"), tmp_path / "run", "--net", "silhouette-net") == 2
    told = capsys.readouterr().err.strip().splitlines()
    assert said in told[-1]
    assert "Traceback" not in "".join(told)
    assert not (tmp_path / "run").exists()


def test_pictures_of_all_sizes_and_modes_make_one_batch(tmp_path: Path) -> None:
    grey = paw(70)[..., 0]
    picture = Image.fromarray(grey)
    folder = tmp_path / "one"
    folder.mkdir()
    deep = grey.astype(np.uint16) * 257
    made = {
        "grey": picture, "rgb": picture.convert("RGB").resize((90, 40)), "rgba": picture.convert("RGBA"),
        "palette": picture.convert("P"), "bits": picture.convert("1"), "both": picture.convert("LA"),
    }  # fmt: skip
    for name, image in made.items():
        image.save(folder / f"{name}.png")
    cv2.imwrite(str(folder / "deep.png"), deep)
    picture.convert("CMYK").save(folder / "cmyk.jpg")
    found = open_set(tmp_path, "classify")
    for options, look, channels in (({"silhouette": 1.0}, "shape", 1), ({}, "silhouette", 1), ({}, "hand", 3)):
        card = ModelCard("m", "gesture", "classify", found.names, (64, 64), "letterbox", options=options)
        said: list[str] = []
        samples = Samples(found, card, PRESETS[look], channels=channels)
        (batch,) = Batches(samples, 8, on_skip=said.append)
        assert said == []
        assert batch["image"].shape == (8, channels, 64, 64)
    lit = {path.path.stem: (path.image() > 127).mean() for path in found}
    assert all(share == pytest.approx(lit["grey"], abs=0.01) for share in lit.values()), lit


def test_directions_that_would_be_made_alike_are_told() -> None:
    names = ("Down", "fist", "left", "right", "up")
    assert "type --set turning=up,left,Down,right" in direction_hint(names, 180.0, "")
    assert direction_hint(names, 25.0, "") == direction_hint(names, 180.0, "up,Down") == ""
    assert direction_hint(names[1:], 180.0, "") == ""


def unsplit(groups: tuple[str, ...] = (), count: int = 48) -> LabelledSet:
    """Silhouettes of two classes, frame by frame; those of the classes come in turn."""
    pictures = [
        Labelled(
            Path(f"{n}.png"),
            labels=[n % 2],
            pixels=partial(paw, 40, n % 2),
            group=groups[n % len(groups)] if groups else "",
        )
        for n in reversed(range(count))
    ]
    return LabelledSet("classify", ("a", "b"), tuple(pictures), Path("set"))


def test_neighbouring_frames_of_silhouettes_stay_together() -> None:
    said: list[str] = []
    found = divided(unsplit(), said.append)
    assert said == ["'set' is not split: blocks of neighbouring frames go to train and val, 85 to 15"]
    for label in (0, 1):
        frames = sorted(int(p.path.stem) for p in found.split("val") if p.labels[0] == label)
        assert 2 <= len(frames) <= 6
        blocks = {frame // 2 // 2 for frame in frames}  # every other frame is of the class, two of those a block
        assert len(frames) == 2 * len(blocks)
    assert divided(found, said.append) is found


def test_groups_that_are_told_are_not_torn_apart() -> None:
    said: list[str] = []
    found = divided(unsplit(("ann", "bob", "eva", "kim", "leo")), said.append)
    assert said == ["'set' is not split: its groups go to train and val, 85 to 15"]
    assert not {p.group for p in found.split("train")} & {p.group for p in found.split("val")}
    with pytest.raises(InputError, match="in 1 group cannot be split"):
        divided(unsplit(("ann",)), said.append)
