"""The peer to compare with: MediaPipe 0.10.21 hands and face mesh, and a rule that calls it touch when they overlap.

It must not know handlens: it runs in an environment of its own, because MediaPipe wants numpy below 2 and brings the
OpenCV wheel that overwrites ours. Make that environment anywhere outside the checkout (1.0 GB; the models come in the
wheel, so nothing is downloaded when it runs):

    python3.11 -m venv mpenv
    mpenv/bin/pip install mediapipe==0.10.21

and run this file with its python:

    mpenv/bin/python benchmarks/mediapipe_rule.py pictures --data touch --split val --json mediapipe_val.jsonl
    mpenv/bin/python benchmarks/mediapipe_rule.py video clip.mp4 --json mediapipe_clip.json

With `pictures --csv mediapipe_val.csv` it also writes the table that stands beside a model of handlens:

    handlens evaluate touch --data touch --split val --baseline mediapipe=mediapipe_val.csv --out report

The rule: a frame is a touch when one of the 21 landmarks of a hand lies inside the outline of a face (the
FACEMESH_FACE_OVAL polygon of the 468-point mesh) made SCALE times larger about the mean of its corners. `touch` is the
answer at 1.1, `touch_at` holds it at 1.0, 1.1 and 1.2. `score` is for ROC curves: the signed distance of the nearest
hand landmark to the unscaled outline, positive inside, in face heights (forehead top to chin), of the best pair of hand
and face; -100 without a hand or a face.

`pictures` writes one JSON line per picture of the split (static_image_mode, each picture alone):

    {"file", "width", "height", "touch": 0 or 1, "touch_at": {"1.0": 0, ...}, "score", "faces": count, "hands": count,
     "face_boxes": [[x1, y1, x2, y2], ...], "hand_boxes": [...], "milliseconds"}

Boxes are the bounds of the landmarks in pixels of the picture, and may reach beyond it; with --landmarks also
"hand_landmarks": hands x 21 x [x, y]. `video` writes one JSON object (tracking mode: a detector runs only while fewer
hands or faces are followed than asked for): per-frame "milliseconds", "touch", "score", and their summary. The clock
runs from the decoded RGB frame to the answer.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

VERSION = "0.10.21"
SCALES = (1.0, 1.1, 1.2)
QUOTED = 1.1
LOWEST = -100.0
TOP, CHIN = 10, 152  # of the 468-point mesh


class UsageError(Exception):
    """The user's input was wrong; the text is the one sentence to print."""


@dataclass(frozen=True)
class Answer:
    """What the rule says of one frame. hands: each (21, 2), faces: each (468, 2), float32 pixels."""

    touch_at: dict[float, bool]
    score: float
    hands: list[np.ndarray]
    faces: list[np.ndarray]


def ring(edges: Iterable[tuple[int, int]]) -> list[int]:
    """Order the directed edges of a closed outline into its corners."""
    following = dict(edges)
    corners = [min(following)]
    while (corner := following[corners[-1]]) != corners[0]:
        corners.append(corner)
    return corners


def judge(hands: list[np.ndarray], faces: list[np.ndarray], oval: list[int]) -> Answer:
    """Apply the rule to landmarks in pixels; every hand is tried on every face."""
    touch_at, score = dict.fromkeys(SCALES, False), LOWEST
    for face in faces:
        outline = face[oval]
        centre = outline.mean(axis=0)
        height = max(float(np.linalg.norm(face[TOP] - face[CHIN])), 1.0)
        points = [(float(x), float(y)) for hand in hands for x, y in hand]
        for point in points:
            score = max(score, cv2.pointPolygonTest(outline, point, True) / height)
        for scale in SCALES:
            larger = centre + scale * (outline - centre)
            touch_at[scale] |= any(cv2.pointPolygonTest(larger, point, False) >= 0 for point in points)
    return Answer(touch_at, score, hands, faces)


