"""Which times of a video are damaged or missing, from what its decoder tells; it must not decode or print."""

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import av.logging

_MERGE_S = 1.0  # damage that comes again within this time is told as one span
_TOLD = 5

# These decoders do not mark a damaged frame; what they write into FFmpeg's log at the level "error" tells. Lines that
# healthy files of some cameras cause too, such as "overread 8", are left out.
_LINES = re.compile(
    r"slice CRC mismatch|error y=\d+ x=|bad vlc|LZW decode failed|error while decoding|concealing|inflate|"
    r"CABAC_MAX_BIN|cu_qp_delta|Error splitting the input|Invalid NAL unit size|Error constructing the frame RPS"
)
TOLD_IN_LOG = frozenset({"mjpeg", "ffv1", "gif", "hevc", "png", "apng", "zlib", "zmbv", "flashsv"})


class Damage:
    """Spans of time in which frames are damaged, or missing; neighbours are merged, so that memory stays small."""

    def __init__(self) -> None:
        self.wrong: list[list[float]] = []
        self.lost: list[list[float]] = []

    def __bool__(self) -> bool:
        return bool(self.wrong or self.lost)

    def frame(self, start: float, stop: float) -> None:
        """Note that what is shown from `start` to `stop` is damaged."""
        _note(self.wrong, start, stop)

    def hole(self, start: float, stop: float) -> None:
        """Note that no frame can be read from `start` to `stop`."""
        _note(self.lost, start, stop)

    def sentence(self) -> str:
        """Say when: "frames are damaged from 2.4 s to 3.1 s and at 7.0 s; no frame can be read from 8.0 s to 8.6 s"."""
        parts = []
        if self.wrong:
            parts.append(f"frames are damaged {_times(self.wrong)}")
        if self.lost:
            parts.append(f"no frame can be read {_times(self.lost)}")
        return "; ".join(parts)


def _note(spans: list[list[float]], start: float, stop: float) -> None:
    if spans and start <= spans[-1][1] + _MERGE_S:
        spans[-1][0] = min(spans[-1][0], start)
        spans[-1][1] = max(spans[-1][1], stop)
    else:
        spans.append([start, stop])


def _times(spans: list[list[float]]) -> str:
    times = [f"at {a:.1f} s" if b - a < 0.1 else f"from {a:.1f} s to {b:.1f} s" for a, b in spans[:_TOLD]]
    if len(spans) > _TOLD:
        times.append(f"in {len(spans) - _TOLD} more places, the last of them at {spans[-1][0]:.1f} s")
    return times[0] if len(times) == 1 else f"{', '.join(times[:-1])} and {times[-1]}"


_lock = threading.Lock()
_listeners = 0
_level_before: Any = None


class Log:
    """What FFmpeg's log says of the decoder of one thread; it listens only where `codec` marks no frames itself.

    FFmpeg logs for the whole process. A decoder with one thread logs in the thread that calls it, which keeps its lines
    apart from those of others, and cannot lock up: PyAV's log needs Python's lock, which a decoding thread would wait
    for while its decoder is being closed.
    """

    def __init__(self, codec: str) -> None:
        self._listens = codec in TOLD_IN_LOG

    @contextmanager
    def hear(self) -> Iterator[list[bool]]:
        """Give a list that holds something after the block, if a frame was damaged within it."""
        found: list[bool] = []
        if not self._listens:
            yield found
            return
        with av.logging.Capture(local=True) as lines:
            yield found
        if any(_LINES.search(line) for _, _, line in lines):
            found.append(True)

    def __enter__(self) -> "Log":
        global _listeners, _level_before
        if self._listens:
            with _lock:
                _listeners += 1
                if _listeners == 1:
                    logging.getLogger("libav").addHandler(_NOWHERE)  # else Python prints what nobody captures
                    _level_before = av.logging.get_level()
                    if _level_before is None or _level_before < av.logging.ERROR:
                        av.logging.set_level(av.logging.ERROR)
        return self

    def __exit__(self, *about: object) -> None:
        global _listeners
        if self._listens:
            with _lock:
                _listeners -= 1
                if _listeners == 0:
                    av.logging.set_level(_level_before)
                    logging.getLogger("libav").removeHandler(_NOWHERE)


_NOWHERE = logging.NullHandler()
