"""Reads the labelled pictures of a data folder into arrays that training draws from; knows nothing of nets or losses.

The data folder is the one described in its own README: `touch/`, `segmentation/`, `gestures/photos/` and `faces.npz`.
Whatever is derived (crops around faces, hands cut out) lives in memory or in a cache folder, never in the repository.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.boxes import iou, square

CROP_SPAN = 3.0
"""Side of a cached crop in face-box sides: leaves room for shifts and turns of the 2.0 that the net sees."""
CROP_SIZE = 240
PORTRAITS = ("sfa_skin", "lfw_hair", "fasseg", "facesynthetics", "pratheepan_skin")


@dataclass(frozen=True, eq=False)
class Face:
    """A square cut around one face. image (240, 240, 3) RGB; points (468, 2) in it or None; box (4,) in it;
    hands (k, 4) known hand boxes in it; label touch, overlap_no_touch, no_touch, object_at_mouth, portrait,
    or void: no face at all."""

    image: NDArray[np.uint8]
    points: NDArray[np.float32] | None
    box: NDArray[np.float32]
    hands: NDArray[np.float32]
    label: str
    regions: tuple[str, ...]
    person: str
    photo: bool
    weight: float
    file: str


class FaceTable:
    """Boxes and meshes of `faces.npz` by file name."""

    def __init__(self, data: Path) -> None:
        table = np.load(data / "faces.npz")
        files = [str(f) for f in table["files"]]
        self.boxes: dict[str, NDArray[np.float32]] = {}
        self.points: dict[str, NDArray[np.float32]] = {}
        for store, key in ((self.boxes, "box"), (self.points, "landmarks")):
            rows = table["boxes" if key == "box" else "landmarks"].astype(np.float32)
            owner = table[f"{key}_file"]
            for i in np.unique(owner):
                store[files[i]] = rows[owner == i]

    def mesh_of(self, file: str, box: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The mesh (468, 2) whose middle lies in `box`, or None."""
        for points in self.points.get(file, ()):
            x, y = points.mean(0)
            if box[0] <= x <= box[2] and box[1] <= y <= box[3]:
                return np.asarray(points, np.float32)
        return None


def read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a labels.csv."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def read_rgb(path: Path) -> NDArray[np.uint8]:
    """A picture as (H, W, 3) uint8 RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{path} is no readable picture.")
    return np.ascontiguousarray(image[:, :, ::-1])


def box_list(text: str) -> NDArray[np.float32]:
    """A JSON list of boxes (or one box) as (n, 4)."""
    value: Any = json.loads(text or "[]")
    return np.asarray(value, np.float32).reshape(-1, 4)


def cut(image: NDArray[np.uint8], square: NDArray[np.float32], size: int) -> tuple[NDArray[np.uint8], float]:
    """Cut a square with grey padding: (size, size, 3) and the scale crop px / source px."""
    scale = size / float(square[2] - square[0])
    source, shrink = image, 1.0
    while scale / shrink < 0.5:
        source, shrink = cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), shrink / 2  # type: ignore[assignment]
    ratio = scale / shrink
    move = np.array([[ratio, 0, -square[0] * scale], [0, ratio, -square[1] * scale]], np.float32)
    out = cv2.warpAffine(source, move, (size, size), flags=cv2.INTER_LINEAR, borderValue=(114, 114, 114))
    return np.asarray(out, np.uint8), scale


def label_face(row: dict[str, str], boxes: NDArray[np.float32] | None) -> NDArray[np.float32] | None:
    """The face the row's label speaks of: nearest to its face_box, else the largest found."""
    named = box_list(row["face_box"])
    if boxes is None:
        return named[0] if len(named) else None
    if len(named):
        overlap = iou(named[:1], boxes[:, :4])[0]
        return boxes[int(overlap.argmax()), :4] if overlap.max() > 0.2 else named[0]
    return boxes[int(((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1]) * boxes[:, 4]).argmax()), :4]


