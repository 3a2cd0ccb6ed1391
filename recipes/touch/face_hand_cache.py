"""Makes what the detector of faces and hands learns from, once: labelled pictures, and composites of hands at faces.

    python -m recipes.touch.face_hand_cache --data DATA --cache CACHE [--composites 6000]

Called again it goes on where it ended. Sources mark one hand of two, two joined hands as one, and leave room around
them; a teacher's landmarks (`hand_landmarks.npz`) say where hands end. So each picture says what is known (boxes), what
is not (blind areas), and how sure it is that all the rest holds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray
from rich.progress import track

from handlens.boxes import inside, iou
from handlens.predictor import Predictor, load
from handlens.types import Detections, Frame
from recipes.shared.composite import Scene, add_beard, add_hand, add_object
from recipes.shared.cutouts import Cutout, read_cutouts
from recipes.shared.face_regions import paint_regions
from recipes.shared.own_pickle import read_own, write_own
from recipes.shared.source_data import PORTRAITS, FaceTable, box_list, fingerprint, read_rgb, read_rows
from recipes.touch.cache import PACKS, is_left_out
from recipes.touch.cache_arguments import cache_arguments

Boxes = NDArray[np.float32]
NONE: Boxes = np.zeros((0, 4), np.float32)
LONGEST = 400
"""Pictures are stored with at most so many pixels a side."""
MADE = 320
"""Side of a composite, pixels."""
PART = 500
"""Composites in one file: the training may begin before all are made."""
ROOM = 0.11
"""A hand's box reaches so far beyond its landmarks, in units of the root of their box's area."""
SURE_HAND = 0.8
"""Score from which a teacher's hand is believed."""
SURE_FACE, MAYBE_FACE = 0.55, 0.12
"""Scores of the installed detector from which a face is believed, and from which it is no background either."""
FEW = {"fingers_cluttered": 300, "asl_photos": 450, "epsrc_composites": 400, "sign_digits": 600}
"""At most so many hands of a source of near-copies."""
WHOLE = ("ccp_skin", "pratheepan_skin")
"""Sources of whole people whose masks show all skin."""


@dataclass(eq=False)
class Known:
    """A picture and what is known of it.

    Attributes:
        jpeg: the picture, encoded.
        faces, hands: (n, 4) pixels.
        blind_faces, blind_hands: (n, 4) areas of which nothing is known.
        trust: how sure it is that the rest holds no face, and no hand; 0..1.
        group: which odds it is drawn by. split: train, left_out or val.
        covered: (n,) which faces a hand lies on, as far as the label or the composition says.
    """

    jpeg: bytes
    faces: Boxes
    hands: Boxes
    blind_faces: Boxes
    blind_hands: Boxes
    trust: tuple[float, float]
    group: str
    split: str
    person: str
    file: str
    covered: NDArray[np.bool_]
    mesh: NDArray[np.float32] | None = None


class Teacher:
    """Landmarks of hands by file."""

    def __init__(self, data: Path) -> None:
        with np.load(data / "hand_landmarks.npz") as table:
            files, rows, score, points = (table[name] for name in ("files", "row", "score", "landmarks"))
        flat = points[..., :2].astype(np.float32)
        every = widened(np.concatenate((flat.min(1), flat.max(1)), 1), ROOM)
        self.boxes: dict[str, list[Boxes]] = {}
        for row, box in zip(rows[score >= SURE_HAND], every[score >= SURE_HAND], strict=True):
            self.boxes.setdefault(str(files[row]), []).append(box)

    def of(self, file: str) -> Boxes:
        """Return hand boxes (n, 4) of a file, none twice."""
        kept: list[Boxes] = []
        for box in self.boxes.get(file, []):
            if (box[2:] - box[:2]).min() > 4 and all(iou(box[None], k[None])[0, 0] < 0.5 for k in kept):
                kept.append(box)
        return np.asarray(kept, np.float32).reshape(-1, 4)


def widened(boxes: Boxes, share: float) -> Boxes:
    """Return boxes moved outwards by a share of the root of their area on every side."""
    size = np.maximum(boxes[:, 2:] - boxes[:, :2], 1e-3)
    room = share * np.sqrt(size.prod(1, keepdims=True))
    return np.concatenate((boxes[:, :2] - room, boxes[:, 2:] + room), 1).astype(np.float32)


