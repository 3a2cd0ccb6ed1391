"""Portraits and people with the pixels of their faces marked, to put hands before; knows nothing of hands or nets.

A face reaches from the hairline to the chin with eyes, mouth, beard and ears; necks and hair are background.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.boxes import iou
from handlens.types import IGNORE
from recipes.shared.face_regions import EYES, LIP_BOTTOM, LIPS, OVAL, face_axes
from recipes.shared.source_data import FaceTable, box_list, fingerprint, read_rgb, read_rows
from recipes.touch.detector_data import Picture

FACE = 2
HELD_BACK = 12
"""Per cent of the groups of a source that are for validation."""
PERSONS = {"asl_photos": "3", "massey_black": "hand4"}
"""Who measures, of sources that name their people; of the others the last pictures."""
U8 = NDArray[np.uint8]
Floats = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Base:
    """A picture. marks (h, w) uint8: 0 background, 2 face, 255 not known; late: whether it is for validation."""

    picture: Picture
    marks: U8
    source: str
    group: str
    late: bool


def is_late(group: str) -> bool:
    """Whether a person or picture is for validation: told by its name alone, so always the same."""
    return crc32(group.encode()) % 100 < HELD_BACK


def read_bases(
    data: Path, sources: Sequence[str], hands: Callable[[U8], Floats], on_picture: Callable[[], None] = lambda: None
) -> list[Base]:
    """Return the portraits of `segmentation/` of these sources and the people of `touch/` whose faces no hand touches.

    Pictures that are near-copies of validation pictures of `touch/` are left out, and what may be a hand is not known.

    Args:
        hands: Picture -> (n, 4) boxes of all that may be a hand.
    """
    table = FaceTable(data)
    rows = read_rows(data / "touch" / "labels.csv")
    held = np.stack([fingerprint(read_rgb(data / "touch" / "images" / r["file"])) for r in rows if r["split"] == "val"])
    found = [*_people(data, table, rows, hands), *_portraits(data, table, sources, hands)]
    kept = []
    for base in found:
        on_picture()
        if int((held != fingerprint(base.picture.image)).sum(1).min()) >= 40:
            kept.append(base)
    return kept


def _portraits(data: Path, table: FaceTable, sources: Sequence[str], hands: Callable[[U8], Floats]) -> Iterator[Base]:
    folder = data / "segmentation"
    for row in read_rows(folder / "labels.csv"):
        source, file = row["source"], f"segmentation/images/{row['image']}"
        if source not in sources:
            continue
        rgb = read_rgb(data / file)
        mask = np.asarray(cv2.imread(str(folder / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE), np.uint8)
        picture = picture_of(table, file, rgb)
        marks = portrait_marks(mask, picture, source)
        if source in ("lfw_hair", "ccp_skin"):
            marks = _doubted(marks, picture, hands(rgb))
        group = f"{source}/{row['group']}" if source == "lfw_hair" else f"{source}/{row['image']}"
        yield Base(picture, marks, source, group, is_late(group))


def _people(
    data: Path, table: FaceTable, rows: Sequence[dict[str, str]], hands: Callable[[U8], Floats]
) -> Iterator[Base]:
    for row in rows:
        if row["split"] != "train" or row["label"] != "no_touch" or "clothing-co-parsing" in row["source"]:
            continue
        file = f"touch/images/{row['file']}"
        rgb = read_rgb(data / file)
        picture = picture_of(table, file, rgb)
        marks = _doubted(outlined(picture), picture, np.concatenate((box_list(row["hand_boxes"]), hands(rgb))))
        yield Base(picture, marks, "touch", f"touch/{row['person']}", is_late(row["person"]))


def _doubted(marks: U8, picture: Picture, boxes: Floats) -> U8:
    """Return the marks without what may be a hand or its forearm; a box around a face is none."""
    for box in boxes:
        if len(picture.faces) and iou(box[None], picture.faces).max() > 0.4:
            continue
        x1, y1, x2, y2 = box
        reach = 0.4 * max(x2 - x1, y2 - y1)
        left, top = (max(0, int(v)) for v in (x1 - reach, y1 - reach))
        part = marks[top : int(y2 + reach) + 1, left : int(x2 + reach) + 1]
        part[part != FACE] = IGNORE
    return marks


def picture_of(table: FaceTable, file: str, rgb: U8) -> Picture:
    """Return a portrait of `faces.npz` with its boxes and outlines, and no hands."""
    none = np.zeros((0, 4), np.float32)
    faces = np.asarray(table.boxes.get(file, np.zeros((0, 5)))[:, :4], np.float32)
    meshes = np.asarray(table.points.get(file, np.zeros((0, 468, 2))), np.float32)
    return Picture(rgb, faces, none, meshes, 1.0, 1.0, file, "portrait")


def portrait_marks(mask: U8, picture: Picture, source: str) -> U8:
    """Return the marks of a portrait, from what its source knows: skin, hair or all of it."""
    if source == "facesynthetics":
        marks = np.where(mask == 2, FACE, np.where(mask == IGNORE, IGNORE, 0)).astype(np.uint8)
        return _bearded(marks, mask == 5, picture)
    if source == "lfw_hair":
        marks = outlined(picture)
        hair = mask == 5
        marks[hair & (marks == IGNORE)] = 0
        marks[hair & ~_below_eyes(picture, mask.shape)] = 0
        return marks
    return _from_skin(mask, picture, 2 if source == "fasseg" else 4, alone=source in ("fasseg", "sfa_skin"))


def outlined(picture: Picture) -> U8:
    """Faces as their outlines say; a ring around them is not known, nor is a face without an outline."""
    shape = picture.image.shape[:2]
    marks = np.zeros(shape, np.uint8)
    for x1, y1, x2, y2 in picture.faces:
        wide, high = 0.25 * (x2 - x1), 0.25 * (y2 - y1)
        left, top = max(0, int(x1 - wide)), max(0, int(y1 - high))
        inside = [p for p in picture.meshes if x1 < p[:, 0].mean() < x2 and y1 < p[:, 1].mean() < y2]
        if not inside:
            marks[top : int(y2 + high), left : int(x2 + wide)] = IGNORE
    for points in picture.meshes:
        down, _, height = face_axes(points)
        oval = _filled(points[list(OVAL)], shape)
        ring = cv2.dilate(oval, np.ones((3, 3), np.uint8), iterations=max(1, round(0.03 * height)))
        # The mesh ends below the hairline and before the ears.
        rise = -0.13 * height * down
        upper = cv2.warpAffine(oval, np.array([[1, 0, rise[0]], [0, 1, rise[1]]], np.float32), shape[::-1])
        wide = cv2.dilate(oval, np.ones((3, 3), np.uint8), iterations=max(1, round(0.1 * height)))
        wide[_along(shape, points[LIP_BOTTOM], down) > 0] = 0
        marks[((ring > 0) | (upper > 0) | (wide > 0)) & (marks != FACE)] = IGNORE
        marks[oval > 0] = FACE
    return marks


def _from_skin(mask: U8, picture: Picture, value: int, alone: bool) -> U8:
    """Where the source marks skin: the face is what lies above the jaw, the neck below the chin is background.

    Args:
        alone: The picture shows one head and nothing else; otherwise skin away from faces may be a hand, and is not
            known.
    """
    shape = mask.shape
    skin = mask == value
    marks = np.where(skin, IGNORE, 0).astype(np.uint8)
    for box in picture.faces if not len(picture.meshes) else ():  # eyes and mouth are holes of the skin
        part = marks[max(0, int(box[1])) : int(box[3]), max(0, int(box[0])) : int(box[2])]
        part[part == 0] = IGNORE
    for points in picture.meshes:
        down, _, height = face_axes(points)
        oval = _filled(points[list(OVAL)], shape) > 0
        inside = np.concatenate([points[list(part)] for part in (*EYES, LIPS)])
        inner = np.asarray(cv2.convexHull(inside), np.float32)[:, 0]
        near = cv2.dilate(oval.astype(np.uint8), np.ones((3, 3), np.uint8), iterations=max(1, round(0.35 * height))) > 0
        above = _along(shape, points[LIP_BOTTOM], down) < 0
        below = _along(shape, points[152], down) > 0.05 * height
        marks[near & skin & above] = FACE
        marks[oval & skin] = FACE
        marks[(_filled(inner, shape) > 0) & oval] = FACE
        marks[skin & ~oval & below & (near | alone)] = 0
        if value == 4:
            marks[oval & ~skin & (marks != FACE)] = IGNORE
    return marks


def _bearded(marks: U8, hair: NDArray[np.bool_], picture: Picture) -> U8:
    """Return the same marks, hair in the lower face being beard and so a part of the face."""
    lower = _below_eyes(picture, marks.shape)
    for points in picture.meshes:
        marks[(_filled(points[list(OVAL)], marks.shape) > 0) & hair & lower] = FACE
    return marks


def _below_eyes(picture: Picture, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    lower = np.zeros(shape, bool)
    for points in picture.meshes:
        down, _, height = face_axes(points)
        eyes = np.concatenate([points[list(eye)] for eye in EYES]).mean(0)
        lower |= _along(shape, eyes, down) > 0.08 * height
    return lower


def _along(shape: tuple[int, ...], origin: Floats, down: Floats) -> Floats:
    """(h, w): how far each pixel lies from a point in the direction to the chin."""
    ys, xs = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    return np.asarray((xs - origin[0]) * down[0] + (ys - origin[1]) * down[1], np.float32)


def _filled(points: Floats, shape: tuple[int, ...]) -> U8:
    out = np.zeros(shape, np.uint8)
    cv2.fillPoly(out, [np.clip(np.round(points), -9999, 9999).astype(np.int32)], (1,))
    return out
