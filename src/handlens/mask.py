"""A class for every pixel and what comes of it: blobs, boxes, areas; it must not know files, models or drawing."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from handlens.detections import Floats, Ints

Image = npt.NDArray[np.uint8]

SEEN = 1 / 200
"""The least share of the picture that a blob takes up for its class to count as seen; less may be a mistake."""


@dataclass(frozen=True, eq=False)
class Blobs:
    """The connected components of one class, largest first. xyxy: (n, 4) float32, source pixels; pixels: (n,) int64,
    how many; score: (n,) float32, the mean probability of the class, or 1 where none is known."""

    xyxy: Floats
    pixels: Ints
    score: Floats


@dataclass(frozen=True, eq=False)
class Mask:
    """A class for every pixel.

    classes: (H, W) uint8 in source size, indices into `names`, of which the first is the background; 255 is "ignore"
    (only in truths). score: (H, W) uint8, the probability of each pixel's class, 255 = 1; None where it is no model's
    answer. covered: (H, W) bool, where something of the class `under` lies hidden below another class, as a face below
    a hand; None where that is not known.

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
        """Return how surely something of that class is seen: the score of its surest blob that is no speck, else 0."""
        blobs = self.blobs(name)
        return float(np.max(blobs.score[blobs.pixels >= SEEN * self.classes.size], initial=0.0))

    def surer(self, min_score: float) -> "Mask":
        """Return the mask without the blobs that score less: they are background, the first class."""
        classes = self.classes.copy()
        for number, name in enumerate(self.parts, 1):
            if (self.blobs(name).score < min_score).any():
                window, labels, _, score = self._components(number)
                classes[window][(score < min_score)[labels] & (labels > 0)] = 0
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
            sums = np.bincount(labels.ravel(), weights=(self.score[window] * inside).ravel(), minlength=count)
            score = np.asarray(sums / 255 / np.maximum(1, stats[:, cv2.CC_STAT_AREA]), np.float32)
        return window, np.asarray(labels), np.asarray(stats) + np.array([x, y, 0, 0, 0]), score


def _check(field_name: str, value: object) -> None:
    if not isinstance(value, np.ndarray) or value.ndim != 2 or value.dtype != np.uint8:
        got = f"{value.shape} {value.dtype}" if isinstance(value, np.ndarray) else type(value).__name__
        raise ValueError(f"Mask.{field_name}: expected (H, W) uint8, got {got}")
