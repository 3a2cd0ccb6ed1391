"""Whether a picture is called touched rightly, and which region is named; it must not know how boxes are matched."""

from dataclasses import dataclass

import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.errors import InputError
from handlens.evaluate import binary
from handlens.evaluate.bootstrap import Array, Drawn
from handlens.evaluate.curves import Curve, PrecisionRecall, reliability
from handlens.evaluate.judge import Findings, Verdict
from handlens.predictor import Predictor
from handlens.types import OWNERS, Detections, Label, Value

CALLED = 0.5  # the probability from which a picture is called touched
TOUCH = "touch"
"""In a set of pictures with one label each: the label of those with a touch; all others have none."""
NO_TOUCHES = "Touches are not told: that needs pictures with a touch and pictures without one."


def touches_of(found: LabelledSet) -> Array:
    """Return (pictures,) bool: whether a box of the picture is a touch, or the label of the picture says so."""
    boxes = found.label_kind.has_boxes
    touch = np.array([name not in OWNERS if boxes else name == TOUCH for name in found.names], bool)
    return np.array([touch[picture.labels].any() for picture in found], bool)


class Touches:
    """Collects for each picture whether it is touched, the probability that was given, and the region that was named.

    Args:
        regions: The touched regions that the model can name; with one or none nobody asks which one it is.
    """

    def __init__(self, regions: tuple[str, ...]) -> None:
        self.regions = regions if len(regions) > 1 else ()
        self._rows: list[tuple[bool, float, bool, bool, bool]] = []

    def add(self, true: set[str], answer: Detections) -> Verdict:
        """Take one picture. true: the labels of what is touched, empty where nothing is."""
        rows = np.flatnonzero(answer.of(*self.regions))
        best = answer.label_names[rows[np.argmax(answer.score[rows])]] if len(rows) else ""
        touched, sure = bool(true), answer.best_touch
        self._rows.append((touched, sure, bool(true & set(self.regions)), bool(best), best in true))
        right = (sure >= CALLED) == touched
        text = f"{'touch' if touched else 'no touch'}, said {sure:.2f}"
        return Verdict(1 - abs(sure - touched), 0.0 if right else abs(sure - touched), text)

    def scores(self) -> "TouchScores | None":
        """Return what was collected, or None unless some pictures are touched and some are not."""
        if not self._rows:
            return None
        touched, sure, named, answered, right = (np.array(column) for column in zip(*self._rows, strict=True))
        if touched.all() or not touched.any():
            return None
        return TouchScores(touched, np.asarray(sure, np.float64), named, answered, right, bool(self.regions))


@dataclass(frozen=True, eq=False)
class TouchScores:
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
            *(
                Drawn(f"touch recall at {x:.0%} alarms", binary.recall_at(self.sure, self.touched, weights, x), there)
                for x in (0.01, 0.05)
            ),
            Drawn("touch AP", binary.average_precision(self.sure, self.touched, weights), n),
            Drawn("touch ECE", binary.calibration_error(self.sure, self.touched, weights), n),
            Drawn("touch best F1", best, n),
            Drawn("touch best-F1 threshold", threshold, n),
        ]
        if self.regions and self.named.any():
            found = self.named & called & self.answered
            for name, counted in (("region top-1", self.named), ("region top-1 where found", found)):
                share = binary.ratio(weights @ (self.right & counted), weights @ counted)
                rows.append(Drawn(name, share, int(counted.sum())))
        return rows

    def curves(self) -> tuple[Curve, ...]:
        """Return precision over recall, and how often it is a touch where a probability is given."""
        precision, recall = binary.precision_recall(self.sure, self.touched)
        area = binary.average_precision(self.sure, self.touched, np.ones((1, len(self.sure))))
        line = PrecisionRecall("touch", "touch", recall, precision, float(area[0]))
        return line, reliability("touch", self.sure, self.touched)


class TouchJudge:
    """Judges a touch model on pictures that carry a label each: "touch", or another one for what is not a touch.

    Raises:
        InputError: the set has no label "touch", or no other.
    """

    min_score: float | None = None

    def __init__(self, predictor: Predictor, found: LabelledSet) -> None:
        if TOUCH not in found.names or len(found.names) < 2:
            raise InputError(
                f"'{predictor.card.name}' tells touch from no touch, but the set has the labels "
                f"{', '.join(found.names)}: say which one is a touch, for example --map '{found.names[0]}={TOUCH}'."
            )
        self.names = found.names
        self._touches = Touches(())
        self._labels: list[int] = []

    def add(self, truth: Value, answer: Value) -> Verdict:
        """Take one picture."""
        if not isinstance(truth, Label) or not isinstance(answer, Detections):
            raise TypeError(f"TouchJudge: expected Label and Detections, got {truth!r} and {type(answer).__name__}")
        self._labels.append(self.names.index(truth.name))
        verdict = self._touches.add({TOUCH} if truth.name == TOUCH else set(), answer)
        return verdict._replace(text=f"{truth.name}, said {answer.best_touch:.2f}")

    def finish(self) -> Findings:
        """Return the numbers of all pictures, and how often those of each other label are called touched."""
        scores, labels = self._touches.scores(), np.array(self._labels)
        if scores is None:
            return Findings(lambda weights: [], (), (NO_TOUCHES,))

        def metrics(weights: Array) -> list[Drawn]:
            rows = scores.metrics(weights)
            for number, name in enumerate(self.names):
                if name != TOUCH:
                    there = labels == number
                    share = binary.ratio(weights @ (there & (scores.sure >= CALLED)), weights @ there)
                    rows.append(Drawn(f"false alarms, {name}", share, int(there.sum())))
            return rows

        return Findings(metrics, scores.curves())
