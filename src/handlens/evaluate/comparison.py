"""Finished runs side by side: numbers with intervals, size and speed, in a table and a figure; it must not train."""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.card import ModelCard
from handlens.errors import InputError
from handlens.evaluate import plots
from handlens.report import Row
from handlens.runner import OnnxRunner

if TYPE_CHECKING:
    from rich.table import Table

MAIN = {"detect": "mAP 0.5", "classify": "accuracy", "segment": "IoU mean"}
"""The number by which runs of a kind are compared."""
ROUNDS = 15  # of the clock, after two that warm up


@dataclass(frozen=True, eq=False)
class Finished:
    """One finished run. score: the number it is compared by, with its interval; log: the columns of its log.csv;
    parameters: of the net as it was trained, 0 where the card does not say; megabytes: of the exported file;
    milliseconds: median for one picture."""

    name: str
    card: ModelCard
    score: Row
    log: dict[str, Any]
    parameters: int
    megabytes: float
    milliseconds: float


def read_runs(folders: Sequence[Path], threads: int | None = None) -> list[Finished]:
    """Return the finished runs in these folders; their models are timed in turns, one after the other, again and again.

    Raises:
        InputError: a folder is no finished run, or the runs answer different questions.
    """
    found = [_read(folder, threads) for folder in folders]
    kinds = {card.kind for _, card, _, _ in found}
    if len(kinds) > 1:
        raise InputError(f"runs of different kinds cannot be compared: these are to {' and to '.join(sorted(kinds))}.")
    spent: list[list[float]] = [[] for _ in found]
    for number in range(ROUNDS + 2):
        for (runner, card, _, _), seconds in zip(found, spent, strict=True):
            batch = np.zeros((1, 3, *card.size), np.float32)
            began = time.perf_counter()
            runner.run(batch)
            if number > 1:
                seconds.append(time.perf_counter() - began)
    runs = []
    for folder, (runner, card, score, log), seconds in zip(folders, found, spent, strict=True):
        size, parameters = runner.path.stat().st_size / 1e6, int(card.options.get("parameters", 0))
        name = folder.resolve().name
        runs.append(Finished(name, card, score, log, parameters, size, statistics.median(seconds) * 1000))
    return runs


def table_of(runs: Sequence[Finished]) -> "Table":
    """Return the table, the best run first."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE)
    table.add_column("run")
    for title in (runs[0].score.name, "95 %", "n", "parameters", "MB", "ms"):
        table.add_column(title, justify="right")
    for run in sorted(runs, key=lambda run: -run.score.value):
        score = run.score
        interval = f"{score.low:.3f} - {score.high:.3f}"
        parameters = f"{run.parameters:,}" if run.parameters else "-"
        size, speed = f"{run.megabytes:.2f}", f"{run.milliseconds:.1f}"
        table.add_row(run.name, f"{score.value:.3f}", interval, f"{score.n:,}", parameters, size, speed)
    return table


def figure_of(runs: Sequence[Finished], path: Path) -> Path:
    """Draw the losses, the measured numbers over the epochs, and the final ones with their intervals.

    Raises:
        InputError: matplotlib is missing.
        OutputError: the picture cannot be written.
    """
    plots.require()
    name = runs[0].score.name
    figure = plots.new_figure(15.6, 4.6)
    for place, (title, column) in enumerate((("loss", "loss"), (f"{name}, validation part", f"val_{name}")), 1):
        lines = {run.name: (run.log["epoch"], run.log[column]) for run in runs if column in run.log}
        plots.lines_panel(figure.add_subplot(1, 3, place), title, "epoch", lines)
    ranked = sorted(runs, key=lambda run: run.score.value)
    scores = [run.score for run in ranked]
    plots.interval_panel(figure.add_subplot(1, 3, 3), f"{name}, 95 %", [run.name for run in ranked], scores)
    return plots.save(figure, path)


def _read(folder: Path, threads: int | None) -> tuple[OnnxRunner, ModelCard, Row, dict[str, Any]]:
    models, report, log = sorted(folder.glob("*.onnx")), folder / "report.json", folder / "log.csv"
    if not models or not report.is_file() or not log.is_file():
        raise InputError(
            f"'{folder}' is no finished run: it needs a model, report.json and log.csv, as 'handlens train' leaves."
        )
    runner = OnnxRunner(models[0], threads)
    wanted = MAIN.get(runner.card.kind, "")
    try:
        rows = {row["name"]: row for row in json.loads(report.read_text("utf-8"))["rows"]}
        score = Row(**rows[wanted])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"'{report}' does not tell the number '{wanted}' that runs are compared by.") from error
    return runner, runner.card, score, plots.read_log(log)
