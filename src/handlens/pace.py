"""How long each frame counts, and where the time stamps pause; it must not know what the frames show."""

from collections import deque
from datetime import datetime
from statistics import median

_MEMORY = 9  # steps: a source that changes its frame rate is followed after five frames
_SLACK = 1.5  # of the usual step: frames that come a little late are not a pause
_TINY = 1e-6  # seconds


def wall_clock(seconds: float) -> str:
    """Return seconds since 1970 as ISO 8601 in this machine's time zone: "2026-11-30T12:18:02.125+01:00"."""
    return datetime.fromtimestamp(seconds).astimezone().isoformat(timespec="milliseconds")


class Pace:
    """The usual step from one frame of a source to the next, learned while the frames come.

    A step that is longer than the usual one by more than `gap` seconds, and by half, is a pause: in it nothing was
    seen. A steady frame a second is not a pause, however short the gap is. Before the second step none is unusual.
    """

    def __init__(self, gap: float = 0.5) -> None:
        self.gap = gap
        self._steps: deque[float] = deque(maxlen=_MEMORY)
        self._last: tuple[str, float, float] | None = None  # source, time and duration of the last frame

    @property
    def usual(self) -> float:
        """The usual step in seconds, 0 until it is known."""
        return median(self._steps) if self._steps else 0.0

    def is_pause(self, seconds: float) -> bool:
        """Return whether a step of so many seconds is a pause."""
        usual = self.usual
        return bool(self._steps) and seconds > _SLACK * usual and seconds - usual > self.gap + _TINY

    def counted(self, duration: float, live: bool = False) -> float:
        """Return for how many seconds a frame counts that is shown for `duration` seconds, 0 where that is unknown.

        A frame before a pause counts for the usual step only; a live frame of unknown duration does too.
        """
        if duration <= 0.0:
            return self.usual if live else 0.0
        return self.usual if self.is_pause(duration) else duration

    def take(self, source: str, time: float, duration: float = 0.0) -> tuple[float, float] | None:
        """Take the next frame and return (seconds that the frame before it counted, seconds of pause after that).

        None for the first frame of a source, and where the time runs backwards.
        """
        last, self._last = self._last, (source, time, duration)
        if last is None or last[0] != source or time < last[1]:
            self._steps.clear()
            return None
        step = time - last[1]
        paused = self.is_pause(step)
        counted = self.usual if paused else step
        self._steps.append(step)
        return counted, step - counted
