"""Picture files -> RGB in the way a person sees them; it must not know videos, models or results."""

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from handlens.errors import FrameError
from handlens.io.pictures.depth import Pixels, Span, span_of, to_8_bits
from handlens.io.pictures.header import Header, ends_in_scan, png_parts, read_header
from handlens.io.pictures.heif import HeifError
from handlens.io.pictures.pages import Page, Pages, find_pages, jpeg_pixels
from handlens.io.reading import Remark, silent
from handlens.io.upright import on_white, turn
from handlens.types import Image

MAX_MEGAPIXELS = 400  # 1.2 GB as RGB, 2.4 GB for a moment while it is turned

_END_OF_JPEG = b"\xff\xd9"
_END_OF_PNG = b"\0\0\0\0IEND\xaeB`\x82"
_NOISE = bytes((37 * number * number + 101 * number) % 251 for number in range(4096))  # any pixels, but no 0xFF
_FILLERS = (b"\xfe" + _NOISE, b"\x55" + _NOISE, b"\xaa" + _NOISE)  # they differ from each other in the first bits


@dataclass(frozen=True, eq=False)
class Picture:
    """One page of a picture file: (H, W, 3) uint8 RGB; time and duration in seconds where it is animated, else 0."""

    image: Image
    time: float = 0.0
    duration: float = 0.0


def read_picture(path: str, remark: Remark = silent) -> Image:
    """Return (H, W, 3) uint8 RGB of the first page of a picture file, as `read_pictures` does.

    Raises:
        FrameError: the file cannot be read, is not a picture, is cut off, or has more than 400 megapixels.
    """
    return decode_picture(_bytes(path), path, remark)


def decode_picture(data: bytes, name: str, remark: Remark = silent) -> Image:
    """Return the picture in these bytes as `read_picture` does; `name` is for the sentences.

    Raises:
        FrameError: as `read_picture`.
    """
    return next(decode_pictures(data, name, remark, most=1)).image


def read_pictures(path: str, remark: Remark = silent) -> Iterator[Picture]:
    """Yield the pages or frames of a picture file, at least one.

    EXIF orientation is applied, grey is spread, alpha is laid on white, and other depths are scaled to 8 bits by what
    is in them.

    Args:
        remark: Told what is worth saying, as the end of a sentence: "holds 12 bits in 16: 4095 is white".

    Raises:
        FrameError: as `read_picture`; also after some pages, where a later one is damaged.
    """
    yield from decode_pictures(_bytes(path), path, remark)


def decode_pictures(data: bytes, name: str, remark: Remark = silent, most: int | None = None) -> Iterator[Picture]:
    """Yield the pages in these bytes as `read_pictures` does, at most `most`; `name` is for the sentences.

    Raises:
        FrameError: as `read_pictures`.
    """
    header = read_header(data)
    if not header.complete:
        data, header = _mended(data, header, remark)
    _check(header, len(data), name)
    count = 0
    try:
        pages = find_pages(data, name, header)
        span = _span(pages, most)
        for page in pages.read():
            yield _finished(page, pages, span, len(data), name, remark if count == 0 else silent)
            count += 1
            if count == most:
                return
    except HeifError as error:
        raise FrameError(f"'{name}' cannot be decoded: {error}.") from error
    except (cv2.error, MemoryError) as error:
        raise FrameError(f"'{name}' cannot be decoded: {_first_line(error)}.") from error
    if count == 0:
        raise FrameError(_no_picture(name, header))
    if count < pages.count and most is None:
        raise FrameError(f"'{name}' is damaged: {count} of its {pages.count} pages could be read.")


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise FrameError(f"'{path}' cannot be read: {error.strerror or error}.") from error


def _span(pages: Pages, most: int | None) -> Span | None:
    """Return what the numbers of all pages reach; None where they are 8 bits, or where each page is measured alone."""
    if pages.count == 1 or most == 1:
        return None
    span: Span | None = None
    for page in pages.read():
        if page.pixels.dtype == np.uint8:
            return None
        found = span_of(page.pixels)
        span = found if span is None else span.joined(found)
    return span


