"""How one sample comes by its pictures: what cannot be read is noted and another is taken; knows no kind of set."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.data.dataset import LabelledSet
from handlens.errors import FrameError, InputError
from handlens.train.augment.config import Look
from handlens.train.augment.geometry import Matrix, draw_move, fill_colour, shifted, warped
from handlens.train.loader.pictures import Resized, ResizedPictures
from handlens.types import Image

ENOUGH = 50
"""So many unreadable pictures drawn one after the other are a broken set and not a broken picture."""


class Reading:
    """The pictures of a set for one sample. odds: (n,) of drawing each picture, running sums, or None: all alike.

    skipped: a sentence for every picture that could not be read.
    """

    def __init__(self, pictures: ResizedPictures, odds: NDArray[np.float64] | None = None) -> None:
        self.pictures, self.odds = pictures, odds
        self.skipped: list[str] = []

    @property
    def size(self) -> tuple[int, int]:
        """(height, width) of a whole canvas: the card's size, for "fit" up to a multiple of the stride."""
        card = self.pictures.card
        if card.resize != "fit":
            return card.size
        side = -(-card.size[0] // card.stride) * card.stride
        return side, side

    def another(self, rng: Generator) -> int:
        """The number of a picture drawn anew."""
        if self.odds is None:
            return int(rng.integers(len(self.pictures)))
        return int(np.searchsorted(self.odds, rng.random() * self.odds[-1], side="right"))

    def take(self, rng: Generator, index: int, exact: bool = True) -> Resized:
        """Return that picture, or another one where it cannot be read.

        Raises:
            InputError: `ENOUGH` pictures in a row cannot be read, or a mask contradicts its picture.
        """
        for _ in range(ENOUGH):
            try:
                return self.pictures.at(index, exact)
            except FrameError as error:
                self.skipped.append(str(error))
                index = self.another(rng)
        raise InputError(f"'{self.pictures.found.root}': too many pictures cannot be read, such as: {self.skipped[0]}")


@dataclass(frozen=True, eq=False)
class Moved:
    """A picture after its move. image: (h, w, 3) uint8; matrix: (3, 3) from `shown.canvas` to it, at pixel edges."""

    shown: Resized
    image: Image
    matrix: Matrix


def moved_picture(rng: Generator, look: Look, reading: Reading, index: int) -> Moved:
    """Take a picture and move it about its own middle as the look says, on a canvas of the same size.

    Where nothing moves, the image is exactly the canvas. Raises as `Reading.take` does.
    """
    move = draw_move(rng, look)
    shown = reading.take(rng, index, exact=move.still)
    if move.still:
        return Moved(shown, shown.canvas, np.eye(3))
    inner, (x, y), (height, width, _) = shown.inner, shown.corner, shown.canvas.shape
    centre = (x + inner.shape[1] / 2, y + inner.shape[0] / 2)
    matrix = move.matrix(centre, (height, width), centre)
    image = warped(inner, matrix @ shifted(x, y), (height, width), fill_colour(inner, look))
    return Moved(shown, image, matrix)


def running_odds(found: LabelledSet, people: bool = True, classes: bool = False) -> NDArray[np.float64]:
    """(n,): running sums of what each picture weighs when pictures are drawn.

    people: 1 / sqrt(pictures of the same group), so that a person with many pictures weighs less. classes: each class
    of a classifier's set weighs the same in all; within it people weigh as said.
    """
    kin = [picture.kin for picture in found]
    count = Counter(kin)
    weights = np.array([count[name] ** -0.5 if people else 1.0 for name in kin])
    if classes:
        labels = np.array([int(picture.labels[0]) for picture in found], np.int64)
        weights /= np.bincount(labels, weights)[labels]
    return np.cumsum(weights)
