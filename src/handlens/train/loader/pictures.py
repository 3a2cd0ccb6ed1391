"""The pictures of a labelled set at the network's size, by `preprocess` and nothing else; knows no augmentation.

What comes from here unchanged is to the last pixel what inference shows the network. For nets of silhouettes it is the
one shape instead, upright and finer than the network sees it, so that it can still be moved.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from handlens.card import ModelCard
from handlens.data.dataset import Labelled, LabelledSet
from handlens.errors import FrameError, InputError
from handlens.io.pictures.header import read_header
from handlens.io.upright import turn
from handlens.preprocess import Geometry, resize
from handlens.train.augment.config import AugmentConfig
from handlens.train.augment.geometry import Matrix, draw_transform, fill_colour, shifted, warped
from handlens.train.loader.silhouettes import FINE, upright
from handlens.types import Floats, Image, Mask

CACHE_BYTES = 1_000_000_000
SPARE = 1.5
"""A picture decoded smaller still has so many times the network's pixels on each side, and is then resized by area."""


@dataclass(frozen=True, eq=False)
class Resized:
    """One picture. canvas: (h, w, 3) as the network sees it; mask: (H, W) in the source's pixels, or None.

    For nets of silhouettes the canvas is a mask (h, w), see `silhouettes.upright`, and the geometry tells nothing.
    """

    labelled: Labelled
    canvas: Image
    geometry: Geometry
    mask: Image | None = None

    @property
    def corner(self) -> tuple[int, int]:
        """(x, y) of the picture's upper left corner on the canvas."""
        return int(self.geometry.pad_x), int(self.geometry.pad_y)

    @property
    def inner(self) -> Image:
        """The picture without the grey around it, a view (h, w, 3)."""
        (x, y), g = self.corner, self.geometry
        return self.canvas[y : y + round(g.height * g.scale_y), x : x + round(g.width * g.scale_x)]

    @property
    def boxes(self) -> Floats:
        """(n, 5): class, x1, y1, x2, y2 in pixels of the canvas, cut at the picture's edges."""
        rows, (x, y), (height, width) = self.labelled, self.corner, self.inner.shape[:2]
        if not len(rows.boxes):
            return np.zeros((0, 5), np.float32)
        xyxy = np.clip(self.geometry.to_network(rows.boxes), [x, y, x, y], [x + width, y + height] * 2)
        return np.concatenate((rows.labels[:, None], xyxy), 1).astype(np.float32)


class ResizedPictures:
    """The pictures of a set by number, resized as the card says; nothing is kept but what cannot be read."""

    def __init__(self, found: LabelledSet, card: ModelCard) -> None:
        self.found, self.card = found, card
        self.shapes = card.options.get("silhouette") == 1.0
        self._kept: dict[int, tuple[Image, Geometry]] = {}
        self._broken: dict[int, str] = {}

    def __len__(self) -> int:
        return len(self.found)

    def at(self, index: int, exact: bool = True) -> Resized:
        """Return a picture with its mask. exact: False lets a large JPEG be decoded at a half, quarter or eighth.

        Raises:
            FrameError: it cannot be read.
            InputError: its mask contradicts it.
        """
        if index in self._broken:
            raise FrameError(self._broken[index])
        labelled = self.found.pictures[index]
        try:
            canvas, geometry = self._kept.get(index) or self._read(labelled, exact)
            return Resized(labelled, canvas, geometry, self._mask(labelled, geometry))
        except FrameError as error:
            self._broken[index] = str(error)
            raise

    def keep(self, limit: int = CACHE_BYTES, tick: Callable[[int], None] | None = None) -> bool:
        """Keep all resized pictures in memory and return True, or nothing where they need more than `limit` bytes.

        Call it before workers start: they then share the memory.

        Args:
            tell: Is told how many pictures are done.
        """
        height, width = self.card.size
        if len(self) * height * width * (FINE**2 if self.shapes else 3) > limit:
            return False
        with ThreadPoolExecutor(2) as pool:
            for index, canvas in enumerate(pool.map(self._try, self.found.pictures)):
                if isinstance(canvas, FrameError):
                    self._broken[index] = str(canvas)
                else:
                    self._kept[index] = canvas
                if tick is not None:
                    tick(index + 1)
        return True

    def _try(self, labelled: Labelled) -> tuple[Image, Geometry] | FrameError:
        try:
            return self._read(labelled, exact=True)
        except FrameError as error:
            return error

    def _read(self, labelled: Labelled, exact: bool) -> tuple[Image, Geometry]:
        if self.shapes:
            image = labelled.image()
            shape = upright(image, self.card.size, str(labelled.path))
            return shape, Geometry(1, 1, 0, 0, image.shape[1], image.shape[0], shape.shape[1], shape.shape[0])
        small = None if exact or labelled.pixels is not None else read_smaller(labelled.path, self.card.size)
        if small is None:
            return resize(labelled.image(), self.card)
        image, width, height = small
        canvas, geometry = resize(image, self.card)
        scale_x, scale_y = geometry.scale_x * image.shape[1] / width, geometry.scale_y * image.shape[0] / height
        return canvas, dataclasses.replace(geometry, scale_x=scale_x, scale_y=scale_y, width=width, height=height)

    def _mask(self, labelled: Labelled, geometry: Geometry) -> Image | None:
        if not self.found.label_kind.has_masks:
            return None
        size = np.broadcast_to(np.uint8(0), (geometry.height, geometry.width, 3))  # only its shape is looked at
        truth = self.found.truth(labelled, size)
        assert isinstance(truth, Mask)
        return truth.classes


