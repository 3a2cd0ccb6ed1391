"""Where answers go: JSON lines and event files, and what all sinks share; it must not know models or sources."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from handlens.errors import InputError, OutputError
from handlens.events import EVENT_FIELDS, event_fields
from handlens.io.atomic import LineFile, output_error
from handlens.pace import Pace
from handlens.result import Result, to_json
from handlens.types import Event, Frame


@dataclass(frozen=True)
class EventKind:
    """A kind of event file.

    Attributes:
        grows: it is written line by line; else whole, at the end.
        many: it holds the events of any number of videos; else of one.
    """

    ending: str
    grows: bool
    many: bool


EVENT_KINDS = (
    EventKind(".csv", grows=True, many=True),
    EventKind(".jsonl", grows=True, many=True),
    EventKind(".boris", grows=False, many=True),
    EventKind(".eaf", grows=False, many=False),
    EventKind(".TextGrid", grows=False, many=False),
    EventKind(".vtt", grows=False, many=False),
)


def event_kind(path: str | Path) -> EventKind | None:
    """Return what an event file of that name is, or None for an ending that is not one of theirs."""
    ending = Path(path).suffix.lower()
    return next((kind for kind in EVENT_KINDS if kind.ending.lower() == ending), None)


def event_endings(grows: bool = False, many: bool = False) -> str:
    """Return the endings in words, such as ".csv or .jsonl". grows, many: only of those that do or hold so."""
    *first, last = [kind.ending for kind in EVENT_KINDS if kind.grows >= grows and kind.many >= many]
    return f"{', '.join(first)} or {last}"


class Sink:
    """Takes results and events; a context manager that leaves complete files or none. Abstract: all are below.

    On a clean end and on Ctrl-C what was written is kept. After any other error it is removed, but for what a
    `checkpoint` made safe.
    """

    @property
    def written(self) -> tuple[int, Path | None]:
        """How many pictures, videos or masks were written, and the last of them; not the file of a sink of one file."""
        return 0, None

    def write(self, frame: Frame, result: Result) -> None:
        """Take the result of one frame.

        Raises:
            OutputError: it cannot be written.
        """

    def note(self, event: Event) -> None:
        """Take an event that closed.

        Raises:
            OutputError: it cannot be written.
        """

    def checkpoint(self) -> dict[str, int]:
        """Make safe all that was written so far, at the end of a source, and return the length of each file.

        Raises:
            OutputError: it cannot be written.
        """
        return {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what was begun."""


class LineSink(Sink):
    """A sink of one file of lines, `_file`, which stays None until it is entered and where there is none."""

    path: str | Path
    _file: LineFile | None = None

    def checkpoint(self) -> dict[str, int]:
        """Make the lines safe."""
        return {} if self._file is None else {os.path.abspath(self.path): self._file.checkpoint()}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.__exit__(kind, error, trace)


class JsonLines(LineSink):
    """One JSON object per frame (docs/reference/formats.md), in a file or, for "-", on stdout, each line at once.

    Args:
        start, append: As in `LineFile`.
        on_gone: Called when the reader of stdout has gone; no more lines are written then.

    Raises:
        InputError: on entering, if what is to be appended to holds something else.
        OutputError: on entering, if the file cannot be created.
        BrokenPipeError: without `on_gone`, the reader of stdout has gone.
    """

    def __init__(
        self, path: str | Path, start: int = 0, append: bool = False, on_gone: Callable[[], None] | None = None
    ) -> None:
        self.path, self.start, self.append = path, start, append
        self._file: LineFile | None = None
        self._on_gone, self._gone = on_gone, False
        self._pace = Pace()

    def write(self, frame: Frame, result: Result, masks: Sequence[str] = ()) -> None:
        """Write one line. masks: where the masks of this frame were written."""
        step = self._pace.take(result.source, result.time, result.duration)
        record = to_json(result, masks, unobserved=0.0 if step is None else step[1])
        line = json.dumps(record, separators=(", ", ": ")) + "\n"
        if self._file is not None:
            self._file.write(line.encode("ascii"))
            return
        if self._gone:
            return
        try:
            sys.stdout.write(line)
            sys.stdout.flush()
        except BrokenPipeError:
            if self._on_gone is None:
                raise
            self._gone = True
            self._on_gone()
        except OSError as error:
            raise output_error(error, Path("standard output")) from error

    def __enter__(self) -> Self:
        if str(self.path) != "-":
            first = _first_line(self.path) if self.append else None
            if first is not None and not {"source", "frame", "value"} <= set(_keys(first)):
                raise InputError(f"'{self.path}' holds other lines than those of frames: give a new name.")
            self._file = LineFile(self.path, self.start, self.append)
            if first is not None:
                _mend(self.path, self._file)
        return self


class EventFile(LineSink):
    """The events of a run as .csv or .jsonl (docs/reference/formats.md); without events a .csv holds its heading alone.

    Args:
        start, append: As in `LineFile`.

    Raises:
        InputError: another ending; on entering, if what is to be appended to has other columns.
        OutputError: on entering, if the file cannot be created.
    """

    path: Path

    def __init__(self, path: str | Path, start: int = 0, append: bool = False) -> None:
        self.path, self.start, self.append = Path(path), start, append
        self._file: LineFile | None = None
        kind = event_kind(path)
        if kind is None or not kind.grows:
            raise InputError(f"'{path}': an event file ends in {event_endings(grows=True)}.")

    @property
    def _is_csv(self) -> bool:
        return self.path.suffix.lower() == ".csv"

    def note(self, event: Event) -> None:
        """Write one event."""
        fields = event_fields(event)
        if self._is_csv:
            numbers = {name: f"{value:.3f}" for name, value in fields.items() if isinstance(value, float)}
            self._put(_csv_line([numbers.get(name, fields[name]) for name in EVENT_FIELDS]))
        else:
            self._put(json.dumps(fields) + "\n")

    def _put(self, line: str) -> None:
        if self._file is None:
            raise OutputError(f"'{self.path}' is not open: use it in a with statement.")
        self._file.write(line.encode("utf-8", "surrogateescape"))

    def __enter__(self) -> Self:
        first = _first_line(self.path) if self.append else None
        if first is not None:
            columns = first.split(",") if self._is_csv else _keys(first)
            if tuple(columns) != EVENT_FIELDS:
                shown = ",".join(columns)[:80] or first[:80]
                raise InputError(f"'{self.path}' has other columns ({shown}) than events have: give a new name.")
        self._file = LineFile(self.path, self.start, self.append)
        try:
            if first is not None:
                _mend(self.path, self._file)
            elif self._is_csv and not self.start:
                self._put(_csv_line(EVENT_FIELDS))
        except OutputError:
            self._file.discard()
            raise
        return self


def _first_line(path: str | Path) -> str | None:
    """Return the first line of a file, or None where there is none."""
    try:
        with Path(path).open("rb") as file:
            line = file.readline(1 << 20)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise output_error(error, Path(path)) from error
    return line.decode("utf-8-sig", "replace").rstrip("\r\n") if line else None


def _keys(line: str) -> list[str]:
    try:
        record = json.loads(line)
    except ValueError:
        return []
    return list(record) if isinstance(record, dict) else []


def _mend(path: str | Path, file: LineFile) -> None:
    """Begin a new line where the last one was cut off."""
    with Path(path).open("rb") as written:
        written.seek(-1, os.SEEK_END)
        if written.read(1) != b"\n":
            file.write(b"\n")


def _csv_line(fields: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)  # type: ignore[arg-type]
    return text.getvalue()
