"""What a label is: boxes, one label for each picture, or masks; it must not know sets, splits or file formats."""

import dataclasses
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol, final

import numpy as np

from handlens.data.labelled import Labelled
from handlens.errors import InputError
from handlens.types import Detections, Hand, Image, Ints, Label, Mask

GONE = -1
"""In a table of classes: objects of this class are left out."""


class LabelKind(Protocol):
    """One kind of label; `LABEL_KINDS` holds them all."""

    @property
    def name(self) -> str:
        """As `LabelledSet.kind` names it."""
        ...

    @property
    def truths(self) -> str:
        """What such a set has, in words."""
        ...

    @property
    def counted(self) -> str:
        """What is counted of each class, in words."""
        ...

    @property
    def has_boxes(self) -> bool:
        """Whether each label is any number of boxes."""
        ...

    @property
    def has_masks(self) -> bool:
        """Whether each pixel has a class."""
        ...

    @property
    def one_label(self) -> bool:
        """Whether each picture has one label, and none without."""
        ...

    @property
    def has_background(self) -> bool:
        """Whether the first class is what is not an object: it stays the first, and is always there."""
        ...

    def truth(
        self, picture: Labelled, names: Sequence[str], image: Image
    ) -> Detections | Label | Mask | tuple[Hand, ...]:
        """Return what is true of a picture with these pixels, in the same types as predictions.

        Raises:
            InputError: a mask of another size than its picture.
        """
        ...

    def tally(self, picture: Labelled, names: Sequence[str]) -> Ints:
        """Return (classes,) int64: how many objects of each class a picture has, for masks 1 where it has a pixel.

        Raises:
            FrameError, InputError: its mask cannot be read.
        """
        ...

    def relabel(self, picture: Labelled, mapping: Ints) -> Labelled | None:
        """Return a picture with its classes moved, or None where nothing of it is left.

        Args:
            mapping: (classes,) the new number of each class, or GONE.
        """
        ...

    def used(self, pictures: Iterable[Labelled], names: Sequence[str]) -> tuple[str, ...]:
        """Return the classes that may be in some picture, in their order; of masks, which are not read, all."""
        ...


@final
class Boxes:
    """Any number of boxes with a label each."""

    name, truths, counted = "detect", "boxes", "boxes of each class"
    has_boxes, has_masks, one_label, has_background = True, False, False, False

    def truth(self, picture: Labelled, names: Sequence[str], image: Image) -> Detections:
        """Return the boxes, each with a score of 1."""
        return Detections(picture.boxes, np.ones(len(picture.boxes), np.float32), picture.labels, tuple(names))

    def tally(self, picture: Labelled, names: Sequence[str]) -> Ints:
        """Return how many boxes of each class there are."""
        return np.bincount(picture.labels, minlength=len(names)).astype(np.int64)

    def relabel(self, picture: Labelled, mapping: Ints) -> Labelled:
        """Return the picture without the boxes that are gone."""
        labels = mapping[picture.labels]
        stay = labels != GONE
        boxes = picture.boxes[stay] if len(picture.boxes) else picture.boxes
        return dataclasses.replace(picture, boxes=boxes, labels=labels[stay])

    def used(self, pictures: Iterable[Labelled], names: Sequence[str]) -> tuple[str, ...]:
        """Return the classes that some box has."""
        return _used(pictures, names)


@final
class OneLabel:
    """One label for each picture."""

    name, truths, counted = "classify", "one label for each picture", "pictures of each class"
    has_boxes, has_masks, one_label, has_background = False, False, True, False

    def truth(self, picture: Labelled, names: Sequence[str], image: Image) -> Label:
        """Return the label, with its angle where that is known."""
        return Label(names[int(picture.labels[0])], 1.0, {}, picture.angle)

    def tally(self, picture: Labelled, names: Sequence[str]) -> Ints:
        """Return 1 at the class of the picture."""
        return np.bincount(picture.labels, minlength=len(names)).astype(np.int64)

    def relabel(self, picture: Labelled, mapping: Ints) -> Labelled | None:
        """Return the picture with its new label, or None."""
        labels = mapping[picture.labels]
        return None if (labels == GONE).any() else dataclasses.replace(picture, labels=labels)

    def used(self, pictures: Iterable[Labelled], names: Sequence[str]) -> tuple[str, ...]:
        """Return the classes that some picture has."""
        return _used(pictures, names)


