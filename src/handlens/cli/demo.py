"""The verb `demo`: the main job on the clip that ships with the package; it must not do what `predict` cannot."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import options
from handlens.cli.console import regions
from handlens.io.draw import captioned, draw, grid
from handlens.io.scaled import scaled
from handlens.result import Result
from handlens.summary import clock
from handlens.types import Detections, Event, Frame, Image

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handlens.result import Result
    from handlens.types import Event

Folder = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="Write the annotated clip, a picture and the answers here.")
]


def demo(out: Folder = None, model: options.Model = "touch") -> int:
    """Find the touches in the clip that ships with handlens."""
    from handlens.cli.console import Bar
    from handlens.cli.outputs import Notes, open_sinks
    from handlens.cli.predict import conclude
    from handlens.events import EventTracker
    from handlens.io.sinks.paths import MASKS
    from handlens.io.sources.open import open_source
    from handlens.loop import run
    from handlens.predictor import load
    from handlens.tasks import task_of
    from handlens.track import Tracker
    from handlens.weights import demo_clip, demo_truth

    clip, predictor, notes = demo_clip(), load(model), Notes()
    touches = task_of(predictor.task).touches
    table = "touches.csv" if touches else "events.csv"
    json, events = (None, None) if out is None else (f"{out}/demo.jsonl", f"{out}/{table}")
    with (
        open_sinks(json, events, out, [str(clip)], task=predictor.task) as sinks,
        open_source(clip) as source,
        Bar() as bar,
    ):
        bar.begin(clip.name, source.total)
        summary = run(source, predictor, Tracker(), EventTracker(), [*sinks, notes], progress=bar)
    truth = demo_truth() if touches else None
    if truth is not None and not summary.interrupted:
        print(_beside(notes.events, truth))
    else:
        print(_table(notes.events) or f"no{' touch' if touches else 'thing'} was found.")
    if out is not None and not summary.interrupted:
        _save_sheet(clip, Path(out) / "demo.jpg", notes.results, notes.events, truth)
        masks = ", demo_masks/" if predictor.task in MASKS else ""
        print(f"\nin {out}/: demo.mp4 (annotated), demo.jpg (contact sheet), {table}, demo.jsonl{masks}\n", flush=True)
    return conclude(summary, predictor.card.name)


def _save_sheet(
    clip: Path,
    path: Path,
    results: "Sequence[Result]",
    events: "Sequence[Event]",
    truth: "Sequence[Event] | None",
) -> None:
    from handlens.io.draw import save_picture
    from handlens.io.sources.open import open_source

    with open_source(clip) as source:
        save_picture(path, sheet(source.frames(), results, pick(results, events), truth))


def _table(events: "Sequence[Event]") -> str:
    """Return the events as lines: when, how long, how sure, what; "" without any."""
    return "\n".join([f"{_HEADING}label", *map(_cells, events)]) if events else ""


def _beside(events: "Sequence[Event]", truth: "Sequence[Event]") -> str:
    """Return the touches found and the true ones that they overlap, side by side."""
    from handlens.events import matched

    width = max([len(event.label) for event in events] + [6])
    lines = [f"{_HEADING}{'region':<{width}}  |  {'truth':>8}  {'':>8}  region"]
    for event, true in matched(events, truth):
        answer = _cells(event) if event is not None else f"{'missed':>8}"
        expected = f"{true.start:8.2f}  {true.stop:8.2f}  {true.label}" if true is not None else f"{'no touch':>8}"
        lines.append(f"{answer:<{len(_HEADING) + width}}  |  {expected}")
    return "\n".join(lines)


_HEADING = f"{'start':>8}  {'stop':>8}  {'seconds':>7}  {'sure':>5}  "


def _cells(e: "Event") -> str:
    return f"{e.start:8.2f}  {e.stop:8.2f}  {e.stop - e.start:7.2f}  {e.peak:5.0%}  {e.label}"


CELL = 400  # pixels of the longer side of a frame
_TOUCHED = 0.5  # the opening threshold of events


def pick(results: Sequence[Result], events: Sequence[Event], count: int = 6) -> list[int]:
    """Return the frame numbers of at most `count` moments in order: the middle of each event, then quiet ones.

    Of many events the surest are shown. The surest frame of an event often lies where the hand comes or goes.
    """
    shown = [result.index for result in results]
    middles = [
        min(within, key=lambda i: abs(2 * i - event.start_frame - event.stop_frame))
        for event in sorted(events, key=lambda event: -event.peak)
        if (within := [i for i in shown if event.start_frame <= i <= event.stop_frame])
    ]
    chosen = middles[: max(1, count - count // 3)]
    inside = {i for event in events for i in range(event.start_frame, event.stop_frame + 1)}
    quiet = [i for i in shown if i not in inside]
    left = count - len(chosen)
    chosen += [quiet[(2 * n + 1) * len(quiet) // (2 * left)] for n in range(left)] if len(quiet) >= left else quiet
    return sorted(set(chosen))


def sheet(
    frames: Iterable[Frame], results: Sequence[Result], picks: Sequence[int], truth: Sequence[Event] | None = None
) -> Image:
    """Return (H, W, 3) uint8 RGB: the picked frames with their results drawn, and the time of each below it.

    Args:
        truth: The true touches, where they are known; answer and truth then stand beside the time.
    """
    by_index = {result.index: result for result in results}
    cells = []
    for frame in frames:
        if frame.index in set(picks):
            result = by_index[frame.index]
            time = clock(frame.time)
            caption = time if truth is None else f"{time}    {_caption(result, truth)}"
            cells.append(captioned(draw(*scaled(frame, result, CELL)), caption))
    return grid(cells)


def _caption(result: Result, truth: Sequence[Event]) -> str:
    """Say what the model says of a frame and what is true."""
    value = result.value
    touched = isinstance(value, Detections) and value.best_touch >= _TOUCHED
    answer = (regions(value) or "touch") if touched and isinstance(value, Detections) else "no touch"
    true = [event.label for event in truth if event.start_frame <= result.index <= event.stop_frame]
    return f"answer: {answer}    truth: {'; '.join(true) or 'no touch'}"
