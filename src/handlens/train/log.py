"""The log of a run: one row an epoch, in a .csv that is whole at any moment; knows no net."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Mapping
from pathlib import Path

from handlens.io.draft import Draft

Row = dict[str, float]


class Log:
    """Rows by epoch; `note` writes the file anew and a line on stderr."""

    def __init__(self, path: Path, epochs: int) -> None:
        self.path, self.epochs = path, epochs
        self.rows: dict[int, Row] = {}

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
        with Draft(self.path) as draft:
            draft.write(text.getvalue().encode())
        if fresh:
            self._tell(self.rows[epoch])

    def restore(self, rows: Mapping[int, Row], before: int) -> None:
        """Take over the rows of a run that is resumed, up to the epoch that comes next."""
        self.rows = {number: dict(row) for number, row in rows.items() if number < before}

    def _tell(self, row: Row) -> None:
        shown = [f"{key} {value:.4g}" for key, value in row.items() if key not in ("epoch", "rate", "seen")]
        print(f"epoch {int(row['epoch'])}/{self.epochs}  {'  '.join(shown)}", file=sys.stderr, flush=True)
