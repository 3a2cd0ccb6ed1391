"""The table of who judges which kind of model on which kind of set; a new kind is one more entry."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.evaluate.classify import LabelJudge
from handlens.evaluate.detect import BoxJudge, ContactJudge
from handlens.evaluate.judge import Judge
from handlens.evaluate.landmarks import LandmarkJudge
from handlens.evaluate.segment import PixelJudge
from handlens.evaluate.touch import TouchJudge
from handlens.predictor import Predictor
from handlens.tasks import task_of

MakeJudge = Callable[[Predictor, LabelledSet], Judge]


@dataclass(frozen=True)
class Judging:
    """How models of one kind are judged.

    Attributes:
        by_set: Kind of set -> what judges on it.
        of_touches: The same for models of touches, in addition.
        main: The row of a report by which two models of the kind are compared, "" where there is none.
    """

    by_set: Mapping[str, MakeJudge]
    of_touches: Mapping[str, MakeJudge] = field(default_factory=dict)
    main: str = ""


JUDGES: dict[str, Judging] = {
    "detect": Judging({"detect": BoxJudge}, {"classify": TouchJudge}, "mAP 0.5"),
    "contact": Judging({"detect": ContactJudge}, {"classify": TouchJudge}),
    "classify": Judging({"classify": LabelJudge}, main="accuracy"),
    "segment": Judging({"segment": PixelJudge}, main="IoU mean"),
    "landmarks": Judging({"landmarks": LandmarkJudge}, main="mean error, % of palm"),
    "combined": Judging({"classify": LabelJudge}),  # by what it says of the hands
}


def judges_of(card: ModelCard) -> Mapping[str, MakeJudge]:
    """Return the kinds of sets that a model can be measured on, each with its judge, its own kind first."""
    judging = JUDGES[card.kind]
    return {**judging.by_set, **(judging.of_touches if task_of(card.task).touches else {})}
