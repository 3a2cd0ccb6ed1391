"""Frame -> Result, for every task: the card says how; it must not know where frames come from or answers go."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from handlens.boxes import square
from handlens.card import ModelCard
from handlens.errors import InputError, ModelError, NotYet, unknown
from handlens.kinds import classify, detect, segment
from handlens.preprocess import crop_box, prepare, to_tensor
from handlens.runner import OnnxRunner, Runner
from handlens.tasks import contact, touch
from handlens.types import Frame, Hand, Result, Value
from handlens.weights import resolve

CROPS = ("hand", "whole")
HAND_SCALE = 1.2  # of the longer side of the hand box: detectors cut finger tips


class Predictor:
    """A model and the models it stands on, ready to be asked.

    runner: the model. parts: role -> model, as `card.parts` names them ("detector").

    Raises:
        ModelError: a part that the card names is missing.
    """

    def __init__(self, runner: Runner, parts: Mapping[str, Runner] | None = None) -> None:
        self.runner = runner
        self.parts = dict(parts or {})
        needed = {*self.card.parts, *(["detector"] if self.card.kind == "contact" else [])}
        missing = sorted(needed - self.parts.keys())
        if missing:
            raise ModelError(f"the model '{self.card.name}' stands on a '{missing[0]}' that was not given.")

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self.runner.card

    @property
    def task(self) -> str:
        """The task it answers: touch, hold, segment, gesture or combined."""
        return self.card.task

    def predict(self, frame: Frame, min_score: float | None = None, crop: str = "hand") -> Result:
        """Return what the model says of one frame.

        min_score: boxes below it are left out; None takes the card's thresholds. crop: models that judge one hand look
        at each hand that is found ("hand") or at the whole picture as the one hand ("whole").

        Raises:
            InputError: a `min_score` outside 0 to 1, another `crop`, or a crop that this model cannot make.
        """
        if min_score is not None and not 0.0 <= min_score <= 1.0:
            raise InputError(f"the minimum score must lie between 0 and 1, got {min_score}.")
        if crop not in CROPS:
            raise InputError(unknown("crop", crop, CROPS))
        value = self._value(frame, min_score, crop)
        return Result(
            self.task, frame.index, frame.time, value, frame.source, frame.width, frame.height, self.card.name
        )

    def _value(self, frame: Frame, min_score: float | None, crop: str) -> Value:
        if self.task == "combined":
            raise NotYet("the task 'combined' does not exist yet.")
        if self.card.kind == "contact":
            return contact.composed(frame, self.runner, self.parts["detector"], min_score)
        if self.card.kind == "detect":
            return touch.detected(frame, self.runner, min_score)
        if self.card.kind == "segment":
            tensor, geometry = prepare(frame.image, self.card)
            return segment.decode(self.runner.run(tensor), self.card, geometry)
        return self._hands(frame, min_score) if crop == "hand" else self._whole(frame)

    def _whole(self, frame: Frame) -> tuple[Hand, ...]:
        """Return the whole picture as the one hand."""
        tensor, _ = prepare(frame.image, self.card)
        (label,) = classify.decode(self.runner.run(tensor), self.card)
        return (Hand(np.array([0, 0, frame.width, frame.height], np.float32), label, label.angle),)

    def _hands(self, frame: Frame, min_score: float | None) -> tuple[Hand, ...]:
        """Return each hand that the detector finds, with its label."""
        detector = self.parts.get("detector")
        if detector is None:
            raise InputError(f"the model '{self.card.name}' has no hand detector beside it; ask with --crop whole.")
        tensor, geometry = prepare(frame.image, detector.card)
        found = detect.decode(detector.run(tensor), detector.card, geometry, min_score)
        boxes = found.xyxy[found.of("hand")]
        if not len(boxes):
            return ()
        squares = square(boxes, self.card.options.get("crop_scale", HAND_SCALE))
        crops = [crop_box(frame.image, box, self.card.size)[0] for box in squares]
        labels = classify.decode(self.runner.run(to_tensor(crops, self.card)), self.card)
        return tuple(Hand(box, label, label.angle) for box, label in zip(boxes, labels, strict=True))


def load(name_or_path: str | Path, threads: int | None = None) -> Predictor:
    """Return the model of a shipped name or an .onnx file, with the models it stands on.

    threads: cores to use, at most 2 when left out. Parts are looked for beside the file first.

    Raises:
        ModelError: no such model, or a file that is not one of ours.
        NotYet: a model that is planned but does not exist yet.
    """
    path = resolve(name_or_path)
    runner = OnnxRunner(path, threads)
    beside = path.parent
    parts = {role: OnnxRunner(resolve(name, beside), threads) for role, name in runner.card.parts.items()}
    return Predictor(runner, parts)
