"""The verb `predict`: pictures, folders, patterns, videos and addresses, one after the other, to their end."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import options
from handlens.cli.errors import DONE, INTERRUPTED, WRONG_INPUT, complain
from handlens.errors import DeviceError, HandlensError, InputError, no_silhouettes

if TYPE_CHECKING:
    from handlens.cli.console import Bar
    from handlens.cli.resume import RunRecord
    from handlens.events import EventTracker
    from handlens.io.reading import Reading
    from handlens.io.sinks.base import Sink
    from handlens.io.sources.base import Source
    from handlens.loop import Step
    from handlens.predictor import Predictor
    from handlens.summary import Summary

_TOGETHER = 64  # pictures after which what is done is noted

Sources = Annotated[
    list[str], typer.Argument(metavar="SOURCE", help="Pictures, folders, patterns, videos, stream addresses.")
]


def predict(
    context: typer.Context,
    sources: Sources,
    model: options.Model = "touch",
    json: options.Json = None,
    out: options.Out = None,
    events: options.Events = None,
    labels: options.Labels = None,
    landmarks: options.Landmarks = None,
    masks: options.Masks = False,
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
    jobs: options.Jobs = 1,
    resume: options.Resume = False,
) -> int:
    """Look at pictures and videos and write what was seen.

    Touches, unless --model says otherwise: hands for the 21 landmarks of each hand, hold for what hands hold, signs for
    what they show, digits and gestures for silhouettes of one hand, and how it is turned; combined for the numbers that
    all hands of a picture show.
    Results of each finished source are safe when the run is stopped or killed; --resume goes on after them.
    """
    from handlens.cli.console import Bar
    from handlens.cli.outputs import is_of_coding_program, open_sinks
    from handlens.cli.resume import RunRecord, settings_of
    from handlens.predictor import load, model_digests
    from handlens.summary import Summary

    tracker = options.event_tracker(open, close, min_time, gap)
    reading = options.reading(every, start, stop, rotate, mirror, stream, fps)
    predictor = load(model, threads or (1 if jobs > 1 else None))  # jobs share the cores instead
    if landmarks is not None:
        _require_landmarks(predictor)
    if masks:
        _require_masks(predictor, out)
    coding = is_of_coding_program(events)
    if coding and resume:
        raise InputError(f"--resume needs an event file that grows line by line: give .csv or .jsonl, not '{events}'.")
    outputs = {"events": None if coding else events, "json": json, "landmarks": landmarks, "out": out}
    record = RunRecord(outputs, settings_of(context.params), dict(model_digests(predictor)), context.obj or (), resume)
    summary = record.summary(Summary(threshold=open, task=predictor.task))
    groups = _plan(sources, recursive, summary)
    if not groups:
        return WRONG_INPUT
    inputs = [path for group in groups for path in group]
    if done := record.complete(inputs):
        complain(done)
        return 0
    pre_labels = _pre_labels(labels, out, resume, inputs, predictor, crop)
    todo = record.left(groups)
    kept = (record.lengths, record.sources, complain, landmarks, masks)
    with (
        record,
        open_sinks(json, events, out, inputs, False, predictor.task, *kept) as sinks,
        pre_labels,
        Bar(lambda step: _verdict_line(step, open)) as bar,
    ):
        sinks = [*sinks, pre_labels]
        work = _work(predictor, tracker, sinks, bar, min_score, crop, jobs)
        _run_all(todo, reading, work, record, sinks, bar, summary)
        if (summary.errors or summary.unfit) and not summary.frames:
            refuse(summary, predictor.card.name)
            record.close()  # nothing was seen: the next run into these files has nothing to go on with
            raise typer.Exit(WRONG_INPUT)  # inside: files that would be empty are not left behind
    return _finish(record, summary, predictor.card.name, len(inputs))


def _finish(record: "RunRecord", summary: "Summary", model: str, inputs: int) -> int:
    """Print the summary, and after Ctrl-C how to go on with the rest of the inputs; return the exit code."""
    from handlens.io.sources.base import is_picture

    if not summary.interrupted:
        record.close()
        return conclude(summary, model)
    cut = summary.table[-1] if summary.table and summary.table[-1].name not in record.sources else None
    if cut is not None and is_picture(cut.name):
        cut = None  # what stands in the files of a picture is whole; it is read again by --resume
    code = conclude(summary, model)
    complain(record.advice(inputs, cut.name if cut else None, cut.stop if cut else 0.0))
    return code


def _pre_labels(
    form: str | None, out: str | None, resume: bool, inputs: Sequence[str], predictor: "Predictor", crop: str
) -> "Sink":
    """Return what writes the boxes as a labelled set, where that was asked for.

    Raises:
        InputError: it was asked for without a folder, for a run that goes on, or for videos.
        OutputError: the folder is there.
    """
    from pathlib import Path

    from handlens.io.sinks.base import Sink
    from handlens.io.sinks.labels import PreLabels, gives_boxes
    from handlens.io.sources.base import is_picture

    if form is None:
        return Sink()
    if out is None:
        raise InputError(f"--labels {form} writes a set into the folder of --out: add --out DIR.")
    if resume:
        raise InputError("--labels writes one set at the end of a run: leave out --resume.")
    videos = [path for path in inputs if not is_picture(path)]
    if videos:
        raise InputError(f"--labels is for pictures, and '{videos[0]}' is none: leave it out, or give its frames.")
    card = predictor.card
    if not gives_boxes(card, crop):
        raise InputError(f"'{card.name}' answers without boxes, so --labels has nothing to write: leave it out.")
    return PreLabels(Path(out) / f"labels-{form.lower()}", form, card.names, f"{card.name} {card.version}")


def _work(
    predictor: "Predictor",
    events: "EventTracker",
    sinks: "Sequence[Sink]",
    bar: "Bar",
    min_score: float | None,
    crop: str,
    jobs: int,
) -> "Callable[..., Summary]":
    """Return what runs the model over one source into one summary."""
    from handlens.loop import run
    from handlens.track import Tracker

    def on_error(error: HandlensError) -> None:
        complain(str(error))

    return partial(
        run, predictor=predictor, tracker=Tracker(), events=events, sinks=sinks, progress=bar, on_error=on_error,
        min_score=min_score, crop=crop, jobs=jobs,
    )  # fmt: skip


def _require_landmarks(predictor: "Predictor") -> None:
    """Hold the model against --landmarks.

    Raises:
        InputError: it tells no landmarks.
    """
    from handlens.runner import OnnxRunner

    runner = predictor.runner
    if isinstance(runner, OnnxRunner) and "landmarks" not in runner.outputs:
        raise InputError(f"the model '{predictor.card.name}' tells no landmarks: add --model hands.")


def _require_masks(predictor: "Predictor", out: str | None) -> None:
    """Hold the model and the outputs against --masks.

    Raises:
        InputError: it answers without masks, or there is no folder for them.
    """
    from handlens.io.sinks.paths import MASKS

    if predictor.task not in MASKS:
        raise InputError(
            f"the model '{predictor.card.name}' finds no masks: leave out --masks, or add --model segment, combined or"
            " hands."
        )
    if out is None:
        raise InputError("--masks writes into the folder of --out: add --out DIR.")


def _run_all(
    groups: Sequence[Sequence[str]],
    reading: "Reading",
    work: "Callable[..., Summary]",
    record: "RunRecord",
    sinks: "Sequence[Sink]",
    bar: "Bar",
    summary: "Summary",
) -> None:
    """Run one job after the other, noting each that is done, until the end or Ctrl-C."""
    from handlens.summary import Summary

    try:
        for group in groups:
            for first in range(0, len(group), _TOGETHER):
                job = group[first : first + _TOGETHER]
                part = Summary(threshold=summary.threshold, task=summary.task)
                record.begin(job)
                source = _opened(job, reading, part)
                if source is None:
                    summary.merge(part)
                    continue
                with source:
                    if not first:
                        bar.begin(source.name, source.total if len(job) == len(group) else len(group))
                    work(source, summary=part)
                summary.merge(part)
                if part.interrupted:
                    return
                record.finish(part, sinks)
    except KeyboardInterrupt:
        summary.interrupted = True


def refuse(summary: "Summary", model: str) -> None:
    """Say once how many pictures were not silhouettes, where the model reads only these."""
    if summary.unfit:
        what = f"{summary.unfit:,} of {summary.unfit + summary.frames:,} pictures are not silhouettes"
        one = f"'{summary.first_unfit}' is not a silhouette"
        alone = summary.unfit == 1
        complain(no_silhouettes(one if alone else f"{what} ('{summary.first_unfit}' is the first)", model))


def conclude(summary: "Summary", model: str = "") -> int:
    """Print the summary on stderr and return the exit code of the run. model: its name."""
    from rich.console import Console

    refuse(summary, model)

    if summary.ended:
        complain(summary.ended)
    Console(stderr=True, highlight=False).print(summary)
    if summary.interrupted:
        return INTERRUPTED
    return WRONG_INPUT if summary.errors or summary.unfit else DONE


def _plan(sources: Sequence[str], recursive: bool, summary: "Summary") -> list[list[str]]:
    """Return what is to be opened together: neighbouring pictures as one, everything else on its own."""
    from handlens.io.sources.base import is_files, is_picture
    from handlens.io.sources.find import find_files

    groups: list[list[str]] = []
    for text in sources:
        try:
            paths = find_files(text, recursive, complain) if is_files(text) else [text]
        except InputError as error:
            _report(error, summary)
            continue
        for path in paths:
            if groups and is_picture(path) and is_picture(groups[-1][-1]):
                groups[-1].append(path)
            else:
                groups.append([path])
    return groups


def _opened(job: Sequence[str], reading: "Reading", summary: "Summary") -> "Source | None":
    """Open one job, or report why that is not possible and return None."""
    from handlens.io.sources.base import is_picture
    from handlens.io.sources.files import Files
    from handlens.io.sources.open import open_source

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


def _verdict_line(step: "Step", threshold: float) -> str | None:
    """Return a line for a picture; a frame of a video has none."""
    from handlens.cli.console import verdict
    from handlens.io.sources.base import is_picture

    if not is_picture(step.frame.source):
        return None
    page = f" page {step.frame.index + 1}" if step.frame.index else ""
    return f"{step.frame.source}{page}  {verdict(step.result, threshold)}"
