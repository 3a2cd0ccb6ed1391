"""Video files -> frames with the file's own times; it must not know models, results or what is done with frames."""

import math
import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.error
from av.container import InputContainer
from av.video.stream import VideoStream

from handlens.errors import FrameError
from handlens.io.reading import Reading
from handlens.io.sources.decoded import DecodedSource, strerror
from handlens.io.sources.decoding import Decoding
from handlens.io.sources.places import Place, places


def is_complete(path: str) -> bool:
    """Return False when the file ends before its declared end; True also where no length is declared."""
    try:
        size = os.path.getsize(path)
        with Path(path).open("rb") as file:
            first = file.read(16)
            file.seek(0)
            if first[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip"):
                return _boxes_fit(file, size)
            if first[:4] == b"RIFF":
                return 8 + int(struct.unpack_from("<I", first, 4)[0]) <= size
            if first[:4] == b"\x1a\x45\xdf\xa3":
                return _segment_fits(file, size)
            if first[:4] == b"GIF8":
                file.seek(max(0, size - 64))
                return b"\x3b" in file.read()  # the trailer; some writers pad after it
    except (OSError, struct.error, IndexError):
        return True  # not ours to judge: the decoder will say
    return True


def _boxes_fit(file: BinaryIO, size: int) -> bool:
    place = 0
    while place + 8 <= size:
        file.seek(place)
        head = file.read(16)
        (length,) = struct.unpack_from(">I", head)
        if length == 1:
            (length,) = struct.unpack_from(">Q", head, 8)
        if length == 0:  # "to the end of the file"
            return True
        if length < 8 or place + length > size:
            return False
        place += length
    return place == size or place + 8 > size


def _segment_fits(file: BinaryIO, size: int) -> bool:
    place = 0
    for _ in range(2):  # the EBML header, then the segment that holds everything
        file.seek(place)
        head = file.read(16)
        id_bytes = 9 - head[0].bit_length()
        length, length_bytes = _ebml_number(head, id_bytes)
        if length is None:
            return True  # written while it was live: no length declared
        place += id_bytes + length_bytes + length
    return place <= size


def _ebml_number(head: bytes, place: int) -> tuple[int | None, int]:
    """Return (value, bytes used) of the variable-length number there; None for "unknown"."""
    width = 9 - head[place].bit_length()
    value = int.from_bytes(head[place : place + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), width


_DEFAULT, _COVER = 0x1, 0x400  # FFmpeg's AV_DISPOSITION_DEFAULT and AV_DISPOSITION_ATTACHED_PIC
_NO_VIDEO = frozenset({"tty", "bin", "xbin", "adf", "idf", "bfi"})  # FFmpeg draws text files as pictures of letters


class Video(DecodedSource):
    """A video file, read from start to end: constant memory, every frame, exact times.

    Times count from the start of the container, so a variable frame rate stays what it is, and a picture that begins
    after the sound has its own time. A frame is given as a player shows it: turned, mirrored, with square pixels. A
    source like any other (see sources.Source); `fps` is the mean rate.

    Args:
        place: Where to enter the file for `reading.start`; left out, it is searched.

    Raises:
        FrameError: it cannot be opened, holds no pictures, or has neither times nor a rate.
    """

    kind = "video"
    live = False
    skipped = 0
    ended = ""

    def __init__(self, name: str, reading: Reading = Reading(), place: Place | None = None) -> None:  # noqa: B008
        self.name = name
        self._reading = reading
        self._place = place
        super().__init__()
        self._container = _open(name)
        try:
            self._stream = pick_stream(self._container, name, reading)
            self._decoding = Decoding(self._container, self._stream, name, reading)
        except FrameError:
            self._container.close()
            raise
        self.fps = self._decoding.fps

    @property
    def total(self) -> int | None:
        """How many frames will be yielded, as the header promises, or None."""
        count = self._stream.frames
        seconds = self._container.duration / av.time_base if self._container.duration else None
        if self.fps and seconds and (not count or not self._reading.is_complete):
            seconds = min(seconds, self._reading.stop) - self._reading.start
            count = max(0, round(seconds * self.fps))
        return -(-count // self._reading.every) if count else None

    def _ready(self) -> Decoding:
        """Go near `start`, where the file lets us; else all before it is decoded and passed over."""
        if self._reading.start <= 0:
            return self._decoding
        place = self._place
        if place is None:
            with _open(self.name) as other:
                stream: VideoStream = other.streams[self._stream.index]  # type: ignore[assignment]
                (place,) = places(other, stream, self._reading, [self._reading.start])
        if place is not None:
            self._container.seek(place.stamp, stream=self._stream)
            self._decoding.begin_at(place.index, place.held)
        return self._decoding

    def _complaint(self, error: Exception | None) -> FrameError | None:
        reading, decoding = self._reading, self._decoding
        last_words = "" if error is None else f" ({strerror(error)})"
        if decoding.count == 0 and not (decoding.damage or last_words or reading.is_complete):
            until = "" if reading.stop == math.inf else f" to {reading.stop:g} s"
            return FrameError(
                f"'{self.name}' has no frame from {reading.start:g} s{until}: it ends at {self._end(decoding):.1f} s."
            )
        if decoding.count == 0:
            return FrameError(f"'{self.name}' is a video without a frame that can be read{last_words}.")
        sentence = decoding.damage.sentence()
        if last_words or not (decoding.stopped or is_complete(self.name)):
            return FrameError(
                f"'{self.name}' is cut off or damaged{last_words}: {decoding.count} frames could be read,"
                f" up to {decoding.seconds:.1f} s{'; ' if sentence else ''}{sentence}."
            )
        if sentence:
            return FrameError(f"'{self.name}' is damaged: {sentence}. Do not rely on what is said of these times.")
        return None

    def _end(self, decoding: Decoding) -> float:
        return self._container.duration / av.time_base if self._container.duration else decoding.seconds


def pick_stream(container: InputContainer, name: str, reading: Reading = Reading()) -> VideoStream:  # noqa: B008
    """Return the stream of moving pictures to read; the cover of a song is none.

    The one that the user named, else the one marked as default, else the largest; of several, a remark says which.

    Raises:
        FrameError: there is none, or not the one that was named.
    """
    streams = [stream for stream in container.streams.video if not _is_cover(stream)]
    if not streams:
        sound = " it holds only sound" if container.streams.audio else " it holds nothing to look at"
        raise FrameError(f"'{name}' is a file without pictures:{sound}.")
    listed = ", ".join(map(_described, streams))
    if reading.stream is not None:
        chosen = next((stream for stream in streams if stream.index == reading.stream), None)
        if chosen is None:
            raise FrameError(f"'{name}' has no video stream {reading.stream}: it has {listed}.")
    else:
        chosen = max(streams, key=lambda stream: (_is_default(stream), stream.width * stream.height))
        if len(streams) > 1:
            reading.remark(
                f"'{name}' has {len(streams)} video streams, {listed}: {chosen.index} is read (--stream N for another)."
            )
    # One thread: only so does FFmpeg mark damaged frames reliably, and decoding is cheap beside the model.
    chosen.thread_type = "NONE"
    chosen.codec_context.thread_count = 1
    return chosen


def _described(stream: VideoStream) -> str:
    return f"{stream.index} ({stream.width} x {stream.height}{', default' if _is_default(stream) else ''})"


def _is_default(stream: Any) -> bool:
    return bool(int(stream.disposition) & _DEFAULT)


def _is_cover(stream: Any) -> bool:
    return bool(int(stream.disposition) & _COVER)


def _open(name: str) -> InputContainer:
    try:
        # "file:": a name with a colon is not an address. The whitelist: a play list cannot reach the network.
        container = av.open(f"file:{name}", options={"protocol_whitelist": "file"}, metadata_errors="replace")
    except av.error.InvalidDataError as error:
        raise FrameError(_unreadable(name)) from error
    except (av.error.FFmpegError, OSError, UnicodeError) as error:
        raise FrameError(f"'{name}' cannot be read: {strerror(error)}.") from error
    if container.format.name in _NO_VIDEO:
        container.close()
        raise FrameError(f"'{name}' is a text, neither a picture nor a video.")
    return container


def _unreadable(name: str) -> str:
    try:
        with open(name, "rb") as file:
            first = file.read(16)
    except OSError:
        first = b"?"
    if not first:
        return f"'{name}' is empty: it has 0 bytes."
    if first[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free") and not is_complete(name):
        return f"'{name}' is cut off: its index, at the end of the file, is missing. Copy or record it again."
    return f"'{name}' is neither a picture nor a video that can be read."
