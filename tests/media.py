"""Pictures and videos made on the spot for tests, and results about them; nothing here is anybody's picture."""

import json
import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np

from handlens.errors import HandlensError
from handlens.io.sinks.base import Sink
from handlens.io.sources.open import open_source
from handlens.result import Result
from handlens.types import Detections, Event, Frame, Image, Value

MILLISECOND = Fraction(1, 1000)
NAMES = ("face", "hand", "cheek", "chin")


EVENT = Event("touch", "chin", "face 1", 0.5, 1.2345, 15, 37, 0.98765, "a,b.mp4")


def quadrants(width: int = 64, height: int = 48) -> Image:
    """A picture whose corners differ: red, green / blue, white."""
    image = np.zeros((height, width, 3), np.uint8)
    image[: height // 2, : width // 2] = (255, 0, 0)
    image[: height // 2, width // 2 :] = (0, 255, 0)
    image[height // 2 :, : width // 2] = (0, 0, 255)
    image[height // 2 :, width // 2 :] = (255, 255, 255)
    return image


def corners(image: Image) -> list[str]:
    """Name the colours of the four corners: top left, top right, bottom left, bottom right."""
    named = {(1, 0, 0): "red", (0, 1, 0): "green", (0, 0, 1): "blue", (1, 1, 1): "white", (0, 0, 0): "black"}
    h, w = image.shape[:2]
    places = [(h // 8, w // 8), (h // 8, w - 1 - w // 8), (h - 1 - h // 8, w // 8), (h - 1 - h // 8, w - 1 - w // 8)]
    return [named[tuple((image[y, x] > 127).astype(int).tolist())] for y, x in places]


def save_picture(path: Path, image: Image | None = None) -> Path:
    pixels = quadrants() if image is None else image
    good, data = cv2.imencode(path.suffix, pixels[..., ::-1] if pixels.ndim == 3 else pixels)
    assert good
    path.write_bytes(data.tobytes())
    return path


def save_video(
    path: Path,
    pts: Sequence[int] = tuple(range(0, 1000, 40)),
    codec: str = "libx264",
    base: Fraction = MILLISECOND,
    size: tuple[int, int] = (64, 48),
    options: dict[str, str] | None = None,
    format: str | None = None,
    sound: bool = False,
) -> Path:
    """Write a video with these display times, in units of `base`; the picture gets brighter with each frame."""
    with av.open(str(path), "w", format=format, options=options or {}) as container:
        stream = container.add_stream(codec, rate=25)
        stream.width, stream.height = size
        stream.pix_fmt = {"gif": "rgb8", "mjpeg": "yuvj420p"}.get(codec, "yuv420p")
        stream.codec_context.time_base = base
        for number, tick in enumerate(pts):
            image = quadrants(*size) // 2 + np.uint8(number * 127 // len(pts))
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = tick, base
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))
    return path


def save_sound(path: Path) -> Path:
    """Write a file with sound and no pictures."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="flt", layout="mono")
        sound.sample_rate = 16000
        sound.pts = 0
        container.mux(stream.encode(sound))
        container.mux(stream.encode(None))
    return path


def turn_video(path: Path) -> Path:
    """Mark an .mp4 as filmed upright: players turn it by 90 degrees clockwise."""
    data = bytearray(path.read_bytes())
    place = data.find(b"tkhd") + 44  # past version, flags, times, ids, duration, layer and volume
    assert struct.unpack_from(">i", data, place) == (1 << 16,)
    struct.pack_into(">9i", data, place, 0, 1 << 16, 0, -(1 << 16), 0, 0, 48 << 16, 0, 1 << 30)
    path.write_bytes(bytes(data))
    return path


def stream_times(path: Path) -> list[float]:
    """The times of the frames as the file has them, from its first frame on."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stamps = sorted(frame.pts for frame in container.decode(stream))
        return [float((pts - stamps[0]) * stream.time_base) for pts in stamps]


def touch_result(probability: float, time: float = 0.0, index: int = 0, source: str = "x", **more: object) -> Result:
    """A result of one face, one hand and, from 0.3 on, a touched cheek."""
    boxes = np.array([[10, 5, 40, 40], [30, 20, 60, 47], [30, 22, 40, 34]], np.float32)
    rows = 3 if probability >= 0.3 else 2
    found = Detections(
        boxes[:rows],
        np.array([0.9, 0.8, probability], np.float32)[:rows],
        np.array([0, 1, int(more.get("label", 2))])[:rows],  # type: ignore[call-overload]
        NAMES,
        np.array([-1, -1, 0])[:rows],
        np.array([-1, -1, 1])[:rows],
        np.array([7, 8, -1])[:rows],
        touch=probability,
    )
    return Result("touch", index, time, found, source, 64, 48, "touch")


class BrightPredictor:
    """A predictor that needs no model: the brighter the picture, the surer the touch."""

    def __init__(self, delay: float = 0.0) -> None:
        self.delay = delay
        self.seen: list[Frame] = []

    def predict(self, frame: Frame, min_score: float | None = None, crop: str = "hand") -> Result:
        import time

        time.sleep(self.delay)
        self.seen.append(frame)
        probability = float(frame.image.mean()) / 255
        return touch_result(probability, frame.time, frame.index, frame.source)


def shade(time: float, bright: tuple[float, float]) -> Image:
    return np.full((48, 64, 3), 230 if bright[0] <= time < bright[1] else 20, np.uint8)


def read(text: str | Path, every: int = 1) -> tuple[list[Frame], list[HandlensError]]:
    """All frames of a source, and all that could not be read."""
    errors: list[HandlensError] = []
    with open_source(str(text), every) as source:
        return list(source.frames(errors.append)), errors


def frame(index: int = 0, time: float = 0.0, source: str = "x", size: tuple[int, int] = (64, 48)) -> Frame:
    return Frame(quadrants(*size), index, time, source)


def write(sink: Sink, *frames: Frame, events: int = 0) -> None:
    for each in frames:
        sink.write(each, touch_result(0.9, each.time, each.index, each.source))
        for _ in range(events):
            sink.note(EVENT)


def fail(done: object, error: type[BaseException]) -> None:
    raise error


def result(value: Value, task: str = "touch") -> Result:
    return Result(task, 0, 0.0, value, "x", 64, 48, "m")


def lines(path: str | Path) -> list[dict]:
    return [json.loads(line) for line in Path(path).read_text().splitlines()]
