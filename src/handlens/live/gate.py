"""Whether the alarm may sound now: paused, snoozed, chosen regions, cool-down; it must not know how it sounds."""

import time
from collections.abc import Callable
from typing import Protocol

from handlens.events import EventTracker
from handlens.live.session import Session
from handlens.tasks.touch import REGIONS
from handlens.types import Event


class Sounding(Protocol):
    """What the gate needs of handlens.io.alarm.Alarm."""

    sound: bool
    cooldown: float
    voice: bool
    volume: float

    def start(self) -> bool:
        """Ask for the alarm and return at once."""


class Gate:
    """Stands before the alarm in the loop (handlens.loop.Sounds).

    Args:
        alarm: What sounds. tracker: knows the touches that are going on.
        warned: Called with the touch when a warning is given, with or without sound; must return at once.
        can_sound: False: never a sound, whatever the settings say (`--no-sound`, models without a sentence).
    """

    def __init__(
        self,
        alarm: Sounding,
        tracker: EventTracker,
        session: Session,
        warned: Callable[[Event], None] = lambda event: None,
        can_sound: bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._alarm, self._tracker, self._session = alarm, tracker, session
        self._warned, self._can_sound, self._clock = warned, can_sound, clock
        self._last: float | None = None

    def start(self) -> bool:
        """Warn of what is touched now, unless it is to be quiet; return whether it will sound."""
        if not self._may_warn():
            return False
        event = next((event for event in self._tracker.current if wanted(event, self._session.settings.regions)), None)
        if event is None:
            return False
        self._warned(event)
        return self._sound()

    def warn_early(self) -> bool:
        """Warn of a hand on its way to the face, unless it is to be quiet; return whether it was warned.

        The cool-down counts from here: the touch that follows is not warned of a second time.
        """
        if not self._may_warn() or not self._session.settings.regions:
            return False
        self._sound()
        return True

    def _may_warn(self) -> bool:
        if self._session.paused or self._session.snoozed:
            return False
        return self._last is None or self._clock() - self._last >= self._session.settings.cooldown

    def _sound(self) -> bool:
        settings = self._session.settings
        self._last = self._clock()
        self._alarm.cooldown = 0.0  # it is kept here
        self._alarm.voice, self._alarm.volume = settings.sound == "voice", settings.volume
        self._alarm.sound = self._can_sound and settings.sound != "off"
        return self._alarm.start()


def wanted(event: Event, regions: tuple[str, ...]) -> bool:
    """Return whether to warn of this: the place touched last is among the regions, or is none of a face's.

    Where no region is chosen no touch is warned of, with or without a place.
    """
    if event.task == "touch" and not regions:
        return False
    place = event.regions[-1][0] if event.regions else event.label
    return place not in REGIONS or place in regions
