"""The verb `bench`: how fast, how much memory, how big on this machine; it must not measure anything itself."""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import cv2
import numpy as np
import typer

from handlens.cli import options
from handlens.errors import InputError
from handlens.events import EventTracker
from handlens.follow import followed
from handlens.io.sources.open import open_source
from handlens.predictor import load
from handlens.tasks.answering import answering as how_answered
from handlens.track import Tracker
from handlens.types import Frame
from handlens.weights import resolve, shipped

if TYPE_CHECKING:
    pass

Json = Annotated[str | None, typer.Option("--json", metavar="FILE|-", help="Write the numbers; - writes to stdout.")]
Frames = Annotated[int, typer.Option("--frames", min=1, max=10_000_000, metavar="N", help="How many frames are timed.")]
Video = Annotated[str | None, typer.Option("--video", metavar="FILE", help="Another video than the demo clip.")]


def bench(
    json: Json = None,
    model: options.Model = "touch",
    video: Video = None,
    frames: Frames = 300,
    threads: options.Threads = None,
) -> None:
    """Measure speed, memory and size on this machine."""
    import dataclasses
    from json import dumps

    from handlens.cli.console import Bar
    from handlens.io.atomic import AtomicFile
    from handlens.weights import demo_clip

    with Bar() as bar:
        bar.begin("measuring", frames + WARM_UP)
        numbers = measure(model, video or demo_clip(), frames, threads, bar.count)
    text = dumps(dataclasses.asdict(numbers), indent=1) + "\n"
    if json == "-":
        print(text, end="")
        return
    print(_table(numbers))
    if json is not None:
        with AtomicFile(json) as draft:
            draft.write(text.encode())


def _table(numbers: "Bench") -> str:
    speed = numbers.speed
    sizes = ", ".join(f"{name} {size:.2f} MB" for name, size in numbers.models_mb.items())
    rows = [
        ("model", f"{numbers.model}, ready in {numbers.load_ms:.0f} ms, {numbers.cores} cores"),
        ("frames", f"{speed.frames} of {numbers.width} x {numbers.height}, decoded frame to result"),
        ("median", f"{speed.median_ms:.1f} ms"),
        ("95th percentile", f"{speed.p95_ms:.1f} ms"),
        ("memory", f"{numbers.resident_mb:.0f} MB resident, {numbers.peak_mb:.0f} MB at most"),
        ("one hand", ", ".join(f"{name} {ms:.2f} ms" for name, ms in numbers.hand_ms.items()) or "no model"),
        ("models", f"{sizes or 'none'}, {sum(numbers.models_mb.values()):.2f} MB in all"),
    ]
    return "\n".join(f"{name:<16} {text}" for name, text in rows)


WIDTH, HEIGHT = 640, 480
WARM_UP = 10  # the first answers are slower: memory is being laid out


@dataclass(frozen=True)
class Speed:
    """Time from a decoded frame to its result. median_ms, p95_ms: milliseconds; frames: how many were timed."""

    frames: int
    median_ms: float
    p95_ms: float


def time_frames(process: Callable[[Frame], object], frames: Iterable[Frame], warm_up: int = WARM_UP) -> Speed:
    """Time `process` on each frame, decoding not counted; the first `warm_up` frames are looked at but not counted.

    Raises:
        ValueError: there were not more frames than the warm-up takes.
    """
    took: list[float] = []
    for frame in frames:
        start = time.perf_counter()
        process(frame)
        took.append((time.perf_counter() - start) * 1000)
    counted = took[warm_up:]
    if not counted:
        raise ValueError(f"nothing to time: {len(took)} frames, of which {warm_up} only warm up")
    return Speed(len(counted), float(np.median(counted)), float(np.percentile(counted, 95)))


