"""The sets of the published trainings: which pictures they take, and how they go to another machine and come back."""

import signal
import tarfile
from pathlib import Path
from types import SimpleNamespace
from typing import ClassVar

import cv2
import numpy as np
import pytest

pytest.importorskip("torch")

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.detect_format import open_set
from recipes.published import hand_sets, published_sets, run, touch_sets


def picture(folder: Path, name: str, split: str, boxes: int, size: tuple[int, int] = (90, 120)) -> Labelled:
    folder.mkdir(exist_ok=True)
    path = folder / f"{name}.jpg"
    cv2.imwrite(str(path), np.full((*size, 3), 120, np.uint8))
    corners = np.array([[10, 20, 50, 60]] * boxes, np.float32).reshape(-1, 4)
    return Labelled(path, size[1], size[0], corners, np.zeros(boxes, np.int64), split=split, group=name)


def test_pictures_with_boxes_come_first_and_two_sets_share_what_they_can(tmp_path: Path) -> None:
    pictures = [picture(tmp_path / "raw", f"t{k:02}", "train", boxes=int(k % 3 == 0)) for k in range(30)]
    pictures += [picture(tmp_path / "raw", "v0", "val", boxes=1)]
    found = LabelledSet("detect", ("facetouch",), tuple(pictures), tmp_path)
    few, many = ({one.name for one in touch_sets.chosen(found, number)} for number in (15, 20))
    assert {f"t{k:02}" for k in range(0, 30, 3)} < few < many
    assert len(few - {"v0"}) == 15
    assert "v0" in few


def test_a_set_of_boxes_is_written_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(touch_sets, "SIDE", 60)
    pictures = [picture(tmp_path / "raw", "a", "train", 1), picture(tmp_path / "raw", "b", "val", 1)]
    touch_sets.write_chosen(LabelledSet("detect", ("facetouch",), tuple(pictures), tmp_path), 1, tmp_path / "set")
    back = open_set(tmp_path / "set").split("train")
    assert back.pictures[0].image().shape == (45, 60, 3)
    assert np.allclose(back.pictures[0].boxes, [[5, 10, 25, 30]], atol=0.01)
    assert not (tmp_path / "set.drawn").exists()


def data_folder(root: Path) -> Path:
    """A few hands before white of four people, and a few before other grounds."""
    rng = np.random.default_rng(0)
    rows = {"segmentation": ["image,mask,source,group"], "gestures/photos": ["file,mask,label,group,source"]}
    for number in range(8):
        name = f"hands_white/{number}"
        rows["segmentation"].append(f"{name}.jpg,{name}.png,hands_white,{number // 2}")
        for part, label in (("training_set", 1), ("testing_set", number % 5 + 1)):
            name = f"epsrc_composites/{part}{number}"
            rows["gestures/photos"].append(f"{name}.jpg,{name}.png,{label},{part},epsrc_composites")
    for home, lines in rows.items():
        for line in lines[1:]:
            image, mask = line.split(",")[:2]
            for kind, file in (("images", image), ("masks", mask)):
                place = root / home / kind / file
                place.parent.mkdir(parents=True, exist_ok=True)
                pixels = (
                    rng.integers(0, 255, (40, 60, 3), np.uint8) if kind == "images" else np.zeros((40, 60), np.uint8)
                )
                if kind == "masks":
                    pixels[10:30, 20:40] = 255
                cv2.imwrite(str(place), pixels)
        (root / home / "labels.csv").write_text("\n".join(lines) + "\n")
    return root


def test_hands_for_the_combined_model_keep_people_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hand_sets, "WHITE", 5)
    monkeypatch.setattr(hand_sets, "PLACED", 5)
    data = data_folder(tmp_path / "data")
    hand_sets.write_hands(data, tmp_path / "hands")
    found = open_set(tmp_path / "hands", "segment")
    assert found.names == ("background", "hand")
    groups = {part: {one.group for one in found.split(part)} for part in ("train", "val")}
    assert not groups["train"] & groups["val"]
    mask = found.pictures[0].mask
    assert mask is not None
    assert np.unique(mask()).tolist() == [0, 1]

    hand_sets.write_hands(data, tmp_path / "few", 3)
    assert len(open_set(tmp_path / "few", "segment")) == 6

    hand_sets.write_numbers(data, tmp_path / "numbers")
    shown = open_set(tmp_path / "numbers", "classify")
    assert shown.names == hand_sets.NUMBERS
    assert len(shown) == 8


