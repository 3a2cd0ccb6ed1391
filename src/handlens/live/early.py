"""A warning before the contact, from the way a hand comes up to the face; it must not know sound or pages.

Of each hand the gap to the nearest face is followed: from box to box, in heights of the face. A hand on its way is
blurred and half out of the picture, so the detector's faint boxes are followed as well. A hand that closes its gap so
fast that it would be at the face within `horizon_s` is warned of, if its way leads onto the face and not past it. The
next warning needs a hand that has gone away.
"""

import dataclasses
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from handlens.card import ModelCard
from handlens.kinds import detect
from handlens.loop import Step
from handlens.predictor import Predictor
from handlens.preprocess import resize
from handlens.result import Result
from handlens.runner import Runner
from handlens.track import Tracker
from handlens.types import Detections, Floats, Frame

FAINT, SURE = 0.25, 0.5
"""The score from which a box of the detector is followed, and from which it surely is a hand."""

_WINDOW_S = 0.35  # over so long a speed is taken
_FORGET_S = 1.0  # a hand that is not seen for so long is another one
_CALM = 0.2  # the probability of a touch below which a hand has gone away ...
_CALM_S = 0.5  # ... when it stays there for so long
_STEPS = 7  # moments up to the horizon at which it is looked where a hand would be


@dataclass
class _Hand:
    """What is known of one hand: time, gap and box of the last frames."""

    seen: deque[tuple[float, float, Floats]] = field(default_factory=deque)


class Approach:
    """Says when a hand is about to reach a face; call it with every result, with identities filled in.

    Args:
        horizon_s: Warn when the hand would be at the face within so many seconds.
        farthest: Only of hands whose gap is at most this, in heights of the face.
        least_speed: In heights of the face a second; slower hands are not warned of.
        least_s: Seconds over which a speed is taken at least.
        away: A hand has gone away when its gap is larger than this.
    """

    def __init__(
        self,
        horizon_s: float = 0.6,
        farthest: float = 1.5,
        least_speed: float = 0.8,
        least_s: float = 0.08,
        away: float = 0.6,
    ) -> None:
        self.horizon_s, self.farthest, self.least_speed = horizon_s, farthest, least_speed
        self.least_s, self.away = least_s, away
        self._begin("")

    def _begin(self, source: str) -> None:
        self._source, self._time = source, -1.0
        self._hands: dict[int, _Hand] = {}
        self._is_near = False
        self._calm_since: float | None = None

    def update(self, result: Result, probability: float, touching: bool = False) -> bool:
        """Take the next result and return whether to warn now.

        Args:
            result: The boxes of hands and faces, with identities; faint ones as well.
            probability: Of a touch.
            touching: A touch is going on; there is no warning.
        """
        if result.source != self._source or result.time < self._time:
            self._begin(result.source)
        self._time = result.time
        value = result.value if result.basis is None else result.basis
        coming, nearest = False, math.inf
        if isinstance(value, Detections):
            coming = self._follow(result.time, value)
            nearest = min(gaps_of(value, SURE).values(), default=math.inf)
        self._calm(result.time, not touching and probability < _CALM and nearest > self.away)
        if self._is_near or touching or not coming:
            self._is_near |= touching
            return False
        self._is_near, self._calm_since = True, None
        return True

    def _calm(self, time: float, is_calm: bool) -> None:
        """Note when no hand has been at the face for long enough."""
        if not is_calm:
            self._calm_since = None
            return
        self._calm_since = time if self._calm_since is None else self._calm_since
        if time - self._calm_since >= _CALM_S:
            self._is_near = False

    def _follow(self, time: float, found: Detections) -> bool:
        """Take the hands of one frame and return whether one is coming."""
        for number in [each for each, hand in self._hands.items() if time - hand.seen[-1][0] > _FORGET_S]:
            del self._hands[number]
        coming = False
        faces = found.xyxy[found.of("face")]
        boxes = {int(found.id[row]): found.xyxy[row] for row in np.flatnonzero(found.of("hand"))}
        for number, gap in gaps_of(found).items():
            hand = self._hands.setdefault(number, _Hand())
            hand.seen.append((time, gap, boxes[number]))
            while time - hand.seen[0][0] > _WINDOW_S:
                hand.seen.popleft()
            coming |= self._is_coming(hand, faces)
        return coming

    def _is_coming(self, hand: _Hand, faces: Floats) -> bool:
        times = np.array([time for time, _, _ in hand.seen])
        gaps = np.array([gap for _, gap, _ in hand.seen])
        if len(times) < 2 or times[-1] - times[0] < self.least_s - 1e-6 or gaps[-1] > self.farthest:
            return False
        speed = -float(_slope(times, gaps[:, None])[0])
        if speed < self.least_speed or gaps[-1] / speed > self.horizon_s:
            return False
        boxes = np.array([box for _, _, box in hand.seen], np.float64)
        ahead = np.linspace(0.0, self.horizon_s, _STEPS)[:, None] * np.tile(_way(times, boxes), 2)
        return any(_gap(box, face) == 0.0 for box in boxes[-1] + ahead for face in faces)


