"""The terminal view of `watch`: what is seen now in one line, and a line for each event; it must not hold up the loop.

Without a terminal only the lines of the events are printed.
"""

import queue
import threading
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from handlens.cli.words import began, ended, regions, verdict
from handlens.loop import Step
from handlens.summary import clock
from handlens.types import Detections, Mask

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
    """The probability shown by the bar (for a mask how much of the picture it covers), and the words beside it."""
    value = step.result.value
    if isinstance(value, Detections):
        where = regions(value) if value.best_touch >= threshold else ""
        if not where and not value.of("face").any():
            where = "no face"
        return value.best_touch, where
    if isinstance(value, tuple):
        return max((hand.gesture.score for hand in value), default=0.0), verdict(step.result, threshold)
    covered = sum(map(value.fraction, value.parts)) if isinstance(value, Mask) else 0.0
    return covered, verdict(step.result, threshold)
