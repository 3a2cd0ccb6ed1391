"""Makes what the face net learns from, once: crops around labelled faces, and composites of hands on faces.

    python -m recipes.touch.cache --data DATA --cache CACHE [--composites 12000]

Called again it goes on where it ended. Crops and maps are raw bytes that the training maps into memory; a table beside
them says what each one is. The faces are cut as the shipped detector finds them: the net will be given such.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.boxes import iou
from handlens.predictor import load
from handlens.tasks.touch import REGIONS
from handlens.train.augment.photometric import random_affine
from handlens.types import IGNORE, Detections, Frame
from recipes.shared.composite import FIST_GOALS, GOALS, Scene, add_beard, add_hand, add_object
from recipes.shared.cutouts import Cutout, read_cutouts
from recipes.shared.face_regions import NUMBER, paint_regions, side_of
from recipes.shared.own_pickle import read_own, write_own
from recipes.shared.source_data import (
    CROP_SIZE,
    CROP_SPAN,
    Face,
    FaceTable,
    box_list,
    label_face,
    make_face,
    portrait_faces,
    read_rgb,
    read_rows,
)
from recipes.touch.cache_arguments import cache_arguments

PACKS = ("touch", "touch4")
LEFT_OUT = (
    "BharathVR07__Image-Classification-CNN", "Rigzbot__SignLanguageDetection",
    "TeoGras__Facial_expression_recognition", "acarrasquillo__text2hand", "Datta8517__ML_HandSignDetection",
    "dskarkera23__sign-language-detector-demo", "DhirajKoli__Sign_Language_Detection",
    "AmirKaseb__YOLOV5-HAND-SIGN", "Harikesari7__ISL_Demo.",
)  # fmt: skip
"""Whole sources of the training part that calibrate and choose: the net never sees them."""
HALF_LEFT_OUT = ("muxspace__facial_expressions/images",)
"""Of these, every second person calibrates and the others train: tight grey portraits that no other source has."""
MADE_SIZE, MADE_SPAN = 176, 2.4
"""Side of a composite in pixels, and in face boxes: 20 % more than the net sees, for shifts and turns."""
RENDERED = "rendered"
"""Label and source of the rows of `recipes.touch.rendered`, on which teachers are not heard."""
PART = 1000
"""Composites in one file: the training may begin before all are made."""
FIST_REACH = 2.35
"""Below this `Cutout.reach` a hand is a fist or curled."""
CONTACTS = 8
"""Points of contact that are kept of a composite."""


def is_left_out(source: str, person: str) -> bool:
    """Whether a row of the training part calibrates."""
    return source in LEFT_OUT or (source in HALF_LEFT_OUT and zlib.crc32(person.encode()) % 2 == 0)


@dataclass(eq=False)
class Row:
    """What is known of one crop. place: number of its picture among crops or composites; object: at mouth, at face.

    Attributes:
        side: (7, 2) whether each touched region is touched in its left and right half of the picture: the person's
            right and left.
        side_trust: (7,) how sure that is.
        contacts: (8, 2) pixels of the picture where hands touch; NaN where there are fewer.
    """

    place: int
    label: str
    split: str
    source: str
    person: str
    picture: str
    weight: float
    photo: bool
    box: tuple[float, ...] = (0.0, 0.0, 0.0, 0.0)
    touch: tuple[float, float] = (0.0, 1.0)
    over: tuple[float, float] = (0.0, 1.0)
    region: NDArray[np.float32] = field(default_factory=lambda: np.zeros(7, np.float32))
    trust: NDArray[np.float32] = field(default_factory=lambda: np.zeros(7, np.float32))
    object: tuple[float, float, float] = (0.0, 0.0, 1.0)
    side: NDArray[np.float32] = field(default_factory=lambda: np.zeros((7, 2), np.float32))
    side_trust: NDArray[np.float32] = field(default_factory=lambda: np.zeros(7, np.float32))
    contacts: NDArray[np.float32] = field(default_factory=lambda: np.full((CONTACTS, 2), np.nan, np.float32))


def face_planes(face: Face) -> NDArray[np.uint8]:
    """Return maps (120, 120, 4) of a real crop: face part, hand 0..255, how sure that is, in a marked hand box."""
    size = CROP_SIZE
    parts = np.full((size, size), IGNORE, np.uint8) if face.points is None else paint_regions(face.points, (size, size))
    on_face = (parts > 0) & (parts != IGNORE)
    known, marked = np.zeros((size, size), np.float32), np.zeros((size, size), np.uint8)
    for x1, y1, x2, y2 in np.round(face.hands).astype(int).tolist():
        cv2.rectangle(marked, (x1, y1), (x2, y2), (255,), -1)
    if face.label in ("portrait", "void"):
        known[:] = 0.5 if face.label == "portrait" else 0.0
    elif face.label == "no_touch" and "hair" not in face.regions:
        known[on_face & (marked == 0)] = 1.0
    elif len(face.hands):
        known[on_face & (cv2.dilate(marked, np.ones((15, 15), np.uint8)) == 0)] = 0.4
    hand = np.zeros_like(marked)
    return np.stack((parts, hand, (known * 255).astype(np.uint8), marked), 2)[1::2, 1::2]


def described(face: Face, place: int, split: str, source: str) -> Row:
    """Return the row of a real crop."""
    row = Row(place, face.label, split, source, face.person, face.file, face.weight, face.photo)
    row.touch = {"touch": (1.0, 1.0), "object_at_mouth": (0.03, 0.7), "object_at_face": (0.03, 0.7)}.get(
        face.label, (0.0, 1.0)
    )
    row.over = (float(face.label in ("touch", "overlap_no_touch")), float("object" not in face.label))
    row.object = (float(face.label == "object_at_mouth"), float(face.label == "object_at_face"), 1.0)
    if face.label == "touch":
        row.region = np.array([float(r in face.regions) for r in REGIONS], np.float32)
        row.trust = np.where(row.region > 0, 1.0, 0.6).astype(np.float32) * float(row.region.any())
        row.object = (0.0, 0.0, 0.3)  # an unlabelled thing may be in the hand
    return row


def detected(data: Path, cache: Path) -> dict[str, NDArray[np.float32]]:
    """Faces (n, 5) of every labelled picture as the shipped detector finds them; asked once."""
    stored = cache / "detected.pickle"
    if stored.exists():
        return dict(read_own(stored))
    finder, out = load("facehand"), {}
    for pack in PACKS:
        for row in read_rows(data / pack / "labels.csv"):
            name = f"{pack}/images/{row['file']}"
            value = finder.predict(Frame(read_rgb(data / name))).value
            assert isinstance(value, Detections)
            rows = value.of("face")
            out[name] = np.concatenate((value.xyxy[rows], value.score[rows, None]), 1).astype(np.float32)
    write_own(out, stored)
    return out


def labelled_faces(data: Path, cache: Path, table: FaceTable) -> list[tuple[Face, str, str]]:
    """Faces of both packs as detected, else as the tables say; then false faces of pictures without a touch."""
    found = detected(data, cache)
    out: list[tuple[Face, str, str]] = []
    rng = np.random.default_rng(0)
    for pack in PACKS:
        rows = read_rows(data / pack / "labels.csv")
        count = Counter((r["person"], r["label"]) for r in rows)
        for row in rows:
            file = f"{pack}/images/{row['file']}"
            mine = found[file] if len(found[file]) else None
            box = label_face(row, mine if mine is not None else table.boxes.get(file))
            if box is None:
                continue
            image, hands = read_rgb(data / file), box_list(row["hand_boxes"])
            named = tuple(r.split(" ")[0] for r in row["region"].split("/") if r)
            rest = {"person": row["person"], "photo": row["face_box"] != "[]", "file": file}
            face = make_face(
                image, box, table.mesh_of(file, box), hands, label=row["label"], regions=named,
                weight=count[row["person"], row["label"]] ** -0.5, **rest,
            )  # fmt: skip
            out.append((face, row["split"], row["source"]))
            if row["label"] != "no_touch" or row["split"] != "train" or "hair" in named:
                continue
            real = [*(table.boxes.get(file, np.zeros((0, 5)))[:, :4]), box]
            false = [b[:4] for b in (mine if mine is not None else ()) if iou(b[None, :4], np.stack(real)).max() < 0.05]
            if rng.random() < 0.15:
                side = float((box[2] - box[0]) * rng.uniform(0.6, 1.4))
                corner = rng.uniform(0, 1, 2) * np.maximum(1, np.array(image.shape[1::-1]) - side)
                false += [*hands[:1], np.concatenate((corner, corner + side)).astype(np.float32)]
            for wrong in false:
                if iou(wrong[None], np.stack(real)).max() < 0.08 and wrong[2] - wrong[0] > 16:
                    void = make_face(image, wrong, None, hands[:0], label="void", regions=(), weight=1.0, **rest)
                    out.append((void, "train", row["source"]))
    return out


def write_crops(data: Path, cache: Path) -> tuple[list[Row], list[Face]]:
    """Write crops.u8 and crop_planes.u8; return their rows, and the faces that composites may be built on."""
    table = FaceTable(data)
    labelled = labelled_faces(data, cache, table)
    everyone = [face for face, _, _ in labelled if face.label != "void"]
    labelled += [
        (face, "train", f"segmentation/{Path(face.file).parent.name}") for face in portrait_faces(data, table, everyone)
    ]
    rows, bases = [], []
    with (cache / "crops.u8").open("wb") as images, (cache / "crops_planes.u8").open("wb") as planes:
        for place, (face, split, source) in enumerate(labelled):
            images.write(np.ascontiguousarray(face.image).tobytes())
            planes.write(np.ascontiguousarray(face_planes(face)).tobytes())
            split = "left_out" if split == "train" and is_left_out(source, face.person) else split
            row = described(face, place, split, source)
            row.box = tuple(float(v) for v in face.box)
            rows.append(row)
            free = face.label == "portrait" or (face.label == "no_touch" and face.photo is False and _free(face))
            if split == "train" and face.points is not None and free:
                bases.append(face)
    return rows, bases


def _free(face: Face) -> bool:
    low, high = CROP_SIZE * (0.5 - 1 / CROP_SPAN), CROP_SIZE * (0.5 + 1 / CROP_SPAN)
    return not face.regions and all(b[0] > high or b[2] < low or b[1] > high or b[3] < low for b in face.hands)


class Composer:
    """Puts hands on faces; one random stream."""

    def __init__(self, bases: list[Face], hands: list[Cutout], seed: int) -> None:
        self.bases, self.hands, self.rng = bases, hands, np.random.default_rng(seed)
        weight = np.array([face.weight for face in bases])
        self.base_odds = weight / weight.sum()
        source = [hand.source for hand in hands]
        share = {"hands_white": 0.25, "massey_black": 0.28, "sign_digits": 0.22, "hgr1": 0.07, "asl_photos": 0.18}
        odds = np.array([share.get(s, 0.1) / source.count(s) for s in source])
        self.hand_odds = odds / odds.sum()
        closed = odds * np.array([hand.reach < FIST_REACH for hand in hands])
        self.fist_odds = closed / closed.sum() if closed.any() else self.hand_odds

    def hand(self, fist: bool = False) -> Cutout:
        """Any hand, by the odds of its source; fist: one whose fingers do not stick out."""
        odds = self.fist_odds if fist else self.hand_odds
        return self.hands[int(self.rng.choice(len(self.hands), p=odds))]

    def scene(self) -> Scene:
        """Return a finished scene of 176 px."""
        rng: Generator = self.rng
        face = self.bases[int(rng.choice(len(self.bases), p=self.base_odds))]
        matrix, _ = random_affine(rng, CROP_SIZE, MADE_SIZE, MADE_SPAN / CROP_SPAN, 10.0, (0.85, 1.25), 0.05)
        fill = (114, 114, 114) if rng.random() < 0.6 else tuple(int(v) for v in rng.integers(0, 255, 3))
        mode = cv2.BORDER_REFLECT_101 if rng.random() < 0.15 else cv2.BORDER_CONSTANT
        side = (MADE_SIZE, MADE_SIZE)
        image = cv2.warpAffine(face.image, matrix, side, flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=fill)
        assert face.points is not None
        points = (face.points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        scene = Scene(image.astype(np.float32), paint_regions(points, side), points, np.zeros(side, np.float32))
        if rng.random() < 0.22:
            add_beard(rng, scene)
        if rng.random() < 0.12:
            add_object(rng, scene)
        roll = rng.random()
        kind = "touch" if roll < 0.42 else "front" if roll < 0.78 else "beside"
        wanted = 2 if rng.random() < 0.3 else 0 if kind == "beside" and rng.random() < 0.3 else 1
        for k in range(wanted):
            this = kind if k == 0 or rng.random() < 0.5 else "beside"
            fist = this != "beside" and rng.random() < 0.3
            for _ in range(4):
                if add_hand(rng, scene, self.hand(fist), this, FIST_GOALS if fist else GOALS) is not None:
                    break
        if rng.random() < 0.06:
            add_object(rng, scene)
        return scene


def made_row(scene: Scene, place: int) -> Row:
    """Return the row of a composite."""
    row = Row(place, "composite", "train", "composite", "", "", 1.0, False)
    row.touch, row.over, row.object = (float(scene.touch), 0.4), (float(scene.over), 0.4), (0.0, 0.0, 0.0)
    if scene.touch:
        row.trust[:] = 1
        for i, name in enumerate(REGIONS):
            area = scene.parts == NUMBER[name]
            share = float((scene.hand[area] > 0.5).mean()) if area.any() else 0.0
            row.region[i] = float(name in scene.touched or share > 0.4)
            if not row.region[i] and share > 0.08:
                row.trust[i] = 0
        row.side, row.side_trust = made_sides(scene)
        points = scene.contacts[:CONTACTS]
        row.contacts[: len(points)] = np.stack(points)
    return row


def made_sides(scene: Scene) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return sides (7, 2) and their trust (7,) of a composite: where its contacts lie, and what the hand covers."""
    assert scene.points is not None
    side, trust = np.zeros((7, 2), np.float32), np.zeros(7, np.float32)
    size = scene.parts.shape[0]
    ys, xs = np.mgrid[:size, :size]
    off = side_of(scene.points, np.stack((xs.ravel(), ys.ravel()), 1)).reshape(size, size)
    doubt = np.zeros(7, bool)
    for x, y in np.clip(np.round(np.stack(scene.contacts)), 0, size - 1).astype(int):
        if scene.parts[y, x]:
            i = int(scene.parts[y, x]) - 1
            doubt[i] |= abs(off[y, x]) < 0.035
            side[i, int(off[y, x] > 0)] = 1.0
    for i in range(7):
        for k, half in enumerate((off < 0, off > 0)):
            area = (scene.parts == i + 1) & half
            share = float((scene.hand[area] > 0.5).mean()) if area.any() else 0.0
            if share > 0.5:
                side[i, k] = 1.0
            elif share > 0.15 and not side[i, k]:
                doubt[i] = True
        trust[i] = float(side[i].any() and not doubt[i])
    return side, trust


