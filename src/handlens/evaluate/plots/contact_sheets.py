"""Contact sheets of the best, worst and wrongest pictures, truth beside answer; knows not how they were judged."""

from collections.abc import Callable, Sequence

from handlens.data.dataset import LabelledSet
from handlens.evaluate.evaluate import Outcome
from handlens.io.draw import TRUTH, beside, captioned, draw, fitted, grid, titled
from handlens.io.scaled import scaled
from handlens.predictor import Predictor
from handlens.result import Result
from handlens.types import Frame, Image, Label, Value

COUNT, SIDE = 12, 360  # pictures on a sheet, pixels of each of their two halves
COLUMNS = 2

CHOICES: dict[str, Callable[[Outcome], float | None]] = {
    "best": lambda one: -one.verdict.quality if len(one.picture.labels) or one.picture.mask else 1.0,
    "worst": lambda one: one.verdict.quality if one.verdict.quality < 1 else None,
    "wrongest": lambda one: -one.verdict.wrongness if one.verdict.wrongness > 0 else None,
}
"""Sheet -> the order of its pictures, smallest first; None: the picture does not belong there. Among the best, those
without any object come last: to find nothing there is no art."""


def chosen(outcomes: Sequence[Outcome], choice: str, count: int = COUNT) -> list[Outcome]:
    """Return the pictures of a sheet: first one of each group, then more where there is room."""
    order = CHOICES[choice]
    ranked = [(value, number) for number, one in enumerate(outcomes) if (value := order(one)) is not None]
    seen_groups: set[str] = set()
    first: list[Outcome] = []
    more: list[Outcome] = []
    for _, number in sorted(ranked):
        group = outcomes[number].picture.group_key
        (more if group in seen_groups else first).append(outcomes[number])
        seen_groups.add(group)
    return (first + more)[:count]


def sheet(outcomes: Sequence[Outcome], predictor: Predictor, found: LabelledSet, crop: str = "whole") -> Image:
    """Return (H, W, 3) uint8 RGB: each picture with its truth at the left and the model's answer at the right.

    Boxes and labels are drawn on the picture in the size that it has on the sheet, so that they hide as little of a
    small or a large picture.

    The answers are asked for again: nobody has room to keep the masks of all pictures.

    Raises:
        FrameError: a picture cannot be read any more.
    """
    cells = []
    for outcome in outcomes:
        sample = found.sample(outcome.picture)
        answer = predictor.predict(sample.frame, crop=crop)
        truth = _result(sample.frame, sample.truth, answer)
        halves = [
            titled(fitted(draw(*scaled(sample.frame, result, SIDE)), SIDE), title)
            for result, title in ((truth, "truth"), (answer, f"answer of {answer.model}"))
        ]
        cells.append(captioned(beside(halves), f"{outcome.picture.name}: {outcome.verdict.text}"))
    return grid(cells, COLUMNS)


def _result(frame: Frame, truth: Value, answer: Result) -> Result:
    """Return a truth as if a model had given it."""
    if isinstance(truth, Label):
        truth = Label(truth.name, 1.0, {}, truth.angle)
    return Result(answer.task, frame.index, frame.time, truth, frame.source, frame.width, frame.height, TRUTH)
