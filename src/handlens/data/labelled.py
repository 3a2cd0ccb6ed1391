"""One labelled picture: where it is and what is true of it; it must not know sets, file formats or networks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from handlens.types import Floats, Hand, Image, Ints, shaped


def _no_boxes() -> Floats:
    return np.zeros((0, 4), np.float32)


def _no_labels() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Labelled:
    """One picture with what a person said of it; pixels are read when they are asked for.

    Attributes:
        path: The picture's file, or the name of a picture inside a pack.
        width, height: Pixels, as it is shown (turned as its EXIF says), or 0 where nobody needed to know yet.
        boxes: (n, 4) float32, x1 y1 x2 y2 in its pixels.
        labels: (n,) int64 into the set's names; for kind "classify" one row, and no box.
        mask: Reads the class of each pixel (H, W) uint8, 255 = ignore.
        pixels: Reads the picture (H, W, 3) uint8 RGB; None: `path` is read.
        split: Train, val, test or "".
        group: The person or source; pictures of one group never lie in two splits. "": a group of its own.
        angle: For kind "classify" the degrees by which what it shows is turned, counter-clockwise from upright, where
            that is known.
        hands: For kind "landmarks" the hands with their landmarks; their boxes and sides are in `boxes` and `labels`.
    """

    path: Path
    width: int = 0
    height: int = 0
    boxes: Floats = field(default_factory=_no_boxes)
    labels: Ints = field(default_factory=_no_labels)
    mask: Callable[[], Image] | None = None
    pixels: Callable[[], Image] | None = None
    split: str = ""
    group: str = ""
    angle: float | None = None
    hands: tuple[Hand, ...] = ()

    def __post_init__(self) -> None:
        labels = np.asarray(self.labels, np.int64)
        object.__setattr__(self, "labels", labels)
        rows = len(self.boxes) if len(self.boxes) else 0
        object.__setattr__(self, "boxes", shaped(self.boxes, np.float32, (rows, 4), "Labelled.boxes"))

    @property
    def name(self) -> str:
        """The file's name without its ending."""
        return self.path.stem

    @property
    def group_key(self) -> str:
        """The group, or the picture's own path where it has none."""
        return self.group or str(self.path)

    def image(self) -> Image:
        """Return the picture (H, W, 3) uint8 RGB.

        Raises:
            FrameError: it cannot be read.
        """
        from handlens.io.pictures.read import read_picture

        return self.pixels() if self.pixels is not None else read_picture(str(self.path))
