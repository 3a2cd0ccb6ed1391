"""How many training samples a second the loader makes, on made JPEGs of 640 x 480 at 320 pixels.

    python benchmarks/loader_speed.py [--size 320] [--pictures 96] [--rounds 5] [--json FILE]

One worker process makes them, in batches of 8, and nothing else is done with them. Each number is the median over the
rounds (epochs; the first, which starts the worker, is not counted). Fails when one worker makes fewer than 40 mosaics a
second.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.train.augment.config import PRESETS
from handlens.train.loader.loader import Batches, Samples

LEAST = 40.0
NAMES = ("face", "hand")


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    name: str
    preset: str
    workers: int = 1
    cache: bool = False
    size: tuple[int, int] = (480, 640)


CASES = (
    Case("unchanged", "plain"),
    Case("one picture, moved", "darknet"),
    Case("mosaic", "mosaic"),
    Case("mosaic, two workers", "mosaic", workers=2),
    Case("mosaic, kept in memory", "mosaic", cache=True),
    Case("webcam", "webcam"),
    Case("mosaic of 12 megapixels", "mosaic", size=(3000, 4000)),
)


def make_pictures(folder: Path, count: int, size: tuple[int, int]) -> LabelledSet:
    """Write JPEGs with the detail and grain of a webcam, and return them with two boxes each."""
    rng = np.random.default_rng(0)
    height, width = size
    pictures = []
    for number in range(count):
        coarse = rng.integers(30, 225, (height // 20, width // 20, 3), np.uint8)
        image = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        boxes = []
        for _ in NAMES:
            x, y = rng.integers(0, (width // 2, height // 2))
            w, h = rng.integers((width // 8, height // 8), (width // 2, height // 2))
            colour = tuple(int(v) for v in rng.integers(0, 256, 3))
            cv2.ellipse(image, (int(x + w // 2), int(y + h // 2)), (int(w // 2), int(h // 2)), 0, 0, 360, colour, -1)
            boxes.append([x, y, x + w, y + h])
        noisy = np.clip(image + rng.normal(0, 4, (height, width, 1)), 0, 255).astype(np.uint8)
        path = folder / f"{number:04}.jpg"
        path.write_bytes(cv2.imencode(".jpg", noisy, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        pictures.append(Labelled(path, width, height, np.array(boxes, np.float32), np.arange(len(NAMES))))
    return LabelledSet("detect", NAMES, tuple(pictures), folder)


def speed(found: LabelledSet, case: Case, size: int, rounds: int) -> float:
    """Return samples a second, the median over the rounds."""
    card = ModelCard("speed", "touch", "detect", NAMES, (size, size), "letterbox")
    batches = Batches(Samples(found, card, PRESETS[case.preset], cache=case.cache), 8, workers=case.workers)
    took = []
    for epoch in range(rounds + 1):
        began = time.perf_counter()
        count = sum(len(batch["image"]) for batch in batches.epoch(epoch))
        took.append(count / (time.perf_counter() - began))
    return statistics.median(took[1:])


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=320)
    parser.add_argument("--pictures", type=int, default=96)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    found: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        sets: dict[tuple[int, int], LabelledSet] = {}
        for case in CASES:
            if case.size not in sets:
                place = Path(folder) / f"{case.size[1]}x{case.size[0]}"
                place.mkdir()
                few = args.pictures if case.size == CASES[0].size else max(8, args.pictures // 6)
                sets[case.size] = make_pictures(place, few, case.size)
            found[case.name] = round(speed(sets[case.size], case, args.size, args.rounds), 1)
            print(f"{case.name:<26} {found[case.name]:8.1f} samples/s")
    print(f"one worker, mosaic: {found['mosaic']:.1f}, at least {LEAST:g} wanted")
    if args.json:
        args.json.write_text(json.dumps({"size": args.size, "samples_per_second": found}, indent=1) + "\n")
    return 0 if found["mosaic"] >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
