"""What a kind of answer is: the arrays a graph of it ends in, and the way from them to values and back."""

from collections.abc import Mapping, Sequence
from typing import Protocol, TypeVar

import numpy as np

from handlens.card import ModelCard
from handlens.errors import ModelError
from handlens.preprocess import Geometry
from handlens.types import Floats

Answer = TypeVar("Answer")


class Kind(Protocol[Answer]):
    """One kind of answer; `handlens.kinds.KINDS` holds them all."""

    @property
    def name(self) -> str:
        """As a card names it."""
        ...

    @property
    def outputs(self) -> tuple[str, ...]:
        """The canonical arrays that every graph of this kind has; it may have more."""
        ...

    def decode(
        self, outputs: Mapping[str, Floats], card: ModelCard, geometries: Sequence[Geometry]
    ) -> tuple[Answer, ...]:
        """Return the answer to each picture of a batch, in its source pixels.

        Args:
            outputs: the canonical arrays, n rows each.
            card: of the model that gave them.
            geometries: the way back from each of the n pictures of the batch.

        Raises:
            ModelError: arrays of other shapes.
        """
        ...

    def encode(self, answers: Sequence[Answer], card: ModelCard, geometries: Sequence[Geometry]) -> dict[str, Floats]:
        """Return the canonical arrays that say exactly these answers: the inverse of `decode`."""
        ...


def expect(name: str, array: Floats, shape: tuple[int | None, ...]) -> Floats:
    """Return the array if it has that shape (None: any length); a network that answers otherwise is a wrong model.

    Raises:
        ModelError: another shape.
    """
    fits = array.ndim == len(shape) and all(w is None or w == g for w, g in zip(shape, array.shape, strict=True))
    if not fits:
        want = "(" + ", ".join("n" if side is None else str(side) for side in shape) + ")"
        raise ModelError(f"the model's output '{name}' should have the shape {want}, but has {array.shape}.")
    return array


def rows_of(outputs: Mapping[str, Floats]) -> list[dict[str, Floats]]:
    """Return the arrays of each picture of a batch, one row each."""
    count = len(next(iter(outputs.values())))
    return [{name: array[row : row + 1] for name, array in outputs.items()} for row in range(count)]


def stacked(rows: Sequence[Mapping[str, Floats]]) -> dict[str, Floats]:
    """Return the arrays of several pictures, one row each, as those of one batch."""
    return {name: np.concatenate([row[name] for row in rows]) for name in (rows[0] if rows else ())}
