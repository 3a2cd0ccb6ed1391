"""Draws what `hands` and its teacher, MediaPipe 0.10.21, see of hands at faces, on rendered people, beside each other.

    python benchmarks/landmark_picture.py draw --dest people --count 60
    mpenv/bin/python benchmarks/mediapipe_rule.py pictures --data people --split all --landmarks --json teacher.jsonl
    python benchmarks/landmark_picture.py show --data people --teacher teacher.jsonl --out landmarks-at-faces.jpg

benchmarks/mediapipe_rule.py says how to make the environment `mpenv`. `show` counts, over all pictures in which a part
of the face is touched, the hands that each of the two finds: the box around its landmarks and the true box overlap by
an IoU of .3 or more. It draws the first pictures of them in the order of the set, none is chosen by eye.
"""

from __future__ import annotations

import argparse
import csv
import json
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.boxes import iou
from handlens.data.formats.detect_format import open_set
from handlens.io.skeleton import draw_skeleton
from handlens.predictor import Predictor, load
from handlens.synth.dataset import stage_set
from handlens.types import Floats, Frame
from recipes.shared.source_data import read_rgb

FOUND = 0.3
CELL, ROWS, PAIRS = 200, 3, 3
TEACHER, OURS = "MediaPipe 0.10.21", "hands"
Image = NDArray[np.uint8]


def draw(dest: Path, count: int, seed: int) -> None:
    """Draw rendered people, and the table that the teacher's script reads."""
    stage_set(dest, count, seed=seed)
    found = open_set(dest, "detect")
    with (dest / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("file", "split"))
        table.writerows((picture.path.relative_to(dest / "images").as_posix(), "all") for picture in found)


def ours_of(model: Predictor, image: Image) -> list[Floats]:
    """Return the landmarks (21, 3) of every hand that the model sees."""
    hands = model.predict(Frame(image)).value
    assert isinstance(hands, tuple)
    return [hand.landmarks for hand in hands if hand.landmarks is not None]


def teacher_of(path: Path) -> dict[str, list[Floats]]:
    """Return the landmarks (21, 3) of every hand that the teacher saw, by file; all count as sure."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    return {
        row["file"]: [np.c_[np.asarray(hand, np.float32), np.ones(21, np.float32)] for hand in row["hand_landmarks"]]
        for row in rows
    }


def met(hands: list[Floats], truth: Floats) -> int:
    """Return how many of the true boxes (k, 4) have the landmarks of a hand in them."""
    boxes = np.array([[*hand[:, :2].min(0), *hand[:, :2].max(0)] for hand in hands], np.float32).reshape(-1, 4)
    return int((iou(truth, boxes).max(axis=1, initial=0) >= FOUND).sum())


def cell(image: Image, hands: list[Floats], about: Floats) -> Image:
    """Return a square of the picture around a box, with the skeletons drawn."""
    x1, y1, x2, y2 = about
    side = 1.25 * max(x2 - x1, y2 - y1)
    scale, middle = CELL / side, np.array([(x1 + x2) / 2, (y1 + y2) / 2])
    matrix = np.array([[scale, 0, CELL / 2 - scale * middle[0]], [0, scale, CELL / 2 - scale * middle[1]]])
    out = np.asarray(cv2.warpAffine(image, matrix, (CELL, CELL), flags=cv2.INTER_AREA), np.uint8)
    for hand in hands:
        points = np.c_[hand[:, :2] * scale + matrix[:, 2], hand[:, 2]].astype(np.float32)
        draw_skeleton(out, points, float(np.ptp(points[:, :2], axis=0).max()))
    return out


def show(data: Path, teacher: Path, out: Path) -> None:
    """Count, print and draw."""
    found, model, seen = open_set(data, "detect"), load("hands", 1), teacher_of(teacher)
    names, counts = found.names, np.zeros(3, int)
    pairs: list[Image] = []
    for picture in found:
        labels = [names[int(row)] for row in picture.labels]
        hands = np.array([box for box, name in zip(picture.boxes, labels, strict=True) if name == "hand"], np.float32)
        if not len(hands) or not set(labels) - {"hand", "face"}:
            continue
        image = read_rgb(picture.path)
        both = seen[picture.path.relative_to(data / "images").as_posix()], ours_of(model, image)
        counts += (len(hands), *(met(one, hands) for one in both))
        face = [box for box, name in zip(picture.boxes, labels, strict=True) if name == "face"]
        every = np.concatenate((hands, np.array(face, np.float32).reshape(-1, 4)))
        about = np.array([*every[:, :2].min(0), *every[:, 2:].max(0)], np.float32)
        if len(pairs) < ROWS * PAIRS:
            pairs.append(np.hstack([cell(image, one, about) for one in both]))
    print(f"hands {counts[0]}  found by {TEACHER}: {counts[1]}  by {OURS}: {counts[2]}")
    bar = np.full((26, PAIRS * 2 * CELL, 3), 24, np.uint8)
    for column in range(PAIRS * 2):
        text = (TEACHER, OURS)[column % 2]
        place = (column * CELL + 8, 18)
        cv2.putText(bar, text, place, cv2.FONT_HERSHEY_SIMPLEX, 0.5, (235, 235, 235), 1, cv2.LINE_AA)
    rows = [np.hstack(pairs[start : start + PAIRS]) for start in range(0, len(pairs), PAIRS)]
    sheet = np.vstack([bar, *(row for row in rows if row.shape[1] == bar.shape[1])])
    cv2.imwrite(str(out), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


def main() -> None:
    """Draw people, or show what both see of them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    steps = parser.add_subparsers(dest="step", required=True)
    first = steps.add_parser("draw", help="rendered people")
    first.add_argument("--dest", type=Path, required=True)
    first.add_argument("--count", type=int, default=60)
    first.add_argument("--seed", type=int, default=77)
    second = steps.add_parser("show", help="both on the same pictures")
    second.add_argument("--data", type=Path, required=True)
    second.add_argument("--teacher", type=Path, required=True)
    second.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.step == "draw":
        draw(args.dest, args.count, args.seed)
    else:
        show(args.data, args.teacher, args.out)


if __name__ == "__main__":
    main()
