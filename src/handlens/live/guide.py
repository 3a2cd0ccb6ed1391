"""Leads a person through the calibration, for a page and for the terminal; it must not know sockets or cameras."""

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from handlens.live import calibration
from handlens.live.calibration import ASKED, LEAST, PHASES, Calibration, PersonalRunner, Samples, Times
from handlens.loop import Step

SETTLE_S = 1.0
"""Seconds at the start of each phase that are not used: the hand is on its way."""
PHASE_S = 8.0
"""Seconds of a phase that are enough."""
TIMES: Times = [("look", 3.0, 9.0), ("touch", 12.0, 21.0), ("front", 24.0, 33.0), ("object", 36.0, 44.0)]
"""The phases of a guided calibration by camera, in seconds; between them the person gets ready."""


class Guide:
    """The personal calibration, step by step; any thread may ask for a step (see handlens.live.desk.Calibrating).

    Call it with each step of the loop: it takes what the model said while the person did as asked.

    Args:
        runner: The model that is calibrated; it follows a new calibration at once.
        path: Of the file; None: beside the settings.
        quiet: Called with the seconds for which the alarm is to be quiet; 0: no longer.
        keeps: Whether a calibration is made; False: it is only shown how, as a recording cannot do as asked.
    """

    def __init__(
        self,
        runner: PersonalRunner,
        path: Path | None = None,
        quiet: Callable[[float], object] = lambda seconds: None,
        clock: Callable[[], float] = time.monotonic,
        keeps: bool = True,
    ) -> None:
        self._runner, self._path, self._quiet, self._clock = runner, path, quiet, clock
        self.keeps = keeps
        self._lock = threading.Lock()
        self._samples = Samples(runner.card)
        self._phase: str | None = None
        self._since = 0.0

    @property
    def calibrated(self) -> bool:
        """Whether there is a personal calibration."""
        return self._runner.calibration is not None

    def __call__(self, step: Step) -> None:
        """Take one step of the loop and return at once."""
        seen = self._runner.taken()
        with self._lock:
            if self._phase is not None and seen is not None and self._clock() - self._since >= SETTLE_S:
                self._samples.add(self._phase, seen)

    def step(self, name: str) -> dict[str, Any]:
        """Begin a phase ("look", "touch", "front", "object"), or "finish", "cancel" or "remove"; return the state.

        Raises:
            InputError: the phases do not show enough, see `Samples.fitted`; the calibration stays as it was.
            OutputError: the file cannot be written.
        """
        with self._lock:
            if name in PHASES:
                self._samples.seen[name].clear()  # a phase that is done again counts anew
                self._phase, self._since = name, self._clock()
            else:
                self._phase = None
        self._quiet(60.0 if name in PHASES else 0.0)
        if name == "finish" and self.keeps:
            self.finish()
        elif name == "remove":
            calibration.remove(self._path)
            self._runner.calibration = None
        if name in ("finish", "cancel", "remove"):
            self._samples = Samples(self._runner.card)
        return self.state()

    def finish(self) -> Calibration:
        """Make the calibration, write it and follow it.

        Raises:
            InputError, OutputError: as in `step`.
        """
        with self._lock:
            made = self._samples.fitted()
        calibration.save(made, self._path)
        self._runner.calibration = made
        return made

    def state(self) -> dict[str, Any]:
        """Return what a page shows, as JSON can hold it."""
        with self._lock:
            return {
                "phase": self._phase,
                "asked": None if self._phase is None else ASKED[self._phase],
                "seconds": PHASE_S,
                "frames": self._samples.counts(),
                "least": LEAST,
                "calibrated": self.calibrated,
                "keeps": self.keeps,
            }


class Timetable:
    """Collects frames by a table of times, as a video or a guided run has them; call it with each step of the loop.

    Args:
        times: (phase, start, stop) in seconds of the source.
        settle: Seconds at the start of each phase that are not used.
        begun: Called with each phase as it begins, and with None when one ends.
        done: Called when the last phase is over.
    """

    def __init__(
        self,
        runner: PersonalRunner,
        times: Times,
        settle: float = 0.0,
        begun: Callable[[str | None], None] = lambda phase: None,
        done: Callable[[], None] = lambda: None,
    ) -> None:
        self._runner, self._times, self._settle = runner, times, settle
        self._begun, self._done = begun, done
        self._phase: str | None = None
        self.samples = Samples(runner.card)

    def __call__(self, step: Step) -> None:
        """Take one step of the loop."""
        seen, time = self._runner.taken(), step.frame.time
        now = next((each for each in self._times if each[1] <= time < each[2]), None)
        phase = None if now is None else now[0]
        if phase != self._phase:
            self._phase = phase
            self._begun(phase)
        if now is not None and seen is not None and time >= now[1] + self._settle:
            self.samples.add(now[0], seen)
        if time >= max(stop for _, _, stop in self._times):
            self._done()
