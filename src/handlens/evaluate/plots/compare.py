"""Finished runs in one figure, a row for each: curves, score with interval, size, speed; it must not measure."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.evaluate.bootstrap import Array
from handlens.evaluate.compare import Finished
from handlens.evaluate.plots import curves as plots

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 1.25  # inches
LEARNT, MEASURED = plots.LINES[1], plots.LINES[0]
LOSSES = ("loss", "val_log loss")  # of the training part and of the measured one


def figure_of(runs: Sequence[Finished], path: Path, notes: Sequence[str] = ()) -> Path:
    """Draw the runs from top to bottom; notes are written below.

    Raises:
        InputError: matplotlib is missing.
        OutputError: the picture cannot be written.
    """
    plots.require()
    score = runs[0].score.name
    figure = plots.new_figure(17.0, 1.4 + ROW * max(2, len(runs)) + 0.25 * len(notes))
    grid = figure.add_gridspec(len(runs), 5, width_ratios=(3, 3, 3, 1.6, 1.6))
    columns = ((LOSSES, "loss", None), ((score, f"val_{score}"), score, (0.0, 1.02)))
    for place, (pair, title, limits) in enumerate(columns):
        _curves(figure, grid, place, runs, pair, title, limits)
    _intervals(figure.add_subplot(grid[:, 2]), runs)
    sizes = [f"{run.megabytes:.1f} MB\n{run.parameters:,}" for run in runs]
    _bars(figure.add_subplot(grid[:, 3]), [run.megabytes for run in runs], sizes, "file; parameters")
    speeds = [f"{run.milliseconds:.1f} ms" for run in runs]
    _bars(figure.add_subplot(grid[:, 4]), [run.milliseconds for run in runs], speeds, "time for a picture")
    if notes:
        figure.supxlabel("\n".join(notes), fontsize=9, x=0.01, ha="left")
    return plots.save(figure, path)


def _curves(
    figure: "Figure",
    grid: Any,
    place: int,
    runs: Sequence[Finished],
    pair: tuple[str, str],
    title: str,
    limits: tuple[float, float] | None,
) -> None:
    """Draw one column of small curves: what was learnt and what was measured, all with the same axis."""
    from matplotlib.ticker import MaxNLocator

    values = [run.log[column] for run in runs for column in pair if column in run.log]
    high = _most(values) if limits is None else limits[1]
    first: Axes | None = None
    for row, run in enumerate(runs):
        axes = figure.add_subplot(grid[row, place], sharex=first)
        first = first or axes
        for column, name, colour, dash in zip(
            pair, ("training", "measured"), (LEARNT, MEASURED), ("--", "-"), strict=True
        ):
            if column in run.log:
                known = ~np.isnan(run.log[column])
                mark = "o" if known.sum() < 15 else ""
                line = np.minimum(run.log[column][known], high)
                axes.plot(run.log["epoch"][known], line, dash, color=colour, marker=mark, ms=3, lw=1.6, label=name)
        plots.dress(axes, title if row == 0 else "", "epoch" if row == len(runs) - 1 else "", "")
        axes.set_ylim(0, high)
        axes.tick_params(labelsize=8, labelbottom=row == len(runs) - 1)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        if place == 0:
            axes.set_ylabel(run.name, rotation=0, ha="right", va="center", fontsize=10)
        if row == 0 and axes.lines:
            axes.legend(frameon=False, fontsize=8)


def _most(values: Sequence[Array]) -> float:
    """Return where the axis of losses ends: a run that fell apart must not flatten all others, and is cut off."""
    highs = [float(line[np.isfinite(line)].max()) for line in values if np.isfinite(line).any()]
    return max(1e-6, 1.05 * min(max(highs), 2.5 * float(np.median(highs)))) if highs else 1.0


def _intervals(axes: "Axes", runs: Sequence[Finished]) -> None:
    start = 0.0 if min(run.score.low for run in runs) < 0.5 else 0.5
    for row, run in enumerate(runs):
        score = run.score
        axes.plot([score.low, score.high], [row, row], color=LEARNT, lw=3, solid_capstyle="butt")
        axes.plot([score.value], [row], "o", color=MEASURED, ms=6)
        text = f"{score.value:.3f}   ({score.low:.3f} - {score.high:.3f})"
        place = float(np.clip(score.value, start + 0.25 * (1 - start), 1 - 0.25 * (1 - start)))
        axes.annotate(text, (place, row), (0, 9), textcoords="offset points", ha="center", fontsize=8)
    axes.axvspan(runs[0].score.low, runs[0].score.high, color=LEARNT, alpha=0.08, lw=0)
    plots.dress(axes, f"{runs[0].score.name}, 95 %, n = {_counts(runs)}", "", "")
    axes.set_xlim(start, 1.0)
    _rows(axes, len(runs))


def _bars(axes: "Axes", values: Sequence[float], texts: Sequence[str], title: str) -> None:
    bars = axes.barh(range(len(values)), values, height=0.3, color=plots.LINES[3], alpha=0.65)
    axes.bar_label(bars, texts, fontsize=8, padding=3)
    plots.dress(axes, title, "", "")
    axes.grid(False)
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.set_xlim(0, 1.9 * max([*values, 1e-9]))
    _rows(axes, len(values))


def _rows(axes: "Axes", count: int) -> None:
    """Let the runs lie as the rows of curves beside them do."""
    axes.set_ylim(count - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _counts(runs: Sequence[Finished]) -> str:
    counts = sorted({run.score.n for run in runs})
    return f"{counts[0]:,}" if len(counts) == 1 else f"{counts[0]:,} to {counts[-1]:,}"
