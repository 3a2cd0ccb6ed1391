"""Tiny sets of squares with boxes, classes or masks, and the flags of a short run."""

from pathlib import Path

import cv2
import numpy as np

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.yolo import write_yolo

SHORT = ["--epochs", "2", "--batch", "4", "--workers", "0", "--precision", "32"]


def picture(rng: np.random.Generator, side: int, bright: int) -> tuple[np.ndarray, np.ndarray]:
    """Dark noise with one bright square, and the square's box."""
    image = rng.integers(0, 90, (side, side, 3), np.uint8)
    size = int(rng.integers(side // 4, side // 2))
    x, y = rng.integers(0, side - size, 2)
    image[y : y + size, x : x + size] = bright
    return image, np.array([[x, y, x + size, y + size]], np.float32)


def boxes_set(root: Path, count: int = 14) -> Path:
    """A YOLO set of squares, every third picture of the validation part without one."""
    rng, pictures = np.random.default_rng(0), []
    raw = root / "raw"
    raw.mkdir(parents=True)
    for number in range(count):
        image, box = picture(rng, 64, 250)
        path = raw / f"{number:02}.png"
        empty = number % 3 == 2
        if empty:
            image[:] = 40
        cv2.imwrite(str(path), image)
        labels = np.zeros(0 if empty else 1, np.int64)
        split = "train" if number < 8 else "val"
        boxes = box[:0] if empty else box
        pictures.append(Labelled(path, 64, 64, boxes, labels, split=split, group=f"p{number}"))
    write_yolo(LabelledSet("detect", ("facetouch",), tuple(pictures), raw), root / "set")
    return root / "set"


def class_folders(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3)):
        for name, bright in (("dark", 60), ("light", 250)):
            folder = root / "classes" / split / name
            folder.mkdir(parents=True)
            for number in range(count):
                cv2.imwrite(str(folder / f"{number}.png"), picture(rng, 40, bright)[0])
    return root / "classes"


def masks_set(root: Path) -> Path:
    rng = np.random.default_rng(0)
    for split, count in (("train", 6), ("val", 3)):
        for kind in ("images", "masks"):
            (root / "pixels" / kind / split).mkdir(parents=True)
        for number in range(count):
            image, ((x, y, right, low),) = picture(rng, 48, 250)
            mask = np.zeros((48, 48), np.uint8)
            mask[int(y) : int(low), int(x) : int(right)] = 1
            cv2.imwrite(str(root / "pixels" / "images" / split / f"{number}.png"), image)
            cv2.imwrite(str(root / "pixels" / "masks" / split / f"{number}.png"), mask)
    return root / "pixels"
