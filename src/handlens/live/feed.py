"""The newest frame for the pages, and what happened since; it must not hold up the loop, nor know sockets.

The loop hands its steps over; whoever shows them takes the newest one. A slow reader skips, it never lags.
"""

import json
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from handlens.events import event_fields
from handlens.loop import Step
from handlens.result import Result, to_json
from handlens.types import Detections, Event, Image

WIDTH = 640  # pixels of the picture that a page gets at most
QUALITY = 70
HIDDEN_S = 1.0  # a hand before the face hides it so long, until "no face" is said


@dataclass(frozen=True, eq=False)
class Shot:
    """One step with its number, as it is shown."""

    number: int
    step: Step


class Feed:
    """Keeps the newest step of the loop; call it with each (see handlens.loop.Progress).

    Args:
        threshold: From which probability on a frame shows a touch, now.
    """

    def __init__(self, threshold: Callable[[], float] = lambda: 0.5) -> None:
        self._threshold = threshold
        self._shot: Shot | None = None
        self._tell: Callable[[dict[str, Any]], None] = lambda message: None
        self._onlookers: Callable[[], int] = lambda: 0
        self._count = 0
        self._region = ""
        self._step_s = 0.0  # the usual time from one step to the next
        self._face_at: float | None = None
        self._lock = threading.Lock()
        self._picture: tuple[int, bytes] | None = None

    def connect(self, tell: Callable[[dict[str, Any]], None], onlookers: Callable[[], int] = lambda: 0) -> None:
        """Call `tell` with each message of what happened, in the loop's thread; `onlookers` counts the pages."""
        self._tell, self._onlookers = tell, onlookers

    @property
    def onlookers(self) -> int:
        """How many pages are open now."""
        return self._onlookers()

    @property
    def shot(self) -> Shot | None:
        """The newest step, or None before the first."""
        return self._shot

    @property
    def step_s(self) -> float:
        """The usual time from one step to the next in seconds, 0 until it is known."""
        return self._step_s

    @property
    def count(self) -> int:
        """How many events opened."""
        return self._count

    def __call__(self, step: Step) -> None:
        """Take one step of the loop and return at once."""
        if self._shot is not None:
            passed = step.moment - self._shot.step.moment
            self._step_s = passed if not self._step_s else 0.9 * self._step_s + 0.1 * passed
        self._shot = Shot(self._shot.number + 1 if self._shot else 1, step)
        self._count += len(step.opened)
        if status(step.result, 1.1, False) != "no face":
            self._face_at = step.result.time
        for event in step.opened:
            self._region = event.label
            self._tell({"kind": "opened", "count": self._count, "event": event_fields(event)})
        for event in step.closed:
            self._region = event.label
            self._tell({"kind": "closed", "count": self._count, "event": event_fields(event)})

    def warned(self, event: Event) -> None:
        """Tell the pages that the alarm was given."""
        self._tell({"kind": "alarm", "event": event_fields(event)})

    def approaching(self) -> None:
        """Tell the pages that a hand is on its way to the face."""
        self._tell({"kind": "early"})

    def message(self, shot: Shot, video: bool) -> bytes:
        """Return what a page gets of one step: 4 bytes with the length of the JSON, the JSON, the JPEG or nothing."""
        result = shot.step.result
        told = {
            "kind": "frame",
            "number": shot.number,
            "status": self._status(shot.step),
            "region": self._region,
            "active": shot.step.active,
            "count": self._count,
            "ms": round(shot.step.seconds * 1000, 1),
            "result": to_json(result),
        }
        head = json.dumps(told, separators=(",", ":")).encode("utf-8")
        return struct.pack("<I", len(head)) + head + (self._jpeg(shot) if video else b"")

    def _status(self, step: Step) -> str:
        """Return the status; a face that is hidden for a moment is still there."""
        told, seen = status(step.result, self._threshold(), step.active), self._face_at
        hidden = told == "no face" and seen is not None and 0 <= step.result.time - seen < HIDDEN_S
        return "clear" if hidden else told

    def _jpeg(self, shot: Shot) -> bytes:
        """Return the picture of a step, encoded once however many pages look on."""
        with self._lock:
            if self._picture is None or self._picture[0] != shot.number:
                self._picture = shot.number, encoded(shot.step.frame.image)
            return self._picture[1]


def encoded(image: Image) -> bytes:
    """Return a picture (H, W, 3) RGB as a JPEG at most WIDTH pixels wide."""
    height, width = image.shape[:2]
    if width > WIDTH:
        image = np.asarray(
            cv2.resize(image, (WIDTH, max(1, round(height * WIDTH / width))), interpolation=cv2.INTER_AREA), np.uint8
        )
    _, data = cv2.imencode(".jpg", cv2.cvtColor(image, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, QUALITY])
    return data.tobytes()


def status(result: Result, threshold: float, active: bool) -> str:
    """Return "touching", "clear" or "no face"; models of other tasks than touch have only the first two."""
    value = result.value
    if active or (isinstance(value, Detections) and value.best_touch >= threshold):
        return "touching"
    if isinstance(value, Detections) and "face" in value.names and not value.of("face").any():
        return "no face"
    return "clear"
