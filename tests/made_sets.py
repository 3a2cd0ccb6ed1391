"""Labelled sets made on the spot for the tests of the data verbs: coloured clouds, each seed another view."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from handlens.types import Image

WIDE, HIGH = 96, 80
Box = tuple[int, float, float, float, float]


def view(seed: int, noise: float = 0.0, number: int = 0) -> Image:
    """A picture (80, 96, 3) that looks like no other seed's, with coarse and fine things in it as photographs have.

    noise: makes near copies, one for each number.
    """
    random, image = np.random.default_rng(seed), np.full((HIGH, WIDE, 3), 128, np.float32)
    for cells in (3, 6, 12, 24):
        clouds = random.normal(0, 150 / cells, (cells, cells, 3)).astype(np.float32)
        image += cv2.resize(clouds, (WIDE, HIGH), interpolation=cv2.INTER_CUBIC)
    if noise:
        image += np.random.default_rng((seed, number)).normal(0, noise, image.shape)
    return np.clip(image, 0, 255).astype(np.uint8)


def save(path: Path, image: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    good, data = cv2.imencode(path.suffix, image[..., ::-1] if image.ndim == 3 else image)
    assert good
    path.write_bytes(data.tobytes())
    return path


def yolo_picture(root: Path, name: str, image: Image, boxes: Sequence[Box] = (), split: str = "") -> Path:
    """Put a picture and its label file into a YOLO set; boxes are class, cx, cy, w, h."""
    label = (root / "labels" / split / name).with_suffix(".txt")
    label.parent.mkdir(parents=True, exist_ok=True)
    label.write_text("".join(" ".join(map(str, box)) + "\n" for box in boxes))
    return save(root / "images" / split / name, image)


def yolo_set(
    root: Path, names: Sequence[str], seeds: Sequence[int], per_seed: int = 1, splits: Sequence[str] = ("",)
) -> Path:
    """A YOLO set with `per_seed` near copies of each view; picture n has one box, of class n modulo the classes."""
    for place, seed in enumerate(seeds):
        for number in range(per_seed):
            box = ((place + number) % len(names), 0.5, 0.5, 0.4, 0.3)
            split = splits[place % len(splits)]
            yolo_picture(root, f"{seed}_{number}.jpg", view(seed, 2.0 * (per_seed > 1), number), [box], split)
    (root / "classes.txt").write_text("\n".join(names) + "\n")
    return root


def class_folders(root: Path, names: Sequence[str], people: int, per_person: int = 2) -> Path:
    for place, name in enumerate(names):
        for person in range(people):
            for number in range(per_person):
                save(root / name / f"p{person}_{number}.jpg", view(1000 * place + person, 2.0, number))
    return root


def masked_set(root: Path, count: int) -> Path:
    """Pictures with masks of background and hand; every second one has a face, too."""
    for seed in range(count):
        mask = np.zeros((HIGH, WIDE), np.uint8)
        mask[10:40, 10:50] = 1
        mask[50:60, 60:80] = 2 * (seed % 2)
        save(root / "images" / f"{seed}.jpg", view(seed))
        save(root / "masks" / f"{seed}.png", mask)
    return root