def write_composites(cache: Path, composer: Composer, part: int) -> None:
    """Write one part of the composites: made-NN.u8, made-NN_planes.u8 and their table."""
    rows, name = [], f"made-{part:02d}"
    with (cache / f"{name}.u8").open("wb") as images, (cache / f"{name}_planes.u8").open("wb") as planes:
        for place in range(PART):
            scene = composer.scene()
            images.write(np.clip(scene.image, 0, 255).astype(np.uint8).tobytes())
            hand = (np.clip(scene.hand, 0, 1) * 255).astype(np.uint8)
            full = np.full_like(hand, 255)
            maps = np.stack((scene.parts, hand, full, np.zeros_like(hand)), 2)[1::2, 1::2]
            planes.write(np.ascontiguousarray(maps).tobytes())
            rows.append(made_row(scene, place))
    write_table(rows, cache / f"{name}.npz")


def write_table(rows: list[Row], path: Path) -> None:
    """Write one column per field."""
    names = [item.name for item in fields(Row)]
    columns = {name: [getattr(row, name) for row in rows] for name in names}
    np.savez(path, **{name: np.array(values) for name, values in columns.items()})  # type: ignore[arg-type]


def main() -> None:
    """Write the cache."""
    args = cache_arguments(__doc__, 12_000)
    stored = args.cache / "bases.pickle"
    if not stored.exists():
        rows, bases = write_crops(args.data, args.cache)
        write_table(rows, args.cache / "crops.npz")
        print(f"{len(rows)} crops, {len(bases)} faces to build on", flush=True)
        write_own(bases, stored)
    bases = read_own(stored)
    hands = read_cutouts(args.data)
    for part in range(args.composites // PART):
        if not (args.cache / f"made-{part:02d}.npz").exists():
            write_composites(args.cache, Composer(bases, hands, 1 + part), part)


if __name__ == "__main__":
    main()
