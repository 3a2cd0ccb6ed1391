"""Time of models of one kind on the same input, in turns in one process: a new face net beside the one that ships.

    python benchmarks/face_net_speed.py touch=new/touch.onnx shipped=old/touch.onnx [--batch 1] [--rounds 300]

Each round asks every model once, so that a busy machine slows all alike; what is printed is the median and the 95th
percentile of wall-clock time and the mean of processor time, with the instruction sets that the processor has.
"""

import argparse
import statistics
import time
from pathlib import Path

import numpy as np

from handlens.runner import OnnxRunner

SETS = ("avx2", "avx512f", "avx512_vnni", "amx_int8")


def instruction_sets() -> list[str]:
    """Those of SETS that this processor has, as Linux tells."""
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text().split()) if info.is_file() else set()
    return [name for name in SETS if name in flags]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="NAME=FILE")
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    pairs = [text.split("=", 1) for text in args.models]
    runners = {name: OnnxRunner(Path(path), args.threads) for name, path in pairs}
    rng = np.random.default_rng(0)
    inputs = {
        name: rng.standard_normal((args.batch, 3, *runner.card.size)).astype(np.float32)
        for name, runner in runners.items()
    }
    wall: dict[str, list[float]] = {name: [] for name in runners}
    work: dict[str, list[float]] = {name: [] for name in runners}
    for turn in range(args.rounds + 20):
        for name, runner in runners.items():
            begin, spent = time.perf_counter(), time.process_time()
            runner.run(inputs[name])
            if turn >= 20:
                wall[name].append(1e3 * (time.perf_counter() - begin))
                work[name].append(1e3 * (time.process_time() - spent))
    print(
        f"batch {args.batch}, {args.threads} threads, processor has {', '.join(instruction_sets()) or 'none of these'}"
    )
    for name, runner in runners.items():
        row = sorted(wall[name])
        print(
            f"{name:<16} {runner.card.size[0]} px  median {statistics.median(row):6.2f} ms  "
            f"95 % {row[int(0.95 * len(row))]:6.2f} ms  processor {statistics.mean(work[name]):6.2f} ms"
        )


if __name__ == "__main__":
    main()
