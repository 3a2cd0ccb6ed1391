"""The terminal view of `watch`: what is seen now in one line, and a line for each event; it must not hold up the loop.

Without a terminal only the lines of the events are printed.
"""

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn
from rich.text import Text

from handlens.loop import Step
from handlens.result import Result
from handlens.summary import clock
from handlens.types import OWNERS, Detections, Event, Label, Mask

_SHOWN = 0.5  # regions below this are in the JSON, not in the words


def verdict(result: Result, threshold: float) -> str:
    """Say what was seen in one frame.

    "touch 93%: chin", "no touch (4%), 1 face, 2 hands", "3 (90%, -12 deg)", "hand 12.3%, no face"; of a detector of
    other things "cup 71%, phone 60%".
    """
    value = result.value
    if isinstance(value, Detections):
        return _touch(value, threshold) if value.tells_touch else _things(value)
    if isinstance(value, Mask):
        return ", ".join(_area(name, value.fraction(name)) for name in value.parts)
    labels = [value] if isinstance(value, Label) else [hand.gesture for hand in value]
    return ", ".join(map(_hand, labels)) or "no hand"


def regions(found: Detections, least: float = _SHOWN) -> str:
    """Name the touched regions that score at least `least`, surest first."""
    rows = [(score, name) for score, name in zip(found.score, found.label_names, strict=True)]
    touched = [name for score, name in sorted(rows, reverse=True) if name not in OWNERS and score >= least]
    return ", ".join(dict.fromkeys(touched))


def began(event: Event) -> str:
    """Say that an event opened."""
    return f"{clock(event.start):>8}  {event.label}{_whose(event)}"


def ended(event: Event) -> str:
    """Say that an event closed, and how long it was."""
    return f"{clock(event.stop):>8}  {event.label}{_whose(event)} ended after {event.stop - event.start:.1f} s"


def _whose(event: Event) -> str:
    return f" ({event.subject})" if event.subject else ""


def _touch(found: Detections, threshold: float) -> str:
    sure = found.best_touch
    doubt = ", unsure" if found.unsure else ""
    if sure >= threshold:
        where = regions(found)
        return f"touch {sure:.0%}{doubt}{': ' if where else ''}{where}"
    seen = [_count(int(found.of(name).sum()), name) for name in OWNERS]
    return f"no touch ({sure:.0%}{doubt}), {', '.join(seen)}"


def _things(found: Detections) -> str:
    """Name what a detector of other things found, each kind once with its best score, surest first."""
    best: dict[str, float] = {}
    for name, score in zip(found.label_names, found.score.tolist(), strict=True):
        best[name] = max(score, best.get(name, 0.0))
    rows = sorted(best.items(), key=lambda row: -row[1])
    return ", ".join(f"{name} {score:.0%}" for name, score in rows) or "nothing found"


def _hand(label: Label) -> str:
    turned = "" if label.angle is None else f", {round(label.angle)} deg"
    return f"{label.name} ({label.score:.0%}{turned})"


def _area(name: str, share: float) -> str:
    return f"{name} {share:.1%}" if share >= 0.0005 else f"no {name}"


def _count(number: int, name: str) -> str:
    return f"{number or 'no'} {name}{'' if number == 1 else 's'}"


_BAR = 16  # characters
_WORDS, _WIDE = 18, 24  # characters; the areas of a mask need more
_SMOOTH = 0.9  # of the old rate in the new: about the last ten frames
_REDRAWS = 10  # a second


