"""Which network is trained when none is named: what the set says decides, and the first line tells it."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from media import save_picture

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.cli import run
from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import InputError
from handlens.io.sources.open import open_source
from handlens.predictor import load
from handlens.train.default_net import default_net
from handlens.train.loader.face_sample import NAMES, faces_of
from handlens.train.opened import OpenedSets
from handlens.train.run import prepared
from handlens.types import Image
from handlens.weights import demo_clip


class Shown(OpenedSets):
    """A set that lies nowhere, as if it had been opened."""

    def __init__(self, found: LabelledSet) -> None:
        self.found = found

    def __call__(self, data: str, kinds: str | Sequence[str]) -> LabelledSet:
        assert self.found.kind in kinds
        return self.found


def boxed(names: Sequence[str], *rows: Sequence[int]) -> LabelledSet:
    """Pictures with boxes of these labels."""
    pictures = [Labelled(Path("a"), 9, 9, np.zeros((len(row), 4), np.float32), np.array(row, int)) for row in rows]
    return LabelledSet("detect", tuple(names), tuple(pictures))


@pytest.mark.parametrize(
    ("found", "net", "why"),
    [
        (boxed(["facetouch"], [0], []), "contact-net", "'facetouch' only says that a face is touched"),
        (boxed(["face", "hand", "touch"], [0, 1, 2], [0]), "contact-net", "'touch' only says"),
        (boxed(["facetouch"], [0], [0]), "nano", "no picture without a touch"),
        (boxed(["facetouch"], [], []), "nano", "no picture of a touch"),
        (boxed(["cheek", "chin"], [0], []), "nano", "the boxes say what is touched (cheek, chin)"),
        (boxed(["face", "chin"], [0, 1], []), "nano", "the boxes say what is touched (chin)"),
        (boxed(["face", "hand"], [0, 1], []), "face-hand-net", "of face and hand"),
        (LabelledSet("classify", ("other", "touch"), ()), "contact-net", "labelled as a whole"),
    ],
)
def test_the_labels_decide_for_touches(found: LabelledSet, net: str, why: str) -> None:
    chosen, reason = default_net("touch", "set", Shown(found))
    assert chosen == net
    assert why in reason


@pytest.mark.parametrize(("task", "net"), [("hold", "lite0"), ("segment", "segment-net")])
def test_hold_and_segment_have_one_network_for_all_sets(task: str, net: str) -> None:
    assert default_net(task, "set", OpenedSets()) == (net, "")


def clip_frames(count: int) -> list[Image]:
    """Pictures of the demo clip, each with one face."""
    with open_source(str(demo_clip())) as source:
        return [frame.image for _, frame in zip(range(8 * count), source.frames(), strict=False)][::8]


def labelled_folders(root: Path, count: int = 8) -> Path:
    """Class folders of pictures of a face, touched and not, in two parts."""
    for number, image in enumerate(clip_frames(count)):
        part = "train" if number < count // 2 else "val"
        folder = root / part / ("touch" if number % 2 else "other")
        folder.mkdir(parents=True, exist_ok=True)
        save_picture(folder / f"{number}.png", image[::2, ::2])
    return root


def test_a_touch_of_a_picture_belongs_to_its_largest_face(tmp_path: Path) -> None:
    (image,) = clip_frames(1)
    half = np.ascontiguousarray(np.pad(image[::2, ::2], ((0, image.shape[0] - image.shape[0] // 2), (0, 0), (0, 0))))
    path = save_picture(tmp_path / "a.png", np.concatenate((image, half), axis=1))
    pictures = [Labelled(path, labels=np.array([row])) for row in (0, 1)]
    other, another, touched = faces_of(LabelledSet("classify", ("other", "touch"), tuple(pictures)), 96)
    assert [NAMES[row] for row in touched.labels] == ["face", "touch"]
    assert [[NAMES[row] for row in unit.labels] for unit in (other, another)] == [["face"], ["face"]]
    np.testing.assert_array_equal(touched.boxes[0], other.boxes[0])
    np.testing.assert_array_equal(touched.image(), other.image())


def test_labels_that_do_not_say_which_is_a_touch_are_named(tmp_path: Path) -> None:
    data = labelled_folders(tmp_path / "set", 4)
    for part in ("train", "val"):
        (data / part / "touch").rename(data / part / "touching")
    with pytest.raises(InputError, match=r"with the label 'touch' and pictures with another one.*--rename other=touch"):
        prepared("touch", {"data": str(data)}, None)


@pytest.mark.slow
def test_pictures_that_are_labelled_touch_or_not_train_the_shipped_network(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    data = labelled_folders(tmp_path / "set")
    short = ["--epochs", "1", "--batch", "4", "--workers", "0", "--precision", "32"]
    assert run(["train", "touch", "--data", str(data), *short]) == 0, capsys.readouterr().err
    first, *others = capsys.readouterr().err.splitlines()
    assert first.startswith("the network is 'contact-net', because the pictures are labelled as a whole")
    assert any(line.endswith("tensors from 'touch'") for line in others)
    model = Path("runs/touch-contact-net/contact-net.onnx")
    assert load(model).card.kind == "contact"
    assert "touch ROC AUC" in model.with_name("report.txt").read_text("utf-8")
    assert run(["evaluate", str(model), "--data", str(data), "--resamples", "0"]) == 0


def test_photographs_of_gestures_need_no_package_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    for name in ("fist", "ok"):
        (tmp_path / name).mkdir()
        for number in range(3):
            save_picture(tmp_path / name / f"{number}.png", rng.integers(0, 255, (40, 40, 3)).astype(np.uint8))
    assert default_net("gesture", str(tmp_path), OpenedSets())[0] == "hand-net"
    monkeypatch.setattr("handlens.train.default_net.published_folders", list)
    net, why = default_net("gesture", str(tmp_path), OpenedSets())
    assert net == "lite0"
    assert "the weights for 'hand-net' are not installed" in why


def test_masks_need_no_package_of_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert default_net("segment", str(tmp_path), OpenedSets()) == ("segment-net", "")
    monkeypatch.setattr("handlens.train.default_net.published_folders", list)
    assert default_net("segment", str(tmp_path), OpenedSets()) == (
        "lite0",
        "the weights for 'segment-net' are not installed",
    )
