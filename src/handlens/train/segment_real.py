"""Adds real people to the set of `segment`: `python -m handlens.train.segment_real --run RUN --data DATA --out SET`.

Composites teach what a hand is, but not how webcams and photographers see it. So a trained segmenter marks the people
of `touch/` where it is sure and what is known of them agrees, and all else counts nowhere (noisy student, arXiv
1911.04252); photographs of hands come with the masks they have. It knows no network.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rich.progress import track

from handlens.boxes import square
from handlens.data.delivery import new_folder
from handlens.predictor import Predictor, load
from handlens.preprocess import Geometry, crop_box, prepare, to_tensor
from handlens.runner import Runner
from handlens.tasks.contact import CROP_SCALE
from handlens.train.hand_pool import read_pool
from handlens.train.pack import FaceTable, box_list, read_rgb, read_rows
from handlens.train.segment_bases import FACE, IGNORE, U8, Floats, is_late, outlined, picture_of
from handlens.train.segment_sets import HAND, NAMES, OVER, for_validation

SURE, UNSURE = 0.75, 0.3
BOXED = 0.12
"""The least share of a marked box that must be seen as hand; a box with less was not understood."""
LARGEST = 400


@dataclass(frozen=True, eq=False)
class Marked:
    """A real picture with its mask; copies: how often it is written."""

    image: U8
    mask: U8
    copies: int = 1


def people(data: Path, runner: Runner, skip: Sequence[str]) -> Iterator[Marked]:
    """The people of the training part of `touch/`, marked by a segmenter of the four classes of `segment_sets`."""
    table, touch = FaceTable(data), load("touch")
    rows = read_rows(data / "touch" / "labels.csv")
    for row in track([r for r in rows if r["split"] == "train"], "marking people"):
        if "clothing-co-parsing" in row["source"] or row["file"] in skip or is_late(row["person"]):
            continue
        file = f"touch/images/{row['file']}"
        image = read_rgb(data / file)
        picture = picture_of(table, file, image)
        maps = seconded(asked(runner, image, picture.faces), touch, image, picture.faces)
        mask = judged(maps, box_list(row["hand_boxes"]), outlined(picture), row["label"])
        yield Marked(image, mask)


def asked(runner: Runner, image: U8, faces: Floats) -> Floats:
    """(classes, H, W): the mean of what is said of the whole picture and of each face from near, and mirrored."""
    tensor, way = prepare(image, runner.card)
    total = _laid(_mirrored(runner, tensor), way)
    count = np.ones(image.shape[:2], np.float32)
    for box in square(faces, 2.6)[:3] if len(faces) else ():
        crop, near = crop_box(image, box, runner.card.size)
        x1, y1 = (max(0, int(np.ceil(v))) for v in box[:2])
        x2, y2 = int(box[2]), int(box[3])
        seen = _laid(_mirrored(runner, to_tensor([crop], runner.card)), near)
        total[:, y1:y2, x1:x2] += seen[:, y1:y2, x1:x2]
        count[y1:y2, x1:x2] += 1
    return np.asarray(total / count, np.float32)


def seconded(maps: Floats, touch: Predictor, image: U8, faces: Floats) -> Floats:
    """The same maps, the probability of a hand around each face being the mean with that of the touch model."""
    hand = maps[HAND] + maps[OVER]
    for box in square(faces, touch.card.options.get("crop_scale", CROP_SCALE))[:3] if len(faces) else ():
        crop, way = crop_box(image, box, touch.card.size)
        tensor = to_tensor([crop], touch.card)
        plain = touch.runner.run(tensor)["hand"][0]
        turned = touch.runner.run(np.ascontiguousarray(tensor[..., ::-1]))["hand"][0][..., ::-1]
        x1, y1 = (max(0, int(np.ceil(v))) for v in box[:2])
        x2, y2 = int(box[2]), int(box[3])
        told = _laid((plain + turned) / 2, way)[0, y1:y2, x1:x2]
        hand[y1:y2, x1:x2] = (hand[y1:y2, x1:x2] + told) / 2
    before = np.clip(maps[HAND] + maps[OVER], 1e-4, 1 - 1e-4)
    out = maps * ((1 - hand) / (1 - before))
    for number in (HAND, OVER):
        out[number] = maps[number] * (hand / before)
    return np.asarray(out, np.float32)


def judged(maps: Floats, boxes: Floats, known: U8, label: str) -> U8:
    """The mask of a picture of which a segmenter says `maps` (4, H, W).

    boxes: (n, 4) hands marked by the source, if it marked any. known: marks from the faces' outlines. label: as in
    `touch/`, without contact no hand lies over a face unless the label says so.
    """
    hand = maps[HAND] + maps[OVER]
    mask = np.full(known.shape, IGNORE, np.uint8)
    mask[maps[0] > SURE] = 0
    mask[(maps[FACE] > SURE) & (known != 0)] = FACE
    mask[(known == FACE) & (hand < UNSURE)] = FACE
    sure = hand > SURE
    mask[sure] = np.where((known == FACE) | (maps[OVER] > maps[HAND]), OVER, HAND)[sure]
    if label in ("no_touch",):
        mask[(known == FACE) & sure] = IGNORE
    if len(boxes):
        _held_to_boxes(mask, hand, boxes)
    return mask


def _held_to_boxes(mask: U8, hand: Floats, boxes: Floats) -> None:
    """In place: blobs of hand that no box shares may be another hand or a mistake; boxes without hand are not known."""
    inside = np.zeros(mask.shape, np.uint8)
    for box in boxes:
        x1, y1, x2, y2 = (max(0, int(v)) for v in box)
        inside[y1:y2, x1:x2] = 1
        if (hand[y1:y2, x1:x2] > 0.5).mean() < BOXED if x2 > x1 and y2 > y1 else False:
            mask[y1:y2, x1:x2] = IGNORE
    likely = np.asarray(hand > 0.5, np.uint8)
    count, parts = cv2.connectedComponents(likely, connectivity=8)
    for number in range(1, count):
        blob = parts == number
        if not inside[blob].any():
            mask[blob] = IGNORE


def _mirrored(runner: Runner, tensor: Floats) -> Floats:
    plain = runner.run(tensor)["probabilities"]
    turned = runner.run(np.ascontiguousarray(tensor[..., ::-1]))["probabilities"][..., ::-1]
    return np.asarray((plain + turned)[0] / 2, np.float32)


def _laid(maps: Floats, way: Geometry) -> Floats:
    """(classes, H, W): the maps laid over the whole source picture."""
    per_x, per_y = maps.shape[2] / way.net_width, maps.shape[1] / way.net_height
    scale_x, scale_y = way.scale_x * per_x, way.scale_y * per_y
    matrix = np.array([[scale_x, 0, 0.5 * scale_x + way.pad_x * per_x - 0.5],
                       [0, scale_y, 0.5 * scale_y + way.pad_y * per_y - 0.5]])  # fmt: skip
    flags = {"flags": cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, "borderMode": cv2.BORDER_REPLICATE}
    return np.stack([cv2.warpAffine(one, matrix, (way.width, way.height), **flags) for one in maps])


def hands(data: Path, pool: Path, sources: Sequence[str], every: int) -> Iterator[Marked]:
    """Photographs of hands with the masks of their source, and one of `every` whose hand was cut out by its colour."""
    for row in read_rows(data / "segmentation" / "labels.csv"):
        if row["source"] in sources and not is_late(f"{row['source']}/{row['group']}"):
            mask = cv2.imread(str(data / "segmentation" / "masks" / row["mask"]), cv2.IMREAD_GRAYSCALE)
            image = read_rgb(data / "segmentation" / "images" / row["image"])
            if row["source"] != "hgr1" and int(row["group"]) % 3:
                continue  # white grounds teach little
            yield Marked(image, np.asarray(mask, np.uint8), 6 if row["source"] == "hgr1" else 1)
    for number, hand in enumerate(read_pool(data, pool)):
        if not for_validation(hand) and hand.rgb is not None and number % every == 0:
            yield Marked(hand.rgb, np.where(hand.mask > 127, HAND, 0).astype(np.uint8))


def drawn(data: Path, outlines: Path) -> Iterator[Marked]:
    """Pictures of `touch/` that were outlined by eye."""
    for row in json.loads(outlines.read_text("utf-8")):
        image = read_rgb(data / "touch" / "images" / row["file"])
        layers = {}
        for value, name in ((FACE, "face"), (HAND, "hands"), (IGNORE, "ignore")):
            layers[value] = np.zeros(image.shape[:2], np.uint8)
            for polygon in row.get(name, []):
                cv2.fillPoly(layers[value], [np.round(np.reshape(polygon, (-1, 2))).astype(np.int32)], (1,))
        mask = np.where(layers[FACE] > 0, FACE, 0).astype(np.uint8)
        hull = np.zeros_like(mask)
        if layers[FACE].any():
            points = np.concatenate([np.reshape(polygon, (-1, 2)) for polygon in row["face"]])
            cv2.fillConvexPoly(hull, cv2.convexHull(np.round(points).astype(np.int32)), (1,))
        mask[layers[HAND] > 0] = np.where(hull > 0, OVER, HAND)[layers[HAND] > 0]
        mask[layers[IGNORE] > 0] = IGNORE
        yield Marked(image, mask, 8)


def write(pictures: Iterator[Marked], folder: Path, name: str) -> int:
    """Write pictures and masks of the training part, at most 400 pixels a side; return how many."""
    number = 0
    for marked in pictures:
        scale = min(1.0, LARGEST / max(marked.mask.shape))
        size = (round(marked.mask.shape[1] * scale), round(marked.mask.shape[0] * scale))
        image = cv2.resize(cv2.cvtColor(marked.image, cv2.COLOR_RGB2BGR), size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(marked.mask, size, interpolation=cv2.INTER_NEAREST_EXACT)
        for _ in range(marked.copies):
            cv2.imwrite(str(folder / "images" / "train" / f"{name}{number:05d}.jpg"), image)
            cv2.imwrite(str(folder / "masks" / "train" / f"{name}{number:05d}.png"), mask)
            number += 1
    return number


def main(arguments: Sequence[str] | None = None) -> None:
    """Mark, gather and write; the part for validation is that of the set of scenes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", required=True, help="an .onnx that `segment_sets` taught")
    parser.add_argument("--data", type=Path, required=True, help="folder with segmentation/, touch/ and gestures/")
    parser.add_argument("--pool", type=Path, required=True, help="cache of the hands cut out (hand_pool)")
    parser.add_argument("--scenes", type=Path, required=True, help="the set of segment_sets; its pictures are linked")
    parser.add_argument("--outlines", type=Path, help="hands over faces outlined by eye, a .json")
    parser.add_argument("--source", action="append", default=[], help="of segmentation/: hands with masks")
    parser.add_argument("--every", type=int, default=4)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args(arguments)
    runner = load(args.run).runner
    by_eye = [row["file"] for row in json.loads(args.outlines.read_text("utf-8"))] if args.outlines else []
    with new_folder(args.out) as folder:
        for kind in ("images", "masks"):
            (folder / kind / "train").mkdir(parents=True)
            for path in sorted((args.scenes / kind / "train").iterdir()):
                (folder / kind / "train" / path.name).hardlink_to(path)
            (folder / kind / "val").symlink_to((args.scenes / kind / "val").resolve())
        (folder / "names.txt").write_text("".join(f"{name}\n" for name in NAMES), "utf-8")
        print("people", write(people(args.data, runner, by_eye), folder, "people"))
        print("hands", write(hands(args.data, args.pool, args.source, args.every), folder, "hand"))
        if args.outlines:
            print("outlined", write(drawn(args.data, args.outlines), folder, "outlined"))


if __name__ == "__main__":
    main()
