"""The values that travel through handlens: frozen, checked, numpy inside; they know no files, models or drawing."""

import dataclasses
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_] | npt.NDArray[np.int64] | Sequence[int] | Sequence[bool]

OWNERS = ("face", "hand")
"""Labels of boxes that are not a touch; every other label of a touch model is a touched region, and these own it."""
TOUCHED = (
    "forehead", "temple", "eye", "eyebrow", "nose", "mouth", "lip", "cheek", "chin", "jaw", "ear", "hair", "neck",
)  # fmt: skip
"""Words for what a hand touches: a detector without any of them, and without "touch", finds other things."""
FINGERS = ("thumb", "index", "middle", "ring", "little")
LANDMARKS = (
    "wrist",
    *("thumb_cmc", "thumb_mcp", "thumb_ip", "thumb_tip"),
    *(f"{finger}_{joint}" for finger in FINGERS[1:] for joint in ("mcp", "pip", "dip", "tip")),
)
"""The 21 points of a hand, in the order that MediaPipe gave them: the wrist, then each finger from root to tip."""
IGNORE = 255
"""The value of the pixels of a true mask that have no class: they count nowhere."""


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


def shaped(value: Any, dtype: npt.DTypeLike, shape: tuple[int, ...], what: str) -> npt.NDArray[Any]:
    """Return `value` as an array of that type, or raise ValueError naming the expected and the actual shape."""
    array = np.asarray(value, dtype)
    if array.size == 0 and 0 in shape:
        return array.reshape(shape)
    if array.shape != shape:
        raise ValueError(f"{what}: expected shape {shape}, got {array.shape}")
    return array


