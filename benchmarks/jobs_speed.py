"""Time of the whole command `handlens predict SOURCE --json FILE` by the number of jobs, in turns in one run.

    python benchmarks/jobs_speed.py [SOURCE] [--jobs 1 2] [--rounds 3]

SOURCE is the demo clip unless told; a folder of pictures does too. The files are compared: they have the same bytes.
"""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from handlens.weights import demo_clip


def main() -> int:
    """Run, compare and print medians; return 1 where the files differ."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default=str(demo_clip()))
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    spent: dict[int, list[float]] = {jobs: [] for jobs in args.jobs}
    written: set[bytes] = set()
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(args.rounds):
            for jobs, times in spent.items():
                file = Path(folder) / "said.jsonl"
                command = [sys.executable, "-m", "handlens", "predict", args.source, "--jobs", str(jobs)]
                began = time.perf_counter()
                subprocess.run([*command, "--json", str(file)], check=True, capture_output=True)
                times.append(time.perf_counter() - began)
                written.add(file.read_bytes())
    for jobs, times in spent.items():
        print(f"{jobs} jobs  median {statistics.median(times):.2f} s")
    print("the files are the same" if len(written) == 1 else "the files differ")
    return 0 if len(written) == 1 else 1


if __name__ == "__main__":
    raise SystemExit(main())
