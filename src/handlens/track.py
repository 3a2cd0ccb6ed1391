"""Identities over frames: who is who from one Result to the next; it must not know models or pictures."""

import dataclasses

import numpy as np

from handlens.boxes import iou
from handlens.types import Detections, Floats, Ints, Result, Value


@dataclasses.dataclass
class _Track:
    id: int
    label: str
    box: Floats
    seen: float


class Tracker:
    """Gives each face and each hand a number that stays with it.

    max_age_s: seconds for which an unseen one is remembered. min_iou: overlap with its last box to be the same.
    Numbers count from 1 and are never shared, not between faces and hands either. Another source, or a time that runs
    backwards, starts anew.
    """

    def __init__(self, max_age_s: float = 0.5, iou: float = 0.3) -> None:
        self.max_age_s = max_age_s
        self.iou = iou
        self._tracks: list[_Track] = []
        self._last: tuple[str, float] = ("", -np.inf)
        self._next = 1

    def update(self, result: Result) -> Result:
        """Return the result with the identities of faces and hands filled in; touched regions keep -1.

        Results without boxes pass unchanged. Call it for every frame, in their order.
        """
        source, time = self._last
        if result.source != source or result.time < time:
            self._tracks, self._next = [], 1
        self._last = (result.source, result.time)
        self._tracks = [track for track in self._tracks if result.time - track.seen <= self.max_age_s]
        value = self._known(result.value, result.time)
        return result if value is result.value else dataclasses.replace(result, value=value)

    def _known(self, value: Value, time: float) -> Value:
        if isinstance(value, Detections):
            ids = np.full(len(value), -1, np.int64)
            for label in ("face", "hand"):
                rows = np.flatnonzero(value.of(label))
                ids[rows] = self._match(label, value.xyxy[rows], time)
            return dataclasses.replace(value, id=ids)
        if isinstance(value, tuple) and value:
            numbers = self._match("hand", np.stack([hand.xyxy for hand in value]), time)
            return tuple(dataclasses.replace(hand, id=int(id)) for hand, id in zip(value, numbers, strict=True))
        return value

    def _match(self, label: str, boxes: Floats, time: float) -> Ints:
        """Return the identity of each box: greedily the best overlap first, a new number for what is left."""
        known = [track for track in self._tracks if track.label == label]
        ids = np.full(len(boxes), -1, np.int64)
        if known and len(boxes):
            overlap = iou(boxes, np.stack([track.box for track in known]))
            while overlap.max() >= self.iou:
                row, column = np.unravel_index(np.argmax(overlap), overlap.shape)
                track = known[column]
                ids[row], track.box, track.seen = track.id, boxes[row], time
                overlap[row, :] = overlap[:, column] = -1.0
        for row in np.flatnonzero(ids < 0):
            ids[row] = self._next
            self._tracks.append(_Track(self._next, label, boxes[row], time))
            self._next += 1
        return ids
