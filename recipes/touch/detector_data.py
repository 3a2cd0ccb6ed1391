"""Training pictures for the detector of faces and hands, most with hands pasted in; knows nothing of the net."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch.utils.data import IterableDataset

from handlens.train.augment.photometric import light_and_lens
from handlens.train.nets.centre_loss import STRIDE
from recipes.shared.composite import Scene, add_beard, add_hand, add_object
from recipes.shared.cutouts import Cutout
from recipes.shared.face_regions import paint_regions
from recipes.shared.source_data import PORTRAITS, FaceTable, box_list, fingerprint, read_rgb, read_rows

SIZE = 256
Boxes = NDArray[np.float32]
TRUST = {"portrait": 0.7, "no_touch": 0.3}
"""How sure it is that a picture without marked hands shows none, by its label."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A whole picture. faces (n, 4), hands (m, 4) pixels; meshes (k, 468, 2).

    Attributes:
        trust: How sure it is that unmarked places hold no hand, 0..1.
    """

    image: NDArray[np.uint8]
    faces: Boxes
    hands: Boxes
    meshes: NDArray[np.float32]
    trust: float
    weight: float
    file: str
    label: str


def read_pictures(data: Path, split: str) -> list[Picture]:
    """Pictures of `touch/` in one split; for train also the portraits of `segmentation/` that are no copies of val."""
    table, out = FaceTable(data), []
    held: list[NDArray[np.bool_]] = []
    for row in read_rows(data / "touch" / "labels.csv"):
        file = f"touch/images/{row['file']}"
        if row["split"] != split:
            held.append(fingerprint(read_rgb(data / file)))
            continue
        hands = box_list(row["hand_boxes"])
        trust = 0.7 if len(hands) else TRUST.get(row["label"], 0.0)
        out.append(_picture(data, table, file, hands, trust, row["label"]))
    if split != "train":
        return out
    known = np.stack(held)
    for row in read_rows(data / "segmentation" / "labels.csv"):
        file = f"segmentation/images/{row['image']}"
        if row["source"] in PORTRAITS:
            picture = _picture(data, table, file, np.zeros((0, 4), np.float32), TRUST["portrait"], "portrait")
            if int((known != fingerprint(picture.image)).sum(1).min()) >= 40:
                out.append(picture)
    return out


def _picture(data: Path, table: FaceTable, file: str, hands: Boxes, trust: float, label: str) -> Picture:
    image = read_rgb(data / file)
    scale = min(1.0, 480 / max(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    faces = table.boxes.get(file, np.zeros((0, 5), np.float32))[:, :4] * scale
    meshes = np.asarray(table.points.get(file, np.zeros((0, 468, 2), np.float32)), np.float32) * scale
    return Picture(image, faces, hands * scale, meshes, trust, 1.0, file, label)


class FaceHandSamples(IterableDataset[dict[str, torch.Tensor]]):
    """An endless stream of {image (3, 256, 256) uint8, heat and heat_weight (2, 32, 32), box (2, 4, 32, 32),
    centre (2, 32, 32)}; class 0 face, 1 hand."""

    def __init__(
        self, pictures: Sequence[Picture], hands: Sequence[Cutout], composed: float = 0.6, seed: int = 0
    ) -> None:
        self.pictures, self.hands, self.composed, self.seed = list(pictures), list(hands), composed, seed
        source = [h.source for h in self.hands]
        share = {"hands_white": 0.25, "massey_black": 0.25, "sign_digits": 0.2, "hgr1": 0.1, "rendered": 0.3}
        odds = np.array([share.get(s, 0.15) / source.count(s) for s in source])
        self.odds = odds / odds.sum()

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        cv2.setNumThreads(0)
        info = torch.utils.data.get_worker_info()
        rng = np.random.default_rng((self.seed, info.id if info else 0))
        while True:
            picture = self.pictures[int(rng.integers(len(self.pictures)))]
            if rng.random() < 0.12:
                yield self._mosaic(rng)
            else:
                image, faces, hands, trust = self._window(rng, picture, SIZE)
                yield _targets(light_and_lens(rng, image), faces, hands, trust)

    def _mosaic(self, rng: Generator) -> dict[str, torch.Tensor]:
        """Four pictures in one: small faces and hands."""
        image, half = np.zeros((SIZE, SIZE, 3), np.uint8), SIZE // 2
        faces, hands, trust = [], [], np.zeros((SIZE, SIZE), np.float32)
        for y in (0, half):
            for x in (0, half):
                part, f, h, t = self._window(rng, self.pictures[int(rng.integers(len(self.pictures)))], half)
                image[y : y + half, x : x + half] = part
                trust[y : y + half, x : x + half] = t
                faces.append(f + np.tile([x, y], 2))
                hands.append(h + np.tile([x, y], 2))
        return _targets(light_and_lens(rng, image), np.concatenate(faces), np.concatenate(hands), trust)

    def _window(
        self, rng: Generator, picture: Picture, size: int
    ) -> tuple[NDArray[np.uint8], Boxes, Boxes, NDArray[np.float32]]:
        matrix = camera(rng, picture, size)
        fill = tuple(int(v) for v in rng.integers(0, 255, 3)) if rng.random() < 0.4 else (114, 114, 114)
        flags = cv2.INTER_AREA if abs(np.linalg.det(matrix[:, :2])) < 0.6 else cv2.INTER_LINEAR
        source, inner = picture.image, matrix
        while abs(np.linalg.det(inner[:, :2])) < 0.3 and min(source.shape[:2]) > 64:
            source = np.asarray(cv2.resize(source, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8)
            inner = np.concatenate((inner[:, :2] * 2, inner[:, 2:]), 1).astype(np.float32)
        image = np.asarray(cv2.warpAffine(source, inner, (size, size), flags=flags, borderValue=fill), np.uint8)
        faces, hands = _moved(picture.faces, matrix, size), _moved(picture.hands, matrix, size)
        trust = np.full((size, size), picture.trust, np.float32)
        if rng.random() < self.composed:
            image, hands, trust = self._paste(rng, picture, matrix, image, hands, trust)
        return image, faces, hands, trust

    def _paste(
        self,
        rng: Generator,
        picture: Picture,
        matrix: NDArray[np.float32],
        image: NDArray[np.uint8],
        hands: Boxes,
        trust: NDArray[np.float32],
    ) -> tuple[NDArray[np.uint8], Boxes, NDArray[np.float32]]:
        size = image.shape[0]
        points, parts = None, np.zeros((size, size), np.uint8)
        if len(picture.meshes):
            mesh = picture.meshes[int(rng.integers(len(picture.meshes)))]
            points = (mesh @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
            if not (0 < points[:, 0].mean() < size and 0 < points[:, 1].mean() < size):
                points = None
        if points is not None:
            parts = paint_regions(points, (size, size))
        scene = Scene(image.astype(np.float32), parts, points, np.zeros((size, size), np.float32))
        if points is not None and rng.random() < 0.12:
            add_beard(rng, scene)
        if points is not None and rng.random() < 0.12:
            add_object(rng, scene)
        boxes = [hands]
        for _ in range(int(rng.choice([1, 2, 3], p=[0.55, 0.3, 0.15]))):
            kind = str(rng.choice(["touch", "front", "beside", "free"], p=[0.3, 0.15, 0.3, 0.25]))
            hand = self.hands[int(rng.choice(len(self.hands), p=self.odds))]
            box = add_hand(rng, scene, hand, kind)
            if box is not None:
                boxes.append(box[None])
                x1, y1, x2, y2 = (int(v) for v in box)
                trust[max(0, y1 - 12) : y2 + 12, max(0, x1 - 12) : x2 + 12] = 1.0
        return np.clip(scene.image, 0, 255).astype(np.uint8), np.concatenate(boxes), trust


def camera(rng: Generator, picture: Picture, size: int) -> NDArray[np.float32]:
    """Return a zoom, turn, shift and mirror: the picture's longer side becomes 0.55 to 2 windows."""
    height, width = picture.image.shape[:2]
    scale = size / max(height, width) * float(np.exp(rng.uniform(np.log(0.55), np.log(2.0))))
    angle = np.radians(rng.normal(0, 9) if rng.random() < 0.9 else rng.normal(0, 35))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    m = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0])
    every = np.concatenate((picture.faces, picture.hands))
    if len(every) and rng.random() < 0.75:
        box = every[int(rng.integers(len(every)))]
        focus = (box[:2] + box[2:]) / 2
        to = rng.uniform(0.15, 0.85, 2) * size
    else:
        focus, to = rng.uniform(0.2, 0.8, 2) * (width, height), np.full(2, size / 2)
    return np.concatenate((m, (to - m @ focus)[:, None]), 1).astype(np.float32)


