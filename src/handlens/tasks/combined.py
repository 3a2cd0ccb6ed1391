"""Combined: pixels -> hands -> the sign that each makes and how it is turned, by two models or by one file of both.

It must not know files, drawing or how networks run.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from handlens.card import ModelCard
from handlens.errors import InputError
from handlens.kinds import classify
from handlens.kinds.base import expect
from handlens.kinds.combined import HAND, PART, SURE, Combined, crops_of, hands_of
from handlens.kinds.hand_crop import Crop
from handlens.preprocess import prepare, to_tensor
from handlens.runner import Outputs, Runner
from handlens.silhouette import Shape, seen
from handlens.tasks.base import Answer, Answering, Question, hands_from, score_threshold
from handlens.types import Floats, Frame, Hand

NAME = "combined"
ROLES = ("segment", "gesture")
BLANK = Crop(Shape(np.zeros((1, 1), np.uint8), np.array([0, 0, 1, 1], np.float32)), 0)
"""Shown to the gesture model where there is no hand, so that it says how many numbers it answers with."""


class Composed:
    """A mask model and a gesture model, asked one after the other; final.

    As a Runner it answers with what one exported file of both answers: all hands of each picture.

    Attributes:
        card: That of the file.
        parts: The two by their roles.

    Raises:
        InputError: models that do not fit together.
    """

    def __init__(self, parts: Mapping[str, Runner]) -> None:
        self.parts = {role: parts[role] for role in ROLES}
        self.card = combined_card(parts["segment"].card, parts["gesture"].card)

    def run(self, batch: Floats) -> Outputs:
        """Return the arrays of a batch (n, 3, h, w) with k hands in all, those of one picture after another.

        "mask" (n, classes, h', w') probabilities, "found" (n,) bool, whether a picture has a hand; and for each hand,
        the largest of a picture first: "picture" (k,) int64, the number of its picture, "box" (k, 4) pixels of the
        batch, "probabilities" (k, names), "angle" (k, 2) if the gesture model tells it, "hand" (k, h', w'), 0 and 1.
        """
        maps = self.maps(batch)
        hands = [crops_of(one, self.card) for one in maps]
        crops = [crop for some in hands for crop in some]
        scale = np.array(batch.shape[:1:-1], np.float32) / np.array(maps.shape[:1:-1], np.float32)
        answers = self.judge(crops or [BLANK])
        return {
            "mask": maps,
            "found": np.array([bool(some) for some in hands]),
            "picture": np.repeat(np.arange(len(hands), dtype=np.int64), [len(some) for some in hands]),
            "box": np.reshape([crop.shape.box * np.tile(scale, 2) for crop in crops], (-1, 4)).astype(np.float32),
            **{name: answers[name][: len(crops)] for name in ("probabilities", "angle") if name in answers},
            "hand": np.reshape([crop.shape.mask > 0 for crop in crops], (-1, *maps.shape[2:])).astype(np.float32),
        }

    def maps(self, batch: Floats) -> Floats:
        """Return the probabilities of the mask model for a batch, (n, classes, h', w')."""
        maps = self.parts["segment"].run(batch)["probabilities"]
        return expect("probabilities", maps, (len(batch), len(self.parts["segment"].card.names), None, None))

    def judge(self, crops: Sequence[Crop]) -> Outputs:
        """Return what the gesture model says of each hand."""
        gesture = self.parts["gesture"]
        views = [seen(crop.shape, gesture.card.size) for crop in crops]
        return gesture.run(to_tensor(views, gesture.card))


def combined_card(segment: ModelCard, gesture: ModelCard) -> ModelCard:
    """Return the card of both together: it is asked with pictures as the mask model, and answers as the gesture model.

    Pictures keep their proportions, also for a mask model that learned from stretched ones: hands must.

    Raises:
        InputError: a mask model that knows no hands, or a gesture model that is not made for silhouettes.
    """
    check_parts(segment, gesture)
    both = {"segment": segment, "gesture": gesture}
    licences = {role: card.licence for role, card in both.items()}
    one = len(set(licences.values())) == 1
    return replace(
        segment,
        name=NAME,
        task=NAME,
        kind=NAME,
        names=gesture.names,
        resize="letterbox" if segment.resize == "stretch" else segment.resize,
        thresholds=gesture.thresholds,
        calibration=gesture.calibration,
        parts={role: card.name for role, card in both.items()},
        options={
            HAND: float(segment.names.index(HAND)),
            SURE: segment.threshold(HAND, 0.0),
            **_part_of_hands(segment),
            **_parameters(both.values()),
        },
        data=tuple(f"{role}: {source}" for role, card in both.items() for source in card.data),
        licence=segment.licence if one else ", ".join(f"{role}: {text}" for role, text in licences.items()),
        scores={f"{role} {name}": score for role, card in both.items() for name, score in card.scores.items()},
    )


def _part_of_hands(segment: ModelCard) -> dict[str, float]:
    """Return which class of a mask model belongs to hands, such as their forearms, as the option of a card."""
    whole = segment.options.get("whole", -1.0)
    return {PART: segment.options[PART]} if whole == segment.names.index(HAND) and PART in segment.options else {}


def _parameters(cards: Iterable[ModelCard]) -> dict[str, float]:
    """Return how many numbers both nets have, as the option of a card, where both cards say so."""
    counts = [card.options.get("parameters", 0.0) for card in cards]
    return {"parameters": sum(counts)} if all(counts) else {}


def check_parts(segment: ModelCard, gesture: ModelCard) -> None:
    """Raise InputError where two models do not fit together."""
    if segment.kind != "segment":
        raise InputError(
            f"the model '{segment.name}' makes no masks, it answers '{segment.task}': as the part 'segment' give one"
            " that was trained with 'handlens train segment'."
        )
    if HAND not in segment.names:
        raise InputError(
            f"the mask model '{segment.name}' has no class 'hand', it knows {', '.join(segment.names)}: the combined"
            " model crops what that class marks."
        )
    if gesture.kind != "classify":
        raise InputError(
            f"the model '{gesture.name}' tells no gestures, it answers '{gesture.task}': as the part 'gesture' give"
            " digits, gestures, or one of your own on silhouettes."
        )
    if not (gesture.options.get("silhouette") or gesture.options.get("grey")):
        raise InputError(
            f"the model '{gesture.name}' looks at pictures in colour, and a mask has none: as the part 'gesture' give"
            " digits, gestures, or one of your own on silhouettes."
        )


def found_hands(frame: Frame, runner: Runner) -> tuple[Hand, ...]:
    """Return each hand of a picture, the largest first, with its sign, angle and mask; () where there is none.

    Args:
        runner: A `Composed`, or one file of both parts.
    """
    tensor, geometry = prepare(frame.image, runner.card)
    if not isinstance(runner, Composed):
        (hands,) = Combined().decode(runner.run(tensor), runner.card, [geometry])
        return hands
    maps = runner.maps(tensor)[0]
    crops = crops_of(maps, runner.card)
    if not crops:
        return ()
    return hands_of(crops, classify.decode(runner.judge(crops), runner.card), maps, runner.card, geometry)


def _hands(question: Question) -> Answer:
    return hands_from(found_hands(question.frame, question.runner), question.min_score)


ANSWERING = Answering("combined", _hands, score_threshold, opens_parts=False)
