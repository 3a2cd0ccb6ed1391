"""HEIC and AVIF files: their items, tiles and orientation (ISO 23008-12); it must not open files or know results.

FFmpeg's reader of these files gives the tiles of a large picture one by one, and OpenCV reads AVIF only and does not
turn it. Here the boxes of the file say which tiles make the picture; FFmpeg's decoder, inside PyAV, decodes each.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import av
import av.error
import numpy as np
from av.codec import CodecContext

from handlens.io.upright import Upright
from handlens.types import Image

_CODECS = {b"hvc1": ("hevc", b"hvcC"), b"hev1": ("hevc", b"hvcC"), b"av01": ("libdav1d", b"av1C")}
_PICTURES = frozenset({*_CODECS, b"grid", b"iden"})
_MATRICES = frozenset({1, 5, 6, 7, 9})  # of colours; FFmpeg converts these
_DEEPEST = 4  # derived pictures of derived pictures
_MOST_ITEMS = 10000


class HeifError(Exception):
    """The boxes of a file contradict each other, or ask for what is not known here; its text says what."""


@dataclass
class _Item:
    kind: bytes = b""
    hidden: bool = False
    parts: list[tuple[int, int]] = field(default_factory=list)  # (offset, length) in the file, or in `idat`
    in_idat: bool = False
    properties: list[tuple[bytes, bytes]] = field(default_factory=list)
    made_of: list[int] = field(default_factory=list)


class Heif:
    """The still pictures of a HEIC or AVIF file, in order: the main one first; thumbnails, tiles and depth are none.

    Raises:
        HeifError: this is not such a file, or a damaged one.
    """

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._items: dict[int, _Item] = {}
        self._idat = b""
        self._main = 0
        self._inner: set[int] = set()  # items that belong to others
        try:
            self._read()
        except (struct.error, IndexError, KeyError) as error:
            raise HeifError("its boxes are damaged") from error
        if self._main not in self._items:
            raise HeifError("it names no main picture")

    @property
    def pictures(self) -> list[int]:
        """The numbers of the items that are pictures of their own."""
        others = [
            number
            for number, item in self._items.items()
            if item.kind in _PICTURES and not item.hidden and number not in self._inner and number != self._main
        ]
        return [self._main, *others]

    def size(self, number: int) -> tuple[int, int]:
        """Return (width, height) as stored, before it is turned; 0 where the file does not say."""
        for kind, body in self._items[number].properties:
            if kind == b"ispe":
                return struct.unpack_from(">II", body, 4)
        return 0, 0

    def is_avif(self, number: int) -> bool:
        """Return whether an item is AV1, or made of it."""
        item = self._items[number]
        inner = item.made_of[0] if item.made_of else number
        return self._items.get(inner, item).kind == b"av01"

    def top(self, number: int) -> int:
        """Return the number that is white where an AV1 item has more than 8 bits, else 0."""
        item = self._items[number]
        inner = self._items.get(item.made_of[0], item) if item.made_of else item
        flags = dict(inner.properties).get(b"av1C", b"\0\0\0")[2]
        return (4095 if flags & 0x20 else 1023) if flags & 0x40 else 0

    def decode(self, number: int) -> Image:
        """Return (H, W, 3) uint8 RGB of an item, turned as the file says.

        Raises:
            HeifError: it cannot be decoded.
        """
        try:
            return np.asarray(self.turn(number, self._decoded(number, 0)), np.uint8)
        except (struct.error, IndexError, KeyError) as error:
            raise HeifError("its boxes are damaged") from error
        except (av.error.FFmpegError, ValueError) as error:
            raise HeifError("its pixels are damaged") from error

    def turn(self, number: int, image: Any) -> Any:
        """Return the pixels cropped, turned and mirrored by the properties of an item, in their order."""
        for kind, body in self._items[number].properties:
            if kind == b"clap":
                image = _cropped(image, body)
            elif kind == b"irot":
                image = np.rot90(image, body[0] & 3)  # counter-clockwise
            elif kind == b"imir":
                image = image[:, ::-1] if body[0] & 1 else image[::-1]
        return np.ascontiguousarray(image)

    def _decoded(self, number: int, depth: int) -> Image:
        item = self._items[number]
        if depth > _DEEPEST:
            raise HeifError("its pictures refer to each other")
        if item.kind in _CODECS:
            return _decode(item.kind, self._bytes(item), dict(item.properties))
        if item.kind == b"iden" and item.made_of:
            inner = item.made_of[0]
            return np.asarray(self.turn(inner, self._decoded(inner, depth + 1)), np.uint8)
        if item.kind == b"grid":
            return self._grid(item, depth)
        raise HeifError(f"its picture is of the kind '{item.kind.decode('latin-1')}', which cannot be decoded here")

    def _grid(self, item: _Item, depth: int) -> Image:
        data = self._bytes(item)
        rows, columns = data[2] + 1, data[3] + 1
        width, height = struct.unpack_from(">II" if data[1] & 1 else ">HH", data, 4)
        if len(item.made_of) != rows * columns:
            raise HeifError(f"{rows * columns} tiles make its picture, but {len(item.made_of)} are there")
        canvas: Image = np.zeros((height, width, 3), np.uint8)
        for place, number in enumerate(item.made_of):
            tile = self.turn(number, self._decoded(number, depth + 1))
            top, left = place // columns * tile.shape[0], place % columns * tile.shape[1]
            part = canvas[top : top + tile.shape[0], left : left + tile.shape[1]]
            part[:] = tile[: part.shape[0], : part.shape[1]]
        return canvas

    def _bytes(self, item: _Item) -> bytes:
        source = self._idat if item.in_idat else self._data
        pieces = []
        for offset, length in item.parts:
            piece = source[offset : offset + length] if length else source[offset:]
            if len(piece) < length:
                raise HeifError("it is cut off")
            pieces.append(piece)
        if not pieces:
            raise HeifError("the pixels of its picture are not in the file")
        return b"".join(pieces)

    def _read(self) -> None:
        meta = next((body for kind, body in _boxes(self._data) if kind == b"meta"), None)
        if meta is None:
            raise HeifError("it holds no picture")
        properties: list[tuple[bytes, bytes]] = []
        for kind, body in _boxes(meta[4:]):
            if kind == b"pitm":
                (self._main,) = struct.unpack_from(">I" if body[0] else ">H", body, 4)
            elif kind == b"iinf":
                self._read_kinds(body)
            elif kind == b"iloc":
                self._read_places(body)
            elif kind == b"iref":
                self._read_references(body)
            elif kind == b"idat":
                self._idat = body
            elif kind == b"iprp":
                inner = list(_boxes(body))
                properties = [each for kind, body in inner if kind == b"ipco" for each in _boxes(body)]
                for kind, body in inner:
                    if kind == b"ipma":
                        self._read_owners(body, properties)

    def _item(self, number: int) -> _Item:
        if len(self._items) > _MOST_ITEMS:
            raise HeifError("it claims to hold more pictures than can be")
        return self._items.setdefault(number, _Item())

    def _read_kinds(self, body: bytes) -> None:
        for kind, entry in _boxes(body[6 if body[0] == 0 else 8 :]):
            if kind == b"infe" and entry[0] >= 2:
                number, place = (
                    (struct.unpack_from(">H", entry, 4)[0], 6)
                    if entry[0] == 2
                    else (struct.unpack_from(">I", entry, 4)[0], 8)
                )
                item = self._item(number)
                item.kind, item.hidden = entry[place + 2 : place + 6], bool(entry[3] & 1)

    def _read_places(self, body: bytes) -> None:
        version = body[0]
        sizes = body[4] >> 4, body[4] & 15, body[5] >> 4, body[5] & 15
        offset_size, length_size, base_size, index_size = sizes
        numbers = _Numbers(body, 6)
        wide = 4 if version == 2 else 2
        for _ in range(numbers.take(wide)):
            item = self._item(numbers.take(wide))
            if version:
                item.in_idat = numbers.take(2) & 15 == 1
            numbers.take(2)
            base = numbers.take(base_size)
            for _ in range(numbers.take(2)):
                numbers.take(index_size if version else 0)
                offset = base + numbers.take(offset_size)
                item.parts.append((offset, numbers.take(length_size)))

    def _read_references(self, body: bytes) -> None:
        wide = 4 if body[0] else 2
        for kind, entry in _boxes(body[4:]):
            numbers = _Numbers(entry, 0)
            source = numbers.take(wide)
            targets = [numbers.take(wide) for _ in range(numbers.take(2))]
            if kind == b"dimg":
                self._item(source).made_of = targets
                self._inner.update(targets)
            elif kind in (b"thmb", b"auxl", b"cdsc", b"base"):
                self._inner.add(source)

    def _read_owners(self, body: bytes, properties: list[tuple[bytes, bytes]]) -> None:
        numbers = _Numbers(body, 4)
        for _ in range(numbers.take(4)):
            item = self._item(numbers.take(4 if body[0] else 2))
            for _ in range(numbers.take(1)):
                index = numbers.take(2) & 0x7FFF if body[3] & 1 else numbers.take(1) & 0x7F
                if 0 < index <= len(properties):
                    item.properties.append(properties[index - 1])


class _Numbers:
    """Takes numbers of given sizes, one after the other."""

    def __init__(self, data: bytes, place: int) -> None:
        self._data, self._place = data, place

    def take(self, size: int) -> int:
        """Return the next number of `size` bytes; 0 for no bytes."""
        end = self._place + size
        if end > len(self._data):
            raise IndexError
        number = int.from_bytes(self._data[self._place : end], "big")
        self._place = end
        return number


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, body) of each box; one that is longer than the data ends with it."""
    place = 0
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        head = 8
        if length == 1:
            (length,) = struct.unpack_from(">Q", data, place + 8)
            head = 16
        elif length == 0:
            length = len(data) - place
        if length < head:
            return
        yield kind, data[place + head : place + length]
        place += length


