"""How the user wants sources to be read; it must not open anything."""

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from handlens.errors import InputError
from handlens.types import Image

Remark = Callable[[str], None]
"""Told in a sentence of what was read in another way than one might expect; it is not an error."""

QUARTERS = (0, 90, 180, 270)

SLOWEST = 0.0001  # frames a second, about one in three hours: slower ones cannot be written as a fraction


def silent(sentence: str) -> None:
    """Take a remark and say nothing."""


@dataclass(frozen=True)
class Reading:
    """The choices that hold for every source of a run.

    Attributes:
        every: Yield only the frames whose index is a multiple of it.
        start, stop: Seconds of the source's own time; frames from `start` on and before `stop` are yielded.
        rotate: Degrees clockwise, 0, 90, 180 or 270, and mirror: left and right changed, both after the source's own
            orientation.
        stream: The number of the video stream, as ffprobe counts.
        fps: Frames a second, in place of the times of the file.
        remark: Told what is worth knowing.

    Raises:
        InputError: a value is not allowed.
    """

    every: int = 1
    start: float = 0.0
    stop: float = math.inf
    rotate: int = 0
    mirror: bool = False
    stream: int | None = None
    fps: float | None = None
    remark: Remark = field(default=silent, compare=False)

    def __post_init__(self) -> None:
        if self.every < 1:
            raise InputError(f"every must be 1 or more (1 is every frame), got {self.every}.")
        if not 0 <= self.start < math.inf:
            raise InputError(f"start must be 0 or more seconds, got {self.start:g}.")
        if not self.stop > self.start:
            raise InputError(f"stop must be later than start ({self.start:g} s), got {self.stop:g}.")
        if self.rotate not in QUARTERS:
            raise InputError(f"rotate must be 0, 90, 180 or 270 degrees clockwise, got {self.rotate}.")
        if self.stream is not None and self.stream < 0:
            raise InputError(f"stream must be 0 or more, got {self.stream}.")
        if self.fps is not None and not SLOWEST <= self.fps <= 10000:
            raise InputError(f"fps must be from {SLOWEST:g} to 10000 frames a second, got {self.fps:g}.")

    @property
    def is_complete(self) -> bool:
        """Whether sources are read from their start to their end."""
        return self.start == 0 and self.stop == math.inf

    def turn(self, image: Image) -> Image:
        """Return the image rotated and mirrored as the user asked."""
        if self.rotate:
            image = np.rot90(image, -self.rotate // 90)
        if self.mirror:
            image = image[:, ::-1]
        return np.ascontiguousarray(image)
