"""Touch over time on clips that are composed of labelled still pictures of people that no training saw.

    python benchmarks/touch_clips.py write DATA OUT [--seed 0] [--fps 12]     # films and events.csv
    python benchmarks/touch_clips.py measure OUT [--model touch] [--opens .4 .5 .6] [--json FILE]

DATA is a folder with images/ and labels.csv (file, label, person), as `handlens evaluate touch --data` reads it. A clip
shows pictures of one person one after the other, each for .6 to 2 seconds: a camera that drifts, light that changes,
noise, and the compression of a film. So the pictures are real and the movement is not: there is no hand on its way, and
each change of a picture is a jump. `measure` asks the model at every frame, and once more as `handlens watch` does
(`handlens.follow`), and compares frames, events and the time until an event opens, for each probability of --opens at
which an event may open. `OUT` can be given to `handlens evaluate touch --data OUT` too.
"""

import argparse
import csv
import json
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from handlens.clips import frames
from handlens.evaluate.touch_events import Coded, measure_events, read_coded
from handlens.events import EventTracker
from handlens.follow import Following
from handlens.io.sinks.film import Film
from handlens.loop import Predicts
from handlens.predictor import load
from handlens.result import Result
from handlens.track import Tracker
from handlens.types import Detections, Event
from recipes.shared.source_data import read_rgb

LEAST = 2
"""Pictures of a person, for a clip."""
MOST = 6
"""Pictures in one clip."""
LONGEST = 480
NEGATIVE = ("no_touch", "overlap_no_touch")
OPEN, CLOSE = 0.5, 0.7
"""What `watch` begins with: probability that opens an event, and the share of it below which one may close."""
Row = dict[str, str]


