"""An open container -> frames with the times that players show; it must not open files or know who reads them."""

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from typing import Any

import av
import av.error
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from handlens.errors import FrameError
from handlens.io.reading import Reading
from handlens.io.sources.damage import Damage, Log
from handlens.io.upright import Upright
from handlens.types import Frame

JUMP_S = 1.0
_NO_TIMES = 0x80  # FFmpeg's flag of a format whose times are made up: AVFMT_NOTIMESTAMPS
_RATES = (Fraction(1, 2), Fraction(1000))  # a raw stream's own rate is believed within these
_ONE_FRAME_A_PACKET = frozenset({"h264", "hevc", "vvc"})  # others also send packets that show nothing
_JOINT = 3  # packets from the mark of a joint to its key frame, at most
_MOST_PENDING = 5000
EPSILON_S = 1e-6  # as fine as FFmpeg states the start of a container


class Decoding:
    """The frames of an open container, in the order they are shown; iterate once.

    A time is that of the frame minus the start of the container, as ffprobe, BORIS and ELAN count; where the file has
    no times it follows from the rate.

    Attributes:
        ahead: Decode up to the next frame before one is given, so that its duration is known; a live stream must not
            wait for that, and takes the duration that the stream states.
        arrival: Where there is neither time nor rate, take the time at which a frame arrives. index: number of the
            first frame at or after `reading.start`, where the container was moved to a place before it.
        count: Frames given or passed over by `every`.
        seconds: Time of the last frame.
        damage: What could not be decoded well.

    Raises:
        FrameError: there is neither a time nor a rate.
    """

    def __init__(
        self,
        container: InputContainer,
        stream: VideoStream,
        name: str,
        reading: Reading,
        ahead: bool = True,
        arrival: bool = False,
    ) -> None:
        self.count = 0
        self.seconds = 0.0
        self.stopped = False  # whether it ended at reading.stop
        self.damage = Damage()
        self._container, self._stream, self._name, self._reading = container, stream, name, reading
        self._ahead = ahead
        self._index = 0  # of the next frame
        self._stated_s = 0.0  # the duration of the last frame as the file states it, else as the frames before it had
        self._moved = False  # whether the container stands near `start`
        self._held: int | None = None  # packets that the decoder keeps back, until the first frame behind a move
        self._to_rgb = Upright(stream.sample_aspect_ratio)
        self.rate = frame_rate(container, stream, name, reading, needed=not arrival)
        self._arrival = arrival and self.rate is None and not has_times(container)
        self._begun = False
        self._arrived: float | None = None  # when the first frame came, where that is all we have
        self._start = container_start(container, stream)
        # AVI stores no display times: FFmpeg's guesses run 1, 4, 3, 5, 2 where there are B-frames. The slots of its
        # packets are right and only need to be handed out in order.
        self._slots: deque[int] | None = deque() if container.format.name == "avi" else None
        self._losses = _Losses(stream.codec_context.name in _ONE_FRAME_A_PACKET and self._slots is None)
        self._torn: float | None = None  # the time of a packet of a transport stream that lost parts
        self._torn_left = 0
        self._spoiled = False  # a damaged frame was shown, and no key frame after it

    @property
    def fps(self) -> float | None:
        """The mean rate, as far as it is known."""
        rate = self.rate or self._stream.average_rate
        if rate and rate > _RATES[1]:  # a time base, as .dv files have it
            rate = self._stream.guessed_rate
        return float(rate) if rate else None

    def begin_at(self, index: int, held: int | None = None) -> None:
        """Say that the container was moved.

        Args:
            index: Of the first frame at or after `reading.start`.
            held: How many packets the decoder keeps back. Frames that need one from before the move are not shown, and
                so the first one has not the first slot.
        """
        self._index, self._held = index, held
        self._moved = True

    def __iter__(self) -> Iterator[Frame]:
        held: Frame | None = None
        try:
            for frame in self._wanted():
                if not self._ahead:
                    yield replace(frame, duration=self._stated_s * self._reading.every)
                    continue
                if held is not None:
                    yield replace(held, duration=frame.time - held.time)
                held = frame
        except av.error.FFmpegError:
            if held is not None:
                yield self._last(held)
            raise
        if held is not None:
            yield self._last(held)

    def _last(self, frame: Frame) -> Frame:
        end = min(self.seconds + self._stated_s, self._reading.stop)
        return replace(frame, duration=max(0.0, end - frame.time))

    def _wanted(self) -> Iterator[Frame]:
        """Yield the frames from `start` to `stop`, every N-th, in RGB."""
        reading = self._reading
        for picture in self._pictures():
            early = self.seconds < reading.start - EPSILON_S
            if self.seconds >= reading.stop:
                self.stopped = True
                return
            self._judge(picture, early)
            if early and self._moved:
                continue
            index, self._index = self._index, self._index + 1
            if early:
                continue
            self.count += 1
            if index % reading.every == 0:
                image = reading.turn(self._to_rgb(picture))
                yield Frame(image, index, self.seconds, self._name)

    def _judge(self, picture: VideoFrame, early: bool) -> None:
        """Note damage and holes; damage stays in the picture until the next key frame."""
        wrong = picture.is_corrupt or self._losses.is_marked(picture.pts)
        self._spoiled = wrong or (self._spoiled and not picture.key_frame)
        if self._spoiled and not early:
            self.damage.frame(self.seconds, self.seconds + self._stated_s)

    def _pictures(self) -> Iterator[VideoFrame]:
        """Yield decoded pictures in their order, with `seconds` set to the time of each."""
        with Log(self._stream.codec_context.name) as log:
            for packet in self._container.demux(self._stream):
                for picture in self._decoded(packet, log):
                    self._pass_time(picture)
                    yield picture
        self._close_losses()

    def _decoded(self, packet: "Packet[Any]", log: Log) -> list[VideoFrame]:
        transport = self._container.format.name == "mpegts"
        cut_off = packet.is_corrupt and packet.size and not transport
        if transport:
            self._check_transport(packet)
        if self._slots is not None and packet.dts is not None and not cut_off:
            self._slots.append(packet.dts)
        self._losses.expect(packet)
        try:
            if cut_off:
                raise av.error.InvalidDataError(0, "cut off")
            with log.hear() as heard:
                shown: list[Any] = list(packet.decode())
        except (av.error.InvalidDataError, av.error.PatchWelcomeError):
            self._losses.fail(packet)
            if self._slots and packet.dts is not None and not cut_off:
                self._slots.pop()
            if packet.pts is None or self._slots is not None:
                self.damage.frame(self.seconds, self.seconds + self._stated_s)
            return []
        if heard:
            self._losses.mark(packet.pts)
        return shown

    def _check_transport(self, packet: "Packet[Any]") -> None:
        """Note a packet of a transport stream that lost parts.

        Where files were joined, too, the count of the parts breaks off, but then a key frame follows soon, and nothing
        is lost.
        """
        base = self._stream.time_base
        if packet.is_keyframe:
            self._torn = None
        elif self._torn is not None and packet.size:
            seconds, self._torn_left = self._torn, self._torn_left - 1
            if self._torn_left == 0:
                self._torn, self._spoiled = None, True
                if self._reading.start <= seconds < self._reading.stop:
                    self.damage.frame(seconds, max(seconds, self.seconds) + self._stated_s)
        elif packet.is_corrupt and packet.size and packet.pts is not None and base:
            self._torn, self._torn_left = float(packet.pts * base - (self._start or 0)), _JOINT

    def _pass_time(self, picture: VideoFrame) -> None:
        first, self._begun = not self._begun, True
        before = self.seconds
        now = self._time(picture)
        self.seconds = now if first else max(before, now)
        gap = self.seconds - before
        stated = self._stated(picture)
        missing, failed = self._losses.arrived(picture.pts)
        if first and missing and not failed and self.seconds > 1.5 * stated:
            if self._ahead:  # one joins a live stream wherever it is
                self._reading.remark(
                    f"'{self._name}' begins between two key frames: its first {self.seconds:.1f} s cannot be read."
                )
        elif missing and self.seconds >= self._reading.start and not (first and self._moved):
            if gap > 1.5 * (stated or gap):
                self.damage.hole(before if first else before + self._stated_s, self.seconds)
            elif failed:
                self.damage.frame(before, self.seconds)
        self._stated_s = stated or gap

    def _close_losses(self) -> None:
        """Note the frames that were to come after the last one."""
        base = self._stream.time_base
        latest = self._losses.latest()
        if latest is not None and base is not None:
            end = float(latest * base - (self._start or 0))
            if self._reading.start <= end < self._reading.stop and end - self.seconds > 0.9 * self._stated_s:
                self.damage.hole(self.seconds + self._stated_s, end + self._stated_s)

    def _stated(self, picture: VideoFrame) -> float:
        """Return the duration of the frame by its own packet, else by the rate; 0 where neither is known."""
        if self.rate is not None:
            return float(1 / self.rate)
        base = picture.time_base or self._stream.time_base
        duration = getattr(picture, "duration", 0)  # PyAV below 14 does not tell
        if base and duration and duration > 0 and not self._arrival:
            return float(duration * base)
        return 1 / self.fps if self.fps and not self._arrival else 0.0

    def _time(self, picture: VideoFrame) -> float:
        if self.rate is not None:
            return float(self._index / self.rate)
        if self._arrival:
            now = time.monotonic()
            self._arrived = now if self._arrived is None else self._arrived
            return now - self._arrived
        base: Fraction = picture.time_base or self._stream.time_base or Fraction(1, 1000)
        pts = picture.pts
        if self._slots is not None and self._stream.time_base is not None:
            while self._held is not None and len(self._slots) > self._held + 1:
                self._slots.popleft()
            self._held = None
            pts, base = (self._slots.popleft() if self._slots else None), self._stream.time_base
        if pts is None:
            return self.seconds + self._stated_s
        if self._start is None:
            self._start = pts * base
        if float(pts * base - self._start) < self.seconds - JUMP_S:  # the sender started over: go on from here
            self._start = pts * base - Fraction(self.seconds + (self._stated_s or 0.04)).limit_denominator(1000000)
            self._losses.forget(pts)
        return float(pts * base - self._start)


