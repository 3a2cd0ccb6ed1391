"""The verb `watch`: a camera, a stream or a file at its own speed, live, with the alarm and the page."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import options
from handlens.cli.errors import complain
from handlens.errors import DeviceError

if TYPE_CHECKING:
    from handlens.events import EventTracker
    from handlens.io.reading import Reading
    from handlens.io.sources.base import Source
    from handlens.live.desk import Watching
    from handlens.live.feed import Feed
    from handlens.live.session import Session
    from handlens.loop import Step
    from handlens.predictor import Predictor

Where = Annotated[
    str,
    typer.Argument(metavar="[SOURCE]", help="A camera's number, a stream's address, a video to play, or 'demo'."),
]
MaxSeconds = Annotated[
    float | None, typer.Option("--max-seconds", min=0, metavar="T", help="Stop after so many seconds.")
]
NoSound = Annotated[bool, typer.Option("--no-sound", help="Never make a sound.")]
NoPage = Annotated[bool, typer.Option("--no-page", help="Show it in the terminal, not in the browser.")]
NoOpen = Annotated[bool, typer.Option("--no-open", help="Print the address of the page, and open no browser.")]
Port = Annotated[
    int,
    typer.Option("--port", min=0, max=65535, metavar="N", help="Of the page; 0 is any free one, as is a taken one."),
]
Host = Annotated[
    str, typer.Option("--host", metavar="ADDRESS", help="Where the page is served; others need --allow-network.")
]
AllowNetwork = Annotated[
    bool,
    typer.Option("--allow-network", help="Let other machines that know the token see the page, and so the camera."),
]
LowPower = Annotated[
    bool, typer.Option("--low-power", help="Look five times a second, and rest while nobody is there.")
]
Voice = Annotated[
    str | None,
    typer.Option(
        "--voice",
        metavar="TEXT",
        help='What the alarm says ("Don\'t touch your face"); models of other tasks than touch have none without it.',
    ),
]
Cooldown = Annotated[
    float, typer.Option("--cooldown", min=0, metavar="SEC", help="The least time from one alarm to the next.")
]


Reconnect = Annotated[
    float,
    typer.Option(
        "--reconnect", min=0, metavar="SEC", help="Try a stream or camera that drops again for so long; 0 is never."
    ),
]


def watch(
    source: Where = "0",
    model: options.Model = "touch",
    json: options.Json = None,
    out: options.Out = None,
    events: options.Events = None,
    max_seconds: MaxSeconds = None,
    reconnect: Reconnect = 30.0,
    no_sound: NoSound = False,
    no_page: NoPage = False,
    no_open: NoOpen = False,
    port: Port = 7311,
    host: Host = "127.0.0.1",
    allow_network: AllowNetwork = False,
    low_power: LowPower = False,
    voice: Voice = None,
    cooldown: Cooldown = 5.0,
    min_score: options.MinScore = None,
    every: options.Every = 1,
    start: options.Start = 0.0,
    stop: options.Stop = None,
    rotate: options.Rotate = 0,
    mirror: options.Mirror = False,
    stream: options.Stream = None,
    fps: options.Fps = None,
    open: options.Open = 0.5,
    close: options.Close = None,
    min_time: options.MinTime = 0.25,
    gap: options.Gap = 0.5,
    crop: options.Crop = "hand",
    threads: options.Threads = None,
) -> int:
    """Watch a camera and warn at a touch, or tell what hands do; Ctrl-C ends it.

    A page opens in the browser: the picture, the controls and the history. --no-page shows it in the terminal alone.
    --events and --json go on at the end of a file that is there, and --out gives videos new names.
    """
    from handlens.cli.console import View
    from handlens.cli.outputs import open_sinks
    from handlens.cli.predict import conclude
    from handlens.events import EventTracker
    from handlens.io.alarm import Alarm
        from handlens.live.feed import Feed
    from handlens.live.gate import Gate
    from handlens.live.resting import Resting
    from handlens.live.session import Session
    from handlens.live.settings import Settings
    from handlens.live.source import Controlled
    from handlens.loop import run
    from handlens.predictor import load
    from handlens.summary import Summary
    from handlens.tasks import task_of
    from handlens.track import Tracker

    tracker = EventTracker(open, min(0.35, open) if close is None else close, min_time, gap)
    reading = options.reading(every, start, stop, rotate, mirror, stream, fps)
    predictor = load(model, threads)
    wanted = not no_sound and (voice is not None or task_of(predictor.task).touches)
    session = Session(Settings(open=open, close=close, min_time=min_time, gap=gap, cooldown=cooldown, low_power=low_power))
    feed = Feed(lambda: session.settings.open)
    source = _named(source)
    with (
        _opened(source, reading, reconnect) as camera,
        open_sinks(json, events, out, [source], live=True, task=predictor.task, say=complain) as sinks,
        View(open) as view,
        Alarm(voice or "Don't touch your face", 0.0, bell=view.ring) as alarm,
        Controlled(
            camera,
            session,
            lambda number: _opened(str(number), reading, reconnect),
            lambda error: complain(str(error)),
        ) as controlled,
        _page(
            None if no_page else (host, port, allow_network, not no_open),
            session,
            feed,
            _watching(camera, predictor, wanted),
            alarm.test,
        ),
    ):
        summary = run(
            controlled,
            Resting(predictor, session),
            Tracker(),
            tracker,
            sinks,
            Gate(alarm, tracker, session, feed.warned, wanted),
            _observers(tracker, session, view, feed),
            max_seconds,
            lambda error: complain(str(error)),
            min_score=min_score,
            crop=crop,
            summary=Summary(threshold=open, task=predictor.task),
        )
    return conclude(summary, predictor.card.name)


def _named(source: str) -> str:
    """Return the source; "demo" is the clip that ships, unless there is a file of that name."""
    from handlens.weights import demo_clip

    return str(demo_clip()) if source == "demo" and not Path(source).exists() else source


def _opened(source: str, reading: "Reading", reconnect: float) -> "Source":
    """Open the source; without a camera the sentence tells what to try instead."""
    from handlens.io.sources.open import open_source

    try:
        return open_source(source, live=True, reading=reading, reconnect=reconnect)
    except DeviceError as error:
        raise DeviceError(f"{error} To try it without one type 'handlens watch demo'.") from error


def _observers(
    tracker: "EventTracker", session: "Session", view: "Callable[[Step], None]", feed: "Feed"
) -> "Callable[[Step], None]":
    """Return what is called after each frame: the controls take effect, then the views see it."""

    def observe(step: "Step") -> None:
        settings = session.settings
        tracker.open, tracker.close = settings.open, settings.closes
        tracker.min_time, tracker.gap_time = settings.min_time, settings.gap
        view(step)
        feed(step)

    return observe


def _watching(camera: "Source", predictor: "Predictor", can_sound: bool) -> "Watching":
    from handlens.live.desk import Watching
    from handlens.live.points import operating_points
    from handlens.weights import SHIPPED

    card = predictor.card
    shipped = SHIPPED / f"{card.name}.onnx"
    points = operating_points(shipped) if card.name == "touch" else None
    return Watching(camera.name, camera.kind, card.name, predictor.task, card.names, points, can_sound)


@contextmanager
def _page(
    place: tuple[str, int, bool, bool] | None,
    session: "Session",
    feed: "Feed",
    watching: "Watching",
    test_sound: "Callable[[], None]",
) -> Iterator[None]:
    """Serve the page and open it, if it is wanted. place: (host, port, whether others may see it, whether to open)."""
    if place is None:
        yield
        return
    from handlens.live.desk import Desk
    from handlens.live.server import PageServer

    host, port, network, opens = place
    with PageServer(feed, session, Desk(session, watching, test_sound), host, port, network) as server:
        typer.echo(f"page: {server.address}", err=True)
        if opens:
            _open_browser(server.address)
        yield


def _open_browser(address: str) -> None:
    """Open the page in the person's browser, if there is a desktop to show it; never wait for it."""
    import os
    import sys
    import threading
    import webbrowser

    desktop = not sys.platform.startswith("linux") or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    if desktop:
        threading.Thread(target=webbrowser.open, args=(address,), name="browser", daemon=True).start()
