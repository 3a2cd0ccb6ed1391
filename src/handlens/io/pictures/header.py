"""The size, orientation and completeness of a picture, from its bytes; it must not decode pixels or open files."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ORIENTATION, _WIDTH, _HEIGHT, _WHITE, _SUBFILE = 274, 256, 257, 281, 254  # TIFF tags
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_HEIF_BRANDS = frozenset(
    {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"mif2", b"msf1", b"avif", b"avis"}
)
_MOST_PAGES = 100000
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # JPEG markers without a length


@dataclass(frozen=True)
class Header:
    """What the bytes say of a picture.

    Attributes:
        kind: "" where it is not known.
        width, height: In pixels as stored, 0 where they are not known.
        orientation: EXIF's.
        whole: Whether its end is there.
        frames: Of an animation.
        top: The number that is white, where that is stated and is not the largest of the type, else 0.
        parts: (start, length) of each picture of an .mpo file.
    """

    kind: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    complete: bool = True
    frames: int = 1
    top: int = 0
    parts: tuple[tuple[int, int], ...] = ()


def read_header(data: bytes) -> Header:
    """Return the header of a picture; of what is not known an empty one. Never raises."""
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            tags = tiff_tags(data)  # OpenCV turns TIFF pictures itself
            top = tags.get(_WHITE, 0)
            return Header("TIFF", tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0), top=top if 0 < top < 0xFFFF else 0)
        if data[:4] in (b"II+\0", b"MM\0+"):
            return Header("TIFF")
        if data[4:8] == b"ftyp" and {data[place : place + 4] for place in (8, *range(16, 64, 4))} & _HEIF_BRANDS:
            return Header("HEIF", complete=_boxes_fit(data))
        if data[:2] == b"\xff\x0a" or data[:12] == b"\0\0\0\x0cJXL \r\n\x87\n":
            return Header("JPEG XL")
        if data[:12] == b"\0\0\0\x0cjP  \r\n\x87\n" or data[:4] == b"\xff\x4f\xff\x51":
            return _jpeg_2000(data)
        if data[:1] == b"P" and data[1:2] in b"2356" and data[2:3].isspace():
            return _pnm(data)
        if data[:2] == b"BM" and len(data) >= 26:
            width, height = struct.unpack_from("<ii", data, 18)
            return Header("BMP", abs(width), abs(height))
    except (struct.error, IndexError):
        return Header(data[:4].decode("latin-1"), complete=False)
    return Header()


def tiff_tags(block: bytes) -> dict[int, int]:
    """Return the short and long tags of a TIFF block's first directory; an EXIF block is one."""
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None or len(block) < 8:
        return {}
    (start,) = struct.unpack_from(order + "I", block, 4)
    tags: dict[int, int] = {}
    try:
        (count,) = struct.unpack_from(order + "H", block, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", block, place)
            if kind in (3, 4):
                (tags[tag],) = struct.unpack_from(order + ("H" if kind == 3 else "I"), block, place + 8)
    except struct.error:
        pass
    return tags


def tiff_pages(data: bytes) -> list[int]:
    """Return the numbers of the directories of a TIFF that are pages: thumbnails and masks are none."""
    order = "<" if data[:2] == b"II" else ">"
    big = data[2:4] in (b"+\0", b"\0+")
    pages: list[int] = []
    seen: set[int] = set()
    try:
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        while start and start not in seen and len(seen) < _MOST_PAGES:
            number = len(seen)
            seen.add(start)
            (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
            first, size = start + (8 if big else 2), 20 if big else 12
            if not _is_lesser(data, order, first, size, count):
                pages.append(number)
            (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, first + size * count)
    except struct.error:
        pass
    return pages or [0]


def _is_lesser(data: bytes, order: str, first: int, size: int, count: int) -> bool:
    """Return whether a directory says that it is a smaller copy of another, or its mask."""
    for place in range(first, first + size * min(count, 4096), size):
        (tag,) = struct.unpack_from(order + "H", data, place)
        if tag == _SUBFILE:
            (kind,) = struct.unpack_from(order + "I", data, place + size - (8 if size == 20 else 4))
            return bool(kind & 5)
    return False


def _jpeg_2000(data: bytes) -> Header:
    place = data.find(b"\xff\x4f\xff\x51")
    if place < 0:
        return Header("JPEG 2000", complete=False)
    right, lower, left, upper = struct.unpack_from(">4I", data, place + 8)
    depth = (data[place + 42] & 0x7F) + 1
    top = (1 << depth) - 1 if depth not in (8, 16) and depth < 16 else 0
    return Header("JPEG 2000", right - left, lower - upper, top=top)


def _pnm(data: bytes) -> Header:
    found = re.match(rb"P[2356](?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)(?:\s+|#[^\n]*\n)+(\d+)", data[:4096])
    if found is None:
        return Header("PNM", complete=False)
    width, height, top = map(int, found.groups())
    return Header("PNM", width, height, top=0 if top in (255, 0xFFFF) else top)


def _boxes_fit(data: bytes) -> bool:
    place = 0
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(">I", data, place)
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, place + 8)
        if length == 0:
            return True
        if length < 8 or place + length > len(data):
            return False
        place += length
    return True


def _parts(index: bytes, base: int, size: int) -> tuple[tuple[int, int], ...]:
    """Return (start, length) of the pictures that an index of CIPA DC-007 lists, but for thumbnails."""
    order = "<" if index[:2] == b"II" else ">"
    parts = []
    (start,) = struct.unpack_from(order + "I", index, 4)
    (count,) = struct.unpack_from(order + "H", index, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        tag, _, length, offset = struct.unpack_from(order + "HHII", index, place)
        if tag != 0xB002:
            continue
        for entry in range(offset, offset + length, 16):
            kind, extent, begin = struct.unpack_from(order + "III", index, entry)
            begin = begin + base if begin else 0  # the first one is counted from the start of the file
            if kind >> 16 & 0xFF != 1 and begin + extent <= size:
                parts.append((begin, extent))
    return tuple(parts)


def _turn(exif: bytes) -> int:
    block = exif[6:] if exif[:6] == b"Exif\0\0" else exif
    orientation = tiff_tags(block).get(_ORIENTATION, 1)
    return orientation if 1 <= orientation <= 8 else 1


def _jpeg(data: bytes) -> Header:
    place, width, height, turn = 2, 0, 0, 1
    parts: tuple[tuple[int, int], ...] = ()
    while place + 4 <= len(data):
        if data[place] != 0xFF:
            place = data.find(b"\xff", place)  # rubbish between segments is legal enough to be read by all
            if place < 0:
                break
            continue
        marker = data[place + 1]
        if marker == 0xFF or marker in _BARE:
            place += 1 if marker == 0xFF else 2
            continue
        if marker == 0xDA:  # the pixels: within them FF D9 can only be the end
            return Header("JPEG", width, height, turn, data.find(b"\xff\xd9", place) >= 0, parts=parts)
        (length,) = struct.unpack_from(">H", data, place + 2)
        body = data[place + 4 : place + 2 + length]
        if marker == 0xF7:  # JPEG-LS
            height, width = struct.unpack_from(">HH", body, 1)
            return Header("JPEG-LS", width, height, turn)
        if marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", body, 1)
        elif marker == 0xE1 and body[:6] == b"Exif\0\0":
            turn = _turn(body)
        elif marker == 0xE2 and body[:4] == b"MPF\0":
            parts = _parts(body[4:], place + 8, len(data))
        place += 2 + length
    return Header("JPEG", width, height, turn, complete=False)


def ends_in_scan(data: bytes) -> bool:
    """Return whether a JPEG without an end stops among pixels, and not within a table or before a scan."""
    place, in_scan = 2, False
    while (place := data.find(b"\xff", place)) >= 0:
        if place + 1 >= len(data):
            return False
        marker = data[place + 1]
        if marker in (0, 0xFF) or marker in _BARE:  # a pixel's 0xFF, padding, a restart
            place += 1 if marker == 0xFF else 2
            continue
        if place + 4 > len(data):
            return False
        (length,) = struct.unpack_from(">H", data, place + 2)
        place += 2 + length
        in_scan = marker == 0xDA
        if place > len(data):
            return False
    return in_scan


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    turn, frames, drawn = 1, 1, False
    for kind, start, stop in png_parts(data):
        drawn = drawn or kind == b"IDAT"
        if kind == b"eXIf":
            turn = _turn(data[start:stop])
        if kind == b"acTL" and not drawn:
            frames = max(1, int.from_bytes(data[start : start + 4], "big"))
        if kind == b"IEND":
            return Header("PNG", width, height, turn, frames=frames)
    return Header("PNG", width, height, turn, complete=False)


def png_parts(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, stop) of the body of each chunk of a PNG that is there as a whole."""
    yield from _chunks(data, 8, ">", tail=4, padded=False)


def _webp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 4)
    width, height, turn, frames = 0, 0, 1, 0
    for kind, start, stop in _chunks(data, 12, "<", tail=0, padded=True):
        body = data[start : min(stop, start + 16)] if kind != b"EXIF" else data[start:stop]
        frames += kind == b"ANMF"
        if kind == b"VP8X":
            width = 1 + int.from_bytes(body[4:7], "little")
            height = 1 + int.from_bytes(body[7:10], "little")
        elif kind == b"VP8 " and not width:
            width, height = (value & 0x3FFF for value in struct.unpack_from("<HH", body, 6))
        elif kind == b"VP8L" and not width:
            bits = int.from_bytes(body[1:5], "little")
            width, height = 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
        elif kind == b"EXIF":
            turn = _turn(body)
    return Header("WebP", width, height, turn, complete=size + 8 <= len(data), frames=max(1, frames))


def _chunks(data: bytes, place: int, order: str, tail: int, padded: bool) -> Iterator[tuple[bytes, int, int]]:
    """Yield (kind, start, stop) of each complete chunk: PNG: length, kind, body, checksum; RIFF: kind, length, body."""
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(order + "I", data, place if order == ">" else place + 4)
        kind = data[place + 4 : place + 8] if order == ">" else data[place : place + 4]
        end = place + 8 + length
        if end + tail > len(data):
            return
        yield kind, place + 8, end
        place = end + tail + (length & 1 if padded else 0)
