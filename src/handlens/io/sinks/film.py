"""Images with times -> an .mp4 file that keeps those times; it must not know results or drawing."""

import contextlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np

from handlens.errors import OutputError
from handlens.io.atomic import AtomicFile, KeptWhenWhole, output_error
from handlens.io.reading import Remark, silent
from handlens.io.sinks.soundtrack import Soundtrack
from handlens.types import Image

TICK = Fraction(1, 60000)  # 24, 25, 30, 50, 60 and 30000/1001 frames a second are whole ticks; MPEG-4 allows 1/65535
_ENCODERS: tuple[tuple[str, dict[str, str]], ...] = (
    ("libx264", {"preset": "veryfast", "crf": "23"}),
    ("libopenh264", {}),
    ("mpeg4", {"qscale": "4"}),
)
_SMALLEST, _LARGEST = 16, 3840  # pixels; encoders refuse less, players more


class Film(KeptWhenWhole):
    """An .mp4 being written: H.264 where this PyAV has an encoder, else MPEG-4; the rate may vary.

    The first image decides the size; odd sizes get one more row or column, as video needs even ones. A context manager:
    on a clean end and on Ctrl-C the film so far is finished and kept, after other errors nothing is left.

    Args:
        source: The video file whose sound the film keeps; "" for none.
        remark: Is told where that does not work.

    Raises:
        OutputError: it cannot be written or encoded.
    """

    def __init__(self, path: Path, source: str = "", remark: Remark = silent) -> None:
        self.path = path
        self._source, self._remark = source, remark
        self._sound: Soundtrack | None = None
        self._end = 0.0
        self.time = -1.0
        self._draft = AtomicFile(path)
        self._tick = -1
        self._size: tuple[int, int] | None = None
        self._stream: Any = None
        self._container = av.open(self._draft.file, "w", format="mp4")

    def add(self, image: Image, time: float, duration: float = 0.0, index: int = 0) -> None:
        """Append (H, W, 3) uint8 RGB, shown from `time` seconds on, for `duration` where that is known.

        Args:
            index: Of the frame in its source; where the first one is not 0, the sound before it is left out.
        """
        if self._size is None:
            self._size = _film_size(image)
            self._stream = self._begin(*self._size)
            if self._source:
                self._sound = Soundtrack(self._source, self._container, time, index == 0, self._remark)
        picture = av.VideoFrame.from_ndarray(_fit(image, self._size), format="rgb24")
        self._tick = max(self._tick + 1, round(time / TICK))
        picture.pts, picture.time_base, self.time = self._tick, TICK, time
        self._encode(picture)
        self._end = time + duration
        if self._sound is not None:
            self._mixed(self._sound.write, time)

    def _mixed(self, write: Callable[[float], None], time: float) -> None:
        """Write sound; only a full disk is an error."""
        try:
            write(time)
        except OSError as error:
            raise output_error(error, self.path) from error

    def _begin(self, width: int, height: int) -> Any:
        for name, options in _ENCODERS:
            try:
                av.Codec(name, "w")
            except (av.error.FFmpegError, ValueError):
                continue
            stream: Any = self._container.add_stream(name, rate=30, options=options)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            stream.codec_context.time_base = TICK
            stream.codec_context.thread_count = 1  # the model wants the cores
            return stream
        raise OutputError(f"'{self.path}' was not written: this PyAV has no video encoder. Install the wheel of av.")

    def _encode(self, picture: "av.VideoFrame | None") -> None:
        try:
            self._container.mux(self._stream.encode(picture))
        except OSError as error:
            raise output_error(error, self.path) from error
        except av.error.FFmpegError as error:
            raise OutputError(f"'{self.path}' was not written: the video encoder failed ({error}).") from error

    def keep(self) -> None:
        """Finish the film."""
        if self._stream is None:
            self.discard()
            return
        try:
            self._encode(None)
            if self._sound is not None:
                self._mixed(self._sound.finish, self._end)
            self._close()
        except OutputError:
            self.discard()
            raise
        self._draft.keep()

    def discard(self) -> None:
        """Remove what was written."""
        with contextlib.suppress(OutputError):  # it is removed anyway
            self._close()
        self._draft.discard()

    def _close(self) -> None:
        if self._sound is not None:
            self._sound.close()
        try:
            self._container.close()
        except OSError as error:
            raise output_error(error, self.path) from error
        except av.error.FFmpegError as error:
            raise OutputError(f"'{self.path}' was not written: the film could not be finished.") from error


def _film_size(image: Image) -> tuple[int, int]:
    height, width = image.shape[:2]
    shrink = min(1.0, _LARGEST / max(width, height))
    even = [max(_SMALLEST, 2 * -(-round(side * shrink) // 2)) for side in (width, height)]
    return even[0], even[1]


def _fit(image: Image, size: tuple[int, int]) -> Image:
    """Return the image in this (width, height): up to one row or column repeated, else resized."""
    (height, width), (to_width, to_height) = image.shape[:2], size
    if 0 <= to_width - width < _SMALLEST and 0 <= to_height - height < _SMALLEST:
        right, bottom = to_width - width, to_height - height
        return np.asarray(cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_REPLICATE), np.uint8)
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
