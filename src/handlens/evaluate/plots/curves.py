"""Curves as PNG files, in the house's colours; it must not know how anything was measured."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.errors import InputError
from handlens.evaluate.curves import Confusion, Curve, Pck, PrecisionRecall, Reliability
from handlens.io.atomic import AtomicFile
from handlens.io.draw import CALM, FACE, HAND, INK, OTHER, REGION, Colour
from handlens.offline import keep_caches_out_of_home

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


def require() -> None:
    """Raise the sentence that says what to install.

    Raises:
        InputError: matplotlib is missing.
    """
    keep_caches_out_of_home()
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
    for of in dict.fromkeys(curve.of for curve in curves if isinstance(curve, Pck)):
        files.append(save(_pck([c for c in curves if isinstance(c, Pck) and c.of == of]), folder / f"{of}-pck.png"))
    for curve in curves:
        if isinstance(curve, Reliability):
            files.append(save(_reliability(curve), folder / f"{curve.of}-calibration.png"))
        elif isinstance(curve, Confusion):
            files.append(save(_confusion(curve), folder / f"{curve.of}-confusion.png"))
    return files


def _precision_recall(of: str, lines: Sequence[PrecisionRecall]) -> "Figure":
    figure = new_figure(6.4, 5.2 if len(lines) <= 12 else 7.0)
    axes = figure.add_subplot()
    for number, line in enumerate(lines):
        axes.step(line.recall, line.precision, where="post", label=f"{line.name}  AP {line.area:.3f}", **style(number))
    dress(axes, f"{of}: precision over recall", "recall", "precision")
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=9 if len(lines) <= 12 else 7, ncols=1 if len(lines) <= 12 else 2)
    return figure


def _pck(lines: Sequence[Pck]) -> "Figure":
    figure = new_figure(6.4, 4.8)
    axes = figure.add_subplot()
    for number, line in enumerate(lines):
        axes.plot(line.distance, line.share, label=line.name, **style(number))
    dress(axes, f"{lines[0].of}: share within a distance", "distance, lengths of the palm", "share of the points")
    axes.set(xlim=(0, float(lines[0].distance[-1])), ylim=(0, 1.02))
    axes.legend(frameon=False, fontsize=9, loc="lower right")
    return figure


def _reliability(curve: Reliability) -> "Figure":
    figure = new_figure(5.6, 6.2)
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    filled = curve.count > 0
    axes.plot([0, 1], [0, 1], "--", color=GUIDE, lw=1, label="perfectly calibrated")
    axes.plot(curve.confidence[filled], curve.accuracy[filled], marker="o", label="model", **style(0))
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


def style(number: int) -> dict[str, Any]:
    """Return colour, dashes and width of the line of that number."""
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
    with AtomicFile(path) as draft:
        draft.write(picture.getvalue())
    return path
