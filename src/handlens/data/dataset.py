"""A labelled set: pictures, what is true of them, groups and splits; it must not know file formats or networks."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from handlens.errors import InputError, unknown
from handlens.types import Detections, Floats, Frame, Image, Ints, Label, Mask, Sample, shaped

SPLITS = ("train", "val", "test")
KINDS = ("detect", "classify", "segment")


def _no_boxes() -> Floats:
    return np.zeros((0, 4), np.float32)


def _no_labels() -> Ints:
    return np.zeros(0, np.int64)


@dataclass(frozen=True, eq=False)
class Labelled:
    """One picture with what a person said of it; pixels are read when they are asked for.

    path: the picture's file, or the name of a picture inside a pack. width, height: pixels, as it is shown (turned as
    its EXIF says), or 0 where nobody needed to know yet. boxes: (n, 4) float32, x1 y1 x2 y2 in its pixels. labels: (n,)
    int64 into the set's names; for kind "classify" one row, and no box. mask: reads the class of each pixel (H, W)
    uint8, 255 = ignore. pixels: reads the picture (H, W, 3) uint8 RGB; None: `path` is read. split: train, val, test or
    "". group: the person or source; pictures of one group never lie in two splits. "": a group of its own. angle: for
    kind "classify" the degrees by which what it shows is turned, counter-clockwise from upright, where that is known.
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


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Labelled pictures of one kind, in a fixed order.

    kind: detect, classify or segment. names: label names; for segment the class of each mask value, background first.
    """

    kind: str
    names: tuple[str, ...]
    pictures: tuple[Labelled, ...]
    root: Path = Path()

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"LabelledSet.kind: expected one of {KINDS}, got '{self.kind}'")
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "pictures", tuple(self.pictures))

    def __len__(self) -> int:
        return len(self.pictures)

    def __iter__(self) -> Iterator[Labelled]:
        return iter(self.pictures)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits that have pictures, in the order train, val, test."""
        there = {picture.split for picture in self.pictures}
        return tuple(name for name in SPLITS if name in there)

    def split(self, name: str) -> "LabelledSet":
        """Return the pictures of one split.

        Raises:
            InputError: there is none of that name.
        """
        chosen = [picture for picture in self.pictures if picture.split == name]
        if not chosen:
            if not self.splits:
                raise InputError(
                    f"'{self.root}' is not split into train, val and test: "
                    f"type 'handlens data split {self.root}' first."
                )
            raise InputError(f"'{self.root}': {unknown('split', name, self.splits)}")
        return self.having(chosen)

    def having(self, pictures: Sequence[Labelled]) -> "LabelledSet":
        """Return the same set with other pictures."""
        return dataclasses.replace(self, pictures=tuple(pictures))

    def truth(self, picture: Labelled, image: Image) -> Detections | Label | Mask:
        """Return what is true of one picture, in the same types as predictions.

        Raises:
            InputError: a mask of another size than its picture.
        """
        if self.kind == "detect":
            return Detections(picture.boxes, np.ones(len(picture.boxes), np.float32), picture.labels, self.names)
        if self.kind == "classify":
            return Label(self.names[int(picture.labels[0])], 1.0, {}, picture.angle)
        classes = picture.mask() if picture.mask is not None else np.zeros(image.shape[:2], np.uint8)
        if classes.shape != image.shape[:2]:
            mask, size = f"{classes.shape[1]} x {classes.shape[0]}", f"{image.shape[1]} x {image.shape[0]}"
            raise InputError(f"the mask of '{picture.path}' is {mask}, but the picture is {size}: they must be equal.")
        return Mask(classes, self.names)

    def sample(self, picture: Labelled) -> Sample:
        """Return one picture with its pixels and its truth.

        Raises:
            FrameError: it cannot be read.
            InputError: its mask contradicts it.
        """
        image = picture.image()
        return Sample(Frame(image, source=str(picture.path)), self.truth(picture, image))


def evenly(found: LabelledSet, count: int, seed: int = 0) -> LabelledSet:
    """Return `count` pictures in the set's order, as many of each label and, within it, of each group as can be.

    Of a set that has no more pictures all are returned. In sets of boxes and masks only groups are kept even.

    Raises:
        InputError: `count` is below 1.
    """
    if count < 1:
        raise InputError(f"a sample needs at least one picture, got {count}.")
    if count >= len(found):
        return found
    shuffled = np.random.default_rng(seed).permutation(len(found)).tolist()
    labels: dict[int, dict[str, list[int]]] = {}
    for number in shuffled:
        picture = found.pictures[number]
        label = int(picture.labels[0]) if found.kind == "classify" else 0
        labels.setdefault(label, {}).setdefault(picture.group_key, []).append(number)
    chosen = _dealt([_dealt(list(groups.values())) for _, groups in sorted(labels.items())])[:count]
    return found.having([found.pictures[number] for number in sorted(chosen)])


def _dealt(piles: Sequence[Sequence[int]]) -> list[int]:
    """Return the first of each pile, then the second of each that has one, and so on."""
    longest = max(len(pile) for pile in piles)
    return [pile[place] for place in range(longest) for pile in piles if place < len(pile)]
