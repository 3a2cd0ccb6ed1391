"""The landmarks of all hands as a tidy table, one row for each point; it must not know models or sources."""

import csv
import io
from pathlib import Path
from typing import Self

from handlens.errors import InputError, OutputError
from handlens.io.atomic import LineFile
from handlens.io.sinks.base import LineSink
from handlens.result import Result
from handlens.types import LANDMARKS, Frame

COLUMNS = ("source", "frame", "time", "hand", "id", "side", "hand_score", "point", "name", "x", "y", "score")
"""hand counts the hands of a frame from 0, id is the hand's number over the frames of a video (-1 in pictures), point
is 0 to 20 and name what it is; x and y are source pixels."""


class LandmarkTable(LineSink):
    """A .csv file with the columns `COLUMNS`; pictures without a hand have no row.

    Args:
        start: As in `LineFile`.

    Raises:
        InputError: another ending.
        OutputError: on entering, if the file cannot be created.
    """

    def __init__(self, path: str | Path, start: int = 0) -> None:
        self.path, self.start = Path(path), start
        self._file: LineFile | None = None
        if self.path.suffix.lower() != ".csv":
            raise InputError(f"'{path}': a table of landmarks ends in .csv.")

    def write(self, frame: Frame, result: Result) -> None:
        """Write the rows of one frame."""
        if not isinstance(result.value, tuple):
            return
        lines = io.StringIO()
        rows = csv.writer(lines, lineterminator="\n")
        for number, hand in enumerate(result.value):
            if hand.landmarks is None:
                continue
            about = (result.source, result.index, f"{result.time:.6f}", number, hand.id, hand.side)
            sure = f"{hand.gesture.score:.4f}"
            for point, (x, y, score) in enumerate(hand.landmarks.tolist()):
                rows.writerow((*about, sure, point, LANDMARKS[point], f"{x:.2f}", f"{y:.2f}", f"{score:.4f}"))
        self._put(lines.getvalue())

    def _put(self, text: str) -> None:
        if self._file is None:
            raise OutputError(f"'{self.path}' is not open: use it in a with statement.")
        if text:
            self._file.write(text.encode("utf-8", "surrogateescape"))

    def __enter__(self) -> Self:
        self._file = LineFile(self.path, self.start)
        if not self.start:
            try:
                self._put(",".join(COLUMNS) + "\n")
            except OutputError:
                self._file.discard()
                raise
        return self
