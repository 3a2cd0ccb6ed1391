"""Measure what a watch costs: processor time as a share of one core, with somebody there and with nobody there.

    python benchmarks/low_power.py [--seconds 30]

Each run is a process of its own that plays a made video at its own speed, 640 x 480 at 25 frames a second: the demo
clip over and over, or an empty room with the noise of a sensor. Processor time is that of a long run less that of a
short one, so that loading the models does not count. It says also whether the alarm was missed: how many of the touches
of the first round of the clip became events.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from handlens.clips import frames
from handlens.events import matched
from handlens.synth.backdrop import backdrop
from handlens.types import Event
from handlens.weights import demo_clip, demo_truth

FPS, SIZE, SHORT_S = 25, (480, 640), 8.0


def write(path: Path, seconds: float, empty: bool) -> None:
    """Write the video: the demo clip over and over, or an empty room."""
    rng = np.random.default_rng(0)
    clip = [] if empty else [frame.image for frame in frames(demo_clip())]
    room = np.clip(backdrop(rng, SIZE) * 255, 0, 255) if empty else None
    with av.open(str(path), "w") as box:
        stream = box.add_stream("mpeg4", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *SIZE, "yuv420p"
        stream.options = {"b": "2000k"}
        for n in range(round(seconds * FPS)):
            image = clip[n % len(clip)] if room is None else np.clip(room + rng.normal(0, 2, room.shape), 0, 255)
            box.mux(stream.encode(av.VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")))
        box.mux(stream.encode())


def used(arguments: list[str]) -> float:
    """Run a watch and return its processor time in seconds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-m", "handlens", "watch", *arguments, "--no-page", "--no-sound", "--no-history"],
        check=True, capture_output=True,
    )  # fmt: skip
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def found(table: Path) -> int:
    """Return how many touches of the first round of the demo clip are among the events of a file."""
    import csv

    rows = list(csv.DictReader(table.open(encoding="utf-8")))
    events = [
        Event("touch", row["label"], "", float(row["start"]), float(row["stop"]), 0, 0, float(row["peak"]))
        for row in rows
        if float(row["start"]) < 14.0
    ]
    return sum(event is not None and true is not None for event, true in matched(events, demo_truth() or []))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30.0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for empty in (True, False):
            long, short = Path(folder) / f"long-{empty}.mp4", Path(folder) / f"short-{empty}.mp4"
            write(long, args.seconds, empty)
            write(short, SHORT_S, empty)
            for low in (True, False):
                flags = ["--threads", "1", *(["--low-power"] if low else [])]
                table = Path(folder) / f"{empty}-{low}.csv"
                cost = used([str(long), *flags, "--events", str(table)]) - used([str(short), *flags])
                share = cost / (args.seconds - SHORT_S)
                touches = "" if empty else f", {found(table)} of {len(demo_truth() or [])} touches"
                who = "nobody there" if empty else "somebody there"
                print(f"{who}, {'low power' if low else 'as usual'}: {share:.1%} of one core{touches}", flush=True)


if __name__ == "__main__":
    main()
