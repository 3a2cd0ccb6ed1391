"""What the user typed -> a Source of frames; it must not know models, results or sinks."""

import math
from dataclasses import replace
from pathlib import Path

from handlens.errors import InputError
from handlens.io.reading import Reading
from handlens.io.sources.base import Source, camera_number, is_address, is_picture
from handlens.io.sources.find import find_files


def open_source(
    text: str | Path, every: int = 1, live: bool = False, reading: Reading | None = None, reconnect: float = 0.0
) -> Source:
    """Open a picture, a folder, a glob, a video, a camera ("0") or a stream address.

    Args:
        every: Of a video, camera or stream, yield only the frames whose index is a multiple of it.
        live: Play a video file at its own speed and keep only the newest frame, as a camera would; cameras are always
            live. Streams are too, but for http and tcp addresses opened with live=False: they can wait, so no frame of
            them is lost.
        reading: The part to read, how it is turned, and more; its own `every` counts where `every` is left out.
        reconnect: Seconds for which a live camera or stream that drops is opened again.

    Raises:
        InputError: nothing there, or nothing in it that can be read; FrameError if it is one broken video.
        DeviceError: no such camera, or a stream that cannot be reached.
    """
    name = str(text)
    reading = reading or Reading()
    if every != 1:
        reading = replace(reading, every=every)
    camera = camera_number(name)
    if camera is not None:
        from handlens.io.sources.camera import open_camera

        _refuse_for_camera(reading)
        return open_camera(camera, reading, reconnect=reconnect)
    if is_address(name):
        from handlens.io.sources.stream import open_stream

        return open_stream(name, reading, live, reconnect)
    paths = find_files(name, remark=reading.remark)
    if len(paths) == 1 and not is_picture(paths[0]):
        from handlens.io.sources.video import Video

        video = Video(paths[0], reading)
        if not live:
            return video
        from handlens.io.sources.live import Live, play

        patience = math.inf  # a recording of a screen may show one picture for minutes
        return Live(video.name, "video", play(video), video.close, video.fps, patience, patience, clocked=False)
    if live:
        raise InputError(f"'{name}' is not a video, camera or stream: for pictures type 'handlens predict {name}'.")
    from handlens.io.sources.files import Files

    return Files(name, paths, reading)


def _refuse_for_camera(reading: Reading) -> None:
    for flag, given in (
        ("start", reading.start > 0),
        ("stop", reading.stop < math.inf),
        ("stream", reading.stream is not None),
        ("fps", reading.fps is not None),
    ):
        if given:
            raise InputError(f"--{flag} is for files and streams, not for a camera: leave it out.")
