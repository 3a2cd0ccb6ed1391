"""frames -> predictor -> events -> sinks and alarm; predict and watch are both this, and it knows no kind of any."""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from handlens.ahead import in_order
from handlens.errors import HandlensError, NotSilhouette
from handlens.events import EventTracker
from handlens.io.sinks.base import Sink
from handlens.io.sources.base import OnError, Source
from handlens.result import Result
from handlens.summary import Summary
from handlens.types import Event, Frame


class Predicts(Protocol):
    """Whatever answers a frame; handlens.Predictor does."""

    def predict(self, frame: Frame, /, min_score: float | None = None, crop: str = "hand") -> Result:
        """Return what is said of one frame."""


class Follows(Protocol):
    """Whatever fills identities in; handlens.track.Tracker does."""

    def update(self, result: Result) -> Result:
        """Return the result with its identities."""


class Sounds(Protocol):
    """Whatever warns; handlens.io.alarm.Alarm does."""

    def start(self) -> bool:
        """Ask for the alarm and return at once."""


@dataclass(frozen=True, eq=False)
class Step:
    """One turn of the loop, for whoever shows it: a progress bar, the terminal view, the page.

    Attributes:
        opened: Events that opened at this frame (as far as they are known).
        closed: Events that closed.
        active: Whether one is open.
        seconds: What the predictor took.
        moment: Time.monotonic() when the result was there.
        total: How many frames will come, or None.
        skipped: Frames a live source dropped so far.
    """

    frame: Frame
    result: Result
    opened: tuple[Event, ...]
    closed: tuple[Event, ...]
    active: bool
    seconds: float
    moment: float
    total: int | None
    skipped: int


Progress = Callable[[Step], None]


def run(
    source: Source,
    predictor: Predicts,
    tracker: Follows | None = None,
    events: EventTracker | None = None,
    sinks: Sequence[Sink] = (),
    alarm: Sounds | None = None,
    progress: Progress | None = None,
    max_seconds: float | None = None,
    on_error: OnError | None = None,
    *,
    min_score: float | None = None,
    crop: str = "hand",
    summary: Summary | None = None,
    jobs: int = 1,
) -> Summary:
    """Run a source to its end, to Ctrl-C or for `max_seconds`, and return what was seen.

    The caller opens and closes source, sinks and alarm. Sinks that draw or write belong in `Threaded`, so that the loop
    never waits for them when live. The alarm is asked for at each frame within an event and keeps its own cool-down.
    `progress` is called after each frame and must return at once. `jobs`: how many frames the predictor is asked about
    at once, in threads; answers are the same. Live sources are asked one by one, for reading ahead is delay. What
    cannot be read goes into `summary.errors` and to `on_error`; frames that are not silhouettes, for models of these,
    are counted. `summary`: one to go on with, for several sources.

    Raises:
        HandlensError: the model fails, or an answer cannot be written. Ctrl-C is not an error; see `interrupted`.
    """
    summary = Summary(threshold=events.open if events else 0.5) if summary is None else summary
    turn = _Turn(source, tracker, events, sinks, alarm, progress, summary)

    def report_error(error: HandlensError) -> None:
        summary.errors.append(error)
        if on_error is not None:
            on_error(error)

    ask = _asking(predictor, min_score, crop)
    timer = threading.Timer(max_seconds, source.stop) if max_seconds is not None else None
    if timer is not None:
        timer.daemon = True
        timer.start()
    try:
        for frame, answer, seconds in in_order(ask, source.frames(report_error), 1 if source.live else jobs):
            if isinstance(answer, NotSilhouette):
                turn.refuse(answer, on_error)
            else:
                turn.take(frame, answer, seconds)
    except KeyboardInterrupt:
        summary.interrupted = True
    finally:
        source.stop()
        if timer is not None:
            timer.cancel()
    turn.end()
    return summary


def _asking(
    predictor: Predicts, min_score: float | None, crop: str
) -> Callable[[Frame], tuple[Frame, Result | NotSilhouette, float]]:
    """Return what asks about one frame: the frame, its answer or why the model cannot judge it, and the seconds."""

    def ask(frame: Frame) -> tuple[Frame, Result | NotSilhouette, float]:
        began = time.monotonic()
        try:
            answer: Result | NotSilhouette = predictor.predict(frame, min_score=min_score, crop=crop)
        except NotSilhouette as error:
            answer = error
        return frame, answer, time.monotonic() - began

    return ask


@dataclass(frozen=True, eq=False)
class _Turn:
    """Hands each result on to all who want it."""

    source: Source
    tracker: Follows | None
    events: EventTracker | None
    sinks: Sequence[Sink]
    alarm: Sounds | None
    progress: Progress | None
    summary: Summary

    def take(self, frame: Frame, result: Result, seconds: float) -> None:
        """Pass one result on: the alarm first, as someone may be waiting for it."""
        if self.tracker is not None:
            result = self.tracker.update(result)
        closed = self.events.update(result) if self.events else []
        active = self.events.active if self.events else False
        if active and self.alarm is not None:
            self.alarm.start()
        moment = time.monotonic()
        self.summary.add(result)
        for sink in self.sinks:
            sink.write(frame, result)
        self._note(closed)
        if self.progress is not None:
            opened = tuple(self.events.opened) if self.events else ()
            total, skipped = self.source.total, self.source.skipped
            self.progress(Step(frame, result, opened, tuple(closed), active, seconds, moment, total, skipped))

    def refuse(self, error: NotSilhouette, on_error: OnError | None) -> None:
        """Count a frame that the model cannot judge; of the first one of a live source somebody is told at once."""
        if self.source.live and not self.summary.unfit and on_error is not None:
            on_error(error)
        self.summary.unfit += 1
        self.summary.first_unfit = self.summary.first_unfit or error.source

    def end(self) -> None:
        """Close what is open and count what was skipped."""
        self._note(self.events.finish() if self.events else [])
        self.summary.dropped += self.source.skipped
        self.summary.ended = self.source.ended or self.summary.ended

    def _note(self, closed: Sequence[Event]) -> None:
        for event in closed:
            self.summary.note(event)
            for sink in self.sinks:
                sink.note(event)
