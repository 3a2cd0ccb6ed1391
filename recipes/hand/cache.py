"""Makes what the hand net learns from, once: hands with landmarks, hands that hold, cut-out hands, and grounds.

    python -m recipes.hand.cache --data DATA --cache CACHE

Six tables are written, each a pickle with JPEG pictures inside, and one that is done is not made again:

holding   crops labelled "holds an object" or "holds nothing"
photos    hands in photographs with the 21 landmarks of a teacher (MediaPipe), and the sign where the source has one
grounds   portraits, people and streets to lay cut-out hands on
cutouts   hands on transparent ground with landmarks, of known masks
grabbed   the same, cut out of plain grounds by colour (slow)
rendered  the same, drawn by the renderer (slow)

The training may begin when the first four are there; it takes the others in when they come.

Whole people, whole sources and the sources' own val parts are kept apart; `split` says which is which.
"""

from __future__ import annotations

import argparse
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from recipes.hand.rendered import rendered_hand
from recipes.shared.own_pickle import write_own
from recipes.shared.source_data import box_list, cut_out, largest, read_rgb, read_rows, with_late
from recipes.signs.build_colour_set import NAMES, name_of

U8 = NDArray[np.uint8]
F32 = NDArray[np.float32]

PHOTO_SIZE, PHOTO_SPAN = 192, 2.4
"""Side of a stored photograph in pixels, and in longer sides of the box around the landmarks."""
CROP_SIZE = 128
CUTOUT_SIZE = 192
GROUND_SIZE = 288
RENDERED = 300
NEVER = "paumartinez1__smoker-detection-deep-learning"
"""This source measures holding elsewhere: no hand of it may be learned from."""
HOLD_LEFT_OUT = (
    "touch:sehyunlee217__aps360_project", "BasemElbarashy/Hand-Dataset", "OfirDuek/Zoom-Behavior-Insight",
    "Sunnyit7/Driver-Behavior-Detection-CNN", "thepetk/action-recognition-stanford40",
    "touch:bearpaw__clothing-co-parsing/photos", "touch:Kainasu__hair-seg-project/data/Figaro1k",
)  # fmt: skip
"""Whole sources of holding/crops2, those with both labels, that choose and calibrate: the net never sees them."""
SIGNS_LEFT_OUT = "fingers_cluttered"
"""The source of signs that measures: hands sideways in clutter."""
KINDS = ("cup", "phone", "food", "tool", "cigarette", "paper", "other")
"""What kind of thing a hand holds."""
KIND_OF = {"cup/glass/bottle": "cup", "phone": "phone", "food": "food", "pen/tool": "tool", "instrument": "tool",
           "cigarette": "cigarette", "paper/card/book": "paper", "other": "other"}  # fmt: skip
MCP, PIP, TIP = (5, 9, 13, 17), (6, 10, 14, 18), (8, 12, 16, 20)


@dataclass(eq=False)
class Shown:
    """One hand and what is known of it.

    Attributes:
        image: JPEG of RGB in BGR order, as OpenCV decodes it.
        points: (21, 2) pixels of the stored picture, or None.
        side: 1 right, 0 left, -1 unknown: the person's hand as the picture shows it.
        fingers: (5,) 1 stretched, 0 bent, -1 unknown; thumb first.
        sign: number in NAMES or -1.
        hold: 1 object, 0 nothing, -1 unknown; weight: how much that label counts.
        kind: number in KINDS or -1.
    """

    image: bytes
    points: F32 | None
    source: str
    person: str
    split: str
    side: int = -1
    fingers: tuple[int, ...] = (-1,) * 5
    sign: int = -1
    hold: int = -1
    weight: float = 1.0
    kind: int = -1
    file: str = ""


@dataclass(eq=False)
class Cutout:
    """A hand on transparent ground: rgba (h, w, 4) with landmarks (21, 2), and how wide its wrist is in pixels."""

    rgba: U8
    points: F32
    wrist: float
    source: str
    person: str
    split: str
    side: int
    fingers: tuple[int, ...]
    sign: int


