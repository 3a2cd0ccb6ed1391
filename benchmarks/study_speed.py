"""Processor time that a study takes for an hour of 640 x 480 video at 5 frames a second, decoding included.

    python benchmarks/study_speed.py [--seconds 120] [--mediapipe PYTHON]

A film of so many seconds (30 frames a second, the demo clip in a loop) is coded by `study run`, with one and with two
processes. What is printed is processor time, which other programs on the machine change little, scaled to an hour, and
the wall time, which needs an idle machine to mean anything (load is the load average). PYTHON is an environment with
MediaPipe (see mediapipe_rule.py): its hands and face mesh look at the same sampled frames; decoding of the whole film
is added to its time as it is to ours. One line of JSON.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import tempfile
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av

from handlens.cli.bench import looped, resized
from handlens.io.reading import Reading
from handlens.io.sources.video import Video
from handlens.study import config as study_config
from handlens.study.database import Database
from handlens.study.join import join
from handlens.study.run import run_study
from handlens.weights import demo_clip

RATE, SAMPLED = 30, 5
RULE = Path(__file__).with_name("mediapipe_rule.py")


def make_film(path: Path, seconds: int, every: int = 1) -> None:
    with av.open(str(path), "w") as out:
        stream = out.add_stream("libx264", rate=Fraction(RATE, every), options={"g": str(2 * RATE), "crf": "23"})
        stream.width, stream.height, stream.pix_fmt = 640, 480, "yuv420p"
        for number, frame in enumerate(islice(resized(looped(demo_clip())), seconds * RATE)):
            if number % every == 0:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        out.mux(stream.encode(None))


def cpu() -> float:
    """Return the processor seconds of this process and of those it started that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def decode(film: Path) -> float:
    began = time.process_time()
    with Video(str(film), Reading(every=RATE // SAMPLED)) as video:
        for _ in video.frames():
            pass
    return time.process_time() - began


def study(folder: Path, film: Path, jobs: int) -> dict[str, float]:
    study_config.write_new(folder, [str(film)], fps=SAMPLED)
    path = folder / "study.toml"
    path.write_text(path.read_text().replace("segment_s = 120", "segment_s = 20"))
    config = study_config.load(folder)
    began, wall = cpu(), time.monotonic()
    report = run_study(config, jobs=jobs)
    told = {"cpu_s": cpu() - began, "wall_s": time.monotonic() - wall, "segments_cpu_s": report.seconds}
    began = time.process_time()
    with Database(config.database) as base:
        join(base, config, config.videos[0], base.videos()[config.videos[0].name], 1)
    return {**told, "join_cpu_s": time.process_time() - began, "frames": report.frames}


def mediapipe(python: str, folder: Path, seconds: int) -> float:
    """Return the processor seconds of MediaPipe for the sampled frames, without its start."""
    used = []
    for length in (seconds // 4, seconds):
        film = folder / f"sampled{length}.mp4"
        make_film(film, length, RATE // SAMPLED)
        began = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [python, str(RULE), "video", str(film), "--json", str(folder / "answer.json")]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, "PYTHONPATH": ""})
        ended = resource.getrusage(resource.RUSAGE_CHILDREN)
        used.append(ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime)
    return (used[1] - used[0]) * seconds / (seconds - seconds // 4)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--seconds", type=int, default=120)
    parser.add_argument("--mediapipe", metavar="PYTHON")
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp())
    hour = 3600 / asked.seconds
    try:
        film = folder / "film.mp4"
        make_film(film, asked.seconds)
        decoding = decode(film)
        one, two = (study(folder / f"jobs{jobs}", film, jobs) for jobs in (1, 2))
        told = {
            "film_s": asked.seconds,
            "frames": one["frames"],
            "decode_cpu_s_an_hour": round(decoding * hour, 1),
            "segments_cpu_s_an_hour": round(one["segments_cpu_s"] * hour, 1),
            "join_cpu_s_an_hour": round(one["join_cpu_s"] * hour, 1),
            "all_cpu_s_an_hour": round((one["segments_cpu_s"] + one["join_cpu_s"]) * hour, 1),
            "frames_a_second_of_one_core": round(one["frames"] / one["segments_cpu_s"], 1),
            "two_processes_segments_cpu_s_an_hour": round(two["segments_cpu_s"] * hour, 1),
            "wall_s_one": round(one["wall_s"], 1),
            "wall_s_two": round(two["wall_s"], 1),
            "load": os.getloadavg()[0],
        }
        if asked.mediapipe:
            theirs = mediapipe(asked.mediapipe, folder, asked.seconds)
            told["mediapipe_cpu_s_an_hour"] = round((theirs + decoding) * hour, 1)
        print(json.dumps(told))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