def merged_hands(marked: Boxes, taught: Boxes, picture: tuple[int, int]) -> tuple[Boxes, Boxes]:
    """Boxes of hands, and blind areas, out of what a source marked and what a teacher found.

    A teacher's hand replaces the marked box around it. A marked box without one is believed when it has the shape of a
    hand; it is narrowed to the room that the others have.

    Args:
        picture: height and width.
    """
    if not len(marked):
        return taught, NONE
    hands = [*taught]
    held = inside(taught, marked).max(0) if len(taught) else np.zeros(len(marked), np.float32)
    for box, share in zip(marked, held, strict=True):
        width, height = box[2:] - box[:2]
        alike = 0.4 < width / max(height, 1e-6) < 1.5 and width * height < 0.3 * picture[0] * picture[1]
        if share < 0.4 and alike:
            hands.append(widened(box[None], -0.06)[0])
    return np.asarray(hands, np.float32).reshape(-1, 4), marked


class Reader:
    """Turns rows of the tables into `Known` pictures."""

    def __init__(self, data: Path) -> None:
        self.data, self.table, self.teacher = data, FaceTable(data), Teacher(data)
        self.detector: Predictor = load("facehand")

    def labelled(self, pack: str, row: Mapping[str, str]) -> Known:
        """Return a picture of `touch` or `touch4`."""
        file = f"{pack}/images/{row['file']}"
        image = read_rgb(self.data / file)
        faces, blind_faces = self.faces(file, image, box_list(row["face_box"]))
        marked = box_list(row["hand_boxes"])
        hands, blind_hands = merged_hands(marked, self.teacher.of(file), image.shape[:2])
        near = row["label"] != "no_touch"
        covered = np.zeros(len(faces), bool)
        if near and not len(faces):
            blind_faces = whole(image)
        elif near:
            which = _spoken_of(row, faces)
            covered[which] = row["label"] in ("touch", "overlap_no_touch")
            around = widened(faces[which : which + 1], 0.5)
            if not len(hands) or iou(hands, around).max() < 0.02:
                blind_hands = np.concatenate((blind_hands, around))
        trust = 0.5 if len(marked) else 0.2 if near else 0.4
        left = row["split"] == "train" and is_left_out(row["source"], row["person"])
        group = "marked" if len(marked) else "photo" if len(box_list(row["face_box"])) else "other"
        mesh = self.table.points.get(file)
        return known(
            image, faces, hands, blind_faces, blind_hands, (0.85, trust), group,
            "left_out" if left else row["split"], row["person"], file, covered,
            mesh[0] if mesh is not None and not near and len(faces) == 1 else None,
        )  # fmt: skip

    def faces(self, file: str, image: NDArray[np.uint8], named: Boxes) -> tuple[Boxes, Boxes]:
        """Boxes of faces, and blind areas: from the table and the label, else from the installed detector."""
        rows = self.table.boxes.get(file, np.zeros((0, 5), np.float32))
        faces, blind = rows[rows[:, 4] >= 0.5, :4], rows[rows[:, 4] < 0.5, :4]
        for box in named:
            if not len(faces) or iou(box[None], faces).max() < 0.3:
                faces = np.concatenate((faces, box[None]))
        said = self.detector.predict(Frame(image)).value
        assert isinstance(said, Detections)
        for row in np.flatnonzero(said.of("face")):
            box = said.xyxy[row][None]
            if len(faces) and iou(box, faces).max() > 0.2:
                continue
            if said.score[row] >= SURE_FACE and not len(rows):
                faces = np.concatenate((faces, box))
            elif said.score[row] >= MAYBE_FACE:
                blind = np.concatenate((blind, box))
        return faces.astype(np.float32), blind.astype(np.float32)

    def segmented(self, row: Mapping[str, str]) -> Known | None:
        """Return a picture of `segmentation`; None where nothing is known of its hands."""
        source, file = row["source"], f"segmentation/images/{row['image']}"
        image = read_rgb(self.data / file)
        if source in ("hands_white", "hgr1"):
            hands = self.teacher.of(file)
            return hand_picture(image, hands, source, file) if len(hands) == 1 else None
        faces, blind = self.faces(file, image, NONE)
        blind_hands = NONE
        if source in WHOLE:
            marks = cv2.imread(str(self.data / "segmentation" / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE)
            assert marks is not None
            blind_hands = skin_away(np.asarray(marks == 4), faces)
            blind = np.concatenate((blind, blind_hands))  # of a family not every face was found
        mesh = self.table.points.get(file)
        return known(
            image, faces, NONE, blind, blind_hands, (0.85, 0.9 if source in WHOLE else 0.7),
            "whole" if source in WHOLE else "portrait", "train", file, file, np.zeros(len(faces), bool),
            mesh[0] if mesh is not None and len(faces) == 1 else None,
        )  # fmt: skip


def known(
    image: NDArray[np.uint8],
    faces: Boxes,
    hands: Boxes,
    blind_faces: Boxes,
    blind_hands: Boxes,
    trust: tuple[float, float],
    group: str,
    split: str,
    person: str,
    file: str,
    covered: NDArray[np.bool_],
    mesh: NDArray[np.float32] | None = None,
    longest: int = LONGEST,
) -> Known:
    """Return the picture at most `longest` pixels long, with everything scaled alike."""
    scale = min(1.0, longest / max(image.shape[:2]))
    if scale < 1:
        image = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    _, data = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 93])
    first, second, third, fourth = (np.asarray(b * scale, np.float32) for b in (faces, hands, blind_faces, blind_hands))
    points = None if mesh is None else np.asarray(mesh * scale, np.float32)
    return Known(data.tobytes(), first, second, third, fourth, trust, group, split, person, file, covered, points)


