"""Videos with times, matrices and damage that a test chooses."""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.video.frame import VideoFrame
from media import MILLISECOND, quadrants


def film(
    path: Path,
    start: float = 0.0,
    sound: float | None = None,
    count: int = 50,
    codec: str = "libx264",
    size: tuple[int, int] = (64, 48),
    noise: bool = False,
    shape: Fraction | None = None,
) -> Path:
    """Write a video that starts at `start` s, 25 a second, with a key frame every 10; sound begins at `sound` s."""
    rng = np.random.default_rng(0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options={"g": "10"})
        stream.width, stream.height, stream.pix_fmt = *size, "yuvj420p" if codec == "mjpeg" else "yuv420p"
        base = Fraction(1, 25) if path.suffix == ".avi" or codec == "mpeg2video" else MILLISECOND
        stream.codec_context.time_base = base
        if shape:
            stream.codec_context.sample_aspect_ratio = shape
        if sound is not None:
            music = container.add_stream("mp2", rate=16000)
            for number in range(20):
                part = av.AudioFrame.from_ndarray(np.zeros((1, 1152), np.int16), format="s16", layout="mono")
                part.sample_rate, part.time_base = 16000, Fraction(1, 16000)
                part.pts = int(sound * 16000) + number * 1152
                container.mux(music.encode(part))
        for number in range(count):
            image = quadrants(*size) // 2 + np.uint8(number)
            if noise:
                image = rng.integers(0, 255, image.shape, np.uint8)
            picture = VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = round((start + number / 25) / base), base
            container.mux(stream.encode(picture))
        if sound is not None:
            container.mux(music.encode(None))
        container.mux(stream.encode(None))
    return path


def set_matrix(path: Path, numbers: tuple[int, int, int, int]) -> Path:
    data = bytearray(path.read_bytes())
    place = data.find(b"tkhd") + 44  # past version, flags, times, ids, duration, layer and volume
    a, b, c, d = (number << 16 for number in numbers)
    struct.pack_into(">9i", data, place, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path


def broken(path: Path, start: float, stop: float, every: int = 97) -> Path:
    """Turn over bytes within this share of the file."""
    data = bytearray(path.read_bytes())
    for place in range(int(len(data) * start), int(len(data) * stop), every):
        data[place] ^= 0xFF
    path.write_bytes(bytes(data))
    return path
