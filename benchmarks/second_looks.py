"""What `hands`, `hold` and `signs` save by looking again only at faces where a hand is at stake, and what they lose.

    python benchmarks/second_looks.py DATA [--most 400] [--together 1 2]

DATA holds the labelled sets `touch` and `touch4`; pictures of val are asked about, each alone, or beside the next one
in a picture of 640 x 480. Both ways are asked in turns in one process; times are of the processor, on one thread. Hands
are compared by their boxes: "lost" are found by looking again at every face in doubt, as `touch` does, and not else.
At the end `hands` as a whole is timed on the frame of model_speed.py that shows two people.
"""

import argparse
import dataclasses
import statistics
import time
from pathlib import Path

import cv2
import numpy as np
from calibration import rows_of
from model_speed import WARM_UP, two_people

from handlens.boxes import iou
from handlens.predictor import CONTACT, Predictor
from handlens.runner import OnnxRunner, Outputs, Runner
from handlens.tasks.find_hands import Finder
from handlens.types import Floats, Frame, Image
from handlens.weights import DETECTOR, resolve
from recipes.shared.source_data import read_rgb

SAME = 0.5
"""IoU from which two boxes are of one hand."""


class Counting:
    """A model that counts the pictures it is asked about."""

    def __init__(self, runner: Runner) -> None:
        self.runner, self.card, self.asked = runner, runner.card, 0

    def run(self, batch: Floats) -> Outputs:
        """Return what the model says."""
        self.asked += len(batch)
        return self.runner.run(batch)


def beside(images: list[Image], wide: int = 640, high: int = 480) -> Image:
    """Return pictures beside one another, each in the middle of its part."""
    part = wide // len(images)
    out = np.full((high, wide, 3), 114, np.uint8)
    for place, image in enumerate(images):
        scale = min(part / image.shape[1], high / image.shape[0])
        small = cv2.resize(
            image, (int(image.shape[1] * scale), int(image.shape[0] * scale)), interpolation=cv2.INTER_AREA
        )
        y, x = (high - small.shape[0]) // 2, place * part + (part - small.shape[1]) // 2
        out[y : y + small.shape[0], x : x + small.shape[1]] = small
    return out


def missing(some: Floats, others: Floats) -> int:
    """Return how many of some boxes are none of the others."""
    if not len(some) or not len(others):
        return len(some)
    return int((iou(some, others).max(1) < SAME).sum())


def compare(images: list[Image], together: int) -> str:
    """Return what both ways find in all pictures, so many beside one another."""
    seen = Counting(opened(CONTACT))
    every = Finder(opened(DETECTOR), seen)
    ways = {"every": every, "stake": dataclasses.replace(every, hands_only=True)}
    looks, spent, hands = dict.fromkeys(ways, 0), {name: list[float]() for name in ways}, dict.fromkeys(ways, 0)
    lost = new = frames = 0
    for start in range(0, len(images) - together + 1, together):
        frame, found = Frame(beside(images[start : start + together]), frames, 0.0), {}
        frames += 1
        for name in list(ways) if frames % 2 else list(ways)[::-1]:
            before, began = seen.asked, time.process_time()
            found[name] = ways[name].find(frame).hands
            spent[name].append(1e3 * (time.process_time() - began))
            looks[name] += seen.asked - before
            hands[name] += len(found[name])
        lost += missing(found["every"], found["stake"])
        new += missing(found["stake"], found["every"])
    ratio = statistics.mean(spent["stake"]) / statistics.mean(spent["every"])
    return (
        f"{together} beside one another: {frames} pictures, hands {hands['every']} -> {hands['stake']} (lost {lost}, "
        f"new {new}), looks at faces {looks['every']} -> {looks['stake']}, processor time of finding x {ratio:.3f}"
    )


class Thorough(Predictor):
    """Looks again at every face in doubt, whatever it is asked."""

    def _finder(self) -> Finder:
        return dataclasses.replace(super()._finder(), hands_only=False)


def whole(rounds: int) -> str:
    """Return the time of `hands` on a frame with two people, in turns."""
    image, runner = two_people(), opened("hands")
    ways = {
        name: made(runner, opened=opened, helper=opened) for name, made in (("every", Thorough), ("stake", Predictor))
    }
    clock, processor = {name: list[float]() for name in ways}, {name: list[float]() for name in ways}
    for turn in range(rounds + WARM_UP):
        for name in list(ways) if turn % 2 else list(ways)[::-1]:
            began, worked = time.perf_counter(), time.process_time()
            ways[name].predict(image)
            clock[name].append(time.perf_counter() - began)
            processor[name].append(time.process_time() - worked)
    ratios = [
        statistics.median(spent["stake"][WARM_UP:]) / statistics.median(spent["every"][WARM_UP:])
        for spent in (clock, processor)
    ]
    least = min(clock["stake"]) / min(clock["every"])
    return f"hands on two people: clock x {ratios[0]:.3f} (of the least {least:.3f}), processor x {ratios[1]:.3f}"


def opened(name: str) -> OnnxRunner:
    """Return a shipped model on one thread."""
    return OnnxRunner(resolve(name), 1)


def main() -> None:
    """Ask both ways and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--most", type=int, default=400)
    parser.add_argument("--together", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=120)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    rows = list(rows_of(args.data, "val"))
    chosen = np.random.default_rng(0).permutation(len(rows))[: args.most]
    images = [read_rgb(rows[int(k)][0]) for k in chosen]
    for together in args.together:
        print(compare(images, together), flush=True)
    print(whole(args.rounds), flush=True)


if __name__ == "__main__":
    main()
