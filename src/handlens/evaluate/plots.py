"""Curves as PNG files, in the house's colours; it must not know how anything was measured or trained."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.errors import InputError
from handlens.evaluate.curves import Confusion, Curve, PrecisionRecall, Reliability
from handlens.io.draft import Draft
from handlens.io.draw import CALM, FACE, HAND, INK, OTHER, REGION, Colour

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def _ink(colour: Colour, light: float = 1.0) -> tuple[float, float, float]:
    red, green, blue = (light * part / 255 for part in colour)
    return red, green, blue


# The colours of the drawn pictures, darker: on paper the bright ones are hard to see.
LINES = [_ink(REGION), _ink(FACE, 0.8), _ink(HAND, 0.85), _ink(CALM, 0.75), _ink(OTHER, 0.8), _ink(INK, 3.0)]
GRID, GUIDE = "0.92", "0.55"  # greys
DASHES = ("-", "--", ":", "-.")
NOT_PARTS = ("epoch", "seen", "minutes")
RATES = ("precision", "recall", "F1")
SHARES = ("accuracy", *RATES)  # what trainings log that is no loss
PAIRS = {
    "accuracy": ("val_accuracy",),
    "loss": ("val_loss", "val_log loss"),
    "angle": ("val_angle error median, degrees",),
    **{name: (f"val_{name}",) for name in RATES},
}
"""What was learnt -> the same as it was measured, by the names it may have."""


_OF_PIXELS = "precision, recall and F1"


def require() -> None:
    """Raise the sentence that says what to install.

    Raises:
        InputError: matplotlib is missing.
    """
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError as error:
        raise InputError("to draw curves, matplotlib is needed: type pip install 'handlens[data]'.") from error


def plot_curves(curves: Sequence[Curve], folder: Path) -> list[Path]:
    """Write what there is of precision-recall, reliability and confusion, one PNG each; return the files.

    Raises:
        InputError: matplotlib is missing.
        OutputError: a file cannot be written.
    """
    require()
    files = []
    for of in dict.fromkeys(curve.of for curve in curves if isinstance(curve, PrecisionRecall)):
        lines = [curve for curve in curves if isinstance(curve, PrecisionRecall) and curve.of == of]
        files.append(save(_precision_recall(of, lines), folder / f"{of}-precision-recall.png"))
    for curve in curves:
        if isinstance(curve, Reliability):
            files.append(save(_reliability(curve), folder / f"{curve.of}-calibration.png"))
        elif isinstance(curve, Confusion):
            files.append(save(_confusion(curve), folder / f"{curve.of}-confusion.png"))
    return files


def plot_log(csv_path: str | Path, out_path: str | Path) -> None:
    """Draw a training's log by epoch: losses, measured numbers, rates of pixels, the angle's error, the learning rate.

    csv_path: columns epoch, seen, minutes, rate, the parts of the loss, and val_* of what was measured; a cell may be
    empty where an epoch was not measured.

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
        raise InputError(f"'{csv_path}' is no log of a training: it has no column but the epoch.")
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
        told = ~np.isnan(values)
        mark = "o" if told.sum() < 20 else ""
        twin = _twin(name, lines)
        style = _style(colours.setdefault(twin, len(colours)))
        paired = any(other != twin and _twin(other, lines) == twin for other in lines)
        label = name.removeprefix("val_")
        if paired:
            style["ls"] = "-" if name == twin else "--"
            label += ", measured" if name == twin else ", training"
        axes.plot(epoch[told], values[told], label=label, marker=mark, ms=3.5, **style)
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
        raise InputError(f"'{path}' is no log of a training: it needs a column 'epoch' and a row for each.")
    return {name: np.array([_number(row[name]) for row in rows]) for name in rows[0] if name}


def _number(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return float("nan")


def _precision_recall(of: str, lines: Sequence[PrecisionRecall]) -> "Figure":
    figure = new_figure(6.4, 5.2 if len(lines) <= 12 else 7.0)
    axes = figure.add_subplot()
    for number, line in enumerate(lines):
        axes.step(line.recall, line.precision, where="post", label=f"{line.name}  AP {line.area:.3f}", **_style(number))
    dress(axes, f"{of}: precision over recall", "recall", "precision")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=9 if len(lines) <= 12 else 7, ncols=1 if len(lines) <= 12 else 2)
    return figure


def _reliability(curve: Reliability) -> "Figure":
    figure = new_figure(5.6, 6.2)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    told = curve.count > 0
    axes.plot([0, 1], [0, 1], "--", color=GUIDE, lw=1, label="perfectly calibrated")
    axes.plot(curve.said[told], curve.so[told], marker="o", label="model", **_style(0))
    dress(axes, f"{curve.of}: calibration", "", "how often it is so")
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=9)
    width = 1 / len(curve.count)
    bars = below.bar((np.arange(len(curve.count)) + 0.5) * width, curve.count, width * 0.92, color=LINES[1])
    below.bar_label(bars, [f"{count:,}" for count in curve.count], fontsize=8, padding=1)
    dress(below, "", "what the model says", "how many")
    below.margins(y=0.2)
    return figure


def _confusion(table: Confusion) -> "Figure":
    from matplotlib.colors import LinearSegmentedColormap

    paper_to_red: list[Any] = ["white", LINES[0]]
    rows, columns = table.counts.shape
    side = float(np.clip(0.4 * max(rows, columns), 3.2, 14))
    figure = new_figure(side + 1.6, side + 1.2)
    axes = figure.add_subplot()
    share = table.counts / np.maximum(1, table.counts.sum(axis=1, keepdims=True))
    axes.imshow(share, cmap=LinearSegmentedColormap.from_list("house", paper_to_red), vmin=0, vmax=1)
    size = float(np.clip(120 / max(rows, columns), 6.5, 11))
    for (row, column), count in np.ndenumerate(table.counts):
        if count:
            text = f"{count:,}" if table.counts.max() < 100_000 else f"{share[row, column]:.1%}"
            ink = "white" if share[row, column] > 0.6 else _ink(INK)
            axes.text(column, row, text, ha="center", va="center", fontsize=size, color=ink)
    axes.set_xticks(range(columns), table.answers, rotation=45 if max(map(len, table.answers)) > 3 else 0, ha="right")
    axes.set_yticks(range(rows), table.truths)
    axes.tick_params(length=0, labelsize=size)
    axes.set(title=f"{table.of}: what is taken for what", xlabel="answer", ylabel="truth")
    axes.spines[:].set_visible(False)
    return figure


def _style(number: int) -> dict[str, Any]:
    return {"color": LINES[number % len(LINES)], "ls": DASHES[number // len(LINES) % len(DASHES)], "lw": 1.8}


def dress(axes: "Axes", title: str, x: str, y: str) -> None:
    """Give axes their titles, a quiet grid, and no frame at the top and the right."""
    axes.set(title=title, xlabel=x, ylabel=y)
    axes.grid(color=GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def new_figure(wide: float, high: float) -> "Figure":
    """Return an empty figure of that size in inches."""
    from matplotlib.figure import Figure

    return Figure(figsize=(wide, high), dpi=120, layout="constrained", facecolor="white")


def save(figure: "Figure", path: Path) -> Path:
    """Write a figure as PNG and return its path.

    Raises:
        OutputError: it cannot be written.
    """
    picture = io.BytesIO()
    figure.savefig(picture, format="png")
    with Draft(path) as draft:
        draft.write(picture.getvalue())
    return path
