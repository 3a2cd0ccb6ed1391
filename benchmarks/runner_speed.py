"""Time of one answer: an exported net in our runner beside the same net in torch, in turns, in one run.

    python benchmarks/runner_speed.py [--net yolov5m] [--sizes 320 640] [--rounds 40] [--threads 2] [--busy]

The net has random weights and looks at one picture. "torch" is the net as it was trained, in evaluation and
inference mode; two faster ways to ask torch stand beside it. Each round asks all of them once, so that whatever else
runs on the machine slows all alike. Printed are medians, and the quartiles of torch's time over each other's. Where
others keep the machine busy, `--busy --threads 1` counts the processor's time instead of the clock's.
"""

import argparse
import copy
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from handlens.card import ModelCard
from handlens.kinds import KINDS as ANSWERS
from handlens.runner import OnnxRunner
from handlens.train.export.export import export
from handlens.train.export.graphs import canonical_graph
from handlens.train.nets.catalog import build, find
from handlens.train.nets.fuse import fuse

KINDS = {"touch": "detect", "hold": "classify", "gesture": "classify", "segment": "segment"}
GREY = ("digits6", "gestures20")
WARM_UP = 3
LIMIT = 1.5


def canonical_net(name: str, classes: int) -> tuple[nn.Module, str]:
    """Return the net as it is exported, and the kind of its answers."""
    kind = KINDS[find(name).task]
    return canonical_graph(build(name, classes).eval(), kind, grey=name in GREY), kind


def ways(name: str, classes: int, size: int, threads: int, folder: Path) -> dict[str, Callable[[], object]]:
    """Return the four ways to ask the net about one picture, by name."""
    torch.manual_seed(0)
    graph, kind = canonical_net(name, classes)
    labels = ("background", "hand") if kind == "segment" else tuple(f"class {n}" for n in range(classes))
    card = ModelCard(name, find(name).task, kind, labels, (size, size), "stretch")
    picture = torch.rand(1, 3, size, size)
    file = export(graph, card, picture, ANSWERS[kind].outputs, folder / f"{name}_{size}.onnx")
    runner = OnnxRunner(file, threads)
    fused = fuse(graph)
    last = copy.deepcopy(fused).to(memory_format=torch.channels_last)
    last_picture = picture.to(memory_format=torch.channels_last)
    return {
        "torch": lambda: graph(picture),
        "torch, fused": lambda: fused(picture),
        "torch, fused, channels last": lambda: last(last_picture),
        "our runner": lambda: runner.run(picture.numpy()),
    }


@torch.inference_mode()
def timed(calls: dict[str, Callable[[], object]], rounds: int, clock: Callable[[], float]) -> dict[str, list[float]]:
    """Milliseconds of every round, by way."""
    took: dict[str, list[float]] = {way: [] for way in calls}
    for number in range(rounds + WARM_UP):
        for way, ask in calls.items():
            start = clock()
            ask()
            if number >= WARM_UP:
                took[way].append((clock() - start) * 1000)
    return took


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--net", default="yolov5m")
    parser.add_argument("--classes", type=int, default=3)
    parser.add_argument("--sizes", type=int, nargs="+", default=[320, 640])
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    torch.set_num_threads(args.threads)
    clock = time.process_time if args.busy else time.perf_counter
    classes = 1 if find(args.net).task == "segment" else args.classes
    rows, good = [], True
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            took = timed(ways(args.net, classes, size, args.threads, Path(folder)), args.rounds, clock)
        print(f"{args.net}, {size} x {size}, {args.threads} threads, {args.rounds} rounds")
        for way, times in took.items():
            quartiles = np.percentile(np.array(took["torch"]) / np.array(times), (25, 50, 75)).round(2).tolist()
            rows.append({"net": args.net, "size": size, "way": way, "ms": round(float(np.median(times)), 1),
                         "times_as_fast": quartiles})  # fmt: skip
            low, middle, high = quartiles
            print(f"  {way:28}{rows[-1]['ms']:8.1f} ms   {middle:5.2f} times as fast ({low:.2f} to {high:.2f})")
        good &= quartiles[1] >= LIMIT
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    print(f"at least {LIMIT} times as fast as torch: {'yes' if good else 'no'}")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
