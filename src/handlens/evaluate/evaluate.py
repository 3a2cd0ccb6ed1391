"""The one evaluator: any predictor on any labelled set -> a report; it must not know what runs behind the predictor.

The trainer calls it with a live net behind the Runner seam, the command line with an .onnx file or a shipped name, and
both read the same numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass

from handlens.data.dataset import Labelled, LabelledSet
from handlens.data.label_kinds import LABEL_KINDS
from handlens.errors import FrameError, InputError
from handlens.evaluate.angles import Circle, around, lean_apart
from handlens.evaluate.bootstrap import rows
from handlens.evaluate.curves import Curve
from handlens.evaluate.judge import Judge, Verdict
from handlens.evaluate.judges import judges_of
from handlens.predictor import Predictor
from handlens.report import Report
from handlens.result import Result
from handlens.types import Frame, Sample


@dataclass(frozen=True, eq=False)
class Outcome:
    """One picture and what is said of the model's answer to it."""

    picture: Labelled
    verdict: Verdict


@dataclass(frozen=True, eq=False)
class Measurement:
    """The numbers, the curves they come from, every picture by itself, and the circle of a set that was turned."""

    report: Report
    curves: tuple[Curve, ...]
    outcomes: tuple[Outcome, ...]
    circle: Circle | None = None


def evaluate(
    predictor: Predictor,
    found: LabelledSet,
    *,
    resamples: int = 1000,
    seed: int = 0,
    crop: str = "whole",
    progress: Callable[[], None] | None = None,
    on_error: Callable[[InputError], None] | None = None,
    on_answer: Callable[[Frame, Result], object] | None = None,
) -> Measurement:
    """Return how good a predictor is on a labelled set.

    Args:
        resamples: Bootstrap draws of whole groups (`Labelled.group_key`: persons, sources) for the 95 % intervals; 0
            gives none, and is fast.
        crop: "whole" takes each picture as the one hand, "hand" looks for hands, as in `predict`.
        progress: Is called after each picture.
        on_error: Is told of a picture that cannot be read, which is then left out; without it the error is raised.
        on_answer: Is given each frame with the model's answer.

    Raises:
        InputError: the model answers another question than the set, their labels do not fit, or nothing can be read.
        FrameError: a picture cannot be read, and there is no `on_error`.
    """
    judge = judge_for(predictor, found)
    outcomes = []
    for picture in found:
        answered = _answered(predictor, found, picture, judge.min_score, crop, on_error)
        if answered is not None:
            sample, answer = answered
            if on_answer is not None:
                on_answer(sample.frame, answer)
            outcomes.append(Outcome(picture, judge.add(sample.truth, answer.value)))
        if progress is not None:
            progress()
    if not outcomes:
        raise InputError(f"'{found.root}' has no picture that can be measured.")
    findings = judge.finish()
    groups = [outcome.picture.group_key for outcome in outcomes]
    measured = rows(findings.metrics, groups, resamples, seed)
    if not measured:
        raise InputError(f"nothing can be measured on '{found.root}'. {' '.join(findings.notes)}")
    notes = [_about(len(outcomes), len(set(groups)), resamples), *findings.notes]
    circle = None
    if findings.turned is not None:
        circle = around(findings.turned, groups, resamples, seed)
        lean = lean_apart(findings.turned, [str(outcome.picture.path) for outcome in outcomes])
        notes += [lean] if lean else []
    return Measurement(Report(measured, tuple(notes)), findings.curves, tuple(outcomes), circle)


def _answered(
    predictor: Predictor,
    found: LabelledSet,
    picture: Labelled,
    min_score: float | None,
    crop: str,
    on_error: Callable[[InputError], None] | None,
) -> tuple[Sample, Result] | None:
    """Return a picture and the answer to it; None for one that is left out, of which `on_error` was told."""
    try:
        sample = found.sample(picture)
    except InputError as error:
        if on_error is None:
            raise
        on_error(error)
        return None
    try:
        return sample, predictor.predict(sample.frame, min_score, crop)
    except FrameError as error:  # it does not fit this model; other errors are about all pictures
        if on_error is None:
            raise
        on_error(error)
        return None


def judge_for(predictor: Predictor, found: LabelledSet) -> Judge:
    """Return what judges this model's answers to this set.

    Raises:
        InputError: the model answers another question than the set, or their labels do not fit.
    """
    judges = judges_of(predictor.card)
    if found.kind not in judges:
        wanted = " or ".join(LABEL_KINDS[kind].truths for kind in judges)
        raise InputError(
            f"the model '{predictor.card.name}' is measured on {wanted}, but '{found.root}' has"
            f" {found.label_kind.truths}."
        )
    return judges[found.kind](predictor, found)


def _about(pictures: int, groups: int, resamples: int) -> str:
    text = f"{pictures:,} pictures of {groups:,} groups"
    return f"{text}; intervals: 95 %, {resamples:,} resamples of whole groups." if resamples else f"{text}."
