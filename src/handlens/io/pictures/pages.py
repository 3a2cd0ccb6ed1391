"""The bytes of a picture file -> the pixels of each of its pages or frames; it must not open files or scale numbers."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import av.error
import cv2
import numpy as np
from av.codec import CodecContext

from handlens.io.pictures.depth import Pixels
from handlens.io.pictures.header import Header, read_header, tiff_pages
from handlens.io.pictures.heif import Heif
from handlens.io.pictures.quiet import quiet_opencv
from handlens.io.upright import Upright, turn

_AT_ONCE = 256 << 20  # bytes of an animation's frames that may be held at a time
_OPENCV_KNOWS = frozenset({"JPEG", "PNG", "WebP", "TIFF", "BMP"})  # what it refuses of these is damaged
_LINEAR = frozenset({".exr", ".hdr", ".pic", ".pfm"})


@dataclass(frozen=True)
class Pages:
    """The pages of one file: each call of `read` gives them again, in OpenCV's order of colours (BGR, BGRA, grey).

    Attributes:
        count: How many, as far as the header says.
        top: The number that is white, or 0 where that is not stated.
        linear: Whether the numbers are light.
        orientation: EXIF's, still to be applied to each.
    """

    read: Callable[[], Iterator["Page"]]
    count: int = 1
    top: int = 0
    linear: bool = False
    orientation: int = 1


@dataclass(frozen=True)
class Page:
    """One page: its pixels; for a frame of an animation its time and duration in seconds, else 0."""

    pixels: Pixels
    time: float = 0.0
    duration: float = 0.0


def find_pages(data: bytes, name: str, header: Header) -> Pages:
    """Return the pages of a picture file; what cannot be decoded is found out when they are read.

    Raises:
        HeifError: a HEIC or AVIF file contradicts itself.
    """
    ending = Path(name).suffix.lower()
    if header.kind == "HEIF":
        return _heif_pages(data)
    if header.kind == "TIFF":
        numbers = tiff_pages(data)
        if len(numbers) > 1:
            return Pages(lambda: _tiff(data, numbers), len(numbers), header.top)
    if header.frames > 1:
        return Pages(lambda: _animation(data, header), header.frames, header.top, orientation=header.orientation)
    if header.kind == "JPEG" and ending in (".mpo", ".jps") and len(header.parts) > 1:
        return Pages(lambda: _jpegs(data, header), len(header.parts))
    return Pages(lambda: _one(data, ending, header), 1, header.top, ending in _LINEAR, header.orientation)


def decode(data: bytes) -> Pixels | None:
    """Return the pixels that OpenCV finds in these bytes, or None."""
    with quiet_opencv():  # bytes and not a path: OpenCV cannot open every path on every system
        return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)


def jpeg_pixels(data: bytes) -> Pixels | None:
    """Return the pixels that FFmpeg finds in a JPEG, or None; unlike OpenCV it writes nothing to the terminal."""
    try:
        context: Any = CodecContext.create("mjpeg", "r")
        context.thread_count = 1
        pictures = context.decode(av.Packet(data))
        return np.asarray(pictures[0].to_ndarray(format="rgb24")) if pictures else None
    except (av.error.FFmpegError, ValueError, MemoryError):
        return None


def _one(data: bytes, ending: str, header: Header) -> Iterator[Page]:
    pixels = decode(data)
    if pixels is None and header.kind not in _OPENCV_KNOWS:
        pixels = _by_ffmpeg(data, ending)
    if pixels is not None:
        yield Page(pixels)


def _tiff(data: bytes, numbers: list[int]) -> Iterator[Page]:
    buffer = np.frombuffer(data, np.uint8)
    for number in numbers:
        with quiet_opencv():
            good, pages = cv2.imdecodemulti(buffer, cv2.IMREAD_UNCHANGED, range=(number, number + 1))
        if not good or not pages:
            return
        yield Page(pages[0])


def _animation(data: bytes, header: Header) -> Iterator[Page]:
    buffer = np.frombuffer(data, np.uint8)
    chunk = max(1, _AT_ONCE // max(1, header.width * header.height * 4))
    time = 0.0
    for start in range(0, header.frames, chunk):
        with quiet_opencv():
            good, film = cv2.imdecodeanimation(buffer, start, min(chunk, header.frames - start))
        if not good:
            return
        for pixels, milliseconds in zip(film.frames, film.durations, strict=False):
            duration = max(0, int(milliseconds)) / 1000
            yield Page(pixels, time, duration)
            time += duration


def _jpegs(data: bytes, header: Header) -> Iterator[Page]:
    for start, length in header.parts:
        part = data[start : start + length]
        pixels: Any = decode(part)
        if pixels is None:
            return
        yield Page(turn(pixels, read_header(part).orientation))


def _heif_pages(data: bytes) -> Pages:
    heif = Heif(data)
    numbers = heif.pictures
    sequence = _sequence(data)
    if sequence is not None:
        return Pages(lambda: _film(data, sequence), 2)
    return Pages(lambda: _stills(heif, numbers, data), len(numbers), heif.top(numbers[0]))


def _stills(heif: Heif, numbers: list[int], data: bytes) -> Iterator[Page]:
    for place, number in enumerate(numbers):
        if place == 0 and heif.is_avif(number):  # OpenCV knows its transparency, but does not turn it
            pixels = decode(data)
            if pixels is not None:
                yield Page(heif.turn(number, pixels))
                continue
        yield Page(heif.decode(number)[..., ::-1])


def _sequence(data: bytes) -> int | None:
    """Return the number of the stream that holds an image sequence of several frames, or None."""
    if b"moov" not in data:
        return None
    try:
        with av.open(io.BytesIO(data)) as container:
            most = max(container.streams.video, key=lambda stream: stream.frames, default=None)
            return most.index if most is not None and most.frames > 1 else None
    except av.error.FFmpegError:
        return None


def _film(data: bytes, number: int) -> Iterator[Page]:
    with av.open(io.BytesIO(data), "r") as container:
        stream: Any = container.streams[number]
        stream.codec_context.thread_count = 1
        upright = Upright(stream.sample_aspect_ratio)
        first: Any = None
        for picture in container.decode(stream):
            base = float(stream.time_base)
            first = picture.pts if first is None else first
            duration = (getattr(picture, "duration", 0) or 0) * base
            yield Page(upright(picture)[..., ::-1], ((picture.pts or 0) - (first or 0)) * base, duration)


def _by_ffmpeg(data: bytes, ending: str) -> Pixels | None:
    """Return what FFmpeg's decoders of pictures make of the bytes, or None; they know more kinds than OpenCV."""
    try:
        if ending == ".tga":  # a kind without a mark at its beginning
            context: Any = CodecContext.create("targa", "r")
            pictures: list[Any] = context.decode(av.Packet(data))
        else:
            with av.open(io.BytesIO(data), "r") as container:
                if not container.format.name.endswith("_pipe"):
                    return None
                pictures = [next(container.decode(video=0))]
    except (av.error.FFmpegError, StopIteration, ValueError, IndexError):
        return None
    if not pictures:
        return None
    picture = pictures[0]
    if "f32" in picture.format.name:
        floats = picture.to_ndarray()
        if floats.ndim == 2:
            return np.asarray(floats)
        order = [2, 1, 0, *range(3, floats.shape[2])]
        return np.ascontiguousarray(floats[..., order])
    return Upright()(picture)[..., ::-1]
