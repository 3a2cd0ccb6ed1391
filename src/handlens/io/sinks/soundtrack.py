"""The sound of a video file -> the annotated film of it, at the same times; it must not know pictures or results.

Packets are copied as they are where an .mp4 takes their codec, else the sound is encoded again as AAC. The sound never
ends a run: what goes wrong with it is said as a remark.
"""

import os
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error

from handlens.io.reading import Remark

_COPIED = frozenset({"aac", "mp3", "mp3float", "ac3", "eac3", "opus", "flac", "alac"})  # what players expect in an .mp4
_RATES = frozenset({8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000})  # of AAC, samples a second
_RATE, _FRAME = 48000, 1024  # samples a second, and in a frame of AAC
_SLACK_S = 0.02  # a picture this much later than expected is still the same one
_FAULTS = (av.error.FFmpegError, ValueError, TypeError, OverflowError)


class Soundtrack:
    """The sound streams of a video file, on their way into a film.

    Args:
        source: The file.
        output: The film's container, before anything was written to it.
        whole: The film begins with the first picture of the file; else sound before `first` seconds is left out.
        remark: Is told what went wrong.
    """

    def __init__(self, source: str, output: Any, first: float, complete: bool, remark: Remark) -> None:
        self._source, self._remark = source, remark
        self._first = -1e9 if complete else first
        self._tracks: dict[int, _Track] = {}
        self._held: list[tuple[_Track, Any, float]] = []  # packets that are later than the pictures so far
        self._video_s = -1e9  # the latest picture of the file that was passed
        self._input: Any = None
        self._packets: Iterator[Any] = iter(())
        if not os.path.isfile(source):
            return
        try:
            self._input = av.open(source, metadata_errors="replace")
            self._start = (self._input.start_time or 0) / av.time_base
            for stream in self._input.streams.audio:
                self._tracks[stream.index] = _track(stream, output, self._start)
            if self._tracks:
                self._packets = self._input.demux([*self._input.streams.audio, *self._input.streams.video])
        except _FAULTS as error:
            self._fail(error)

    def write(self, until: float) -> None:
        """Write the sound before `until` seconds."""
        self._go_on(until)
        self._release(until)

    def finish(self, end: float) -> None:
        """Write the rest.

        Args:
            end: When the last picture of the film ends; sound after it stays where the file has no later picture.
        """
        self._go_on(1e9, end + _SLACK_S)
        self._release(1e9 if self._video_s <= end + _SLACK_S else end)
        try:
            for track in self._tracks.values():
                track.flush()
        except _FAULTS as error:
            self._fail(error)
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self._input is not None:
            self._input.close()
        self._input, self._tracks, self._packets = None, {}, iter(())

    def _go_on(self, until: float, end: float = 1e9) -> None:
        """Read packets up to a time, or to the first picture after `end`."""
        try:
            while self._tracks and self._video_s <= end:
                packet = next(self._packets, None)
                if packet is None:
                    return
                stamp = packet.pts if packet.pts is not None else packet.dts
                if stamp is None:
                    continue
                time = float(stamp * packet.time_base) - self._start
                if packet.stream.type == "video":
                    self._video_s = max(self._video_s, time)
                elif packet.stream.index in self._tracks and time >= self._first:
                    self._held.append((self._tracks[packet.stream.index], packet, time))
                if time > until:
                    return
        except _FAULTS as error:
            self._fail(error)

    def _release(self, until: float) -> None:
        """Write the packets that were read and begin before a time."""
        try:
            for track, packet, time in self._held:
                if time < until:
                    track.write(packet)
            self._held = [held for held in self._held if held[2] >= until]
        except _FAULTS as error:
            self._fail(error)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, OSError) and not isinstance(error, av.error.InvalidDataError) and error.errno == 28:
            raise error  # the disk is full: that is not matter of sound
        self._remark(f"the sound of '{self._source}' could not be kept in its annotated video: {error}.")
        self._held = []
        self.close()


class _Track:
    """One stream of sound, copied packet by packet."""

    def __init__(self, stream: Any, output: Any, start: float) -> None:
        self._output = output
        self._shift = round(start / stream.time_base)
        self._last: int | None = None
        add = getattr(output, "add_stream_from_template", None)
        self._stream = add(stream) if add else output.add_stream(template=stream)
        self._stream.metadata.update(
            {key: stream.metadata[key] for key in ("language", "title") if key in stream.metadata}
        )

    def write(self, packet: Any) -> None:
        """Write a packet of the file."""
        stamp = packet.dts if packet.dts is not None else packet.pts
        dts = stamp - self._shift
        if self._last is not None and dts <= self._last:
            return  # damaged: players refuse times that run backwards
        self._last = dts
        packet.pts = (packet.pts if packet.pts is not None else stamp) - self._shift
        packet.dts = dts
        packet.stream = self._stream
        self._output.mux(packet)

    def flush(self) -> None:
        """Write what is left."""


class _Encoded(_Track):
    """One stream of sound, decoded and encoded as AAC."""

    def __init__(self, stream: Any, output: Any, start: float) -> None:
        self._output = output
        rate = stream.rate if stream.rate in _RATES else _RATE
        self._stream = output.add_stream("aac", rate=rate, layout="mono" if stream.channels == 1 else "stereo")
        layout = self._stream.codec_context.layout.name
        self._resampler = av.AudioResampler("fltp", layout, rate, frame_size=_FRAME)
        self._shift = round(start * rate)
        self._rate = rate

    def write(self, packet: Any) -> None:
        """Write a packet of the file."""
        for frame in packet.decode():
            self._encode(self._resampler.resample(frame))

    def flush(self) -> None:
        """Write what is left."""
        try:
            self._encode(self._resampler.resample(None))
        except ValueError:  # nothing was ever resampled
            return
        self._output.mux(self._stream.encode(None))

    def _encode(self, frames: list[Any]) -> None:
        for frame in frames:
            if frame.pts is not None:
                frame.pts = round(frame.pts * frame.time_base * self._rate) - self._shift
                frame.time_base = Fraction(1, self._rate)
            self._output.mux(self._stream.encode(frame))


def _track(stream: Any, output: Any, start: float) -> _Track:
    if stream.codec_context.name in _COPIED:
        return _Track(stream, output, start)
    return _Encoded(stream, output, start)
