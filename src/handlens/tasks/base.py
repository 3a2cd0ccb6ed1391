"""What it takes to answer a frame: the contract that the file of each kind of model fulfils."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from handlens.card import ModelCard
from handlens.runner import Runner
from handlens.types import OWNERS, Detections, Floats, Frame, Hand, Value

SURE_FACE = 0.5  # nine of ten faces of people score above .54; what is taken for a face on a hand close up, below .5

Answer = tuple[Value, Value | None]
"""What is said of a frame, and with a minimum score of the user what is said at the card's own thresholds."""


@dataclass(frozen=True, eq=False)
class Seen:
    """What is seen in a picture.

    Attributes:
        found: Faces, hands, and touched regions where the contact model was asked.
        shown: The same at a minimum score of the user.
        faint: The boxes of which the detector is not sure, from a score of 0.2 on.
    """

    found: Detections
    shown: Detections
    faint: Detections

    @property
    def hands(self) -> Floats:
        """The boxes of the hands, (n, 4), the surest of the detector first."""
        return self.found.xyxy[self.found.of("hand")]

    @property
    def has_sure_face(self) -> bool:
        """Whether a face is seen that is not part of a hand."""
        return bool((self.faint.score[self.faint.of("face")] >= SURE_FACE).any())


class HandFinder(Protocol):
    """Finds faces and hands; `tasks.find_hands.Finder` does."""

    def find(self, frame: Frame, min_score: float | None = None) -> Seen:
        """Return what is seen in a picture. min_score: of the user, for the boxes that are shown."""
        ...


@dataclass(frozen=True, eq=False)
class Question:
    """A frame and the model that is asked about it.

    Attributes:
        finder: Returns what finds the hands; it is called where it is needed only.
        min_score: Of the user, or None for the card's thresholds.
        crop: "hand" or "whole", for models that judge one hand.
    """

    frame: Frame
    runner: Runner
    finder: Callable[[], HandFinder]
    min_score: float | None = None
    crop: str = "hand"


@dataclass(frozen=True)
class Answering:
    """How models of one kind answer a frame.

    Attributes:
        kind: As a card names it.
        answer: Answers a question.
        drawn_from: The scores from which what was found is drawn, by label, "score" for judged hands.
        needs: The roles of the parts without which it never answers.
        opens_parts: Whether the parts that its card names are opened with it; else when they are asked for, or they lie
            inside its file.
        judges_crops: Whether the question's `crop` matters.
        looks_at_faces: Whether it finds hands at faces itself.
    """

    kind: str
    answer: Callable[[Question], Answer]
    drawn_from: Callable[[ModelCard], dict[str, float]]
    needs: tuple[str, ...] = ()
    opens_parts: bool = True
    judges_crops: bool = False
    looks_at_faces: bool = False


def owner_thresholds(card: ModelCard) -> dict[str, float]:
    """Return the scores from which faces and hands are drawn."""
    return {name: card.threshold(name) for name in OWNERS}


def score_threshold(card: ModelCard) -> dict[str, float]:
    """Return the score from which judged hands are drawn."""
    return {"score": card.threshold("score", 0.0)}


def hands_from(hands: Sequence[Hand], min_score: float | None) -> Answer:
    """Return the hands of whose label the model is sure enough for the user, and then all of them as well."""
    every = tuple(hands)
    if min_score is None:
        return every, None
    return tuple(hand for hand in every if hand.gesture.score >= min_score), every
