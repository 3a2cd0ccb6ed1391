"""Measure how long before a touch the early warning comes, on rendered clips whose contacts are known.

    python benchmarks/early_warning.py render OUT.json [--clips N] [--seed S]
    python benchmarks/early_warning.py measure FILE.json ... [--demo]

`render` draws clips of rendered people: a hand comes up from below in 0.6 to 1.8 seconds and touches the face, stops
short of it, is held before it, or goes past it; the shipped model looks at every frame, and the boxes and
probabilities are written down. `measure` plays them to `handlens.live.early.Approach` and counts. Lead time is from the
warning to the first frame in which skin is within 2 mm of the face. The settings of `Approach` were chosen on the clips
of seed 1; seed 2 is measured.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from handlens.clips import frames
from handlens.events import EventTracker
from handlens.live.early import Approach, Listening, listening
from handlens.predictor import Predictor, load
from handlens.result import Result
from handlens.synth.camera_stage import Stage, random_stage
from handlens.synth.hand_on_face import CLOSE, distance
from handlens.synth.hand_plans import plan_hands
from handlens.synth.scene import compose
from handlens.track import Tracker
from handlens.types import Detections, Frame
from handlens.weights import demo_clip, demo_truth

FPS, SIZE = 12, (240, 320)
KINDS, SHARES = ("touch", "near", "front", "beside"), (0.55, 0.1, 0.2, 0.15)
REST_S, HOLD_S = 0.5, 0.6
WAY_S = (0.6, 1.8)
"""Seconds from below to the face: hands reach the face in 1.2 seconds on average (FaceGuard, 40 people)."""
PAST = 0.5  # the share of hands beside the face that go on upwards, past it


def stage_of(rng: np.random.Generator) -> Stage:
    """Return a person at a desk: a face as large as a webcam shows it, turned by less than 30 degrees."""
    while True:
        stage = random_stage(rng, SIZE)
        if 0.8 <= stage.camera.scale * 186.0 / SIZE[0] / 0.42 <= 1.3 and abs(stage.head[0, 2]) < 0.5:
            return stage


def eased(share: float) -> float:
    """Return how far a hand is after a share of its way: slow, fast, slow (minimum jerk)."""
    s = min(1.0, max(0.0, share))
    return s**3 * (10 - 15 * s + 6 * s * s)


def clip(seed: int, number: int) -> Iterator[tuple[np.ndarray[Any, Any], float, str]]:
    """Yield (picture, distance in mm, kind) of a rendered clip."""
    rng = np.random.default_rng([seed, number])
    kind = str(rng.choice(KINDS, p=SHARES))
    stage = stage_of(rng)
    skin = stage.skin
    plan = plan_hands(rng, stage, skin, kind)
    end = plan.hands[0]
    out = 1.0 if end.left else -1.0
    below = np.array([out * rng.uniform(0, 120), -rng.uniform(240, 360), rng.uniform(0, 120)], np.float32)
    way = float(rng.uniform(*WAY_S))
    after = np.array([0, 260, 0], np.float32) if kind == "beside" and rng.random() < PAST else np.zeros(3, np.float32)
    grain = np.random.default_rng([seed, number, 1])
    for n in range(round((REST_S + way + HOLD_S) * FPS)):
        t = n / FPS
        share, later = eased((t - REST_S) / way), eased((t - REST_S - way) / HOLD_S)
        placed = end.moved(np.asarray(below * (1 - share) + after * later, np.float32))
        yield compose(stage, [(placed, plan.appearance)], grain)[0], distance(placed.points, skin), kind


def written(touch: float, boxes: Detections | None) -> dict[str, Any]:
    """Return the probability and the boxes as JSON."""
    assert boxes is not None
    return {
        "touch": round(touch, 4),
        "boxes": [
            [name, round(float(score), 3), [round(float(v), 1) for v in xyxy]]
            for name, score, xyxy in zip(boxes.label_names, boxes.score, boxes.xyxy, strict=True)
        ],
    }


def listened() -> tuple[Predictor, Listening]:
    """Return the shipped model with a detector that is listened to."""
    found = listening(load("touch", 1))
    assert found is not None
    return found


def render(out: Path, clips: int, seed: int) -> None:
    """Render the clips and write what the model says of them."""
    predictor, detector = listened()
    told = []
    for number in range(clips):
        shown, gaps, kind = [], [], ""
        for n, (image, gap, name) in enumerate(clip(seed, number)):
            kind = name
            frame = Frame(image, n, n / FPS, f"clip {number}")
            value = predictor.predict(frame).value
            assert isinstance(value, Detections)
            shown.append(written(value.best_touch, detector.boxes(frame)))
            gaps.append(round(min(gap, 999.0), 1))
        told.append({"kind": kind, "fps": FPS, "size": SIZE, "gap": gaps, "frames": shown})
        out.write_text(json.dumps(told) + "\n", encoding="utf-8")
        print(f"{number + 1} of {clips}: {kind}", file=sys.stderr)


def demo() -> dict[str, Any]:
    """Return the same of the demo clip."""
    predictor, detector = listened()
    shown, fps = [], 25.0
    for frame in frames(demo_clip()):
        value = predictor.predict(frame).value
        assert isinstance(value, Detections)
        shown.append(written(value.best_touch, detector.boxes(frame)))
    gaps = [999.0] * len(shown)
    for event in demo_truth() or []:
        for n in range(event.start_frame, min(len(gaps), event.stop_frame + 1)):
            gaps[n] = 0.0
    return {"kind": "demo", "fps": fps, "size": (480, 640), "gap": gaps, "frames": shown}


def results(told: dict[str, Any], name: str) -> Iterator[Result]:
    """Yield the results of a clip that was written down."""
    names = ("face", "hand", "forehead", "eye", "nose", "mouth", "cheek", "chin", "ear")
    height, width = told["size"]
    for n, frame in enumerate(told["frames"]):
        boxes = [box for box in frame["boxes"] if box[0] in names]
        xyxy = np.array([box[2] for box in boxes], np.float32).reshape(-1, 4)
        score = np.array([box[1] for box in boxes], np.float32)
        label = np.array([names.index(box[0]) for box in boxes], np.int64)
        value = Detections(xyxy, score, label, names, touch=frame["touch"])
        yield Result("touch", n, n / told["fps"], value, name, width, height, "touch")


def frame_touch(result: Result) -> float:
    """Return the probability of a touch in a frame."""
    return result.value.best_touch if isinstance(result.value, Detections) else 0.0


def counted(told: dict[str, Any], name: str, **settings: float) -> dict[str, Any]:
    """Return the warnings of a clip, the lead of each touch, and when the model saw each touch by itself."""
    approach, tracker, events = Approach(**settings), Tracker(), EventTracker()
    warnings: list[float] = []
    opened: list[float] = []
    for result in results(told, name):
        result = tracker.update(result)
        events.update(result)
        opened += [result.time for _ in events.opened]
        if approach.update(result, frame_touch(result), events.active):
            warnings.append(result.time)
    near = np.array(told["gap"]) <= CLOSE
    starts = [n / told["fps"] for n in range(len(near)) if near[n] and (n == 0 or not near[n - 1])]
    stops = [(n + 1) / told["fps"] for n in range(len(near)) if near[n] and (n + 1 == len(near) or not near[n + 1])]
    leads: list[float | None] = []
    right = 0
    for k, start in enumerate(starts):
        since = max(start - 2.0, stops[k - 1] if k else 0.0)
        before = [warning for warning in warnings if since <= warning < start]
        leads.append(start - before[-1] if before else None)
        right += len(before[-1:])
    seen = [min((t - start for t in opened if start - 0.5 <= t), default=None) for start in starts]
    return {"leads": leads, "warnings": len(warnings), "right": right, "seen": seen,
            "inside": sum(any(a <= w < b for a, b in zip(starts, stops, strict=True)) for w in warnings)}  # fmt: skip


def numbers(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Return the numbers of some clips."""
    leads = [lead for row in rows for lead in row["leads"]]
    early = [lead for lead in leads if lead is not None]
    late = [seen for row in rows for seen in row["seen"] if seen is not None]
    warnings, right = sum(row["warnings"] for row in rows), sum(row["right"] for row in rows)
    inside = sum(row["inside"] for row in rows)
    return {
        "touches": len(leads), "warned": len(early), "warnings": warnings,
        "median_lead_s": float(np.median(early)) if early else float("nan"),
        "lead_at_least_300_ms": sum(lead >= 0.3 for lead in early) / max(1, len(leads)),
        "no_touch_after": (warnings - right - inside) / max(1, warnings),
        "alarm_alone_s": float(np.median(late)) if late else float("nan"),
    }  # fmt: skip