def hand_picture(image: NDArray[np.uint8], hands: Boxes, source: str, file: str) -> Known:
    """Return a picture of one hand and nothing else."""
    return known(image, NONE, hands, NONE, NONE, (1.0, 0.9), "hand", "train", source, file, np.zeros(0, bool))


def whole(image: NDArray[np.uint8]) -> Boxes:
    """Return the box (1, 4) of a whole picture."""
    return np.array([[0, 0, image.shape[1], image.shape[0]]], np.float32)


def skin_away(skin: NDArray[np.bool_], faces: Boxes) -> Boxes:
    """Return boxes around skin that belongs to no face and no neck: hands may be there."""
    rest = skin.astype(np.uint8)
    for x1, y1, x2, y2 in faces:
        room, depth = 0.35 * (x2 - x1), 0.7 * (y2 - y1)
        low, high = (max(0, int(x1 - room)), max(0, int(y1 - depth))), (int(x2 + room), int(y2 + depth))
        cv2.rectangle(rest, low, high, (0,), -1)
    _, _, stats, _ = cv2.connectedComponentsWithStats(rest)
    boxes = stats[1:][stats[1:, cv2.CC_STAT_AREA] > 6, :4].astype(np.float32)
    return widened(np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), 1), 0.15)


def _spoken_of(row: Mapping[str, str], faces: Boxes) -> int:
    """Return the face the label speaks of: its face_box, else the largest."""
    named = box_list(row["face_box"])
    if len(named):
        return int(iou(named[:1], faces)[0].argmax())
    return int((faces[:, 2:] - faces[:, :2]).prod(1).argmax())


def read_all(data: Path) -> Iterator[Known]:
    """Every picture that teaches or measures; copies of measured ones are left out."""
    reader = Reader(data)
    held: list[NDArray[np.bool_]] = []
    for pack in PACKS:
        for row in track(read_rows(data / pack / "labels.csv"), f"reading {pack}"):
            item = reader.labelled(pack, row)
            if item.split != "train":
                held.append(fingerprint(picture_of(item)))
            yield item
    measured = np.stack(held)
    for row in track(read_rows(data / "segmentation" / "labels.csv"), "reading segmentation"):
        if row["source"] in (*PORTRAITS, *WHOLE, "hands_white", "hgr1"):
            found = reader.segmented(row)
            if found and int((measured != fingerprint(picture_of(found))).sum(1).min()) >= 40:
                yield found
    rng, taken = np.random.default_rng(0), dict.fromkeys(FEW, 0)
    rows = read_rows(data / "gestures" / "photos" / "labels.csv")
    for i in track(rng.permutation(len(rows)), "reading gestures"):
        row = rows[int(i)]
        file = f"gestures/photos/images/{row['file']}"
        hands = reader.teacher.of(file)
        if taken.get(row["source"], 10**6) < FEW.get(row["source"], 0) and len(hands) == 1:
            taken[row["source"]] += 1
            yield hand_picture(read_rgb(data / file), hands, row["source"], file)