@dataclass(eq=False)
class Ground:
    """A picture to lay hands on, and the box (4,) of its face, or None; free: nobody's hand is in it."""

    image: bytes
    face: F32 | None
    split: str
    free: bool


def stored(image: U8, quality: int = 94) -> bytes:
    """Return RGB as JPEG."""
    return bytes(cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def opened(image: bytes) -> U8:
    """Return the RGB picture of a JPEG."""
    decoded = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None  # `stored` wrote it
    return np.ascontiguousarray(decoded[..., ::-1], np.uint8)


def is_kept(text: str, share: int = 8) -> bool:
    """Whether a person or picture is left out of training: one in `share`, always the same."""
    return zlib.crc32(text.encode()) % share == 0


def stretched(world: F32) -> tuple[int, ...]:
    """Return for thumb, index, middle, ring and little finger 1 stretched, 0 bent, -1 in between.

    Args:
        world: (21, 3) landmarks in space.
    """
    palm = float(np.linalg.norm(world[5] - world[17])) + 1e-6
    reach = float(np.linalg.norm(world[4] - world[17]) / (np.linalg.norm(world[2] - world[17]) + 0.2 * palm))
    out = [1 if reach > 1.14 else 0 if reach < 0.98 else -1]
    for base, middle, tip in zip(MCP, PIP, TIP, strict=True):
        a, b = world[middle] - world[base], world[tip] - world[middle]
        cosine = float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b) + 1e-9))
        out.append(1 if cosine > 0.7 else 0 if cosine < 0.3 else -1)
    return tuple(out)


class Teacher:
    """The landmarks of hand_landmarks.npz by file name."""

    def __init__(self, data: Path) -> None:
        with np.load(data / "hand_landmarks.npz") as pack:
            self.files = [str(name) for name in pack["files"]]
            self.points = pack["landmarks"][..., :2].astype(np.float32)
            self.world = pack["world"].astype(np.float32)
            self.score, self.right = pack["score"].astype(float), pack["side"] == "Left"  # of a mirrored camera
            self.row = pack["row"]
        self.of_file: dict[str, list[int]] = {}
        for hand, row in enumerate(self.row):
            self.of_file.setdefault(self.files[row], []).append(hand)

    def plausible(self, hand: int) -> bool:
        """Whether a hand is large enough and has a palm."""
        points = self.points[hand]
        extent = float(np.ptp(points, axis=0).max())
        palm = max(float(np.linalg.norm(points[9] - points[0])), 1.3 * float(np.linalg.norm(points[17] - points[5])))
        return bool(extent > 30 and palm > 0.2 * extent and np.isfinite(self.world[hand]).all())

    def side(self, hand: int) -> int:
        """Return 1 right, 0 left, -1 unsure."""
        return int(self.right[hand]) if self.score[hand] > 0.93 else -1


def box_around(points: F32, span: float) -> F32:
    """Return the square (4,) of `span` longer sides around the box of points."""
    low, high = points.min(0), points.max(0)
    middle, half = (low + high) / 2, float((high - low).max()) * span / 2
    return np.concatenate((middle - half, middle + half)).astype(np.float32)


def cut_square(image: U8, box: F32, size: int) -> tuple[U8, F32]:
    """Return a square of a picture, grey outside of it, and the matrix (2, 3) from source to crop pixels."""
    scale = size / float(box[2] - box[0])
    matrix = np.array([[scale, 0, -box[0] * scale], [0, scale, -box[1] * scale]], np.float32)
    how = cv2.INTER_AREA if scale < 0.7 else cv2.INTER_LINEAR
    if scale < 0.5:
        sigma = 0.4 / scale
        image = np.asarray(cv2.GaussianBlur(image, (0, 0), sigma), np.uint8)
    out = cv2.warpAffine(image, matrix, (size, size), flags=how, borderValue=(114, 114, 114))
    return np.asarray(out, np.uint8), matrix


