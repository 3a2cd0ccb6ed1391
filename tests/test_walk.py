"""From pictures to the alarm as docs/guides/training.md has it: download, annotate, build, check, train, ..., watch.

Both systems are walked through the command line on made pictures: faces are ovals, hands are red squares.
"""

import csv
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import cv2
import numpy as np
import pytest
from fake_galleries import Galleries
from made_sets import view, yolo_picture

torch = pytest.importorskip("torch")
pytest.importorskip("lightning")

from handlens.cli import run
from handlens.io.sinks.film import Film
from handlens.train.nets.darknet.cfg import parse_cfg
from handlens.train.nets.darknet.net import Darknet
from handlens.train.nets.darknet.weights import write_weights
from handlens.types import Image

SIDE, HAND = 220, 56
PLACES = {"forehead": (0.0, -0.3), "cheek": (0.35, 0.05), "chin": (0.0, 0.3)}
"""Where on a face a hand touches it, in widths and heights from its middle."""
BEGINS, ENDS, LASTS = 0.8, 2.2, 3.2
"""Seconds of the clip: the hand comes, goes, and it is over."""

Boxes = dict[str, tuple[float, float, float, float]]


def photograph(seed: int, touched: str = "") -> tuple[Image, Boxes]:
    """A face somewhere before a background that no other seed has; and the boxes a person would draw."""
    rng = np.random.default_rng(seed)
    image = cv2.resize(view(seed) // 2, (SIDE, SIDE))
    x, y = (int(value) for value in rng.integers(75, SIDE - 75, 2))
    wide, high = (int(value) for value in rng.integers((42, 52), (50, 62)))
    cv2.ellipse(image, (x, y), (wide, high), 0, 0, 360, (224, 172, 140), -1)
    if not touched:
        return image, {}
    across, down = PLACES[touched]
    left, top = int(x + 2 * wide * across) - HAND // 2, int(y + 2 * high * down) - HAND // 2
    hand = (left, top, left + HAND, top + HAND)
    cv2.rectangle(image, hand[:2], hand[2:], (220, 20, 60), -1)
    return image, {"facetouch": (x - wide, y - high, x + wide, y + high), touched: hand}


def jpeg(image: Image) -> bytes:
    good, data = cv2.imencode(".jpg", image[..., ::-1])
    assert good
    return data.tobytes()


def touched_part(number: int) -> str:
    return ("forehead", "", "cheek", "", "chin")[number % 5]


@pytest.fixture
def net(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Galleries]:
    monkeypatch.chdir(tmp_path)
    with Galleries() as running:
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv("HANDLENS_OPENVERSE", running.openverse)
        yield running


def downloaded(net: Galleries, count: int) -> dict[Path, Boxes]:
    """The pictures that `data download` brings, with the boxes that a person sees in them."""
    seen = {}
    for number in range(count):
        image, boxes = photograph(number, touched_part(number))
        net.offer(f"{number}.jpg", jpeg(image))
        seen[jpeg(image)] = boxes
    words = ["--keyword", "chin leaning", "--limit", str(count), "--source", "openverse", "--pause", "0.1"]
    assert run(["data", "download", *words, "--contact", "me@example.org", "--dest", "raw"]) == 0
    with Path("raw/credits.csv").open(newline="", encoding="utf-8") as file:
        assert {row["licence"] for row in csv.DictReader(file)} == {"by 4.0"}
    return {path: seen[path.read_bytes()] for path in sorted(Path("raw").glob("*.jpg"))}


def annotated_voc(root: Path, pictures: dict[Path, Boxes], names: Sequence[str]) -> Path:
    """What labelImg leaves: an .xml beside each picture."""
    root.mkdir()
    for path, boxes in pictures.items():
        place = path.rename(root / path.name)
        objects = "".join(
            f"<object><name>{escape(name)}</name><bndbox><xmin>{x1}</xmin><ymin>{y1}</ymin><xmax>{x2}</xmax>"
            f"<ymax>{y2}</ymax></bndbox></object>"
            for name, (x1, y1, x2, y2) in boxes.items()
            if name in names
        )
        size = f"<size><width>{SIDE}</width><height>{SIDE}</height><depth>3</depth></size>"
        text = f"<annotation><filename>{place.name}</filename>{size}{objects}</annotation>"
        place.with_suffix(".xml").write_text(text)
    return root


def annotated_studio(root: Path, pictures: dict[Path, Boxes], names: Sequence[str]) -> Path:
    """What Label Studio exports: one .json, in which the uploaded pictures have other names; percent."""
    root.mkdir()
    tasks = []
    for number, (path, boxes) in enumerate(pictures.items()):
        place = path.rename(root / path.name)
        results = [
            {
                "type": "rectanglelabels",
                "value": {
                    "x": 100 * x1 / SIDE,
                    "y": 100 * y1 / SIDE,
                    "width": 100 * (x2 - x1) / SIDE,
                    "height": 100 * (y2 - y1) / SIDE,
                    "rotation": 0,
                    "rectanglelabels": [name],
                },
            }
            for name, (x1, y1, x2, y2) in boxes.items()
            if name in names
        ]
        image = f"/data/upload/1/{number:08x}-{place.name}"
        tasks.append({"id": number, "data": {"image": image}, "annotations": [{"result": results}]})
    (root / "export.json").write_text(json.dumps(tasks))
    return root


def annotated_yolo(root: Path, names: Sequence[str], people: int) -> Path:
    """One's own photographs, four of each person, with YOLO labels and a groups.csv that says who is who."""
    rows = ["file,group"]
    for number in range(4 * people):
        image, boxes = photograph(100 + number, touched_part(number))
        lines = [
            (names.index(name), (x1 + x2) / 2 / SIDE, (y1 + y2) / 2 / SIDE, (x2 - x1) / SIDE, (y2 - y1) / SIDE)
            for name, (x1, y1, x2, y2) in boxes.items()
            if name in names
        ]
        yolo_picture(root, f"{number}.jpg", image, lines)
        rows.append(f"images/{number}.jpg,person {number // 4}")
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in names))
    (root / "groups.csv").write_text("\n".join(rows) + "\n")
    return root