@dataclass(frozen=True, eq=False)
class Detections:
    """Boxes of one frame; nothing found is n = 0, never None.

    Attributes:
        xyxy: (n, 4) float32, source pixels, x1 y1 x2 y2.
        score: (n,) float32 in [0, 1].
        label: (n,) int64 into `names`.
        face, hand: (n,) int64, the row of the owner in these boxes, or -1.
        id: (n,) int64, identity over frames, or -1. Left out, the last three are all -1.
        touch: The calibrated probability that some hand touches some face in this frame, or None from a model that
            gives none.
        face_touch: (n,) float32, for each face the probability that it is touched, NaN for other rows and for faces
            that were not judged; None from a model that does not judge single faces.
        face_thing: (n, 2) float32, for each face the probability of a thing at the mouth and of one elsewhere at the
            face, NaN for other rows; None from a model that does not look for things.
        side: (n,) texts, for a touched region "left" or "right" of the person, for a hand which of the person's hands
            it is, "" for others or where it is not known.
        doubt: The probabilities of touch, from the first on and below the second, at which the model is not sure: there
            it was often wrong on people it did not know. None from a model of which this was not measured.

    Raises:
        ValueError: shapes that do not agree, a label without a name, an owner that is not a row.
    """

    xyxy: Floats
    score: Floats
    label: Ints
    names: tuple[str, ...]
    face: Ints = field(default_factory=_no_ints)
    hand: Ints = field(default_factory=_no_ints)
    id: Ints = field(default_factory=_no_ints)
    touch: float | None = None
    face_touch: Floats | None = None
    face_thing: Floats | None = None
    side: tuple[str, ...] = ()
    doubt: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        put = object.__setattr__
        put(self, "names", tuple(self.names))
        put(self, "xyxy", shaped(self.xyxy, np.float32, (n, 4), "Detections.xyxy"))
        put(self, "score", shaped(self.score, np.float32, (n,), "Detections.score"))
        put(self, "label", shaped(self.label, np.int64, (n,), "Detections.label"))
        if n and not (self.label.min() >= 0 and self.label.max() < len(self.names)):
            raise ValueError(f"Detections.label: expected 0 to {len(self.names) - 1}, got {self.label.tolist()}")
        for name in ("face", "hand", "id"):
            given = np.asarray(getattr(self, name), np.int64)
            filled = np.full(n, -1, np.int64) if given.size == 0 else given
            put(self, name, shaped(filled, np.int64, (n,), f"Detections.{name}"))
        for name in OWNERS:
            owner = getattr(self, name)
            if n and not (owner.min() >= -1 and owner.max() < n):
                raise ValueError(f"Detections.{name}: expected rows -1 to {n - 1}, got {owner.tolist()}")
        if self.face_touch is not None:
            put(self, "face_touch", shaped(self.face_touch, np.float32, (n,), "Detections.face_touch"))
        if self.face_thing is not None:
            put(self, "face_thing", shaped(self.face_thing, np.float32, (n, 2), "Detections.face_thing"))
        put(self, "side", tuple(self.side) or ("",) * n)
        if len(self.side) != n:
            raise ValueError(f"Detections.side: expected {n} texts, got {len(self.side)}")
        if self.touch is not None and not 0.0 <= self.touch <= 1.0:
            raise ValueError(f"Detections.touch: expected 0 to 1, got {self.touch}")

    @classmethod
    def empty(cls, names: Sequence[str], touch: float | None = None) -> "Detections":
        """Return no boxes, of a model with these label names."""
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), _no_ints(), tuple(names), touch=touch)

    def __len__(self) -> int:
        return len(self.xyxy)

    @property
    def label_names(self) -> list[str]:
        """The name of each row's label."""
        return [self.names[i] for i in self.label]

    @property
    def best_touch(self) -> float:
        """The probability of a touch: `touch`, or from a model without one the best score of a touched region, or 0."""
        if self.touch is not None:
            return self.touch
        regions = self.score[~self.of(*OWNERS)]
        return float(regions.max()) if len(regions) else 0.0

    @property
    def unsure(self) -> bool | None:
        """Whether the model is not sure if this frame shows a touch, or None where that is not known."""
        return None if self.doubt is None else self.doubt[0] <= self.best_touch < self.doubt[1]

    @property
    def tells_touch(self) -> bool:
        """Whether the labels are touched regions, and not those of a detector of other things, such as cups."""
        others = [name.lower() for name in self.names if name not in OWNERS]
        words = {word.removesuffix("s") for name in others for word in re.split(r"[^a-z]+", name)}
        named = any("touch" in name for name in others) or bool(words & {*TOUCHED})
        return self.touch is not None or not others or named

    def of(self, *names: str) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: which rows carry one of these label names."""
        wanted = np.array([name in names for name in self.names], bool)
        return np.asarray(wanted[self.label], bool) if len(self.label) else np.zeros(0, bool)

    def select(self, rows: Rows) -> "Detections":
        """Return the rows of a mask or a list of row numbers; owners follow, -1 where the owner was dropped."""
        chosen = np.asarray(rows)
        picked = np.arange(len(self))[chosen if chosen.size else _no_ints()]
        place = np.full(len(self) + 1, -1, np.int64)  # one more: the owner -1 stays -1
        place[picked] = np.arange(len(picked))
        return dataclasses.replace(
            self,
            xyxy=self.xyxy[picked],
            score=self.score[picked],
            label=self.label[picked],
            face=place[self.face[picked]],
            hand=place[self.hand[picked]],
            id=self.id[picked],
            face_touch=None if self.face_touch is None else self.face_touch[picked],
            face_thing=None if self.face_thing is None else self.face_thing[picked],
            side=tuple(self.side[row] for row in picked),
        )


Image = npt.NDArray[np.uint8]

SEEN = 1 / 200
"""The least share of the picture that a blob takes up for its class to count as seen; less may be a mistake."""


@dataclass(frozen=True, eq=False)
class Blobs:
    """The connected components of one class, largest first.

    Attributes:
        xyxy: (n, 4) float32, source pixels.
        pixels: (n,) int64, how many.
        score: (n,) float32, the mean probability of the class, or 1 where none is known.
    """

    xyxy: Floats
    pixels: Ints
    score: Floats


@dataclass(frozen=True, eq=False)
class Mask:
    """A class for every pixel.

    Attributes:
        classes: (H, W) uint8 in source size, indices into `names`, of which the first is the background; 255 is
            "ignore" (only in truths).
        score: (H, W) uint8, the probability of each pixel's class, 255 = 1; None where it is not a model's answer.
        covered: (H, W) bool, where something of the class `under` lies hidden below another class, as a face below a
            hand; None where that is not known.

    Raises:
        ValueError: another shape or type.
    """

    classes: Image
    names: tuple[str, ...]
    score: Image | None = None
    covered: npt.NDArray[np.bool_] | None = None
    under: str = ""
    _blobs: dict[str, Blobs] = field(default_factory=dict, init=False, repr=False)

    def __post_init__(self) -> None:
        _check("classes", self.classes)
        if self.score is not None:
            _check("score", self.score)
            if self.score.shape != self.classes.shape:
                raise ValueError(f"Mask.score: expected {self.classes.shape} as the classes, got {self.score.shape}")
        if self.covered is not None and (self.covered.shape != self.classes.shape or self.under not in self.names):
            raise ValueError(f"Mask.covered: expected {self.classes.shape} and the name of a class below")
        object.__setattr__(self, "names", tuple(self.names))

    @property
    def parts(self) -> tuple[str, ...]:
        """The names of the classes other than the background."""
        return self.names[1:]

    def blobs(self, name: str) -> Blobs:
        """Return the connected components (8 neighbours) of that class.

        Raises:
            ValueError: no class of that name.
        """
        if name not in self._blobs:
            self._blobs[name] = self._found(name)
        return self._blobs[name]

    def boxes(self, name: str) -> Floats:
        """Return (n, 4) float32 source pixels: one box for each connected component of that class, largest first.

        Raises:
            ValueError: no class of that name.
        """
        return self.blobs(name).xyxy

    def fraction(self, name: str) -> float:
        """Return the share of the pixels that belong to that class, 0 to 1."""
        return float(np.mean(self.classes == self.names.index(name)))

    def hidden(self) -> float | None:
        """Return the share of the class `under` that is covered, 0 to 1; None where nothing of it is seen or hidden."""
        if self.covered is None:
            return None
        below, seen = int(self.covered.sum()), int((self.classes == self.names.index(self.under)).sum())
        return below / (below + seen) if below + seen else None

    def seen(self, name: str) -> float:
        """Return how surely that class is seen: the score of its surest blob that is not a speck, else 0."""
        blobs = self.blobs(name)
        return float(np.max(blobs.score[blobs.pixels >= SEEN * self.classes.size], initial=0.0))

    def surer(self, min_score: float) -> "Mask":
        """Return the mask without the blobs that score less: they are background, the first class."""
        classes = self.classes.copy()
        for number in range(1, len(self.names)):
            window, labels, _, score = self._components(number)
            faint = score < min_score
            faint[0] = False  # everything else
            if faint.any():
                classes[window][faint[labels]] = 0
        covered = None if self.covered is None else self.covered & (classes != 0)
        return Mask(classes, self.names, self.score, covered, self.under)

    def _found(self, name: str) -> Blobs:
        if name not in self.names:
            raise ValueError(f"Mask.blobs: no class '{name}'; known: {', '.join(self.names)}")
        _, _, stats, score = self._components(self.names.index(name))
        boxes, pixels = stats[1:, :4].astype(np.float32), stats[1:, 4].astype(np.int64)  # row 0 is everything else
        order = np.argsort(-pixels, kind="stable")
        xyxy = np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)
        return Blobs(xyxy[order], pixels[order], score[1:][order])

    def _components(self, number: int) -> tuple[tuple[slice, slice], Ints, Ints, Floats]:
        """Return the window around a class; in it the component of each pixel (h, w), 0 outside the class; the boxes
        (n, 4) and areas of the components, 0 the rest; their scores (n,)."""
        import cv2

        pixels = (self.classes == number).view(np.uint8)
        x, y, width, height = cv2.boundingRect(pixels)  # looking for components is slow
        window = slice(y, y + max(1, height)), slice(x, x + max(1, width))
        inside = np.ascontiguousarray(pixels[window])
        count, labels, stats, _ = cv2.connectedComponentsWithStats(inside, connectivity=8)
        score = np.ones(count, np.float32)
        if self.score is not None:
            own = inside.view(bool)  # a seventh of the time that all pixels take
            sums = np.bincount(labels[own], weights=self.score[window][own], minlength=count)
            score = np.asarray(sums / 255 / np.maximum(1, stats[:, cv2.CC_STAT_AREA]), np.float32)
        return window, np.asarray(labels), np.asarray(stats) + np.array([x, y, 0, 0, 0]), score


def _check(field_name: str, value: object) -> None:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype != np.uint8:
        got = f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(f"Mask.{field_name}: expected (H, W) uint8, got {got}")


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source, never mirrored.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        index: 0 for a picture, else the place in the source.
        time: Seconds from the start of the source, by its own timestamps.
        source: The path or address as it was given or found.
        duration: Seconds for which it is shown, to the next frame that is read; 0 where that is unknown.
        clock: Seconds since 1970 at which a live source took it, or None.

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

    Attributes:
        score: Its probability.
        scores: The probability of each name.
        angle: Degrees, counter-clockwise from upright, or None.
    """

    name: str
    score: float
    scores: dict[str, float] = field(default_factory=dict)
    angle: float | None = None


