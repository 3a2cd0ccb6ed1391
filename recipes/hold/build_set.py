"""Crops of hands with and without an object as one set: `python -m recipes.hold.build_set ...`.

Photographs labelled by eye teach what is meant. Webcam hands, which hold nothing, the generated set, closed hands laid
over things and rendered ones can be added. It knows no network.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.boxes import square
from handlens.data.new_folder import new_folder
from handlens.predictor import HAND_SCALE
from handlens.preprocess import crop_box
from recipes.hold.composites import GRIPPING, laid
from recipes.shared.source_data import Pooled, box_list, read_pool, read_rgb, read_rows
from recipes.signs.build_colour_set import GROUNDS, SIDE, patch, toned

U8 = NDArray[np.uint8]
NOTHING, OBJECT = "nothing", "object"
MOST = 112
"""Longest side of what is cut out of bigger pictures."""


@dataclass(frozen=True, eq=False)
class Crop:
    """One hand. image (h, w, 3)."""

    image: U8
    label: str
    split: str
    group: str
    source: str


def photographs(data: Path) -> Iterator[Crop]:
    """Return the crops labelled by eye, split as they are."""
    for row in read_rows(data / "holding" / "photos" / "labels.csv"):
        image = read_rgb(data / "holding" / "photos" / "images" / row["file"])
        label = OBJECT if row["label"] == "holding_object" else NOTHING
        yield Crop(image, label, row["split"], f"photos/{row['group']}", "photos")


def generated(data: Path) -> Iterator[Crop]:
    """Return the published generated set, all for training: it measures nothing about photographs."""
    for folder, label in (("HoldingObject", OBJECT), ("HoldingNothing", NOTHING)):
        for path in sorted((data / "holding" / "generated").glob(f"*/{folder}/*")):
            yield Crop(read_rgb(path), label, "train", f"generated/{path.stem}", "generated")


def webcam_hands(data: Path) -> Iterator[Crop]:
    """Hands of people who sign, by the boxes of their sources: they hold nothing."""
    for row in read_rows(data / "touch" / "labels.csv"):
        boxes = box_list(row["hand_boxes"])
        if row["label"] == "object_at_mouth" or not len(boxes):
            continue
        image = read_rgb(data / "touch" / "images" / row["file"])
        for box in boxes:
            yield Crop(cut(image, box), NOTHING, "train", f"webcam/{row['person']}", "webcam")


def labelled_here(data: Path) -> Iterator[Crop]:
    """Hands that the shipped detector found in photographs of `touch/` and `ccp_skin`, labelled by eye by us."""
    for row in read_rows(Path(__file__).with_name("labels.csv")):
        box = np.array([float(side) for side in row["box"].split()], np.float32)
        yield Crop(cut(read_rgb(data / row["file"]), box), row["label"], "train", f"found/{row['file']}", "found")


def composites(data: Path, pool: Sequence[Pooled], count: int, seed: int) -> Iterator[Crop]:
    """Return closed hands of the pool laid over things or over bare grounds, half and half; open ones hold nothing."""
    rng = np.random.default_rng(seed)
    closed = [hand for hand in pool if hand.sign in GRIPPING]
    rows = read_rows(data / "segmentation" / "labels.csv")
    paths = [data / "segmentation" / "images" / row["image"] for row in rows if row["source"] in GROUNDS]
    for number in range(count):
        holds = number % 2 == 0
        hands = closed if holds or rng.random() < 0.8 else pool
        hand = hands[int(rng.integers(len(hands)))]
        ground, texture = (read_rgb(paths[int(rng.integers(len(paths)))]) for _ in range(2))
        image = gripping(rng, hand, patch(rng, ground), patch(rng, texture), holds)
        if image is not None:
            yield Crop(
                image, OBJECT if holds else NOTHING, "train", f"composite/{hand.source}/{hand.group}", "composite"
            )


def gripping(rng: Generator, hand: Pooled, ground: U8, texture: U8, holds: bool) -> U8 | None:
    """One composite as a detector would cut it out: (96, 96, 3), seen coarsely like a small hand in a big picture."""
    assert hand.rgb is not None
    alpha = cv2.erode(hand.mask, np.ones((3, 3), np.uint8))
    ys, xs = np.nonzero(alpha)
    if not len(xs):
        return None
    low, high = np.array([xs.min(), ys.min()]), np.array([xs.max(), ys.max()])
    if rng.random() < 0.7 and high[1] - low[1] > 1.3 * (high[0] - low[0]):  # boxes of hands end at the wrist
        high[1] = low[1] + 1.3 * (high[0] - low[0])
    centre = (low + high) / 2
    scale = float(rng.uniform(0.62, 0.95)) * SIDE / max(high - low + 1)
    matrix = cv2.getRotationMatrix2D((float(centre[0]), float(centre[1])), float(rng.uniform(-180, 180)), scale)
    matrix[:, 2] += SIDE / 2 - centre + rng.uniform(-0.06, 0.06, 2) * SIDE
    rgba = np.ascontiguousarray(np.dstack((toned(rng, hand.rgb), alpha)))
    moved = np.asarray(cv2.warpAffine(rgba, matrix, (SIDE, SIDE), flags=cv2.INTER_LINEAR), np.uint8)
    if rng.random() < 0.5:
        moved = np.ascontiguousarray(moved[:, ::-1])
    image = laid(rng, moved[..., :3], moved[..., 3], ground, texture, holds)
    coarse = int(rng.uniform(36, 96))
    return np.asarray(cv2.resize(image, (coarse, coarse), interpolation=cv2.INTER_AREA), np.uint8)


MAKERS: dict[str, Callable[[Path], Iterator[Crop]]] = {
    "photographs": photographs, "found": labelled_here, "generated": generated, "webcam": webcam_hands
}  # fmt: skip
"""What can be taken. `generated` and `webcam` look unlike photographs and are mostly of one label each, so a net learns
to tell the sources instead: with them balanced accuracy on photographs fell from .66 to .52."""


def cut(image: U8, box: NDArray[np.float32]) -> U8:
    """Return the square around a hand as inference cuts it, at most 112 pixels."""
    (around,) = square(np.asarray(box[None, :4], np.float32), HAND_SCALE)
    return crop_box(image, around, int(np.clip(around[2] - around[0], 24, MOST)))[0]


def main(arguments: Sequence[str] | None = None) -> None:
    """Gather, write class folders with groups.csv, and say how many of each there are."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with holding/ and touch/")
    parser.add_argument(
        "--source", action="append", choices=sorted(MAKERS), help="what to take; photographs and found when left out"
    )
    parser.add_argument("--webcam", type=int, default=1, metavar="N", help="take every so many-th webcam hand (1)")
    parser.add_argument("--held", type=Path, action="append", default=[], help="sets of recipes.hold.render")
    parser.add_argument(
        "--pool", type=Path, help="cache of hands cut out of photographs, made when missing; for composites"
    )
    parser.add_argument("--composites", type=int, default=6000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dest", type=Path, required=True)
    args = parser.parse_args(arguments)
    counts: Counter[tuple[str, str, str]] = Counter()
    with new_folder(args.dest) as folder:
        lines = ["file,group"]
        for source in args.source or ("photographs", "found"):
            step = args.webcam if source == "webcam" else 1
            for crop in islice(MAKERS[source](args.data), 0, None, step):
                lines.append(_write(folder, crop, counts))
        if args.pool:
            for crop in composites(args.data, read_pool(args.data, args.pool), args.composites, args.seed):
                lines.append(_write(folder, crop, counts))
        for path in args.held:
            for crop in _rendered(path):
                lines.append(_write(folder, crop, counts))
        (folder / "groups.csv").write_text("\n".join(lines) + "\n", "utf-8")
    print("\n".join(f"{' '.join(key):<28}{number:>6}" for key, number in sorted(counts.items())))


def _rendered(path: Path) -> Iterator[Crop]:
    for folder, label in (("holding_object", OBJECT), ("holding_nothing", NOTHING)):
        for picture in sorted(path.glob(f"*/{folder}/*")):
            yield Crop(read_rgb(picture), label, "train", f"render/{picture.stem}", "render")


def _write(folder: Path, crop: Crop, counts: Counter[tuple[str, str, str]]) -> str:
    counts[crop.split, crop.source, crop.label] += 1
    name = f"{crop.split}/{crop.label}/{crop.source}_{sum(counts.values()):05d}.jpg"
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / name), crop.image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])
    return f"{name},{crop.group}"


if __name__ == "__main__":
    main()
