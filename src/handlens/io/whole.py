"""Whether a video file is as long as its own boxes say; it must not decode anything.

FFmpeg ends quietly where a Matroska or AVI file was cut off; the lengths written in the file tell.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO


def is_whole(path: str) -> bool:
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