def window_of(xyxy: Floats) -> tuple[int, int, int, int]:
    """Return all pixels that a box (4,) touches, as x1 y1 x2 y2."""
    x1, y1 = np.floor(xyxy[:2]).astype(int).tolist()
    x2, y2 = np.ceil(xyxy[2:]).astype(int).tolist()
    return x1, y1, x2, y2


@dataclass(frozen=True, eq=False)
class Hand:
    """One hand and what is said of it.

    Attributes:
        xyxy: (4,) float32, source pixels.
        angle: Degrees as in Label, or None.
        id: Its identity over frames, -1 without.
        mask: (h, w) uint8, 1 where the hand is, else 0, over all source pixels that the box touches; None without.
        landmarks: (21, 3) float32, x and y in source pixels and how sure the place is, 0 to 1, in the order of
            `LANDMARKS`; None where the model tells none.
        side: "left" or "right", the person's hand as the picture shows it, or "" where the model does not tell.
        pose: What the landmark model says besides: "sign", "hold" and "thing", each a Label, as far as it knows.
        fingers: (5,) float32, the probability that thumb, index, middle, ring and little finger are stretched, or None.

    Raises:
        ValueError: arrays of other shapes.
    """

    xyxy: Floats
    gesture: Label
    angle: float | None = None
    id: int = -1
    mask: Image | None = None
    landmarks: Floats | None = None
    side: str = ""
    pose: Mapping[str, Label] = field(default_factory=dict)
    fingers: Floats | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyxy", shaped(self.xyxy, np.float32, (4,), "Hand.xyxy"))
        if self.landmarks is not None:
            points = shaped(self.landmarks, np.float32, (len(LANDMARKS), 3), "Hand.landmarks")
            object.__setattr__(self, "landmarks", points)
        if self.fingers is not None:
            object.__setattr__(self, "fingers", shaped(self.fingers, np.float32, (5,), "Hand.fingers"))
        if self.mask is not None:
            x1, y1, x2, y2 = self.window
            object.__setattr__(self, "mask", shaped(self.mask, np.uint8, (y2 - y1, x2 - x1), "Hand.mask"))

    @property
    def window(self) -> tuple[int, int, int, int]:
        """All source pixels that the box touches, as x1 y1 x2 y2."""
        return window_of(self.xyxy)

    def whole_mask(self, height: int, width: int) -> Image | None:
        """Return the mask over a whole picture, (height, width) uint8, 0 and 1, or None where there is none."""
        if self.mask is None:
            return None
        x1, y1, x2, y2 = self.window
        full = np.zeros((height, width), np.uint8)
        full[max(0, y1) : max(0, y2), max(0, x1) : max(0, x2)] = self.mask[
            max(0, -y1) : max(0, height - y1), max(0, -x1) : max(0, width - x1)
        ]
        return full