def _decode(kind: bytes, data: bytes, properties: dict[bytes, bytes]) -> Image:
    codec, header = _CODECS[kind]
    context: Any = CodecContext.create(codec, "r")
    context.thread_count = 1
    if codec == "hevc":
        context.extradata = properties[header]
    pictures = [*context.decode(av.Packet(data)), *context.decode(None)]
    if not pictures:
        raise HeifError("its pixels are damaged")
    picture = pictures[0]
    if picture.is_corrupt:
        raise HeifError("its pixels are damaged")
    colours = properties.get(b"colr", b"")
    if colours[:4] == b"nclx" and len(colours) >= 11:
        matrix = int.from_bytes(colours[8:10], "big")
        if matrix in _MATRICES:
            picture.colorspace = matrix
        picture.color_range = 2 if colours[10] & 0x80 else 1
    return Upright()(picture)


def _cropped(image: Any, body: bytes) -> Any:
    """Return the clean aperture: its size, and the shift of its centre, as fractions."""
    wide, wide_by, high, high_by, x, x_by, y, y_by = struct.unpack_from(">8i", body)
    height, width = image.shape[:2]
    if not (wide_by and high_by and x_by and y_by):
        return image
    to_width, to_height = round(wide / wide_by), round(high / high_by)
    left = round((width - to_width) / 2 + x / x_by)
    top = round((height - to_height) / 2 + y / y_by)
    if not (left >= 0 and top >= 0 and 0 < to_width <= width - left and 0 < to_height <= height - top):
        return image
    return image[top : top + to_height, left : left + to_width]
