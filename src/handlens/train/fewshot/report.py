"""How well a few pictures can be told apart, as files: table, confusion, a sheet of all of them; knows no networks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from handlens.evaluate.curves import Confusion, reliability
from handlens.evaluate.plots.curves import plot_curves
from handlens.io.atomic import AtomicFile
from handlens.io.draw import CALM, INK, REGION, captioned, fitted, grid, save_picture
from handlens.report import Report, Row
from handlens.train.fewshot.head import Ints, LeftOut, softmax
from handlens.types import Image

SHOWN, SIDE, COLUMNS, EDGE = 200, 112, 10, 3  # pictures on the sheet, pixels of each, in a row, of its frame
Z = 1.96  # of the normal distribution: 95 %


@dataclass(frozen=True, eq=False)
class Answers:
    """What was said of each picture by heads that never saw it.

    Attributes:
        names: Of the classes.
        label: (n,) the truth.
        sure: (n, classes) probabilities.
        counted: (n,) bool, False where nothing can be said, for its class has no other picture.
    """

    names: tuple[str, ...]
    label: Ints
    sure: NDArray[np.float64]
    counted: NDArray[np.bool_]

    @property
    def predicted(self) -> Ints:
        """(n,) the class that was answered."""
        return np.asarray(self.sure.argmax(1), np.int64)


def answers_of(left: LeftOut, label: Ints, names: Sequence[str]) -> Answers:
    """Return the answers with calibrated probabilities."""
    return Answers(tuple(names), label, softmax(left.logits / left.temperature), left.counted)


def report_of(answers: Answers, notes: Sequence[str]) -> Report:
    """Return the table: accuracy, and for each class how many of its pictures were known, with Wilson's 95 % intervals.

    Wilson's ("Probable inference", 1927), because a resampling of twelve right answers would be sure of all others.
    """
    right = answers.predicted == answers.label
    rows = [share("accuracy", right[answers.counted])]
    for number, name in enumerate(answers.names):
        rows.append(share(f"recall {name}", right[answers.counted & (answers.label == number)]))
    single = [name for row, name in zip(rows[1:], answers.names, strict=True) if not row.n]
    about = [f"{int(answers.counted.sum()):,} pictures, each answered by a head that never saw it; intervals: 95 %."]
    if single:
        about.append(
            f"of {', '.join(single)} there is only one picture: too few to leave one out, so it is not counted."
        )
    return Report(tuple(rows), (*about, *notes))


def share(name: str, right: NDArray[np.bool_]) -> Row:
    """How often it is right, with Wilson's interval; of nothing, nan."""
    n = len(right)
    if not n:
        return Row(name, float("nan"), float("nan"), float("nan"), 0)
    value, spread = float(right.mean()), Z * Z / n
    middle = (value + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * float(np.sqrt(value * (1 - value) / n + spread / (4 * n)))
    return Row(name, value, min(value, middle - half), max(value, middle + half), n)


def write_report(report: Report, answers: Answers, views: Sequence[Image], model: str, data: str, out: Path) -> None:
    """Write report.txt, report.json, the confusion and calibration plots, and left-out.jpg.

    Args:
        views: (h, w, 3) what the model was shown of each picture.

    Raises:
        InputError: matplotlib is missing.
        OutputError: something cannot be written.
    """
    numbers = {"model": model, "data": data, "split": "left out", "n": int(answers.counted.sum())}
    numbers |= {"rows": report.to_json(), "notes": list(report.notes)}
    texts = {
        "report.txt": f"{model} on {data} (pictures left out)\n\n{report}\n",
        "report.json": json.dumps(numbers, indent=1) + "\n",
    }
    for name, text in texts.items():
        with AtomicFile(out / name) as draft:
            draft.write(text.encode())
    label, predicted = answers.label[answers.counted], answers.predicted[answers.counted]
    counts = np.zeros((len(answers.names),) * 2, np.int64)
    np.add.at(counts, (label, predicted), 1)
    if len(label):
        sure = answers.sure[answers.counted].max(1)
        table = Confusion("left-out", answers.names, answers.names, counts)
        plot_curves([table, reliability("left-out", sure, label == predicted)], out)
    save_picture(out / "left-out.jpg", contact_sheet(answers, views))


def contact_sheet(answers: Answers, views: Sequence[Image]) -> Image:
    """Return the pictures by class, in green where they were known, in red where not; of very many.

    The wrong ones first.
    """
    right = answers.predicted == answers.label
    rows = np.lexsort((answers.label, right & answers.counted))[:SHOWN] if len(views) > SHOWN else np.arange(len(views))
    cells = []
    for row in sorted(rows.tolist(), key=lambda row: (int(answers.label[row]), row)):
        truth, best = answers.names[int(answers.label[row])], int(answers.predicted[row])
        text, colour = f"{truth}, said {answers.names[best]} {answers.sure[row, best]:.2f}", CALM
        if not answers.counted[row]:
            text, colour = f"{truth}, the only one", INK
        elif not right[row]:
            colour = REGION
        cell = fitted(views[row], SIDE - 2 * EDGE)
        framed = cv2.copyMakeBorder(cell, EDGE, EDGE, EDGE, EDGE, cv2.BORDER_CONSTANT, value=colour)
        cells.append(captioned(np.asarray(framed, np.uint8), text))
    return grid(cells, COLUMNS)
