"""Training samples for the contact net: faces of pictures with boxes, what touches them and where; knows no net."""

from __future__ import annotations

from functools import partial

import cv2
import numpy as np
import torch
from numpy.random import Generator
from numpy.typing import NDArray
from torch import Tensor

from handlens.boxes import area, intersection, square
from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import FrameError
from handlens.evaluate.touch import TOUCH, touches_of
from handlens.preprocess import crop_box
from handlens.tasks.contact import CROP_SCALE, chosen_faces
from handlens.tasks.touch import REGIONS, owner_rows
from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.geometry import draw_transform, fill_colour, transform_boxes, warped
from handlens.train.augment.photometric import channels_first, erased, photometric
from handlens.train.loader.pictures import Reading
from handlens.types import OWNERS, Detections, Floats, Image, Ints

SET_KINDS = ("detect", "classify")
"""The kinds of sets that samples are made of, the better one first."""
NAMES = (*OWNERS, *REGIONS, TOUCH)
"""Labels of the boxes of a unit: a face, hands, touched regions that the net knows, and any other touch."""
ROOM = 1.3
"""A unit shows so many times what the net sees, so that it can be moved."""
CELL = 4
"""Pixels of the input to one of the net's maps."""
IGNORE = 255
AROUND, INSIDE = 1.25, 0.6
"""Beyond so many times the face box nothing is of the face; so much of a region's box is of that region."""
ELSEWHERE = 0.6
"""How sure it is that a region is not touched where another one is marked."""
APART, MARKED = 9, 0.4
"""Pixels around a marked hand that may still be hand, and how sure it is that all others are none."""


def faces_of(found: LabelledSet, side: int) -> LabelledSet:
    """Return one square picture of `side` pixels for each face, with the boxes that belong to it.

    A touched region belongs to the face that holds most of it, as in inference. Where no label of the set is "face",
    the shipped detector finds the faces; pictures without a face or that cannot be read are left out. Of a picture
    that is labelled as a whole, a touch belongs to the largest face.
    """
    if not found.label_kind.has_boxes:
        return _labelled_faces(found, side)
    find = _marked_faces if "face" in found.names else _detected_faces
    pictures: list[Labelled] = []
    for picture, faces in zip(found, find(found), strict=True):
        touches = np.array([found.names[label] not in OWNERS for label in picture.labels], bool)
        owners = owner_rows(picture.boxes[touches], faces, np.arange(len(faces)))
        for number, face in enumerate(faces):
            kept = np.array([found.names[label] == "hand" for label in picture.labels], bool)
            kept[np.flatnonzero(touches)[owners == number]] = True
            labels = [_label(found.names[label]) for label in picture.labels[kept]]
            boxes = np.concatenate((face[None], picture.boxes[kept]))
            pictures.append(_unit(picture, boxes, np.array([NAMES.index("face"), *labels]), side))
    return LabelledSet("detect", NAMES, tuple(pictures), found.root)


def _labelled_faces(found: LabelledSet, side: int) -> LabelledSet:
    """Return the faces of pictures that are labelled "touch" or otherwise.

    Where several people are in a touched picture, nobody knows which of the smaller faces is touched as well: these
    are left out.
    """
    pictures: list[Labelled] = []
    for picture, faces, touched in zip(found, _detected_faces(found), touches_of(found), strict=True):
        faces = faces[np.argsort(-area(faces), kind="stable")]
        for face in faces[:1] if touched else faces:
            names = ("face", TOUCH) if touched else ("face",)
            labels = np.array([NAMES.index(name) for name in names])
            pictures.append(_unit(picture, np.stack([face] * len(names)), labels, side))
    return LabelledSet("detect", NAMES, tuple(pictures), found.root)


