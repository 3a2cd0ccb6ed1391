"""What files and streams have in common that are decoded from a container: the loop, the end, stop and close."""

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import Self

import av
import av.error
from av.container import InputContainer

from handlens.errors import HandlensError
from handlens.io.sources.base import OnError
from handlens.io.sources.decoding import Decoding
from handlens.types import Frame


class DecodedSource(ABC):
    """The frames of an open container (see sources.Source); a context manager that closes it."""

    _container: InputContainer
    _decoding: Decoding

    def __init__(self) -> None:
        self._stopped = threading.Event()

    def frames(self, on_error: OnError | None = None) -> Iterator[Frame]:
        """Yield the frames; a source that is cut off or damaged gives what can be read and then an error."""
        last: Exception | None = None
        try:
            for frame in self._ready():
                yield frame
                if self._stopped.is_set():
                    return
        except (av.error.FFmpegError, OSError) as error:
            last = error
        complaint = self._complaint(last)
        if complaint is not None and on_error is None:
            raise complaint
        if complaint is not None and on_error is not None:
            on_error(complaint)

    def _ready(self) -> Decoding:
        """Return the decoding, before its first frame."""
        return self._decoding

    @abstractmethod
    def _complaint(self, error: Exception | None) -> HandlensError | None:
        """Return what was wrong, when the frames have ended; None: nothing was.

        Args:
            error: what ended them too early.
        """

    def stop(self) -> None:
        """Make `frames` end after the current one."""
        self._stopped.set()

    def close(self) -> None:
        """Close the container."""
        self._container.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def strerror(error: BaseException) -> str:
    """Return what FFmpeg or the system says was wrong, fit for the middle of a sentence."""
    return str(getattr(error, "strerror", None) or error).strip().rstrip(".").lower()
