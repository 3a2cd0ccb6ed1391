"""Where to enter a video file so that it can be read from the middle; it counts packets, and shows no pictures."""

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.stream import VideoStream

from handlens.io.reading import Reading
from handlens.io.sources.decoding import EPSILON_S, JUMP_S, container_start, has_times

_RUN = 17  # packets: more frames in a row that need a later one than any codec has
_BACK_S = (0, 2, 10, 60)  # MPEG streams without an index are searched by guessing
_MOST_HELD = 64  # packets until a decoder gives its first frame


@dataclass(frozen=True)
class Place:
    """Where to enter a file.

    Attributes:
        index: Number of the first frame at or after the time that was asked for.
        stamp: The time stamp to seek to, from which all frames from that one on can be decoded.
        held: How many packets the decoder keeps back while it runs, for files without display times (AVI); else None.
    """

    index: int
    stamp: int
    held: int | None = None


def places(
    container: InputContainer, stream: VideoStream, reading: Reading, starts: Sequence[float]
) -> list[Place | None]:
    """Find where to enter a file for each of these times, in one pass over its packets; move this container to do so.

    Args:
        starts: Seconds of the file's own time, in ascending order.

    Returns:
        For each time its place, or None where the file must be read from its beginning: it has no times, they start
        over, or it cannot be moved.
    """
    base, origin = stream.time_base, container_start(container, stream)
    if base is None or origin is None or not has_times(container) or reading.fps is not None or not starts:
        return [None] * len(starts)
    targets = [math.floor((origin + Fraction(start) - Fraction(EPSILON_S)) / base) for start in starts]
    by_slot = container.format.name == "avi"
    count = _Count(targets)
    for packet in container.demux(stream):
        if not packet.size:
            continue
        if not count.fits(packet, by_slot, float(base)):
            break
        count.take(packet, by_slot)
        if count.passed == len(targets):
            break
    else:
        count.passed = len(targets)
    held = _held(container, stream) if by_slot else None
    found: list[Place | None] = []
    for index, key in count.result(_RUN if held else 0):
        stamp = None if key is None else _reachable(container, stream, key, by_slot)
        found.append(None if stamp is None else Place(index, stamp, held))
    return found + [None] * (len(starts) - len(found))


class _Count:
    """Counts the packets before each target, and remembers the key frames.

    Args:
        targets: Time stamps, ascending.

    Attributes:
        passed: How many of the targets lie behind the packets that were seen.
    """

    def __init__(self, targets: Sequence[int]) -> None:
        self.passed = 0
        self._targets = targets
        self._before = [0] * (len(targets) + 1)
        self._keys: list[tuple[int, int]] = []  # (time stamp, number of the packet)
        self._number = 0
        self._last: int | None = None

    def fits(self, packet: "Packet[VideoStream]", by_slot: bool, base: float) -> bool:
        """Return False where a packet has no time, or its time lies far before the one of the packet before it."""
        if packet.dts is None or (not by_slot and packet.pts is None):
            return False
        return self._last is None or (packet.dts - self._last) * base >= -JUMP_S

    def take(self, packet: "Packet[VideoStream]", by_slot: bool) -> None:
        """Count a packet that fits."""
        stamp = packet.dts if by_slot else packet.pts
        if stamp is None or packet.dts is None:
            return
        self._last = packet.dts
        if not getattr(packet, "is_discard", False):
            self._before[bisect.bisect_left(self._targets, stamp)] += 1
        if packet.is_keyframe:
            self._keys.append((stamp, self._number))
        self._number += 1
        while self.passed < len(self._targets) and packet.dts > self._targets[self.passed] + 1:
            self.passed += 1

    def result(self, margin: int) -> Iterator[tuple[int, int | None]]:
        """Yield for each target that was passed the packets before it, and the time stamp of its key frame.

        Args:
            margin: The key frame is to be so many packets before the target, or the first one.
        """
        counts = itertools.accumulate(self._before)
        for target, count in zip(self._targets[: self.passed], counts, strict=False):
            near = [stamp for stamp, number in self._keys if stamp <= target + 1 and number <= count - margin]
            first = [stamp for stamp, _ in self._keys[:1] if stamp <= target + 1]
            yield count, near[-1] if near else next(iter(first), None)


def _held(container: InputContainer, stream: VideoStream) -> int:
    """Return how many packets the decoder keeps back: it gives the first frame when it has so many more."""
    stream.thread_type = "NONE"
    stream.codec_context.thread_count = 1
    taken = 0
    try:
        container.seek(0, stream=stream)
        for packet in container.demux(stream):
            taken += 1 if packet.size else 0
            if packet.decode() or taken > _MOST_HELD:
                break
    except av.error.FFmpegError:
        return _RUN
    return max(0, taken - 1)


def _reachable(container: InputContainer, stream: VideoStream, key: int, by_slot: bool) -> int | None:
    """Find the time stamp to which one must seek to reach a key frame, None where that cannot be done."""
    if stream.time_base is None:
        return None
    for back_s in _BACK_S:
        stamp = key - round(back_s / stream.time_base)
        try:
            container.seek(stamp, stream=stream)
            for packet in container.demux(stream):
                seen = packet.dts if by_slot else packet.pts
                if packet.size and seen is not None:
                    if seen <= key:
                        return stamp
                    break
        except av.error.FFmpegError:
            return None
    return None
