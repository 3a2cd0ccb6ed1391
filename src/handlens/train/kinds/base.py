"""What a kind of answer needs to be trained: labels, samples, loss, graph, score and tuning; knows no single kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from numpy.random import Generator
from torch import Tensor, nn

from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.predictor import Predictor
from handlens.report import Report
from handlens.runner import Runner
from handlens.tasks import Task
from handlens.train.augment.config import AugmentConfig
from handlens.train.defaults import NetDefaults
from handlens.train.loader.pictures import Reading
from handlens.train.precision import Batch

Make = Callable[[Generator, AugmentConfig, Reading, int], dict[str, Tensor]]
"""Makes the training sample of one picture of the set, from its own random numbers."""


@dataclass(frozen=True)
class SampleOptions:
    """What samples depend on beside the card. channels, angle, ring: of classifiers, see `classify_sample`."""

    channels: int = 3
    angle: bool = False
    ring: Sequence[int] = ()


class TrainingKind(Protocol):
    """One kind of answer on the training side; `kinds` on the light side decodes and scores the same kind.

    Attributes:
        name: As in the card.
        set_kinds: The kinds of the labelled sets that it learns from, the best one first.
        score: The row of the report that decides which epoch was the best.
        mosaics: Whether several pictures may be put into one.
        has_curves: Whether the loss of the validation part and rates over all pixels are logged after each epoch.
        has_angle: Whether its nets may tell by which angle a hand is turned.
        pads: Whether its nets take sides of any length, because they pad and cut by themselves.
    """

    name: str
    score: str
    mosaics: bool
    has_curves: bool
    has_angle: bool
    pads: bool

    @property
    def set_kinds(self) -> tuple[str, ...]:
        """The kinds of the labelled sets."""
        ...

    def check(self, train: LabelledSet) -> None:
        """Refuse a training part of which nothing can be learned.

        Raises:
            InputError: it is one; the sentence says what is missing.
        """
        ...

    def check_pictures(self, found: LabelledSet) -> None:
        """Refuse labels that no sample can be made of.

        Raises:
            InputError: there are some; the sentence names a picture.
        """
        ...

    def hint(self, train: LabelledSet, augment: AugmentConfig) -> str:
        """Return a sentence for the user about this training part, "" where there is nothing to say."""
        ...

    def answers(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the labels of the net's card for a set with these names.

        Raises:
            InputError: too few of them.
        """
        ...

    def channels_out(self, names: Sequence[str]) -> int:
        """Return how many numbers the net gives for these names of a set."""
        ...

    def card_options(self) -> Mapping[str, Any]:
        """Return fields of the card that all nets of this kind share."""
        ...

    def sight(self, task: Task, base: NetDefaults) -> tuple[dict[str, float], dict[str, str]]:
        """Return options and parts of the card that say how the net is shown what it judges."""
        ...

    def trial(self, card: ModelCard, model: Path) -> str:
        """Return what to type to see a new model at work."""
        ...

    def units(self, found: LabelledSet, card: ModelCard) -> tuple[LabelledSet, ModelCard]:
        """Return what samples are made of, one after the other, and the card by which it is resized."""
        ...

    def maker(self, found: LabelledSet, card: ModelCard, options: SampleOptions) -> Make:
        """Return what makes a sample of a unit; card: of the net."""
        ...

    def loss(self, net: nn.Module, x: Tensor, batch: Batch, about: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the parts of the loss for pictures x (n, c, h, w), "loss" among them."""
        ...

    def graph(self, net: nn.Module, card: ModelCard, about: Mapping[str, Any], channels: int) -> nn.Module:
        """Return the exported form: pictures -> the canonical arrays of the kind."""
        ...

    def parts(self, card: ModelCard) -> dict[str, Runner]:
        """Return the models that the net stands on when it answers whole pictures, by their role."""
        ...

    def tuned(self, predictor: Predictor, val: LabelledSet) -> tuple[ModelCard, Report] | None:
        """Return a card tuned on the validation part, and what that is worth on other groups; None: nothing is tuned.

        Args:
            predictor: The net with a card without calibration.
        """
        ...


class Kind:
    """What most kinds have in common."""

    name: str
    mosaics = False
    has_curves = False
    has_angle = False
    pads = False

    @property
    def set_kinds(self) -> tuple[str, ...]:
        """The kind of set is that of the answer."""
        return (self.name,)

    def check(self, train: LabelledSet) -> None:
        """Nothing is refused."""

    def check_pictures(self, found: LabelledSet) -> None:
        """Nothing is refused."""

    def hint(self, train: LabelledSet, augment: AugmentConfig) -> str:
        """Nothing is said."""
        return ""

    def answers(self, names: Sequence[str]) -> tuple[str, ...]:
        """Return the net answers with the labels of the set."""
        return tuple(names)

    def channels_out(self, names: Sequence[str]) -> int:
        """One for each name."""
        return len(names)

    def card_options(self) -> Mapping[str, Any]:
        """There are none."""
        return {}

    def sight(self, task: Task, base: NetDefaults) -> tuple[dict[str, float], dict[str, str]]:
        """Return nothing: the net is shown whole pictures."""
        return {}, {}

    def trial(self, card: ModelCard, model: Path) -> str:
        """Return a line for pictures."""
        return f"'handlens predict PICTURES --model {model}'"

    def units(self, found: LabelledSet, card: ModelCard) -> tuple[LabelledSet, ModelCard]:
        """Return samples are made of whole pictures, resized as in inference."""
        return found, card

    def parts(self, card: ModelCard) -> dict[str, Runner]:
        """Return the net stands on no other model."""
        return {}

    def tuned(self, predictor: Predictor, val: LabelledSet) -> tuple[ModelCard, Report] | None:
        """Nothing is tuned."""
        return None
