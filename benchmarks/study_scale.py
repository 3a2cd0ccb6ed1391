"""Fill the database of a study with made answers for many hours, join them and write the report, and print the memory.

    python benchmarks/study_scale.py --hours 100 [--joined-hours 10]

No video is decoded and no model asked: what is measured is the database, the joining and the report. Each hour is one
video of 5 frames a second (--rate) with two faces and a touch a minute. Prints one line of JSON; peak_mb is the highest
resident memory of the process, and it is to be the same for 10 and for 100 hours. The frames of all hours are stored;
with --joined-hours only so many of them are joined, and the other hours take over their persons and events, for the
report and the export of a hundred hours without a quarter of an hour of joining.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from handlens.study.config import StudyConfig, VideoEntry
from handlens.study.database import Database, FrameRow, SegmentRow, VideoRow
from handlens.study.formats.write import write
from handlens.study.join import analysis_key, analysis_settings, join
from handlens.study.packing import Layout
from handlens.study.report import write_report, write_tables
from handlens.study.results import Results
from handlens.types import Detections

SEGMENT_S = 120
NAMES = ("face", "hand", "forehead", "eye", "nose", "mouth", "cheek", "chin", "ear")


def answer(second: float, rng: np.random.Generator) -> Detections:
    touched = 20 <= second % 60 < 23
    sure = float(np.clip(rng.normal(0.9 if touched else 0.05, 0.04), 0, 1))
    x = 200 + 40 * np.sin(second / 7)
    boxes = [[x, 100, x + 120, 240], [450, 120, 540, 230], [x + 40, 200, x + 140, 320], [x + 40, 200, x + 90, 240]]
    return Detections(
        np.array(boxes, np.float32),
        np.array([0.95, 0.9, 0.8, sure], np.float32),
        np.array([0, 0, 1, 7]),
        NAMES,
        face=np.array([-1, -1, -1, 0]),
        hand=np.array([-1, -1, -1, 2]),
        touch=sure,
        face_touch=np.array([sure, 0.02, np.nan, np.nan], np.float32),
    )


def segment(number: int, rate: int, layout: Layout, rng: np.random.Generator) -> Iterator[FrameRow]:
    for place in range(SEGMENT_S * rate):
        second = number * SEGMENT_S + place / rate
        yield FrameRow(round(second * rate), second, 1 / rate, 120.0, layout.pack(answer(second, rng)))


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024**2)


def measure(hours: int, rate: int, folder: Path, joined_hours: int) -> dict[str, float | int]:
    entries = tuple(VideoEntry(f"hour{number:03}", f"hour{number:03}.mp4") for number in range(hours))
    config = StudyConfig(folder, "scale", entries)
    layout = Layout.of(answer(0.0, np.random.default_rng(0)))
    seconds = dict.fromkeys(("store", "join", "report", "export"), 0.0)
    with Database(config.database, create=True) as base:
        run_id = base.run(
            "made", "made", config.model, {"made": "0" * 64}, {"sample_fps": config.sample_fps, "rotate": 0}
        )
        for number, entry in enumerate(entries):
            row = VideoRow(0, entry.name, entry.path, 1, 1, str(number), 640, 480, 30.0, 3600.0)
            row = VideoRow(base.put_video(row), *[getattr(row, name) for name in row.__dataclass_fields__][1:])
            began = time.process_time()
            pieces = 3600 // SEGMENT_S
            for piece in range(pieces):
                stop = None if piece == pieces - 1 else (piece + 1.0) * SEGMENT_S
                frames = list(segment(piece, rate, layout, np.random.default_rng(piece)))
                done = SegmentRow(piece, float(piece * SEGMENT_S), stop, len(frames), 0.0, {}, "")
                base.put_segment(run_id, row.id, layout.text, done, frames)
            seconds["store"] += time.process_time() - began
            began = time.process_time()
            if number < joined_hours:
                made = join(base, config, entry, row, run_id)
            row_of_it = replace(made.row, video_id=row.id)
            base.put_analysis(row_of_it, analysis_key(analysis_settings(config, entry)), made.persons, made.events)
            seconds["join"] += time.process_time() - began
            print(f"\r{number + 1} of {hours} hours, {peak_mb():.0f} MB", end="", file=sys.stderr)
        joined_mb = peak_mb()
        results = Results(config, base)
        began = time.process_time()
        write_report(results, folder / "report.html")
        write_tables(results, folder / "tables")
        seconds["report"] = time.process_time() - began
        began = time.process_time()
        write("boris", list(results.observations()), folder / "all.boris", "scale", "")
        seconds["export"] = time.process_time() - began
        events = base.rows("SELECT count(*) FROM events")[0][0]
        persons = base.rows("SELECT count(*) FROM persons")[0][0]
        frames_stored = base.rows("SELECT count(*) FROM frames")[0][0]
    return {
        "hours": hours,
        "frames_a_second": rate,
        "frames": frames_stored,
        "joined_hours": min(hours, joined_hours),
        "persons": persons,
        "events": events,
        "database_mb": round(config.database.stat().st_size / 1e6, 1),
        "report_mb": round((folder / "report.html").stat().st_size / 1e6, 1),
        "peak_mb_after_joining": round(joined_mb, 1),
        "peak_mb": round(peak_mb(), 1),
        **{f"{name}_cpu_s": round(value, 1) for name, value in seconds.items()},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--hours", type=int, default=10)
    parser.add_argument("--rate", type=int, default=5, help="frames a second")
    parser.add_argument("--joined-hours", type=int, default=0, help="all without")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = measure(asked.hours, asked.rate, Path(folder), asked.joined_hours or asked.hours)
    print(file=sys.stderr)
    print(json.dumps(told))


if __name__ == "__main__":
    main()