@dataclass(frozen=True)
class Box:
    """One thing that was found, as a row of a result.

    Attributes:
        label: what it is: `face`, `hand`, a touched region, the label of a judged hand, or the class of a mask.
        score: its probability, 0 to 1.
        xyxy: x1, y1, x2, y2 in source pixels.
        id: its number over the frames of a video, from 1 on for faces and for hands; -1 without.
        side: of a touched region "left" or "right" of the person, or "" where that is not known.
        face: of a touched region, the row of its face in the result, or -1.
        hand: of a touched region, the row of its hand in the result, or -1.
        touch: of a face, the probability that it is touched, or None.
        object_at_mouth, object_at_face: of a face, the probability of a thing that is not a hand there, or None.
        scores: of a judged hand, the probability of each label.
        angle: of a judged hand, degrees counter-clockwise from upright, or None.
        landmarks: of a hand, 21 times x and y in source pixels and how sure the place is, or ().
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
    object_at_mouth: float | None = None
    object_at_face: float | None = None
    landmarks: tuple[tuple[float, float, float], ...] = ()


Value = Detections | Mask | Label | tuple[Hand, ...]


@dataclass(frozen=True)
class Event:
    """Something that began and ended.

    Attributes:
        start, stop: Seconds, from the start of the first frame to the end of the last one.
        start_frame, stop_frame: The numbers of these frames.
        peak: The highest probability.
        side: "left" or "right" of the person, or "".
        hand: The hand that did it ("hand 2"), or "".
        regions: The touched regions one after the other, each with its seconds.
        clock: When it began, in seconds since 1970, for live sources.
        cut: The source ended, paused or was interrupted within it.
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
