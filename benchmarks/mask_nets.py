"""The networks for masks side by side: quality, parameters, megabytes of the file, milliseconds in our runner.

    python benchmarks/mask_nets.py [--nets snet vgg unet deeplabv3plus glove] [--sizes 320 400] [--rounds 15] [--busy]
        [--quality few_frames.json] [--json FILE]

The nets have random weights and two classes, in one channel; what they have learned changes no time. Each round asks
every net once with one thread and with two, so that whatever else runs on the machine slows all alike; the medians are
printed. Where others keep the machine busy, `--busy` adds the processor's time of one thread, which they hardly change.
The quality comes from runs of few_frames.py: the IoU at the most frames that each net learned from, where it was
measured on held-out people.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from handlens.card import ModelCard
from handlens.runner import OnnxRunner
from handlens.train.export.export import export
from handlens.train.export.graphs import canonical_graph
from handlens.train.nets.catalog import build

NETS = ("snet", "vgg", "unet", "deeplabv3plus", "segment-net")
WARM_UP = 2


def exported(name: str, size: int, folder: Path) -> Path:
    """Write the net as it is exported, at this size."""
    torch.manual_seed(0)
    card = ModelCard(name, "segment", "segment", ("background", "hand"), (size, size), "letterbox")
    graph = canonical_graph(build(name, 1).eval(), "segment")
    return export(graph, card, torch.rand(1, 3, size, size), ("probabilities",), folder / f"{name}_{size}.onnx")


def timed(calls: dict[Any, Callable[[], object]], rounds: int, clock: Callable[[], float]) -> dict[Any, float]:
    """Median milliseconds of each, asked in turns."""
    took: dict[Any, list[float]] = {key: [] for key in calls}
    for number in range(rounds + WARM_UP):
        for key, ask in calls.items():
            start = clock()
            ask()
            if number >= WARM_UP:
                took[key].append(1000 * (clock() - start))
    return {key: float(np.median(times)) for key, times in took.items()}


def questions(files: dict[str, Path], size: int, threads: int) -> dict[str, Callable[[], object]]:
    """For each net what asks it about one picture."""
    picture = np.random.default_rng(0).random((1, 3, size, size), np.float32)

    def question(file: Path) -> Callable[[], object]:
        runner = OnnxRunner(file, threads)
        return lambda: runner.run(picture)

    return {net: question(file) for net, file in files.items()}


def qualities(path: Path | None) -> dict[str, str]:
    """Of each net the IoU of its run on the most frames."""
    best: dict[str, dict[str, Any]] = {}
    for run in json.loads(path.read_text("utf-8")) if path else ():
        if "held-out people" in run["measured"] and run["frames"] > best.get(run["net"], {"frames": 0})["frames"]:
            best[run["net"]] = run
    cells = {}
    for net, run in best.items():
        row = run["measured"]["held-out people"]["IoU"]
        cells[net] = f"{row['value']:.2f} ({row['low']:.2f}-{row['high']:.2f}), {run['frames']} frames"
    return cells


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nets", nargs="+", default=list(NETS))
    parser.add_argument("--sizes", type=int, nargs="+", default=[320, 400])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--busy", action="store_true")
    parser.add_argument("--quality", type=Path)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    quality, rows = qualities(args.quality), []
    ways = [("1 thread", 1, time.perf_counter), ("2 threads", 2, time.perf_counter)]
    ways += [("1 thread, processor", 1, time.process_time)] if args.busy else []
    print(f"| net | px | quality | parameters | MB | {' | '.join(f'ms, {way}' for way, _, _ in ways)} |")
    print(f"|---|---|---|---|---|{'---|' * len(ways)}")
    for size in args.sizes:
        with tempfile.TemporaryDirectory() as folder:
            files = {net: exported(net, size, Path(folder)) for net in args.nets}
            spent = {way: timed(questions(files, size, count), args.rounds, clock) for way, count, clock in ways}
            for net, file in files.items():
                row: dict[str, Any] = {"net": net, "size": size, "quality": quality.get(net, "-")}
                row["parameters"] = sum(part.numel() for part in build(net, 1).parameters())
                row["megabytes"] = round(file.stat().st_size / 1e6, 2)
                row["milliseconds"] = {way: round(spent[way][net], 1) for way, _, _ in ways}
                rows.append(row)
                times = " | ".join(f"{value:.1f}" for value in row["milliseconds"].values())
                cells = f"| {net} | {size} | {row['quality']} | {row['parameters']:,} | {row['megabytes']:.2f} |"
                print(f"{cells} {times} |", flush=True)
    if args.json:
        args.json.write_text(json.dumps(rows, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
