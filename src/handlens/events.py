"""Results over time -> Events, by hysteresis in seconds; it must not know files, sound, drawing or models."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from handlens.errors import InputError
from handlens.types import Detections, Event, Label, Result

EVENT_FIELDS = ("source", "subject", "label", "start", "stop", "start_frame", "stop_frame", "peak")
"""The fields of an event in a file, in order (CONTRACT.md)."""

NOTHING = ("nothing", "none", "blank", "background")
"""Endings of labels that say that a hand does nothing: with them nothing begins or ends."""

_TINY = 1e-6  # seconds: 0.1 + 0.2 must count as 0.3


def event_fields(event: Event) -> dict[str, str | int | float]:
    """Return the fields of one event as they stand in a file: times and peak with 3 decimals."""
    rounded = {name: round(float(getattr(event, name)), 3) for name in ("start", "stop", "peak")}
    return {name: rounded.get(name, getattr(event, name)) for name in EVENT_FIELDS}


class EventTracker:
    """Opens an event when the probability held, closes it when it stayed away.

    One stream of probabilities per thing watched: "touch" for a touch model (its label is the region with the most
    score over the event, its subject the face), one per name for a model that names hands (its subject is the hand;
    "nothing" and the like are no events), and one per class of a mask, as sure as what is seen of it. An event starts
    at the first frame of the run that opened it and stops at the last frame at or above the closing threshold.

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
        if min_time < 0 or gap_time < 0:
            raise InputError(f"events need times of 0 seconds or more, got minimum {min_time}, gap {gap_time}.")
        self.open, self.close, self.min_time, self.gap_time = open, close, min_time, gap_time
        self.opened: list[Event] = []
        self._streams: dict[str, _Stream] = {}
        self._last: Result | None = None

    @property
    def active(self) -> bool:
        """Whether some event is open now."""
        return any(stream.is_open for stream in self._streams.values())

    def update(self, result: Result) -> list[Event]:
        """Take the next result and return the events that closed; `opened` then holds those that opened.

        A result of another source, or one that lies before the last, first closes everything that is open.
        """
        last, self._last = self._last, result
        broke = last is not None and (last.source != result.source or result.time < last.time)
        closed = self.finish() if broke else []
        self._last, self.opened = result, []
        readings = _read(result)
        for name in readings.keys() - self._streams.keys():
            self._streams[name] = _Stream(self)
        for name in sorted(self._streams):
            opened, ended = self._streams[name].step(result, readings.get(name, _NOTHING))
            self.opened += [opened] if opened else []
            closed += [ended] if ended else []
        return closed

    def finish(self) -> list[Event]:
        """Return the events still open, closed where they were last seen, and forget everything."""
        streams, self._streams = self._streams, {}
        self._last, self.opened = None, []
        return [streams[name].event() for name in sorted(streams) if streams[name].is_open]


@dataclass(frozen=True)
class _Reading:
    """What one frame says of one stream: its probability, and scores for each label and each subject it may be."""

    probability: float
    labels: Mapping[str, float] = field(default_factory=dict)
    subjects: Mapping[str, float] = field(default_factory=dict)


_NOTHING = _Reading(0.0)


def _read(result: Result) -> dict[str, _Reading]:
    value = result.value
    if isinstance(value, Detections):
        return {"touch": _read_touch(value)}
    if isinstance(value, Label):
        return _read_names([(value, -1)])
    if isinstance(value, tuple):
        return _read_names([(hand.gesture, hand.id) for hand in value])
    seen = {name: value.seen(name) for name in value.parts if not name.lower().endswith(NOTHING)}
    return {name: _Reading(score, {name: score}) for name, score in seen.items()}


def _read_touch(found: Detections) -> _Reading:
    labels: dict[str, float] = {}
    subjects: dict[str, float] = {}
    regions = ~found.of("face", "hand")
    for row, name in enumerate(found.label_names):
        if regions[row]:
            score, face = float(found.score[row]), int(found.face[row])
            labels[name] = max(labels.get(name, 0.0), score)
            if face >= 0 and found.id[face] >= 0:
                subject = f"face {int(found.id[face])}"
                subjects[subject] = max(subjects.get(subject, 0.0), score)
    return _Reading(found.best_touch, labels, subjects)


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


class _Stream:
    """One probability over time: idle, then above, then an open event, then idle again."""

    def __init__(self, rule: EventTracker) -> None:
        self.rule = rule
        self._rest()

    def _rest(self) -> None:
        self.is_open = False
        self.first: Result | None = None
        self.last: Result | None = None
        self.below: float | None = None
        self.peak = 0.0
        self.labels: dict[str, float] = {}
        self.subjects: dict[str, float] = {}

    def step(self, now: Result, reading: _Reading) -> tuple[Event | None, Event | None]:
        """Take one reading and return (the event that opened, the event that closed), either may be None."""
        if not self.is_open:
            return self._wait(now, reading), None
        if reading.probability >= self.rule.close:
            self.below = None
            self._note(now, reading)
            return None, None
        self.below = now.time if self.below is None else self.below
        if now.time - self.below < self.rule.gap_time - _TINY:
            return None, None
        event = self.event()
        self._rest()
        return None, event

    def _wait(self, now: Result, reading: _Reading) -> Event | None:
        if reading.probability < self.rule.open:
            self._rest()
            return None
        self.first = self.first or now
        self._note(now, reading)
        self.is_open = now.time - self.first.time >= self.rule.min_time - _TINY
        return self.event() if self.is_open else None

    def _note(self, now: Result, reading: _Reading) -> None:
        self.last = now
        self.peak = max(self.peak, reading.probability)
        for sums, scores in ((self.labels, reading.labels), (self.subjects, reading.subjects)):
            for name, score in scores.items():
                sums[name] = sums.get(name, 0.0) + score

    def event(self) -> Event:
        """Return the open event as far as it is known."""
        first, last = self.first, self.last
        if first is None or last is None:
            raise RuntimeError("a stream without a frame has no event")
        return Event(
            task=first.task,
            label=max(self.labels, key=self.labels.__getitem__, default="touch"),
            subject=max(self.subjects, key=self.subjects.__getitem__, default=""),
            start=first.time,
            stop=last.time,
            start_frame=first.index,
            stop_frame=last.index,
            peak=self.peak,
            source=first.source,
        )
