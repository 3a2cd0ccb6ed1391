"""The log of a training as curves, one PNG; it must not know how anything was trained."""

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.errors import InputError
from handlens.evaluate.plots.curves import dress, new_figure, require, save, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

NOT_PARTS = ("epoch", "seen", "minutes")
RATES = ("precision", "recall", "F1")
SHARES = ("accuracy", *RATES)  # what trainings log that is not a loss
PAIRS = {
    "accuracy": ("val_accuracy",),
    "loss": ("val_loss", "val_log loss"),
    "angle": ("val_angle error median, degrees",),
    **{name: (f"val_{name}",) for name in RATES},
}
"""What was learnt -> the same as it was measured, by the names it may have."""
_OF_PIXELS = "precision, recall and F1"


def plot_log(csv_path: str | Path, out_path: str | Path) -> None:
    """Draw a training's log by epoch: losses, measured numbers, rates of pixels, the angle's error, the learning rate.

    Args:
        csv_path: Columns epoch, seen, minutes, rate, the parts of the loss, and val_* of what was measured; a cell may
            be empty where an epoch was not measured.

    Raises:
        InputError: there is no such file, it holds no rows, or matplotlib is missing.
        OutputError: the picture cannot be written.
    """
    require()
    columns = read_log(Path(csv_path))
    epoch = columns.pop("epoch")
    titles = ("loss", "measured", _OF_PIXELS, "angle, degrees off", "learning rate")
    panels: dict[str, dict[str, Any]] = {title: {} for title in titles}
    for name, values in columns.items():
        if name not in NOT_PARTS:
            panels[_panel_of(name)][name] = values
    shown = [(title, lines) for title, lines in panels.items() if lines]
    if not shown:
        raise InputError(f"'{csv_path}' is not a log of a training: it has no column but the epoch.")
    figure = new_figure(5.2 * len(shown), 4.4)
    for place, (title, lines) in enumerate(shown, 1):
        _log_panel(figure.add_subplot(1, len(shown), place), title, epoch, lines)
    save(figure, Path(out_path))


def _panel_of(column: str) -> str:
    if column == "rate":
        return "learning rate"
    if column.removeprefix("val_") in RATES:
        return _OF_PIXELS
    if column.removeprefix("val_").startswith("angle"):
        return "angle, degrees off"
    if column in ("val_loss", "val_log loss") or (not column.startswith("val_") and column not in SHARES):
        return "loss"
    return "measured"


def _log_panel(axes: "Axes", title: str, epoch: Any, lines: dict[str, Any]) -> None:
    """Draw the lines; what was learnt is dashed where the same was also measured, in the same colour."""
    from matplotlib.ticker import LogLocator, MaxNLocator

    colours: dict[str, int] = {}
    for name, values in lines.items():
        known = ~np.isnan(values)
        mark = "o" if known.sum() < 20 else ""
        twin = _twin(name, lines)
        line_style = style(colours.setdefault(twin, len(colours)))
        paired = any(other != twin and _twin(other, lines) == twin for other in lines)
        label = name.removeprefix("val_")
        if paired:
            line_style["ls"] = "-" if name == twin else "--"
            label += ", measured" if name == twin else ", training"
        axes.plot(epoch[known], values[known], label=label, marker=mark, ms=3.5, **line_style)
    dress(axes, title, "epoch", "")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    every = np.concatenate(list(lines.values()))
    every = every[~np.isnan(every)]
    if title == "loss" and len(every) and every.min() > 0 and every.max() > 20 * every.min():
        axes.set_yscale("log")
        axes.yaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter("{x:g}")
    elif title != "loss":
        axes.set_ylim(0, None)
    if title != "learning rate":
        axes.legend(frameon=False, fontsize=9)


def _twin(name: str, lines: dict[str, Any]) -> str:
    """Return the same number as it was measured, where it was; else itself."""
    return next((twin for twin in PAIRS.get(name, ()) if twin in lines), name)


def read_log(path: Path) -> dict[str, Any]:
    """Return the columns of a training's log, (epochs,) float64, nan where nothing was measured.

    Raises:
        InputError: there is no such file, or it holds no rows.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"'{path}' cannot be read as the log of a training: {error}.") from error
    if not rows or "epoch" not in rows[0]:
        raise InputError(f"'{path}' is not a log of a training: it needs a column 'epoch' and a row for each.")
    return {name: np.array([_number(row[name]) for row in rows]) for name in rows[0] if name}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")
