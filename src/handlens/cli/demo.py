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
    from handlens.clip import demo_clip
    from handlens.events import EventTracker
    from handlens.io.places import MASKS
    from handlens.io.sources import open_source
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
    print(_table(notes.events, "region" if touches else "label") or f"no{' touch' if touches else 'thing'} was found.")
    if out is not None and not summary.interrupted:
        _save_sheet(clip, Path(out) / "demo.jpg", notes.results, notes.events)
        masks = ", demo_masks/" if predictor.task in MASKS else ""
        print(f"\nin {out}/: demo.mp4 (annotated), demo.jpg (contact sheet), {table}, demo.jsonl{masks}\n", flush=True)
    return conclude(summary)


def _save_sheet(clip: Path, path: Path, results: "Sequence[Result]", events: "Sequence[Event]") -> None:
    from handlens.cli.sheet import pick, sheet
    from handlens.io.sheet import save_picture
    from handlens.io.sources import open_source

    with open_source(clip) as source:
        save_picture(path, sheet(source.frames(), results, pick(results, events)))


def _table(events: "Sequence[Event]", what: str) -> str:
    """The events as lines: when, how long, how sure, what; "" without any."""
    if not events:
        return ""
    lines = [f"{'start':>8}  {'stop':>8}  {'seconds':>7}  {'sure':>5}  {what}"]
    lines += [f"{e.start:8.2f}  {e.stop:8.2f}  {e.stop - e.start:7.2f}  {e.peak:5.0%}  {e.label}" for e in events]
    return "\n".join(lines)
