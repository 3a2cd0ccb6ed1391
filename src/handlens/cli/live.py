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
from handlens.follow import EVERY_S, followed
from handlens.io.alarm import Alarm
from handlens.io.sinks.base import Sink
from handlens.io.sources.base import Source
from handlens.live import calibration
from handlens.live.calibration import PersonalRunner
from handlens.live.desk import Desk, Watching
from handlens.live.diary import Diary
from handlens.live.early import EarlyWarning, listening
from handlens.live.feed import Feed
from handlens.live.gate import Gate
from handlens.live.guide import Guide
from handlens.live.kept_alarms import KeptAlarms
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
    again: Callable[[], Source] | None = None,
) -> Summary:
    """Watch an open source to its end and return what was seen.

    Args:
        file: Where the page keeps what is changed on it.
        reopen: Opens another camera, by its number.
        place: Of the page, or None: the terminal alone.
        again: Opens a recording anew at its end, as often as a page looks on; None: it ends.
    """
    predictor, personal = _personal(predictor)
    predictor, detector = listening(predictor) or (predictor, None)
    can_sound = not settings.no_sound and (settings.voice is not None or task_of(predictor.task).touches)
    first_time = not file.path.exists()
    session = Session(settings, lambda changed: file.change(**changed))
    answering = followed(predictor, lambda: 0.0 if session.settings.early else EVERY_S)  # a hand on its way is quick
    tracker = EventTracker(settings.open, settings.closes, settings.min_time, settings.gap)
    feed = Feed(lambda: session.settings.open)
    kept = KeptAlarms(lambda: session.settings.keep_wrong)
    guide = None if personal is None else Guide(personal, quiet=session.snooze, keeps=camera.kind != "video")
    with (
        View(settings.open) as view,
        Alarm(settings.voice or SENTENCE, 0.0, bell=view.ring) as alarm,
        Controlled(
            camera, session, reopen, _tell, again=lambda: again() if again and feed.onlookers else None
        ) as source,
        _history(settings, camera.name, predictor) as recorder,
    ):
        gate = Gate(alarm, tracker, session, feed.warned, can_sound)
        observers: list[Callable[[Step], None]] = [view, feed, kept]
        if guide is not None:
            observers.append(guide)
        if detector is not None:
            observers.append(EarlyWarning(detector, lambda: _early(gate, feed), lambda: session.settings.early))
        desk = Desk(
            session,
            _watching(camera, predictor, can_sound, detector is not None),
            alarm.test,
            None if recorder is None else Diary(),
            kept,
            guide,
            flush=None if recorder is None else recorder.flush,
            first_time=first_time,
        )
        with _page(place, feed, session, desk):
            return run(
                source,
                Resting(answering, session),
                Tracker(),
                tracker,
                sinks if recorder is None else [*sinks, recorder],
                gate,
                _observers(tracker, session, observers),
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
    tracker: EventTracker, session: Session, observers: Sequence[Callable[[Step], None]]
) -> Callable[[Step], None]:
    """Return what is called after each frame: the settings take effect, then the others see it."""

    def observe(step: Step) -> None:
        settings = session.settings
        tracker.open, tracker.close = settings.open, settings.closes
        tracker.min_time, tracker.gap_time = settings.min_time, settings.gap
        for observer in observers:
            observer(step)

    return observe


def _personal(predictor: Predictor) -> tuple[Predictor, PersonalRunner | None]:
    """Let a model that judges faces follow the person's calibration, if there is one; others stay as they are."""
    if predictor.card.kind != "contact":
        return predictor, None
    return calibration.personal(predictor, calibration.load(predictor.card, say=complain))


def _early(gate: Gate, feed: Feed) -> None:
    """Warn of a hand on its way, unless it is to be quiet."""
    if gate.warn_early():
        feed.approaching()


def _watching(camera: Source, predictor: Predictor, can_sound: bool, early: bool) -> Watching:
    card = predictor.card
    points = operating_points(SHIPPED / f"{card.name}.onnx") if card.name == "touch" else None
    return Watching(camera.name, camera.kind, card.name, predictor.task, card.names, points, can_sound, early)


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
