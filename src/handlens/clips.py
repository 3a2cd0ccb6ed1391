"""Videos for users of the Python interface: frames with times, and what a model says of each; it must not draw."""

import os
from collections.abc import Iterator

from handlens.errors import InputError
from handlens.predictor import Predictor, load
from handlens.result import Result
from handlens.types import Frame


def frames(
    path: str | os.PathLike[str], every: int = 1, start: float = 0.0, stop: float | None = None
) -> Iterator[Frame]:
    """Yield the frames of a video, upright, each with its time.

    Memory stays constant, however long the video is.

    Args:
        path: a video file, or the address of a stream.
        every: yield every n-th frame only.
        start: seconds of the video's own time; earlier frames are left out.
        stop: seconds; frames from there on are left out. None reads to the end.

    Yields:
        Frames in RGB. `index` counts the frames of the file, `time` is in seconds from the start of the file.

    Raises:
        InputError: there is no such file, it is not a video, or `every`, `start` or `stop` is not allowed.
        FrameError: it is damaged. The frames that can be read are yielded before.
        DeviceError: a stream that cannot be reached.
    """
    import math

    from handlens.io.reading import Reading
    from handlens.io.sources.base import is_picture
    from handlens.io.sources.open import open_source

    name = os.fspath(path)
    if is_picture(name):
        raise InputError(f"'{name}' is a picture: use handlens.load('touch').predict('{name}').")
    if os.path.isdir(name):
        raise InputError(f"'{name}' is a folder: give one video.")
    if name.isdigit() and not os.path.exists(name):
        raise InputError(f"'{name}' does not exist: give a video file; cameras are for 'handlens watch {name}'.")
    reading = Reading(every, start, math.inf if stop is None else stop)
    source = open_source(name, reading=reading)

    def read() -> Iterator[Frame]:
        with source:
            yield from source.frames()

    return read()


def video(
    path: str | os.PathLike[str],
    model: str | os.PathLike[str] | Predictor = "touch",
    every: int = 1,
    start: float = 0.0,
    stop: float | None = None,
    min_score: float | None = None,
    crop: str = "hand",
) -> Iterator[Result]:
    """Yield what a model says of each frame of a video.

    Faces and hands keep their numbers (`id`) from frame to frame. Memory stays constant, however long the video is.

    Args:
        path: a video file, or the address of a stream.
        model: a shipped name, an .onnx file, or a model that `handlens.load` returned.
        every: look at every n-th frame only.
        start: seconds of the video's own time; earlier frames are left out.
        stop: seconds; frames from there on are left out. None reads to the end.
        min_score: as in `Predictor.predict`.
        crop: as in `Predictor.predict`.

    Yields:
        One result for each frame, with `index` and `time` in seconds from the start of the file.

    Raises:
        InputError: there is no such file, it is not a video, or an argument is not allowed.
        FrameError: the video is damaged. The results of the frames that can be read are yielded before.
        ModelError: no such model.
    """
    predictor = model if isinstance(model, Predictor) else load(os.fspath(model))
    seen = frames(path, every, start, stop)

    def judge() -> Iterator[Result]:
        from handlens.track import Tracker

        tracker = Tracker()
        for frame in seen:
            yield tracker.update(predictor.predict(frame, min_score, crop))

    return judge()
