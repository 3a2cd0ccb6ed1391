"""Time from a decoded frame to its result and memory, on 640 x 480, beside MediaPipe on the same frames in one run.

    python benchmarks/speed.py [--video FILE] [--mediapipe PYTHON] [--rounds 3] [--cores 2] [--json FILE]

Both look at the same film: the video (the demo clip unless told) scaled to 640 x 480 and looped to --frames frames.
Each runs in a process of its own, in turns, on the same cores; what is printed is the median over the rounds, and the
ratio. handlens counts identities and events in, MediaPipe the rule; memory is the most that each process held.
PYTHON is the interpreter of an environment with MediaPipe (see mediapipe_rule.py); without it handlens runs alone.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

from handlens.cli.bench import looped, resized
from handlens.io.sinks.film import Film
from handlens.weights import demo_clip

RULE = Path(__file__).with_name("mediapipe_rule.py")
LIMITS = {"median_ms": 20.0, "p95_ms": 33.0, "memory_mb": 300.0}


def make_film(video: Path, film: Path, frames: int) -> None:
    """Write the film that both look at."""
    with Film(film) as out:
        for frame in islice(resized(looped(video)), frames):
            out.add(frame.image, frame.time)


def handlens(film: Path, frames: int, threads: int, model: str) -> dict[str, float]:
    """One round of handlens: decoded frame to result, identities and events."""
    command = [sys.executable, "-m", "handlens", "bench", "--json", "-", "--model", model, "--video", str(film)]
    command += ["--frames", str(frames), "--threads", str(threads)]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return {**report["speed"], "memory_mb": report["peak_mb"], "models_mb": sum(report["models_mb"].values())}


def mediapipe(python: str, film: Path, answer: Path) -> dict[str, float]:
    """One round of MediaPipe: decoded frame to hands, face mesh and rule."""
    command = [python, str(RULE), "video", str(film), "--json", str(answer)]
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
        film = Path(folder) / "film.mp4"
        make_film(args.video or demo_clip(), film, args.frames)
        for _ in range(args.rounds):
            ours.append(handlens(film, args.frames, args.cores, args.model))
            if args.mediapipe:
                theirs.append(mediapipe(args.mediapipe, film, Path(folder) / "answer.json"))
    answer: dict[str, object] = {"frames": args.frames, "rounds": args.rounds, "cores": args.cores}
    answer["handlens"] = own = middle(ours)
    peer = middle(theirs) if theirs else {}
    if peer:
        answer["mediapipe"] = peer
        answer["ratio"] = {name: round(value / own[name], 2) for name, value in peer.items()}
    for name, limit in LIMITS.items():
        beside = f"   MediaPipe {peer[name]:8.2f}   x {peer[name] / own[name]:.2f}" if peer else ""
        print(f"{name:<10} handlens {own[name]:8.2f} (limit {limit:g}){beside}")
    if args.json:
        args.json.write_text(json.dumps(answer, indent=1) + "\n")
    return 0 if all(own[name] <= limit for name, limit in LIMITS.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
