"""Time that a study takes for an hour of 640 x 480 video at 5 frames a second, and how much sooner two cores end.

    python benchmarks/study_speed.py [--film-minutes 10] [--jobs 1 2] [--repeats 2] [--mediapipe PYTHON]

A film (30 frames a second, a minute of the demo clip in several zooms, mirrored and in other light, repeated) is coded
by `study run` from an empty database to the joined events, once with each number of processes. Three things are
printed, as one line of JSON:

- processor time, which other programs on the machine change little, scaled to an hour of film;
- wall time and `ratio`, the wall time of the first number of processes over that of each other one; they mean something
  on an idle machine only (`load` is the load average at the start);
- `ratio_by_processor_time`: what the ratio is to be where every process has a core of its own, from the processor time
  of each segment and of the rest.

PYTHON is an environment with MediaPipe (see mediapipe_rule.py): its hands and face mesh look at the sampled frames of
two minutes of the film; decoding of all frames is added to its time as it is to ours.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np

from handlens.cli.bench import looped, resized
from handlens.io.reading import Reading
from handlens.io.sources.video import Video
from handlens.study import config as study_config
from handlens.study.database import Database
from handlens.study.join import join
from handlens.study.run import run_study
from handlens.types import Image
from handlens.weights import demo_clip

RATE, SAMPLED = 30, 5
MINUTE = 60 * RATE
SHOT = 5 * RATE  # frames until the picture changes its zoom and light
MEDIAPIPE_S = 120
RULE = Path(__file__).with_name("mediapipe_rule.py")


def pictures() -> Iterator[Image]:
    """Yield a minute of film: the demo clip in a loop, every five seconds in another zoom, light and direction."""
    rng = np.random.default_rng(0)
    zoom, light, mirror = 1.0, 1.0, False
    for number, frame in enumerate(islice(resized(looped(demo_clip())), MINUTE)):
        if number % SHOT == 0:
            zoom, light, mirror = float(rng.uniform(0.8, 1.25)), float(rng.uniform(0.7, 1.2)), bool(rng.random() < 0.5)
        place = cv2.getRotationMatrix2D((320, 240), 0, zoom)
        image = cv2.warpAffine(frame.image, place, (640, 480), borderValue=(114, 114, 114))
        image = np.clip(image * light, 0, 255).astype(np.uint8)
        yield np.ascontiguousarray(image[:, ::-1] if mirror else image)


def make_film(path: Path, minutes: float, every: int = 1) -> None:
    """Write a film; a minute is encoded, and its packets are repeated."""
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(RATE, every), options={"g": str(2 * RATE), "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        coded = []
        for number, image in enumerate(pictures()):
            if number % every == 0:
                coded += stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24"))
        coded += stream.encode(None)
        parts = [
            (bytes(packet), packet.pts or 0, packet.dts or 0, packet.is_keyframe, packet.time_base) for packet in coded
        ]
        base = parts[0][4]
        for turn in range(max(1, -(-int(minutes * 60) // 60))):
            for data, pts, dts, key, _ in parts:
                packet = av.Packet(data)
                packet.stream, packet.time_base, packet.is_keyframe = stream, base, key
                packet.pts, packet.dts = pts + int(turn * 60 / base), dts + int(turn * 60 / base)
                if (pts + int(turn * 60 / base)) * base < minutes * 60:
                    out.mux(packet)


def cpu() -> float:
    """Return the processor seconds of this process and of those it started that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def decode(film: Path, seconds: float) -> float:
    """Return the processor seconds of decoding so many seconds of a film."""
    began = time.process_time()
    with Video(str(film), Reading(every=RATE // SAMPLED, stop=seconds)) as video:
        for _ in video.frames():
            pass
    return time.process_time() - began


def study(folder: Path, film: Path, jobs: int) -> dict[str, float]:
    """Code a film from an empty study to its events, and tell the times."""
    study_config.write_new(folder, [str(film)], fps=SAMPLED)
    config = study_config.load(folder)
    mine, began, wall = time.process_time(), cpu(), time.monotonic()
    report = run_study(config, jobs=jobs)
    told = {"cpu_s": cpu() - began, "wall_s": time.monotonic() - wall, "segments_cpu_s": report.seconds}
    told["parent_cpu_s"] = time.process_time() - mine
    with Database(config.database) as base:
        pieces = [float(row[0]) for row in base.rows("SELECT seconds FROM segments ORDER BY number")]
        began = time.process_time()
        join(base, config, config.videos[0], base.videos()[config.videos[0].name], 1)
    told["join_cpu_s"] = time.process_time() - began
    told["predicted_s"] = told["cpu_s"] if jobs == 1 else predicted(told, pieces, jobs)
    return {**told, "frames": report.frames}


def predicted(told: dict[str, float], pieces: list[float], jobs: int) -> float:
    """Return the wall time where each process has a core: start, the fullest process, and the work of the parent."""
    start = max(0.0, told["cpu_s"] - told["parent_cpu_s"] - sum(pieces)) / jobs
    busy = [0.0] * jobs
    for seconds in pieces:
        busy[busy.index(min(busy))] += seconds
    return start + max(busy) + told["parent_cpu_s"]


def mediapipe(python: str, folder: Path) -> float:
    """Return the processor seconds of MediaPipe for the sampled frames of an hour, without its start."""
    used = []
    for length in (MEDIAPIPE_S // 4, MEDIAPIPE_S):
        film = folder / f"sampled{length}.mp4"
        make_film(film, length / 60, RATE // SAMPLED)
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [python, str(RULE), "video", str(film), "--json", str(folder / "answer.json")]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": ""})
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
    return (used[1] - used[0]) * 3600 / (MEDIAPIPE_S - MEDIAPIPE_S // 4)


def measure(folder: Path, minutes: float, jobs: list[int], repeats: int) -> dict[str, object]:
    """Code one film with each number of processes, so often, and tell the medians."""
    film = folder / "film.mp4"
    make_film(film, minutes)
    told: dict[str, object] = {"film_minutes": minutes, "load": round(os.getloadavg()[0], 2)}
    runs: dict[int, list[dict[str, float]]] = {number: [] for number in jobs}
    for turn in range(repeats):
        for number in jobs:
            runs[number].append(study(folder / f"jobs{number}-{turn}", film, number))
            seconds = runs[number][-1]["wall_s"]
            print(f"{number} process{'es' * (number > 1)}: {seconds:.1f} s", file=sys.stderr)
    middle = {
        number: {key: statistics.median(one[key] for one in each) for key in each[0]} for number, each in runs.items()
    }
    hour, first = 60 / minutes, middle[jobs[0]]
    decoding = decode(film, 60) * 60
    told |= {
        "frames": first["frames"],
        "decode_cpu_s_an_hour": round(decoding, 1),
        "segments_cpu_s_an_hour": round(first["segments_cpu_s"] * hour, 1),
        "join_cpu_s_an_hour": round(first["join_cpu_s"] * hour, 1),
        "all_cpu_s_an_hour": round(first["cpu_s"] * hour, 1),
        "wall_s": {str(number): round(each["wall_s"], 1) for number, each in middle.items()},
        "cpu_s": {str(number): round(each["cpu_s"], 1) for number, each in middle.items()},
    }
    for name, key in (("ratio", "wall_s"), ("ratio_by_processor_time", "predicted_s")):
        told[name] = {str(number): round(first[key] / middle[number][key], 2) for number in jobs[1:]}
    return told


def main() -> None:
    """Measure, and print one line of JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--film-minutes", type=float, default=10.0)
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--mediapipe", metavar="PYTHON")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    try:
        told = measure(folder, asked.film_minutes, asked.jobs, asked.repeats)
        if asked.mediapipe:
            theirs = mediapipe(asked.mediapipe, folder)
            told["mediapipe_cpu_s_an_hour"] = round(theirs + float(str(told["decode_cpu_s_an_hour"])), 1)
        print(json.dumps(told))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