class _Losses:
    """Which packets gave no frame. counts: every packet is to give one; else only those that failed are missed."""

    def __init__(self, counts: bool) -> None:
        self._counts = counts
        self._due: set[int] = set()
        self._failed: set[int] = set()
        self._marked: set[int] = set()

    def expect(self, packet: "Packet[Any]") -> None:
        """Note a packet that goes to the decoder."""
        if self._counts and packet.size and packet.pts is not None and not getattr(packet, "is_discard", False):
            self._due.add(packet.pts)
            if len(self._due) > _MOST_PENDING:
                self._due = {min(self._due), max(self._due)}

    def fail(self, packet: "Packet[Any]") -> None:
        """Note a packet that the decoder refused."""
        if packet.pts is not None:
            self._due.add(packet.pts)
            self._failed.add(packet.pts)

    def mark(self, pts: int | None) -> None:
        """Note that the frame with this time is damaged."""
        if pts is not None:
            self._marked.add(pts)

    def is_marked(self, pts: int | None) -> bool:
        """Return whether the frame with this time was marked."""
        found = pts in self._marked
        if pts is not None:
            self._marked = {other for other in self._marked if other > pts}
        return found

    def arrived(self, pts: int | None) -> tuple[bool, bool]:
        """Return whether frames before this one are missing, and whether the decoder refused one; forget them."""
        if pts is None or not self._due:
            return False, False
        missing = {other for other in self._due if other < pts}
        failed = bool(missing & self._failed)
        self._due -= missing | {pts}
        self._failed -= missing
        return bool(missing), failed

    def latest(self) -> int | None:
        """Return the time of the last packet that gave no frame, None if there is none."""
        return max(self._due, default=None)

    def forget(self, pts: int) -> None:
        """Forget all but what comes from this time on: the times started over."""
        self._due = {other for other in self._due if abs(other - pts) < 10**6 and other >= pts}
        self._failed &= self._due
        self._marked.clear()


