"""What it takes to judge one kind of answer, and what comes of it; it must not know any kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.evaluate.angles import Turned
from handlens.evaluate.bootstrap import Metrics
from handlens.evaluate.curves import Curve
from handlens.types import Value


class Verdict(NamedTuple):
    """What is said of one answer.

    Attributes:
        quality: 0 to 1, 1 is all right.
        wrongness: 0 to 1, how sure it was of what is wrong; 0 where nothing is.
        words: The answer against the truth, for the contact sheets.
    """

    quality: float
    wrongness: float
    text: str


@dataclass(frozen=True, eq=False)
class Findings:
    """What comes of all answers.

    Attributes:
        metrics: Weights (draws, n) of the pictures -> numbers.
        curves: At weights of one.
        notes: What a reader of the numbers must know, a sentence each.
        turned: The angles, where all of them are known.
    """

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


def used_names(found: LabelledSet) -> tuple[str, ...]:
    """Return the labels of the set that some picture carries, in the set's order; all of them for masks."""
    return found.label_kind.used(found, found.names)


def require_known(model: str, known: Sequence[str], wanted: Sequence[str]) -> None:
    """Hold the labels of a set against those of a model that must know each of them.

    Raises:
        InputError: the model does not know one.
    """
    missing = [name for name in wanted if name not in known]
    if missing:
        raise misfit(model, known, wanted)


def misfit(model: str, known: Sequence[str], wanted: Sequence[str]) -> InputError:
    """Return the sentence for a set and a model whose labels do not fit."""
    strange = [name for name in wanted if name not in known]
    return InputError(
        f"the set has the labels {', '.join(wanted) or '(none)'}, but the model '{model}' knows {', '.join(known)}: "
        f"say which is which, for example --map '{(strange or ['LABEL'])[0]}={known[0]}'."
    )
