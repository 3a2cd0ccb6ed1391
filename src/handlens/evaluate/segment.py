"""How good masks are: pixels, overlap and boundaries; it must not know what the classes stand for.

Numbers pool the pixels of all pictures. "mean of batches of 4" is what training logs publish: precision, recall and F1
of each four pictures in the set's order, and their mean. "mean of pictures" lets a small hand count as much as a large
one. Pixels that the truth ignores (255) count nowhere.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.evaluate import binary
from handlens.evaluate.bootstrap import Array, Drawn
from handlens.evaluate.curves import Confusion, Curve
from handlens.evaluate.judge import Findings, Verdict, require_known
from handlens.predictor import Predictor
from handlens.types import IGNORE, Image, Mask, Value

SIDE = 400  # boundaries are compared on masks whose longer side is at most this: the published nets' input
NEAR = 2  # pixels there, within which two boundaries agree
BATCH = 4  # pictures: that of the published trainings


class PixelJudge:
    """Judges a class for every pixel. Classes that only the model has are taken as the first one, the background.

    A class that is a part of another one (a forearm of a hand with its arm), as the model's card says by its options
    "part" and "whole", counts as that one where the set does not tell them apart.

    Raises:
        InputError: a class of the set that the model does not know.
    """

    min_score: float | None = None

    def __init__(self, predictor: Predictor, found: LabelledSet) -> None:
        self.names = found.names
        known = predictor.card.names
        require_known(predictor.card.name, known, self.names)
        seen = [_known_as(name, predictor, self.names) for name in known]
        self._table = np.array([self.names.index(name) for name in seen], np.uint8)
        extra = {name: other for name, other in zip(known, seen, strict=True) if name != other}
        self._notes = tuple(
            f"Taken as {other}, because the set lacks them: {', '.join(n for n in extra if extra[n] == other)}."
            for other in dict.fromkeys(extra.values())
        )
        self._pixels: list[Array] = []
        self._edges: list[Array] = []

    def add(self, truth: Value, answer: Value) -> Verdict:
        """Take the mask of one picture."""
        if not isinstance(truth, Mask) or not isinstance(answer, Mask):
            raise TypeError(f"PixelJudge: expected masks, got {type(truth).__name__} and {type(answer).__name__}")
        predicted = self._table[answer.classes]
        pixels = confusion(truth.classes, predicted, len(self.names))
        self._pixels.append(pixels)
        self._edges.append(edges(truth.classes, predicted, len(self.names)))
        hit, there, called = np.diag(pixels)[1:], pixels.sum(axis=1)[1:], pixels.sum(axis=0)[1:]
        overlap = binary.mean(binary.ratio(hit, there + called - hit))
        quality = 1.0 if np.isnan(overlap) else float(overlap)
        every = max(1, int(pixels.sum()))
        wrong = (every - int(np.trace(pixels))) / every if pixels.any() else 0.0
        return Verdict(quality, wrong, f"IoU {quality:.2f}, {wrong:.1%} of the pixels wrong")

    def finish(self) -> Findings:
        """Return what comes of all masks."""
        defined = Pixels(self.names, np.stack(self._pixels), np.stack(self._edges))
        return Findings(defined.metrics, defined.curves(), (*self._notes, _ABOUT_BATCHES))


def _known_as(name: str, predictor: Predictor, names: Sequence[str]) -> str:
    """Return the class of a set that a class of the model counts as."""
    card = predictor.card
    if name in names:
        return name
    if card.options.get("part") == card.names.index(name):
        return _known_as(card.names[int(card.options.get("whole", 0.0))], predictor, names)
    return names[0]


_ABOUT_BATCHES = (
    f"Mean of batches: over each {BATCH} pictures in their order, 0 where nothing is found or there, as training logs"
    " publish it; the other numbers pool all pixels."
)


def foreground(names: tuple[str, ...]) -> str:
    """Return what everything but the background is called: "hand", "hand or face"."""
    return " or ".join(names[1:]) if 2 <= len(names) <= 4 else "foreground"


@dataclass(frozen=True, eq=False)
class Pixels:
    """All pictures. pixels: (n, truths, answers) int64 counts; edges: (n, 4, classes), see `edges`."""

    names: tuple[str, ...]
    pixels: Array
    edges: Array

    def metrics(self, weights: Array) -> list[Drawn]:
        """Return the overlap, the boundaries and the pixels of each class, background last of all."""
        counts = self.pixels.astype(np.float64)
        hit, there, called = np.einsum("ncc->nc", counts), counts.sum(axis=2), counts.sum(axis=1)
        n, drawn = len(counts), [weights @ part for part in (hit, there, called)]
        iou = binary.ratio(drawn[0], drawn[1] + drawn[2] - drawn[0])
        boundary = _harmonic(*np.einsum("dn,nec->edc", weights, self.edges, optimize=True))
        rows = [
            Drawn("pixel accuracy", binary.ratio(drawn[0].sum(axis=1), drawn[1].sum(axis=1)), n),
            Drawn("IoU mean", binary.mean(iou), n),
            Drawn("IoU mean without background", binary.mean(iou[:, 1:]), n),
        ]
        parts = counts[:, 1:, 1:].sum(axis=(1, 2)), there[:, 1:].sum(axis=1), called[:, 1:].sum(axis=1)
        batched = _batched(name := foreground(self.names), parts, weights)  # as if all of it were one class
        if len(self.names) > 2:
            rows += [*_rates(name, batched[0].n, [weights @ part for part in parts]), *batched]
        for k in (*range(1, len(self.names)), 0):
            name, parts = self.names[k], (hit[:, k], there[:, k], called[:, k])
            number = int((parts[1] > 0).sum())
            rows.append(Drawn(f"IoU {name}", iou[:, k], number))
            if k:
                rows.append(Drawn(f"boundary F1 {name}, within {NEAR} px", boundary[:, k], number))
            rows += _rates(name, number, [part[:, k] for part in drawn])
            if k:
                alone = _rates(name, number, parts)
                rows += [Drawn(f"{one.name}, mean of pictures", _mean(one.values, weights), one.n) for one in alone]
            if k and len(self.names) == 2:
                rows += batched
        return rows

    def curves(self) -> tuple[Curve, ...]:
        """Return which class is taken for which, in pixels."""
        return (Confusion("pixels", self.names, self.names, self.pixels.sum(axis=0)),)


def confusion(truth: Image, predicted: Image, classes: int) -> Array:
    """Return (classes, classes) int64: the pixels of each true class (rows) that are said to be each class."""
    pairs = predicted.astype(np.uint16) + truth.astype(np.uint16) * np.uint16(classes)
    counts = np.bincount(pairs.ravel(), minlength=classes * classes)
    return counts[: classes * classes].reshape(classes, classes)  # an ignored pixel has a number beyond


def edges(truth: Image, predicted: Image, classes: int) -> Array:
    """Return (4, classes) float64, pixels of boundaries: said ones near a true one, said, true near a said one, true.

    Near: within 2 pixels of masks whose longer side is at most 400 pixels (larger ones are made smaller first). What
    the truth ignores is left out, and the border of the picture is not a boundary.
    """
    truth, predicted = _small(truth), _small(predicted)
    counted = truth != IGNORE
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * NEAR + 1, 2 * NEAR + 1))
    sums = np.zeros((4, classes))
    for k in range(1, classes):
        mine, true = (_outline((mask == k) & counted, counted) for mask in (predicted, truth))
        near_true, near_mine = (np.asarray(cv2.dilate(line, disc)) > 0 for line in (true, mine))
        sums[:, k] = (mine[near_true].sum(), mine.sum(), true[near_mine].sum(), true.sum())
    return sums


def _outline(mask: Array, counted: Array) -> Image:
    """Return the pixels of a mask that have a neighbour outside it; ignored neighbours and the border are none."""
    inside = cv2.erode((mask | ~counted).astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return np.asarray(mask & (inside == 0), np.uint8)


def _small(mask: Image) -> Image:
    scale = SIDE / max(mask.shape)
    if scale >= 1:
        return mask
    size = (max(1, round(mask.shape[1] * scale)), max(1, round(mask.shape[0] * scale)))
    return np.asarray(cv2.resize(mask, size, interpolation=cv2.INTER_NEAREST_EXACT), np.uint8)


def _batched(name: str, parts: Sequence[Array], weights: Array) -> list[Drawn]:
    """Return precision, recall and F1 as the mean of batches; parts: hit, there, called, (n,) pixels each."""
    present = _in_batches(weights) > 0
    rates = _rates(name, int((parts[1] > 0).sum()), [_in_batches(weights * part) for part in parts])
    means = [binary.ratio(np.nan_to_num(one.values).sum(axis=1), present.sum(axis=1)) for one in rates]
    return [
        Drawn(f"{one.name}, mean of batches of {BATCH}", mean, one.n) for one, mean in zip(rates, means, strict=True)
    ]


def _in_batches(values: Array) -> Array:
    """Return (draws, batches): the sums over each `BATCH` of (draws, n) values; the last batch may be smaller."""
    return np.add.reduceat(values, np.arange(0, values.shape[1], BATCH), axis=1)


def _rates(name: str, n: int, parts: Sequence[Array]) -> list[Drawn]:
    hit, there, called = parts
    return [
        Drawn(f"precision {name}", binary.ratio(hit, called), n),
        Drawn(f"recall {name}", binary.ratio(hit, there), n),
        Drawn(f"F1 {name}", binary.f1(hit, called, there), n),
    ]


def _mean(values: Array, weights: Array) -> Array:
    """Return (draws,): the mean of (n,) values over the pictures that have one."""
    defined = ~np.isnan(values)
    return binary.ratio(weights[:, defined] @ values[defined], weights[:, defined].sum(axis=1))


def _harmonic(near: Array, predicted: Array, found: Array, there: Array) -> Array:
    """Return the F1 of boundaries: 0 where only one of the masks has one, nan where neither has."""
    precision, recall = (
        np.nan_to_num(binary.ratio(part, total)) for part, total in ((near, predicted), (found, there))
    )
    best = np.nan_to_num(binary.ratio(2 * precision * recall, precision + recall))
    return np.where(predicted + there > 0, best, np.nan)
