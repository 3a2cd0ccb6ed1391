"""A study of twenty made videos from `init` to the report, killed in the middle; all counts are compared.

    python benchmarks/study_show.py [--videos 20] [--out DIR]

The videos are parts of the demo clip (a rendered person) in other zooms, light and direction. The study is run with two
processes, killed with SIGKILL when a third of its segments is stored, and run again; a second study of the same videos
is run in one go. Then the events of both are compared, all formats are written and read again, and the report is made.
Prints one line of JSON; ends with 1 where counts differ. DIR keeps the study, the exports and the report.
"""

import argparse
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from handlens.cli.bench import looped, resized
from handlens.study import config as study_config
from handlens.study.config import MACHINE
from handlens.study.database import Database
from handlens.study.formats.write import read
from handlens.study.results import Results
from handlens.weights import demo_clip

FORMATS = {
    "boris": ".boris",
    "boris-events": ".csv",
    "csv": ".csv",
    "eaf": "",
    "textgrid": "",
    "datavyu": "",
    "vtt": "",
}
PATIENCE_S = 900
CLI = [sys.executable, "-m", "handlens"]


def make_video(path: Path, number: int) -> None:
    """Write a video of 8 to 14 seconds: a part of the demo clip in its own zoom, light and direction."""
    rng = np.random.default_rng(number)
    zoom, light, mirror = float(rng.uniform(0.8, 1.25)), float(rng.uniform(0.7, 1.2)), bool(rng.random() < 0.5)
    first, count, rate = int(rng.integers(0, 300)), int(rng.integers(8, 15)), int(rng.choice([25, 30]))
    place = cv2.getRotationMatrix2D((320, 240), 0, zoom)
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=rate, options={"preset": "veryfast"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for frame in islice(resized(looped(demo_clip())), first, first + count * rate):
            image = cv2.warpAffine(frame.image, place, (640, 480), borderValue=(114, 114, 114))
            lit = np.clip(image * light, 0, 255).astype(np.uint8)
            shown = np.ascontiguousarray(lit[:, ::-1] if mirror else lit)
            out.mux(stream.encode(av.VideoFrame.from_ndarray(shown, format="rgb24")))
        out.mux(stream.encode(None))


def call(*words: str) -> None:
    """Run a command of handlens, and end where it fails."""
    subprocess.run([*CLI, "study", *words], check=True, stdout=subprocess.DEVNULL)


def done(database: Path) -> int:
    """Return how many segments are stored."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as base:
            return int(base.execute("SELECT count(*) FROM segments").fetchone()[0])
    except sqlite3.Error:
        return 0


def run_and_kill(folder: Path, after: int) -> int:
    """Run a study with two processes, kill it when so many segments are stored, and return how many were."""
    config = study_config.load(folder)
    process = subprocess.Popen([*CLI, "study", "run", str(folder), "--jobs", "2"], start_new_session=True)
    until = time.monotonic() + PATIENCE_S
    while done(config.database) < after and process.poll() is None and time.monotonic() < until:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    return done(config.database)


def events_of(folder: Path) -> list[tuple[object, ...]]:
    """Return all events of the model in a study."""
    config = study_config.load(folder)
    with Database(config.database) as base:
        results = Results(config, base)
        return [
            (one.video, one.subject, one.region, one.side, one.hand, one.start, one.stop, one.peak)
            for video in results.videos
            for one in results.events(video, MACHINE)
        ]


def exported(folder: Path, out: Path) -> dict[str, int]:
    """Write all formats, and return how many events each of them gives when it is read again."""
    counts = {}
    for name, suffix in FORMATS.items():
        path = out / (name + suffix)
        call("export", str(folder), "--format", name, "--out", str(path))
        files = sorted(path.iterdir()) if path.is_dir() else [path]
        counts[name] = sum(len(coding.marks) for file in files for coding in read(file))
    return counts


def show(out: Path, videos: int) -> dict[str, object]:
    """Do it all, and tell the counts."""
    place = out / "videos"
    place.mkdir(parents=True)
    for number in range(videos):
        make_video(place / f"visit{number + 1:02}.mp4", number)
    for name in ("killed", "whole"):
        call("init", str(out / name), "--videos", str(place / "*.mp4"), "--name", "Twenty visits")
    before = run_and_kill(out / "killed", max(1, videos // 3))
    began = time.monotonic()
    call("run", str(out / "killed"), "--jobs", "2")
    again = time.monotonic() - began
    call("run", str(out / "whole"))
    killed, whole = events_of(out / "killed"), events_of(out / "whole")
    (out / "exports").mkdir()
    counts = exported(out / "killed", out / "exports")
    call("report", str(out / "killed"), "--out", str(out / "report.html"), "--csv", str(out / "tables"))
    with sqlite3.connect(out / "killed" / "study.sqlite") as base:
        (twice,) = base.execute("SELECT count(*) - count(DISTINCT video_id || ' ' || frame) FROM frames").fetchone()
    return {
        "videos": videos,
        "segments_before_the_kill": before,
        "segments": done(out / "killed" / "study.sqlite"),
        "frames_twice": twice,
        "seconds_of_the_second_run": round(again, 1),
        "events": len(killed),
        "events_without_a_kill": len(whole),
        "the_same": killed == whole,
        "read_again": counts,
        "equal": killed == whole and not twice and set(counts.values()) == {len(killed)},
    }


def main() -> int:
    """Show it, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--videos", type=int, default=20)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    out = asked.out or Path(tempfile.mkdtemp())
    try:
        told = show(out, asked.videos)
    finally:
        if asked.out is None:
            shutil.rmtree(out, ignore_errors=True)
    print(json.dumps(told))
    return 0 if told["equal"] else 1


if __name__ == "__main__":
    sys.exit(main())