def resized(frames: Iterable[Frame], width: int = WIDTH, height: int = HEIGHT) -> Iterator[Frame]:
    """Yield the frames at that size, the picture whole and centred on grey."""
    for frame in frames:
        scale = min(width / frame.width, height / frame.height)
        wide, high = max(1, round(frame.width * scale)), max(1, round(frame.height * scale))
        left, top = (width - wide) // 2, (height - high) // 2
        image = np.full((height, width, 3), 114, np.uint8)
        image[top : top + high, left : left + wide] = cv2.resize(
            frame.image, (wide, high), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        )
        yield Frame(image, frame.index, frame.time, frame.source)


def resident_mb() -> float:
    """Return the memory this process holds now, in MB (10^6 bytes); where the system does not tell, its peak."""
    status = Path("/proc/self/statm")
    if status.is_file():
        return int(status.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
    return peak_mb()


def peak_mb() -> float:
    """Return the most memory this process has held, in MB (10^6 bytes); 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0.0
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most / 1e6 if sys.platform == "darwin" else most * 1024 / 1e6  # bytes there, KiB elsewhere


def looped(path: str | Path) -> Iterator[Frame]:
    """Yield the frames of a video again and again without end, index and time running on.

    Raises:
        InputError: it is not a video, or holds no frame.
    """
    index, shift = 0, 0.0
    while True:
        last, step = 0.0, 0.0
        with open_source(path) as source:
            for frame in source.frames():
                last, step = frame.time, frame.time - last or step
                yield Frame(frame.image, index, shift + frame.time, frame.source)
                index += 1
        if index == 0:
            raise InputError(f"'{path}' holds no frame that can be read.")
        shift += last + step


@dataclass(frozen=True)
class Bench:
    """What was measured.

    Attributes:
        load_ms: Until the model can be asked; memory and sizes in MB (10^6 bytes)
        hand_ms: What each shipped model that judges hands takes for one hand, median.
    """

    model: str
    source: str
    width: int
    height: int
    cores: int
    load_ms: float
    speed: Speed
    resident_mb: float
    peak_mb: float
    models_mb: dict[str, float]
    hand_ms: dict[str, float]


def time_hands(threads: int | None = None, times: int = 50) -> dict[str, float]:
    """Return what each shipped model that judges hands takes from a crop of 160 x 160 to its label: median, ms."""
    image = np.zeros((160, 160, 3), np.uint8)
    cv2.ellipse(image, (80, 90), (40, 60), 20, 0, 360, (255, 255, 255), -1)
    took = {}
    for name in shipped():
        predictor = load(name, threads)
        if how_answered(predictor.card).judges_crops:
            frames = (Frame(image) for _ in range(times + WARM_UP))
            took[name] = round(time_frames(partial(predictor.predict, crop="whole"), frames).median_ms, 3)
    return took


def measure(
    model: str, video: str | Path, frames: int = 300, threads: int | None = None, tick: Callable[[], object] = int
) -> Bench:
    """Measure a model from decoded frame to result, as `watch` asks it (identities and events too), at 640 x 480.

    Args:
        frames: How many are timed; a shorter video is looped.
        threads: For the model.
        tell: Called for each frame.

    Raises:
        HandlensError: the model or the video cannot be used.
    """
    began = time.perf_counter()
    predictor = load(model, threads)
    load_ms = (time.perf_counter() - began) * 1000
    tracker, events, answering = Tracker(), EventTracker(), followed(predictor)

    def answer_frame(frame: Frame) -> None:
        events.update(tracker.update(answering.predict(frame)))

    def timed_frames() -> Iterator[Frame]:
        for frame in islice(resized(looped(video)), frames + WARM_UP):
            tick()  # here, where no clock runs
            yield frame

    speed = time_frames(answer_frame, timed_frames())
    sizes = {name: round(resolve(name).stat().st_size / 1e6, 3) for name in shipped()}
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    memory = resident_mb(), peak_mb()  # before the other models come in
    return Bench(model, str(video), WIDTH, HEIGHT, cores, load_ms, speed, *memory, sizes, time_hands(threads))
