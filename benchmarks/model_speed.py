"""Time from a picture to the answer of shipped models, detector included, in turns in one run.

    python benchmarks/model_speed.py [PICTURE] [--models hands segment combined] [--rounds 120] [--threads 2]

A PICTURE is scaled to 640 x 480. Without one it is a frame of the demo clip beside its mirror image: two faces and two
hands. How many hands or masks each model finds is printed too. Ask on a quiet machine: it is the clock that counts.
"""

import argparse
import statistics
import time

import cv2
import numpy as np

from handlens import frames, load
from handlens.io.pictures.read import read_picture
from handlens.types import Image
from handlens.weights import demo_clip

WARM_UP = 5
SHOWN_S = 7.6  # a hand at the nose


def two_people() -> Image:
    """Return (480, 640, 3) RGB: the middle half of a frame of the demo clip, and its mirror image."""
    image = next(frame.image for frame in frames(demo_clip()) if frame.time >= SHOWN_S)
    height, width = image.shape[:2]
    half = cv2.resize(image[:, width // 4 : width // 4 + height * 2 // 3], (320, 480), interpolation=cv2.INTER_AREA)
    return np.ascontiguousarray(np.hstack([half, half[:, ::-1]]))


def main() -> None:
    """Ask all models in turns and print medians and 95th percentiles."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("picture", nargs="?")
    parser.add_argument("--models", nargs="+", default=["hands", "segment", "combined"])
    parser.add_argument("--rounds", type=int, default=120)
    parser.add_argument("--threads", type=int, default=2)
    args = parser.parse_args()
    image = cv2.resize(read_picture(args.picture), (640, 480)) if args.picture else two_people()
    models = {name: load(name, args.threads) for name in args.models}
    spent: dict[str, list[float]] = {name: [] for name in models}
    seen: dict[str, int] = {}
    for _ in range(WARM_UP + args.rounds):
        for name, model in models.items():
            began = time.perf_counter()
            seen[name] = len(model.predict(image))
            spent[name].append(1e3 * (time.perf_counter() - began))
    print(f"{image.shape[1]} x {image.shape[0]} pixels, {args.threads} threads, {args.rounds} rounds")
    for name, times in spent.items():
        rest = times[WARM_UP:]
        tail = float(np.percentile(rest, 95))
        print(
            f"{name:10s} {seen[name]} found  median {statistics.median(rest):5.1f} ms  95th percentile {tail:5.1f} ms"
        )


if __name__ == "__main__":
    main()