def read_smaller(path: Path, size: tuple[int, int]) -> tuple[Image, int, int] | None:
    """Return a JPEG decoded at 1/8, 1/4 or 1/2, and its own width and height; None where that is not to be had.

    Args:
        size: (height, width) of the network's input; the picture stays `SPARE` times larger than it, on both sides.
    """
    try:
        data = path.read_bytes()
    except OSError:
        return None
    header = read_header(data)
    width, height = header.width, header.height
    if header.orientation in (5, 6, 7, 8):
        width, height = height, width
    room = min(height / size[0], width / size[1]) / SPARE
    modes = {8: cv2.IMREAD_REDUCED_COLOR_8, 4: cv2.IMREAD_REDUCED_COLOR_4, 2: cv2.IMREAD_REDUCED_COLOR_2}
    step = next((step for step in modes if room >= step), None)
    if header.kind != "JPEG" or not header.complete or step is None:
        return None
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), modes[step] | cv2.IMREAD_IGNORE_ORIENTATION)
    if pixels is None:
        return None
    image = np.asarray(cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB), np.uint8)
    return np.ascontiguousarray(turn(image, header.orientation)), width, height


ENOUGH = 50
"""So many unreadable pictures drawn one after the other are a broken set and not a broken picture."""


class Reading:
    """The pictures of a set for one sample. odds: (n,) of drawing each picture, running sums, or None: all alike.

    Attributes:
        skipped: A sentence for every picture that could not be read.
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
        """Return the number of a picture drawn again."""
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
class Transformed:
    """A picture after its move. image: (h, w, 3) uint8; matrix: (3, 3) from `shown.canvas` to it, at pixel edges."""

    shown: Resized
    image: Image
    matrix: Matrix


def transformed_picture(rng: Generator, augment: AugmentConfig, reading: Reading, index: int) -> Transformed:
    """Take a picture and move it about its own middle as `augment` says, on a canvas of the same size.

    Where nothing moves, the image is exactly the canvas. Raises as `Reading.take` does.
    """
    move = draw_transform(rng, augment)
    shown = reading.take(rng, index, exact=move.still)
    if move.still:
        return Transformed(shown, shown.canvas, np.eye(3))
    inner, (x, y), (height, width, _) = shown.inner, shown.corner, shown.canvas.shape
    centre = (x + inner.shape[1] / 2, y + inner.shape[0] / 2)
    matrix = move.matrix(centre, (height, width), centre)
    image = warped(inner, matrix @ shifted(x, y), (height, width), fill_colour(inner, augment))
    return Transformed(shown, image, matrix)


def running_odds(found: LabelledSet, people: bool = True, classes: bool = False) -> NDArray[np.float64]:
    """(n,): running sums of what each picture weighs when pictures are drawn.

    Args:
        people: 1 / sqrt(pictures of the same group), so that a person with many pictures weighs less.
        classes: Each class of a classifier's set weighs the same in all; within it people weigh as said.
    """
    groups = [picture.group_key for picture in found]
    count = Counter(groups)
    weights = np.array([count[name] ** -0.5 if people else 1.0 for name in groups])
    if classes:
        labels = np.array([int(picture.labels[0]) for picture in found], np.int64)
        weights /= np.bincount(labels, weights)[labels]
    return np.cumsum(weights)
