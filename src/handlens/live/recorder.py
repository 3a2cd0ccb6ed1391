"""Writes the history while `watch` runs, in a thread of its own; it never delays the loop and never ends it.

It keeps no pictures. A disk that is full is said once; what could not be written is tried again.
"""

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from handlens.errors import OutputError
from handlens.io.sinks.base import Sink
from handlens.live.history import History, local_offset, pruned, usable
from handlens.live.spans import Span, Touch
from handlens.pace import Pace
from handlens.result import Result
from handlens.summary import is_observed
from handlens.types import Event, Frame

_EVERY_S = 10.0  # observed seconds after which they are written: what a killed process loses at most
_DRIFT_S = 5.0  # seconds not observed, or by which the wall clock jumped, from which a new stretch of time begins
_RETRY_S = 15.0  # seconds after a failure
_PRUNE_S = 86400.0
_PATIENCE_S = 8.0  # for a disk that hangs when the run ends
_MOST = 20_000  # touches that wait for a disk


@dataclass
class _Watched:
    """One stretch of observed time while it grows."""

    start: float
    offset: int
    seconds: float = 0.0
    written: float = 0.0

    def span(self) -> Span:
        return Span(self.start, self.offset, self.seconds)


class Recorder(Sink):
    """A sink for the history; give it to `handlens.loop.run` beside the others, not in `Threaded`.

    Args:
        path: The file; None: in the platform's folder.
        source, model: What is written of the session.
        keep_days: What is older is deleted, 0: nothing.
        say: Takes a sentence where the history cannot be written; it is said once, by the thread.
        clock: Returns the seconds since 1970, for sources that do not tell them.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        source: str = "",
        model: str = "",
        keep_days: int = 365,
        say: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._clock = clock
        self._pace = Pace()
        self._base: float | None = None  # the wall clock at the source's time 0
        self._was_observed = False
        self._watched: _Watched | None = None
        self._writer = _Writer(path, source, model, keep_days, say or (lambda sentence: None), clock)
        self._thread = threading.Thread(target=self._writer.run, name="history", daemon=True)

    @property
    def lost(self) -> int:
        """How many touches could not be written in the end."""
        return len(self._writer.touches)

    def write(self, frame: Frame, result: Result) -> None:
        """Count the time of one frame."""
        if self._writer.is_new.is_set():  # the history was deleted: what was watched before stays deleted
            self._writer.is_new.clear()
            self._watched = None
        wall = self._clock() if result.clock is None else result.clock
        self._base = wall - result.time
        step = self._pace.take(result.source, result.time, result.duration)
        if step is not None and self._was_observed:
            self._count(wall - sum(step), step[0])
        self._was_observed = is_observed(result)

    def _count(self, start: float, seconds: float) -> None:
        """Add observed seconds that began at `start`; a new stretch where they do not follow the last one."""
        now = self._watched
        if now is None or abs(now.start + now.seconds - start) > _DRIFT_S:
            self._send()
            now = self._watched = _Watched(start, local_offset(start))
        now.seconds += seconds
        if now.seconds - now.written >= _EVERY_S:
            self._send()

    def _send(self) -> None:
        if self._watched is not None and self._watched.seconds > self._watched.written:
            self._watched.written = self._watched.seconds
            self._writer.work.put(self._watched.span())

    def note(self, event: Event) -> None:
        """Queue a touch that ended."""
        start = event.clock
        if start is None:
            start = event.start + (self._clock() - event.stop if self._base is None else self._base)
        seconds = max(0.0, event.stop - event.start)
        offset, sure = local_offset(start), min(1.0, max(0.0, event.peak))
        touch = Touch(start, offset, seconds, event.label, event.side, sure, regions=event.regions)
        self._writer.work.put(touch)

    def flush(self, patience: float = _PATIENCE_S) -> bool:
        """Wait until what came so far was written or could not be, and return whether the writer answered."""
        self._send()
        done = threading.Event()
        self._writer.work.put(done)
        return done.wait(patience)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._send()
        self._writer.work.put(None)
        self._thread.join(_PATIENCE_S)
        if self.lost:
            self._writer.say(f"{self.lost:,} touches could not be written to the history.")


@dataclass
class _Writer:
    """Runs in the thread: takes touches and spans and writes them together."""

    path: str | Path | None
    source: str
    model: str
    keep_days: int
    say: Callable[[str], None]
    clock: Callable[[], float]
    work: "queue.SimpleQueue[Touch | Span | threading.Event | None]" = field(default_factory=queue.SimpleQueue)
    is_new: threading.Event = field(default_factory=threading.Event)
    touches: list[Touch] = field(default_factory=list)
    spans: dict[float, Span] = field(default_factory=dict)
    history: History | None = None
    session: int | None = None
    pruned_at: float | None = None
    failed_at: float | None = None
    was_said: bool = False
    latest: float | None = None  # the start of the stretch of time that grows
    deleted: float | None = None  # the start of one that was deleted while it grew

    def run(self) -> None:
        """Write until None comes."""
        while True:
            item = self.work.get()
            if isinstance(item, Touch):
                self.touches = [*self.touches[-_MOST + 1 :], item]
            elif isinstance(item, Span) and item.start != self.deleted:
                self.spans[item.start] = item
                self.latest = item.start
            asked = not isinstance(item, Touch | Span)
            if asked or self.failed_at is None or time.monotonic() - self.failed_at > _RETRY_S:
                self._try()
            if isinstance(item, threading.Event):
                item.set()
            if item is None:
                break
        if self.history is not None:
            self.history.close()

    def _try(self) -> None:
        """Write what waits; a failure is said once and leaves it waiting."""
        try:
            self._write()
            self.failed_at = None
        except OutputError as error:
            self.failed_at = time.monotonic()
            if not self.was_said:
                self.was_said = True
                self.say(f"{error} The alarm goes on.")

    def _write(self) -> None:
        if self.history is None:
            self.history, problem = usable(self.path)
            if problem:
                self.say(problem)
        if self.history.is_replaced:
            self.history.reopen()
            self._forget()
        if not (self.touches or self.spans):
            return
        if self.session is None:
            first = min([touch.start for touch in self.touches] + list(self.spans))
            self.session = self.history.begin(first, self.source, self.model)
        if not self.history.add(self.session, self.touches, list(self.spans.values())):
            self._forget()
            self._write()
            return
        self.touches, self.spans = [], {}
        now = self.clock()
        if self.pruned_at is None or now - self.pruned_at > _PRUNE_S:
            self.pruned_at = now
            pruned(self.history, self.keep_days, now)

    def _forget(self) -> None:
        """Begin anew after somebody deleted the history: what was seen before that is not written any more."""
        self.session = None
        self.touches = [touch for touch in self.touches if touch.stop > self.clock() - _EVERY_S]
        self.spans, self.deleted = {}, self.latest
        self.is_new.set()
