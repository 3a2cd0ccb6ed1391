"""A source of as many made frames as a test wants."""

from collections.abc import Iterator

from media import shade

from handlens.io.sources.base import OnError
from handlens.types import Frame


class Made:
    """A source of as many frames as wanted; `bright` says at which times a touch is seen."""

    name, kind, live, skipped, ended, fps = "made", "video", False, 0, "", 100.0

    def __init__(self, count: int, bright: tuple[float, float] = (0.0, 0.0), interrupt_at: int = -1) -> None:
        self.total, self.bright, self.interrupt_at = count, bright, interrupt_at
        self.stopped = False

    def frames(self, on_error: OnError | None = None) -> Iterator[Frame]:
        for index in range(self.total):
            if index == self.interrupt_at:
                raise KeyboardInterrupt
            if self.stopped:
                return
            yield Frame(shade(index / 100, self.bright), index, index / 100, "made.mp4")

    def stop(self) -> None:
        self.stopped = True

    def __enter__(self) -> "Made":
        return self

    def __exit__(self, *_: object) -> None:
        pass
