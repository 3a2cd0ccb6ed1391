"""The values that travel through handlens: frozen, checked, numpy inside; they know no files, models or drawing."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from handlens.detections import Detections as Detections
from handlens.detections import Floats as Floats
from handlens.detections import Ints as Ints
from handlens.detections import shaped
from handlens.mask import Image as Image
from handlens.mask import Mask as Mask

if TYPE_CHECKING:
    from handlens.given import ImageLike


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source, never mirrored.

    image: (H, W, 3) uint8, RGB. index: 0 for a picture, else the place in the source. time: seconds from the start of
    the source, by its own timestamps. source: the path or address as it was given or found. duration: seconds for which
    it is shown, to the next frame that is read; 0 where that is unknown. clock: seconds since 1970 at which a live
    source took it, or None.

    Raises:
        ValueError: the image has another shape or type, or no pixels.
    """

    image: Image
    index: int = 0
    time: float = 0.0
    source: str = ""
    duration: float = 0.0
    clock: float | None = None

    def __post_init__(self) -> None:
        image = self.image
        if not isinstance(image, np.ndarray) or image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            got = f"{image.shape} {image.dtype}" if isinstance(image, np.ndarray) else type(image).__name__
            raise ValueError(f"Frame.image: expected (H, W, 3) uint8 RGB, got {got}")
        if image.size == 0:
            raise ValueError(f"Frame.image: expected at least one pixel, got {image.shape}")
        object.__setattr__(self, "image", np.ascontiguousarray(image))

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.image.shape[1])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.image.shape[0])


