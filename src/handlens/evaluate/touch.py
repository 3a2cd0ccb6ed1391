"""Whether a picture is called touched rightly, and which region is named; it must not know how boxes are matched."""

from dataclasses import dataclass

import numpy as np

from handlens.evaluate import binary
from handlens.evaluate.curves import Curve, PrecisionRecall, reliability
from handlens.evaluate.intervals import Array, Drawn
from handlens.evaluate.names import UNTOUCHED
from handlens.types import Detections

CALLED = 0.5  # the probability from which a picture is called touched


class Touches:
    """Collects for each picture the truth (some box is neither face nor hand), the probability, and the region named.

    regions: the touched regions that the model can name; with one or none nobody asks which one it is.
    """

    def __init__(self, regions: tuple[str, ...]) -> None:
        self.regions = regions if len(regions) > 1 else ()
        self._rows: list[tuple[bool, float, bool, bool, bool]] = []

    def add(self, truth: Detections, answer: Detections) -> tuple[bool, float]:
        """Take one picture; return whether it is touched and the probability that was given."""
        true = {name for name in truth.label_names if name not in UNTOUCHED}
        rows = np.flatnonzero(answer.of(*self.regions))
        best = answer.label_names[rows[np.argmax(answer.score[rows])]] if len(rows) else ""
        touched, sure = bool(true), answer.best_touch
        self._rows.append((touched, sure, bool(true & set(self.regions)), bool(best), best in true))
        return touched, sure

    def told(self) -> "Told | None":
        """Return what was collected, or None unless some pictures are touched and some are not."""
        if not self._rows:
            return None
        touched, sure, named, answered, right = (np.array(column) for column in zip(*self._rows, strict=True))
        if touched.all() or not touched.any():
            return None
        return Told(touched, np.asarray(sure, np.float64), named, answered, right, bool(self.regions))


@dataclass(frozen=True, eq=False)
class Told:
    """All pictures. touched, named (its region is one the model can name), answered, right: (n,) bool; sure: (n,)."""

    touched: Array
    sure: Array
    named: Array
    answered: Array
    right: Array
    regions: bool

    def metrics(self, weights: Array) -> list[Drawn]:
        """Return the numbers of the pictures called touched, then those of the regions named."""
        called = self.sure >= CALLED
        n, there = len(called), int(self.touched.sum())
        hit, all_called, all_there = (weights @ rows for rows in (called & self.touched, called, self.touched))
        best, threshold = binary.best_f1(self.sure, self.touched, weights)
        rows = [
            Drawn("touch precision", binary.ratio(hit, all_called), int(called.sum())),
            Drawn("touch recall", binary.ratio(hit, all_there), there),
            Drawn("touch F1", binary.f1(hit, all_called, all_there), n),
            Drawn("touch MCC", binary.mcc(hit, all_called, all_there, weights.sum(axis=1)), n),
            Drawn("touch ROC AUC", binary.roc_auc(self.sure, self.touched, weights), n),
            Drawn("touch AP", binary.average_precision(self.sure, self.touched, weights), n),
            Drawn("touch ECE", binary.calibration_error(self.sure, self.touched, weights), n),
            Drawn("touch best F1", best, n),
            Drawn("touch best-F1 threshold", threshold, n),
        ]
        if self.regions and self.named.any():
            found = self.named & called & self.answered
            for name, asked in (("region top-1", self.named), ("region top-1 where found", found)):
                share = binary.ratio(weights @ (self.right & asked), weights @ asked)
                rows.append(Drawn(name, share, int(asked.sum())))
        return rows

    def curves(self) -> tuple[Curve, ...]:
        """Return precision over recall, and how often it is a touch where a probability is given."""
        precision, recall = binary.precision_recall(self.sure, self.touched)
        area = binary.average_precision(self.sure, self.touched, np.ones((1, len(self.sure))))
        line = PrecisionRecall("touch", "touch", recall, precision, float(area[0]))
        return line, reliability("touch", self.sure, self.touched)