def sign_rows(data: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Rows of gestures/photos and their split: train, val (the last people of a source) or left_out (a source)."""
    for row, late in with_late(read_rows(data / "gestures" / "photos" / "labels.csv")):
        source, group = row["source"], row["group"]
        if source == SIGNS_LEFT_OUT:
            yield row, "left_out"
        elif source == "asl_photos":
            yield row, "val" if group == "3" else "train"
        elif source == "massey_black":
            yield row, "val" if group == "hand3" else "train"
        elif source == "epsrc_composites":
            yield row, "val" if group == "testing_set" else "train"
        else:
            yield row, "val" if late else "train"


def hand_of(teacher: Teacher, image: U8, hand: int, **rest: Any) -> Shown:
    """Return one hand of the teacher, cut out of its picture."""
    crop, matrix = cut_square(image, box_around(teacher.points[hand], PHOTO_SPAN), PHOTO_SIZE)
    points = teacher.points[hand] @ matrix[:, :2].T + matrix[:, 2]
    return Shown(
        stored(crop), points.astype(np.float32), side=teacher.side(hand), fingers=stretched(teacher.world[hand]), **rest
    )


def photos(data: Path) -> Iterator[Shown]:
    """Every plausible hand of the teacher in photographs."""
    teacher = Teacher(data)
    for row, split in sign_rows(data):
        file = f"gestures/photos/images/{row['file']}"
        hands = [h for h in teacher.of_file.get(file, []) if teacher.plausible(h)]
        if not hands:
            continue
        name = name_of(row["label"])
        best = max(hands, key=lambda h: float(np.ptp(teacher.points[h], axis=0).max()))
        about = {"source": row["source"], "person": row["group"], "split": split, "file": file}
        sign = NAMES.index(name) if name else -1
        yield hand_of(teacher, read_rgb(data / file), best, sign=sign, hold=0, weight=0.1, **about)
    for row in read_rows(data / "segmentation" / "labels.csv"):
        file = f"segmentation/images/{row['image']}"
        for hand in teacher.of_file.get(file, []):
            split = "val" if row["source"] == "hands_white" and int(row["group"]) % 8 == 0 else "train"
            about = {"source": row["source"], "person": row["group"], "split": split, "file": file}
            if teacher.plausible(hand):
                yield hand_of(teacher, read_rgb(data / file), hand, hold=0, weight=0.1, **about)
    for pack in ("touch", "touch4"):
        for row in read_rows(data / pack / "labels.csv"):
            file = f"{pack}/images/{row['file']}"
            if row["source"] == NEVER:
                continue
            for hand in teacher.of_file.get(file, []):
                if not teacher.plausible(hand) or teacher.score[hand] < 0.9:
                    continue
                webcam = row["face_box"] == "[]" and row["label"] in ("touch", "overlap_no_touch", "no_touch")
                about = {"source": f"{pack}:{row['source']}", "person": row["person"], "split": row["split"]}
                weak = {"hold": 0, "weight": 0.1} if webcam else {}
                yield hand_of(teacher, read_rgb(data / file), hand, file=file, **about, **weak)


def holding(data: Path) -> Iterator[Shown]:
    """Every labelled crop of a hand that holds something or nothing."""
    for pack in ("photos", "crops2"):
        folder = data / "holding" / pack
        for row in read_rows(folder / "labels.csv"):
            source = row.get("source", "holding/photos")
            image = read_rgb(folder / "images" / row["file"])
            how = cv2.INTER_AREA if image.shape[0] > CROP_SIZE else cv2.INTER_CUBIC
            image = np.asarray(cv2.resize(image, (CROP_SIZE, CROP_SIZE), interpolation=how), np.uint8)
            split = "left_out" if source in HOLD_LEFT_OUT and row["split"] == "train" else row["split"]
            holds = row["label"] == "holding_object"
            kind = KIND_OF.get(row["kind"]) if holds else None
            yield Shown(
                stored(image), None, source, row["group"], split, hold=int(holds),
                kind=KINDS.index(kind) if kind else -1, file=f"holding/{pack}/{row['file']}",
            )  # fmt: skip
    folder = data / "holding" / "generated" / "train"
    for line in (folder / "train.list").read_text("utf-8").splitlines():
        name = line.rsplit("  ", 1)[0].strip()
        if (folder / name).is_file():
            image = read_rgb(folder / name)
            image = np.asarray(cv2.resize(image, (CROP_SIZE, CROP_SIZE), interpolation=cv2.INTER_AREA), np.uint8)
            yield Shown(stored(image), None, "holding/generated", name, "train", hold=int("Object" in name), file=name)


def mask_of(data: Path, row: dict[str, str], image: U8) -> U8 | None:
    """Return the mask (h, w), 0 or 255, of the one hand of a picture of signs, or None."""
    if row["mask"]:
        mask: U8 | None = np.where(read_rgb(data / "gestures/photos/masks" / row["mask"])[..., 0] > 0, 255, 0).astype(
            np.uint8
        )
    elif row["source"] == "massey_black":
        mask = np.where(cv2.GaussianBlur(image, (0, 0), 0.7).max(axis=2) > 16, 255, 0).astype(np.uint8)
    else:
        mask = cut_out(image, 128)
    return None if mask is None else largest(mask)


def cutout_of(image: U8, mask: U8, points: F32, **rest: Any) -> Cutout | None:
    """Return a hand on transparent ground, or None where mask and landmarks do not agree."""
    inside = (points >= 0).all(1) & (points < np.array(mask.shape[::-1])).all(1)
    grown = cv2.dilate(mask, np.ones((7, 7), np.uint8))
    at = points[inside].astype(int)
    hit = (grown[at[:, 1], at[:, 0]] > 0).sum() / 21
    if hit < 0.85:
        return None
    ys, xs = np.nonzero(mask > 127)
    low, high = np.array([xs.min(), ys.min()]), np.array([xs.max() + 1, ys.max() + 1])
    scale = min(1.0, CUTOUT_SIZE / float((high - low).max()))
    size = np.maximum(1, np.round((high - low) * scale)).astype(int)
    window = np.dstack((image, mask))[low[1] : high[1], low[0] : high[0]]
    rgba = np.asarray(cv2.resize(window, tuple(size.tolist()), interpolation=cv2.INTER_AREA), np.uint8)
    moved = ((points - low) * scale).astype(np.float32)
    return Cutout(rgba, moved, wrist_width(rgba[..., 3], moved), **rest)


def wrist_width(mask: U8, points: F32) -> float:
    """Return how wide the mask is across the wrist, in pixels; a share of the palm where the wrist is not in it."""
    along = points[9] - points[0]
    palm = float(np.linalg.norm(along)) + 1e-6
    across = np.array([-along[1], along[0]]) / palm
    at = points[0] + along * 0.08
    steps = np.linspace(-0.6, 0.6, 61)[:, None] * palm * across + at
    grid = steps.astype(np.float32)[None]
    row = cv2.remap(mask, grid[..., 0], grid[..., 1], cv2.INTER_LINEAR, borderValue=(0,))[0] > 127
    width = float(row.sum()) * palm * 1.2 / 61
    return width if 0.35 * palm < width < 0.95 * palm else 0.6 * palm


def _signing(data: Path, sources: tuple[str, ...]) -> Iterator[Cutout]:
    """Hands that show signs, of some sources."""
    teacher = Teacher(data)
    for row, split in sign_rows(data):
        file = f"gestures/photos/images/{row['file']}"
        hands = [h for h in teacher.of_file.get(file, []) if teacher.plausible(h)]
        if row["source"] not in sources or not hands:
            continue
        image = read_rgb(data / file)
        mask = mask_of(data, row, image)
        name = name_of(row["label"])
        best = max(hands, key=lambda h: float(np.ptp(teacher.points[h], axis=0).max()))
        made = None if mask is None else cutout_of(
            image, mask, teacher.points[best], source=row["source"], person=row["group"], split=split,
            side=teacher.side(best), fingers=stretched(teacher.world[best]), sign=NAMES.index(name) if name else -1,
        )  # fmt: skip
        if made is not None:
            yield made


def cutouts(data: Path) -> Iterator[Cutout]:
    """Hands of photographs whose mask is known."""
    yield from _signing(data, ("massey_black", "epsrc_composites"))
    teacher = Teacher(data)
    for row in read_rows(data / "segmentation" / "labels.csv"):
        file = f"segmentation/images/{row['image']}"
        hands = [h for h in teacher.of_file.get(file, []) if teacher.plausible(h)]
        if row["source"] not in ("hands_white", "hgr1") or len(hands) != 1:
            continue
        marks = cv2.imread(str(data / "segmentation" / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE)
        mask = largest(np.asarray((marks == 1) * 255, np.uint8))
        split = "val" if row["source"] == "hands_white" and int(row["group"]) % 8 == 0 else "train"
        made = None if mask is None else cutout_of(
            read_rgb(data / file), mask, teacher.points[hands[0]], source=row["source"], person=row["group"],
            split=split, side=teacher.side(hands[0]), fingers=stretched(teacher.world[hands[0]]), sign=-1,
        )  # fmt: skip
        if made is not None:
            yield made


def grabbed(data: Path) -> Iterator[Cutout]:
    """Hands of photographs on plain grounds, cut out by their colour."""
    yield from _signing(data, ("sign_digits", "asl_photos"))


def rendered(data: Path) -> Iterator[Cutout]:
    """Yield rendered hands."""
    rng = np.random.default_rng(0)
    for number in range(RENDERED):
        drawn = rendered_hand(rng, CUTOUT_SIZE, number)
        sign = NAMES.index(drawn.sign) if drawn.sign in NAMES else -1
        made = cutout_of(
            drawn.rgb, drawn.mask, drawn.points, source="rendered", person=str(number), split="train",
            side=drawn.side, fingers=stretched(drawn.world), sign=sign,
        )  # fmt: skip
        if made is not None:
            yield made


def grounds(data: Path) -> Iterator[Ground]:
    """Portraits and people; their faces by faces.npz."""
    with np.load(data / "faces.npz") as pack:
        files, boxes, owner = [str(f) for f in pack["files"]], pack["boxes"], pack["box_file"]
    faces: dict[str, list[F32]] = {}
    for box, row in zip(boxes, owner, strict=True):
        faces.setdefault(files[row], []).append(box)
    names = []
    for row in read_rows(data / "segmentation" / "labels.csv"):
        if row["source"] not in ("hands_white", "hgr1"):
            names.append((f"segmentation/images/{row['image']}", row["source"] in ("sfa_skin", "lfw_hair", "fasseg")))
    for row in read_rows(data / "touch" / "labels.csv"):
        empty = row["label"] == "no_touch" and not len(box_list(row["hand_boxes"])) and row["face_box"] == "[]"
        if row["split"] == "train" and empty and not is_kept(row["person"], 2):
            names.append((f"touch/images/{row['file']}", False))
    for name, free in names:
        image = read_rgb(data / name)
        scale = min(1.0, GROUND_SIZE / max(image.shape[:2]))
        small = np.asarray(cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
        found = faces.get(name)
        face = None if not found else max(found, key=lambda b: float(b[2] - b[0]))[:4].astype(np.float32) * scale
        yield Ground(stored(small, 90), face, "val" if is_kept(name) else "train", free)


TABLES = (holding, photos, grounds, cutouts, grabbed, rendered)


def main() -> None:
    """Write the tables that are missing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--only", nargs="+", default=[make.__name__ for make in TABLES])
    args = parser.parse_args()
    cv2.setNumThreads(1)
    args.cache.mkdir(parents=True, exist_ok=True)
    for make in TABLES:
        path = args.cache / f"{make.__name__}.pickle"
        if make.__name__ not in args.only or path.exists():
            continue
        rows: list[Any] = list(make(args.data))
        write_own(rows, path)
        print(f"{make.__name__}: {len(rows)}", flush=True)


if __name__ == "__main__":
    from recipes.hand.cache import main as run  # rows are stored under the name of the module, not as __main__

    run()
