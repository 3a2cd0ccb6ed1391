"""Several picture and video files as one source; it must not know how either is decoded."""

import threading
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Self

from handlens.errors import FrameError
from handlens.io.pictures import read_picture
from handlens.io.reading import Reading
from handlens.io.sources import OnError, is_picture
from handlens.types import Frame


class Files:
    """The frames of many files, one file after the other; each frame's `source` is the path of its file.

    A picture is one frame, index 0, time 0; `every` counts the frames of a video and leaves pictures alone. A source
    like any other (see sources.Source): "video" when it holds a video, else "pictures".
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
        for path in self.paths:
            if self._stopped.is_set():
                return
            try:
                if is_picture(path):
                    yield Frame(read_picture(path), source=path)
                else:
                    yield from self._video(path, on_error)
            except FrameError as error:
                if on_error is None:
                    raise
                on_error(error)

    def _video(self, path: str, on_error: OnError | None) -> Iterator[Frame]:
        from handlens.io.video import Video

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
