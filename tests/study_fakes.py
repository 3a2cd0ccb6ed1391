"""What the tests of the study mode share: predictors whose answers follow from the frame, and small studies."""

import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handlens.result import Result
from handlens.study.config import StudyConfig, load, write_new
from handlens.types import Detections, Frame

NAMES = ("face", "hand", "chin", "cheek")


class Restless:
    """Sees two moving faces and a hand; how surely each is touched, and where, is drawn from the frame's number."""

    def predict(self, frame: Frame, /, min_score: float | None = None, crop: str = "hand") -> Result:
        rng = np.random.default_rng(frame.index)
        x = 5 + 20 * abs(np.sin(frame.time))
        boxes = [[x, 5, x + 12, 20], [40, 20 + 5 * np.cos(frame.time), 52, 36], [20, 20, 30, 30], [x, 14, x + 6, 20]]
        calm = int(frame.time / 1.5) % 2  # stretches with and without touches
        sure = np.clip(rng.random(2) * 0.5 + 0.5 * calm, 0, 1)
        label = [0, 0, 1, 2 + int(rng.integers(2))]
        found = Detections(
            np.array(boxes, np.float32),
            np.array([0.9, 0.9, 0.8, 0.7], np.float32),
            np.array(label),
            NAMES,
            face=np.array([-1, -1, -1, 0]),
            hand=np.array([-1, -1, -1, 2]),
            touch=float(sure.max()),
            face_touch=np.array([sure[0], sure[1], np.nan, np.nan], np.float32),
        )
        kept = found if rng.random() > 0.1 else found.select([1, 2])  # a face is missed now and then
        return Result(
            "touch",
            frame.index,
            frame.time,
            kept,
            frame.source,
            frame.width,
            frame.height,
            "restless",
            frame.duration,
        )


class Pixels(Restless):
    """Answers by what each picture shows, down to its last bit, so that one that is decoded otherwise is noticed."""

    def predict(self, frame: Frame, /, min_score: float | None = None, crop: str = "hand") -> Result:
        result = super().predict(frame)
        seed = int.from_bytes(hashlib.sha256(frame.image.tobytes()).digest()[:4], "little")
        sure = np.random.default_rng(seed).random() * 0.2 + (0.7 if int(frame.time / 1.5) % 2 else 0.0)
        if result.value.face_touch is not None and len(result.value):
            result.value.face_touch[0] = np.float32(sure)
        return result


class Steady:
    """Sees one face; it is touched at the chin in the given spans of seconds."""

    def __init__(self, spans: Sequence[tuple[float, float]]) -> None:
        self.spans = spans
        self.asked: list[int] = []

    def predict(self, frame: Frame, /, min_score: float | None = None, crop: str = "hand") -> Result:
        self.asked.append(frame.index)
        sure = 0.95 if any(start <= frame.time < stop for start, stop in self.spans) else 0.05
        found = Detections(
            np.array([[10, 5, 50, 45], [30, 30, 60, 46], [25, 33, 38, 44]], np.float32),
            np.array([0.9, 0.8, sure], np.float32),
            np.array([0, 1, 2]),
            NAMES,
            face=np.array([-1, -1, 0]),
            hand=np.array([-1, -1, 1]),
            touch=sure,
            face_touch=np.array([sure, np.nan, np.nan], np.float32),
        )
        more = (frame.source, frame.width, frame.height, "steady", frame.duration)
        return Result("touch", frame.index, frame.time, found, *more)


def study(folder: Path, videos: Sequence[Path], fps: float = 0.0, **changes: str) -> StudyConfig:
    """Write a study; `changes` replaces lines of study.toml that begin with the name."""
    write_new(folder, [str(video) for video in videos], fps=fps)
    for name, value in changes.items():
        change(folder, name, value)
    return load(folder)


def change(folder: Path, name: str, value: str) -> StudyConfig:
    """Give a key of study.toml another value."""
    path = folder / "study.toml"
    lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in path.read_text().splitlines()]
    path.write_text("\n".join(lines) + "\n")
    return load(folder)


def contents(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
