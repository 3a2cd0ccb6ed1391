"""Reads the labelled pictures of a data folder into arrays that training draws from; knows nothing of nets or losses.

The data folder is the one described in its own README: `touch/`, `segmentation/`, `gestures/photos/` and `faces.npz`.
Whatever is derived (crops around faces, hands cut out) lives in memory or in a cache folder, never in the repository.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
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
        """Return the mesh (468, 2) whose middle lies in `box`, or None."""
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
    """Return a picture as (H, W, 3) uint8 RGB."""
    image = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if image is None:
        raise FileNotFoundError(f"{path} is not a readable picture.")
    return np.ascontiguousarray(image[:, :, ::-1])


def box_list(text: str) -> NDArray[np.float32]:
    """Return a JSON list of boxes (or one box) as (n, 4)."""
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
    """Return the face the row's label speaks of: nearest to its face_box, else the largest found."""
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
    """Return the labelled faces of `touch/` in one split, weight 1/sqrt(pictures of that person with that label)."""
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


U8 = NDArray[np.uint8]
SIDE = 160
CUT_AT = 256
"""Longest side at which hands are cut out, pixels."""
HELD_BACK = 0.15
"""Share of each class of `sign_digits`, the last people of its order, that is for validation."""


@dataclass(frozen=True, eq=False)
class Pooled:
    """One hand. rgb (h, w, 3) or None where only the shape is known; mask (h, w) 0 or 255; sign: as its source says."""

    rgb: U8 | None
    mask: U8
    sign: str
    source: str
    group: str
    late: bool
    """Whether it is among the last people of its source."""


def read_pool(data: Path, cache: Path, on_picture: Callable[[], None] = lambda: None, each: int = 0) -> list[Pooled]:
    """Return the photographs of `gestures/photos` whose hand can be told from its ground, at most 160 pixels a side.

    Args:
        cache: An .npz file that keeps them, for cutting out takes some minutes.
        on_picture: Is called for each photograph that is cut out.
        each: At most so many of each source and sign; 0: all.
    """
    if not cache.is_file():
        rows, taken = [], Counter[tuple[str, str]]()
        for row in read_rows(data / "gestures" / "photos" / "labels.csv"):
            taken[row["source"], row["label"]] += 1
            rows += [row] if not each or taken[row["source"], row["label"]] <= each else []
        _write(list(_cut(rows, data, on_picture)), cache)
    with np.load(cache, allow_pickle=False) as pack:
        arrays = {name: pack[name] for name in pack.files}
    found = []
    for place in range(len(arrays["sign"])):
        height, width = arrays["size"][place]
        rgba = arrays["rgba"][place, :height, :width]
        sign, source, group = (str(arrays[name][place]) for name in ("sign", "source", "group"))
        found.append(Pooled(rgba[..., :3], rgba[..., 3], sign, source, group, bool(arrays["late"][place])))
    return found


