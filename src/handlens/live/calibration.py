"""A personal calibration: a small file that shifts the decision for one person; it must not know cameras or pages.

The contact model answers as before. What it says of regions and of things at the face, times a few weights, is added
to its logit of a touch: a logistic regression that starts from the model's own answer and is held near it by a prior
(ridge), so that a minute of pictures of one person does not make it forget the rest.
"""

import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from handlens.card import ModelCard
from handlens.errors import InputError, ModelError
from handlens.io.atomic import AtomicFile
from handlens.kinds.contact import region_names
from handlens.live.folders import config_dir, made
from handlens.predictor import Predictor
from handlens.runner import Runner
from handlens.types import Floats

FILE = "calibration.json"
VERSION = 1
PHASES = ("look", "touch", "front", "object")
"""What the person does: nothing, touch the face, hold a hand before it, drink."""
LEAST = 5
"""Frames with a face that each phase needs."""
SURER = {"look": 0.8, "front": 0.65}
"""How often a frame of a touch has to be surer than one of these phases; 0.5 is chance."""

SHIFT_SD, WEIGHT_SD = 0.5, 0.6
"""Prior standard deviations, in logits; chosen on people of the left-out sources, by benchmarks/calibration.py."""
COUNTS = {"look": 3.0, "touch": 3.0, "front": 3.0, "object": 2.0}
"""The pictures that a phase is worth: its frames are near copies of each other."""
MOST = 3.0
"""Logits by which an answer is shifted at most."""
THINGS = ("object_at_mouth", "object_at_face")

MEAN_SPREAD = {
    "forehead": (0.096, 0.192), "eye": (0.090, 0.144), "nose": (0.095, 0.178), "mouth": (0.377, 0.392),
    "cheek": (0.197, 0.201), "chin": (0.393, 0.334), "ear": (0.295, 0.232),
    "object_at_mouth": (0.022, 0.082), "object_at_face": (0.023, 0.050),
}  # fmt: skip
"""Mean and spread of each score, over 496 pictures of the left-out sources with touch 0.2: they only set the scale."""
OTHERS = (0.2, 0.2)

Matrix = npt.NDArray[np.float64]
Times = list[tuple[str, float, float]]
"""Phase, start and stop in seconds of a video."""


@dataclass(frozen=True)
class Calibration:
    """What is added to the logit of a touch for one person.

    Attributes:
        model, version: Of the model that it was made with; with another one it does not count.
        shift: Logits.
        weights: Score ("chin", "object_at_mouth") -> logits for each spread above its mean.
        frames: How many frames of each phase it was made from.
        made: When, as ISO 8601.
    """

    model: str
    version: str
    shift: float
    weights: Mapping[str, float] = field(default_factory=dict)
    frames: Mapping[str, int] = field(default_factory=dict)
    made: str = ""

    def fits(self, card: ModelCard) -> bool:
        """Return whether it was made with this model."""
        return (self.model, self.version) == (card.name, card.version)

    def added(self, scores: Mapping[str, Floats]) -> Matrix:
        """Return (n,) logits to add. scores: name -> (n,) probabilities."""
        total: Matrix = np.full(len(next(iter(scores.values()), ())), self.shift)
        for name, weight in self.weights.items():
            if name in scores:
                total = total + weight * standardised(name, scores[name])
        return np.clip(total, -MOST, MOST)

    def to_json(self) -> str:
        """Return the text of the file."""
        told = {
            "format": VERSION,
            "model": self.model,
            "version": self.version,
            "made": self.made,
            "shift": round(self.shift, 5),
            "weights": {name: round(weight, 5) for name, weight in self.weights.items()},
            "frames": dict(self.frames),
        }
        return json.dumps(told, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "Calibration":
        """Return the calibration of a file.

        Raises:
            InputError: it is none, or one of a newer handlens.
        """
        try:
            told = json.loads(text)
            if told["format"] != VERSION:
                raise InputError("it was written by another version of handlens")
            weights = {str(name): _finite(value) for name, value in told["weights"].items()}
            frames = {str(name): int(value) for name, value in told["frames"].items()}
            return cls(
                str(told["model"]), str(told["version"]), _finite(told["shift"]), weights, frames, str(told["made"])
            )
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError("it is damaged") from error


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number) or abs(number) > 100:
        raise ValueError(number)
    return number


def standardised(name: str, scores: Floats) -> Matrix:
    """Return (n,) scores as spreads above their mean, within 3."""
    mean, spread = MEAN_SPREAD.get(name, OTHERS)
    return np.clip((np.asarray(scores, np.float64) - mean) / spread, -3.0, 3.0)


