"""Clocks and cameras that move when a test says so, so that no test depends on how busy the machine is."""

import threading
import time
from collections.abc import Callable, Iterator

from handlens.io.sources.live import Grabber, Live
from handlens.types import Frame, Image

PATIENCE_S = 30.0  # only a test that fails waits for so long


def wait(until: Callable[[], object]) -> None:
    """Wait until something has happened in another thread or process."""
    end = time.monotonic() + PATIENCE_S
    while not until():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.005)


class FakeClock:
    """Stands in for the module `time` in a module under test: it moves only by `sleep`, and by `now += seconds`."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    time = perf_counter = monotonic

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


class StillClock(FakeClock):
    """A clock that the tested module cannot move: its sleep is a short real one, for loops that poll."""

    def sleep(self, seconds: float) -> None:
        time.sleep(min(seconds, 0.005))


class SteppedCamera:
    """A camera that sends its next picture when the test asks for it, `interval` seconds of the clock after the last.

    picture: makes the picture of a time. sent: how many pictures the reading thread has taken so far.
    """

    def __init__(self, clock: FakeClock, count: int, interval: float, picture: Callable[[float], Image]) -> None:
        self.begin = clock.now
        self.count, self.sent = count, 0
        self._clock, self._interval, self._picture = clock, interval, picture
        self._wanted = 1
        self._changed = threading.Condition()

    def open(self) -> Live:
        """The live source of this camera."""
        return Live("0", "camera", self._read)

    def send(self, count: int = 1) -> None:
        """Send the next pictures, as many as are left, and return when the reading thread has them all."""
        with self._changed:
            self._wanted = min(self._wanted + count, self.count)
            self._changed.notify_all()
            assert self._changed.wait_for(lambda: self.sent == self._wanted, PATIENCE_S)

    def _read(self, stopping: threading.Event) -> Iterator[Frame]:
        for index in range(self.count):
            with self._changed:
                while not self._changed.wait_for(lambda index=index: self._wanted > index, 0.02):
                    if stopping.is_set():
                        return
            time = index * self._interval
            self._clock.now = self.begin + time
            yield Frame(self._picture(time), index, time, "0")
            with self._changed:  # whoever reads came back for more, so it has kept this one
                self.sent += 1
                self._changed.notify_all()


class Stopping(threading.Event):
    """The event that ends a reading thread, on a fake clock: waiting for it moves the clock instead."""

    def __init__(self, clock: FakeClock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        self._clock.sleep(timeout or 0.0)
        return self.is_set()


def play_in_step(clock: FakeClock) -> type[Grabber]:
    """Return a Grabber that plays on the clock, and reads the next frame only when the last one was taken."""

    class InStep(Grabber):
        def __init__(self, read: Callable[[threading.Event], Iterator[Frame]], name: str = "") -> None:
            super().__init__(self._one_by_one(read), name)
            self._stopping = Stopping(clock)
            self._taken = threading.Semaphore(0)

        def latest(self, timeout: float) -> Frame | None:
            frame = super().latest(timeout)
            if frame is not None:
                self._taken.release()
            return frame

        def _one_by_one(
            self, read: Callable[[threading.Event], Iterator[Frame]]
        ) -> Callable[[threading.Event], Iterator[Frame]]:
            def paced(stopping: threading.Event) -> Iterator[Frame]:
                for frame in read(stopping):
                    yield frame
                    while not self._taken.acquire(timeout=0.02):
                        if stopping.is_set():
                            return

            return paced

    return InStep