def face_sample(
    rng: Generator, augment: AugmentConfig, reading: Reading, index: int, size: int, named: tuple[str, ...]
) -> dict[str, Tensor]:
    """One sample for `contact_loss`: image (3, size, size) uint8 and, at a quarter of its size, weak maps.

    hand is zero, and counts where hand_weight says that there is surely none; box marks hands, parts the regions where
    they are known, 255 elsewhere. touch, over and region come with their weights.

    Args:
        rng: the random numbers of this sample.
        augment: what is changed.
        reading: the units of `faces_of`.
        index: the unit.
        size: side of the net's input.
        named: labels that the user's set has: "hand" where hands are marked, and regions.
    """
    move = draw_transform(rng, augment)
    shown = reading.take(rng, index)
    canvas = shown.canvas
    matrix = move.matrix((canvas.shape[1] / 2, canvas.shape[0] / 2), (size, size), (size / 2, size / 2))
    moved = warped(canvas, matrix, (size, size), fill_colour(canvas, augment))
    image, _ = erased(rng, photometric(rng, moved, augment), augment)
    rows = shown.labelled.labels
    boxes = transform_boxes(shown.labelled.boxes, matrix)
    hands = boxes[rows == NAMES.index("hand")]
    parts = _parts(boxes, rows, size)
    marked = _filled(hands, size)
    near = cv2.dilate(marked, np.ones((2 * APART + 1,) * 2, np.uint8))
    free = MARKED * (near < 0.5) if "hand" in named else np.zeros_like(marked)
    touched = bool((rows >= len(OWNERS)).any())
    over, over_weight = _over(boxes[0], hands, touched, "hand" in named)
    regions = {NAMES[row] for row in rows} & set(REGIONS)
    region = np.array([name in regions for name in REGIONS], np.float32)
    trust = np.where(region > 0, 1, ELSEWHERE) * np.array([bool(regions) and name in named for name in REGIONS])
    half, pair = CELL // 2, partial(torch.tensor, dtype=torch.float32)
    maps = {"hand": np.zeros_like(marked), "hand_weight": free, "box": marked}
    return {
        "image": torch.from_numpy(channels_first(image)),
        **{name: torch.from_numpy(_coarse(array.astype(np.float32), half)) for name, array in maps.items()},
        "parts": torch.from_numpy(_coarse(parts.astype(np.int64), half)),
        "touch": pair([float(touched)]), "touch_weight": pair([1.0]),
        "over": pair([over]), "over_weight": pair([over_weight]),
        "region": torch.from_numpy(region), "region_weight": torch.from_numpy(trust.astype(np.float32)),
    }  # fmt: skip


def _label(name: str) -> int:
    return NAMES.index(name if name in NAMES else TOUCH)


def _unit(picture: Labelled, boxes: Floats, labels: Ints, side: int) -> Labelled:
    corner = square(boxes[:1], CROP_SCALE * ROOM)[0]
    scale = side / (corner[2] - corner[0])
    inner = (boxes - np.tile(corner[:2], 2)) * scale
    return Labelled(
        picture.path, side, side, inner.astype(np.float32), labels, pixels=partial(_crop, picture, corner, side),
        split=picture.split, group=picture.group_key,
    )  # fmt: skip


def _crop(picture: Labelled, corner: Floats, side: int) -> Image:
    return crop_box(picture.image(), corner, side)[0]


def _marked_faces(found: LabelledSet) -> list[Floats]:
    face = found.names.index("face")
    return [picture.boxes[(picture.labels == face) & (area(picture.boxes) > 0)] for picture in found]


def _detected_faces(found: LabelledSet) -> list[Floats]:
    from handlens.predictor import load

    predictor, faces = load("facehand"), []
    for picture in found:
        try:
            answer = predictor.predict(found.sample(picture).frame).value
        except FrameError:
            faces.append(np.zeros((0, 4), np.float32))
            continue
        assert isinstance(answer, Detections)
        faces.append(answer.xyxy[chosen_faces(answer, 6)])
    return faces


def _filled(boxes: Floats, size: int) -> NDArray[np.float32]:
    """Return (size, size): 1 inside the boxes."""
    out = np.zeros((size, size), np.float32)
    for x1, y1, x2, y2 in np.clip(np.round(boxes), 0, size).astype(int):
        out[y1:y2, x1:x2] = 1
    return out


def _parts(boxes: Floats, rows: Ints, size: int) -> NDArray[np.uint8]:
    """Return (size, size): the region of each pixel where it is known, 0 none, 255 not known."""
    parts = np.zeros((size, size), np.uint8)
    parts[_filled(_scaled(boxes[:1], AROUND), size) > 0] = IGNORE
    for number, name in enumerate(REGIONS):
        mine = rows == NAMES.index(name)
        parts[_filled(_scaled(boxes[mine], INSIDE), size) > 0] = number + 1
    return parts


def _scaled(boxes: Floats, factor: float) -> Floats:
    centre, half = (boxes[:, :2] + boxes[:, 2:]) / 2, (boxes[:, 2:] - boxes[:, :2]) / 2 * factor
    return np.concatenate((centre - half, centre + half), axis=1)


def _over(face: Floats, hands: Floats, touched: bool, marked: bool) -> tuple[float, float]:
    """Return whether a hand covers part of the face, and how much that counts."""
    if touched or not marked:
        return float(touched), float(touched)
    inside = intersection(face[None], hands)[0].max(initial=0.0) > 0.05 * float(area(face[None])[0])
    return float(inside), 0.5 if inside else 1.0


def _coarse(array: NDArray[np.generic], half: int) -> NDArray[np.generic]:
    return np.ascontiguousarray(array[half::CELL, half::CELL])
