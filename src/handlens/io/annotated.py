"""Annotated pictures and videos in a folder; it must not know models, sources or how a result is drawn."""

import os
import re
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2

from handlens.errors import OutputError
from handlens.io.draft import Draft, output_error, worth_keeping
from handlens.io.draw import draw
from handlens.io.film import Film
from handlens.io.sinks import Sink
from handlens.io.sources import is_address, is_picture
from handlens.types import Frame, Image, Result

_JPEG_ENDINGS = frozenset({".jpg", ".jpeg", ".jpe"})


class Annotated(Sink):
    """Draws each result on its frame: a picture gives a picture, anything else one .mp4 with the source's own times.

    folder: made if it is not there. inputs: paths that must not be overwritten (a source's own path never is). JPEG
    stays JPEG, other pictures become PNG; two inputs of one name become name and name-2.

    Raises:
        OutputError: the folder cannot be made or written to.
    """

    def __init__(self, folder: str | Path, inputs: Iterable[str] = ()) -> None:
        self.folder = Path(folder)
        self._kept = {_key(path) for path in inputs}
        self._given: dict[str, str] = {}  # target -> the source it belongs to
        self._film: tuple[str, Film] | None = None

    def write(self, frame: Frame, result: Result) -> None:
        """Draw one frame and write it."""
        image = draw(frame, result)
        if is_picture(frame.source):
            self._write_picture(self._target(frame.source), image)
            return
        if self._film is not None and (self._film[0] != frame.source or frame.time < self._film[1].time):
            self._finish()
        if self._film is None:
            self._film = frame.source, Film(self._target(frame.source))
        self._film[1].add(image, frame.time)

    def _finish(self) -> None:
        film, self._film = self._film, None
        if film is not None:
            film[1].keep()

    def _write_picture(self, target: Path, image: Image) -> None:
        quality = [cv2.IMWRITE_JPEG_QUALITY, 92] if target.suffix == ".jpg" else []
        good, data = cv2.imencode(target.suffix, image[..., ::-1], quality)
        if not good:
            raise OutputError(f"'{target}' was not written: the picture cannot be encoded.")
        with Draft(target) as draft:
            draft.write(data.tobytes())

    def _target(self, source: str) -> Path:
        """Return the path for this source: its own name, marked where it would hide an input or another output."""
        stem = _stem(source)
        ending = ".jpg" if Path(source).suffix.lower() in _JPEG_ENDINGS else ".png"
        ending = ending if is_picture(source) else ".mp4"
        number = 1
        while True:
            mark = "" if number == 1 else f"-{number}"
            target = self.folder / f"{stem}{mark}{ending}"
            key = _key(target)
            if key not in self._kept and key != _key(source) and self._given.get(key, source) == source:
                self._given[key] = source
                return target
            number += 1

    def __enter__(self) -> Self:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise OutputError(f"'{self.folder}' is a file: give a folder.") from error
        except OSError as error:
            raise output_error(error, self.folder) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        film, self._film = self._film, None
        if film is not None and worth_keeping(error):
            film[1].keep()
        elif film is not None:
            film[1].discard()


def _key(path: str | Path) -> str:
    return os.path.normcase(os.path.realpath(path)).lower()  # two names that differ only in case may be one file


def _stem(source: str) -> str:
    if source.isdigit():
        return f"camera-{source}"
    if is_address(source):
        return re.sub(r"[^A-Za-z0-9]+", "-", source).strip("-") or "stream"
    return Path(source).stem or "video"
