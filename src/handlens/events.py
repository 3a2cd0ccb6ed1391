"""Results over time -> Events, by hysteresis in seconds; it must not know files, sound, drawing or models."""

import dataclasses
import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from handlens.errors import InputError
from handlens.pace import Pace, wall_clock
from handlens.result import Result
from handlens.tasks import task_of
from handlens.types import OWNERS, Detections, Event, Label

EVENT_FIELDS = (
    "source",
    "subject",
    "label",
    "start",
    "stop",
    "start_frame",
    "stop_frame",
    "peak",
    "side",
    "hand",
    "regions",
    "clock",
    "cut",
)
"""The fields of an event in a file, in order (CONTRACT.md)."""

NOTHING = ("nothing", "none", "blank", "background")
"""Endings of labels that say that a hand does nothing: with them nothing begins or ends."""

_TINY = 1e-6  # seconds: 0.1 + 0.2 must count as 0.3
_SAME_PLACE = 0.5  # of the score of the surest region: regions with so much of it are touched as well


def event_fields(event: Event) -> dict[str, str | int | float]:
    """Return the fields of one event as they stand in a file: times and peak with 3 decimals."""
    fields: dict[str, str | int | float] = {name: getattr(event, name) for name in EVENT_FIELDS}
    for name in ("start", "stop", "peak"):
        fields[name] = round(float(getattr(event, name)), 3)
    fields["regions"] = ";".join(f"{name}:{seconds:.3f}" for name, seconds in event.regions)
    fields["clock"] = "" if event.clock is None else wall_clock(event.clock)
    fields["cut"] = int(event.cut)
    return fields


class EventTracker:
    """Opens an event when the probability held, closes it when it stayed away.

    One stream of probabilities per thing watched: one per face for a model that judges single faces ("face 1"), "touch"
    for other touch models (the label is the region with the most score over the event), one per name for a model that
    names hands (its subject is the hand; "nothing" and the like are not events), and one per class of a mask, as sure
    as what is seen of it.

    An event goes from the start of the first frame of the run that opened it to the end of the last frame at or above
    the closing threshold. Each frame counts for its own duration, so a steady frame a second gives events too; a pause
    in the time stamps longer than `gap_time` closes all events. A touch that moves over the face without leaving it
    stays one event, and `Event.regions` tells its regions. Where the probability falls below `close` for less than
    `gap_time` and the touch then holds for `min_time` on other regions than before, it is a new event: the hand left.

    Args:
        open: probability at or above which an event may open, 0 to 1.
        close: probability below which it may close, at most `open`.
        min_time: seconds that the probability must stay at or above `open`.
        gap_time: seconds that it must stay below `close`.

    Raises:
        InputError: thresholds outside 0 to 1, closing above opening, or times below 0.
    """

    def __init__(self, open: float = 0.5, close: float = 0.35, min_time: float = 0.25, gap_time: float = 0.5) -> None:
        if not 0.0 <= close <= open <= 1.0:
            raise InputError(
                f"events need 0 <= closing <= opening threshold <= 1, got opening {open}, closing {close}."
            )
        if not (0 <= min_time < math.inf and 0 <= gap_time < math.inf):
            raise InputError(
                f"events need times of 0 seconds or more, and not endless ones, got minimum {min_time}, gap {gap_time}."
            )
        self.open, self.close, self.min_time, self.gap_time = open, close, min_time, gap_time
        self.opened: list[Event] = []
        self._streams: dict[str, _Stream] = {}
        self._pace = Pace(gap_time)
        self._last: Result | None = None

    @property
    def active(self) -> bool:
        """Whether some event is open now."""
        return any(stream.is_open for stream in self._streams.values())

    @property
    def current(self) -> list[Event]:
        """The events that are open now, as far as they are known."""
        return [event for name in sorted(self._streams) for event in self._streams[name].current()]

    def update(self, result: Result) -> list[Event]:
        """Take the next result and return the events that closed; `opened` then holds those that opened.

        A result of another source, one that lies before the last, or one after a pause first closes all that is open.
        """
        step = self._pace.take(result.source, result.time, result.duration)
        closed = self.finish() if self._last is not None and (step is None or step[1] > 0) else []
        self._last, self.opened = result, []
        now = _Moment(result, self._pace.counted(result.duration, live=result.clock is not None))
        readings = _read(result)
        for name in readings.keys() - self._streams.keys():
            self._streams[name] = _Stream(self)
        for name in sorted(self._streams):
            opened, ended = self._streams[name].step(now, readings.get(name, _NOTHING))
            self.opened += opened
            closed += ended
        self._streams = {name: stream for name, stream in self._streams.items() if stream.run is not None}
        return closed

    def finish(self) -> list[Event]:
        """Return the events still open, closed where they were last seen and marked as cut, and forget everything."""
        streams, self._streams = self._streams, {}
        self._last, self.opened = None, []
        return [event for name in sorted(streams) for event in streams[name].finish()]


