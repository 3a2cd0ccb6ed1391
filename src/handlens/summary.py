"""What a person reads at the end: how long, how often, how much, where; it must not know files or models."""

import dataclasses
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from handlens.errors import HandlensError, InputError
from handlens.pace import Pace
from handlens.result import Result
from handlens.tasks import task_of
from handlens.types import Detections, Event, Mask

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table


_LABELS = 12  # the most frequent so many are shown
_UNSEEN = -1.0  # stands for the duration of a last frame in which nothing could be seen
_RATE_S = 300.0  # observed seconds below which a rate per hour says nothing


@dataclass
class Region:
    """How often one region was touched, and for how many seconds."""

    count: int = 0
    seconds: float = 0.0


@dataclass
class SourceSummary:
    """What was seen of one source.

    Attributes:
        start, stop: Seconds, of its first frame and of the end of its last one.
        events, event_seconds: How many events closed and their time in all.
    """

    name: str
    frames: int = 0
    start: float = 0.0
    stop: float = 0.0
    events: int = 0
    event_seconds: float = 0.0
    seen: float = 0.0
    tail: float = 0.0

    @property
    def seconds(self) -> float:
        """The time it covers, by its own time stamps."""
        return self.stop - self.start

    @property
    def observed(self) -> float:
        """The seconds in which a touch could be seen: pauses and, for touch, frames without a face are left out."""
        return min(self.seen + max(0.0, self.tail), self.seconds)

    @property
    def per_hour(self) -> float | None:
        """Events per observed hour, or None below five observed minutes."""
        return self.events * 3600.0 / self.observed if self.observed >= _RATE_S else None

    @property
    def share(self) -> float | None:
        """The share of the observed time that lies inside events, 0 to 1, or None where no time passed."""
        return min(1.0, self.event_seconds / self.observed) if self.observed > 0 else None