def _finished(page: Page, pages: Pages, span: Span | None, size: int, name: str, remark: Remark) -> Picture:
    pixels = page.pixels
    _check(Header("", pixels.shape[1], pixels.shape[0]), size, name)
    if pixels.dtype == np.uint8 and not pages.top:
        image: Pixels = pixels
    else:
        image, note = to_8_bits(pixels, span or span_of(pixels), pages.top, pages.linear)
        if note:
            remark(note)
    upright = np.ascontiguousarray(turn(_to_rgb(np.asarray(image, np.uint8)), pages.orientation))
    return Picture(upright, page.time, page.duration)


def _mended(data: bytes, header: Header, remark: Remark) -> tuple[bytes, Header]:
    """Return the data with an end, where nothing but the end is missing; else as they are."""
    mended = None
    if header.kind == "JPEG":
        mended = _ended_jpeg(data)
    elif header.kind == "PNG":
        mended = _ended_png(data)
    if mended is None:
        return data, header
    remark("lacks its end marker, but all rows of the picture are there")
    return mended, read_header(mended)


def _ended_jpeg(data: bytes) -> bytes | None:
    """Return a JPEG with an end marker if all its rows are there.

    What follows the last pixel changes nothing. Where pixels are missing, the decoder takes what follows for them: then
    other bytes give another picture.
    """
    found = None
    for end in (data.rstrip(b"\0\xff"), data.rstrip(b"\xff")):  # some cameras fill the file up with zeros
        found = found or _complete(end)
    return found


def _complete(data: bytes) -> bytes | None:
    plain = data + _END_OF_JPEG
    if not read_header(plain).complete or not ends_in_scan(data):
        return None
    pixels = jpeg_pixels(plain)
    if pixels is None:
        return None
    for filler in _FILLERS:
        others = jpeg_pixels(data + filler + _END_OF_JPEG)
        if others is None or not np.array_equal(pixels, others):
            return None
    return plain


def _ended_png(data: bytes) -> bytes | None:
    """Return a PNG with an end chunk if its stream of pixels is complete."""
    stream = zlib.decompressobj()
    end = 0
    try:
        for kind, start, stop in png_parts(data):
            if kind == b"IDAT":
                rest = data[start:stop]
                while rest and not stream.eof:
                    stream.decompress(rest, 1 << 20)
                    rest = stream.unconsumed_tail
            end = stop + 4  # the checksum
    except zlib.error:
        return None
    return data[:end] + _END_OF_PNG if stream.eof else None


def _no_picture(name: str, header: Header) -> str:
    if header.kind == "JPEG XL":
        return f"'{name}' is a JPEG XL, for which there is no decoder here: convert it to JPEG or PNG."
    what = f"a damaged {header.kind}" if header.kind else "not a picture"
    return f"'{name}' is {what} or of a kind that cannot be read; JPEG, PNG, WebP, BMP, TIFF and HEIC can."


def _check(header: Header, size: int, name: str) -> None:
    if size == 0:
        raise FrameError(f"'{name}' is empty: it has 0 bytes.")
    if not header.complete:
        raise FrameError(f"'{name}' is cut off: the end of the {header.kind or 'picture'} is missing.")
    megapixels = header.width * header.height / 1e6
    if megapixels > MAX_MEGAPIXELS:
        raise FrameError(
            f"'{name}' has {header.width} x {header.height} pixels ({megapixels:.0f} megapixels);"
            f" at most {MAX_MEGAPIXELS} can be read: make it smaller."
        )


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or ["not enough memory"])[0][:200]


def _to_rgb(image: Image) -> Image:
    """Return (H, W, 3) uint8 RGB of 1 to 4 channels in OpenCV's order."""
    channels = 1 if image.ndim == 2 else image.shape[2]
    if channels == 1:
        return np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), np.uint8)
    if channels == 2:
        return on_white(np.dstack([image[..., 0]] * 3 + [image[..., 1]]))
    if channels == 4:
        return on_white(np.asarray(cv2.cvtColor(image, cv2.COLOR_BGRA2RGBA), np.uint8))
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), np.uint8)