def scores_of(outputs: Mapping[str, Floats], card: ModelCard) -> dict[str, Floats]:
    """Return the scores of a contact model's answer by name, each (n,)."""
    scores = {name: outputs["region_scores"][:, i] for i, name in enumerate(region_names(card))}
    things = outputs.get("object_scores")
    return scores if things is None else scores | {name: things[:, i] for i, name in enumerate(THINGS)}


class PersonalRunner:
    """A contact model that follows a personal calibration, and remembers what it said of the largest face.

    Attributes:
        calibration: None: it answers as the model does. May be changed at any time, from any thread.
    """

    def __init__(self, runner: Runner, calibration: Calibration | None = None) -> None:
        if runner.card.kind != "contact":
            raise ModelError(
                f"the model '{runner.card.name}' cannot be calibrated for a person: it does not judge single faces;"
                " 'touch' does."
            )
        self._runner = runner
        self.calibration = calibration
        self._seen: tuple[float, dict[str, float]] | None = None

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self._runner.card

    def run(self, batch: Floats) -> dict[str, Floats]:
        """Return the arrays of the model, its logit of a touch shifted for this person."""
        outputs = dict(self._runner.run(batch))
        scores = scores_of(outputs, self.card)
        if self._seen is None and len(batch):  # the first look of a frame; its first face is the largest
            first = {name: float(values[0]) for name, values in scores.items()}
            self._seen = float(outputs["touch_logit"][0, 0]), first
        calibration = self.calibration
        if calibration is not None:
            # the card's own calibration stretches logits by "a"
            added = calibration.added(scores) / max(0.1, self.card.calibration.get("a", 1.0))
            outputs["touch_logit"] = (outputs["touch_logit"] + added[:, None]).astype(np.float32)
        return outputs

    def taken(self) -> tuple[float, dict[str, float]] | None:
        """Return the model's own logit and scores of the largest face since the last call, or None without a face."""
        seen, self._seen = self._seen, None
        return seen


@dataclass
class Samples:
    """What was seen while the person did as asked: phase -> (logit, scores) of each frame with a face."""

    card: ModelCard
    seen: dict[str, list[tuple[float, dict[str, float]]]] = field(
        default_factory=lambda: {phase: [] for phase in PHASES}
    )

    def add(self, phase: str, answer: tuple[float, dict[str, float]]) -> None:
        """Take one frame."""
        self.seen[phase].append(answer)

    def counts(self) -> dict[str, int]:
        """Return how many frames each phase has."""
        return {phase: len(answers) for phase, answers in self.seen.items()}

    def fitted(self, clock: Callable[[], float] = time.time) -> Calibration:
        """Return the calibration of these frames.

        Raises:
            InputError: too few frames show a face, or touches look as what is no touch.
        """
        from handlens.pace import wall_clock

        for phase in ("touch", "front"):
            if len(self.seen[phase]) < LEAST:
                raise InputError(
                    f"only {len(self.seen[phase])} pictures show your face while you were asked to"
                    f" {ASKED[phase].lower()}, at least {LEAST} are needed: sit before the camera, with light on your"
                    " face, and try again."
                )
        z = {phase: [_logit(self.card, logit) for logit, _ in answers] for phase, answers in self.seen.items()}
        for phase, share in SURER.items():
            if z[phase] and surer(z["touch"], z[phase]) < share:
                raise InputError(
                    f"the touches look no surer than {_SHOWN[phase]}, so nothing was changed: touch your chin only when"
                    " you are asked to, until the next request comes, then hold your hand a hand's width before your"
                    " face."
                )
        names = sorted({name for answers in self.seen.values() for _, scores in answers for name in scores})
        rows = [(phase, scores) for phase, answers in self.seen.items() for _, scores in answers]
        features = np.array(
            [[float(standardised(name, np.float32(scores[name]))) for name in names] for _, scores in rows]  # type: ignore[arg-type]
        )
        weights = np.array([COUNTS[phase] / len(self.seen[phase]) for phase, _ in rows])
        truth = np.array([float(phase == "touch") for phase, _ in rows])
        own = np.array([value for phase in self.seen for value in z[phase]])
        shift, slopes = fit(own, features, truth, weights)
        return Calibration(
            self.card.name,
            self.card.version,
            shift,
            dict(zip(names, slopes, strict=True)),
            self.counts(),
            wall_clock(clock()),
        )


_SHOWN = {"look": "your face without a hand", "front": "the hand before your face"}


def surer(touches: Sequence[float], others: Sequence[float]) -> float:
    """Return the share of pairs in which the touch has the higher logit (the area under the ROC curve)."""
    one, other = np.asarray(touches)[:, None], np.asarray(others)[None]
    return float(((one > other) + 0.5 * (one == other)).mean())


