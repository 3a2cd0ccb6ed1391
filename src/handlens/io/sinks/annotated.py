"""Annotated pictures and videos in a folder; it must not know models, sources or how a result is drawn."""

import contextlib
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from handlens.errors import OutputError
from handlens.io.atomic import AtomicFile, output_error, sweep, worth_keeping
from handlens.io.draw import draw
from handlens.io.reading import Remark, silent
from handlens.io.sinks.base import Sink
from handlens.io.sinks.film import Film
from handlens.io.sinks.paths import OutputPaths
from handlens.io.sources.base import is_picture
from handlens.result import Result
from handlens.types import Frame, Image


class Annotated(Sink):
    """Draws each result on its frame: a picture gives a picture, anything else one .mp4 with the source's own times
    and, from a video file, with its sound.

    Args:
        folder: Made if it is not there, or the names in it, where others share them.
        inputs: Paths that must not be overwritten (a source's own path never is). JPEG stays JPEG, other pictures
            become PNG; two inputs of one name become name and name-2.
        remark: Is told where a sound cannot be kept.

    Raises:
        OutputError: the folder cannot be made or written to.
    """

    def __init__(self, folder: str | Path | OutputPaths, inputs: Iterable[str] = (), remark: Remark = silent) -> None:
        self._remark = remark
        self._paths = folder if isinstance(folder, OutputPaths) else OutputPaths(folder, inputs)
        self.folder = self._paths.folder
        self._made: list[Path] = []  # folders that were not there before
        self._film: tuple[str, Film] | None = None
        self._count = 0
        self._last: Path | None = None

    @property
    def written(self) -> tuple[int, Path | None]:
        """How many pictures and videos are complete, and the last of them."""
        return self._count, self._last

    def write(self, frame: Frame, result: Result) -> None:
        """Draw one frame and write it."""
        image = draw(frame, result)
        if is_picture(frame.source):
            self._write_picture(self._paths.drawing(frame.source, frame.index), image)
            return
        if self._film is not None and (self._film[0] != frame.source or frame.time < self._film[1].time):
            self._finish()
        if self._film is None:
            self._film = frame.source, Film(self._paths.drawing(frame.source), frame.source, self._remark)
        self._film[1].add(image, frame.time, frame.duration, frame.index)

    def checkpoint(self) -> dict[str, int]:
        """Finish the video of the source that ended."""
        self._finish()
        return {}

    def _finish(self) -> None:
        film, self._film = self._film, None
        if film is not None:
            film[1].keep()
            self._count, self._last = self._count + 1, film[1].path

    def _write_picture(self, target: Path, image: Image) -> None:
        quality = [cv2.IMWRITE_JPEG_QUALITY, 92] if target.suffix == ".jpg" else []
        good, data = cv2.imencode(target.suffix, image[..., ::-1], quality)
        if not good:
            raise OutputError(f"'{target}' was not written: the picture cannot be encoded.")
        with AtomicFile(target) as draft:
            draft.write(data.tobytes())
        if target != self._last:
            self._count, self._last = self._count + 1, target

    def __enter__(self) -> Self:
        self._made = [place for place in (self.folder, *self.folder.parents) if not place.exists()]
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise OutputError(f"'{self.folder}' is a file: give a folder.") from error
        except OSError as error:
            raise output_error(error, self.folder) from error
        sweep(self.folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if worth_keeping(error):
            self._finish()
        elif self._film is not None:
            self._film[1].discard()
            self._film = None
        for place in self._made:  # the inner ones first; one that holds something stays
            with contextlib.suppress(OSError):
                place.rmdir()