class View:
    """Shows each step it is called with; a context manager. threshold: from which probability on the bar is red."""

    def __init__(self, threshold: float, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self._threshold = threshold
        self._step: Step | None = None
        self._rate = 0.0
        self._count = 0
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._printer = threading.Thread(target=self._print, name="view", daemon=True)
        self._live = Live(
            get_renderable=self._status, console=self.console, refresh_per_second=_REDRAWS, transient=True
        )

    def __call__(self, step: Step) -> None:
        """Take note of one step and return at once; the drawing happens in threads of its own."""
        before, self._step = self._step, step
        if before is not None and step.moment > before.moment:
            now = 1.0 / (step.moment - before.moment)
            self._rate = now if not self._rate else _SMOOTH * self._rate + (1 - _SMOOTH) * now
        self._count += len(step.opened)
        for event in step.closed:
            self._lines.put(ended(event))
        for event in step.opened:
            self._lines.put(began(event))

    def ring(self) -> None:
        """Ring the terminal's bell."""
        self.console.bell()

    def _print(self) -> None:
        while (line := self._lines.get()) is not None:
            self.console.print(line, markup=False, soft_wrap=True)

    def _status(self) -> Text:
        step = self._step
        if step is None:
            return Text("waiting for the first picture ...", style="dim")
        sure, where = _now(step, self._threshold)
        colour = "red" if sure >= self._threshold and isinstance(step.result.value, Detections) else "green"
        full, room = round(sure * _BAR), _WIDE if isinstance(step.result.value, Mask) else _WORDS
        line = Text("● " if step.active else "○ ", style="red" if step.active else "dim")
        line.append("█" * full, style=colour).append("░" * (_BAR - full), style="dim")
        line.append(f" {sure:4.0%} ", style=f"bold {colour}").append(f"{where:<{room}.{room}}")
        line.append(f" {self._rate:4.1f} fps {step.seconds * 1000:4.0f} ms ", style="dim")
        what = "touch" if isinstance(step.result.value, Detections) else "event"
        many = "" if self._count == 1 else "es" if what == "touch" else "s"
        line.append(f" {self._count} {what}{many} in {clock(step.result.time)}")
        line.no_wrap, line.overflow = True, "ellipsis"
        return line

    def __enter__(self) -> Self:
        self._printer.start()
        if self.console.is_terminal:
            self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lines.put(None)
        self._printer.join(1.0)  # a terminal that was stopped (Ctrl-S) takes nothing; do not wait for it
        if self._live.is_started:
            self._live.__exit__(kind, error, trace)


def _now(step: Step, threshold: float) -> tuple[float, str]:
    """Return the probability shown by the bar (for a mask how much of the picture it covers).

    And the words beside it.
    """
    value = step.result.value
    if isinstance(value, Detections) and not value.tells_touch:
        return value.best_touch, verdict(step.result, threshold)
    if isinstance(value, Detections):
        where = regions(value) if value.best_touch >= threshold else ""
        if not where and not value.of("face").any():
            where = "no face"
        return value.best_touch, where
    if isinstance(value, tuple):
        return max((hand.gesture.score for hand in value), default=0.0), verdict(step.result, threshold)
    covered = sum(map(value.fraction, value.parts)) if isinstance(value, Mask) else 0.0
    return covered, verdict(step.result, threshold)


_LONGEST = 40  # characters of a source's name


class Bar:
    """Counts frames, one source after the other; call it with each step. A context manager.

    Args:
        tell: Returns the line to print above the bar for a step, or None for no line.
    """

    def __init__(self, line_of: Callable[[Step], str | None] = lambda step: None) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._line_of = line_of
        self._progress = Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task: TaskID | None = None

    def begin(self, name: str, total: int | None) -> None:
        """Start over for the next source of `total` frames, or of an unknown number."""
        if self._task is not None:
            self._progress.remove_task(self._task)
        short = name if len(name) <= _LONGEST else "..." + name[-_LONGEST:]
        self._task = self._progress.add_task(short, total=total)

    def count(self) -> None:
        """Count one piece of work."""
        if self._task is not None:
            self._progress.advance(self._task)

    def __call__(self, step: Step) -> None:
        """Count one frame, and tell of it."""
        line = self._line_of(step)
        if line is not None:
            self.console.print(line, markup=False, soft_wrap=True)
        self.count()

    def __enter__(self) -> Self:
        self._progress.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.__exit__(kind, error, trace)
