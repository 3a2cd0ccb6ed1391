"""The verb `demo`: the main job on the clip that ships with the package; it must not do what `predict` cannot."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from handlens.cli import options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from handlens.types import Event, Result

Folder = Annotated[
    str | None, typer.Option("--out", metavar="DIR", help="Write the annotated clip, a picture and the answers here.")
]


def demo(out: Folder = None, model: options.Model = "touch") -> int:
    """Find the touches in the clip that ships with handlens."""
    from handlens.cli.outputs import Notes, open_sinks
    from handlens.cli.predict import conclude
    from handlens.cli.progress import Bar
    from handlens.clip import demo_clip, demo_truth
    from handlens.events import EventTracker
    from handlens.io.sinks.paths import MASKS
    from handlens.io.sources.open import open_source
    from handlens.loop import run
    from handlens.predictor import load
    from handlens.track import Tracker

    clip, predictor, notes = demo_clip(), load(model), Notes()
    touches = predictor.task == "touch"
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
    from handlens.cli.sheet import pick, sheet
    from handlens.io.sheet import save_picture
    from handlens.io.sources.open import open_source

    with open_source(clip) as source:
        save_picture(path, sheet(source.frames(), results, pick(results, events), truth))


def _table(events: "Sequence[Event]") -> str:
    """The events as lines: when, how long, how sure, what; "" without any."""
    return "\n".join([f"{_HEADING}label", *map(_cells, events)]) if events else ""


def _beside(events: "Sequence[Event]", truth: "Sequence[Event]") -> str:
    """The touches found and the true ones that they overlap, side by side."""
    from handlens.events import matched

    width = max([len(event.label) for event in events] + [6])
    lines = [f"{_HEADING}{'region':<{width}}  |  {'truth':>8}  {'':>8}  region"]
    for event, true in matched(events, truth):
        answer = _cells(event) if event is not None else f"{'missed':>8}"
        told = f"{true.start:8.2f}  {true.stop:8.2f}  {true.label}" if true is not None else f"{'no touch':>8}"
        lines.append(f"{answer:<{len(_HEADING) + width}}  |  {told}")
    return "\n".join(lines)


_HEADING = f"{'start':>8}  {'stop':>8}  {'seconds':>7}  {'sure':>5}  "


def _cells(e: "Event") -> str:
    return f"{e.start:8.2f}  {e.stop:8.2f}  {e.stop - e.start:7.2f}  {e.peak:5.0%}  {e.label}"