def matched(events: Sequence[Event], truth: Sequence[Event]) -> list[tuple[Event | None, Event | None]]:
    """Return (event, the true one that it overlaps most) in the order of their starts; None where there is none.

    Each is in one pair only; those that share the most time come together first.
    """
    shared = [
        (min(one.stop, other.stop) - max(one.start, other.start), i, j)
        for i, one in enumerate(events)
        for j, other in enumerate(truth)
    ]
    partner: dict[int, int] = {}
    for time, i, j in sorted(shared, key=lambda each: -each[0]):
        if time > 0 and i not in partner and j not in partner.values():
            partner[i] = j
    pairs: list[tuple[Event | None, Event | None]] = [
        (event, truth[partner[i]] if i in partner else None) for i, event in enumerate(events)
    ]
    pairs += [(None, true) for j, true in enumerate(truth) if j not in partner.values()]
    return sorted(pairs, key=lambda pair: min(each.start for each in pair if each is not None))


@dataclass(frozen=True)
class _Reading:
    """What one frame says of one stream: its probability, and scores for each label, subject and hand it may be."""

    probability: float
    labels: Mapping[str, float] = field(default_factory=dict)
    subjects: Mapping[str, float] = field(default_factory=dict)
    hands: Mapping[str, float] = field(default_factory=dict)
    sides: Mapping[str, float] = field(default_factory=dict)
    which: Mapping[str, float] = field(default_factory=dict)  # "left" and "right" hand


_NOTHING = _Reading(0.0)
_AGREE = 0.8  # of what is said of the hand: with less both hands touch, or the model does not know
_SUMS = ("labels", "subjects", "hands", "sides", "which")
"""What is added up over the frames of a run, to name what had most."""


@dataclass(frozen=True, eq=False)
class _Moment:
    """A frame and for how many seconds it counts."""

    result: Result
    counted: float

    @property
    def start(self) -> float:
        return self.result.time

    @property
    def stop(self) -> float:
        return self.result.time + self.counted


def _read(result: Result) -> dict[str, _Reading]:
    value = result.value if result.basis is None else result.basis
    if isinstance(value, Detections):
        return {"touch": _read_touch(value)} if value.face_touch is None else _read_faces(value)
    if isinstance(value, Label):
        return _read_names([(value, -1)])
    if isinstance(value, tuple):
        return _read_names([(hand.gesture, hand.id) for hand in value])
    seen = {name: value.seen(name) for name in value.parts if not name.lower().endswith(NOTHING)}
    return {name: _Reading(score, {name: score}) for name, score in seen.items()}


def _read_faces(found: Detections) -> dict[str, _Reading]:
    """Return one reading per face that was judged; faces without a number are one stream together."""
    readings: dict[str, _Reading] = {}
    scores = np.full(len(found), np.nan) if found.face_touch is None else found.face_touch
    for row in np.flatnonzero(np.isfinite(scores)):
        subject = f"face {int(found.id[row])}" if found.id[row] >= 0 else ""
        reading = _reading(found, float(scores[row]), found.face == row, subject)
        if subject not in readings or readings[subject].probability < reading.probability:
            readings[subject] = reading
    return readings


def _read_touch(found: Detections) -> _Reading:
    reading = _reading(found, found.best_touch, ~found.of(*OWNERS), "")
    subjects: dict[str, float] = {}
    for row in np.flatnonzero(~found.of(*OWNERS) & (found.face >= 0)):
        if (number := int(found.id[found.face[row]])) >= 0:
            subjects[f"face {number}"] = max(subjects.get(f"face {number}", 0.0), float(found.score[row]))
    return dataclasses.replace(reading, subjects=subjects)


