"""Touches and observed time as values, and what they add up to; it must not know where they are kept."""

import datetime as dt
import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

_BREAK_S = 1800.0  # seconds not observed after which a time without a touch begins anew
_LEAST_S = 300.0  # observed seconds below which a rate says nothing
_HOURS, _WEEKDAYS = 24, 7


def _local(moment: float, offset: int) -> dt.datetime:
    return dt.datetime.fromtimestamp(moment, dt.timezone(dt.timedelta(seconds=offset)))


def rate(count: int, seconds: float) -> float | None:
    """Return touches per observed hour, or None below five observed minutes: that says nothing."""
    return count * 3600.0 / seconds if seconds >= _LEAST_S else None


def rounded(value: float | None, digits: int = 2) -> float | None:
    """Return a number with so many decimals, None as None."""
    return None if value is None else round(value, digits)


@dataclass(frozen=True)
class Touch:
    """One touch.

    Attributes:
        start: Seconds since 1970.
        offset: Seconds by which the local time was ahead of UTC then.
        seconds: How long it was.
        region: What was touched ("chin"), or "touch".
        side: Of the person, "left", "right" or "".
        probability: The highest.
        regions: The touched regions one after the other, each with its seconds.
    """

    start: float
    offset: int
    seconds: float
    region: str
    side: str = ""
    probability: float = 1.0
    source: str = ""
    model: str = ""
    regions: tuple[tuple[str, float], ...] = ()

    @property
    def by_region(self) -> dict[str, float]:
        """The seconds for which each region was touched."""
        totals: dict[str, float] = {}
        for name, seconds in self.regions or ((self.region, self.seconds),):
            totals[name] = totals.get(name, 0.0) + seconds
        return totals

    @property
    def local(self) -> dt.datetime:
        """When it began, by the clock on the wall there."""
        return _local(self.start, self.offset)

    @property
    def stop(self) -> float:
        """When it ended, in seconds since 1970."""
        return self.start + self.seconds

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        stop = self.local + dt.timedelta(seconds=self.seconds)
        return {
            "start": self.local.isoformat(timespec="milliseconds"),
            "stop": stop.isoformat(timespec="milliseconds"),
            "seconds": round(self.seconds, 3),
            "region": self.region,
            "regions": {name: round(seconds, 3) for name, seconds in self.by_region.items()},
            "side": self.side,
            "probability": round(self.probability, 4),
        }


