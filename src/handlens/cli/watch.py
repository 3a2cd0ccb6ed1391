"""The verb `watch`: a camera, a stream or a file at its own speed, live, with the alarm."""

from typing import Annotated

import typer

from handlens.cli import options
from handlens.cli.errors import complain

Where = Annotated[
    str, typer.Argument(metavar="[SOURCE]", help="A camera's number, a stream's address, or a video to play.")
]
MaxSeconds = Annotated[
    float | None, typer.Option("--max-seconds", min=0, metavar="T", help="Stop after so many seconds.")
]
NoSound = Annotated[bool, typer.Option("--no-sound", help="Never make a sound.")]
NoPage = Annotated[bool, typer.Option("--no-page", help="Show it in the terminal, not in the browser.")]
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

    --events and --json go on at the end of a file that is there, and --out gives videos new names.
    """
    from handlens.cli.console import View
    from handlens.cli.outputs import open_sinks
    from handlens.cli.predict import conclude
    from handlens.io.alarm import Alarm
    from handlens.io.sources.open import open_source
    from handlens.loop import run
    from handlens.predictor import load
    from handlens.summary import Summary
    from handlens.tasks import task_of
    from handlens.track import Tracker

    tracker = options.event_tracker(open, close, min_time, gap)
    reading = options.reading(every, start, stop, rotate, mirror, stream, fps)
    predictor = load(model, threads)
    wanted = voice is not None or task_of(predictor.task).touches
    if not no_page:
        complain("the page in the browser comes later; this is the terminal view (--no-page).")
    with (
        open_source(source, live=True, reading=reading, reconnect=reconnect) as camera,
        open_sinks(json, events, out, [source], live=True, task=predictor.task, say=complain) as sinks,
        View(open) as view,
        Alarm(voice or "Don't touch your face", cooldown, sound=not no_sound and wanted, bell=view.ring) as alarm,
    ):
        summary = run(
            camera, predictor, Tracker(), tracker, sinks, alarm, view, max_seconds,
            lambda error: complain(str(error)), min_score=min_score, crop=crop,
            summary=Summary(threshold=open, task=predictor.task),
        )  # fmt: skip
    return conclude(summary, predictor.card.name)
