"""The picture of a touch benchmark: ROC curves and false alarms by kind; it must not know how anything was measured."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from handlens.evaluate.plots.curves import LINES, dress, new_figure, require, save, style
from handlens.evaluate.touch import TOUCH
from handlens.evaluate.touch_benchmark import THING, Benchmark, TouchAnswers, TouchTruth

LEAST = 0.002
"""Share of false alarms at which the axis begins."""


def plot_benchmark(measured: Benchmark, truth: TouchTruth, systems: Sequence[TouchAnswers], path: Path) -> Path:
    """Write recall over false alarms, and the false alarms of each kind of picture with their intervals.

    Raises:
        InputError: matplotlib is missing.
        OutputError: the file cannot be written.
    """
    require()
    figure = new_figure(11.0, 4.8)
    left, right = figure.subplots(1, 2)
    judged = ~np.char.startswith(truth.label, THING)
    touch = truth.label[judged] == TOUCH
    for number, system in enumerate(systems):
        order = np.argsort(-system.score[judged], kind="stable")
        alarms = np.cumsum(~touch[order]) / (~touch).sum()
        recall = np.cumsum(touch[order]) / touch.sum()
        left.step(np.maximum(alarms, LEAST), recall, where="post", label=system.name, **style(number))
        at = system.called[judged]
        left.plot(max(LEAST, at[~touch].mean()), at[touch].mean(), "o", color=LINES[number % len(LINES)])
    dress(left, "recall over false alarms (dots: as it answers)", "false alarms, of pictures without touch", "recall")
    left.set(xscale="log", xlim=(LEAST, 1), ylim=(0, 1.02))
    left.legend(frameon=False, fontsize=9, loc="lower right")
    kinds = [row.name for row in measured.systems[systems[0].name] if row.name.startswith(("false", "called"))]
    width = 0.8 / len(systems)
    for number, system in enumerate(systems):
        rows = [measured.systems[system.name][kind] for kind in kinds]
        value = np.array([row.value for row in rows])
        reach = [value - [row.low for row in rows], np.array([row.high for row in rows]) - value]
        places = np.arange(len(kinds)) + (number + 0.5) * width - 0.4
        right.bar(places, value, width * 0.92, yerr=reach, color=LINES[number % len(LINES)], error_kw={"lw": 1})
    names = [kind.split(", ", 1)[1].replace("_", " ") for kind in kinds]
    right.set_xticks(range(len(kinds)), names, rotation=20, ha="right")
    dress(right, "called touch, of pictures of each kind", "", "share")
    right.set_ylim(0, None)
    return save(figure, path)
