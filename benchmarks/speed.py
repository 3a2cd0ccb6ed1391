"""Time from a decoded frame to its result and memory, on 640 x 480, beside MediaPipe on the same frames in one run.

    python benchmarks/speed.py [--video FILE] [--mediapipe PYTHON] [--rounds 3] [--cores 2] [--json FILE]

Both look at the same film: the video (the demo clip unless told) scaled to 640 x 480 and looped to --frames frames.
Each runs in a process of its own, in turns, on the same cores; what is printed is the median over the rounds, and the
ratio. handlens counts identities and events in, MediaPipe the rule; memory is the most that each process held.
processor_ms is processor time a frame, of all threads and without loading (a short run is taken off a long one): on a
machine that does other work it says more than wall-clock time. The instruction sets of the processor are printed.
PYTHON is the interpreter of an environment with MediaPipe (see mediapipe_rule.py); without it handlens runs alone.
"""

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from itertools import islice
from pathlib import Path

from handlens.cli.bench import looped, resized
from handlens.io.sinks.film import Film
from handlens.weights import demo_clip

RULE = Path(__file__).with_name("mediapipe_rule.py")
LIMITS = {"median_ms": 20.0, "p95_ms": 33.0, "processor_ms": 30.0, "memory_mb": 300.0}


def make_film(video: Path, film: Path, frames: int) -> None:
    """Write the film that both look at."""
    with Film(film) as out:
        for frame in islice(resized(looped(video)), frames):
            out.add(frame.image, frame.time)


SHORT = 30
"""Frames of the short run."""
SETS = ("avx2", "avx512f", "avx512_vnni", "amx_int8")


def instruction_sets() -> list[str]:
    """Return those of SETS that this processor has, as Linux tells."""
    info = Path("/proc/cpuinfo")
    flags = set(info.read_text().split()) if info.is_file() else set()
    return [name for name in SETS if name in flags]


def timed(run: Callable[[int], dict[str, float]], frames: int) -> dict[str, float]:
    """Return what a long run tells, and the processor time a frame from it and a short one."""
    spent = []
    for count in (SHORT, frames):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        found = run(count)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return {**found, "processor_ms": round(1e3 * (spent[1] - spent[0]) / (frames - SHORT), 2)}


def handlens(film: Path, frames: int, threads: int, model: str) -> dict[str, float]:
    """One round of handlens: decoded frame to result, identities and events."""
    command = [sys.executable, "-m", "handlens", "bench", "--json", "-", "--model", model, "--video", str(film)]
    command += ["--frames", str(frames), "--threads", str(threads)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {**report["speed"], "memory_mb": report["peak_mb"], "models_mb": sum(report["models_mb"].values())}


def mediapipe(python: str, film: Path, answer: Path, frames: int) -> dict[str, float]:
    """One round of MediaPipe: decoded frame to hands, face mesh and rule."""
    command = [python, str(RULE), "video", str(film), "--json", str(answer), "--max-frames", str(frames)]
    subprocess.run(command, check=True, capture_output=True)
    report = json.loads(answer.read_text())
    return {"median_ms": report["median_ms"], "p95_ms": report["p95_ms"], "memory_mb": report["peak_rss_mb"]}


def middle(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each number over the rounds."""
    return {name: round(statistics.median(r[name] for r in rounds), 2) for name in rounds[0]}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--model", default="touch")
    parser.add_argument("--mediapipe", metavar="PYTHON")
    parser.add_argument("--frames", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--json", type=Path)
    return parser.parse_args()


def main() -> int:
    args = arguments()
    if hasattr(os, "sched_setaffinity"):  # inherited by the processes below
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: args.cores])
    ours: list[dict[str, float]] = []
    theirs: list[dict[str, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        film, told = Path(folder) / "film.mp4", Path(folder) / "answer.json"
        make_film(args.video or demo_clip(), film, args.frames)
        for _ in range(args.rounds):
            ours.append(timed(lambda count: handlens(film, count, args.cores, args.model), args.frames))
            if args.mediapipe:
                theirs.append(timed(lambda count: mediapipe(args.mediapipe, film, told, count), args.frames))
    answer: dict[str, object] = {"frames": args.frames, "rounds": args.rounds, "cores": args.cores}
    answer["handlens"] = own = middle(ours)
    peer = middle(theirs) if theirs else {}
    if peer:
        answer["mediapipe"] = peer
        answer["ratio"] = {name: round(value / own[name], 2) for name, value in peer.items()}
    answer["instruction_sets"] = instruction_sets()
    print(f"processor has {', '.join(instruction_sets()) or 'none of these: ' + ', '.join(SETS)}")
    for name, limit in LIMITS.items():
        beside = f"   MediaPipe {peer[name]:8.2f}   x {peer[name] / own[name]:.2f}" if peer else ""
        print(f"{name:<12} handlens {own[name]:8.2f} (limit {limit:g}){beside}")
    if args.json:
        args.json.write_text(json.dumps(answer, indent=1) + "\n")
    return 0 if all(own[name] <= limit for name, limit in LIMITS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
