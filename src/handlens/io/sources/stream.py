"""Network streams, opened only because the user gave the address; it must not know cameras, models or sinks."""

import math
import re
from dataclasses import replace

import av
import av.error
from av.container import InputContainer

from handlens.errors import DeviceError, FrameError
from handlens.io.reading import Reading
from handlens.io.sources.base import Source
from handlens.io.sources.decoded import DecodedSource, strerror
from handlens.io.sources.decoding import Decoding
from handlens.io.sources.live import Live, play
from handlens.io.sources.reconnect import Connection, Reconnecting
from handlens.io.sources.video import pick_stream

OPEN_S = 5.0  # to connect, and again to recognise the format: together at most 10 s
READ_S = 5.0
_PATIENT = ("http://", "https://", "tcp://")  # the sender waits while we think
_HASTY = {"flags": "low_delay", "analyzeduration": "1000000"}  # "nobuffer" would lose what was looked at, up to 1 s


def open_stream(
    address: str,
    reading: Reading = Reading(),  # noqa: B008 (it is frozen)
    live: bool = False,
    reconnect: float = 0.0,
) -> Source:
    """Open rtsp://, http://, udp://, tcp:// or whatever else FFmpeg speaks.

    A sender that waits for us (http, tcp) is read without loss when live=False; every other stream keeps only the
    newest frame. A recording on a server, opened with live=True, is played at its own speed. A password in the address
    is shown nowhere.

    Args:
        reconnect: Seconds for which a live stream that drops is opened again.

    Raises:
        DeviceError: nothing answers, or not within 10 s, or it sends no pictures.
    """
    name = public(address)
    patient = address.lower().startswith(_PATIENT) and not live
    source = _opened(address, name, reading, patient)
    if patient:
        return source
    if source.recorded:
        patience = math.inf
        return Live(name, "stream", play(source), source.close, source.fps, patience, patience, clocked=False)

    def again() -> Connection:
        return _connection(_opened(address, name, replace(reading, start=0.0), patient))

    reader = Reconnecting(_connection(source), again, reconnect, f"the stream '{name}'", reading.remark)
    patience = READ_S + 1  # its own timeout speaks first, and says more
    read = reader if reconnect > 0 else _connection(source).read
    return Live(name, "stream", read, reader.close, source.fps, patience, patience, waiting=lambda: reader.waiting)


def _connection(source: "Stream") -> Connection:
    return Connection(lambda stopping: source.frames(), source.close)


def _opened(address: str, name: str, reading: Reading, patient: bool) -> "Stream":
    container = _connect(address, name, {} if patient else _HASTY)
    try:
        return Stream(name, container, reading, patient)
    except FrameError as error:
        container.close()
        raise DeviceError(str(error)) from error


def public(address: str) -> str:
    """Return the address without the name and password of a user."""
    return re.sub(r"://[^/@]*@", "://", address)


class Stream(DecodedSource):
    """A network stream read without loss: every frame, in order (see sources.Source).

    Attributes:
        patient: The sender waits for us; a frame is given when the next one is there, with its exact duration.
        recorded: Whether it has an end.

    Raises:
        FrameError: it holds no pictures.
    """

    kind = "stream"
    live = False
    skipped = 0
    total = None

    def __init__(self, name: str, container: InputContainer, reading: Reading, patient: bool = True) -> None:
        self.name = name
        self.recorded = container.duration is not None
        self.ended = ""
        self._container = container
        video = pick_stream(container, name, reading)
        self._decoding = Decoding(container, video, name, reading, patient or self.recorded, arrival=True)
        self.fps = self._decoding.fps
        super().__init__()

    def _complaint(self, error: Exception | None) -> DeviceError | None:
        if isinstance(error, av.error.ExitError):
            return DeviceError(f"the stream '{self.name}' stopped: it sent nothing for {READ_S:.0f} s.")
        if error is not None:
            return DeviceError(f"the stream '{self.name}' broke off: {strerror(error)}.")
        if self._decoding.count == 0:
            return DeviceError(f"the stream '{self.name}' ended without a picture.")
        told = self._decoding.damage.sentence()
        if told:
            return DeviceError(f"the stream '{self.name}' was damaged: {told}.")
        self.ended = f"the stream '{self.name}' ended after {self._decoding.seconds:.1f} s."
        return None


def _connect(address: str, name: str, options: dict[str, str]) -> InputContainer:
    rtsp = {"rtsp_flags": "prefer_tcp"} if address.lower().startswith("rtsp") else {}
    try:
        return av.open(address, options={**options, **rtsp}, timeout=(OPEN_S, READ_S), metadata_errors="replace")
    except av.error.ExitError as error:
        why = f"nothing came within {OPEN_S:.0f} s"
        raise DeviceError(f"the stream '{name}' cannot be opened: {why}. Is the sender running?") from error
    except av.error.ProtocolNotFoundError as error:
        known = "rtsp://, http://, https://, tcp://, udp://"
        raise DeviceError(f"'{name}' begins with an unknown protocol; known are {known}.") from error
    except (av.error.FFmpegError, OSError, ValueError) as error:
        why = strerror(error)
        raise DeviceError(f"the stream '{name}' cannot be opened: {why}. Is the address right?") from error
