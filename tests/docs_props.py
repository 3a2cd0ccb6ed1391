"""What the commands of the documents name, made small: pictures, clips, labelled sets, runs and files of weights."""

import os
import re
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np
import onnx
from made_sets import save, view, yolo_picture
from onnx import TensorProto, helper, numpy_helper

from handlens.cli import run
from handlens.clips import frames
from handlens.io.sinks.film import Film
from handlens.types import Image
from handlens.weights import demo_clip

FACE = ("face", "hand", "cheek", "forehead", "chin")
PEOPLE = ("anna", "ben", "carla", "dora", "emil", "fritz", "gerda", "hans", "ida", "jan", "kim", "lea")
SPLITS = ("train", "train", "val", "test")
QUICK = ["--epochs", "1", "--batch", "4", "--workers", "0", "--precision", "32", "--device", "cpu"]
"""One step of training: appended to the commands of the documents, where the last of two options counts."""
RUNS = {
    "tiny": ("touch", "yolov3-tiny"),
    "masks": ("segment", "snet"),
    "snet": ("segment", "snet"),
    "gestures": ("gesture", "silhouette-net"),
    "mobileface": ("hold", "mobileface"),
    "res50_ir": ("hold", "res50_ir"),
    "hold-net": ("hold", "hold-net"),
}
"""The task and network of a run by its name; every other name is a run of `nano`."""


class Props:
    """Makes what one block of commands names, in the folder where it is run.

    Args:
        keep: A folder where runs are kept for the next block.
        page: The page, as "guides/masks.md".
        block: The commands of the block.
    """

    def __init__(self, keep: Path, page: str, block: str) -> None:
        self.keep, self.page, self.block = keep, page, block

    def make(self, word: str, role: str, verb: str) -> None:
        """Make what a word of a command names, unless it is there.

        Args:
            word: A word of the command, "runs/tiny" or "photo.jpg".
            role: The option before it, "--data", or "" for a word of its own.
            verb: The command, "train".
        """
        word = word.partition("=")[2] or word  # CODER=FILE
        path = Path(word)
        if word.startswith("runs/"):
            if not path.exists() and len(path.parts) >= 2:
                self.add_run(Path(*path.parts[:2]))
            return
        maker = self._maker(word, role, verb)
        if maker is not None and not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            maker(path)

    def _maker(self, word: str, role: str, verb: str) -> Callable[[Path], object] | None:
        if role == "--data" or (role == "" and verb == "data" and re.fullmatch(r"[a-z-]+\d?", word)):
            return self.labelled_set
        if verb == "study" and role == "" and re.fullmatch(r"[a-z]+", word):
            return self.add_study
        endings: dict[str, Callable[[Path], object]] = {
            ".jpg": photo,
            ".png": silhouette,
            ".mp4": clip,
            "theirs.onnx": other_detector,
            "rule.csv": other_answers,
            ".onnx": self.add_model,
            ".toml": settings_file,
            ".cfg": darknet_cfg,
            ".names": lambda path: path.write_text("".join(f"{name}\n" for name in FACE)),
            ".weights": darknet_weights,
            ".safetensors": yolov5_weights,
            ".json": exported,
            ".74": darknet_weights,
            ".boris": self.coded,
            ".eaf": self.coded,
        }
        if word.endswith(("/", "/**")) or "*" in word:
            return lambda path: folder(Path(re.sub(r"/?\*.*$", "", word)), word.partition("*.")[2])
        return next((maker for ending, maker in endings.items() if word.endswith(ending)), None)

    def names(self) -> tuple[str, ...]:
        """Return the class names that the block expects its sets to have."""
        renamed = re.findall(r"--(?:map|rename|merge) ([\w,]+)=", self.block)
        if renamed:
            return tuple(name for names in renamed for name in names.split(","))
        given = re.search(r"(?:--names|turning=) ?([\w,]+)", self.block)
        return tuple(given[1].split(",")) if given and "." not in given[1] else ()

    def labelled_set(self, path: Path) -> None:
        """Make a labelled set of the kind that the page is about."""
        whole = f"{self.page} {self.block}"
        if "--baseline" in self.block:
            whole_pictures(path)
            return
        if path.suffix == ".csv":
            landmarks(path)
            return
        if re.search(r"--kind segment|train segment|masks\.md", whole):
            index_masks(path)
        elif "train hold" in self.block or "runs/hold" in self.block:
            class_pictures(path, ("nothing", "object"), colour)
        elif path.name == "masks":
            class_pictures(path, self.names() or tuple("012345"), hand_mask)
        elif "gesture" in self.block and "mine" in path.name:
            class_pictures(path, ("fist", "ok"), colour, splits=("",), count=5)
        elif "gesture" in self.block or "--turns" in self.block:
            class_pictures(path, tuple("012345"), hand_mask if "--turns" in self.block else colour)
        else:
            split = path.name not in ("own", "raw") and "folder" not in path.name
            boxes(path, self.names() or FACE, SPLITS if split else ("",), first=sum(map(ord, path.name)))

    def add_run(self, path: Path) -> None:
        """Train a network for one step, or take the run that an earlier block made."""
        task, net = RUNS.get(path.name, ("touch", "nano"))
        kept = self.keep / path.name
        if not kept.exists():
            data = self.keep / f"{task}-set"
            if not data.exists():
                made = {"touch": boxes, "segment": index_masks}.get(task)
                names = ("nothing", "object") if task == "hold" else tuple("012345")
                made(data) if made else class_pictures(data, names, colour if task == "hold" else hand_mask)
            size = [] if task in ("hold", "gesture") else ["--size", "64"]
            words = ["train", task, "--data", str(data), "--net", net, "--out", str(kept), "--start", "none"]
            assert run([*words, *QUICK, "--set", "steps=1", *size]) == 0
        shutil.copytree(kept, path)

    def add_study(self, path: Path) -> None:
        """Code two videos as a study, or take the study that an earlier block made."""
        kept = self.keep / "study"
        if not kept.exists():
            for name in ("visit1", "visit2"):
                clip(self.keep / f"{name}.mp4")
            assert run(["study", "init", str(kept), str(self.keep / "visit1.mp4"), str(self.keep / "visit2.mp4")]) == 0
            assert run(["study", "run", str(kept)]) == 0
        shutil.copytree(kept, path)

    def coded(self, path: Path) -> None:
        """Write the events of the study as a person's coding, in the form of the file's ending."""
        if not Path("lab").exists():
            self.add_study(Path("lab"))
        form, to = ("boris", path) if path.suffix == ".boris" else ("eaf", path.parent)
        assert run(["study", "export", "lab", "--format", form, "--out", str(to)]) == 0
        assert path.exists()

    def add_model(self, path: Path) -> None:
        if not Path("runs/touch-nano").exists():
            self.add_run(Path("runs/touch-nano"))
        shutil.copy("runs/touch-nano/nano.onnx", path)


