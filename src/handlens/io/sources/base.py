"""What a source of frames is, and which text names a picture or an address; it must not open anything."""

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from handlens.errors import HandlensError
from handlens.io.sources.find import ALL_PICTURE_ENDINGS
from handlens.types import Frame

OnError = Callable[[HandlensError], None]
"""Told of each file that cannot be read and of a source that stopped; it may raise to end the run."""

_CAMERA = re.compile(r"(?:/dev/video)?([0-9]{1,4})")
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


def is_picture(name: str) -> bool:
    """Return whether a path ends like a picture."""
    return not is_address(name) and Path(name).suffix.lower() in ALL_PICTURE_ENDINGS


def camera_number(name: str) -> int | None:
    """Return the number of the camera that a text names ("0", "/dev/video0"), or None; a file of that name wins."""
    camera = _CAMERA.fullmatch(name)
    return int(camera[1]) if camera and (name.startswith("/dev/") or not os.path.exists(name)) else None


def is_files(name: str) -> bool:
    """Return whether a text names files: a path, a folder or a pattern, and no camera and no address."""
    return camera_number(name) is None and not is_address(name)


def is_address(name: str) -> bool:
    """Return whether this is the address of a stream, such as rtsp://camera/1."""
    return bool(_ADDRESS.match(name)) and not name.lower().startswith("file://")
