"""What the user typed -> a Source of frames; it must not know models, results or sinks."""

import glob
import math
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from handlens.errors import HandlensError, InputError
from handlens.types import Frame

OnError = Callable[[HandlensError], None]
"""Told of each file that cannot be read and of a source that stopped; it may raise to end the run."""

PICTURE_ENDINGS = frozenset(
    {
        ".jpg",
        ".jpeg",
        ".jpe",
        ".png",
        ".bmp",
        ".dib",
        ".webp",
        ".tif",
        ".tiff",
        ".pgm",
        ".ppm",
        ".pbm",
        ".pnm",
        ".jp2",
        ".avif",
    }
)
VIDEO_ENDINGS = frozenset(
    {
        ".mp4",
        ".m4v",
        ".mov",
        ".mkv",
        ".webm",
        ".avi",
        ".gif",
        ".mpg",
        ".mpeg",
        ".ts",
        ".mts",
        ".m2ts",
        ".wmv",
        ".flv",
        ".3gp",
        ".ogv",
        ".mjpeg",
        ".mjpg",
        ".h264",
        ".hevc",
    }
)
_ENDINGS = PICTURE_ENDINGS | VIDEO_ENDINGS
_ADDRESS = re.compile(r"^[a-z][a-z0-9+.-]+://", re.IGNORECASE)


class Source(Protocol):
    """Frames from somewhere; a context manager."""

    @property
    def name(self) -> str:
        """As it was given."""

    @property
    def kind(self) -> str:
        """ "pictures", "video", "camera" or "stream"."""

    @property
    def live(self) -> bool:
        """Whether it keeps only the newest frame."""

    @property
    def total(self) -> int | None:
        """How many frames will be yielded, as far as is known."""

    @property
    def fps(self) -> float | None:
        """Frames a second, where there is such a thing."""

    @property
    def skipped(self) -> int:
        """How many frames of a live source nobody took in time."""

    @property
    def ended(self) -> str:
        """Why a live source ended, in a sentence; "" if nothing is to be said."""

    def frames(self, on_error: OnError | None = None) -> Iterator[Frame]:
        """Yield the frames once; what cannot be read goes to `on_error`, or is raised without one."""

    def stop(self) -> None:
        """Make `frames` end soon; may be called from any thread."""

    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


def open_source(text: str | Path, every: int = 1, live: bool = False) -> Source:
    """Open a picture, a folder, a glob, a video, a camera ("0") or a stream address.

    every: of a video, camera or stream, yield only the frames whose index is a multiple of it. live: play a video file
    at its own speed and keep only the newest frame, as a camera would; cameras are always live. Streams are too, but
    for http and tcp addresses opened with live=False: they can wait, so no frame of them is lost.

    Raises:
        InputError: nothing there, or nothing in it that can be read; FrameError if it is one broken video.
        DeviceError: no such camera, or a stream that cannot be reached.
    """
    name = str(text)
    if every < 1:
        raise InputError(f"every must be 1 or more (1 is every frame), got {every}.")
    camera = re.fullmatch(r"(?:/dev/video)?([0-9]{1,4})", name)
    if camera and (name.startswith("/dev/") or not os.path.exists(name)):
        from handlens.io.camera import open_camera

        return open_camera(int(camera[1]), every)
    if is_address(name):
        from handlens.io.stream import open_stream

        return open_stream(name, every, live)
    paths = find_files(name)
    if len(paths) == 1 and not is_picture(paths[0]):
        from handlens.io.video import Video

        video = Video(paths[0], every)
        if not live:
            return video
        from handlens.io.live import Live, play

        patience = math.inf  # a recording of a screen may show one picture for minutes
        return Live(video.name, "video", play(video), video.close, video.fps, patience, patience)
    if live:
        raise InputError(f"'{name}' is no video, camera or stream: for pictures type 'handlens predict {name}'.")
    from handlens.io.files import Files

    return Files(name, paths, every)


def find_files(name: str) -> list[str]:
    """Return the files that a path, a folder or a glob stands for, sorted by name; a folder is not searched deeper.

    A folder or glob gives the files with the endings of pictures and videos; a single file is taken as it is.

    Raises:
        InputError: nothing there, or no picture and no video in it.
    """
    name = re.sub(r"^file://", "", name, flags=re.IGNORECASE)
    if os.path.isdir(name):
        try:
            found = [os.path.join(name, entry) for entry in os.listdir(name) if not entry.startswith(".")]
        except OSError as error:
            raise InputError(f"the folder '{name}' cannot be read: {error.strerror}.") from error
        where = f"the folder '{name}' holds"
    elif os.path.exists(name):
        return [name]
    elif glob.has_magic(name):
        found = glob.glob(os.path.expanduser(name), recursive=True)
        where = f"'{name}' matches"
    else:
        raise InputError(f"'{name}' does not exist: give a picture, a video, a folder, a camera number or an address.")
    paths = sorted(path for path in found if Path(path).suffix.lower() in _ENDINGS and os.path.isfile(path))
    if not paths:
        raise InputError(f"{where} no picture and no video; known endings: {' '.join(sorted(_ENDINGS))}.")
    return paths


def is_picture(name: str) -> bool:
    """Return whether a path ends like a picture."""
    return Path(name).suffix.lower() in PICTURE_ENDINGS and not is_address(name)


def is_address(name: str) -> bool:
    """Return whether this is the address of a stream, such as rtsp://camera/1."""
    return bool(_ADDRESS.match(name)) and not name.lower().startswith("file://")