def clip(path: Path, touched: str) -> Path:
    """Somebody who was in no picture, and touches the face once."""
    with Film(path) as film:
        for number in range(round(LASTS * 10)):
            moment = number / 10
            film.add(photograph(999, touched if BEGINS <= moment < ENDS else "")[0], moment)
    return path


def small_cfg(path: Path, classes: int) -> Path:
    """A Darknet .cfg as small as one can be, and .weights that fit it."""
    layers = [f"[convolutional]\nbatch_normalize=1\nfilters={filters}\nsize=3\nstride={stride}\npad=1\nactivation=leaky"
              for filters, stride in ((16, 2), (32, 2), (48, 2), (64, 1), (64, 1))]  # fmt: skip
    last = f"[convolutional]\nsize=1\nstride=1\npad=1\nfilters={3 * (5 + classes)}\nactivation=linear"
    yolo = f"[yolo]\nmask=0,1,2\nanchors=10,14, 23,27, 37,58\nclasses={classes}\nnum=3"
    torch.manual_seed(0)
    path.write_text("\n".join(["[net]\nwidth=64\nheight=64\nchannels=3", *layers, last, yolo]) + "\n")
    write_weights(Darknet(parse_cfg(path.read_text())), path.with_suffix(".weights"))
    return path


def numbers(model: str) -> dict[str, float]:
    """What `evaluate` says of a model on the pictures kept for the end."""
    assert run(["evaluate", model, "--data", "set", "--resamples", "0", "--json", "numbers.json"]) == 0
    told = json.loads(Path("numbers.json").read_text())
    assert told["split"] == "test"
    return {row["name"]: row["value"] for row in told["rows"]}


