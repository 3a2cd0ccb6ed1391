"""Cameras, streams and files played at their own speed: only the newest frame; it must not know models or sinks."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from handlens.errors import DeviceError, HandlensError
from handlens.io.sources.base import OnError, Source
from handlens.types import Frame

FIRST_PATIENCE_S = 10.0  # some webcams take seconds until their first picture
PATIENCE_S = 5.0

Read = Callable[[threading.Event], Iterator[Frame]]
"""Reads a device in the grabber's thread, until the device ends or the event is set."""


class Grabber:
    """Reads frames in its own thread and keeps the newest one; a slow reader of `latest` skips, it never lags.

    Attributes:
        skipped: Frames that were replaced unseen.
        ended: Nothing more will come.
        error: What ended it, or None.
    """

    def __init__(self, read: Read, name: str = "") -> None:
        self.skipped = 0
        self.error: Exception | None = None
        self.ended = False
        self._read = read
        self._newest: Frame | None = None
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._grab, name=f"grabber {name}", daemon=True)

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def latest(self, timeout: float) -> Frame | None:
        """Return the newest frame not returned before, waiting at most `timeout` seconds; None if none came."""
        with self._changed:
            self._changed.wait_for(lambda: self._newest is not None or self.ended, timeout)
            frame, self._newest = self._newest, None
            return frame

    def stop(self) -> None:
        """End the reading, and with it the waiting of `latest`; from any thread."""
        self._stopping.set()
        with self._changed:
            self.ended = True
            self._changed.notify_all()

    def join(self, timeout: float) -> bool:
        """Wait for the thread, return whether it ended; a device that hangs inside its driver may hold it for ever."""
        if self._thread.ident is not None:
            self._thread.join(timeout)
        return not self._thread.is_alive()

    def _grab(self) -> None:
        try:
            for frame in self._read(self._stopping):
                if self._stopping.is_set():
                    break
                with self._changed:
                    self.skipped += self._newest is not None
                    self._newest = frame
                    self._changed.notify_all()
        except Exception as error:  # handed over to the reading thread, which turns it into a sentence
            self.error = error
        with self._changed:
            self.ended = True
            self._changed.notify_all()


class Live:
    """A live source: the newest frame of what a thread reads (see sources.Source).

    Args:
        read: The device, read in the thread.
        close: Called when the thread has ended.
        patience: Seconds without a frame, after which the source counts as stopped.
        first_patience: The same before the first frame.
        waiting: Whether the device is opened again just now, which takes longer.
        clocked: Frames carry the time of day; those of a recording that is played must not.
    """

    live = True
    total = None

    def __init__(
        self,
        name: str,
        kind: str,
        read: Read,
        close: Callable[[], object] = lambda: None,
        fps: float | None = None,
        patience: float = PATIENCE_S,
        first_patience: float = FIRST_PATIENCE_S,
        waiting: Callable[[], bool] = lambda: False,
        clocked: bool = True,
    ) -> None:
        self.name, self.kind, self.fps = name, kind, fps
        self._waiting, self._clocked = waiting, clocked
        self.ended = ""
        self._close = close
        self._patience, self._first_patience = patience, first_patience
        self._grabber = Grabber(read, name)
        self._stopped = False

    @property
    def skipped(self) -> int:
        """Frames that nobody took before the next one came."""
        return self._grabber.skipped

    def frames(self, on_error: OnError | None = None) -> Iterator[Frame]:
        """Yield the newest frame again and again; a camera or stream that stops is a DeviceError at the end."""
        self._grabber.start()
        last: Frame | None = None
        while (frame := self._next(self._patience if last else self._first_patience)) is not None:
            yield _timed(frame, last, self._clocked)
            last = frame
        complaint = None if self._stopped else self._complaint()
        if complaint is not None and on_error is None:
            raise complaint
        if complaint is not None and on_error is not None:
            on_error(complaint)
        elif not self._stopped:
            self.ended = f"the {self.kind} '{self.name}' ended after {last.time if last else 0.0:.1f} s."

    def _next(self, patience: float) -> Frame | None:
        """Return the next newest frame, or None when it stopped, ended, or kept us waiting for too long."""
        deadline = time.monotonic() + patience
        while not self._stopped:
            if self._waiting():
                deadline = time.monotonic() + patience
            left = deadline - time.monotonic()
            if left <= 0:
                break
            frame = self._grabber.latest(min(left, 1.0))
            if frame is not None or self._grabber.ended:
                return frame
        return None

    def _complaint(self) -> HandlensError | None:
        error = self._grabber.error
        if isinstance(error, HandlensError):
            return error
        if error is not None:
            return DeviceError(f"the {self.kind} '{self.name}' stopped: {str(error).strip() or type(error).__name__}.")
        if not self._grabber.ended:
            return DeviceError(f"the {self.kind} '{self.name}' stopped: no picture came for {self._patience:.0f} s.")
        return None

    def stop(self) -> None:
        """Make `frames` end at once, also while it waits."""
        self._stopped = True
        self._grabber.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        if self._grabber.join(timeout=1.0):  # else its thread still holds the device: closing would crash the driver
            self._close()


def _timed(frame: Frame, last: Frame | None, clocked: bool) -> Frame:
    """Return the frame with the time that it was taken, and the time since the last one as its likely duration."""
    duration = frame.time - last.time if last and frame.time > last.time else frame.duration
    clock = time.time() if clocked and frame.clock is None else frame.clock
    return replace(frame, duration=duration, clock=clock)


def play(source: Source) -> Read:
    """Return a reader that gives the frames of a file when their time has come, as a camera would."""

    def read(stopping: threading.Event) -> Iterator[Frame]:
        begin: float | None = None
        for frame in source.frames():
            begin = time.monotonic() - frame.time if begin is None else begin
            if stopping.wait(max(0.0, begin + frame.time - time.monotonic())):
                return
            yield frame

    return read
