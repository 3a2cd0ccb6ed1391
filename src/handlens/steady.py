"""The probability of a touch, steadied over the frames of each face; it must not know models or pictures.

A single frame may be blurred, or show a finger from where touch and overlap look alike. So the log odds of each face go
a share of the way to those of the frame: quicker when they rise, so that no warning is late, than when they fall.
"""

import dataclasses
import math

import numpy as np

from handlens.result import Result
from handlens.track import Tracker
from handlens.types import Detections, Floats

RISE_S, FALL_S = 0.06, 0.12
"""Seconds in which two thirds of a rise and of a fall are told."""
FORGETS_S = 0.5
"""A face that was not judged for so long begins anew."""
_LIMIT = 6.0  # log odds; one answer that is far surer would count for many


class SteadyTracker(Tracker):
    """Gives faces and hands their numbers, and steadies the probability that each face is touched.

    Args:
        rise_s, fall_s: See `RISE_S`; 0 leaves the probabilities as they are.
    """

    def __init__(self, rise_s: float = RISE_S, fall_s: float = FALL_S) -> None:
        super().__init__()
        self.rise_s, self.fall_s = rise_s, fall_s
        self._odds: dict[int, tuple[float, float]] = {}  # face -> (when, log odds)
        self._film = ""

    def update(self, result: Result) -> Result:
        """Return the result with identities, and with steadied probabilities of touches."""
        if result.source != self._film:
            self._odds, self._film = {}, result.source
        result = super().update(result)
        basis = result.value if result.basis is None else result.basis
        if not isinstance(basis, Detections) or basis.face_touch is None:
            return result
        steady = self._steadied(basis, basis.face_touch, result.time)
        if isinstance(result.value, Detections) and result.basis is not None:
            numbers = {int(n): p for n, p in zip(basis.id, steady, strict=True) if np.isfinite(p)}
            own = result.value.face_touch
            shown = result.value
            if own is not None:
                told = [
                    numbers.get(int(n), float(p)) if np.isfinite(p) else p for n, p in zip(shown.id, own, strict=True)
                ]
                shown = _with(shown, np.array(told, np.float32), steady)
            return dataclasses.replace(result, value=shown, basis=_with(basis, steady, steady))
        return dataclasses.replace(result, value=_with(basis, steady, steady))

    def _steadied(self, found: Detections, touch: Floats, time: float) -> Floats:
        """Return the probabilities (n,) of all rows, nan where no face was judged."""
        self._odds = {n: known for n, known in self._odds.items() if 0 <= time - known[0] <= FORGETS_S}
        steady = touch.copy()
        for row in np.flatnonzero(np.isfinite(touch) & (found.id >= 0)):
            number, odds = int(found.id[row]), _log_odds(float(touch[row]))
            if number in self._odds:
                seen, before = self._odds[number]
                late = self.rise_s if odds > before else self.fall_s
                share = 1 - math.exp(-(time - seen) / late) if late > 0 else 1.0
                odds = before + share * (odds - before)
                steady[row] = 1 / (1 + math.exp(-odds))
            self._odds[number] = (time, odds)
        return steady


def _log_odds(probability: float) -> float:
    p = min(1 - 1e-6, max(1e-6, probability))
    return min(_LIMIT, max(-_LIMIT, math.log(p / (1 - p))))


def _with(found: Detections, by_face: Floats, every: Floats) -> Detections:
    """Return the detections with these probabilities of faces; every: those of all faces that were judged."""
    known = every[np.isfinite(every)]
    return dataclasses.replace(found, face_touch=by_face, touch=float(known.max()) if len(known) else found.touch)
