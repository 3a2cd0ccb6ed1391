"""A live source that a person pauses, slows down, or changes to another camera; it must not know models or pages."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Self

from handlens.errors import HandlensError
from handlens.io.sources.base import OnError, Source
from handlens.live.session import Session
from handlens.types import Frame

LOW_POWER_STEP_S = 0.2
_LOOK_S = 0.5  # how often a pause looks whether it is over


class Controlled:
    """Passes the frames of a source on (see handlens.io.sources.base.Source) as the session says.

    A camera is closed while it is paused, so its light goes out; recordings and streams run on, and what they show is
    dropped. Times go on over pauses and changes of the camera.

    Args:
        source: An open source; it is closed in the end.
        reopen: Opens a camera by its number.
        failed: Told why a camera does not open; the old one is used on.
        again: Asked at the end of a recording for the source that follows, such as the same one; None: it ends.
    """

    live = True
    total = None

    def __init__(
        self,
        source: Source,
        session: Session,
        reopen: Callable[[int], Source],
        failed: Callable[[HandlensError], None] = lambda error: None,
        clock: Callable[[], float] = time.monotonic,
        again: Callable[[], Source | None] = lambda: None,
    ) -> None:
        self._source, self._session, self._reopen, self._failed = source, session, reopen, failed
        self._again = again
        self._clock = clock
        self._stopped = False
        self._skipped = 0

    @property
    def name(self) -> str:
        """As it was given."""
        return self._source.name

    @property
    def kind(self) -> str:
        """ "video", "camera" or "stream"."""
        return self._source.kind

    @property
    def fps(self) -> float | None:
        """Frames a second, where there is such a thing."""
        return self._source.fps

    @property
    def skipped(self) -> int:
        """How many frames nobody took in time."""
        return self._skipped + self._source.skipped

    @property
    def ended(self) -> str:
        """Why it ended."""
        return self._source.ended

    def frames(self, on_error: OnError | None = None) -> Iterator[Frame]:
        """Yield the newest frame again and again, until the source ends."""
        began, index = self._clock(), 0
        while True:
            offset: float | None = 0.0 if index == 0 else None
            base = index
            for frame in self._source.frames(on_error):
                if self._stopped:
                    return
                if self._leaves():
                    break
                if self._session.paused:
                    continue
                offset = self._clock() - began - frame.time if offset is None else offset
                index = base + frame.index + 1
                yielded = self._clock()
                yield replace(frame, time=frame.time + offset, index=base + frame.index)
                self._slow_down(yielded)
            else:
                if not self._repeat():
                    return
                continue
            if not self._change():
                return

    def _repeat(self) -> bool:
        """Open what follows a recording that ended; return False where nothing does."""
        following = None if self._stopped or self.kind != "video" else self._again()
        if following is None:
            return False
        self._skipped += self._source.skipped
        self._source.__exit__(None, None, None)
        self._source = following
        self._source.__enter__()
        return True

    def _leaves(self) -> bool:
        """Return whether the source is to be closed: for another camera, or as a camera that is paused."""
        return self._session.camera_wanted or (self._session.paused and self.kind == "camera")

    def _change(self) -> bool:
        """Close the source and open the next; return False when it is to end."""
        number = int(self._source.name) if self.kind == "camera" else None
        self._skipped += self._source.skipped
        self._source.__exit__(None, None, None)
        while self._session.paused and not self._stopped:
            self._session.wait(_LOOK_S)
        wanted = self._session.take_camera()
        for choice in (wanted, number):
            if choice is None or self._stopped:
                continue
            try:
                self._source = self._reopen(choice)
                self._source.__enter__()
                return True
            except HandlensError as error:
                self._failed(error)
        return False

    def _slow_down(self, since: float) -> None:
        """Wait until the next frame may come, when power is to be saved."""
        while self._session.settings.low_power and not self._stopped:
            left = LOW_POWER_STEP_S - (self._clock() - since)
            if left <= 0:
                return
            self._session.wait(left)

    def stop(self) -> None:
        """Make `frames` end at once, also in a pause."""
        self._stopped = True
        self._source.stop()
        self._session.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._source.__exit__(kind, error, trace)
