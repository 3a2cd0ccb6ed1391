"""One segment of one video -> its frames with what the model says of each; any process or machine can do it.

A segment reads on a little behind its end. The overlap gives its last frame its duration, and shows whether two
segments that were decoded on their own saw the same pictures.
"""

import hashlib
import math
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

import av
import av.error
import cv2

from handlens.errors import FrameError, HandlensError, ModelError
from handlens.io.reading import Reading
from handlens.io.sources.places import Place, places
from handlens.io.sources.video import Video, pick_stream
from handlens.loop import Predicts
from handlens.predictor import Predictor, load, model_digests
from handlens.result import Result
from handlens.study.database import FrameRow, SegmentRow
from handlens.study.packing import Layout
from handlens.study.which_hand import told
from handlens.types import Detections, Frame

OVERLAP = 2
"""Frames that are looked at behind the end of a segment."""
_AHEAD_S = 0.25  # seconds that are decoded behind the end of a segment, at least
_EPSILON_S = 1e-6  # as fine as FFmpeg states the start of a container
_LIGHT_STEP = 8  # pixels: every eighth in each direction tells how light a picture is
_BLOCK = 1 << 20  # bytes of each part of a file that its fingerprint is made of
_PIECES = 16  # a video is cut into so many pieces at least, so that all processes end at about the same time,
_SHORTEST_S = 30.0  # but not shorter: each piece decodes some frames more than once


@dataclass(frozen=True)
class Settings:
    """What decides the answers of the model; with other values nothing is mixed.

    Attributes:
        model: A shipped name or a file.
        digests: Name -> SHA-256 of the files that the model is made of.
        sample_fps: Frames a second that are looked at, 0 for all.
        hand_model: Tells which hand touches; "" for none.
        hand_digests: As digests, of that model.
    """

    model: str
    digests: tuple[tuple[str, str], ...]
    sample_fps: float
    hand_model: str = ""
    hand_digests: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Task:
    """One segment to be coded.

    Attributes:
        stop: None for the last segment of a video.
        every: Only frames whose number is a multiple of it count.
        step: Seconds between two of them.
        place: Where to enter the file, or None where it is not known.
    """

    settings: Settings
    video_id: int
    video: str
    path: str
    number: int
    start: float
    stop: float | None
    every: int
    step: float
    rotate: int
    place: Place | None = None


@dataclass(frozen=True)
class Done:
    """What came of a task."""

    task: Task
    segment: SegmentRow
    layout: str | None
    frames: tuple[FrameRow, ...] = field(repr=False, default=())


@dataclass(frozen=True)
class Probe:
    """What is known of a video before it is coded. seekable: it can be read from the middle without its beginning."""

    size: int
    mtime_ns: int
    fingerprint: str
    width: int
    height: int
    fps: float | None
    duration: float | None
    seekable: bool