def test_sets_are_packed_once_each_and_are_the_same_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def arrays(data: Path, dest: Path) -> None:
        for part in ("train", "val"):
            (dest / part).mkdir(parents=True)
            y, x = np.mgrid[:32, :32]
            np.save(
                dest / part / "images.npy", np.stack([np.stack([4 * y, 4 * x, 2 * (x + y)], 2)] * 3).astype(np.uint8)
            )
            np.save(dest / part / "labels.npy", (np.stack([x > 10 + k for k in range(3)])).astype(np.uint8))
        (dest / "names.txt").write_text("background\nhand\n")
        (dest / "groups.csv").write_text("file,group\n")

    def folder(data: Path, dest: Path) -> None:
        for part in ("train", "test"):
            (dest / part / "a").mkdir(parents=True)
            (dest / part / "a" / "one.jpg").write_bytes(b"the same bytes" * 1000)

    monkeypatch.setattr(published_sets, "SETS", {"frames": arrays, "held": folder})
    published_sets.pack(tmp_path, tmp_path / "sets.tar.gz")
    with tarfile.open(tmp_path / "sets.tar.gz") as archive:
        assert sum(member.islnk() for member in archive) >= 1, "a picture travels once"
    home = tmp_path / "there" / "sets"
    data = published_sets.unpacked(tmp_path / "sets.tar.gz", home)
    assert published_sets.unpacked(tmp_path / "sets.tar.gz", home) == data, "it is unpacked once"
    assert published_sets.unpacked(tmp_path, home) == tmp_path
    back = published_sets.set_at("frames", data, home)
    arrays(tmp_path, tmp_path / "was")
    for part in ("train", "val"):
        was, here = (np.load(place / part / "images.npy").astype(int) for place in (tmp_path / "was", back))
        assert was.shape == here.shape
        assert np.abs(was - here).mean() < 4, "JPEG, and red is still red"
        assert (np.load(tmp_path / "was" / part / "labels.npy") == np.load(back / part / "labels.npy")).all()
    held = published_sets.set_at("held", data, home)
    assert (held / "test" / "a" / "one.jpg").read_bytes() == b"the same bytes" * 1000


class Process:
    """A lane that runs until it is interrupted."""

    all: ClassVar[list["Process"]] = []

    def __init__(self, command: list[str], stdout: object, stderr: object) -> None:
        self.command = command
        self.signals: list[int] = []
        Process.all.append(self)

    def wait(self) -> int:
        if not self.signals and len(Process.all) > 1:
            raise KeyboardInterrupt
        return 0

    def poll(self) -> int | None:
        return 0 if self.signals else None

    def send_signal(self, number: int) -> None:
        self.signals.append(number)


def test_lanes_run_side_by_side_and_an_interrupt_ends_them_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Process.all = []
    monkeypatch.setattr(run, "subprocess", SimpleNamespace(Popen=Process))
    monkeypatch.setattr(run, "SETS", {})
    asked = [
        "--data",
        str(tmp_path),
        "--out",
        str(tmp_path),
        "--device",
        "gpu",
        "--system",
        "snet",
        "--system",
        "yolov3",
    ]
    with pytest.raises(KeyboardInterrupt):
        run.side_by_side(run.arguments_of(asked))
    lanes = [one.command[one.command.index("--lane") + 1] for one in Process.all]
    assert lanes == ["yolov3", "signs-masks"], "only those with something to do"
    assert all(one.signals == [signal.SIGINT] for one in Process.all)
    assert all(one.command[-3] == "yolov3" for one in Process.all)
    assert signal.getsignal(signal.SIGTERM) != run._interrupt
    assert (tmp_path / "table.json").exists()


def test_crops_have_the_labels_that_the_backbones_learn(tmp_path: Path) -> None:
    home, rows = tmp_path / "data" / "holding" / "crops2", ["file,label,split"]
    for number, label in enumerate(published_sets.HELD):
        (home / "images").mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(home / "images" / f"{number}.png"), np.zeros((8, 8, 3), np.uint8))
        rows.append(f"{number}.png,{label},val")
    (home / "labels.csv").write_text("\n".join(rows) + "\n")
    found = open_set(published_sets.set_at("held-by-others", tmp_path / "data", tmp_path / "sets"))
    assert found.names == ("HoldingNothing", "HoldingObject"), "as in the generated set"