def container_start(container: InputContainer, stream: VideoStream) -> Fraction | None:
    """Return the time at which the container starts, in seconds: the earliest of its sound and pictures."""
    if container.start_time is None:
        return stream.start_time * stream.time_base if stream.start_time is not None and stream.time_base else None
    stated = Fraction(container.start_time, av.time_base)
    starts = [
        other.start_time * other.time_base
        for other in (*container.streams.video, *container.streams.audio)
        if other.start_time is not None and other.time_base
    ]
    exact = min(starts, key=lambda start: abs(start - stated), default=stated)
    return exact if abs(exact - stated) < 2 * EPSILON_S else stated  # the container's is rounded to microseconds


def has_times(container: InputContainer) -> bool:
    """Return whether frames in this format have times of their own; raw streams such as .h264 have none."""
    return not int(container.format.flags) & _NO_TIMES


def frame_rate(
    container: InputContainer, stream: VideoStream, name: str, reading: Reading, needed: bool = True
) -> Fraction | None:
    """Return the rate from which times are to be counted, or None where the frames have times of their own.

    Raises:
        FrameError: a rate is needed and nobody states one.
    """
    if reading.fps is not None:
        return Fraction(reading.fps).limit_denominator(1001000)
    if has_times(container):
        return None
    rate = stream.codec_context.framerate
    if rate and _RATES[0] <= rate <= _RATES[1]:
        if needed:
            reading.remark(
                f"'{name}' holds no times: they are counted at the rate in its header, {float(rate):g} frames a second"
                " (--fps for another)."
            )
        return Fraction(rate)
    if needed:
        raise FrameError(f"'{name}' holds no times, and no rate of frames: add the frames a second, such as --fps 25.")
    return None
