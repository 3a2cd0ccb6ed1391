"""Identities over frames: who is who from one Result to the next; it must not know models or pictures."""

import dataclasses
import math

import numpy as np
import numpy.typing as npt

from handlens.boxes import iou
from handlens.pace import Pace
from handlens.result import Result
from handlens.smooth import OneEuro
from handlens.types import OWNERS, Detections, Floats, Hand, Ints, Value

_REACH = 0.72  # sides of a box: who moved less since the last frame is the same; half a side each way is 0.71
_REACH_A_SECOND = 1.6  # more for each second that passed: a head turns and leans at most so fast
_FAR = 2.0  # sides: never farther
_STEADY_S = 0.08  # steps up to this long add nothing to the reach
_STEPS = 2.0  # steps for which one is remembered at least, however slow the source is
_LEARNS_S = 0.2  # seconds after which a speed counts by two thirds
_COASTS_S = 0.5  # seconds for which one who is not seen is expected to move on
_HOLE_S = 60.0  # pauses in the time stamps up to this long are not counted as absence
_GROWTH = 2.5  # a box this many times larger or smaller in width is somebody else


@dataclasses.dataclass
class _Track:
    id: int
    label: str
    box: Floats
    seen: float
    speed: npt.NDArray[np.float64] = dataclasses.field(default_factory=lambda: np.zeros(2))

    def at(self, time: float) -> Floats:
        """Return the box where it is expected at this time."""
        moved = self.speed * min(time - self.seen, _COASTS_S)
        return np.asarray(self.box + np.tile(moved, 2), np.float32)

    def follow(self, box: Floats, time: float) -> None:
        """Take where it is now."""
        passed = time - self.seen
        if passed > 0:
            weight = 1.0 - math.exp(-passed / _LEARNS_S)
            self.speed += weight * ((_centres(box) - _centres(self.box)) / passed - self.speed)
        self.box, self.seen = box, time


