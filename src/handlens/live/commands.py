"""What a page may ask for: checks and limits each message before anything acts on it; it must not know sockets."""

import json
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from handlens.errors import InputError

LONGEST = 2048  # bytes of a message
MOST_BAD = 10  # malformed messages, or messages above the rate, after which a connection is closed
RATE, BURST = 20.0, 60.0  # messages a second, and how many at once
FOREVER_S = 7 * 86400.0  # the longest pause that has an end

Fields = dict[str, Callable[[Any], bool]]


def _seconds(value: Any) -> bool:
    return value is None or (_finite(value) and 0 <= value <= FOREVER_S)


def _finite(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _moment(value: Any) -> bool:
    return _finite(value) and 0 <= value < 1e11


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10_000


STEPS = ("look", "touch", "front", "object", "finish", "cancel", "remove")
"""The steps of a personal calibration that a page may ask for."""

COMMANDS: dict[str, Fields] = {
    "next": {},
    "view": {"video": lambda value: isinstance(value, bool)},
    "set": {"name": lambda value: isinstance(value, str), "value": lambda value: True},
    "pause": {"seconds": _seconds},
    "resume": {},
    "snooze": {"seconds": _seconds},
    "camera": {"number": _whole},
    "test-sound": {},
    "history": {"since": _moment},
    "delete": {"sure": lambda value: value is True},
    "kept": {},
    "delete-kept": {"sure": lambda value: value is True},
    "judge": {"number": _whole, "right": lambda value: isinstance(value, bool)},
    "calibrate": {"step": lambda value: value in STEPS},
}
"""Command -> the fields it must have, all of them and no others, and what each may be."""


@dataclass(frozen=True)
class Command:
    """One message of a page that was checked."""

    do: str
    fields: dict[str, Any]
    number: int | None = None


def parse(text: str | bytes | None) -> Command:
    """Return the command of one message: {"do": NAME, the fields of NAME, and "number" or "id" for an answer}.

    Raises:
        InputError: it is not one of ours.
    """
    if not isinstance(text, str) or len(text) > LONGEST:
        raise InputError("a message is a short JSON text.")
    try:
        given = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError("a message is JSON.") from error
    if not isinstance(given, dict):
        raise InputError("a message is a JSON object.")
    do, number = given.pop("do", None), given.pop("id", None)
    fields = COMMANDS.get(do) if isinstance(do, str) else None
    if fields is None or given.keys() != fields.keys() or not all(fields[name](given[name]) for name in fields):
        raise InputError("no such command, or not with these fields.")
    if number is not None and not _whole(number):
        raise InputError("the id of a message is a whole number.")
    return Command(str(do), given, number)


class Limiter:
    """Lets so many messages a second through, and says when a connection has to go.

    Attributes:
        bad: Messages that were malformed or too many.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._left, self._last = clock, BURST, clock()
        self.bad = 0

    def allows(self) -> bool:
        """Count one message and return whether it may pass."""
        now = self._clock()
        self._left = min(BURST, self._left + (now - self._last) * RATE)
        self._last = now
        if self._left < 1.0:
            self.bad += 1
            return False
        self._left -= 1.0
        return True

    @property
    def closes(self) -> bool:
        """Whether the connection has to go."""
        return self.bad > MOST_BAD