def make_face(
    image: NDArray[np.uint8],
    box: NDArray[np.float32],
    points: NDArray[np.float32] | None,
    hands: NDArray[np.float32],
    **rest: Any,
) -> Face:
    """Cut one `Face` out of a picture; boxes and points in picture pixels."""
    (around,) = square(box[None, :4], CROP_SPAN)
    crop, scale = cut(image, around, CROP_SIZE)
    shift = np.tile(around[:2], 2)
    moved = None if points is None else ((points - around[:2]) * scale).astype(np.float32)
    return Face(crop, moved, ((box - shift) * scale), ((hands - shift) * scale), **rest)


def touch_faces(data: Path, split: str, table: FaceTable) -> list[Face]:
    """The labelled faces of `touch/` in one split, weight 1/sqrt(pictures of that person with that label)."""
    rows = [r for r in read_rows(data / "touch" / "labels.csv") if r["split"] == split]
    count = Counter((r["person"], r["label"]) for r in rows)
    faces = []
    for row in rows:
        file = f"touch/images/{row['file']}"
        box = label_face(row, table.boxes.get(file))
        if box is None:
            continue
        named = tuple(r.split(" ")[0] for r in row["region"].split("/") if r)
        faces.append(
            make_face(
                read_rgb(data / file), box, table.mesh_of(file, box), box_list(row["hand_boxes"]),
                label=row["label"], regions=named, person=row["person"], photo=row["face_box"] != "[]",
                weight=count[row["person"], row["label"]] ** -0.5, file=file,
            )
        )  # fmt: skip
    return faces


def void_faces(data: Path, table: FaceTable, most: int = 900) -> list[Face]:
    """Squares of training pictures that a detector might take for a face and that are none: hands and background."""
    rng = np.random.default_rng(0)
    rows = [r for r in read_rows(data / "touch" / "labels.csv") if r["split"] == "train" and r["label"] == "no_touch"]
    out: list[Face] = []
    for row in (rows[int(i)] for i in rng.permutation(len(rows))):
        file = f"touch/images/{row['file']}"
        faces = table.boxes.get(file)
        if faces is None or len(out) >= most:
            continue
        image, hands = read_rgb(data / file), box_list(row["hand_boxes"])
        side = float((faces[0, 2] - faces[0, 0]) * rng.uniform(0.6, 1.4))
        corner = rng.uniform(0, 1, 2) * np.maximum(1, np.array(image.shape[1::-1]) - side)
        for box in (*hands[:1], np.concatenate((corner, corner + side)).astype(np.float32)):
            if iou(box[None], faces[:, :4]).max() < 0.08 and box[2] - box[0] > 16:
                out.append(
                    make_face(
                        image, box, None, np.zeros((0, 4), np.float32), label="void", regions=(), person=row["person"],
                        photo=False, weight=1.0, file=file,
                    )
                )  # fmt: skip
    return out


def portrait_faces(data: Path, table: FaceTable, labelled: list[Face]) -> list[Face]:
    """Portraits of `segmentation/` with a mesh, less the copies of labelled faces (held out, or with a hand)."""
    out = []
    known = np.stack([fingerprint(f.image) for f in labelled]) if labelled else np.zeros((0, 256), bool)
    for row in read_rows(data / "segmentation" / "labels.csv"):
        file = f"segmentation/images/{row['image']}"
        if row["source"] not in PORTRAITS or file not in table.boxes:
            continue
        image = read_rgb(data / file)
        for found in table.boxes[file]:
            box = found[:4]
            points = table.mesh_of(file, box)
            if points is None or float(box[3] - box[1]) < 36:
                continue
            face = make_face(
                image, box, points, np.zeros((0, 4), np.float32), label="portrait", regions=(),
                person=file, photo=True, weight=1.0, file=file,
            )  # fmt: skip
            if len(known) and int((known != fingerprint(face.image)).sum(1).min()) < 40:
                continue
            out.append(face)
    return out


def fingerprint(image: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """256 bits that near-copies share: signs of differences in a 17x16 grey thumbnail (dHash)."""
    grey = cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), (17, 16), interpolation=cv2.INTER_AREA).astype(int)
    return np.asarray((grey[:, 1:] > grey[:, :-1]).ravel())
