"""Events of a touch model held against events that a person coded; it must not know how events are made.

The folder holds videos and events.csv with the columns source, start and stop (seconds), and perhaps label, side and
person. A video without a touch stands in it with an empty start and stop.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens.clips import video
from handlens.data.formats.text_files import read_rows
from handlens.errors import InputError
from handlens.evaluate import binary
from handlens.evaluate.bootstrap import Array, Drawn, rows
from handlens.events import EventTracker, matched
from handlens.predictor import Predictor
from handlens.report import Report
from handlens.types import Event

TABLE = "events.csv"


@dataclass(frozen=True, eq=False)
class Coded:
    """One video, what a person coded in it, and whom it shows."""

    path: Path
    group: str
    events: tuple[Event, ...]


def read_coded(root: str | Path) -> tuple[Coded, ...]:
    """Return the videos of a folder with their coded events.

    Raises:
        InputError: no table, a missing column or video, a time that is not a number, or a stop before its start.
    """
    table = Path(root) / TABLE
    events: dict[Path, list[Event]] = {}
    group: dict[Path, str] = {}
    for number, row in enumerate(read_rows(table, ("source", "start", "stop")), 2):
        path = table.parent / row["source"]
        where = f"'{table}' line {number}"
        if not path.is_file():
            raise InputError(f"{where}: there is no video '{row['source']}' in '{root}'.")
        events.setdefault(path, [])
        group[path] = row.get("person", "") or row["source"]
        if row["start"] or row["stop"]:
            events[path].append(_event(row, where))
    if not events:
        raise InputError(f"'{table}' names no video: write a row for each, with source, start and stop.")
    return tuple(Coded(path, group[path], tuple(found)) for path, found in events.items())


def _event(row: Mapping[str, str], where: str) -> Event:
    try:
        start, stop = float(row["start"]), float(row["stop"])
    except ValueError:
        raise InputError(f"{where}: '{row['start']}' to '{row['stop']}' are not seconds, such as 12.5.") from None
    if not 0 <= start < stop:
        raise InputError(f"{where}: an event begins at 0 or later and ends after it began, got {start} to {stop}.")
    return Event("touch", row.get("label", ""), "", start, stop, 0, 0, 1.0, row["source"], row.get("side", ""))


def events_of(predictor: Predictor, coded: Coded, tracker: EventTracker, progress: Callable[[], None]) -> list[Event]:
    """Return the events that a model sees in a video; progress is called after each frame."""
    found: list[Event] = []
    for result in video(coded.path, predictor):
        found += tracker.update(result)
        progress()
    return found + tracker.finish()


@dataclass(frozen=True)
class _Pair:
    seen: bool
    true: bool
    label: float
    side: float
    onset: float


def measure_events(
    coded: Sequence[Coded], seen: Iterable[Sequence[Event]], resamples: int = 1000, seed: int = 0
) -> Report:
    """Return precision, recall and F1 of events, with 95 % intervals by resampling people.

    An event is right when it overlaps a coded one that no other event shares more time with. Region and side are asked
    of right events whose coded one has them.

    Args:
        seen: for each video the events of the model, in the order of `coded`.
    """
    pairs, groups = list[_Pair](), list[str]()
    for one, events in zip(coded, seen, strict=True):
        for mine, true in matched(events, one.events):
            pairs.append(_pair(mine, true))
            groups.append(one.group)
    notes = [f"{len(coded):,} videos, {sum(len(one.events) for one in coded):,} coded events; intervals: 95 %, people."]
    if not pairs:
        return Report((), (*notes, "Neither a person nor the model saw an event."))
    return Report(rows(lambda weights: _numbers(pairs, weights), groups, resamples, seed), tuple(notes))


def _pair(mine: Event | None, true: Event | None) -> _Pair:
    if mine is None or true is None:
        return _Pair(mine is not None, true is not None, math.nan, math.nan, math.nan)
    regions = {true.label} if true.label else set()
    label = float(mine.label in regions) if regions else math.nan
    side = float(mine.side == true.side) if true.side else math.nan
    return _Pair(True, True, label, side, mine.start - true.start)


def _numbers(pairs: Sequence[_Pair], weights: Array) -> list[Drawn]:
    seen, true = (np.array([getattr(pair, name) for pair in pairs]) for name in ("seen", "true"))
    label, side, onset = (np.array([getattr(pair, name) for pair in pairs]) for name in ("label", "side", "onset"))
    hit, every, there = (weights @ rows for rows in (seen & true, seen, true))

    def share(values: Array) -> Drawn:
        known = ~np.isnan(values)
        return Drawn("", binary.ratio(weights @ np.nan_to_num(values), weights @ known), int(known.sum()))

    return [
        Drawn("event precision", binary.ratio(hit, every), int(seen.sum())),
        Drawn("event recall", binary.ratio(hit, there), int(true.sum())),
        Drawn("event F1", binary.f1(hit, every, there), len(pairs)),
        share(label)._replace(name="event region"),
        share(side)._replace(name="event side"),
        share(np.abs(onset))._replace(name="onset off by, seconds"),
    ]