def plans(rows: Sequence[Row], rng: np.random.Generator) -> Iterator[tuple[str, list[tuple[Row, float]]]]:
    """Yield for each clip whom it shows, and its pictures with their seconds; a touch comes after a picture without."""
    people: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row["label"] in ("touch", *NEGATIVE):
            people[row["person"]]["touch" if row["label"] == "touch" else "none"].append(row)
    for person, kinds in people.items():
        if not kinds["none"] or len(kinds["none"]) + len(kinds["touch"]) < LEAST:
            continue
        for group in kinds.values():
            rng.shuffle(group)
        touches, calm = list(kinds["touch"]), list(kinds["none"])
        for _ in range(max(1, min(2, round((len(touches) + len(calm)) / MOST)))):
            shown: list[tuple[Row, float]] = []
            for turn in range(MOST // 2):
                shown.append((calm[turn % len(calm)], float(rng.uniform(0.6, 2.0))))
                if touches:
                    shown.append((touches.pop(), float(rng.uniform(0.6, 2.0))))
            calm = calm[MOST // 2 :] + calm[: MOST // 2]
            shown.append((calm[0], 1.0))
            yield person, shown


def drifting(image: np.ndarray[Any, Any], count: int, fps: float, rng: np.random.Generator) -> Iterator[Any]:
    """Yield so many frames of a still picture as a camera by hand or a moving head would show it."""
    height, width = image.shape[:2]
    keep = np.exp(-1 / (0.4 * fps))
    state = np.zeros(5)  # x, y in sides, zoom, turn in degrees, light
    spread = np.array([0.012, 0.012, 0.012, 1.0, 0.04])
    noise = rng.normal(0, 3.0, (height + 16, width + 16, 3)).astype(np.float32)
    for _ in range(count):
        state = keep * state + np.sqrt(1 - keep**2) * spread * rng.standard_normal(5)
        matrix = cv2.getRotationMatrix2D((width / 2, height / 2), state[3], 1.04 + state[2])
        matrix[:, 2] += state[:2] * max(width, height)
        moved = cv2.warpAffine(image, matrix, (width, height), borderMode=cv2.BORDER_REFLECT_101).astype(np.float32)
        x, y = rng.integers(0, 16, 2)
        yield np.clip(moved * np.float32(1 + state[4]) + noise[y : y + height, x : x + width], 0, 255).astype(np.uint8)


def picture(path: Path) -> np.ndarray[Any, Any]:
    """Return a picture in RGB, its sides even and at most LONGEST."""
    image = read_rgb(path)
    scale = min(1.0, LONGEST / max(image.shape[:2]))
    wide, high = (max(2, int(side * scale) // 2 * 2) for side in (image.shape[1], image.shape[0]))
    return np.asarray(cv2.resize(image, (wide, high), interpolation=cv2.INTER_AREA))


def fitted(image: np.ndarray[Any, Any], like: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the picture within a frame of the same size as another one, grey around."""
    high, wide = like.shape[:2]
    scale = min(high / image.shape[0], wide / image.shape[1])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    canvas = np.full_like(like, 114)
    top, left = (high - size[1]) // 2, (wide - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return canvas


def write(data: Path, out: Path, seed: int, fps: float) -> None:
    """Write the films and events.csv."""
    with (data / "labels.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    chosen = list(plans(rows, np.random.default_rng(seed)))
    out.mkdir(parents=True, exist_ok=True)
    table: list[list[object]] = []
    for number, (person, shown) in enumerate(chosen):
        rng = np.random.default_rng([seed, number])
        name, at, told = f"clip-{number:03d}.mp4", 0, list[list[object]]()
        first = picture(data / "images" / shown[0][0]["file"])
        with Film(out / name) as film:
            for row, seconds in shown:
                count = round(seconds * fps)
                image = fitted(picture(data / "images" / row["file"]), first)
                for n, frame in enumerate(drifting(image, count, fps, rng)):
                    film.add(frame, (at + n) / fps)
                place = row.get("region", "").split(";")[0] if row["label"] == "touch" else row["label"]
                told.append([name, round(at / fps, 3), round((at + count) / fps, 3), place, person])
                at += count
        table += told
    with (out / "events.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([["source", "start", "stop", "label", "person"], *table])
    print(f"{len({row[0] for row in table})} films, {sum(row[3] not in NEGATIVE for row in table)} touches in {out}")


def played(coded: Sequence[Coded], model: Predicts) -> tuple[list[list[Result]], float]:
    """Return what a model says of each frame of each film, with identities, and processor milliseconds a frame."""
    every, spent = [], 0.0
    for one in coded:
        tracker, results = Tracker(), list[Result]()
        for frame in frames(one.path):
            begin = time.process_time()
            answer = model.predict(frame)
            spent += time.process_time() - begin
            results.append(tracker.update(answer))
        every.append(results)
    return every, 1e3 * spent / sum(len(results) for results in every)


def touch_of(result: Result) -> float:
    """Return the probability of a touch in a frame."""
    assert isinstance(result.value, Detections)
    return result.value.best_touch


def events_in(results: Sequence[Result], opens: float = OPEN) -> list[Event]:
    """Return the events of one film, with the times that `watch` begins with."""
    tracker, found = EventTracker(opens, CLOSE * opens), list[Event]()
    for result in results:
        found += tracker.update(result)
    return found + tracker.finish()


def opened_after(results: Sequence[Result], coded: Coded, opens: float = OPEN) -> list[float]:
    """Return for each coded touch that opened an event the seconds until it was open."""
    tracker, moments = EventTracker(opens, CLOSE * opens), list[float]()
    for result in results:
        tracker.update(result)
        if tracker.opened:
            moments.append(result.time + result.duration)
    waits = [[m - e.start for m in moments if e.start <= m <= e.stop + 0.3] for e in coded.events]
    return [wait[0] for wait in waits if wait]


def frame_numbers(every: Sequence[Sequence[Result]], coded: Sequence[Coded], opens: float) -> dict[str, float]:
    """Return F1 of frames at the threshold, and how often the answer changes within one picture, in a minute."""
    hit = said = true = changes = 0
    seconds = 0.0
    for results, one in zip(every, coded, strict=True):
        touched = np.array([any(e.start <= r.time < e.stop - 1e-6 for e in one.events) for r in results])
        called = np.array([touch_of(r) >= opens for r in results])
        hit, said, true = hit + int((touched & called).sum()), said + int(called.sum()), true + int(touched.sum())
        same = touched[1:] == touched[:-1]
        changes += int(((called[1:] != called[:-1]) & same).sum())
        seconds += results[-1].time
    return {"frame F1": 2 * hit / max(1, said + true), "changes a minute": 60 * changes / max(seconds, 1e-6)}


def numbers(every: Sequence[Sequence[Result]], coded: Sequence[Coded], opens: float = OPEN) -> dict[str, Any]:
    """Return frames, events and the wait until an event opens."""
    report = measure_events(coded, [events_in(results, opens) for results in every])
    found: dict[str, Any] = frame_numbers(every, coded, opens)
    found["events"] = {row["name"]: [row["value"], row["low"], row["high"]] for row in report.to_json()}
    waits = [wait for results, one in zip(every, coded, strict=True) for wait in opened_after(results, one, opens)]
    minutes = sum(results[-1].time for results in every) / 60
    sure = sum(len(events_in(results, opens)) for results in every)
    found["events a minute"] = sure / minutes
    found["opens after, median"], found["opens after, 95 %"] = (float(np.percentile(waits, q)) for q in (50, 95))
    return found


def measure(folder: Path, model: str, out: Path | None, opens: Sequence[float]) -> None:
    """Ask at every frame, and as watch does, and print both."""
    coded, told = read_coded(folder), {}
    for name, asked in (("every frame", load(model, 1)), ("followed", Following(load(model, 1)))):
        every, cost = played(coded, asked)
        rest = {"processor ms a frame": cost}
        if isinstance(asked, Following):
            rest["share of frames with the detector"] = asked.looks / sum(len(results) for results in every)
        for at in opens:
            title = name if len(opens) == 1 else f"{name}, open at {at:g}"
            told[title] = {**numbers(every, coded, at), **rest}
            print(title, json.dumps(told[title]), flush=True)
    if out is not None:
        out.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Write or measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parts = parser.add_subparsers(required=True)
    made = parts.add_parser("write")
    made.add_argument("data", type=Path)
    made.add_argument("out", type=Path)
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--fps", type=float, default=12.0)
    made.set_defaults(go=lambda args: write(args.data, args.out, args.seed, args.fps))
    asked = parts.add_parser("measure")
    asked.add_argument("out", type=Path)
    asked.add_argument("--model", default="touch")
    asked.add_argument("--json", type=Path)
    asked.add_argument("--opens", type=float, nargs="+", default=[OPEN], help="probabilities that open an event")
    asked.set_defaults(go=lambda args: measure(args.out, args.model, args.json, args.opens))
    args = parser.parse_args()
    args.go(args)


if __name__ == "__main__":
    main()