def picture_of(item: Known) -> NDArray[np.uint8]:
    """Return the picture (h, w, 3) RGB."""
    image = cv2.imdecode(np.frombuffer(item.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    return np.ascontiguousarray(image[:, :, ::-1])


class Composer:
    """Puts cut-out hands onto, before and beside faces of whole pictures; one random stream."""

    def __init__(self, bases: Sequence[Known], hands: Sequence[Cutout], seed: int) -> None:
        self.bases, self.hands, self.rng = list(bases), list(hands), np.random.default_rng(seed)
        source = [hand.source for hand in hands]
        share = {"hands_white": 0.3, "massey_black": 0.33, "sign_digits": 0.27, "hgr1": 0.1}
        odds = np.array([share.get(s, 0.1) / source.count(s) for s in source])
        self.odds = odds / odds.sum()

    def next(self) -> Known:
        """Return a finished composite."""
        rng: Generator = self.rng
        base = self.bases[int(rng.integers(len(self.bases)))]
        assert base.mesh is not None
        image = picture_of(base)
        matrix = _zoomed(rng, base)
        side = (MADE, MADE)
        fill = (114, 114, 114) if rng.random() < 0.6 else tuple(int(v) for v in rng.integers(0, 255, 3))
        flags = cv2.INTER_AREA if matrix[0, 0] ** 2 + matrix[0, 1] ** 2 < 0.5 else cv2.INTER_LINEAR
        image = np.asarray(cv2.warpAffine(image, matrix, side, flags=flags, borderValue=fill), np.uint8)
        points = (base.mesh @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)
        faces, hands = moved(base.faces, matrix, MADE), moved(base.hands, matrix, MADE)
        scene = Scene(image.astype(np.float32), paint_regions(points, side), points, np.zeros(side, np.float32))
        if rng.random() < 0.1:
            add_beard(rng, scene)
        if rng.random() < 0.12:
            add_object(rng, scene)
        boxes = [hands]
        for _ in range(int(rng.choice([1, 2, 3], p=[0.5, 0.38, 0.12]))):
            kind = str(rng.choice(["touch", "front", "beside", "free"], p=[0.38, 0.32, 0.18, 0.12]))
            for _ in range(3):
                box = add_hand(rng, scene, self.hands[int(rng.choice(len(self.hands), p=self.odds))], kind)
                if box is not None:
                    boxes.append(widened(box[None], 0.04))
                    break
        area = scene.parts > 0
        hidden = float((scene.hidden[area] > 0.5).mean()) if area.any() else 0.0
        blind = np.concatenate((moved(base.blind_faces, matrix, MADE), faces if hidden > 0.88 else NONE))
        return known(
            np.clip(scene.image, 0, 255).astype(np.uint8), NONE if hidden > 0.88 else faces, np.concatenate(boxes),
            blind, moved(base.blind_hands, matrix, MADE), base.trust, "made", "train", base.person, base.file,
            np.full(0 if hidden > 0.88 else len(faces), hidden > 0.1),
        )  # fmt: skip


def _zoomed(rng: Generator, base: Known) -> NDArray[np.float32]:
    """Return a turn, zoom, shift and mirror after which the face is 12 to 55 % of the window."""
    face = base.faces[0]
    scale = MADE * float(np.exp(rng.uniform(np.log(0.12), np.log(0.55)))) / float(face[3] - face[1])
    angle = np.radians(rng.normal(0, 9))
    cos, sin = np.cos(angle) * scale, np.sin(angle) * scale
    m = np.array([[cos, -sin], [sin, cos]]) @ np.diag([-1.0 if rng.random() < 0.5 else 1.0, 1.0])
    to = np.array([rng.uniform(0.25, 0.75), rng.uniform(0.22, 0.6)]) * MADE
    return np.concatenate((m, (to - m @ ((face[:2] + face[2:]) / 2))[:, None]), 1).astype(np.float32)


def moved(boxes: Boxes, matrix: NDArray[np.floating], size: int, least: float = 0.35) -> Boxes:
    """Boxes through the matrix, clipped to the window; those with less than a share `least` left are dropped."""
    if not len(boxes):
        return NONE
    middle = (boxes[:, :2] + boxes[:, 2:]) / 2 @ matrix[:, :2].T + matrix[:, 2]
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    half = (boxes[:, 2:] - boxes[:, :2]) / 2 * scale
    full = np.concatenate((middle - half, middle + half), 1)
    kept = np.clip(full, 0, size)
    share = (kept[:, 2:] - kept[:, :2]).prod(1) / np.maximum((full[:, 2:] - full[:, :2]).prod(1), 1e-6)
    return np.asarray(kept[share > least], np.float32)


def write(items: Sequence[Known], path: Path) -> None:
    """Write a list of pictures; nothing half-written stays."""
    write_own(list(items), path)


def read(path: Path) -> list[Known]:
    """Return what `write` wrote."""
    items: list[Known] = read_own(path)
    return items


def main() -> None:
    """Write the cache."""
    args = cache_arguments(__doc__, 6000)
    stored = args.cache / "pictures.pickle"
    if not stored.exists():
        write(list(read_all(args.data)), stored)
    pictures = read(stored)
    bases = [p for p in pictures if p.split == "train" and p.mesh is not None and p.faces[0, 3] - p.faces[0, 1] > 36]
    print(f"{len(pictures)} pictures, {len(bases)} to build on", flush=True)
    hands = read_cutouts(args.data)
    for part in range(args.composites // PART):
        path = args.cache / f"made-{part:02d}.pickle"
        if not path.exists():
            composer = Composer(bases, hands, 1 + part)
            write([composer.next() for _ in range(PART)], path)


if __name__ == "__main__":
    from recipes.touch import face_hand_cache  # so that the stored classes have the name that readers know

    face_hand_cache.main()
