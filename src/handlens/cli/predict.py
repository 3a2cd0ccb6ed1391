"""The verb `predict`: pictures, folders, patterns, videos and addresses, one after the other, to their end."""

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import options
from handlens.cli.failures import DONE, INTERRUPTED, WRONG_INPUT, complain
from handlens.errors import DeviceError, HandlensError, InputError

if TYPE_CHECKING:
    from handlens.io.reading import Reading
    from handlens.io.sources import Source
    from handlens.loop import Step
    from handlens.summary import Summary

Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE", help="Pictures, folders, patterns, videos, stream addresses.")
]


def predict(
    sources: Sources,
    model: options.Model = "touch",
    json: options.Json = None,
    out: options.Out = None,
    events: options.Events = None,
    min_score: options.MinScore = None,
    every: options.Every = 1,
    start: options.Start = 0.0,
    stop: options.Stop = None,
    rotate: options.Rotate = 0,
    mirror: options.Mirror = False,
    stream: options.Stream = None,
    fps: options.Fps = None,
    recursive: options.Recursive = False,
    open: options.Open = 0.5,
    close: options.Close = None,
    min_time: options.MinTime = 0.25,
    gap: options.Gap = 0.5,
    crop: options.Crop = "hand",
    threads: options.Threads = None,
) -> int:
    """Look at pictures and videos and write what was seen.

    Touches, unless --model says otherwise: hold for what hands hold, signs for what they show, digits and gestures for
    silhouettes of one hand, and how it is turned; combined for the numbers that all hands of a picture show.
    """
    from handlens.cli.outputs import open_sinks
    from handlens.cli.progress import Bar
    from handlens.events import EventTracker
    from handlens.loop import run
    from handlens.predictor import load
    from handlens.summary import Summary
    from handlens.track import Tracker

    tracker = EventTracker(open, min(0.35, open) if close is None else close, min_time, gap)
    reading = options.reading(every, start, stop, rotate, mirror, stream, fps)
    predictor = load(model, threads)
    summary = Summary(threshold=open, task=predictor.task)
    jobs = _plan(sources, recursive, summary)
    if not jobs:
        return WRONG_INPUT
    inputs = [path for job in jobs for path in job]
    identities = Tracker()
    with (
        open_sinks(json, events, out, inputs, task=predictor.task) as sinks,
        Bar(lambda step: _told(step, open)) as bar,
    ):
        for job in jobs:
            source = _opened(job, reading, summary)
            if source is None:
                continue
            with source:
                bar.begin(source.name, source.total)
                run(
                    source,
                    predictor,
                    identities,
                    tracker,
                    sinks,
                    progress=bar,
                    on_error=lambda error: complain(str(error)),
                    min_score=min_score,
                    crop=crop,
                    summary=summary,
                )
            if summary.interrupted:
                break
        if summary.errors and not summary.frames:
            raise typer.Exit(WRONG_INPUT)  # inside: files that would be empty are not left behind
    return conclude(summary)


def conclude(summary: "Summary") -> int:
    """Print the summary on stderr and return the exit code of the run."""
    from rich.console import Console

    if summary.ended:
        complain(summary.ended)
    Console(stderr=True, highlight=False).print(summary)
    if summary.interrupted:
        return INTERRUPTED
    return WRONG_INPUT if summary.errors else DONE


def _plan(sources: Sequence[str], recursive: bool, summary: "Summary") -> list[list[str]]:
    """Return what is to be opened together: neighbouring pictures as one, everything else on its own."""
    from handlens.io.sources import find_files, is_picture

    jobs: list[list[str]] = []
    for text in sources:
        try:
            paths = [text] if _is_live(text) else find_files(text, recursive, complain)
        except InputError as error:
            _report(error, summary)
            continue
        for path in paths:
            if jobs and is_picture(path) and is_picture(jobs[-1][-1]):
                jobs[-1].append(path)
            else:
                jobs.append([path])
    return jobs


def _is_live(text: str) -> bool:
    from handlens.io.sources import is_address

    return is_address(text) or text.startswith("/dev/video") or (text.isdigit() and not os.path.exists(text))


def _opened(job: list[str], reading: "Reading", summary: "Summary") -> "Source | None":
    """Open one job, or report why that is not possible and return None."""
    from handlens.io.files import Files
    from handlens.io.sources import is_picture, open_source

    if is_picture(job[0]):
        return Files(job[0] if len(job) == 1 else f"{len(job)} pictures", job, reading)
    try:
        return open_source(job[0], reading=reading)
    except (InputError, DeviceError) as error:
        _report(error, summary)
        return None


def _report(error: HandlensError, summary: "Summary") -> None:
    complain(str(error))
    summary.errors.append(error)


def _told(step: "Step", threshold: float) -> str | None:
    """A line for a picture; a frame of a video has none."""
    from handlens.cli.words import verdict
    from handlens.io.sources import is_picture

    if not is_picture(step.frame.source):
        return None
    return f"{step.frame.source}  {verdict(step.result, threshold)}"