@final
class Masks:
    """A class for every pixel; the first one is the background."""

    name, truths, counted = "segment", "masks", "pictures with each class"
    has_boxes, has_masks, one_label, has_background = False, True, False, True

    def truth(self, picture: Labelled, names: Sequence[str], image: Image) -> Mask:
        """Return the mask, all background where the picture has none."""
        classes = picture.mask() if picture.mask is not None else np.zeros(image.shape[:2], np.uint8)
        if classes.shape != image.shape[:2]:
            mask, size = f"{classes.shape[1]} x {classes.shape[0]}", f"{image.shape[1]} x {image.shape[0]}"
            raise InputError(f"the mask of '{picture.path}' is {mask}, but the picture is {size}: they must be equal.")
        return Mask(classes, tuple(names))

    def tally(self, picture: Labelled, names: Sequence[str]) -> Ints:
        """Return 1 at each class that has a pixel."""
        classes = picture.mask() if picture.mask is not None else np.zeros((1, 1), np.uint8)
        there = np.bincount(classes.ravel(), minlength=256)
        strange = np.flatnonzero(there[len(names) : 255])
        if len(strange):
            value = int(strange[0]) + len(names)
            raise InputError(
                f"the mask of '{picture.path}' has the value {value}; allowed: 0 to {len(names) - 1}, and 255."
            )
        return (there[: len(names)] > 0).astype(np.int64)

    def relabel(self, picture: Labelled, mapping: Ints) -> Labelled:
        """Return the picture with a mask whose pixels of classes that are gone are background."""
        return dataclasses.replace(picture, mask=_moved(picture.mask, mapping))

    def used(self, pictures: Iterable[Labelled], names: Sequence[str]) -> tuple[str, ...]:
        """Return all classes."""
        return tuple(names)


@final
class HandLandmarks:
    """Any number of hands with their 21 landmarks; the classes are the sides."""

    name, truths, counted = "landmarks", "landmarks of hands", "hands of each side"
    has_boxes, has_masks, one_label, has_background = False, False, False, False

    def truth(self, picture: Labelled, names: Sequence[str], image: Image) -> tuple[Hand, ...]:
        """Return the hands."""
        return picture.hands

    def tally(self, picture: Labelled, names: Sequence[str]) -> Ints:
        """Return how many hands of each side there are."""
        return np.bincount(picture.labels, minlength=len(names)).astype(np.int64)

    def relabel(self, picture: Labelled, moves: Ints) -> Labelled | None:
        """Return the picture without the hands of sides that are gone; sides themselves have no other names."""
        stay = moves[picture.labels] != GONE
        if not stay.any():
            return None
        hands = tuple(hand for hand, kept in zip(picture.hands, stay, strict=True) if kept)
        labels = moves[picture.labels][stay]
        return dataclasses.replace(picture, hands=hands, boxes=picture.boxes[stay], labels=labels)

    def used(self, pictures: Iterable[Labelled], names: Sequence[str]) -> tuple[str, ...]:
        """Return the sides that some hand has."""
        return _used(pictures, names)


def _used(pictures: Iterable[Labelled], names: Sequence[str]) -> tuple[str, ...]:
    used = {int(label) for picture in pictures for label in picture.labels}
    return tuple(name for number, name in enumerate(names) if number in used)


def _moved(read: Callable[[], Image] | None, mapping: Ints) -> Callable[[], Image] | None:
    """Return what reads a mask with its classes moved; values without a class stay, so that they are still found."""
    table = np.arange(256, dtype=np.uint8)
    table[: len(mapping)] = np.where(mapping == GONE, 0, mapping)
    return None if read is None else lambda: table[read()]


LABEL_KINDS: dict[str, LabelKind] = {kind.name: kind for kind in (Boxes(), OneLabel(), Masks(), HandLandmarks())}
