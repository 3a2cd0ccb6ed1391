"""Boxes of touches from pictures labelled as a whole: `python -m recipes.touch.derive_boxes --data DATA --dest SET`.

The labels of `touch/` say whether and where a face is touched; the face outlines of `faces.npz` say where that part of
the face lies. It knows no network.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.boxes import iou
from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.formats.yolo import write_yolo
from handlens.io.pictures.header import read_header
from handlens.synth.labelled_scene import SCHEMES
from recipes.shared.face_regions import NUMBER, paint_regions
from recipes.shared.source_data import FaceTable, box_list, label_face, read_rows

Boxes = NDArray[np.float32]


def touch_boxes(data: Path, scheme: str, face_and_hand: bool = False, calm: int | None = None) -> LabelledSet:
    """Return the pictures of `touch/` with boxes derived from their labels, grouped by person, split as they are.

    Args:
        face_and_hand: Boxes of faces and hands too.
        calm: In the train part at most so many pictures without a touch of one person and label. `object_at_mouth` is
            left out: with or without a touch, nobody knows.
    """
    table, names = FaceTable(data), list(dict.fromkeys(SCHEMES[scheme].values()))
    if face_and_hand:
        names = ["face", "hand", *names]
    pictures, taken = [], Counter[tuple[str, str]]()
    for row in read_rows(data / "touch" / "labels.csv"):
        taken[row["person"], row["label"]] += 1
        many = calm is not None and row["split"] == "train" and taken[row["person"], row["label"]] > calm
        if row["label"] == "object_at_mouth" or (many and row["label"] != "touch"):
            continue
        boxes = derived(row, table, scheme)
        if boxes is None:
            continue  # a touch whose face was not found
        if face_and_hand:
            faces = table.boxes.get(f"touch/images/{row['file']}", np.zeros((0, 5), np.float32))
            boxes += [("face", box[:4]) for box in faces] + [("hand", box) for box in box_list(row["hand_boxes"])]
        path = data / "touch" / "images" / row["file"]
        header = read_header(path.read_bytes())
        edges = np.array([header.width, header.height] * 2, np.float32)
        kept = [(name, np.clip(box, 0, edges)) for name, box in boxes]
        kept = [(name, box) for name, box in kept if (box[2:] - box[:2]).min() >= 2]
        corners = np.array([box for _, box in kept], np.float32).reshape(-1, 4)
        labels = np.array([names.index(name) for name, _ in kept], np.int64)
        pictures.append(
            Labelled(
                path,
                boxes=corners,
                labels=labels,
                split=row["split"],
                group=row["person"],
                width=header.width,
                height=header.height,
            )
        )
    return LabelledSet("detect", tuple(names), tuple(pictures), data / "touch")


def derived(row: Mapping[str, str], table: FaceTable, scheme: str) -> list[tuple[str, Boxes]] | None:
    """Label and box of each touch that a row of labels.csv speaks of; None where its face was not found."""
    if row["label"] != "touch":
        return []
    file = f"touch/images/{row['file']}"
    face = label_face(dict(row), table.boxes.get(file))
    if face is None:
        return None
    if scheme == "facetouch":
        return [("facetouch", face)]
    points = table.mesh_of(file, face)
    if points is None:
        return None
    touched = [name.split(" ")[0] for name in row["region"].split("/")]
    hands = box_list(row["hand_boxes"])
    found = [(SCHEMES[scheme][name], region_box(points, name, hands)) for name in touched if name in NUMBER]
    merged: dict[str, Boxes] = {}
    for name, box in found:
        if name in merged:
            box = np.concatenate((np.minimum(merged[name][:2], box[:2]), np.maximum(merged[name][2:], box[2:])))
        merged[name] = np.asarray(box, np.float32)
    return list(merged.items()) or None


def region_box(points: NDArray[np.float32], region: str, hands: Boxes) -> Boxes:
    """Return the box of a part of the face; of cheeks, eyes and ears the one that a hand covers most.

    Both without hands.

    Args:
        points: (468, 2) pixels.
        hands: (n, 4) pixels.
    """
    low = np.floor(points.min(0)) - 0.3 * np.ptp(points, axis=0)
    shape = np.ceil(np.ptp(points, axis=0) * 1.6).astype(int) + 1
    parts = paint_regions((points - low).astype(np.float32), (int(shape[1]), int(shape[0]))) == NUMBER[region]
    _, _, stats, _ = cv2.connectedComponentsWithStats(parts.astype(np.uint8))
    boxes = np.asarray(stats[1:, :4], np.float32)
    boxes = np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1) + np.tile(low, 2)
    big = boxes[stats[1:, cv2.CC_STAT_AREA] > 0.2 * stats[1:, cv2.CC_STAT_AREA].max()]
    if len(hands) and len(big) > 1:
        big = big[iou(big.astype(np.float32), hands).max(axis=1).argmax()][None]
    return np.concatenate((big[:, :2].min(0), big[:, 2:].max(0))).astype(np.float32)


def main(arguments: Sequence[str] | None = None) -> None:
    """Write the set in YOLO's layout."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with touch/ and faces.npz")
    parser.add_argument("--dest", type=Path, required=True)
    parser.add_argument("--labels", choices=sorted(SCHEMES), default="facetouch")
    parser.add_argument("--face-and-hand", action="store_true", help="boxes of faces and hands beside them")
    parser.add_argument("--calm", type=int, help="train: at most so many pictures without a touch of a person")
    args = parser.parse_args(arguments)
    write_yolo(touch_boxes(args.data, args.labels, args.face_and_hand, args.calm), args.dest)


if __name__ == "__main__":
    main()
