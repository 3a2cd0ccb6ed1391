"""Several programs that tell touches, on the same labelled pictures, in one table; it must not know how they answer.

Every number is resampled with the same draws for all of them, so that the differences have intervals of their own.
"""

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.data.formats.file_lists import place_of, table_of
from handlens.data.formats.text_files import read_rows
from handlens.data.labelled import Labelled
from handlens.errors import InputError
from handlens.evaluate import binary
from handlens.evaluate.bootstrap import Array, Drawn, rows
from handlens.evaluate.touch import CALLED, TOUCH
from handlens.report import Report, Row
from handlens.tasks.touch import REGIONS
from handlens.types import Detections, Value

THING = "object"
"""How labels begin of pictures with a thing at the face: neither touch nor its opposite, and counted apart."""
LIMITS = (0.01, 0.05)
"""Shares of false alarms at which recall is told."""


@dataclass(frozen=True, eq=False)
class TouchTruth:
    """What is true of n pictures.

    Attributes:
        files: (n,) as the table of labels calls them.
        label, group: (n,) texts.
        regions: (n,) the touched regions, empty where they are not known.
        side: (n,) "left" or "right" of the person, or "".
    """

    files: tuple[str, ...]
    label: Array
    group: Array
    regions: tuple[frozenset[str], ...]
    side: Array


@dataclass(frozen=True, eq=False)
class TouchAnswers:
    """What one program says of n pictures.

    Attributes:
        score: (n,) float64, how sure it is of a touch; a probability where all lie in 0 to 1.
        called: (n,) bool, whether it calls the picture touched.
        region, side: (n,) texts, what it names first, or "".
        thing: (n,) float64, how sure it is of a thing at the face, or None.
    """

    name: str
    score: Array
    called: Array
    region: Array
    side: Array
    thing: Array | None = None


@dataclass(frozen=True, eq=False)
class Benchmark:
    """The numbers of each program, and those of the first less those of each other one."""

    systems: Mapping[str, Report]
    ahead: Mapping[str, Report]
    labels: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        """Return labels, systems, and by how much the first is ahead of each other one."""
        return {
            "labels": dict(self.labels),
            "systems": {name: report.to_json() for name, report in self.systems.items()},
            "ahead": {name: report.to_json() for name, report in self.ahead.items()},
        }

    def __str__(self) -> str:
        """Return one row for each number, one column for each program; * where it differs surely from the first."""
        names = list(self.systems)
        wide = max(len(row.name) for row in self.systems[names[0]])
        lines = [" " * wide + "".join(f"{name:>24}" for name in names)]
        for place, first in enumerate(self.systems[names[0]]):
            cells = []
            for name in names:
                row = self.systems[name].rows[place]
                apart = self.ahead[name].rows[place] if name in self.ahead else None
                sure = apart is not None and not math.isnan(apart.value) and (apart.low > 0 or apart.high < 0)
                told = f"{row.value:.3f} [{row.low:.3f} {row.high:.3f}]"
                cells.append(f"{'-' if math.isnan(row.value) else told + ('*' if sure else ' '):>24}")
            lines.append(f"{first.name:<{wide}}" + "".join(cells))
        counts = ", ".join(f"{count:,} {label}" for label, count in self.labels.items())
        more = ["* differs from the first: the 95 % interval of the difference is without 0"] if self.ahead else []
        return "\n".join([*lines, counts, *more])


def truth_of(found: LabelledSet, pictures: Sequence[Labelled]) -> TouchTruth:
    """Return what is true of pictures of a set with one label each; regions and sides where its labels.csv has them."""
    columns = _columns(found.root)
    about = [columns.get(picture.path.resolve(), {}) for picture in pictures]
    return TouchTruth(
        tuple(row.get("file", picture.path.name) for row, picture in zip(about, pictures, strict=True)),
        np.array([found.names[picture.labels[0]] for picture in pictures]),
        np.array([picture.group_key for picture in pictures]),
        tuple(
            frozenset(part.split(" ")[0] for part in row.get("region", "").split("/")) & set(REGIONS) for row in about
        ),
        np.array([row.get("side", "") if row.get("side", "") in ("left", "right") else "" for row in about]),
    )