@dataclass(frozen=True)
class Span:
    """A stretch of time in which a touch could be seen; start, offset and seconds as in `Touch`."""

    start: float
    offset: int
    seconds: float

    @property
    def local(self) -> dt.datetime:
        """When it began, by the clock on the wall there."""
        return _local(self.start, self.offset)

    @property
    def stop(self) -> float:
        """When it ended, in seconds since 1970."""
        return self.start + self.seconds

    def cut(self, since: float, until: float) -> "Span":
        """Return the part from `since` to `until`."""
        start, stop = max(self.start, since), min(self.stop, until)
        return Span(start, self.offset, max(0.0, stop - start))

    def hours(self) -> list["Span"]:
        """Return its parts, cut at every full hour of the local time."""
        parts: list[Span] = []
        at = self.start
        while at < self.stop:
            into = (at + self.offset) % 3600.0
            end = min(self.stop, at + 3600.0 - into)
            if end <= at:  # a remainder that is too small to be counted
                break
            parts.append(Span(at, self.offset, end - at))
            at = end
        return parts

    def of_day(self, date: dt.date) -> list["Span"]:
        """Return the part that lies on that day, none or one."""
        midnight = dt.datetime.combine(date, dt.time(), dt.timezone(dt.timedelta(seconds=self.offset))).timestamp()
        part = self.cut(midnight, midnight + 86400.0)
        return [part] if part.seconds > 0 else []

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        stop = self.local + dt.timedelta(seconds=self.seconds)
        return {
            "start": self.local.isoformat(timespec="milliseconds"),
            "stop": stop.isoformat(timespec="milliseconds"),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class RegionTotal:
    """How often one region was touched, and for how many seconds."""

    count: int = 0
    seconds: float = 0.0


@dataclass(frozen=True)
class Day:
    """One day: its touches and when it was watched, in order."""

    date: dt.date
    touches: list[Touch]
    observed: list[Span]

    @property
    def observed_seconds(self) -> float:
        """How long it was watched."""
        return sum(span.seconds for span in self.observed)

    @property
    def per_hour(self) -> float | None:
        """Touches per observed hour, or None below five observed minutes."""
        return rate(len(self.touches), self.observed_seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "date": self.date.isoformat(),
            "touches": [touch.to_dict() for touch in self.touches],
            "observed": [span.to_dict() for span in self.observed],
            "observed_seconds": round(self.observed_seconds, 3),
            "per_hour": rounded(self.per_hour),
        }


@dataclass(frozen=True)
class Grid:
    """Weekdays (0 is Monday) x hours: touches, and observed seconds. Both are 7 rows of 24."""

    touches: list[list[int]] = field(default_factory=lambda: [[0] * _HOURS for _ in range(_WEEKDAYS)])
    seconds: list[list[float]] = field(default_factory=lambda: [[0.0] * _HOURS for _ in range(_WEEKDAYS)])

    def per_hour(self, weekday: int, hour: int) -> float | None:
        """Return the touches per observed hour there, or None below five observed minutes."""
        return rate(self.touches[weekday][hour], self.seconds[weekday][hour])

    def of_hours(self) -> list[tuple[int, float]]:
        """Return (touches, observed seconds) of each hour of the day."""
        return [
            (sum(row[hour] for row in self.touches), sum(row[hour] for row in self.seconds)) for hour in range(_HOURS)
        ]

    def of_weekdays(self) -> list[tuple[int, float]]:
        """Return (touches, observed seconds) of each weekday, Monday first."""
        return [(sum(counts), sum(times)) for counts, times in zip(self.touches, self.seconds, strict=True)]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it; rows are weekdays, Monday first."""
        rates = [[rounded(self.per_hour(day, hour)) for hour in range(_HOURS)] for day in range(_WEEKDAYS)]
        times = [[round(value, 3) for value in row] for row in self.seconds]
        return {"touches": self.touches, "observed_seconds": times, "per_hour": rates}


@dataclass(frozen=True)
class Week:
    """One week from its Monday on."""

    monday: dt.date
    touches: int
    observed_seconds: float

    @property
    def per_hour(self) -> float | None:
        """Touches per observed hour, or None below five observed minutes."""
        return rate(self.touches, self.observed_seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        seconds = round(self.observed_seconds, 3)
        return {
            "monday": self.monday.isoformat(),
            "touches": self.touches,
            "observed_seconds": seconds,
            "per_hour": rounded(self.per_hour),
        }


@dataclass(frozen=True)
class Pause:
    """Observed time without a touch.

    Attributes:
        start, offset: When it began, as in `Touch`.
        stop: When it ended, in seconds since 1970.
        seconds: The observed time in it.
    """

    start: float
    offset: int
    stop: float
    seconds: float

    @property
    def local(self) -> dt.datetime:
        """When it began, by the clock on the wall there."""
        return _local(self.start, self.offset)

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        begin, end = _local(self.start, self.offset), _local(self.stop, self.offset)
        return {
            "start": begin.isoformat(timespec="milliseconds"),
            "stop": end.isoformat(timespec="milliseconds"),
            "seconds": round(self.seconds, 3),
        }


@dataclass(frozen=True)
class Change:
    """Two stretches of time beside each other.

    Attributes:
        now, before: Touches and observed seconds.
        ratio: The rate now as a share of the rate before, with its 95 % interval; None where too little was observed.
    """

    now: tuple[int, float]
    before: tuple[int, float]
    ratio: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def is_clear(self) -> bool:
        """Whether the difference is larger than chance would make it (95 %)."""
        return self.low is not None and self.high is not None and not self.low <= 1.0 <= self.high

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON can hold it."""
        return {
            "now_per_hour": rounded(rate(*self.now)),
            "before_per_hour": rounded(rate(*self.before)),
            "ratio": rounded(self.ratio, 3),
            "low": rounded(self.low, 3),
            "high": rounded(self.high, 3),
            "clear": self.is_clear,
        }


def grid(touches: Sequence[Touch], observed: Sequence[Span]) -> Grid:
    """Return touches and observed time by weekday and hour of the local time."""
    table = Grid()
    for touch in touches:
        table.touches[touch.local.weekday()][touch.local.hour] += 1
    for span in observed:
        for part in span.hours():
            table.seconds[part.local.weekday()][part.local.hour] += part.seconds
    return table


def trend(touches: Sequence[Touch], observed: Sequence[Span], first: dt.date, weeks: int) -> list[Week]:
    """Return so many weeks from the Monday `first` on."""
    counts, times = [0] * weeks, [0.0] * weeks
    for touch in touches:
        number = (touch.local.date() - first).days // _WEEKDAYS
        if 0 <= number < weeks:
            counts[number] += 1
    for span in observed:
        for part in span.hours():
            number = (part.local.date() - first).days // _WEEKDAYS
            if 0 <= number < weeks:
                times[number] += part.seconds
    return [Week(first + dt.timedelta(weeks=n), counts[n], times[n]) for n in range(weeks)]


def longest(touches: Sequence[Touch], observed: Sequence[Span]) -> Pause | None:
    """Return the longest observed time without a touch; both in order. None where nothing was observed.

    Time that was not observed does not count, and more than half an hour of it ends the pause.
    """
    best: Pause | None = None
    start = stop = seconds = 0.0
    offset, running = 0, False
    for part in _untouched(touches, observed):
        if part is None or not running or part.start - stop > _BREAK_S:
            running, seconds = part is not None, 0.0
        if part is None:
            continue
        if seconds == 0.0:
            start, offset = part.start, part.offset
        seconds, stop = seconds + part.seconds, part.stop
        if best is None or seconds > best.seconds:
            best = Pause(start, offset, stop, seconds)
    return best


def _untouched(touches: Sequence[Touch], observed: Sequence[Span]) -> list[Span | None]:
    """Return the observed time in order, with None where a touch lies; spans are cut there."""
    parts: list[Span | None] = []
    left = deque(touches)
    at = -math.inf
    for span in observed:
        at = max(at, span.start)  # two cameras watch the same time
        while left and left[0].start < span.stop:
            touch = left.popleft()
            if touch.start > at:
                parts.append(span.cut(at, touch.start))
            parts.append(None)
            at = max(at, touch.stop)
        if at < span.stop:
            parts.append(span.cut(at, span.stop))
            at = span.stop
    return parts


def change(now: tuple[int, float], before: tuple[int, float]) -> Change:
    """Return two rates beside each other. now, before: touches and observed seconds.

    The interval is that of a ratio of two Poisson rates on the scale of logarithms, with half a touch added to each,
    so that none is 0.
    """
    if min(now[1], before[1]) < 6 * _LEAST_S:
        return Change(now, before)
    ratio = (now[0] + 0.5) / (before[0] + 0.5) * before[1] / now[1]
    spread = 1.96 * math.sqrt(1.0 / (now[0] + 0.5) + 1.0 / (before[0] + 0.5))
    return Change(now, before, ratio, ratio * math.exp(-spread), ratio * math.exp(spread))
