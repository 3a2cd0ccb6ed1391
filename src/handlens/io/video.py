"""Video files -> frames with the stream's own times; it must not know models, results or what is done with frames."""

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from types import TracebackType
from typing import Any, Self

import av
import av.error
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from handlens.errors import FrameError
from handlens.io.sources import OnError
from handlens.io.whole import is_whole
from handlens.types import Frame, Image

_NO_VIDEO = frozenset({"tty", "bin", "xbin", "adf", "idf", "bfi"})  # FFmpeg draws text files as pictures of letters
_JUMP_S = 1.0
_THREADS = 2  # decoding is cheap; the model wants the cores, and each thread holds frames


class Video:
    """A video file, read from start to end: constant memory, every frame, exact times.

    Times are (pts - start of the video stream) * time base, so a variable frame rate stays what it is. Display rotation
    is applied. A source like any other (see sources.Source); `fps` is the mean rate.

    Raises:
        FrameError: it cannot be opened, or holds no pictures.
    """

    kind = "video"
    live = False
    skipped = 0
    ended = ""

    def __init__(self, name: str, every: int = 1) -> None:
        self.name = name
        self.every = every
        self._stopped = threading.Event()
        self._container = _open(name)
        try:
            self._stream = pick_stream(self._container, name)
        except FrameError:
            self._container.close()
            raise
        rate = self._stream.average_rate
        self.fps = float(rate) if rate else None

    @property
    def total(self) -> int | None:
        """How many frames will be yielded, as the header promises, or None."""
        count = self._stream.frames
        if not count and self.fps and self._container.duration:
            count = round(self._container.duration / av.time_base * self.fps)
        return -(-count // self.every) if count else None

    def frames(self, on_error: OnError | None = None) -> Iterator[Frame]:
        """Yield the frames; one that is cut off or damaged gives what can be read and then a FrameError."""
        decoding = Decoding(self._container, self._stream, self.name, self.every)
        try:
            for frame in decoding:
                yield frame
                if self._stopped.is_set():
                    return
        except av.error.FFmpegError as error:
            decoding.damage += 1
            last_words = f" ({strerror(error)})"
        else:
            last_words = ""
        complaint = None
        if decoding.count == 0:
            complaint = FrameError(f"'{self.name}' is a video without a frame that can be read{last_words}.")
        elif decoding.damage or not is_whole(self.name):
            complaint = FrameError(
                f"'{self.name}' is cut off or damaged{last_words}: {decoding.count} frames could be read,"
                f" up to {decoding.seconds:.1f} s."
            )
        if complaint is not None and on_error is None:
            raise complaint
        if complaint is not None and on_error is not None:
            on_error(complaint)

    def stop(self) -> None:
        """Make `frames` end after the current one."""
        self._stopped.set()

    def close(self) -> None:
        """Close the file."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Decoding:
    """The frames of an open container, in the order they are shown; iterate once.

    ahead: decode up to the next frame before one is given, so that its duration is known; a live stream must not wait
    for that, and takes the duration that the stream states. count: frames decoded so far. damage: packets that could
    not be decoded. seconds: time of the last frame.
    """

    def __init__(
        self, container: InputContainer, stream: VideoStream, name: str, every: int = 1, ahead: bool = True
    ) -> None:
        self.count = 0
        self.damage = 0
        self.seconds = 0.0
        self._ahead = ahead
        self._stated_s = 0.0  # the duration of the last frame as the file states it, else as the frames before it had
        self._container, self._stream, self._name, self._every = container, stream, name, every
        self._start: int | None = stream.start_time
        # AVI stores no display times: FFmpeg's guesses run 1, 4, 3, 5, 2 where there are B-frames. The slots of its
        # packets are right and only need to be handed out in order.
        self._slots: deque[int] | None = deque() if container.format.name == "avi" else None

    def __iter__(self) -> Iterator[Frame]:
        held: Frame | None = None
        try:
            for frame in self._read():
                if not self._ahead:
                    yield replace(frame, duration=self._stated_s * self._every)
                    continue
                if held is not None:
                    yield replace(held, duration=frame.time - held.time)
                held = frame
        except av.error.FFmpegError:
            if held is not None:
                yield self._last(held)
            raise
        if held is not None:
            yield self._last(held)

    def _last(self, frame: Frame) -> Frame:
        return replace(frame, duration=max(0.0, self.seconds + self._stated_s - frame.time))

    def _read(self) -> Iterator[Frame]:
        for packet in self._container.demux(self._stream):
            if packet.is_corrupt and packet.size:
                self.damage += 1
                continue
            if self._slots is not None and packet.dts is not None:
                self._slots.append(packet.dts)
            try:
                shown = packet.decode()
            except (av.error.InvalidDataError, av.error.PatchWelcomeError):
                self.damage += 1
                if self._slots and packet.dts is not None:
                    self._slots.pop()
                continue
            for picture in shown:
                index, self.count = self.count, self.count + 1
                before, self.seconds = self.seconds, max(self.seconds, self._time(picture))
                self._stated_s = self._stated(picture) or self.seconds - before
                if index % self._every == 0:
                    yield Frame(to_rgb(picture), index, self.seconds, self._name)

    def _stated(self, picture: VideoFrame) -> float:
        """Return the duration of the frame by its own packet, else by the rate; 0 where neither is known."""
        base = picture.time_base or self._stream.time_base
        duration = getattr(picture, "duration", 0)  # PyAV below 14 does not tell
        if base and duration and duration > 0:
            return float(duration * base)
        return float(1 / self._stream.average_rate) if self._stream.average_rate else 0.0

    def _time(self, picture: VideoFrame) -> float:
        base: Fraction = picture.time_base or self._stream.time_base or Fraction(1, 1000)
        pts = picture.pts
        if self._slots is not None and self._stream.time_base is not None:
            pts, base = (self._slots.popleft() if self._slots else None), self._stream.time_base
        if pts is None:  # a raw stream: all it has is a rate
            return float((self.count - 1) / (self._stream.average_rate or Fraction(25)))
        if self._start is None:
            self._start = pts
        if (pts - self._start) * base < self.seconds - _JUMP_S:  # the sender began anew: go on from here
            self._start = pts - round((self.seconds + 0.04) / base)
        return float((pts - self._start) * base)


def to_rgb(picture: VideoFrame) -> Image:
    """Return (H, W, 3) uint8 RGB, turned as the video says it is to be shown."""
    image: Image = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
    quarters = round(getattr(picture, "rotation", 0) / 90) % 4  # counter-clockwise; PyAV below 14 does not tell
    return np.ascontiguousarray(np.rot90(image, quarters)) if quarters else image


def pick_stream(container: InputContainer, name: str) -> VideoStream:
    """Return the first stream of moving pictures; the cover of a song is none.

    Raises:
        FrameError: there is none.
    """
    for stream in container.streams.video:
        if not _is_cover(stream):
            stream.thread_type = "AUTO"
            stream.codec_context.thread_count = _THREADS
            return stream
    sound = " it holds only sound" if container.streams.audio else " it holds nothing to look at"
    raise FrameError(f"'{name}' is a file without pictures:{sound}.")


def _is_cover(stream: Any) -> bool:
    return "attached_pic" in str(getattr(stream, "disposition", "")).lower()


def _open(name: str) -> InputContainer:
    try:
        # "file:" so that a name with a colon is no address; the whitelist so that a play list cannot reach the network
        container = av.open(f"file:{name}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except av.error.InvalidDataError as error:
        raise FrameError(_unreadable(name)) from error
    except (av.error.FFmpegError, OSError, UnicodeError) as error:
        raise FrameError(f"'{name}' cannot be read: {strerror(error)}.") from error
    if container.format.name in _NO_VIDEO:
        container.close()
        raise FrameError(f"'{name}' is a text, neither a picture nor a video.")
    return container


def _unreadable(name: str) -> str:
    try:
        with open(name, "rb") as file:
            first = file.read(16)
    except OSError:
        first = b"?"
    if not first:
        return f"'{name}' is empty: it has 0 bytes."
    if first[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free") and not is_whole(name):
        return f"'{name}' is cut off: its index, at the end of the file, is missing. Copy or record it again."
    return f"'{name}' is neither a picture nor a video that can be read."


def strerror(error: BaseException) -> str:
    """Return what FFmpeg or the system says was wrong, fit for the middle of a sentence."""
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".").lower()
