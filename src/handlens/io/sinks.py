"""Where answers go: JSON lines and event files, and what all sinks share; it must not know models or sources."""

import csv
import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from handlens.errors import InputError, OutputError
from handlens.events import EVENT_FIELDS, event_fields
from handlens.io.draft import Draft, output_error
from handlens.types import Event, Frame, Result

EVENT_ENDINGS = (".csv", ".jsonl")


class Sink:
    """Takes results and events; a context manager that leaves complete files or none. Abstract: all are below.

    On a clean end and on Ctrl-C what was written is kept; after any other error it is removed.
    """

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish what was begun."""


class JsonLines(Sink):
    """One JSON object per frame (CONTRACT.md), in a file or, for "-", on stdout, each line at once.

    Raises:
        OutputError: on entering, if the file cannot be created. BrokenPipeError on stdout is left as it is.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = path
        self._draft: Draft | None = None

    def write(self, frame: Frame, result: Result, masks: Sequence[str] = ()) -> None:
        """Write one line. masks: where the masks of this frame were written."""
        line = json.dumps(result.to_json(masks), separators=(", ", ": ")) + "\n"
        if self._draft is not None:
            self._draft.write(line.encode("ascii"))
            return
        try:
            sys.stdout.write(line)
            sys.stdout.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            raise output_error(error, Path("standard output")) from error

    def __enter__(self) -> Self:
        self._draft = None if str(self.path) == "-" else Draft(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._draft is not None:
            self._draft.__exit__(kind, error, trace)


class EventFile(Sink):
    """The events of a run as .csv or .jsonl (CONTRACT.md); without events a .csv holds its heading alone.

    Raises:
        InputError: another ending.
        OutputError: on entering, if the file cannot be created.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._draft: Draft | None = None
        if self.path.suffix.lower() not in EVENT_ENDINGS:
            raise InputError(f"'{path}': an event file ends in {' or '.join(EVENT_ENDINGS)}.")

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
        if self._draft is None:
            raise OutputError(f"'{self.path}' is not open: use it in a with statement.")
        self._draft.write(line.encode("utf-8", "surrogateescape"))

    def __enter__(self) -> Self:
        self._draft = Draft(self.path)
        try:
            if self._is_csv:
                self._put(_csv_line(EVENT_FIELDS))
        except OutputError:
            self._draft.discard()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._draft is not None:
            self._draft.__exit__(kind, error, trace)


def _csv_line(fields: object) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(fields)  # type: ignore[arg-type]
    return text.getvalue()
