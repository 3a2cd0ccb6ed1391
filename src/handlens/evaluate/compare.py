"""Finished runs side by side: numbers with intervals, size and speed, in a table and as JSON; it must not train."""

import dataclasses
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.card import ModelCard
from handlens.errors import InputError, unknown
from handlens.evaluate.judges import JUDGES
from handlens.evaluate.plots.log import read_log
from handlens.report import Report, Row
from handlens.runner import OnnxRunner

if TYPE_CHECKING:
    from rich.table import Table

PASSES, ROUNDS = 3, 5  # of the clock; before each of its passes over the models, two rounds warm up
_NUMBERS = ("value", "low", "high")
FEW = 100  # pictures; with fewer the remark says what they can tell


@dataclass(frozen=True, eq=False)
class Finished:
    """One finished run.

    Attributes:
        score: The number it is compared by, with its interval.
        log: The columns of its log.csv.
        measured: The set and the part it was measured on.
        parameters: Of the net as it was trained, 0 where the card does not say.
        megabytes: Of the exported file.
        milliseconds: Median for one picture.
    """

    name: str
    card: ModelCard
    score: Row
    log: dict[str, Any]
    measured: tuple[str, str]
    parameters: int
    megabytes: float
    milliseconds: float

    def to_json(self) -> dict[str, Any]:
        """Return name, net, data, split, the score, parameters, megabytes and milliseconds."""
        about = {"name": self.name, "model": self.card.name, "data": self.measured[0], "split": self.measured[1]}
        size = {"parameters": self.parameters or None, "megabytes": round(self.megabytes, 3)}
        return {
            **about,
            "score": Report((self.score,)).to_json()[0],
            **size,
            "milliseconds": round(self.milliseconds, 2),
        }


def read_runs(
    folders: Sequence[Path],
    threads: int | None = None,
    by: str | None = None,
    progress: Callable[[], None] | None = None,
) -> list[Finished]:
    """Return the finished runs in these folders, the best first; their models are timed in turns.

    Args:
        by: The row of their reports by which they are compared, or None for the main one of their kind.
        progress: Called after each of len(folders) x PASSES steps of the clock.

    Raises:
        InputError: a folder is not a finished run, the runs answer different questions, or a report has no such row.
    """
    found = [_read(folder, by) for folder in folders]
    kinds = {run.card.kind for run, _ in found}
    if len(kinds) > 1:
        raise InputError(f"runs of different kinds cannot be compared: these are to {' and to '.join(sorted(kinds))}.")
    spent = _timed([model for _, model in found], threads, progress)
    runs = [dataclasses.replace(run, milliseconds=each) for (run, _), each in zip(found, spent, strict=True)]
    return sorted(runs, key=lambda run: -run.score.value)


def table_of(runs: Sequence[Finished]) -> "Table":
    """Return the table, a row for each run in their order."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    table.add_column("run", overflow="fold")
    table.add_column(runs[0].score.name, justify="right")
    for title in ("95 %", "n", "parameters", "MB", "ms"):
        table.add_column(title, justify="right", no_wrap=True)
    for run in runs:
        score = run.score
        interval = f"{score.low:.3f}-{score.high:.3f}"
        parameters = f"{run.parameters:,}" if run.parameters else "-"
        size, speed = f"{run.megabytes:.2f}", f"{run.milliseconds:.1f}"
        table.add_row(run.name, f"{score.value:.3f}", interval, f"{score.n:,}", parameters, size, speed)
    return table


def remarks(runs: Sequence[Finished]) -> list[str]:
    """Return what a reader of the table must know, a sentence each: what the intervals can tell, and what flatters."""
    notes = []
    if len({run.measured for run in runs}) > 1:
        parts = sorted({f"{data} ({split})" for data, split in (run.measured for run in runs)})
        notes.append(f"Not measured on the same pictures: {', '.join(parts)}.")
    elif runs[0].measured[1] == "test":
        notes.append("The test part also chose the best epoch of each run: these numbers flatter.")
    least = min(run.score.n for run in runs)
    widest = max(run.score.high - run.score.low for run in runs)
    span = f"With {least:,} pictures an interval spans up to {widest:.2f}"
    below = [run.name for run in runs if run.score.high < runs[0].score.low]
    if len(runs) < 2:
        return [*notes, f"{span}."] if least < FEW else notes
    if below:
        notes.append(f"Clearly below '{runs[0].name}', its interval wholly under: {', '.join(below)}.")
    rest = len(runs) - len(below)
    if rest == len(runs):
        notes.append(f"{span}, and all overlap the best one's: these runs cannot be ranked.")
    elif rest > 1:
        notes.append(f"{span}; the best {rest} overlap and cannot be ranked.")
    return notes


def _read(folder: Path, by: str | None) -> tuple[Finished, Path]:
    """Return a run that is not timed yet, and its model."""
    models, report, log = sorted(folder.glob("*.onnx")), folder / "report.json", folder / "log.csv"
    if not models or not report.is_file() or not log.is_file():
        raise InputError(
            f"'{folder}' is not a finished run: it needs a model, report.json and log.csv, as 'handlens train' leaves."
        )
    model = models[0]
    card = OnnxRunner(model, 1).card
    wanted = by or JUDGES[card.kind].main
    try:
        numbers = json.loads(report.read_text("utf-8"))
        rows = {str(row["name"]): row for row in numbers["rows"]}
        measured = str(numbers.get("data", "")), str(numbers.get("split", ""))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"'{report}' is not a report as 'handlens train' leaves one.") from error
    if wanted not in rows:
        raise InputError(f"'{report}': {unknown('number', wanted, rows)}")
    value, low, high = (float("nan" if rows[wanted][key] is None else rows[wanted][key]) for key in _NUMBERS)
    score = Row(wanted, value, low, high, int(rows[wanted]["n"]))
    size, parameters = model.stat().st_size / 1e6, int(card.options.get("parameters", 0))
    name = folder.resolve().name
    return Finished(name, card, score, read_log(log), measured, parameters, size, 0.0), model


def _timed(models: Sequence[Path], threads: int | None, progress: Callable[[], None] | None) -> list[float]:
    """Return the median milliseconds of each model; one after the other is loaded, again and again.

    All at once would need gigabytes, and a machine that others keep busy is busier now than then.
    """
    spent: list[list[float]] = [[] for _ in models]
    for _ in range(PASSES):
        for model, seconds in zip(models, spent, strict=True):
            runner = OnnxRunner(model, threads)
            batch = np.zeros((1, 3, *runner.card.size), np.float32)
            for number in range(ROUNDS + 2):
                began = time.perf_counter()
                runner.run(batch)
                if number > 1:
                    seconds.append(time.perf_counter() - began)
            if progress is not None:
                progress()
    return [statistics.median(seconds) * 1000 for seconds in spent]
