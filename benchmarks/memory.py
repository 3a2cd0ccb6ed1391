"""Does memory stay the same over an hour of video? Runs the whole loop on the demo clip, looped to an hour.

    python benchmarks/memory.py [--video FILE] [--minutes 60] [--every 1] [--json FILE]

Everything that `handlens predict` does is done: reading, answering, identities, events, JSON lines to a file. Prints
the resident memory after each ten minutes of the video's own time (each sixth of --minutes), and fails when it passes
300 MB or grows by more than 5 % from the first of these marks to the last.
"""

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Self

from handlens.cli.bench import looped, peak_mb, resident_mb, resized
from handlens.cli.outputs import open_sinks
from handlens.events import EventTracker
from handlens.loop import Step, run
from handlens.predictor import load
from handlens.track import Tracker
from handlens.types import Frame
from handlens.weights import demo_clip

LIMIT_MB, GROWTH = 300, 0.05


class Hour:
    """A video looped to any length: a source like any other."""

    kind, live, total, fps, skipped, ended = "video", False, None, None, 0, ""

    def __init__(self, video: Path, seconds: float, every: int) -> None:
        self.name, self._seconds, self._every = str(video), seconds, every

    def frames(self, on_error: object = None) -> Iterator[Frame]:
        """Yield the frames until the time is over."""
        frames = takewhile(lambda frame: frame.time <= self._seconds, looped(self.name))
        return resized(frame for frame in frames if frame.index % self._every == 0)

    def stop(self) -> None:
        """Nothing to stop: the loop just ends."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        """Nothing to close."""


class Marks:
    """Notes the memory held at each mark of the video's own time."""

    def __init__(self, apart: float) -> None:
        self.rows: list[dict[str, float]] = []
        self._apart = apart
        self._began = time.monotonic()

    def __call__(self, step: Step) -> None:
        """Look whether the next mark has been reached."""
        if step.result.time >= self._apart * (len(self.rows) + 1):
            row = {
                "minutes": round(step.result.time / 60, 1),
                "frames": step.result.index + 1,
                "resident_mb": round(resident_mb(), 1),
                "took_s": round(time.monotonic() - self._began, 1),
            }
            self.rows.append(row)
            print("{minutes:6.1f} min  {frames:7.0f} frames  {resident_mb:6.1f} MB  {took_s:6.1f} s".format(**row))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--video", type=Path)
    parser.add_argument("--model", default="touch")
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--every", type=int, default=1, help="look at every N-th frame, to be quicker")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    marks = Marks(args.minutes * 60 / 6)
    source = Hour(args.video or demo_clip(), args.minutes * 60 + 1, args.every)
    with tempfile.TemporaryDirectory() as folder, open_sinks(f"{folder}/x.jsonl", f"{folder}/x.csv", None) as sinks:
        summary = run(source, load(args.model), Tracker(), EventTracker(), sinks, progress=marks)
    held = [row["resident_mb"] for row in marks.rows]
    print(f"{summary.frames} frames, {summary.events} events, at most {peak_mb():.1f} MB")
    if args.json:
        args.json.write_text(json.dumps({"marks": marks.rows, "peak_mb": round(peak_mb(), 1)}, indent=1) + "\n")
    return 0 if max(held) <= LIMIT_MB and held[-1] <= held[0] * (1 + GROWTH) else 1


if __name__ == "__main__":
    sys.exit(main())
