"""The values that travel through handlens: frozen, checked, numpy inside; they know no files, models or drawing."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Rows = npt.NDArray[np.bool_] | npt.NDArray[np.int64] | Sequence[int] | Sequence[bool]


def _no_ints() -> Ints:
    return np.zeros(0, np.int64)


def _shaped(value: Any, dtype: npt.DTypeLike, shape: tuple[int, ...], what: str) -> npt.NDArray[Any]:
    """Return `value` as an array of that type, or raise ValueError naming the expected and the actual shape."""
    array = np.asarray(value, dtype)
    if array.size == 0 and 0 in shape:
        return array.reshape(shape)
    if array.shape != shape:
        raise ValueError(f"{what}: expected shape {shape}, got {array.shape}")
    return array


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture of a source, never mirrored.

    image: (H, W, 3) uint8, RGB. index: 0 for a picture, else the place in the source. time: seconds from the start of
    the source, by its own timestamps. source: the path or address as it was given or found.

    Raises:
        ValueError: the image has another shape or type, or no pixels.
    """

    image: Image
    index: int = 0
    time: float = 0.0
    source: str = ""

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
class Detections:
    """Boxes of one frame; nothing found is n = 0, never None.

    xyxy: (n, 4) float32, source pixels, x1 y1 x2 y2. score: (n,) float32 in [0, 1]. label: (n,) int64 into `names`.
    face, hand: (n,) int64, the row of the owner in these boxes, or -1. id: (n,) int64, identity over frames, or -1.
    Left out, the last three are all -1. touch: the calibrated probability that some hand touches some face in this
    frame, or None from a model that gives none.

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

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        put = object.__setattr__
        put(self, "names", tuple(self.names))
        put(self, "xyxy", _shaped(self.xyxy, np.float32, (n, 4), "Detections.xyxy"))
        put(self, "score", _shaped(self.score, np.float32, (n,), "Detections.score"))
        put(self, "label", _shaped(self.label, np.int64, (n,), "Detections.label"))
        if n and not (self.label.min() >= 0 and self.label.max() < len(self.names)):
            raise ValueError(f"Detections.label: expected 0 to {len(self.names) - 1}, got {self.label.tolist()}")
        for name in ("face", "hand", "id"):
            given = np.asarray(getattr(self, name), np.int64)
            filled = np.full(n, -1, np.int64) if given.size == 0 else given
            put(self, name, _shaped(filled, np.int64, (n,), f"Detections.{name}"))
        for name in ("face", "hand"):
            owner = getattr(self, name)
            if n and not (owner.min() >= -1 and owner.max() < n):
                raise ValueError(f"Detections.{name}: expected rows -1 to {n - 1}, got {owner.tolist()}")
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
        regions = self.score[~self.of("face", "hand")]
        return float(regions.max()) if len(regions) else 0.0

    def of(self, *names: str) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: which rows carry one of these label names."""
        wanted = [i for i, name in enumerate(self.names) if name in names]
        return np.isin(self.label, wanted)

    def select(self, rows: Rows) -> "Detections":
        """Return the rows of a mask or a list of row numbers; owners follow, -1 where the owner was dropped."""
        picked = np.arange(len(self))[np.asarray(rows, bool if len(rows) == 0 else None)] if len(self) else _no_ints()
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
        )


@dataclass(frozen=True, eq=False)
class Mask:
    """A class for every pixel.

    classes: (H, W) uint8 in source size, indices into `names`; 255 is "ignore" (only in truths).

    Raises:
        ValueError: another shape or type.
    """

    classes: Image
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        classes = self.classes
        if not isinstance(classes, np.ndarray) or classes.ndim != 2 or classes.dtype != np.uint8:
            got = f"{classes.shape} {classes.dtype}" if isinstance(classes, np.ndarray) else type(classes).__name__
            raise ValueError(f"Mask.classes: expected (H, W) uint8, got {got}")
        object.__setattr__(self, "names", tuple(self.names))

    def boxes(self, name: str) -> Floats:
        """Return (n, 4) float32 source pixels: one box for each connected component of that class, largest first.

        Raises:
            ValueError: no class of that name.
        """
        import cv2

        if name not in self.names:
            raise ValueError(f"Mask.boxes: no class '{name}'; known: {', '.join(self.names)}")
        pixels = (self.classes == self.names.index(name)).astype(np.uint8)
        _, _, stats, _ = cv2.connectedComponentsWithStats(pixels, connectivity=8)
        found = np.asarray(stats[1:], np.float32)  # row 0 is everything else
        found = found[np.argsort(-found[:, cv2.CC_STAT_AREA], kind="stable")]
        return np.concatenate([found[:, :2], found[:, :2] + found[:, 2:4]], axis=1)

    def fraction(self, name: str) -> float:
        """Return the share of the pixels that belong to that class, 0 to 1."""
        return float(np.mean(self.classes == self.names.index(name)))


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
    """One hand and what is said of it. xyxy: (4,) float32, source pixels; angle: degrees as in Label, or None."""

    xyxy: Floats
    gesture: Label
    angle: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "xyxy", _shaped(self.xyxy, np.float32, (4,), "Hand.xyxy"))


Value = Detections | Mask | Label | tuple[Hand, ...]


@dataclass(frozen=True, eq=False)
class Result:
    """What a model says of one frame.

    value: Detections (touch), Mask (segment), Label or a tuple of Hand (hold, gesture, combined). time: seconds.
    width, height: of the source, in pixels. model: the model's name, as its card says.
    """

    task: str
    index: int
    time: float
    value: Value
    source: str
    width: int
    height: int
    model: str

    def to_json(self, mask: str | None = None) -> dict[str, Any]:
        """Return the object of one JSON line (CONTRACT.md); `mask` is the path the mask was written to, if it was."""
        from handlens.jsonlines import to_json

        return to_json(self, mask)


@dataclass(frozen=True)
class Event:
    """Something that began and ended. start, stop: seconds; start_frame, stop_frame: frames; peak: probability."""

    task: str
    label: str
    subject: str
    start: float
    stop: float
    start_frame: int
    stop_frame: int
    peak: float
    source: str = ""

    def __post_init__(self) -> None:
        if self.stop < self.start:
            raise ValueError(f"Event: stop {self.stop} lies before start {self.start}")


@dataclass(frozen=True, eq=False)
class Sample:
    """A frame and the truth about it, in the same types as predictions."""

    frame: Frame
    truth: Value


@dataclass(frozen=True)
class Row:
    """One measured number with its interval (low to high) and the number of things it was measured on."""

    name: str
    value: float
    low: float
    high: float
    n: int


@dataclass(frozen=True)
class Report:
    """Measured numbers; `str()` is the table."""

    rows: tuple[Row, ...] = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "rows", tuple(self.rows))

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __getitem__(self, name: str) -> Row:
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(name)

    def __str__(self) -> str:
        wide = max([len(row.name) for row in self.rows] + [4])
        lines = [f"{'name':<{wide}}  {'value':>8}  {'low':>8}  {'high':>8}  {'n':>7}"]
        lines += [f"{r.name:<{wide}}  {r.value:>8.4f}  {r.low:>8.4f}  {r.high:>8.4f}  {r.n:>7d}" for r in self.rows]
        return "\n".join(lines)

    def to_json(self) -> list[dict[str, Any]]:
        """Return one object per row."""
        return [dataclasses.asdict(row) for row in self.rows]
