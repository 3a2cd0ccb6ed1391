"""Small sets of masks in every format: dark pictures with a bright hand and, in some formats, a bluish face."""

import json
from pathlib import Path

import cv2
import numpy as np

from handlens.types import Image

SIDE = 48
Box = tuple[int, int, int, int]


def scenes(count: int, face: bool, seed: int = 0) -> list[tuple[Image, dict[str, Box]]]:
    """Pictures (48, 48, 3) with the boxes of a hand and, if so, a face."""
    rng, made = np.random.default_rng(seed), []
    for _ in range(count):
        image = rng.integers(0, 60, (SIDE, SIDE, 3), np.uint8)
        x, y = (int(v) for v in rng.integers(2, 14, 2))
        boxes = {"hand": (x, y, x + 16, y + 20)}
        if face:
            boxes["face"] = (30, 26, 44, 44)
        for name, (x1, y1, x2, y2) in boxes.items():
            image[y1:y2, x1:x2] = (240, 190, 170) if name == "hand" else (120, 160, 250)
        made.append((image, boxes))
    return made


def mask_of(boxes: dict[str, Box], values: dict[str, int]) -> Image:
    mask = np.zeros((SIDE, SIDE), np.uint8)
    for name, (x1, y1, x2, y2) in boxes.items():
        mask[y1:y2, x1:x2] = values[name]
    return mask


def save(path: Path, image: Image) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[..., ::-1] if image.ndim == 3 else image)
    return path


def splits(count: int, face: bool) -> list[tuple[str, int, Image, dict[str, Box]]]:
    found = scenes(count, face)
    return [
        ("val" if number % 3 == 2 else "train", number, image, boxes) for number, (image, boxes) in enumerate(found)
    ]


def index_masks(root: Path, count: int = 9) -> Path:
    for split, number, image, boxes in splits(count, True):
        save(root / "images" / split / f"{number}.jpg", image)
        save(root / "masks" / split / f"{number}.png", mask_of(boxes, {"hand": 1, "face": 2}))
    return root


def binary_masks(root: Path, count: int = 9) -> Path:
    for split, number, image, boxes in splits(count, False):
        save(root / "images" / split / f"{number}.png", image)
        save(root / "masks" / split / f"{number}.png", mask_of(boxes, {"hand": 255}))
    return root


def array_pair(root: Path, count: int = 9) -> Path:
    """The published form: float pictures and one channel of zeros and ones, hands and faces together, not split."""
    root.mkdir(parents=True)
    found = scenes(count, True)
    np.save(root / "images.npy", np.stack([image for image, _ in found]).astype(np.float32) / 255)
    masks = [mask_of(boxes, {"hand": 1, "face": 1}) for _, boxes in found]
    np.save(root / "labels.npy", np.stack(masks).astype(np.float32)[..., None])
    return root


def yolo_polygons(root: Path, count: int = 9) -> Path:
    for split, number, image, boxes in splits(count, True):
        save(root / "images" / split / f"{number}.png", image)
        rows = []
        for name, (x1, y1, x2, y2) in boxes.items():
            points = np.array([x1, y1, x2, y1, x2, y2, x1, y2]) / SIDE
            rows.append(" ".join([str(["hand", "face"].index(name)), *(f"{value:.6f}" for value in points)]))
        label = root / "labels" / split / f"{number}.txt"
        label.parent.mkdir(parents=True, exist_ok=True)
        label.write_text("\n".join(rows) + "\n")
    (root / "data.yaml").write_text("train: images/train\nval: images/val\nnames: [hand, face]\n")
    return root


def coco_polygons(root: Path, count: int = 9) -> Path:
    categories = [{"id": 7, "name": "hand"}, {"id": 9, "name": "face"}]
    sheets = {split: {"images": [], "annotations": [], "categories": categories} for split in ("train", "val")}
    for split, number, image, boxes in splits(count, True):
        save(root / split / f"{number}.png", image)
        sheet = sheets[split]
        about = {"id": number, "file_name": f"{number}.png", "width": SIDE, "height": SIDE}
        sheet["images"].append(about)
        for name, (x1, y1, x2, y2) in boxes.items():
            points = [x1, y1, x2, y1, x2, y2, x1, y2]
            entry = {"image_id": number, "category_id": 7 if name == "hand" else 9, "segmentation": [points]}
            sheet["annotations"].append({"id": len(sheet["annotations"]), **entry, "iscrowd": 0})
    for split, sheet in sheets.items():
        (root / split / "_annotations.coco.json").write_text(json.dumps(sheet))
    return root


FORMATS = {
    "index masks": (index_masks, 3),
    "binary masks": (binary_masks, 2),
    "npy pair": (array_pair, 2),
    "yolo polygons": (yolo_polygons, 3),
    "coco polygons": (coco_polygons, 3),
}
"""Name -> (makes it in a folder, how many classes it has with the background)."""
