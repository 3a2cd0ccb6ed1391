"""The state of a watch that its threads share: settings, pause, snooze, camera; it must not know pages or models."""

import math
import threading
import time
from collections.abc import Callable
from typing import Any

from handlens.errors import InputError, unknown
from handlens.live.settings import Settings

Told = Callable[[], None]

CHANGEABLE = (
    "open",
    "close",
    "min_time",
    "gap",
    "cooldown",
    "regions",
    "sound",
    "volume",
    "notify",
    "glow",
    "low_power",
    "early",
    "keep_wrong",
    "keep_days",
)
"""The settings that may change while it runs."""


class Session:
    """What the loop, the alarm and the page agree on. Every method may be called from any thread and returns at once.

    Args:
        settings: Those to begin with.
        kept: Called with what changed, to keep it for the next time; it may raise HandlensError.
        clock: Seconds that only grow.
    """

    def __init__(
        self,
        settings: Settings | None = None,
        kept: Callable[[dict[str, Any]], object] = lambda changed: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings or Settings()
        self._kept, self._clock = kept, clock
        self._changed = threading.Condition()
        self._paused_until = self._snoozed_until = -math.inf
        self._camera: int | None = None
        self._stopped = False
        self._told: list[Told] = []

    @property
    def settings(self) -> Settings:
        """The settings as they are now."""
        return self._settings

    @property
    def paused(self) -> bool:
        """Whether nothing is looked at."""
        return self._clock() < self._paused_until

    @property
    def snoozed(self) -> bool:
        """Whether the alarm stays quiet while touches are still counted."""
        return self._clock() < self._snoozed_until

    def on_change(self, told: Told) -> None:
        """Call this after each change, in the thread that made it."""
        self._told.append(told)

    def change(self, name: str, value: Any) -> Settings:
        """Change one setting and return all of them.

        Raises:
            InputError: none that may change, or a value that it does not take.
            OutputError: it holds now, but cannot be kept for the next time.
        """
        if name not in CHANGEABLE:
            raise InputError(unknown("setting", name, CHANGEABLE))
        with self._changed:
            values = {name: value}
            if name == "open" and self._settings.close is not None:
                values["close"] = None  # it may lie above the new one
            self._settings = self._settings.changed(**values)
        self._tell()
        self._kept(values)
        return self._settings

    def pause(self, seconds: float = math.inf) -> None:
        """Look at nothing for so long, or until `resume`."""
        self._paused_until = self._clock() + seconds
        self._tell()

    def resume(self) -> None:
        """Look again."""
        self._paused_until = -math.inf
        self._tell()

    def snooze(self, seconds: float = math.inf) -> None:
        """Keep the alarm quiet for so long, or until `wake`; 0 seconds end it."""
        self._snoozed_until = self._clock() + seconds if seconds > 0 else -math.inf
        self._tell()

    def choose_camera(self, number: int) -> None:
        """Ask the source to change to this camera, and keep it for the next time.

        Raises:
            OutputError: it changes now, but cannot be kept for the next time.
        """
        self._camera = number
        self._tell()
        self._kept({"source": str(number)})

    def take_camera(self) -> int | None:
        """Return the camera that was asked for since the last call, or None."""
        with self._changed:
            wanted, self._camera = self._camera, None
        return wanted

    @property
    def camera_wanted(self) -> bool:
        """Whether another camera was asked for."""
        return self._camera is not None

    def stop(self) -> None:
        """Let nobody wait any more."""
        self._stopped = True
        self._tell()

    def wait(self, seconds: float) -> None:
        """Wait for a change, at most so long."""
        with self._changed:
            if not self._stopped:
                self._changed.wait(seconds)

    def to_dict(self) -> dict[str, Any]:
        """Return the state as JSON values; times are seconds from now, null where it has no end."""
        return {
            "paused": self.paused,
            "snoozed": self.snoozed,
            "paused_s": self._left(self._paused_until),
            "snoozed_s": self._left(self._snoozed_until),
            "settings": {name: value for name, value in self._settings.to_dict().items() if name in CHANGEABLE},
        }

    def _left(self, until: float) -> float | None:
        left = until - self._clock()
        return None if math.isinf(until) else round(max(0.0, left), 1)

    def _tell(self) -> None:
        with self._changed:
            self._changed.notify_all()
        for told in self._told:
            told()
