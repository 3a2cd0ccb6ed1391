"""A labelled set: pictures, what is true of them, groups and splits; it must not know file formats or networks."""

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from handlens.data.label_kinds import LABEL_KINDS, LabelKind
from handlens.data.labelled import Labelled as Labelled
from handlens.errors import InputError, unknown
from handlens.types import Detections, Frame, Hand, Image, Label, Mask, Sample

SPLITS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class LabelledSet:
    """Labelled pictures of one kind, in a fixed order.

    Attributes:
        kind: Detect, classify, segment or landmarks.
        names: Label names; for segment the class of each mask value, background first.
    """

    kind: str
    names: tuple[str, ...]
    pictures: tuple[Labelled, ...]
    root: Path = Path()

    def __post_init__(self) -> None:
        if self.kind not in LABEL_KINDS:
            raise ValueError(f"LabelledSet.kind: expected one of {tuple(LABEL_KINDS)}, got '{self.kind}'")
        object.__setattr__(self, "names", tuple(self.names))
        object.__setattr__(self, "pictures", tuple(self.pictures))

    @property
    def label_kind(self) -> LabelKind:
        """What a label of this set is."""
        return LABEL_KINDS[self.kind]

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

    def truth(self, picture: Labelled, image: Image) -> Detections | Label | Mask | tuple[Hand, ...]:
        """Return what is true of one picture, in the same types as predictions.

        Raises:
            InputError: a mask of another size than its picture.
        """
        return self.label_kind.truth(picture, self.names, image)

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
        label = int(picture.labels[0]) if found.label_kind.one_label else 0
        labels.setdefault(label, {}).setdefault(picture.group_key, []).append(number)
    chosen = _dealt([_dealt(list(groups.values())) for _, groups in sorted(labels.items())])[:count]
    return found.having([found.pictures[number] for number in sorted(chosen)])


def _dealt(piles: Sequence[Sequence[int]]) -> list[int]:
    """Return the first of each pile, then the second of each that has one, and so on."""
    longest = max(len(pile) for pile in piles)
    return [pile[place] for place in range(longest) for pile in piles if place < len(pile)]
