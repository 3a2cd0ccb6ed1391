"""Several picture and video files as one source; it must not know how either is decoded."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from handlens.errors import FrameError
from handlens.io.pictures.read import read_pictures
from handlens.io.reading import Reading, Remark
from handlens.io.sources.base import OnError, is_picture
from handlens.types import Frame


class Files:
    """The frames of many files, one file after the other; each frame's `source` is the path of its file.

    A picture is one frame, index 0, time 0; each further page of it is one more. `every` counts the frames of a video
    or the pages of a picture. What a remark says of several pictures is said once, and then how many they were. A
    source like any other (see sources.Source): "video" when it holds a video, else "pictures".
    """

    live = False
    skipped = 0
    ended = ""
    fps = None

    def __init__(self, name: str, paths: Sequence[str], reading: Reading = Reading()) -> None:  # noqa: B008 (it is frozen)
        self.name = name
        self.paths = tuple(paths)
        self._reading = reading
        self._stopped = threading.Event()

    @property
    def kind(self) -> str:
        """ "pictures", or "video" when there is one among them."""
        return "pictures" if all(map(is_picture, self.paths)) else "video"

    @property
    def total(self) -> int | None:
        """How many frames will be yielded: known for pictures."""
        return len(self.paths) if self.kind == "pictures" else None

    def frames(self, on_error: OnError | None = None) -> Iterator[Frame]:
        """Yield the frames; a file that cannot be read goes to `on_error` and the next one follows."""
        remarks = _Remarks(self._reading.remark)
        try:
            for path in self.paths:
                if self._stopped.is_set():
                    return
                try:
                    if is_picture(path):
                        yield from self._picture(path, remarks)
                    else:
                        yield from self._video(path, on_error)
                except FrameError as error:
                    if on_error is None:
                        raise
                    on_error(error)
        finally:
            remarks.conclude()

    def _picture(self, path: str, remarks: "_Remarks") -> Iterator[Frame]:
        reading = self._reading
        for index, page in enumerate(read_pictures(path, lambda what: remarks.take(path, what))):
            time, duration = page.time, page.duration
            if reading.fps is not None:
                time, duration = index / reading.fps, 1 / reading.fps
            if self._stopped.is_set():
                return
            if index % reading.every == 0:
                yield Frame(reading.turn(page.image), index, time, path, duration * reading.every)

    def _video(self, path: str, on_error: OnError | None) -> Iterator[Frame]:
        from handlens.io.sources.video import Video

        with Video(path, self._reading) as video:
            for frame in video.frames(on_error):
                yield frame
                if self._stopped.is_set():
                    return

    def stop(self) -> None:
        """Make `frames` end after the current one."""
        self._stopped.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


class _Remarks:
    """Says each remark for the first picture it is about, and at the end of how many more it is true."""

    def __init__(self, remark: Remark) -> None:
        self._remark = remark
        self._counts: Counter[str] = Counter()

    def take(self, path: str, what: str) -> None:
        """Take a remark on a picture: the end of a sentence that begins with its name."""
        self._counts[what] += 1
        if self._counts[what] == 1:
            self._remark(f"'{path}' {what}.")

    def conclude(self) -> None:
        """Say how many there were of each."""
        for what, count in self._counts.items():
            if count > 1:
                self._remark(f"{count - 1:,} more picture{'s' if count > 2 else ''}: each {what}.")
