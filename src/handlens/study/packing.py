"""Detections <-> bytes, without loss and small; it must not know databases.

The fields are those of `Detections` as it is when a run begins; their list is stored with the run, so that a later
version with more fields still reads it.
"""

import dataclasses
import json
import struct
from typing import Any

import numpy as np

from handlens.errors import HandlensError
from handlens.types import Detections

_SMALL = {"<i8": "<i2"}
"""Kinds of numbers that are stored in fewer bytes: rows, labels and identities are small."""


@dataclasses.dataclass(frozen=True)
class Layout:
    """How frames are stored: the names of the labels, and the fields one after the other."""

    names: tuple[str, ...]
    fields: tuple[str, ...]

    @classmethod
    def of(cls, found: Detections) -> "Layout":
        """Return the layout of these detections, of which every frame of a run has the same."""
        fields = tuple(field.name for field in dataclasses.fields(found) if field.init and field.name not in _LEFT_OUT)
        return cls(found.names, fields)

    @classmethod
    def from_text(cls, text: str) -> "Layout":
        """Return the layout that `text` gave."""
        told = json.loads(text)
        return cls(tuple(told["names"]), tuple(told["fields"]))

    @property
    def text(self) -> str:
        """The layout as JSON."""
        return json.dumps({"names": self.names, "fields": self.fields})

    def pack(self, found: Detections) -> bytes:
        """Return the bytes of one frame.

        Raises:
            HandlensError: the detections have other names than the run.
        """
        if found.names != self.names:
            raise HandlensError(f"the labels changed within a run: {found.names}, before {self.names}.")
        parts = [struct.pack("<H", len(found))]
        for name in self.fields:
            parts.append(_packed(getattr(found, name)))
        return b"".join(parts)

    def unpack(self, data: bytes) -> Detections:
        """Return the detections of one frame."""
        (count,) = struct.unpack_from("<H", data)
        place = 2
        values: dict[str, Any] = {}
        for name in self.fields:
            values[name], place = _unpacked(data, place, count)
        return Detections(names=self.names, **values)


_LEFT_OUT = ("names", "id")  # the names stand in the layout; identities come later


def _packed(value: Any) -> bytes:
    """Return a kind in one byte, then the value."""
    if value is None:
        return b"n"
    if isinstance(value, float | int | np.floating) and not isinstance(value, bool):
        return b"f" + struct.pack("<d", float(value))
    if isinstance(value, np.ndarray) and value.dtype.kind in "fiub":
        wide = value.dtype.str
        kept = value.astype(_SMALL.get(wide, wide))
        if wide in _SMALL and not np.array_equal(kept, value):
            kept = value
        kind = kept.dtype.str.encode()
        shape = (*kept.shape[1:],)
        return b"a" + struct.pack("<BB", len(kind), int(np.prod(shape, dtype=int))) + kind + kept.tobytes()
    text = json.dumps(value.tolist() if isinstance(value, np.ndarray) else value).encode()
    return b"j" + struct.pack("<I", len(text)) + text


def _unpacked(data: bytes, place: int, count: int) -> tuple[Any, int]:
    kind, place = data[place : place + 1], place + 1
    if kind == b"n":
        return None, place
    if kind == b"f":
        return struct.unpack_from("<d", data, place)[0], place + 8
    if kind == b"a":
        length, width = struct.unpack_from("<BB", data, place)
        place += 2
        dtype = np.dtype(data[place : place + length].decode())
        place += length
        array = np.frombuffer(data, dtype, count * width, place)
        wide = array.astype(np.int64) if dtype.kind == "i" else array.copy()
        return wide.reshape(count, width) if width > 1 else wide, place + array.nbytes
    (length,) = struct.unpack_from("<I", data, place)
    told = json.loads(data[place + 4 : place + 4 + length])
    return tuple(told) if isinstance(told, list) else told, place + 4 + length