@dataclass(frozen=True, eq=False)
class Label:
    """One name for a picture or a hand.

    score: its probability. scores: the probability of each name. angle: degrees, counter-clockwise from upright, or
    None.
    """

    name: str
    score: float
    scores: dict[str, float] = field(default_factory=dict)
    angle: float | None = None


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand and what is said of it.

    xyxy: (4,) float32, source pixels. angle: degrees as in Label, or None. id: its identity over frames, -1 without.
    mask: (h, w) uint8, 1 where the hand is, else 0, over all source pixels that the box touches; None without.

    Raises:
        ValueError: arrays of other shapes.
    """

    xyxy: Floats
    gesture: Label
    angle: float | None = None
    id: int = -1
    mask: Image | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyxy", shaped(self.xyxy, np.float32, (4,), "Hand.xyxy"))
        if self.mask is not None:
            x1, y1, x2, y2 = self.window
            object.__setattr__(self, "mask", shaped(self.mask, np.uint8, (y2 - y1, x2 - x1), "Hand.mask"))

    @property
    def window(self) -> tuple[int, int, int, int]:
        """All source pixels that the box touches, as x1 y1 x2 y2."""
        x1, y1 = np.floor(self.xyxy[:2]).astype(int).tolist()
        x2, y2 = np.ceil(self.xyxy[2:]).astype(int).tolist()
        return x1, y1, x2, y2

    def whole_mask(self, height: int, width: int) -> Image | None:
        """Return the mask over a whole picture, (height, width) uint8, 0 and 1, or None where there is none."""
        if self.mask is None:
            return None
        x1, y1, x2, y2 = self.window
        whole = np.zeros((height, width), np.uint8)
        whole[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = self.mask[
            max(0, -y1) : max(0, height - y1), max(0, -x1) : max(0, width - x1)
        ]
        return whole


@dataclass(frozen=True)
class Box:
    """One thing that was found, as a row of a result.

    Attributes:
        label: what it is: `face`, `hand`, a touched region, the label of a judged hand, or the class of a mask.
        score: its probability, 0 to 1.
        xyxy: x1, y1, x2, y2 in source pixels.
        id: its number over the frames of a video, from 1 on for faces and for hands; -1 without.
        side: "left" or "right" of the person, or "" where that is not known.
        face: of a touched region, the row of its face in the result, or -1.
        hand: of a touched region, the row of its hand in the result, or -1.
        touch: of a face, the probability that it is touched, or None.
        scores: of a judged hand, the probability of each label.
        angle: of a judged hand, degrees counter-clockwise from upright, or None.
    """

    label: str
    score: float
    xyxy: tuple[float, float, float, float]
    id: int = -1
    side: str = ""
    face: int = -1
    hand: int = -1
    touch: float | None = None
    scores: Mapping[str, float] = field(default_factory=dict, hash=False)
    angle: float | None = None


Value = Detections | Mask | Label | tuple[Hand, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """What a model says of one frame; iterate over it for the boxes, `len` counts them.

    value: Detections (touch), Mask (segment), Label or a tuple of Hand (hold, gesture, combined). time: seconds.
    width, height: of the source, in pixels. model: the model's name, as its card says. duration, clock: as in Frame.
    basis: where a minimum score of the user changed `value`, what the model says at its own thresholds: identities and
    events are made of it, so that a minimum score changes none of them; else None. thresholds: label -> the score from
    which a face or a hand is drawn, "score" for judged hands; what scores less is in the answer, but not in pictures.
    """

    task: str
    index: int
    time: float
    value: Value
    source: str
    width: int
    height: int
    model: str
    duration: float = 0.0
    clock: float | None = None
    basis: Value | None = None
    thresholds: Mapping[str, float] = field(default_factory=dict)

    def __iter__(self) -> Iterator[Box]:
        """Yield each box: faces, hands and touched regions, judged hands, or the connected parts of a mask."""
        return iter(self.boxes)

    def __len__(self) -> int:
        """Return how many boxes there are; a result without any is false."""
        return len(self.boxes)

    @property
    def boxes(self) -> tuple[Box, ...]:
        """Everything that was found, as rows, in the order of `value`."""
        from handlens.rows import boxes_of

        return boxes_of(self)

    def to_dict(self) -> dict[str, Any]:
        """Return the object of one JSON line, as `handlens predict --json` writes it (docs/formats.md)."""
        return self.to_json()

    def draw(self, image: "ImageLike") -> Image:
        """Return a copy of a picture with what was found drawn on it.

        Args:
            image: the picture that the result is about, in any form that `Predictor.predict` takes.

        Returns:
            (H, W, 3) uint8 RGB. Small pictures of judged hands come back enlarged by a whole number.

        Raises:
            InputError: it is no picture, or one of another size.
        """
        from handlens.errors import InputError
        from handlens.given import as_frame
        from handlens.io.draw import draw

        frame = as_frame(image)
        if (frame.width, frame.height) != (self.width, self.height):
            raise InputError(
                f"the result is about a picture of {self.width} x {self.height} pixels,"
                f" but this one has {frame.width} x {frame.height}: give the same picture."
            )
        return draw(frame, self)

    def to_json(self, mask: str | Sequence[str] | None = None) -> dict[str, Any]:
        """Return the object of one JSON line (CONTRACT.md); `mask` is the path that each mask was written to, if so."""
        from handlens.jsonlines import to_json

        return to_json(self, mask)


@dataclass(frozen=True)
class Event:
    """Something that began and ended.

    start, stop: seconds, from the start of the first frame to the end of the last one. start_frame, stop_frame: the
    numbers of these frames. peak: the highest probability. side: "left" or "right" of the person, or "". hand: the hand
    that did it ("hand 2"), or "". regions: the touched regions one after the other, each with its seconds. clock: when
    it began, in seconds since 1970, for live sources. cut: the source ended, paused or was interrupted within it.
    """

    task: str
    label: str
    subject: str
    start: float
    stop: float
    start_frame: int
    stop_frame: int
    peak: float
    source: str = ""
    side: str = ""
    hand: str = ""
    regions: tuple[tuple[str, float], ...] = ()
    clock: float | None = None
    cut: bool = False

    def __post_init__(self) -> None:
        if self.stop < self.start:
            raise ValueError(f"Event: stop {self.stop} lies before start {self.start}")


@dataclass(frozen=True, eq=False)
class Sample:
    """A frame and the truth about it, in the same types as predictions."""

    frame: Frame
    truth: Value
