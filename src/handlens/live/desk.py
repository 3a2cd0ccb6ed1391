"""Carries out what a page asks for: controls, history, test of the sound; it must not know sockets or frames."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from handlens import __version__
from handlens.errors import InputError
from handlens.live.cameras import named_cameras
from handlens.live.commands import Command
from handlens.live.points import threshold_of
from handlens.live.session import Session
from handlens.tasks.touch import REGIONS


class Diary(Protocol):
    """The history, as the page needs it. Times are seconds since 1970."""

    def touches(self, since: float) -> list[dict[str, Any]]:
        """Return the touches from a moment on, oldest first: {"start", "stop", "region", "regions": {name: s}}."""

    def spans(self, since: float) -> list[tuple[float, float]]:
        """Return (start, seconds) of each stretch of time in which a touch could be seen, oldest first."""

    def csv(self) -> str:
        """Return everything as CSV."""

    def clear(self) -> None:
        """Delete everything."""


class Judging(Protocol):
    """Keeps the pictures of alarms that the person judged."""

    def judge(self, number: int, right: bool) -> None:
        """Keep what was seen at event `number` of this session with the person's answer."""

    def kept(self) -> tuple[int, str]:
        """Return how many pictures are kept, and where."""

    def delete(self) -> int:
        """Delete the kept pictures and return how many there were."""


class Calibrating(Protocol):
    """The personal calibration, step by step."""

    def step(self, name: str) -> dict[str, Any]:
        """Begin a step and return what the page shows of it."""

    @property
    def calibrated(self) -> bool:
        """Whether there is a personal calibration."""

    @property
    def keeps(self) -> bool:
        """Whether one is made in the end; False: the steps are only shown."""


@dataclass(frozen=True)
class Watching:
    """What is watched, as the page says it.

    Attributes:
        source: As it was given. kind: "camera", "video" or "stream". points: see operating_points, or None.
    """

    source: str
    kind: str
    model: str
    task: str
    labels: Sequence[str] = ()
    points: dict[str, Any] | None = None
    can_sound: bool = True
    can_warn_early: bool = False


@dataclass
class Desk:
    """See handlens.live.server.Desk."""

    session: Session
    watching: Watching
    test_sound: Callable[[], None] = lambda: None
    diary: Diary | None = None
    judging: Judging | None = None
    calibrating: Calibrating | None = None
    cameras: Callable[[], list[tuple[int, str]]] = named_cameras
    flush: Callable[[], object] | None = None
    first_time: bool = False
    _offered: set[int] = field(default_factory=set)

    def hello(self) -> dict[str, Any]:
        """Return what a page has to know once."""
        cameras = self._cameras()
        return {
            "version": __version__,
            "source": self.watching.source,
            "sourceKind": self.watching.kind,
            "model": self.watching.model,
            "task": self.watching.task,
            "regions": list(REGIONS),
            "points": self.watching.points,
            "cameras": [{"number": number, "name": name} for number, name in cameras],
            "canSound": self.watching.can_sound,
            "canWarnEarly": self.watching.can_warn_early,
            "canJudge": self.judging is not None,
            "canCalibrate": self.calibrating is not None,
            "calibrated": self.calibrating is not None and self.calibrating.calibrated,
            "keepsCalibration": self.calibrating is not None and self.calibrating.keeps,
            "hasHistory": self.diary is not None,
            "firstTime": self.first_time,
        }

    def act(self, command: Command) -> Any:
        """Carry out a command and return its answer as JSON, or None."""
        return getattr(self, "_" + command.do.replace("-", "_"))(**command.fields)

    def last(self) -> dict[str, Any]:
        """Return the history of the last day, for a page that cannot ask any more."""
        return self._history(time.time() - 86400.0)

    def export(self) -> str:
        """Return the history as CSV."""
        return self.diary.csv() if self.diary is not None else ""

    def _next(self) -> None:
        """Nothing: the page asks for a frame that it has been sent already."""

    def _set(self, name: str, value: Any) -> None:
        if name == "sensitivity":
            if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 100:
                raise InputError("'sensitivity' takes a number from 0 to 100.")
            name, value = "open", threshold_of(value)
        self.session.change(name, value)

    def _pause(self, seconds: float | None) -> None:
        self.session.pause(*(() if seconds is None else (seconds,)))

    def _resume(self) -> None:
        self.session.resume()

    def _snooze(self, seconds: float | None) -> None:
        self.session.snooze(*(() if seconds is None else (seconds,)))

    def _camera(self, number: int) -> None:
        if number not in self._offered:
            raise InputError("there is no such camera: choose one of the list.")
        self.session.choose_camera(number)

    def _test_sound(self) -> None:
        self.test_sound()

    def _history(self, since: float) -> dict[str, Any]:
        if self.diary is None:
            return {"touches": [], "spans": []}
        if self.flush is not None:
            self.flush()  # what has just ended is in it, too
        return {"touches": self.diary.touches(since), "spans": self.diary.spans(since)}

    def _delete(self, sure: bool) -> None:
        if self.diary is not None and sure:
            self.diary.clear()
        self._delete_kept(sure)

    def _kept(self) -> dict[str, Any]:
        count, place = (0, "") if self.judging is None else self.judging.kept()
        return {"count": count, "place": place}

    def _delete_kept(self, sure: bool) -> None:
        if self.judging is not None and sure:
            self.judging.delete()

    def _judge(self, number: int, right: bool) -> None:
        if self.judging is None:
            raise InputError("no pictures are kept: switch on 'keep wrong alarms for training' first.")
        self.judging.judge(number, right)

    def _calibrate(self, step: str) -> dict[str, Any]:
        if self.calibrating is None:
            raise InputError("this model cannot be calibrated: watch with the model 'touch'.")
        return self.calibrating.step(step)

    def _cameras(self) -> list[tuple[int, str]]:
        found = self.cameras() if self.watching.kind == "camera" else []
        self._offered = {number for number, _ in found}
        return found