def whole_pictures(path: Path) -> None:
    """Write frames of the demo clip, each labelled as a whole: a touch or none, in all three splits."""
    path.mkdir(parents=True)
    rows = ["file,label,person,split"]
    for number, seconds in enumerate((0.5, 2.4, 0.7, 2.6, 0.9, 2.2, 1.1, 2.8)):
        save(path / f"{number}.jpg", next(frame.image for frame in frames(demo_clip()) if frame.time >= seconds))
        label = "touch" if seconds > 2 else "no_touch"
        rows.append(f"{number}.jpg,{label},{PEOPLE[number // 2]},{SPLITS[number // 2]}")
    (path / "labels.csv").write_text("\n".join(rows) + "\n")


def other_answers(path: Path) -> None:
    """Write what another program might say of `whole_pictures`."""
    path.write_text("file,score\n" + "".join(f"{number}.jpg,{0.3 + 0.05 * number}\n" for number in range(8)))


def other_detector(path: Path) -> None:
    """Write a detector of three classes as other projects export them: without a card, the same for each picture."""
    answer = np.array([[[32, 20, 8, 8, 0.9, 0.1, 0.1]] * 5], np.float32).transpose(0, 2, 1)
    given = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 64, 64])
    said = helper.make_tensor_value_info("output0", TensorProto.FLOAT, answer.shape)
    nodes = [
        helper.make_node("ReduceMean", ["images"], ["mean"], axes=[0, 1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["answer", "nothing"], ["output0"]),
    ]
    constants = [numpy_helper.from_array(answer, "answer"), numpy_helper.from_array(np.float32(0), "zero")]
    graph = helper.make_graph(nodes, "detector", [given], [said], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


def landmarks(path: Path) -> None:
    """Write a table of the landmarks of one hand, and its picture."""
    photo(path.with_name("hand.jpg"))
    rows = [f"hand.jpg,{number},{100 + 5 * number},{200 - 7 * (number % 5)},left" for number in range(21)]
    path.write_text("\n".join(["file,point,x,y,side", *rows]) + "\n")


def photo(path: Path, number: int = 60) -> Path:
    """Write one frame of the demo clip."""
    return save(path, next(frame.image for frame in frames(demo_clip()) if frame.index == number))


def clip(path: Path) -> Path:
    """Write a video of 65 seconds, one frame a second, out of the demo clip."""
    with Film(path) as film:
        for frame in frames(demo_clip(), every=5):
            if frame.index < 65 * 5:
                film.add(cv2.resize(frame.image, (160, 120)), frame.index / 5)
    return path


def folder(path: Path, ending: str = "") -> None:
    """Make a folder of two pictures and a video, or of what has that ending."""
    path.mkdir(parents=True, exist_ok=True)
    if ending == "jpg":
        photo(path / "a.jpg")
    elif ending:
        clip(path / f"a.{ending}")
    else:
        photo(path / "a.jpg")
        save(path / "b.jpg", view(1))
        clip(path / "c.mp4")


def hand_mask(seed: int) -> Image:
    """Return a white shape on black, (96, 96) uint8: a disc with up to five bars, leaning by the seed."""
    image = np.zeros((96, 96), np.uint8)
    cv2.circle(image, (48, 62), 18, 255, -1)
    for finger in range(seed % 6):
        angle = np.deg2rad(-60 + 25 * finger + seed % 17)
        tip = 48 + int(42 * np.sin(angle)), 62 - int(42 * np.cos(angle))
        cv2.line(image, (48, 62), tip, 255, 8)
    return image


def silhouette(path: Path) -> Path:
    return save(path, hand_mask(3))


def colour(seed: int) -> Image:
    return view(seed)


def class_pictures(
    root: Path, names: Sequence[str], make: Callable[[int], Image], splits: Sequence[str] = SPLITS, count: int = 8
) -> None:
    """Make class folders; pictures of class k come from the seeds k, k + 6, k + 12 ..."""
    for number, name in enumerate(names):
        for place in range(count):
            save(root / splits[place % len(splits)] / name / f"{place}.png", make(number + 6 * place))


def boxes(root: Path, names: Sequence[str] = FACE, splits: Sequence[str] = SPLITS, first: int = 0) -> None:
    """Make a YOLO set of one picture for each of 24 people, every second one with a box of each class."""
    for number in range(24):
        name = f"{PEOPLE[number % 12]}_{number // 12}.jpg"
        rows = [(k, 0.3 + 0.1 * (k % 5), 0.5, 0.3, 0.4) for k in range(len(names))] if number // 3 % 2 else []
        seed, split = 100 * first + number % 12, splits[number % 12 % len(splits)]
        yolo_picture(root, name, view(seed, 2.0, number), rows, split)
    (root / "classes.txt").write_text("".join(f"{name}\n" for name in names))


def index_masks(root: Path) -> None:
    """Make 112 pictures with masks of background, hand and face."""
    for number in range(112):
        mask = np.zeros((80, 96), np.uint8)
        mask[10:40, 10 : 40 + number % 20] = 1
        mask[50:70, 60:80] = 2
        image, split = view(number), SPLITS[number % 4]
        image[mask == 1] = (230, 180, 150)
        save(root / "images" / split / f"{number}.jpg", image)
        save(root / "masks" / split / f"{number}.png", mask)


def exported(path: Path) -> None:
    """Write the labels of a set as COCO or Label Studio has them, with the pictures beside them."""
    coco = "instances" in path.name
    home = path.parent.parent if coco else path.parent
    boxes(home.with_name("first"), ("cheek", "chin"), ("val",) if coco else ("",), first=7)
    shutil.rmtree(home, ignore_errors=True)
    form = "coco" if coco else "labelstudio"
    assert run(["data", "convert", str(home.with_name("first")), "--to", form, "--dest", str(home)]) == 0
    made = sorted(home.rglob("*.json"))
    made[0].rename(path)


def settings_file(path: Path) -> None:
    path.write_text('net = "yolov5n"\nsize = 64\n\n[augment]\nmosaic = 0.5\n')


def darknet_cfg(path: Path) -> None:
    from test_walk import small_cfg

    small_cfg(path, len(FACE))


def darknet_weights(path: Path) -> None:
    """Write random weights of the network that the file is named for, in Darknet's form."""
    from handlens.train.nets.darknet.net import Darknet
    from handlens.train.nets.darknet.weights import write_weights

    if path.stem == "mine":
        darknet_cfg(path.with_suffix(".cfg"))
    else:
        write_weights(Darknet.standard("yolov3-tiny" if "tiny" in path.name else "yolov3", 80), path)
    if path.name == "darknet53.conv.74":  # as Darknet's "partial" cuts them off after layer 74
        os.truncate(path, 20 + 4 * 40_620_640)


def yolov5_weights(path: Path) -> None:
    from safetensors.torch import save_file

    from handlens.train.nets import catalog

    save_file(catalog.build("yolov5m", 3).state_dict(), path)
