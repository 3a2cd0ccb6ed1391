"""Landmarks of one hand over the frames of a video: calm at rest, without delay in movement; it must not know models.

The one-euro filter (Casiez, Roussel, Vogel 2012): an exponential mean whose cut-off frequency grows with the speed.
Speeds are counted in sides of the hand's box, so that one setting serves hands of all sizes. Speed is that of the
whole hand where it moves as one, and of each point besides.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from handlens.types import Floats

REST_HZ = 1.5
"""Cut-off at rest: the trembling of a still hand becomes a third of what it was at 30 frames a second."""
QUICK = 8.0
"""How much the cut-off grows, in Hz, for each side of the hand that a point moves in a second."""
SPEED_HZ = 2.5
"""Cut-off of the speed itself."""
FORGETS_S = 0.4
"""A hand that was not seen for so long begins anew."""

_Doubles = npt.NDArray[np.float64]


@dataclass
class _Track:
    time: float
    points: _Doubles
    speed: _Doubles = field(default_factory=lambda: np.zeros((0, 2)))


class OneEuro:
    """Smooths the landmarks of each hand by its identity.

    Args:
        rest_hz, quick: See `REST_HZ`, `QUICK`.
    """

    def __init__(self, rest_hz: float = REST_HZ, quick: float = QUICK) -> None:
        self.rest_hz, self.quick = rest_hz, quick
        self._tracks: dict[int, _Track] = {}

    def reset(self) -> None:
        """Forget all hands: another source begins."""
        self._tracks.clear()

    def smooth(self, number: int, points: Floats, side: float, time: float) -> Floats:
        """Return the landmarks of this frame, smoothed.

        Args:
            number: the identity of the hand.
            points: (21, 3) x, y in source pixels and a score; scores stay as they are.
            side: of the hand's box, source pixels.
            time: seconds.
        """
        now = np.asarray(points[:, :2], np.float64)
        track = self._tracks.get(number)
        if track is None or not 0 < time - track.time <= FORGETS_S:
            self._tracks[number] = _Track(time, now, np.zeros_like(now))
            return points
        step = time - track.time
        speed = (now - track.points) / (max(side, 1.0) * step)
        track.speed += _share(SPEED_HZ, step) * (speed - track.speed)
        # The mean over all points is far calmer than each point's own speed, and what moves most is the whole hand.
        whole = float(np.hypot(*track.speed.mean(axis=0)))
        own = np.hypot(track.speed[:, 0], track.speed[:, 1])
        weight = _share(self.rest_hz + self.quick * np.maximum(whole, own), step)[:, None]
        track.points = track.points + weight * (now - track.points)
        track.time = time
        return np.concatenate([track.points, points[:, 2:]], axis=1).astype(np.float32)


def _share(hertz: float | _Doubles, step: float) -> _Doubles:
    """Return how much of the new value counts at this cut-off after a step of so many seconds."""
    turn = 2 * math.pi * np.asarray(hertz, np.float64) * step
    return np.asarray(turn / (turn + 1.0))
