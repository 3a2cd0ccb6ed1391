"""A stream or camera that drops is opened again for a while; it must not know how it is opened or read."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from handlens.errors import DeviceError
from handlens.io.reading import Remark
from handlens.io.sources.live import Read
from handlens.types import Frame

_REST_S = 1.0  # between two tries


@dataclass(frozen=True)
class Connection:
    """A device that is open. close: lets it go."""

    read: Read
    close: Callable[[], object]


class Reconnecting:
    """Reads a device, and opens it again when it drops; a reader for `Live`.

    Times go on by the clock of this machine, so that the hole is seen in them, and so do the numbers of the frames.
    Each hole is remarked once when it begins and once when it ends. Where nothing comes for `seconds`, what ended the
    device ends the reading.

    Attributes:
        opened: The open device.
        again: Opens it again, or raises DeviceError.
        what: "the stream 'x'".
        waiting: Whether it is dropped now.
    """

    def __init__(
        self, opened: Connection, again: Callable[[], Connection], seconds: float, what: str, remark: Remark
    ) -> None:
        self.waiting = False
        self._open: Connection | None = opened
        self._again, self._seconds, self._what, self._remark = again, seconds, what, remark
        self._last: Frame | None = None
        self._seen = 0.0  # the clock when the last frame came

    def __call__(self, stopping: threading.Event) -> Iterator[Frame]:
        """Yield the frames of all connections, one after the other."""
        self._seen = time.monotonic()
        while not stopping.is_set():
            error: DeviceError | None = None
            try:
                yield from self._placed(stopping)
            except DeviceError as dropped:
                error = dropped
            if stopping.is_set() or not self._reopened(stopping, error):
                return

    def close(self) -> None:
        """Let the device go."""
        opened, self._open = self._open, None
        if opened is not None:
            opened.close()

    def _placed(self, stopping: threading.Event) -> Iterator[Frame]:
        """Yield the frames of this connection with the times and numbers that follow the last one."""
        before, later, further = self._last, 0.0, 0
        first = True
        for frame in self._open.read(stopping) if self._open is not None else ():
            now = time.monotonic()
            if first and before is not None:
                hole = now - self._seen
                later = before.time + hole - frame.time
                further = before.index + 1 - frame.index
                self._remark(f"{self._what} is back after {hole:.1f} s; this time is unobserved.")
            first, self.waiting = False, False
            self._last = replace(frame, time=frame.time + later, index=frame.index + further)
            self._seen = now
            yield self._last

    def _reopened(self, stopping: threading.Event, error: DeviceError | None) -> bool:
        """Open the device again and return True; False where it had ended and does not come back.

        Raises:
            DeviceError: the error that it had ended with; it does not come back.
        """
        self.close()
        if not self.waiting:
            why = str(error) if error is not None else f"{self._what} ended."
            self._remark(f"{why} It is tried again for {self._seconds:g} s.")
        self.waiting = True
        while (left := self._seen + self._seconds - time.monotonic()) > 0 and not stopping.is_set():
            try:
                self._open = self._again()
                return True
            except DeviceError:
                stopping.wait(min(_REST_S, left))
        if error is not None and not stopping.is_set():
            raise DeviceError(f"{error} It did not come back within {self._seconds:g} s.") from error
        return False
