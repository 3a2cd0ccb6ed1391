"""What it takes to judge one kind of answer, and what comes of it; it must not know any kind."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from handlens.evaluate.angles import Turned
from handlens.evaluate.bootstrap import Metrics
from handlens.evaluate.curves import Curve
from handlens.types import Value


class Verdict(NamedTuple):
    """What is said of one answer. quality: 0 to 1, 1 is all right. wrongness: 0 to 1, how sure it was of what is wrong;
    0 where nothing is. words: the answer against the truth, for the contact sheets."""

    quality: float
    wrongness: float
    words: str


@dataclass(frozen=True, eq=False)
class Findings:
    """What comes of all answers. metrics: weights (draws, n) of the pictures -> numbers; curves: at weights of one;
    notes: what a reader of the numbers must know, a sentence each; turned: the angles, where all of them are known."""

    metrics: Metrics
    curves: tuple[Curve, ...] = ()
    notes: tuple[str, ...] = ()
    turned: Turned | None = None


class Judge(Protocol):
    """Takes truths and answers one by one, and tells at the end how good the answers were."""

    @property
    def min_score(self) -> float | None:
        """The least score that the model is asked for, or None for the card's thresholds."""
        ...

    def add(self, truth: Value, answer: Value) -> Verdict:
        """Take one truth and its answer."""
        ...

    def finish(self) -> Findings:
        """Return what comes of all that was taken."""
        ...
