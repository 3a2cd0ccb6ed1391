"""HEIC files made box by box, with tiles and turns, as phones write them."""

import io
import struct
from collections.abc import Sequence

import av
import numpy as np

from handlens.types import Image


def encode(image: Image) -> tuple[bytes, bytes]:
    """The hvcC record and the bytes of one picture, in HEVC."""
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = container.add_stream(
            "libx265", rate=1, options={"x265-params": "log-level=none:crf=5:bframes=0:frame-threads=1"}
        )
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        picture = av.VideoFrame.from_ndarray(image, format="rgb24")
        picture.pts = 0
        container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    with av.open(io.BytesIO(file.getvalue())) as container:
        stream = container.streams.video[0]
        packet = next(each for each in container.demux(stream) if each.size)
        return bytes(stream.codec_context.extradata), bytes(packet)


def box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", 8 + len(body), kind) + body


def heic(tiles: Sequence[Image], columns: int, size: tuple[int, int], turns: Sequence[bytes] = ()) -> bytes:
    """A file whose main picture is a grid of tiles, cut to `size` (width, height) and then turned."""
    coded = [encode(tile) for tile in tiles]
    count = len(tiles)
    width, height = size
    grid = struct.pack(">BBBBHH", 0, 0, count // columns - 1, columns - 1, width, height)
    kinds = [(number, b"hvc1") for number in range(1, count + 1)] + [(count + 1, b"grid")]
    entries = [box(b"infe", b"\2\0\0\0", struct.pack(">HH4s", number, 0, kind), b"\0") for number, kind in kinds]
    iinf = box(b"iinf", b"\0\0\0\0", struct.pack(">H", len(kinds)), *entries)
    dimg = box(b"dimg", struct.pack(f">HH{count}H", count + 1, count, *range(1, count + 1)))
    shapes = [box(b"ispe", b"\0\0\0\0", struct.pack(">II", *tiles[0].shape[1::-1]))]
    shapes += [box(b"ispe", b"\0\0\0\0", struct.pack(">II", width, height))]
    records = [box(b"hvcC", record) for record, _ in coded]
    ipco = box(b"ipco", *shapes, *records, *turns)
    owners = [struct.pack(">HBBB", number, 2, 1, 2 + number) for number in range(1, count + 1)]
    turn_numbers = range(3 + count, 3 + count + len(turns))
    owners += [struct.pack(f">HBB{len(turns)}B", count + 1, 1 + len(turns), 2, *turn_numbers)]
    ipma = box(b"ipma", b"\0\0\0\0", struct.pack(">I", len(owners)), *owners)
    start = box(b"ftyp", b"heic\0\0\0\0mif1heic")

    def meta(base: int) -> bytes:
        places, offset = [], base
        for number, (_, data) in enumerate(coded, 1):
            places.append(struct.pack(">HHHHII", number, 0, 0, 1, offset, len(data)))
            offset += len(data)
        places.append(struct.pack(">HHHHII", count + 1, 1, 0, 1, 0, len(grid)))  # in idat
        iloc = box(b"iloc", b"\1\0\0\0\x44\0", struct.pack(">H", len(places)), *places)
        return box(
            b"meta",
            b"\0\0\0\0",
            box(b"hdlr", b"\0\0\0\0\0\0\0\0pict" + bytes(13)),
            box(b"pitm", b"\0\0\0\0", struct.pack(">H", count + 1)),
            iloc,
            iinf,
            box(b"iref", b"\0\0\0\0", dimg),
            box(b"iprp", ipco, ipma),
            box(b"idat", grid),
        )

    base = len(start) + len(meta(0)) + 8
    return start + meta(base) + box(b"mdat", *(data for _, data in coded))


def plain(colour: tuple[int, int, int], size: int = 64) -> Image:
    return np.full((size, size, 3), colour, np.uint8)
