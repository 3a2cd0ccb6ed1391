"""What a person reads at the end: how long, how often, how much, where; it must not know files or models."""

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from handlens.errors import HandlensError
from handlens.types import Detections, Event, Mask, Result

if TYPE_CHECKING:
    from rich.console import RenderableType


_LABELS = 12  # the most frequent so many are shown


@dataclass
class Region:
    """How often one region was touched, and for how many seconds."""

    count: int = 0
    seconds: float = 0.0


@dataclass
class Summary:
    """Counts what a run saw; `add` and `note` fill it, `str()` or rich prints it.

    sources, frames: how many were looked at. touched: frames with a touch at or above `threshold`. hands: frames with a
    hand, for models that judge hands; labels: in how many frames a hand had which one, or a mask which class. areas:
    the sum over the frames of each class's share of the picture, for masks. seconds: time covered by the sources, by
    their own timestamps. events: how many events closed. event_seconds: their time in all.
    regions: the same for each label. errors: what could not be read. interrupted: Ctrl-C ended the run. dropped: the
    frames a live source skipped because the model was busy. ended: why a live source ended, or "".
    """

    threshold: float = 0.5
    task: str = "touch"
    sources: int = 0
    frames: int = 0
    touched: int = 0
    hands: int = 0
    labels: Counter[str] = field(default_factory=Counter)
    areas: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0
    events: int = 0
    event_seconds: float = 0.0
    regions: dict[str, Region] = field(default_factory=dict)
    errors: list[HandlensError] = field(default_factory=list)
    interrupted: bool = False
    dropped: int = 0
    ended: str = ""
    _source: str | None = field(default=None, repr=False)
    _time: float = field(default=0.0, repr=False)

    def add(self, result: Result) -> None:
        """Count one frame."""
        if result.source != self._source or result.time < self._time:
            self.sources += 1
            self._source, self._time = result.source, result.time
        self.seconds += result.time - self._time
        self._time = result.time
        self.task = result.task
        self.frames += 1
        if isinstance(result.value, Detections):
            self.touched += result.value.best_touch >= self.threshold
        elif isinstance(result.value, tuple):
            self.hands += bool(result.value)
            self.labels.update({hand.gesture.name for hand in result.value})
        elif isinstance(result.value, Mask):
            for name in result.value.parts:
                self.labels[name] += result.value.seen(name) > 0
                self.areas[name] = self.areas.get(name, 0.0) + result.value.fraction(name)

    def note(self, event: Event) -> None:
        """Count one event that closed."""
        region = self.regions.setdefault(event.label, Region())
        region.count += 1
        region.seconds += event.stop - event.start
        self.events += 1
        self.event_seconds += event.stop - event.start

    def merge(self, other: "Summary") -> "Summary":
        """Add another run to this one and return it."""
        for name in ("sources", "frames", "touched", "hands", "seconds", "events", "event_seconds", "dropped"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for label, region in other.regions.items():
            mine = self.regions.setdefault(label, Region())
            mine.count, mine.seconds = mine.count + region.count, mine.seconds + region.seconds
        self.labels.update(other.labels)
        for name, area in other.areas.items():
            self.areas[name] = self.areas.get(name, 0.0) + area
        self.errors += other.errors
        self.interrupted = self.interrupted or other.interrupted
        self.task = other.task if other.frames else self.task
        return self

    @property
    def per_hour(self) -> float | None:
        """Events per hour, or None where no time passed (pictures)."""
        return self.events * 3600.0 / self.seconds if self.seconds > 0 else None

    @property
    def share(self) -> float | None:
        """The share of the time that lies inside events, 0 to 1, or None where no time passed."""
        return min(1.0, self.event_seconds / self.seconds) if self.seconds > 0 else None

    def rows(self) -> list[tuple[str, str]]:
        """Return (name, text) pairs in reading order."""
        touch = self.task == "touch"
        what = "touches" if touch else "events"
        rows = [("sources", f"{self.sources:,}"), ("frames", f"{self.frames:,}")]
        if touch:
            rows.append(("frames with a touch", f"{self.touched:,}{_percent(self.touched, self.frames)}"))
        if self.task in ("hold", "gesture", "combined"):
            rows.append(("frames with a hand", f"{self.hands:,}{_percent(self.hands, self.frames)}"))
            rows += [(f"  {label}", f"{count:,}") for label, count in self.labels.most_common(_LABELS)]
        for name, area in self.areas.items():
            rows.append((f"frames with {name}", f"{self.labels[name]:,}{_percent(self.labels[name], self.frames)}"))
            rows.append(("  mean area", f"{area / self.frames:.1%}"))
        if self.seconds > 0:
            rows += [
                ("duration", clock(self.seconds)),
                (what, f"{self.events:,}"),
                (f"{what} per hour", f"{self.per_hour:.1f}"),
            ]
            if not self.areas:  # hands and faces are seen at the same time
                share = f"{self.event_seconds:.1f} s ({self.share:.1%})"
                rows.append(("time touched" if touch else "time in events", share))
            by_time = sorted(self.regions.items(), key=lambda item: (-item[1].seconds, item[0]))
            rows += [(f"  {label}", f"{r.count} x, {r.seconds:.1f} s") for label, r in by_time]
        if self.dropped:
            rows.append(("frames skipped, live", f"{self.dropped:,}"))
        if self.errors:
            rows.append(("could not be read", f"{len(self.errors):,}"))
        return rows

    def __str__(self) -> str:
        rows = self.rows()
        wide = max(len(name) for name, _ in rows)
        return "\n".join(f"{name:<{wide}}  {text}" for name, text in rows)

    def __rich__(self) -> "RenderableType":
        from rich.table import Table

        table = Table(show_header=False, box=None, pad_edge=False)
        table.add_column(style="dim")
        table.add_column(justify="right")
        for name, text in self.rows():
            table.add_row(name, text)
        return table


def clock(seconds: float) -> str:
    """Return seconds as "1:02:03.4", "2:03.4" or "3.4 s"."""
    tenths = round(seconds * 10)
    hours, minutes, rest = tenths // 36000, tenths // 600 % 60, tenths % 600 / 10
    if hours:
        return f"{hours}:{minutes:02d}:{rest:04.1f}"
    return f"{minutes}:{rest:04.1f}" if minutes else f"{rest:.1f} s"


def _percent(part: int, whole: int) -> str:
    return f" ({part / whole:.0%})" if whole else ""