class Rule:
    """MediaPipe's legacy Hands and FaceMesh, and the rule over their landmarks."""

    def __init__(self, still: bool, max_hands: int, max_faces: int, confidence: float) -> None:
        import mediapipe
        from mediapipe.python.solutions import face_mesh, hands

        if mediapipe.__version__ != VERSION:
            raise UsageError(
                f"this environment has mediapipe {mediapipe.__version__}; the comparison is with {VERSION}"
            )
        self._oval = ring(face_mesh.FACEMESH_FACE_OVAL)
        limits = {"min_detection_confidence": confidence, "min_tracking_confidence": confidence}
        self._hands = hands.Hands(static_image_mode=still, max_num_hands=max_hands, **limits)
        self._mesh = face_mesh.FaceMesh(static_image_mode=still, max_num_faces=max_faces, **limits)

    def __call__(self, rgb: np.ndarray) -> Answer:
        """Judge one (h, w, 3) uint8 RGB frame."""
        size = np.array([rgb.shape[1], rgb.shape[0]], np.float32)

        def pixels(found: Any) -> list[np.ndarray]:
            return [np.array([(p.x, p.y) for p in one.landmark], np.float32) * size for one in found or []]

        hands = pixels(self._hands.process(rgb).multi_hand_landmarks)
        faces = pixels(self._mesh.process(rgb).multi_face_landmarks)
        return judge(hands, faces, self._oval)


def bounds(points: np.ndarray) -> list[float]:
    """Return x1, y1, x2, y2 of (n, 2) points, to a tenth of a pixel."""
    return [round(float(v), 1) for v in (*points.min(axis=0), *points.max(axis=0))]


def picture_line(name: str, rgb: np.ndarray, rule: Rule, landmarks: bool) -> dict[str, Any]:
    """Judge one picture and lay out its JSON line."""
    start = time.perf_counter()
    answer = rule(rgb)
    spent = 1000 * (time.perf_counter() - start)
    line: dict[str, Any] = {
        "file": name,
        "width": rgb.shape[1],
        "height": rgb.shape[0],
        "touch": int(answer.touch_at[QUOTED]),
        "touch_at": {str(scale): int(touch) for scale, touch in answer.touch_at.items()},
        "score": round(answer.score, 4),
        "faces": len(answer.faces),
        "hands": len(answer.hands),
        "face_boxes": [bounds(face) for face in answer.faces],
        "hand_boxes": [bounds(hand) for hand in answer.hands],
        "milliseconds": round(spent, 2),
    }
    if landmarks:
        line["hand_landmarks"] = [np.round(hand.astype(float), 1).tolist() for hand in answer.hands]
    return line


def split_files(data: Path, split: str) -> list[str]:
    """Return the file names of one split of DATA/labels.csv, in its order."""
    if not (labels := data / "labels.csv").is_file():
        raise UsageError(f"{data} holds no labels.csv; --data wants the touch folder with labels.csv and images/")
    with labels.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    splits = sorted({row["split"] for row in rows})
    if split not in splits:
        raise UsageError(f"there is no split '{split}' in {labels}; it has {', '.join(splits)}")
    return [row["file"] for row in rows if row["split"] == split]


def replace(path: Path, lines: Iterable[str]) -> None:
    """Write lines under a temporary name, then rename, so that nothing half-written stays."""
    half = path.with_name(path.name + ".part")
    try:
        with half.open("w") as stream:
            stream.writelines(line + "\n" for line in lines)
        half.replace(path)
    finally:
        half.unlink(missing_ok=True)


def judge_pictures(options: argparse.Namespace) -> int:
    """Run the rule over the pictures of a split; return the exit code."""
    names = split_files(options.data, options.split)
    rule = Rule(True, options.max_hands, options.max_faces or 4, options.confidence)
    unreadable = []

    def lines() -> Iterator[str]:
        for number, name in enumerate(names, 1):
            image = cv2.imread(str(options.data / "images" / name))
            if image is None:
                unreadable.append(name)
                print(f"{name} is missing or not a picture; skipped", file=sys.stderr)
                continue
            yield json.dumps(picture_line(name, cv2.cvtColor(image, cv2.COLOR_BGR2RGB), rule, options.landmarks))
            if number % 200 == 0:
                print(f"{number} of {len(names)}", file=sys.stderr)

    replace(options.json, lines())
    if options.csv:
        replace(options.csv, table(options.json))
    return 2 if unreadable else 0