def _reading(found: Detections, probability: float, regions: npt.NDArray[np.bool_], subject: str) -> _Reading:
    """Return the reading of the regions in these rows."""
    labels: dict[str, float] = {}
    hands: dict[str, float] = {}
    sides: dict[str, float] = {}
    which: dict[str, float] = {}
    for row in np.flatnonzero(regions):
        name, score, hand = found.names[found.label[row]], float(found.score[row]), int(found.hand[row])
        labels[name] = max(labels.get(name, 0.0), score)
        sides[found.side[row]] = max(sides.get(found.side[row], 0.0), score)
        if hand >= 0 and found.id[hand] >= 0:
            hands[f"hand {int(found.id[hand])}"] = max(hands.get(f"hand {int(found.id[hand])}", 0.0), score)
        if hand >= 0 and found.side[hand]:
            which[found.side[hand]] = max(which.get(found.side[hand], 0.0), score)
    return _Reading(probability, labels, {subject: probability} if subject else {}, hands, sides, which)


def _read_names(hands: list[tuple[Label, int]]) -> dict[str, _Reading]:
    """Return for each name how sure the surest hand shows it; hands: labels with the hands' identities or -1."""
    best: dict[str, float] = {}
    subjects: dict[str, dict[str, float]] = {}
    for label, hand in hands:
        for name, score in {label.name: label.score, **label.scores}.items():
            best[name] = max(best.get(name, 0.0), float(score))
            if hand >= 0:
                subjects.setdefault(name, {})[f"hand {hand}"] = float(score)
    done = (name for name in best if not name.lower().endswith(NOTHING))
    return {name: _Reading(best[name], {name: best[name]}, subjects.get(name, {})) for name in done}


class _Run:
    """What is known of one stretch of time above the thresholds."""

    def __init__(self, least: float, now: _Moment) -> None:
        self.least = least  # seconds for which a region must be touched to be told
        self.first = self.last = now
        self.peak = 0.0
        self.held: float | None = None  # since when it is at or above the opening threshold
        self.labels: dict[str, float] = {}
        self.subjects: dict[str, float] = {}
        self.hands: dict[str, float] = {}
        self.sides: dict[str, float] = {}
        self.which: dict[str, float] = {}
        self.spans: list[tuple[str, float]] = []  # (region, since when), one after the other
        self.recent: deque[tuple[float, Mapping[str, float]]] = deque()

    def note(self, now: _Moment, reading: _Reading, open: float) -> None:
        """Take one frame at or above the closing threshold."""
        self.last = now
        self.peak = max(self.peak, reading.probability)
        if reading.probability < open:
            self.held = None
        elif self.held is None:
            self.held = now.start
        for name in _SUMS:
            _add(getattr(self, name), getattr(reading, name))
        self.recent.append((now.start, reading.labels))
        while len(self.recent) > 1 and self.recent[0][0] <= now.start - self.least + _TINY:
            self.recent.popleft()
        lately = self._lately()
        if lately:
            self._enter(max(lately, key=lately.__getitem__), now.start)

    def holds(self, now: _Moment, seconds: float) -> bool:
        """Return whether it has been at or above the opening threshold for so long."""
        return self.held is not None and now.stop - self.held >= seconds - _TINY

    def _lately(self) -> dict[str, float]:
        total: dict[str, float] = {}
        for _, scores in self.recent:
            _add(total, scores)
        return total

    def _enter(self, region: str, at: float) -> None:
        """Note the region touched from now on; one that was touched too briefly to be told is forgotten."""
        if self.spans and self.spans[-1][0] != region and at - self.spans[-1][1] < self.least - _TINY:
            _, since = self.spans.pop()
            at = at if self.spans else since
        if not self.spans or self.spans[-1][0] != region:
            self.spans.append((region, at))

    def places(self) -> set[str]:
        """Return the regions that are touched at its end."""
        lately = self._lately()
        best = max(lately.values(), default=0.0)
        return {name for name, score in lately.items() if score >= _SAME_PLACE * best} | {n for n, _ in self.spans[-1:]}

    def join(self, after: "_Run", held: bool) -> None:
        """Take in the run that came after a short dip; one that did not hold for long says nothing of regions."""
        self.last, self.held, self.peak = after.last, after.held, max(self.peak, after.peak)
        for name in _SUMS:
            _add(getattr(self, name), getattr(after, name))
        if held and after.spans:
            for region, since in after.spans:
                self._enter(region, since)
            self.recent = after.recent

    def event(self, cut: bool = False) -> Event:
        """Return it as an event, as far as it is known."""
        first, last = self.first.result, self.last.result
        return Event(
            task=first.task,
            label=_best(self.labels, "touch"),
            subject=_best(self.subjects, ""),
            start=first.time,
            stop=self.last.stop,
            start_frame=first.index,
            stop_frame=last.index,
            peak=self.peak,
            source=first.source,
            side=_best(self.sides, ""),
            hand=self._which() or _best(self.hands, ""),
            regions=self._regions() if task_of(first.task).touches else (),
            clock=first.clock,
            cut=cut,
        )

    def _which(self) -> str:
        """Return "left" or "right" where nearly all frames that tell it agree, else ""."""
        best = _best(self.which, "")
        return best if self.which.get(best, 0.0) >= _AGREE * sum(self.which.values()) else ""

    def _regions(self) -> tuple[tuple[str, float], ...]:
        spans = self.spans
        if len(spans) > 1 and self.last.stop - spans[-1][1] < self.least - _TINY:
            spans = spans[:-1]
        starts = [self.first.start, *(since for _, since in spans[1:]), self.last.stop]
        return tuple((name, starts[n + 1] - starts[n]) for n, (name, _) in enumerate(spans))