def measure(clips: list[dict[str, Any]], heading: str, **settings: float) -> None:
    """Print the numbers of some clips, with 95 % intervals that resample clips."""
    rows = [counted(told, f"{heading} {n}", **settings) for n, told in enumerate(clips)]
    draw = np.random.default_rng(0)
    resampled = [
        numbers([rows[i] for i in draw.integers(len(rows), size=len(rows))]) for _ in range(500 if rows else 0)
    ]
    words = []
    for name, value in numbers(rows).items():
        low, high = (
            np.nanquantile([one[name] for one in resampled], [0.025, 0.975]) if len(rows) > 1 else (value, value)
        )
        words.append(f"{name} {value:.3g} [{low:.3g} {high:.3g}]")
    print(f"{heading}: {', '.join(words)}")


def main() -> None:
    """Render or measure."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("verb", choices=("render", "measure"))
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--clips", type=int, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--demo", action="store_true", help="measure the demo clip as well")
    args = parser.parse_args()
    if args.verb == "render":
        render(args.files[0], args.clips, args.seed)
        return
    for file in args.files:
        clips = json.loads(file.read_text("utf-8"))
        measure(clips, file.stem)
        for kind in KINDS:
            measure([told for told in clips if told["kind"] == kind], f"  {kind}")
    if args.demo:
        measure([demo()], "demo")


if __name__ == "__main__":
    main()