def fingerprint(path: Path) -> str:
    """Return what tells a file from another one: its length and a SHA-256 over its first, middle and last megabyte.

    Raises:
        FrameError: it cannot be read.
    """
    made = hashlib.sha256()
    try:
        size = path.stat().st_size
        made.update(str(size).encode())
        with path.open("rb") as file:
            for place in sorted({0, max(0, size // 2 - _BLOCK // 2), max(0, size - _BLOCK)}):
                file.seek(place)
                made.update(file.read(_BLOCK))
    except OSError as error:
        raise FrameError(f"'{path}' cannot be read: {(error.strerror or str(error)).lower()}.") from error
    return made.hexdigest()


def probe(path: Path, rotate: int = 0) -> Probe:
    """Look at the head of a video.

    Raises:
        FrameError: it is not a video that can be read.
    """
    found = fingerprint(path)
    state = os.stat(path)
    reading = Reading(rotate=rotate)
    with Video(str(path), reading) as video:
        fps, total = video.fps, video.total
        duration = total / fps if fps and total else None
    with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
        stream = pick_stream(container, str(path), reading)
        width, height = int(stream.width), int(stream.height)
        seekable = bool(duration) and places(container, stream, reading, [(duration or 0.0) / 2]) != [None]
    if rotate in (90, 270):
        width, height = height, width
    return Probe(state.st_size, state.st_mtime_ns, found, width, height, fps, duration, seekable)


def recorded(path: str) -> str:
    """Return when a video was recorded as its file says, as ISO 8601, or "" where it does not say or cannot be read."""
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            told = container.metadata.get("creation_time", "")
        return datetime.fromisoformat(told).isoformat(timespec="milliseconds") if told else ""
    except (av.error.FFmpegError, OSError, ValueError):
        return ""


def every(fps: float | None, sample_fps: float) -> int:
    """Return which frames are looked at: every n-th, so that about `sample_fps` a second are."""
    return max(1, round(fps / sample_fps)) if fps and sample_fps > 0 else 1


def plan(duration: float | None, segment_s: float) -> list[tuple[float, float | None]]:
    """Return (start, stop) of the segments of a video in seconds; the last has no stop.

    Args:
        segment_s: How long a segment may be; those of a short video are shorter, so that every process has some.
    """
    if duration is None:
        return [(0.0, None)]
    long = min(segment_s, max(_SHORTEST_S, math.ceil(duration / _PIECES)))
    count = max(1, math.ceil(duration / long - 0.1))
    return [(number * long, (number + 1) * long if number < count - 1 else None) for number in range(count)]


def placed(tasks: Sequence[Task]) -> list[Task]:
    """Return the tasks of one video with the places where each enters the file, found in one pass over its packets."""
    starts = [task.start for task in tasks if task.start > 0]
    if not starts:
        return list(tasks)
    path, reading = tasks[0].path, Reading(rotate=tasks[0].rotate)
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}, metadata_errors="replace") as container:
            found = dict(
                zip(starts, places(container, pick_stream(container, path, reading), reading, starts), strict=True)
            )
    except (av.error.FFmpegError, OSError, FrameError):
        return list(tasks)  # whoever codes them will say what is wrong
    return [replace(task, place=found.get(task.start)) for task in tasks]


_OPENED: dict[tuple[str, tuple[tuple[str, str], ...]], Predictor] = {}


def code(task: Task, predictor: Predicts | None = None, hands: Predicts | None = None) -> Done:
    """Look at one segment.

    Args:
        predictor: Answers each frame; left out, the model of the task is opened once in each process.
        hands: Tells which hand touches; left out, the model of the task, if it names one.

    Returns:
        The frames, and in `segment.problem` what could not be read.

    Raises:
        ModelError: the model differs from the one of the run, or is not of touches.
    """
    began = time.process_time()
    cv2.setNumThreads(1)  # one process is one core: so many processes do not wait for each other
    asked = predictor if predictor is not None else opened(task.settings)
    if hands is None and task.settings.hand_model:
        hands = _opened(task.settings.hand_model, task.settings.hand_digests)
    problems: list[str] = []
    layout: Layout | None = None
    frames: list[FrameRow] = []
    tail: dict[int, str] = {}
    try:
        for frame in _read(task, problems):
            behind = task.stop is not None and frame.time >= task.stop - _EPSILON_S
            if behind and len(tail) >= OVERLAP:
                continue
            result = asked.predict(frame)
            packed, layout = _packed(frame, result, hands, layout)
            if behind:
                tail[frame.index] = digest(packed)
            else:
                frames.append(FrameRow(frame.index, frame.time, frame.duration, _light(frame), packed))
        if frames and task.stop is not None and not tail:
            frames[-1] = _shown_until_next(task, frames[-1])
    except FrameError as error:
        problems.append(str(error))
    segment = SegmentRow(
        task.number,
        task.start,
        task.stop,
        len(frames),
        time.process_time() - began,
        tail,
        " ".join(dict.fromkeys(problems)),
    )
    return Done(task, segment, None if layout is None else layout.text, tuple(frames))


def _packed(frame: Frame, result: Result, hands: Predicts | None, layout: Layout | None) -> tuple[bytes, Layout]:
    """Return a frame as it is stored, and the layout of all frames."""
    value = (told(frame, result, hands) if hands is not None else result).value
    if not isinstance(value, Detections):
        raise ModelError(f"a study codes touches, and '{result.model}' answers '{result.task}': give another.")
    layout = layout or Layout.of(value)
    return layout.pack(value), layout


def digest(packed: bytes) -> str:
    """Return what tells one packed frame from another."""
    return hashlib.sha256(packed).hexdigest()[:16]


def _read(task: Task, problems: list[str]) -> Iterator[Frame]:
    """Yield the frames of a segment, and those of the overlap behind it."""
    reading = Reading(
        every=task.every,
        start=task.start,
        stop=math.inf if task.stop is None else task.stop + max(_AHEAD_S, (OVERLAP + 1.5) * task.step),
        rotate=task.rotate,
    )

    def note(error: HandlensError) -> None:
        if task.number == 0 or " has no frame from " not in str(error):  # the sound may be longer than the pictures
            problems.append(str(error))

    with Video(task.path, reading, task.place) as video:
        for frame in video.frames(note):
            if frame.time >= task.start - _EPSILON_S or task.number == 0:
                yield frame


def _shown_until_next(task: Task, last: FrameRow) -> FrameRow:
    """Return the last frame of a segment with its duration, where the next one is far behind the segment."""
    with Video(task.path, Reading(every=task.every, start=last.time, rotate=task.rotate)) as video:
        for frame in video.frames(lambda error: None):
            if frame.index > last.frame:
                return replace(last, duration=frame.time - last.time)
    return last


def _light(frame: Frame) -> float:
    return float(frame.image[::_LIGHT_STEP, ::_LIGHT_STEP].mean())


def opened(settings: Settings) -> Predictor:
    """Return the model of a run, opened once in each process.

    Raises:
        ModelError: its files differ from those with which the run began.
    """
    return _opened(settings.model, settings.digests)


def _opened(model: str, digests: tuple[tuple[str, str], ...]) -> Predictor:
    if (model, digests) not in _OPENED:
        predictor = load(model, threads=1)
        if model_digests(predictor) != digests:
            raise ModelError(
                f"the model '{model}' is another one here than where the study was started: install the same handlens"
                " and the same model files on all machines."
            )
        _OPENED[model, digests] = predictor
    return _OPENED[model, digests]