class _Stream:
    """One probability over time: no run, a run that may become an event, an open event, then no run again.

    Attributes:
        run: What is above the thresholds now.
        after: The run that came after a dip shorter than the gap, until it is known whether it belongs to `run`.
    """

    def __init__(self, rule: EventTracker) -> None:
        self.rule = rule
        self.is_open = False
        self.run: _Run | None = None
        self.after: _Run | None = None
        self.below: float | None = None

    def step(self, now: _Moment, reading: _Reading) -> tuple[list[Event], list[Event]]:
        """Take one reading and return (the events that opened, the events that closed)."""
        rule = self.rule
        if self.run is None or not self.is_open:
            return self._wait(now, reading), []
        if reading.probability < rule.close:
            return [], self._dip(now)
        if self.below is not None:
            self.below, self.after = None, _Run(rule.min_time, now)
        if self.after is None:
            self.run.note(now, reading, rule.open)
            return [], []
        self.after.note(now, reading, rule.open)
        return self._decide(now)

    def _wait(self, now: _Moment, reading: _Reading) -> list[Event]:
        if reading.probability < self.rule.open:
            self.run = None
            return []
        self.run = self.run or _Run(self.rule.min_time, now)
        self.run.note(now, reading, self.rule.open)
        self.is_open = self.run.holds(now, self.rule.min_time)
        return [self.run.event()] if self.is_open else []

    def _dip(self, now: _Moment) -> list[Event]:
        self._join()
        self.below = now.start if self.below is None else self.below
        if self.run is None or now.stop - self.below < self.rule.gap_time - _TINY:
            return []
        event = self.run.event()
        self.run, self.is_open, self.below = None, False, None
        return [event]

    def _decide(self, now: _Moment) -> tuple[list[Event], list[Event]]:
        """Split the event when the touch holds on other regions than before the dip."""
        if self.run is None or self.after is None or not self.after.holds(now, self.rule.min_time):
            return [], []
        before, since = self.run.places(), self.after.places()
        if not before or not since or before & since:
            self._join(held=True)
            return [], []
        ended, self.run, self.after = self.run.event(), self.after, None
        return [self.run.event()], [ended]

    def _join(self, held: bool = False) -> None:
        if self.run is not None and self.after is not None:
            self.run.join(self.after, held)
        self.after = None

    def current(self) -> list[Event]:
        """Return the open event as far as it is known."""
        return [self.run.event()] if self.run is not None and self.is_open else []

    def finish(self) -> list[Event]:
        """Return the open event, cut off where the touch was still seen."""
        self._join()
        return [self.run.event(cut=self.below is None)] if self.run is not None and self.is_open else []


def _add(total: dict[str, float], scores: Mapping[str, float]) -> None:
    for name, score in scores.items():
        total[name] = total.get(name, 0.0) + score


def _best(scores: Mapping[str, float], default: str) -> str:
    return max(scores, key=scores.__getitem__, default=default)