def _columns(root: Path) -> dict[Path, dict[str, str]]:
    """Return the row of a labels.csv for each of its pictures; {} where there is none."""
    path = table_of(root)
    if path is None:
        return {}
    rows = ((place_of(row["file"], path.parent, "images"), row) for row in read_rows(path, ("file",)))
    return {place.resolve(): row for place, row in rows if place is not None}


def answers_of(name: str, values: Iterable[Value], called: float = CALLED) -> TouchAnswers:
    """Return what a model says, from its answers to the pictures."""
    scores, regions, sides, things = [], [], [], []
    for value in values:
        assert isinstance(value, Detections)  # it is a model of touches
        rows = np.flatnonzero(value.of(*REGIONS))
        best = int(rows[np.argmax(value.score[rows])]) if len(rows) else -1
        scores.append(value.best_touch)
        regions.append(value.label_names[best] if best >= 0 else "")
        sides.append(value.side[best] if best >= 0 else "")
        known = value.face_thing[np.isfinite(value.face_thing)] if value.face_thing is not None else np.zeros(0)
        things.append(float(known.max()) if len(known) else math.nan)
    score, thing = np.array(scores, np.float64), np.array(things)
    told = None if np.isnan(thing).all() else np.nan_to_num(thing)
    return TouchAnswers(name, score, score >= called, np.array(regions), np.array(sides), told)


def read_answers(path: str | Path, truth: TouchTruth, name: str = "") -> TouchAnswers:
    """Return another program's answers from a CSV file with the columns file and score.

    Further columns may be called (0 or 1, else score >= 0.5), region and side. Files are called as in labels.csv.

    Raises:
        InputError: the file cannot be read, lacks a column or a picture, or a number is none.
    """
    path = Path(path)
    lines = {row["file"]: row for row in read_rows(path, ("file", "score"))}
    missing = [file for file in truth.files if file not in lines]
    if missing:
        raise InputError(
            f"'{path}' lacks {len(missing):,} of {len(truth.files):,} pictures, the first is '{missing[0]}': give it"
            " a row for each, with the file as labels.csv calls it."
        )
    mine = [lines[file] for file in truth.files]
    try:
        score = np.array([float(row["score"]) for row in mine])
        called = np.array(
            [bool(int(row["called"])) if row.get("called") else float(row["score"]) >= CALLED for row in mine]
        )
    except ValueError as error:
        raise InputError(
            f"'{path}' has a score that is not a number, or a 'called' that is not 0 or 1: {error}."
        ) from None
    region, side = (np.array([row.get(column, "") for row in mine]) for column in ("region", "side"))
    return TouchAnswers(name or path.stem, score, called, region, side)


def benchmark(truth: TouchTruth, systems: Sequence[TouchAnswers], resamples: int = 1000, seed: int = 0) -> Benchmark:
    """Return the numbers of each system with 95 % intervals by resampling groups, and the differences to the first.

    Raises:
        InputError: no picture is touched, or none is without a touch and a thing.
    """
    touch, thing = truth.label == TOUCH, np.char.startswith(truth.label, THING)
    if not touch.any() or not (~touch & ~thing).any():
        raise InputError("a comparison needs pictures with the label 'touch' and pictures without one.")
    names = [system.name for system in systems]

    def metrics(weights: Array) -> list[Drawn]:
        each = [_numbers(truth, system, weights) for system in systems]
        apart = [
            one._replace(values=one.values - other.values)
            for drawn in each[1:]
            for one, other in zip(each[0], drawn, strict=True)
        ]
        return [row for drawn in each for row in drawn] + apart

    found = rows(metrics, truth.group, resamples, seed)
    length = len(found) // (2 * len(systems) - 1)
    parts = [found[start : start + length] for start in range(0, len(found), length)]
    told = {row.name for part in parts[: len(systems)] for row in part if not math.isnan(row.value)}

    def report(part: Sequence[Row]) -> Report:
        return Report(tuple(row for row in part if row.name in told))

    labels, counts = np.unique(truth.label, return_counts=True)
    return Benchmark(
        {name: report(part) for name, part in zip(names, parts, strict=False)},
        {name: report(part) for name, part in zip(names[1:], parts[len(systems) :], strict=True)},
        dict(zip(labels.tolist(), counts.tolist(), strict=True)),
    )