def cut_out(rgb: U8, longest: int = CUT_AT) -> U8 | None:
    """Return the mask (h, w), 0 or 255, of a hand on a ground without colour, or None where nothing stands out.

    A first guess by how red and yellow pixels are (Otsu's threshold), then GrabCut around it.

    Args:
        longest: The side in pixels at which it is cut out; half of it takes a quarter of the time.
    """
    scale = longest / max(rgb.shape[:2])
    big = np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC), np.uint8)
    lab = cv2.cvtColor(cv2.GaussianBlur(big, (0, 0), 1.5), cv2.COLOR_RGB2LAB).astype(np.float32)
    warmth = lab[..., 1] + 0.8 * lab[..., 2]
    level = np.clip((warmth - warmth.min()) / (np.ptp(warmth) + 1e-6) * 255, 0, 255).astype(np.uint8)
    guess = largest(np.asarray(cv2.threshold(level, 0, 255, cv2.THRESH_OTSU)[1], np.uint8))
    if guess is None:
        return None
    marks: U8 = np.full(guess.shape, cv2.GC_PR_BGD, np.uint8)
    marks[guess > 0] = cv2.GC_PR_FGD
    marks[cv2.erode(guess, np.ones((9, 9), np.uint8)) > 0] = cv2.GC_FGD
    marks[cv2.dilate(guess, np.ones((25, 25), np.uint8)) == 0] = cv2.GC_BGD
    if not {cv2.GC_FGD, cv2.GC_BGD} <= set(np.unique(marks).tolist()):
        return None
    cv2.setRNGSeed(0)  # GrabCut draws its first colours
    nowhere = (0, 0, 0, 0)  # the marks say where the hand may be, and not a rectangle
    cv2.grabCut(big, marks, nowhere, np.zeros((1, 65)), np.zeros((1, 65)), 3, cv2.GC_INIT_WITH_MASK)
    cut = np.where((marks == cv2.GC_FGD) | (marks == cv2.GC_PR_FGD), 255, 0).astype(np.uint8)
    mask = largest(np.asarray(cv2.morphologyEx(cut, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8)), np.uint8))
    if mask is None or not 0.03 < (mask > 0).mean() < 0.8:
        return None
    return np.asarray(cv2.resize(mask, rgb.shape[1::-1], interpolation=cv2.INTER_AREA), np.uint8)


def largest(mask: U8) -> U8 | None:
    """Return the largest blob of a mask (h, w), 0 or 255, or None where it is empty."""
    count, parts, stats, _ = cv2.connectedComponentsWithStats((mask > 127).astype(np.uint8))
    if count < 2:
        return None
    return np.where(parts == 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax()), 255, 0).astype(np.uint8)


def with_late(rows: list[dict[str, str]]) -> Iterator[tuple[dict[str, str], bool]]:
    """Each row, and whether it is among the last pictures of its source and sign."""
    total, seen = Counter((row["source"], row["label"]) for row in rows), Counter[tuple[str, str]]()
    for row in rows:
        kind = row["source"], row["label"]
        seen[kind] += 1
        yield row, seen[kind] > (1 - HELD_BACK) * total[kind]


def _cut(rows: list[dict[str, str]], data: Path, on_picture: Callable[[], None]) -> Iterable[Pooled]:
    for row, late in with_late(rows):
        on_picture()
        source, sign = row["source"], row["label"]
        folder = data / "gestures" / "photos"
        if source == "fingers_cluttered":
            continue  # no ground to cut from
        rgb = read_rgb(folder / "images" / row["file"])
        if row["mask"]:
            mask: U8 | None = np.where(read_rgb(folder / "masks" / row["mask"])[..., 0] > 0, 255, 0).astype(np.uint8)
        elif source == "massey_black":
            mask = np.where(cv2.GaussianBlur(rgb, (0, 0), 0.7).max(axis=2) > 16, 255, 0).astype(np.uint8)
        else:
            mask = cut_out(rgb)
        whole = None if mask is None else largest(mask)
        if whole is None:
            continue
        scale = min(1.0, SIDE / max(rgb.shape[:2]))
        size = (round(rgb.shape[1] * scale), round(rgb.shape[0] * scale))
        small, shape = (
            np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8) for image in (rgb, whole)
        )
        yield Pooled(small, shape, sign, source, row["group"], late)


def _write(found: list[Pooled], cache: Path) -> None:
    rgba = np.zeros((len(found), SIDE, SIDE, 4), np.uint8)
    size = np.array([hand.mask.shape for hand in found], np.int32)
    for place, hand in zip(rgba, found, strict=True):
        assert hand.rgb is not None
        height, width = hand.mask.shape
        place[:height, :width] = np.dstack((hand.rgb, hand.mask))
    texts: dict[str, Any] = {
        name: np.array([getattr(hand, name) for hand in found]) for name in ("sign", "source", "group", "late")
    }
    cache.parent.mkdir(parents=True, exist_ok=True)
    temporary = cache.with_suffix(".part.npz")
    np.savez_compressed(temporary, rgba=rgba, size=size, **texts)
    temporary.replace(cache)