def _way(times: npt.NDArray[np.float64], boxes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the speed (2,) of a hand in pixels a second: of its faster edges, as the picture cuts off the others."""
    first, last = np.split(_slope(times, boxes), 2)
    return np.where(np.abs(first) > np.abs(last), first, last)


def _slope(times: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return the change of each column of values (n, k) a second, by least squares."""
    apart = times - times.mean()
    return np.asarray(apart @ (values - values.mean(axis=0)) / (apart**2).sum(), np.float64)


def gaps_of(found: Detections, least: float = 0.0) -> dict[int, float]:
    """Return for each hand with an identity its gap to the nearest face: box to box, in heights of that face.

    least: The score of a hand that counts.
    """
    faces = found.xyxy[found.of("face")]
    rows = np.flatnonzero(found.of("hand") & (found.id >= 0) & (found.score >= least))
    if not len(faces):
        return {}
    return {int(found.id[row]): min(_gap(found.xyxy[row], face) for face in faces) for row in rows}


def _gap(hand: Floats | npt.NDArray[np.float64], face: Floats) -> float:
    apart = np.maximum(0.0, np.maximum(face[:2] - hand[2:], hand[:2] - face[2:]))
    return float(np.hypot(*apart)) / max(1.0, float(face[3] - face[1]))


class Listening:
    """A model that remembers its last answer."""

    def __init__(self, runner: Runner) -> None:
        self._runner = runner
        self._answer: dict[str, Floats] | None = None

    @property
    def card(self) -> ModelCard:
        """The card of the model."""
        return self._runner.card

    def run(self, batch: Floats) -> dict[str, Floats]:
        """Return the arrays of the model."""
        self._answer = self._runner.run(batch)
        return self._answer

    def boxes(self, frame: Frame) -> Detections | None:
        """Return the boxes of the last answer, faint ones as well, or None where nothing was asked since the last call.

        Args:
            frame: What it was asked about.
        """
        answer, self._answer = self._answer, None
        if answer is None:
            return None
        _, geometry = resize(frame.image, self.card)
        return detect.decode(answer, self.card, geometry, FAINT)


def listening(predictor: Predictor) -> tuple[Predictor, Listening] | None:
    """Return the predictor with a detector that is listened to, or None for a model without one."""
    if "detector" not in predictor.parts:
        return None
    detector = Listening(predictor.parts["detector"])
    return predictor.with_parts({**predictor.parts, "detector": detector}), detector


class EarlyWarning:
    """Watches the steps of the loop for a hand on its way; call it with each.

    Args:
        warn: Called when a hand is about to reach a face; it must return at once.
        is_on: Whether to warn, now.
    """

    def __init__(self, detector: Listening, warn: Callable[[], object], is_on: Callable[[], bool]) -> None:
        self._detector, self._warn, self._is_on = detector, warn, is_on
        self._tracker, self._approach = Tracker(), Approach()

    def __call__(self, step: Step) -> None:
        """Take one step and return at once."""
        if not self._is_on():
            return
        boxes = self._detector.boxes(step.frame)
        if boxes is None:
            return
        value = step.result.value
        probability = value.best_touch if isinstance(value, Detections) else 0.0
        result = self._tracker.update(dataclasses.replace(step.result, value=boxes, basis=None))
        if self._approach.update(result, probability, step.active):
            self._warn()