def _moved(boxes: Boxes, matrix: NDArray[np.float32], size: int) -> Boxes:
    """Boxes through the matrix, clipped to the window; those with less than 35 % left are dropped."""
    if not len(boxes):
        return np.zeros((0, 4), np.float32)
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * scale
    whole = np.concatenate((middle - half, middle + half), 1)
    inside = np.clip(whole, 0, size)
    share = (inside[:, 2:] - inside[:, :2]).prod(1) / np.maximum((whole[:, 2:] - whole[:, :2]).prod(1), 1e-6)
    return np.asarray(inside[share > 0.35], np.float32)


def _targets(
    image: NDArray[np.uint8], faces: Boxes, hands: Boxes, trust: NDArray[np.float32]
) -> dict[str, torch.Tensor]:
    """Heat maps with a Gaussian a box, and box targets at the cells near each centre (nearest box wins)."""
    cells = SIZE // STRIDE
    heat, weight = np.zeros((2, cells, cells), np.float32), np.ones((2, cells, cells), np.float32)
    box, centre = np.zeros((2, 4, cells, cells), np.float32), np.zeros((2, cells, cells), np.float32)
    weight[1] = cv2.resize(trust, (cells, cells), interpolation=cv2.INTER_AREA)
    ys, xs = np.mgrid[:cells, :cells].astype(np.float32)
    for c, rows in enumerate((faces, hands)):
        for b in rows / STRIDE:
            size = np.maximum(b[2:] - b[:2], 0.4)
            middle = (b[:2] + b[2:]) / 2
            sigma = np.maximum(size * 0.13, 0.55)
            col, row = (int(v) for v in np.clip(np.floor(middle), 0, cells - 1))
            bell = np.exp(-(((xs - col) / sigma[0]) ** 2 + ((ys - row) / sigma[1]) ** 2) / 2).astype(np.float32)
            better = (bell > heat[c]) & (bell > 0.35)
            box[c, 0][better], box[c, 1][better] = np.log(size[0]), np.log(size[1])
            box[c, 2][better], box[c, 3][better] = (middle[0] - xs)[better], (middle[1] - ys)[better]
            centre[c][better] = bell[better]
            heat[c] = np.maximum(heat[c], bell)
            weight[c][bell > 0.1] = 1.0
    return {
        "image": torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1))), "heat": torch.from_numpy(heat),
        "heat_weight": torch.from_numpy(weight), "box": torch.from_numpy(box), "centre": torch.from_numpy(centre),
    }  # fmt: skip
