"""The log of a run: one row an epoch, in a .csv that is whole at any moment, and its curves; knows no net."""

from __future__ import annotations

import csv
import io
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from handlens.errors import HandlensError
from handlens.evaluate.plots.log import plot_log
from handlens.io.atomic import AtomicFile

Row = dict[str, float]
CURVES = "curves.png"
_SILENT = ("epoch", "rate", "seen")
BARS = "▁▂▃▄▅▆▇█"
LONGEST = 24  # epochs in a line of bars
FIRST = 5.0  # seconds; a run that is over by then is drawn at its end
SHARE = 0.05  # of the time that goes by, at most, for drawing


class Log:
    """Rows by epoch; `note` writes the file again, draws the curves beside it, and writes a line on stderr."""

    def __init__(self, path: Path, epochs: int) -> None:
        self.path, self.epochs = path, epochs
        self.rows: dict[int, Row] = {}
        self._next_drawing = time.monotonic() + FIRST

    def note(self, epoch: int, row: Mapping[str, float]) -> None:
        """Add what is known of an epoch (counted from 0) and write the file."""
        fresh = epoch not in self.rows
        self.rows[epoch] = {"epoch": epoch + 1, **self.rows.get(epoch, {}), **row}
        columns = list(dict.fromkeys(key for kept in self.rows.values() for key in kept))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns)
        writer.writeheader()
        for number in sorted(self.rows):
            writer.writerow({key: f"{value:.6g}" for key, value in self.rows[number].items()})
        with AtomicFile(self.path) as draft:
            draft.write(text.getvalue().encode())
        if fresh:
            self._print_row(self.rows[epoch])
        if time.monotonic() >= self._next_drawing:
            self._draw()

    def restore(self, rows: Mapping[int, Row], before: int) -> None:
        """Take over the rows of a run that is resumed, up to the epoch that comes next."""
        self.rows = {number: dict(row) for number, row in rows.items() if number < before}

    def _draw(self) -> None:
        """Draw the curves as they are now; where that cannot be done the run goes on, and its end says why."""
        began = time.monotonic()
        try:
            plot_log(self.path, self.path.with_name(CURVES))
        except HandlensError:
            return
        now = time.monotonic()
        self._next_drawing = now + (now - began) / SHARE

    def _print_row(self, row: Row) -> None:
        shown = [f"{key} {value:.4g}{self._past(key)}" for key, value in row.items() if key not in _SILENT]
        print(f"epoch {int(row['epoch'])}/{self.epochs}  {'  '.join(shown)}", file=sys.stderr, flush=True)

    def _past(self, key: str) -> str:
        """Bars of the epochs so far, on a terminal that can show them."""
        able = sys.stderr.isatty() and (sys.stderr.encoding or "").lower().startswith("utf")
        if key == "minutes" or not able:
            return ""
        values = [self.rows[number][key] for number in sorted(self.rows) if key in self.rows[number]]
        return f" {bars(values)}" if len(values) > 1 else ""


def bars(values: Sequence[float]) -> str:
    """Return the last values as a line of bars, the lowest of them to the highest."""
    last = np.array(values[-LONGEST:], np.float64)
    finite = last[np.isfinite(last)]
    if not len(finite):
        return ""
    low, span = float(finite.min()), float(np.ptp(finite)) or 1.0
    heights = np.clip((last - low) / span * (len(BARS) - 1) + 0.5, 0, len(BARS) - 1)
    return "".join(BARS[int(place)] if np.isfinite(place) else " " for place in heights)