def table(path: Path) -> Iterator[str]:
    """Yield the lines of the CSV that `handlens evaluate touch --baseline` reads, from the JSON lines in a file."""
    yield "file,score,called"
    for line in path.read_text().splitlines():
        answer = json.loads(line)
        yield f"{answer['file']},{answer['score']},{answer['touch']}"


def resident() -> float:
    """Return resident memory now in MB (10^6 bytes); its peak where the system does not tell the present."""
    try:
        return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6
    except OSError:
        return peak()


def peak() -> float:
    """Return the largest resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def judge_video(options: argparse.Namespace) -> int:
    """Run the rule over a video in tracking mode and write times, answers and memory; return the exit code."""
    video = cv2.VideoCapture(str(options.file))
    found, image = video.read()
    if not found:
        raise UsageError(f"{options.file} is missing or holds no frame that can be decoded")
    rule = Rule(False, options.max_hands, options.max_faces or 1, options.confidence)
    spent: list[float] = []
    touches: list[int] = []
    scores: list[float] = []
    memory: list[float] = []
    height, width = image.shape[:2]
    while found and len(spent) < options.max_frames:
        rgb = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        start = time.perf_counter()
        answer = rule(rgb)
        spent.append(round(1000 * (time.perf_counter() - start), 3))
        touches.append(int(answer.touch_at[QUOTED]))
        scores.append(round(answer.score, 4))
        if len(spent) % 100 == 1:
            memory.append(round(resident(), 1))
        found, image = video.read()
    warm = np.array(spent[options.warmup :] or spent)
    summary = {
        "file": options.file.name,
        "mediapipe": VERSION,
        "cores": options.cores or os.cpu_count(),
        "max_hands": options.max_hands,
        "max_faces": options.max_faces or 1,
        "width": width,
        "height": height,
        "frames": len(spent),
        "warmup": options.warmup,
        "median_ms": round(float(np.median(warm)), 2),
        "p95_ms": round(float(np.percentile(warm, 95)), 2),
        "mean_ms": round(float(warm.mean()), 2),
        "rss_mb": round(resident(), 1),
        "peak_rss_mb": round(peak(), 1),
        "touch_frames": sum(touches),
    }
    lists = {"milliseconds": spent, "touch": touches, "score": scores, "rss_mb_every_100_frames": memory}
    replace(options.json, [json.dumps(summary | lists)])
    print(" ".join(f"{key}={value}" for key, value in summary.items()))
    return 0


def arguments() -> argparse.ArgumentParser:
    """Describe the command line."""
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", type=Path, required=True, help="where to write")
    common.add_argument("--max-hands", type=int, default=2)
    common.add_argument("--max-faces", type=int, help="4 on pictures, 1 on a video (one person) unless told")
    common.add_argument("--confidence", type=float, default=0.5, help="least confidence of detection and of tracking")
    common.add_argument("--cores", type=int, help="keep to the first N of the cores this process may use (Linux)")
    parser = argparse.ArgumentParser(description="MediaPipe hands + face mesh, touch when they overlap")
    verbs = parser.add_subparsers(required=True)
    pictures = verbs.add_parser("pictures", parents=[common], help="judge the labelled pictures of a split")
    pictures.add_argument("--data", type=Path, required=True, help="folder with labels.csv and images/")
    pictures.add_argument("--split", default="val")
    pictures.add_argument(
        "--csv", type=Path, help="also write file, score, called, as handlens evaluate --baseline reads"
    )
    pictures.add_argument("--landmarks", action="store_true", help="also write the 21 landmarks of every hand")
    pictures.set_defaults(run=judge_pictures)
    video = verbs.add_parser("video", parents=[common], help="time the rule on a video")
    video.add_argument("file", type=Path)
    video.add_argument("--warmup", type=int, default=10, help="first frames left out of the summary")
    video.add_argument("--max-frames", type=int, default=sys.maxsize)
    video.set_defaults(run=judge_video)
    return parser


def main() -> int:
    """Run one verb; 0 done, 2 the input was wrong."""
    options = arguments().parse_args()
    if options.cores:
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: options.cores])
        cv2.setNumThreads(options.cores)
    try:
        return int(options.run(options))
    except (UsageError, OSError) as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
