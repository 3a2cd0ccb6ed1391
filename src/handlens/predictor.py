"""Frame -> Result, for every task: the card says how; it must not know where frames come from or answers go."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import overload

from handlens.card import ModelCard
from handlens.errors import HandlensError, InputError, ModelError, unknown
from handlens.given import ImageLike, as_frame
from handlens.result import Result
from handlens.runner import OnnxRunner, Runner
from handlens.tasks import combined, hands
from handlens.tasks.answering import answering
from handlens.tasks.base import Question
from handlens.tasks.find_hands import Finder, Look
from handlens.tasks.hands import HAND_SCALE as HAND_SCALE
from handlens.tasks.tiles import looked_at
from handlens.types import Floats, Frame
from handlens.weights import DETECTOR, parts_of, resolve

CROPS = ("hand", "whole")
CONTACT, SIGNS = "touch", "signs"
"""The shipped models that find the hands that the shipped detector misses: at faces, and close up."""


def open_part(name: str, threads: int | None = None) -> Runner:
    """Return the model of that name, shipped or cached."""
    return OnnxRunner(resolve(name), threads)


class Predictor:
    """A model and the models it stands on, ready to be asked.

    Args:
        runner: The model; a combined one is a `Composed`, or one file of both parts.
        parts: Role -> model, as `card.parts` names them ("detector").
        opened: Opens by its name a part that was not given, when it is asked for; models that judge one hand need none
            for whole pictures.
        helper: Opens the shipped models that find the hands which the shipped detector misses, so that all tasks find
            the same hands.
        look: Asks the detector about a frame.

    Raises:
        ModelError: a part without which the model never answers is missing.
    """

    def __init__(
        self,
        runner: Runner,
        parts: Mapping[str, Runner] | None = None,
        opened: Callable[[str], Runner] = open_part,
        helper: Callable[[str], Runner] = open_part,
        look: Look = looked_at,
    ) -> None:
        self.runner = runner
        self.parts = dict(parts or {})
        self._opened, self._helper, self._look = opened, helper, look
        self._helpers: dict[str, Runner] = {}
        self._answering = answering(self.card)
        for role in self._answering.needs:
            if role not in self.parts:
                raise ModelError(f"the model '{self.card.name}' stands on a '{role}' that was not given.")

    def with_runner(self, runner: Runner) -> "Predictor":
        """Return a predictor with another model of the same kind, standing on the same parts."""
        return Predictor(runner, self.parts, self._opened, self._helper, self._look)

    def with_parts(self, parts: Mapping[str, Runner]) -> "Predictor":
        """Return a predictor of the same model that stands on other parts."""
        return Predictor(self.runner, parts, self._opened, self._helper, self._look)

    def with_look(self, look: Look) -> "Predictor":
        """Return a predictor of the same models that asks the detector in another way."""
        return Predictor(self.runner, self.parts, self._opened, self._helper, look)

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self.runner.card

    @property
    def task(self) -> str:
        """The task it answers: touch, hold, segment, gesture or combined."""
        return self.card.task

    @overload  # a text is a path, though it is a sequence as well
    def predict(  # type: ignore[overload-overlap]
        self, image: ImageLike, /, min_score: float | None = None, crop: str = "hand"
    ) -> Result: ...

    @overload
    def predict(
        self, image: Sequence[ImageLike], /, min_score: float | None = None, crop: str = "hand"
    ) -> list[Result]: ...

    def predict(
        self,
        image: ImageLike | Sequence[ImageLike],
        /,
        min_score: float | None = None,
        crop: str = "hand",
    ) -> Result | list[Result]:
        """Return what the model says of a picture, or of each of several.

        Args:
            image: a `Frame`; an array (H, W, 3) uint8 in RGB, (H, W) grey or (H, W, 4) RGBA; the path of a picture; an
                image of Pillow; or a list or tuple of these. `cv2.imread` gives BGR: use `image[..., ::-1]`.
            min_score: boxes below it, parts of a mask that are less sure, and hands of whose label the model is less
                sure, are left out; None takes the card's thresholds.
            crop: models that judge one hand look at each hand that is found ("hand") or at the whole picture as the one
                hand ("whole"); those of silhouettes always look at the one white shape.

        Returns:
            A `Result`, or a list of them for a list.

        Raises:
            InputError: no picture, a `min_score` outside 0 to 1, another `crop`, or a crop that this model cannot make.
            FrameError: a file that cannot be read, or no silhouette where the model reads only these.
        """
        if isinstance(image, list | tuple):
            return [self.predict(one, min_score, crop) for one in image]
        frame = as_frame(image)  # type: ignore[arg-type]
        if min_score is not None and not 0.0 <= min_score <= 1.0:
            raise InputError(f"the minimum score must lie between 0 and 1, got {min_score}.")
        if crop not in CROPS:
            raise InputError(unknown("crop", crop, CROPS))
        question = Question(frame, self.runner, self._finder, min_score, crop)
        value, basis = self._answering.answer(question)
        return Result(
            self.task,
            frame.index,
            frame.time,
            value,
            frame.source,
            frame.width,
            frame.height,
            self.card.name,
            frame.duration,
            frame.clock,
            basis,
            self._answering.drawn_from(self.card) if min_score is None else {},
        )

    def _finder(self) -> Finder:
        """Return what finds the hands; the detector is opened when it is first asked for."""
        name = self.card.parts.get("detector")
        if "detector" not in self.parts:
            if name is None:
                raise InputError(f"the model '{self.card.name}' has no hand detector beside it; ask with --crop whole.")
            self.parts["detector"] = self._opened(name)
        is_shipped = name == self.parts["detector"].card.name == DETECTOR
        at_faces, hands_only = None, not self._answering.looks_at_faces
        if self._answering.looks_at_faces:
            at_faces = self.runner
        elif is_shipped:
            at_faces = self._helping(CONTACT)
        if self.card.options.get("closeup"):  # it knows by itself what a hand close up looks like
            return Finder(self.parts["detector"], at_faces, partial(self._confirm, None), self._look, hands_only)
        confirm = partial(self._confirm, SIGNS) if is_shipped else None
        return Finder(self.parts["detector"], at_faces, confirm, self._look, hands_only)

    def _confirm(self, helper: str | None, frame: Frame, boxes: Floats) -> tuple[Floats, float] | None:
        return hands.closeup(frame, self.runner if helper is None else self._helping(helper), boxes)

    def _helping(self, name: str) -> Runner:
        """Return a shipped model that finds hands, opened when it is first asked for."""
        if name not in self._helpers:
            self._helpers[name] = self._helper(name)
        return self._helpers[name]


def load(name_or_path: str | Path, threads: int | None = None) -> Predictor:
    """Return the model of a shipped name or an .onnx file, with the models it stands on.

    Args:
        threads: Cores to use, at most 2 when left out. Parts are looked for beside the file first.

    Raises:
        ModelError: no such model, or a file that is not one of ours.
        NotYet: a model that is planned but does not exist yet.
    """
    made_of = parts_of(name_or_path)
    if made_of:
        composed = combined.Composed({role: OnnxRunner(resolve(name), threads) for role, name in made_of.items()})
        return Predictor(composed, composed.parts)
    path = resolve(name_or_path)
    runner = OnnxRunner(path, threads)

    def opened(name: str) -> Runner:
        return OnnxRunner(resolve(name, path.parent), threads)

    at_once = runner.card.parts if answering(runner.card).opens_parts else {}
    parts = {role: opened(name) for role, name in at_once.items()}
    return Predictor(runner, parts, opened, partial(open_part, threads=threads))


def model_digests(predictor: Predictor) -> tuple[tuple[str, str], ...]:
    """Return (name, SHA-256) of all model files that a predictor may ask, by name."""
    runners = {predictor.card.name: predictor.runner, **predictor.parts}
    files = {name: runner.path for name, runner in runners.items() if isinstance(runner, OnnxRunner)}
    beside = next((file.parent for file in files.values()), None)
    for role, name in predictor.card.parts.items():
        if role not in files:
            try:
                files[role] = resolve(name, beside)
            except HandlensError:  # it is opened when it is needed, and says so then
                continue
    return tuple((name, hashlib.sha256(file.read_bytes()).hexdigest()) for name, file in sorted(files.items()))
