"""Events of a touch model held against events that a person coded; it must not know how events are made.

The folder holds videos and events.csv with the columns source, start and stop (seconds), and perhaps label, side and
person. A video without a touch stands in it with an empty start and stop. A row whose label ends with "no_touch" or
begins with "object" is no touch: it says what was shown in that time, and false events are counted for each such label.
"""

import math
from collections.abc import Callable, Mapping, Sequence
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
NONE, THING = "no_touch", "object"
"""How labels end and begin that say what was shown instead of a touch."""


@dataclass(frozen=True, eq=False)
class Coded:
    """One video, the touches that a person coded in it, whom it shows, and what else: (label, start, stop)."""

    path: Path
    group: str
    events: tuple[Event, ...]
    others: tuple[tuple[str, float, float], ...] = ()


def read_coded(root: str | Path) -> tuple[Coded, ...]:
    """Return the videos of a folder with their coded events.

    Raises:
        InputError: no table, a missing column or video, a time that is not a number, or a stop before its start.
    """
    table = Path(root) / TABLE
    events: dict[Path, list[Event]] = {}
    others: dict[Path, list[tuple[str, float, float]]] = {}
    group: dict[Path, str] = {}
    for number, row in enumerate(read_rows(table, ("source", "start", "stop")), 2):
        path = table.parent / row["source"]
        where = f"'{table}' line {number}"
        if not path.is_file():
            raise InputError(f"{where}: there is no video '{row['source']}' in '{root}'.")
        events.setdefault(path, [])
        group[path] = row.get("person", "") or row["source"]
        if row["start"] or row["stop"]:
            event = _event(row, where)
            if is_none(event.label):
                others.setdefault(path, []).append((event.label, event.start, event.stop))
            else:
                events[path].append(event)
    if not events:
        raise InputError(f"'{table}' names no video: write a row for each, with source, start and stop.")
    return tuple(Coded(path, group[path], tuple(found), tuple(others.get(path, ()))) for path, found in events.items())


def is_none(label: str) -> bool:
    """Return whether the label of a row says that there is no touch, as "no_touch", "overlap_no_touch", "object"."""
    return label.endswith(NONE) or label.startswith(THING)


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


@dataclass(frozen=True)
class _Shown:
    """What a video showed of one kind that is no touch: seconds of it, and the false events in them."""

    label: str
    seconds: float
    alarms: int


def measure_events(
    coded: Sequence[Coded], seen: Sequence[Sequence[Event]], resamples: int = 1000, seed: int = 0
) -> Report:
    """Return precision, recall and F1 of events, with 95 % intervals by resampling people.

    An event is right when it overlaps a coded one that no other event shares more time with. Region and side are asked
    of right events whose coded one has them; "mouth/chin" is both. Of each label that is no touch it tells the false
    events a minute of it; a false event counts for the label that it shares most time with.

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
    told = rows(lambda weights: _numbers(pairs, weights), groups, resamples, seed)
    shown, whose = list[_Shown](), list[str]()
    for one, events in zip(coded, seen, strict=True):
        for each in _shown(one, events):
            shown.append(each)
            whose.append(one.group)
    if shown:
        told += rows(lambda weights: _alarms(shown, weights), whose, resamples, seed)
    return Report(told, tuple(notes))


def _shown(one: Coded, events: Sequence[Event]) -> list[_Shown]:
    """Return for each label that is no touch how long it was shown in a video, and its false events."""
    alarms = dict.fromkeys(sorted({label for label, _, _ in one.others}), 0)
    for mine, true in matched(events, one.events):
        if mine is None or true is not None:
            continue
        shared = dict.fromkeys(alarms, 0.0)
        for label, start, stop in one.others:
            shared[label] += max(0.0, min(stop, mine.stop) - max(start, mine.start))
        most = max(shared, key=shared.__getitem__, default="")
        if shared.get(most, 0.0) > 0:
            alarms[most] += 1
    return [
        _Shown(name, sum(stop - start for label, start, stop in one.others if label == name), count)
        for name, count in alarms.items()
    ]


def _alarms(shown: Sequence[_Shown], weights: Array) -> list[Drawn]:
    """Return the false events a minute of each label that is no touch."""
    label = np.array([each.label for each in shown])
    seconds, alarms = (np.array([getattr(each, name) for each in shown], float) for name in ("seconds", "alarms"))
    return [
        Drawn(
            f"false events a minute, {name}",
            binary.ratio(60 * (weights @ (alarms * (label == name))), weights @ (seconds * (label == name))),
            int(alarms[label == name].sum()),
        )
        for name in np.unique(label).tolist()
    ]


def _pair(mine: Event | None, true: Event | None) -> _Pair:
    if mine is None or true is None:
        return _Pair(mine is not None, true is not None, math.nan, math.nan, math.nan)
    regions = set(true.label.split("/")) if true.label else set()
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