def _logit(card: ModelCard, logit: float) -> float:
    return card.calibration.get("a", 1.0) * logit + card.calibration.get("b", 0.0)


def fit(
    own: Matrix,
    features: Matrix,
    truth: Matrix,
    weights: Matrix,
    shift_sd: float = SHIFT_SD,
    weight_sd: float = WEIGHT_SD,
) -> tuple[float, list[float]]:
    """Return the shift and the weights that explain the truth best, held near 0 by their priors.

    Args:
        own: (n,) the model's calibrated logits.
        features: (n, k) standardised scores.
        truth: (n,) 1 for a touch, else 0.
        weights: (n,) for how many pictures each row counts.
    """
    design = np.column_stack([np.ones(len(own)), features])
    prior = 1.0 / np.array([shift_sd**2] + [weight_sd**2] * features.shape[1])
    found = np.zeros(design.shape[1])
    for _ in range(100):  # Newton's method; the objective is convex
        probability = 1.0 / (1.0 + np.exp(-np.clip(own + design @ found, -30, 30)))
        slope = design.T @ (weights * (truth - probability)) - prior * found
        curve = (design.T * (weights * probability * (1 - probability))) @ design + np.diag(prior)
        step = np.linalg.solve(curve, slope)
        found += step * min(1.0, 1.0 / max(1e-12, float(np.abs(step).max())))
        if float(np.abs(step).max()) < 1e-7:
            break
    return float(found[0]), [float(value) for value in found[1:]]


ASKED = {
    "look": "Look at the screen, and keep your hands away from your face",
    "touch": "Touch your chin, then your cheek, and keep the hand there",
    "front": "Hold your hand before your face, without touching it",
    "object": "Drink something, or hold a cup to your mouth",
}
"""What a person is asked to do in each phase."""


FOLDERS = {
    **{phase: phase for phase in PHASES},
    "no_touch": "look",
    "nothing": "look",
    "overlap_no_touch": "front",
    "drink": "object",
    "object_at_mouth": "object",
    "object_at_face": "object",
}
"""Name of a folder of pictures -> the phase that they belong to."""


def calibration_file() -> Path:
    """Return the file beside the settings; it need not exist."""
    return config_dir() / FILE


def load(card: ModelCard, path: Path | None = None, say: Callable[[str], None] | None = None) -> Calibration | None:
    """Return the personal calibration for a model, or None where there is none that counts.

    A file that is damaged or was made with another model is left as it is, and `say` is told.
    """
    file = calibration_file() if path is None else path
    try:
        found = Calibration.from_json(file.read_text("utf-8"))
    except FileNotFoundError:
        return None
    except (InputError, OSError, UnicodeDecodeError) as error:
        why = str(error).rstrip(".")
        if say is not None:
            say(f"the personal calibration '{file}' is not used: {why}; make it anew with 'handlens calibrate'.")
        return None
    if not found.fits(card):
        if say is not None:
            say(
                f"the personal calibration was made with {found.model} {found.version}, not with {card.name}"
                f" {card.version}, and is not used: make it anew with 'handlens calibrate'."
            )
        return None
    return found


def save(calibration: Calibration, path: Path | None = None) -> Path:
    """Write the file and return its place.

    Raises:
        OutputError: it cannot be written.
    """
    file = calibration_file() if path is None else path
    if path is None:
        made(file.parent)
    with AtomicFile(file) as draft:
        draft.write(calibration.to_json().encode())
    return file


def remove(path: Path | None = None) -> bool:
    """Remove the file and return whether there was one."""
    file = calibration_file() if path is None else path
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    return True


def personal(predictor: Predictor, calibration: Calibration | None) -> tuple[Predictor, PersonalRunner]:
    """Return the predictor with a calibration, and what holds it.

    Raises:
        ModelError: the model does not judge single faces.
    """
    runner = PersonalRunner(predictor.runner, calibration)
    return predictor.with_runner(runner), runner


def parse_times(text: str) -> Times:
    """Return (phase, start, stop) of "look 0-5, touch 5-12, front 12-18".

    Raises:
        InputError: it is not written like that.
    """
    times: Times = []
    for part in filter(None, (each.strip() for each in text.split(","))):
        phase, _, span = part.partition(" ")
        start, _, stop = span.partition("-")
        try:
            times.append((phase, float(start), float(stop)))
        except ValueError:
            times.append((phase, 1.0, 0.0))
        if phase not in PHASES or not 0 <= times[-1][1] < times[-1][2]:
            raise InputError(
                f"'{part}' is not a part of the video: type --times"
                ' "look 0-5, touch 5-12, front 12-18, object 18-24".'
            )
    if not {"touch", "front"} <= {phase for phase, _, _ in times}:
        raise InputError("--times needs at least a part 'touch' and a part 'front'.")
    return times