class Tracker:
    """Gives each face and each hand a number that stays with it, at any frame rate.

    A box is matched to the nearest expected place of one who was seen before: where it was, moved on by its speed.
    Distances are counted in sides of the box; the reach grows with the time that passed.

    Args:
        max_age_s: Seconds for which an unseen one is remembered, and at least for two steps of the source; a pause of
            up to a minute, in which no frame came, does not count.
        iou: Boxes that overlap their expected place by so much are the same, however far they are in sides of a narrow
            box. Faces count from 1 and hands count from 1. Another source, or a time that runs backwards, starts over.
        smooth: Whether landmarks of hands are smoothed over the frames (`handlens.smooth`).
    """

    def __init__(self, max_age_s: float = 2.0, iou: float = 0.3, smooth: bool = True) -> None:
        self.max_age_s = max_age_s
        self._smoother = OneEuro() if smooth else None
        self.iou = iou
        self._tracks: list[_Track] = []
        self._next: dict[str, int] = {}
        self._pace = Pace()

    def update(self, result: Result) -> Result:
        """Return the result with the identities of faces and hands filled in; touched regions keep -1.

        Results without boxes pass unchanged. Call it for every frame, in their order.
        """
        oldest = max(self.max_age_s, _STEPS * self._pace.usual) + 1e-6
        step = self._pace.take(result.source, result.time, result.duration)
        if step is None:
            self._tracks, self._next = [], {}
            if self._smoother is not None:
                self._smoother.reset()
        elif 0 < step[1] <= _HOLE_S:
            for track in self._tracks:
                track.seen, track.speed = track.seen + step[1], np.zeros(2)
        self._tracks = [track for track in self._tracks if result.time - track.seen <= oldest]
        if result.basis is not None:
            basis = self._known(result.basis, result.time)
            return dataclasses.replace(result, value=_copied(result.value, basis), basis=basis)
        value = self._known(result.value, result.time)
        return result if value is result.value else dataclasses.replace(result, value=value)

    def _known(self, value: Value, time: float) -> Value:
        if isinstance(value, Detections):
            ids = np.full(len(value), -1, np.int64)
            for label in OWNERS:
                rows = np.flatnonzero(value.of(label))
                ids[rows] = self._match(label, value.xyxy[rows], time)
            return dataclasses.replace(value, id=ids)
        if isinstance(value, tuple) and value:
            numbers = self._match("hand", np.stack([hand.xyxy for hand in value]), time)
            return tuple(self._followed(hand, int(number), time) for hand, number in zip(value, numbers, strict=True))
        return value

    def _followed(self, hand: Hand, number: int, time: float) -> Hand:
        """Return the hand with its identity, and its landmarks smoothed."""
        if hand.landmarks is None or self._smoother is None:
            return dataclasses.replace(hand, id=number)
        side = float(np.max(hand.landmarks[:, :2].max(axis=0) - hand.landmarks[:, :2].min(axis=0)))
        points = self._smoother.smooth(number, hand.landmarks, side, time)
        return dataclasses.replace(hand, id=number, landmarks=points)

    def _match(self, label: str, boxes: Floats, time: float) -> Ints:
        """Return the identity of each box: greedily the nearest first, a new number for what is left."""
        known = [track for track in self._tracks if track.label == label]
        ids = np.full(len(boxes), -1, np.int64)
        if known and len(boxes):
            cost = self._costs(known, boxes, time)
            while np.isfinite(cost).any():
                row, column = np.unravel_index(np.argmin(cost), cost.shape)
                known[column].follow(boxes[row], time)
                ids[row] = known[column].id
                cost[row, :] = cost[:, column] = np.inf
        for row in np.flatnonzero(ids < 0):
            ids[row] = self._next[label] = self._next.get(label, 0) + 1
            self._tracks.append(_Track(int(ids[row]), label, boxes[row], time))
        return ids

    def _costs(self, known: list[_Track], boxes: Floats, time: float) -> npt.NDArray[np.float64]:
        """Return (boxes, tracks): how far each box is from each track, in sides; infinite where it is somebody else."""
        expected = np.stack([track.at(time) for track in known])
        last = np.stack([track.box for track in known])
        passed = np.array([time - track.seen for track in known])
        side = np.maximum(_sides(last), 1e-6)
        place = _centres(boxes)[:, None]
        moved = np.linalg.norm(place - _centres(expected)[None], axis=2) / side
        stayed = np.linalg.norm(place - _centres(last)[None], axis=2) / side  # who turned round is not where expected
        reach = np.minimum(_REACH + _REACH_A_SECOND * np.maximum(0.0, passed - _STEADY_S), _FAR)
        near = np.minimum(moved, stayed) <= reach
        near |= np.maximum(iou(boxes, expected), iou(boxes, last)) >= self.iou
        growth = np.abs(np.log(np.maximum(_sides(boxes), 1e-6)[:, None] / side))
        cost = np.minimum(moved, stayed + 0.2) + 0.3 * growth
        return np.where(near & (growth <= math.log(_GROWTH)), cost, np.inf)


def _centres(boxes: Floats) -> npt.NDArray[np.float64]:
    return (np.asarray(boxes[..., :2], np.float64) + boxes[..., 2:]) / 2


def _sides(boxes: Floats) -> npt.NDArray[np.float64]:
    """Return the mean of width and height of each box."""
    return np.asarray((boxes[..., 2:] - boxes[..., :2]).mean(axis=-1), np.float64)


def _copied(value: Value, basis: Value) -> Value:
    """Return the value with the identities that the same boxes have in the basis, -1 where it has no such box."""
    if isinstance(value, Detections) and isinstance(basis, Detections):
        rows = zip(basis.label_names, basis.xyxy, basis.id, strict=True)
        known = {(name, xyxy.tobytes()): int(id) for name, xyxy, id in rows}
        ids = [known.get((name, xyxy.tobytes()), -1) for name, xyxy in zip(value.label_names, value.xyxy, strict=True)]
        return dataclasses.replace(value, id=np.array(ids, np.int64))
    if isinstance(value, tuple) and isinstance(basis, tuple):
        known_hands = {hand.xyxy.tobytes(): hand for hand in basis}
        pairs = [(hand, known_hands.get(hand.xyxy.tobytes())) for hand in value]
        return tuple(
            dataclasses.replace(hand, id=same.id, landmarks=same.landmarks) if same is not None else hand
            for hand, same in pairs
        )
    return value