def _numbers(truth: TouchTruth, system: TouchAnswers, weights: Array) -> list[Drawn]:
    touch, thing = truth.label == TOUCH, np.char.startswith(truth.label, THING)
    judged, called = ~thing, system.called
    score, positive, mine = system.score[judged], touch[judged], weights[:, judged]
    hit, there = weights @ (called & touch), weights @ touch
    every = weights @ (called & judged)
    n, touches = int(judged.sum()), int(touch.sum())
    probable = bool((system.score >= 0).all() and (system.score <= 1).all())
    error = binary.calibration_error(score, positive, mine) if probable else np.full(len(weights), np.nan)
    out = [
        Drawn("precision", binary.ratio(hit, every), int((called & judged).sum())),
        Drawn("recall", binary.ratio(hit, there), touches),
        Drawn("F1", binary.f1(hit, every, there), n),
        Drawn("ROC AUC", binary.roc_auc(score, positive, mine), n),
        *(
            Drawn(f"recall at {x:.0%} false alarms", binary.recall_at(score, positive, mine, x), touches)
            for x in LIMITS
        ),
        Drawn("calibration error", error, n),
        *_named(truth, system, weights),
    ]
    for name in np.unique(truth.label[~touch]).tolist():
        rows_of = truth.label == name
        word = "called touch" if name.startswith(THING) else "false alarms"
        out.append(
            Drawn(f"{word}, {name}", binary.ratio(weights @ (called & rows_of), weights @ rows_of), int(rows_of.sum()))
        )
    told = np.full(len(weights), np.nan)
    if system.thing is not None and thing.any():
        told = binary.roc_auc(system.thing, thing, weights)
    return [*out, Drawn("thing at the face, ROC AUC", told, int(thing.sum()))]


def _named(truth: TouchTruth, system: TouchAnswers, weights: Array) -> list[Drawn]:
    """Return how often the region and the side are named rightly, of all touches of which they are known.

    A touch that was not found has neither.
    """
    touch = truth.label == TOUCH
    known = touch & np.array([bool(regions) for regions in truth.regions])
    right = system.called & np.array([r in true for r, true in zip(system.region, truth.regions, strict=True)])
    each = []
    for name in REGIONS:
        there = touch & np.array([name in regions for regions in truth.regions])
        each.append(binary.ratio(weights @ (right & there), weights @ there))
    sided = touch & (truth.side != "")
    same = system.called & (system.side == truth.side)
    nothing = np.full(len(weights), np.nan)
    names = (system.region != "").any(), (system.side != "").any()  # a program that never names one is not asked
    return [
        Drawn(
            "region named first",
            binary.ratio(weights @ (right & known), weights @ known) if names[0] else nothing,
            int(known.sum()),
        ),
        Drawn("region, mean over regions", binary.mean(np.stack(each, -1)) if names[0] else nothing, int(known.sum())),
        *(
            Drawn(f"  {name}", values if names[0] else nothing, int(known.sum()))
            for name, values in zip(REGIONS, each, strict=True)
        ),
        Drawn(
            "side", binary.ratio(weights @ (same & sided), weights @ sided) if names[1] else nothing, int(sided.sum())
        ),
    ]


def renamed(systems: Sequence[TouchAnswers]) -> list[TouchAnswers]:
    """Return the same with a number behind a name that was there before."""
    out: list[TouchAnswers] = []
    for system in systems:
        taken, name, number = {one.name for one in out}, system.name, 2
        while name in taken:
            name, number = f"{system.name} ({number})", number + 1
        out.append(dataclasses.replace(system, name=name))
    return out