def walk(
    names: Sequence[str], net: Galleries, more: Sequence[str], touched: str, changes: Sequence[str] = ()
) -> dict[str, str]:
    """The whole way, to the one event that the model sees in the clip, when the hand is there."""
    pictures = list(downloaded(net, 8).items())
    voc = annotated_voc(Path("voc"), dict(pictures[:4]), names)
    studio = annotated_studio(Path("studio"), dict(pictures[4:]), names)
    yolo = annotated_yolo(Path("yolo"), names, people=7)
    build = ["data", "build", str(voc), str(studio), str(yolo), "--names", ",".join(names), "--shares", "0.6,0.2,0.2"]
    assert run([*build, "--dest", "set", "--zip"]) == 0
    assert {path.name for path in Path().glob("set*")} == {"set", "set.zip"}
    assert Path("set/set.names").read_text().split() == list(names)
    assert run(["data", "check", "set", "--out", "checked"]) == 0
    assert run(["data", "augment", "set", "--dest", "more", "--times", "4", *changes]) == 0
    files = {name: len(list(Path(name, "images", "train").iterdir())) for name in ("set", "more")}
    assert files["more"] == 4 * files["set"]

    train = ["train", "touch", "--data", "more", "--out", "run", "--size", "64", "--batch", "8", "--workers", "0"]
    assert run([*train, "--precision", "32", "--set", "cache=true", *more]) == 0
    (model,) = Path("run").glob("*.onnx")
    live, filed = numbers("run/best.ckpt"), numbers(str(model))
    assert filed == pytest.approx(live, abs=1e-2, nan_ok=True)
    assert filed["mAP 0.5"] > 0.5
    assert run(["export", "run", "--out", "small.onnx", "--int8"]) == 0

    clip(Path("clip.mp4"), touched)
    watch = ["watch", "clip.mp4", "--model", "small.onnx", "--no-page", "--events", "events.csv"]
    assert run(watch) == 0
    (event,) = csv.DictReader(Path("events.csv").read_text().splitlines())
    assert float(event["start"]) == pytest.approx(BEGINS, abs=0.4)
    assert float(event["stop"]) == pytest.approx(ENDS, abs=0.4)
    return event


pytestmark = pytest.mark.usefixtures("play_clock", "mute_machine", "quick_figures")


@pytest.mark.slow
def test_one_class_with_a_darknet_cfg_and_weights(net: Galleries, capsys: pytest.CaptureFixture[str]) -> None:
    small_cfg(Path("mine.cfg"), 1)
    changes = ["--only", "flips,rotate"]  # all changes at once are too much for so small a net in 20 epochs
    schedule = ["--epochs", "20", "--set", "check=20", "--set", "augment=flip", "--rate", "0.02"]
    event = walk(["facetouch"], net, ["--net", "mine.cfg", "--start", "mine.weights", *schedule], "chin", changes)
    said = capsys.readouterr().err
    assert "tensors from 'mine.weights'" in said
    assert "the alarm is the terminal bell" in said
    assert event["label"] == "facetouch"


@pytest.mark.slow
def test_cheek_forehead_and_chin_with_the_default_net(net: Galleries) -> None:
    schedule = ["--epochs", "12", "--set", "check=12", "--set", "augment=plain"]
    event = walk(["cheek", "forehead", "chin"], net, schedule, "chin")
    assert event["label"] == "chin"


@pytest.mark.slow
def test_without_a_network_and_labels_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["data", "synth", "--dest", "drawn", "--count", "4", "--size", "96", "--workers", "1"]) == 0
    assert run(["data", "check", "drawn", "--kind", "detect"]) == 0
    train = ["train", "touch", "--data", "drawn", "--out", "run", "--size", "64", "--workers", "0", "--epochs", "1"]
    assert run([*train, "--net", "nano"]) == 0
    assert run(["evaluate", "run", "--data", "drawn", "--kind", "detect", "--resamples", "0"]) == 0
    clip(Path("clip.mp4"), "chin")
    assert run(["watch", "clip.mp4", "--model", "run/nano.onnx", "--no-page", "--max-seconds", "0.5"]) == 0
