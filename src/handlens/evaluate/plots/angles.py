"""Labels and angles over the full circle as one PNG; it must not know how they were measured.

Upright is at the top, and angles grow counter-clockwise, as a hand turns on the screen.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.evaluate.angles import Circle
from handlens.evaluate.bootstrap import Array
from handlens.evaluate.plots import curves as plots
from handlens.report import Row

if TYPE_CHECKING:
    from matplotlib.projections.polar import PolarAxes

RIGHT, WRONG = plots.LINES[1], plots.LINES[0]
ARC = 12  # points of one sector's arc
DOTS = 4000  # in the scatter; more are one blot


def plot_circle(circle: Circle, title: str, path: Path) -> Path:
    """Draw how many labels are right and how far angles are off in each direction, and angles said against true ones.

    Raises:
        InputError: matplotlib is missing.
        OutputError: the picture cannot be written.
    """
    plots.require()
    angles = bool(circle.error)
    figure = plots.new_figure(15.0 if angles else 5.6, 6.3)
    figure.set_layout_engine("constrained", rect=(0, 0, 1, 0.94))  # the title's room, which polar axes would take
    panels = 3 if angles else 1
    right = circle.turned.right
    figure.suptitle(title, fontsize=10, color=plots.GUIDE)
    axes: Any = figure.add_subplot(1, panels, 1, projection="polar")
    _ring(axes, circle.accuracy, plots.LINES[3], _floor(circle.accuracy), 1.0)
    axes.set_title(f"{circle.turned.about}\n{right.mean():.1%} of {len(right):,}", pad=14)
    if angles:
        error = circle.turned.error
        known = error[~np.isnan(error)]
        most = max(10.0, 1.1 * float(np.nanmax([row.high for row in circle.error])))
        axes = figure.add_subplot(1, panels, 2, projection="polar")
        _ring(axes, circle.error, plots.LINES[0], 0.0, most, "°")
        half, most_of = np.percentile(known, (50, 90))
        axes.set_title(f"error of the angle, median\n{half:.1f}°; nine of ten within {most_of:.1f}°", pad=14)
        _scatter(figure.add_subplot(1, panels, 3), circle)
    return plots.save(figure, path)


def _ring(axes: "PolarAxes", rows: tuple[Row, ...], colour: Any, low: float, high: float, unit: str = "") -> None:
    """Draw an arc for each sector, and the band of its interval."""
    turns = np.linspace(0, 2 * np.pi, ARC * len(rows) + 1)

    def arcs(name: str) -> Array:
        values = np.repeat([getattr(row, name) for row in rows], ARC)
        return np.asarray(np.clip([*values, values[0]], low, high))

    axes.set_theta_zero_location("N")
    axes.fill_between(turns, arcs("low"), arcs("high"), color=colour, alpha=0.22, lw=0)
    axes.plot(turns, arcs("value"), color=colour, lw=2, clip_on=False, zorder=2)
    axes.set_ylim(low, high)
    ticks = np.linspace(low, high, 6)[1:] if not unit else _round_ticks(high)
    axes.set_yticks(ticks, [f"{tick:.0f}{unit}" if unit else f"{tick:.0%}" for tick in ticks], fontsize=8)
    axes.set_rlabel_position(22.5)
    axes.set_xticks(np.deg2rad(np.arange(0, 360, 45)), ["upright", *(f"{turn}°" for turn in range(45, 360, 45))])
    axes.grid(color=plots.GRID, lw=0.8)
    axes.spines["polar"].set_visible(False)
    for label in axes.get_yticklabels():
        label.set_bbox({"facecolor": "white", "edgecolor": "none", "alpha": 0.7, "pad": 0.8})


def _floor(rows: tuple[Row, ...]) -> float:
    """Return where the radius begins: at 0, or at half where nothing lies below it."""
    return 0.5 if np.nanmin([row.low for row in rows]) >= 0.5 else 0.0


def _round_ticks(high: float) -> Array:
    step = next(step for step in (2, 5, 10, 20, 30, 45, 60) if high / step <= 6 or step == 60)
    return np.arange(step, high + 1e-6, step)


def _scatter(axes: Any, circle: Circle) -> None:
    """Draw each angle said against the true one, the wrong labels on top."""
    turned = circle.turned
    shown = np.flatnonzero(~np.isnan(turned.predicted))
    shown = np.random.default_rng(0).permutation(shown)[:DOTS]
    size = float(np.clip(4000 / len(shown), 2, 14))
    axes.plot([0, 360], [0, 360], "--", color=plots.GUIDE, lw=1, zorder=1)
    for right, colour, name in ((True, RIGHT, "right"), (False, WRONG, "wrong")):
        some = shown[turned.right[shown] == right]
        at = np.mod(turned.truth[some], 360), np.mod(turned.predicted[some], 360)
        axes.scatter(
            *at, s=size, color=colour, alpha=0.5, lw=0, label=f"{name} ({len(some):,})", zorder=2 + (not right)
        )
    axes.set(title="each picture", xlabel="true angle, degrees", ylabel="angle said, degrees")
    axes.set(xlim=(0, 360), ylim=(0, 360), xticks=range(0, 361, 90), yticks=range(0, 361, 90), aspect="equal")
    axes.grid(color=plots.GRID, lw=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=8, loc="lower right", framealpha=0.9, edgecolor="none", markerscale=float(6 / size**0.5))