@dataclass
class Summary:
    """Counts what a run saw; `add` and `note` fill it, `str()` or rich prints it.

    Attributes:
        frames: How many were looked at.
        touched: Frames with a touch at or above `threshold`.
        things: Whether the boxes are no touches, but what a detector of other things finds.
        hands: Frames with a hand, for models that judge hands.
        labels: In how many frames a hand had which one, or a mask which class.
        areas: The sum over the frames of each class's share of the picture, for masks.
        events: How many events closed.
        event_seconds: Their time in all.
        regions: The same for each label.
        table: Each source on its own.
        unfit: Pictures that are not silhouettes, given to a model of silhouettes.
        first_unfit: The first of them.
        errors: What could not be read.
        interrupted: Ctrl-C ended the run.
        dropped: The frames a live source skipped because the model was busy.
        ended: Why a live source ended, or "".
    """

    threshold: float = 0.5
    task: str = "touch"
    frames: int = 0
    touched: int = 0
    things: bool = False
    hands: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    areas: dict[str, float] = field(default_factory=dict)
    events: int = 0
    event_seconds: float = 0.0
    regions: dict[str, Region] = field(default_factory=dict)
    table: list[SourceSummary] = field(default_factory=list)
    unfit: int = 0
    first_unfit: str = ""
    errors: list[HandlensError] = field(default_factory=list)
    interrupted: bool = False
    dropped: int = 0
    ended: str = ""
    _pace: Pace = field(default_factory=Pace, repr=False)

    def add(self, result: Result) -> None:
        """Count one frame."""
        self._time(result)
        self.task = result.task
        self.frames += 1
        if isinstance(result.value, Detections):
            self.touched += result.value.best_touch >= self.threshold
            self.things = not result.value.tells_touch
        elif isinstance(result.value, tuple):
            self.hands += bool(result.value)
            self.labels.update({hand.gesture.name for hand in result.value})
        elif isinstance(result.value, Mask):
            for name in result.value.parts:
                self.labels[name] += result.value.seen(name) > 0
                self.areas[name] = self.areas.get(name, 0.0) + result.value.fraction(name)

    def _time(self, result: Result) -> None:
        """Count the time that the frame covers, and of the frame before it as much as could be observed."""
        step = self._pace.take(result.source, result.time, result.duration)
        if step is None or not self.table:
            self.table.append(SourceSummary(result.source, start=result.time, stop=result.time))
        row = self.table[-1]
        if step is not None and row.tail >= 0:
            row.seen += step[0]
        counted = self._pace.counted(result.duration)
        row.tail = counted if is_observed(result) else _UNSEEN
        row.frames += 1
        row.stop = max(row.stop, result.time + counted)

    def note(self, event: Event) -> None:
        """Count one event that closed."""
        seconds = event.stop - event.start
        region = self.regions.setdefault(event.label, Region())
        region.count += 1
        region.seconds += seconds
        self.events += 1
        self.event_seconds += seconds
        for row in reversed(self.table):
            if row.name == event.source:
                row.events, row.event_seconds = row.events + 1, row.event_seconds + seconds
                break

    def merge(self, other: "Summary") -> "Summary":
        """Add another run to this one and return it."""
        for name in ("frames", "touched", "hands", "events", "event_seconds", "dropped"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for label, region in other.regions.items():
            mine = self.regions.setdefault(label, Region())
            mine.count, mine.seconds = mine.count + region.count, mine.seconds + region.seconds
        self.labels.update(other.labels)
        for name, area in other.areas.items():
            self.areas[name] = self.areas.get(name, 0.0) + area
        self.unfit += other.unfit
        self.first_unfit = self.first_unfit or other.first_unfit
        self.table += other.table
        self.errors += other.errors
        self.interrupted = self.interrupted or other.interrupted
        self.ended = other.ended or self.ended
        self.task = other.task if other.frames else self.task
        self.things = self.things or other.things
        return self

    def to_dict(self) -> dict[str, Any]:
        """Return the counts as JSON can hold them; errors as their sentences."""
        left_out = {"errors", "interrupted", "_pace"}
        kept = {each.name: getattr(self, each.name) for each in dataclasses.fields(self) if each.name not in left_out}
        kept["regions"] = {name: dataclasses.asdict(region) for name, region in self.regions.items()}
        kept["table"] = [dataclasses.asdict(row) for row in self.table]
        return {**kept, "errors": [str(error) for error in self.errors]}

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> "Summary":
        """Return the summary that `to_dict` gave."""
        summary = cls(**{name: value for name, value in record.items() if name not in ("errors", "regions", "table")})
        summary.labels = Counter(record["labels"])
        summary.regions = {name: Region(**region) for name, region in record["regions"].items()}
        summary.table = [SourceSummary(**row) for row in record["table"]]
        summary.errors = [InputError(sentence) for sentence in record["errors"]]
        return summary

    @property
    def sources(self) -> int:
        """How many sources were looked at."""
        return len(self.table)

    @property
    def seconds(self) -> float:
        """The time covered by the sources, by their own time stamps."""
        return sum(row.seconds for row in self.table)

    @property
    def observed(self) -> float:
        """The seconds in which a touch could be seen: pauses and, for touch, frames without a face are left out."""
        return sum(row.observed for row in self.table)

    @property
    def per_hour(self) -> float | None:
        """Events per observed hour, or None below five observed minutes."""
        return self._total.per_hour

    @property
    def share(self) -> float | None:
        """The share of the observed time that lies inside events, 0 to 1, or None where no time passed."""
        return self._total.share

    @property
    def _total(self) -> SourceSummary:
        """All sources as one."""
        return SourceSummary("all", self.frames, 0.0, self.seconds, self.events, self.event_seconds, seen=self.observed)

    def rows(self) -> list[tuple[str, str]]:
        """Return (name, text) pairs in reading order."""
        touch = task_of(self.task).touches and not self.things
        what = "touches" if touch else "events"
        rows = [("sources", f"{self.sources:,}"), ("frames", f"{self.frames:,}")]
        if touch:
            rows.append(("frames with a touch", f"{self.touched:,}{_percent(self.touched, self.frames)}"))
        if self.things:
            rows.append(("frames with a box", f"{self.touched:,}{_percent(self.touched, self.frames)}"))
        if task_of(self.task).hands:
            rows.append(("frames with a hand", f"{self.hands:,}{_percent(self.hands, self.frames)}"))
            rows += [(f"  {label}", f"{count:,}") for label, count in self.labels.most_common(_LABELS)]
        for name, area in self.areas.items():
            rows.append((f"frames with {name}", f"{self.labels[name]:,}{_percent(self.labels[name], self.frames)}"))
            rows.append(("  mean area", f"{area / self.frames:.1%}"))
        if self.seconds > 0:
            rows.append(("duration", clock(self.seconds)))
            if touch or self.seconds - self.observed > 0.05:
                rows.append(("observed", f"{clock(self.observed)}{_percent(self.observed, self.seconds)}"))
            rows.append((what, f"{self.events:,}"))
            if self.per_hour is not None:
                rows.append((f"{what} per hour", f"{self.per_hour:.1f}"))
            if not self.areas and self.share is not None:  # of masks, hands and faces are seen at the same time
                share = f"{self.event_seconds:.1f} s ({self.share:.1%})"
                rows.append(("time touched" if touch else "time in events", share))
            by_time = sorted(self.regions.items(), key=lambda item: (-item[1].seconds, item[0]))
            rows += [(f"  {label}", f"{r.count} x, {r.seconds:.1f} s") for label, r in by_time]
        if self.dropped:
            rows.append(("frames skipped, live", f"{self.dropped:,}"))
        if self.unfit:
            rows.append(("no silhouettes", f"{self.unfit:,}"))
        if self.errors:
            rows.append(("could not be read", f"{len(self.errors):,}"))
        return rows

    def source_rows(self) -> list[tuple[str, ...]]:
        """Return a heading and a row for each source that has a duration, as texts; [] where there is none."""
        rows = [row for row in self.table if row.seconds > 0]
        touch = task_of(self.task).touches and not self.things
        what = ("touches", "time touched") if touch else ("events", "time in events")
        heading = ("source", "duration", "observed", what[0], "per hour", what[1])
        return [heading, *(_cells(row) for row in rows)] if rows else []

    def __str__(self) -> str:
        rows = self.rows()
        wide = max(len(name) for name, _ in rows)
        lines = [f"{name:<{wide}}  {text}" for name, text in rows]
        table = self.source_rows()
        if len(table) > 2:  # of one source all has been said
            widths = [max(map(len, column)) for column in zip(*table, strict=True)]
            lines += ["", *("  ".join(map(str.ljust, row, widths)).rstrip() for row in table)]
        return "\n".join(lines)

    def __rich__(self) -> "RenderableType":
        from rich.console import Group
        from rich.table import Table

        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(justify="right")
        for name, text in self.rows():
            table.add_row(name, text)
        rows = self.source_rows()
        return Group(_source_table(rows), "", table) if len(rows) > 2 else table


def is_observed(result: Result) -> bool:
    """Return whether a touch could be seen in a frame: a face was found, or the model knows no faces."""
    value = result.value if result.basis is None else result.basis
    if not isinstance(value, Detections) or (value.face_touch is None and "face" not in value.names):
        return True
    return bool(value.of("face").any()) or (value.face_touch is None and len(value) > int(value.of("hand").sum()))


def _cells(row: SourceSummary) -> tuple[str, ...]:
    rate = "-" if row.per_hour is None else f"{row.per_hour:.1f}"
    share = "-" if row.share is None else f"{row.event_seconds:.1f} s ({row.share:.1%})"
    return row.name, clock(row.seconds), clock(row.observed), f"{row.events:,}", rate, share


def _source_table(rows: list[tuple[str, ...]]) -> "Table":
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="dim")
    for n, name in enumerate(rows[0]):
        table.add_column(name, justify="right" if n else "left", no_wrap=n > 0, overflow="fold")
    for row in rows[1:]:
        table.add_row(*map(Text, row))
    return table


def clock(seconds: float) -> str:
    """Return seconds as "1:02:03.4", "2:03.4" or "3.4 s"."""
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36000, tenths // 600 % 60, tenths % 600 / 10
    if hours:
        return f"{hours}:{minutes:02d}:{rest:04.1f}"
    return f"{minutes}:{rest:04.1f}" if minutes else f"{rest:.1f} s"


def _percent(part: float, total: float) -> str:
    return f" ({part / total:.0%})" if total else ""
