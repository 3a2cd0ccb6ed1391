"""Small labelled sets for the tests of training: pictures made on the spot, with boxes, labels or masks."""

from functools import partial
from pathlib import Path

import cv2
import numpy as np
from media import save_picture

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.types import Image

NAMES = ("even", "odd")
SIZES = [(96, 128), (128, 96), (70, 70), (61, 149)]


def card(size: int = 64, rule: str = "letterbox", kind: str = "detect", names: tuple[str, ...] = NAMES) -> ModelCard:
    return ModelCard("tiny", "touch", kind, names, (size, size), rule)


def noise(height: int, width: int, seed: int = 0) -> Image:
    """A picture with something to see at every place."""
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def detect_set(folder: Path, count: int = 8) -> LabelledSet:
    """Pictures of noise in four shapes with no to three boxes each, some groups larger than others."""
    rng, pictures = np.random.default_rng(1), []
    for number in range(count):
        height, width = SIZES[number % len(SIZES)]
        path = save_picture(folder / f"{number}.png", noise(height, width, number))
        low = rng.uniform(0, 0.6, (number % 4, 2))
        boxes = np.concatenate((low, low + rng.uniform(0.2, 0.4, low.shape)), 1) * [width, height, width, height]
        labels = rng.integers(0, 2, len(boxes))
        pictures.append(Labelled(path, width, height, boxes.astype(np.float32), labels, group=str(number > 0)))
    return LabelledSet("detect", NAMES, tuple(pictures), folder)


def lit_set(folder: Path, count: int = 8, size: tuple[int, int] = (96, 128), ending: str = ".png") -> LabelledSet:
    """Black pictures with one red rectangle (class 0) or yellow one (class 1), and its box; off the middle."""
    rng, pictures = np.random.default_rng(2), []
    height, width = size
    for number in range(count):
        image = np.zeros((height, width, 3), np.uint8)
        x1, y1 = rng.integers(0.15 * width, 0.35 * width), rng.integers(0.15 * height, 0.3 * height)
        x2, y2 = rng.integers(0.5 * width, 0.85 * width), rng.integers(0.5 * height, 0.85 * height)
        image[y1:y2, x1:x2] = (255, 255 * (number % 2), 0)
        path = save_picture(folder / f"{number}{ending}", image)
        boxes = np.array([[x1, y1, x2, y2]], np.float32)
        pictures.append(Labelled(path, width, height, boxes, np.array([number % 2])))
    return LabelledSet("detect", NAMES, tuple(pictures), folder)


def classify_set(folder: Path, images: list[Image]) -> LabelledSet:
    paths = [save_picture(folder / f"{number}.png", image) for number, image in enumerate(images)]
    pictures = [Labelled(path, labels=np.array([number % 2])) for number, path in enumerate(paths)]
    return LabelledSet("classify", NAMES, tuple(pictures), folder)


def segment_set(folder: Path, images: list[Image], masks: list[Image]) -> LabelledSet:
    pictures = [
        Labelled(save_picture(folder / f"{number}.png", image), mask=partial(np.copy, mask))
        for number, (image, mask) in enumerate(zip(images, masks, strict=True))
    ]
    return LabelledSet("segment", ("background", "hand"), tuple(pictures), folder)


def break_picture(found: LabelledSet, number: int) -> Path:
    """Cut the picture's file off in its middle."""
    path = found.pictures[number].path
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path
