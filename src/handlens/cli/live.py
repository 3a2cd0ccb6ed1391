"""Puts a live watch together: source, model, events, alarm, history, views; it must not know flags."""

import os
import sys
import threading
import webbrowser
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from handlens.cli.console import View
from handlens.cli.errors import complain
from handlens.events import EventTracker
from handlens.io.alarm import Alarm
from handlens.io.sinks.base import Sink
from handlens.io.sources.base import Source
from handlens.live.desk import Desk, Watching
from handlens.live.diary import Diary
from handlens.live.feed import Feed
from handlens.live.gate import Gate
from handlens.live.points import operating_points
from handlens.live.recorder import Recorder
from handlens.live.resting import Resting
from handlens.live.session import Session
from handlens.live.settings import Settings, SettingsFile
from handlens.live.source import Controlled
from handlens.loop import Step, run
from handlens.predictor import Predictor
from handlens.summary import Summary
from handlens.tasks import task_of
from handlens.track import Tracker
from handlens.weights import SHIPPED

SENTENCE = "Don't touch your face"


@dataclass(frozen=True)
class Place:
    """Where the page is served. opens: whether a browser shows it at once."""

    host: str
    port: int
    allow_network: bool
    opens: bool


def watched(
    camera: Source,
    predictor: Predictor,
    settings: Settings,
    file: SettingsFile,
    sinks: Sequence[Sink],
    reopen: Callable[[int], Source],
    place: Place | None,
    max_seconds: float | None = None,
    crop: str = "hand",
) -> Summary:
    """Watch an open source to its end and return what was seen.

    Args:
        file: Where the page keeps what is changed on it.
        reopen: Opens another camera, by its number.
        place: Of the page, or None: the terminal alone.
    """
    can_sound = not settings.no_sound and (settings.voice is not None or task_of(predictor.task).touches)
    first_time = not file.path.exists()
    session = Session(settings, lambda changed: file.change(**changed))
    tracker = EventTracker(settings.open, settings.closes, settings.min_time, settings.gap)
    feed = Feed(lambda: session.settings.open)
    with (
        View(settings.open) as view,
        Alarm(settings.voice or SENTENCE, 0.0, bell=view.ring) as alarm,
        Controlled(camera, session, reopen, _tell) as source,
        _history(settings, camera.name, predictor) as recorder,
    ):
        desk = Desk(
            session,
            _watching(camera, predictor, can_sound),
            alarm.test,
            None if recorder is None else Diary(),
            flush=None if recorder is None else recorder.flush,
            first_time=first_time,
        )
        with _page(place, feed, session, desk):
            return run(
                source,
                Resting(predictor, session),
                Tracker(),
                tracker,
                sinks if recorder is None else [*sinks, recorder],
                Gate(alarm, tracker, session, feed.warned, can_sound),
                _observers(tracker, session, view, feed),
                max_seconds,
                _tell,
                min_score=settings.min_score,
                crop=crop,
                summary=Summary(threshold=settings.open, task=predictor.task),
            )


def _tell(error: Exception) -> None:
    complain(str(error))


@contextmanager
def _history(settings: Settings, source: str, predictor: Predictor) -> Iterator[Recorder | None]:
    """Write the history while it runs: of touches, unless it is not wanted."""
    if settings.no_history or not task_of(predictor.task).touches:
        yield None
        return
    with Recorder(None, source, predictor.card.name, settings.keep_days, complain) as recorder:
        yield recorder


def _observers(
    tracker: EventTracker, session: Session, view: Callable[[Step], None], feed: Feed
) -> Callable[[Step], None]:
    """Return what is called after each frame: the settings take effect, then the views see it."""

    def observe(step: Step) -> None:
        settings = session.settings
        tracker.open, tracker.close = settings.open, settings.closes
        tracker.min_time, tracker.gap_time = settings.min_time, settings.gap
        view(step)
        feed(step)

    return observe


def _watching(camera: Source, predictor: Predictor, can_sound: bool) -> Watching:
    card = predictor.card
    points = operating_points(SHIPPED / f"{card.name}.onnx") if card.name == "touch" else None
    return Watching(camera.name, camera.kind, card.name, predictor.task, card.names, points, can_sound)


@contextmanager
def _page(place: Place | None, feed: Feed, session: Session, desk: Desk) -> Iterator[None]:
    """Serve the page and open it, if it is wanted."""
    if place is None:
        yield
        return
    from handlens.live.server import PageServer

    with PageServer(feed, session, desk, place.host, place.port, place.allow_network) as server:
        print(f"page: {server.address}", file=sys.stderr, flush=True)
        if place.opens:
            _open_browser(server.address)
        yield


def _open_browser(address: str) -> None:
    """Open the page in the person's browser, if there is a desktop to show it; never wait for it."""
    desktop = not sys.platform.startswith("linux") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if desktop:
        threading.Thread(target=webbrowser.open, args=(address,), name="browser", daemon=True).start()
