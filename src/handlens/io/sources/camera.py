"""Cameras by number, through OpenCV; it must not know models, sinks or streams."""

import glob
import re
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import cv2
import numpy as np
import numpy.typing as npt

from handlens.errors import DeviceError
from handlens.io.pictures.quiet import quiet_opencv
from handlens.io.reading import Reading
from handlens.io.sources.live import FIRST_PATIENCE_S, PATIENCE_S, Live
from handlens.io.sources.reconnect import Connection, Reconnecting
from handlens.types import Frame

_MISSES_S = 2.0  # a webcam under load drops single pictures; after this long it is gone


class Device(Protocol):
    """What is needed of cv2.VideoCapture; tests bring their own."""

    def isOpened(self) -> bool:  # noqa: N802 (OpenCV's name)
        """Whether the camera answered."""

    def read(self) -> tuple[bool, npt.NDArray[Any] | None]:
        """Wait for the next picture: (whether it came, (H, W, 3) uint8 BGR)."""

    def get(self, prop: int) -> float:
        """Return a property."""

    def set(self, prop: int, value: float) -> bool:
        """Set a property, return whether it took."""

    def release(self) -> None:
        """Let the camera go."""


def open_camera(
    number: int,
    reading: Reading = Reading(),  # noqa: B008 (it is frozen)
    open_device: Callable[[int], Device] | None = None,
    patience: float | None = None,
    reconnect: float = 0.0,
) -> Live:
    """Open camera `number` (0 is the first); frames are as the camera sends them, unless `reading` turns them.

    Args:
        open_device: Makes the device from the number, cv2.VideoCapture if left out.
        patience: Seconds without a picture after which the camera counts as stopped, 5 (10 before the first) if left
            out.
        reconnect: Seconds for which a camera that is pulled out is opened again.

    Raises:
        DeviceError: there is no such camera, or another program holds it.
    """

    def connected() -> tuple[Connection, float]:
        device = _opened(number, open_device or cv2.VideoCapture)
        fps = device.get(cv2.CAP_PROP_FPS)
        return Connection(lambda stopping: _read(device, number, reading, stopping), device.release), fps

    first, fps = connected()
    again = Reconnecting(first, lambda: connected()[0], reconnect, f"camera {number}", reading.remark)
    return Live(
        str(number),
        "camera",
        again if reconnect > 0 else first.read,
        again.close,
        fps=fps if fps > 0 else None,
        patience=patience or PATIENCE_S,
        first_patience=patience or FIRST_PATIENCE_S,
        waiting=lambda: again.waiting,
    )


def _opened(number: int, open_device: Callable[[int], Device]) -> Device:
    with quiet_opencv():
        try:
            device = open_device(number)
            opened = device.isOpened()
        except cv2.error:
            opened = False
        if not opened:
            raise DeviceError(_absent(number))
        device.set(cv2.CAP_PROP_BUFFERSIZE, 1)  # an old picture is worth nothing
        return device


def list_cameras(most: int = 4) -> list[int]:
    """Return the numbers of the cameras that can be opened and send a picture, looking at the first `most`."""
    present = []
    with quiet_opencv():
        for number in range(most):
            device = cv2.VideoCapture(number)
            if device.isOpened() and device.read()[0]:
                present.append(number)
            device.release()
    return present


def _read(device: Device, number: int, reading: Reading, stopping: threading.Event) -> Iterator[Frame]:
    begin: float | None = None
    missing_since: float | None = None
    index = 0
    while not stopping.is_set():
        good, picture = device.read()
        now = time.monotonic()
        if not good or picture is None or picture.size == 0:
            missing_since = now if missing_since is None else missing_since
            if now - missing_since > _MISSES_S:
                raise DeviceError(f"camera {number} stopped sending pictures: was it pulled out?")
            time.sleep(0.02)
            continue
        missing_since = None
        begin = now if begin is None else begin
        if index % reading.every == 0:
            yield Frame(reading.turn(_to_rgb(picture)), index, now - begin, str(number), clock=time.time())
        index += 1


def _to_rgb(picture: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    if picture.ndim == 2 or picture.shape[2] == 1:
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB), np.uint8)
    return np.asarray(cv2.cvtColor(picture[..., :3], cv2.COLOR_BGR2RGB), np.uint8)


def _absent(number: int) -> str:
    nodes = sorted(int(found[1]) for path in glob.glob("/dev/video*") if (found := re.search(r"(\d+)$", path)))
    if number in nodes:
        return f"camera {number} does not open: does another program use it, or may you not read /dev/video{number}?"
    others = f"there are {', '.join(map(str, nodes))}" if nodes else "none is connected"
    return f"there is no camera {number} ({others}): give another number, a video file or a stream address."
