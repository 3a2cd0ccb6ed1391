"""The progress bar of long work, on stderr and only on a terminal; it must not know what the work is."""

from collections.abc import Callable
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from handlens.loop import Step

_LONGEST = 40  # characters of a source's name


class Bar:
    """Counts frames, one source after the other; call it with each step. A context manager.

    tell: returns the line to print above the bar for a step, or None for no line.
    """

    def __init__(self, tell: Callable[[Step], str | None] = lambda step: None) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._tell = tell
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
        """Start anew for the next source of `total` frames, or of an unknown number."""
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
        line = self._tell(step)
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
