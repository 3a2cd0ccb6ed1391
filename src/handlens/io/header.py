"""The size, orientation and completeness of a picture, from its bytes; it must not decode pixels or open files."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_ORIENTATION, _WIDTH, _HEIGHT = 274, 256, 257  # TIFF tags
_START_OF_FRAME = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_BARE = frozenset({0x01, *range(0xD0, 0xD8)})  # JPEG markers without a length


@dataclass(frozen=True)
class Header:
    """What the first bytes say: kind ("" unknown), size in pixels as stored (0 unknown), EXIF orientation, complete."""

    kind: str = ""
    width: int = 0
    height: int = 0
    orientation: int = 1
    whole: bool = True


def read_header(data: bytes) -> Header:
    """Return the header of a JPEG, PNG, WebP, BMP or TIFF; of anything else an empty one. Never raises."""
    try:
        if data[:2] == b"\xff\xd8":
            return _jpeg(data)
        if data[:8] == b"\x89PNG\r\n\x1a\n":
            return _png(data)
        if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
            return _webp(data)
        if data[:4] in (b"II*\0", b"MM\0*"):
            tags = tiff_tags(data)  # OpenCV turns TIFF pictures itself
            return Header("TIFF", tags.get(_WIDTH, 0), tags.get(_HEIGHT, 0))
        if data[:2] == b"BM" and len(data) >= 26:
            width, height = struct.unpack_from("<ii", data, 18)
            return Header("BMP", abs(width), abs(height))
    except (struct.error, IndexError):
        return Header(data[:4].decode("latin-1"), whole=False)
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


def _turn(exif: bytes) -> int:
    block = exif[6:] if exif[:6] == b"Exif\0\0" else exif
    orientation = tiff_tags(block).get(_ORIENTATION, 1)
    return orientation if 1 <= orientation <= 8 else 1


def _jpeg(data: bytes) -> Header:
    place, width, height, turn = 2, 0, 0, 1
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
            return Header("JPEG", width, height, turn, data.find(b"\xff\xd9", place) >= 0)
        (length,) = struct.unpack_from(">H", data, place + 2)
        body = data[place + 4 : place + 2 + length]
        if marker in _START_OF_FRAME:
            height, width = struct.unpack_from(">HH", body, 1)
        elif marker == 0xE1 and body[:6] == b"Exif\0\0":
            turn = _turn(body)
        place += 2 + length
    return Header("JPEG", width, height, turn, whole=False)


def _png(data: bytes) -> Header:
    width, height = struct.unpack_from(">II", data, 16)
    turn = 1
    for kind, body in _chunks(data, 8, ">", tail=4, padded=False):
        if kind == b"eXIf":
            turn = _turn(body)
        if kind == b"IEND":
            return Header("PNG", width, height, turn)
    return Header("PNG", width, height, turn, whole=False)


def _webp(data: bytes) -> Header:
    (size,) = struct.unpack_from("<I", data, 4)
    width, height, turn = 0, 0, 1
    for kind, body in _chunks(data, 12, "<", tail=0, padded=True):
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
    return Header("WebP", width, height, turn, whole=size + 8 <= len(data))


def _chunks(data: bytes, place: int, order: str, tail: int, padded: bool) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, body) of each complete chunk: PNG has length, kind, body, checksum; RIFF has kind, length, body."""
    while place + 8 <= len(data):
        (length,) = struct.unpack_from(order + "I", data, place if order == ">" else place + 4)
        kind = data[place + 4 : place + 8] if order == ">" else data[place : place + 4]
        end = place + 8 + length
        if end + tail > len(data):
            return
        yield kind, data[place + 8 : end]
        place = end + tail + (length & 1 if padded else 0)
