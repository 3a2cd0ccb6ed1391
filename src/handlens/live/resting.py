"""The detector sleeps while nobody is there and nothing moves, in low-power mode; it must not know what models see."""

import dataclasses

import cv2
import numpy as np
import numpy.typing as npt

from handlens.live.session import Session
from handlens.loop import Predicts
from handlens.result import Result
from handlens.types import Detections, Frame

EMPTY_S = 5.0  # seconds without a face or a hand, after which it sleeps
LOOK_S = 10.0  # it looks so often all the same: somebody may have come in with the light
_SIDE = (32, 24)
_MOVED = 6.0  # grey levels by which a cell of the small picture changes when somebody moves; noise stays below 2


class Resting:
    """Asks the model, or repeats its last "nobody" while nothing moves (see handlens.loop.Predicts)."""

    def __init__(self, predictor: Predicts, session: Session) -> None:
        self._predictor, self._session = predictor, session
        self._empty_since: float | None = None
        self._looked_at: npt.NDArray[np.float32] | None = None
        self._last: tuple[float, Result] | None = None
        self.slept = 0

    def predict(self, frame: Frame, /, min_score: float | None = None, crop: str = "hand") -> Result:
        """Return what is said of one frame."""
        if not self._session.settings.low_power:
            self._empty_since = None
            return self._predictor.predict(frame, min_score=min_score, crop=crop)
        small = _small(frame)
        if self._last is not None and self._may_sleep(frame.time, small):
            self.slept += 1
            timing = {"index": frame.index, "time": frame.time, "duration": frame.duration, "clock": frame.clock}
            return dataclasses.replace(self._last[1], source=frame.source, **timing)  # type: ignore[arg-type]
        result = self._predictor.predict(frame, min_score=min_score, crop=crop)
        empty = isinstance(result.value, Detections) and not len(result.value)
        self._empty_since = None if not empty else frame.time if self._empty_since is None else self._empty_since
        self._last, self._looked_at = (frame.time, result), small
        return result

    def _may_sleep(self, time: float, small: npt.NDArray[np.float32]) -> bool:
        if self._empty_since is None or self._last is None or self._looked_at is None:
            return False
        if time - self._empty_since < EMPTY_S or not 0 <= time - self._last[0] < LOOK_S:
            return False
        return float(np.abs(small - self._looked_at).max()) < _MOVED


def _small(frame: Frame) -> npt.NDArray[np.float32]:
    small = cv2.resize(frame.image, _SIDE, interpolation=cv2.INTER_AREA)  # the mean of 400 pixels: noise goes
    return np.asarray(small.mean(axis=2), np.float32)
