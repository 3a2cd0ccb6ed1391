"""How good labels of whole pictures are, and their angles; it must not know what the names stand for."""

from dataclasses import dataclass

import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.evaluate import binary
from handlens.evaluate.angles import Turned
from handlens.evaluate.bootstrap import Array, Drawn, quantile
from handlens.evaluate.curves import Confusion, Curve, PrecisionRecall, reliability
from handlens.evaluate.judge import Findings, Verdict, require_known, used_names
from handlens.predictor import Predictor
from handlens.types import Label, Value

NONE = "(no hand)"
NEAR = 10  # degrees: an angle that is good enough


class LabelJudge:
    """Judges one label for each picture; of several hands in an answer the largest counts, and none is a wrong answer.

    Raises:
        InputError: a label of the set that the model does not know.
    """

    min_score: float | None = None

    def __init__(self, predictor: Predictor, found: LabelledSet) -> None:
        self.names = predictor.card.names
        require_known(predictor.card.name, self.names, used_names(found))
        self._truths: list[int] = []
        self._answers: list[int] = []
        self._sure: list[list[float]] = []
        self._angles: list[tuple[float, float]] = []

    def add(self, truth: Value, answer: Value) -> Verdict:
        """Take the label of one picture."""
        if not isinstance(truth, Label):
            raise TypeError(f"LabelJudge: expected a Label as truth, got {type(truth).__name__}")
        label = _chosen(answer)
        place = self.names.index(truth.name)
        sure = [0.0] * len(self.names) if label is None else [label.scores.get(name, 0.0) for name in self.names]
        predicted = len(self.names) if label is None else self.names.index(label.name)
        self._truths.append(place)
        self._answers.append(predicted)
        self._sure.append(sure)
        self._angles.append((_number(truth.angle), _number(label.angle if label is not None else None)))
        said_words = NONE if label is None else f"{label.name} {label.score:.2f}{_at(label.angle)}"
        text = f"{truth.name}{_at(truth.angle)}, said {said_words}"
        return Verdict(sure[place], max(sure) if predicted != place else 0.0, text)

    def finish(self) -> Findings:
        """Return what comes of all labels."""
        truths, answers = np.array(self._truths, np.int64), np.array(self._answers, np.int64)
        angles = np.array(self._angles, np.float64).reshape(-1, 2)
        turned = Turned(angles[:, 0], angles[:, 1], truths == answers)
        labels = Labels(self.names, truths, answers, np.array(self._sure), turned.error)
        known = len(angles) and not np.isnan(turned.truth).any()
        return Findings(labels.metrics, labels.curves(), turned=turned if known else None)


@dataclass(frozen=True, eq=False)
class Labels:
    """All pictures.

    Attributes:
        truth, answer: (n,) int64 into `names` (an answer that is none: len(names))
        sure: (n, names) probabilities.
        error: (n,) degrees between the angles, nan without one.
    """

    names: tuple[str, ...]
    truth: Array
    answer: Array
    sure: Array
    error: Array

    def metrics(self, weights: Array) -> list[Drawn]:
        """Return the numbers of all labels together, of each one, and of the angles."""
        n, right = len(self.truth), self.truth == self.answer
        labels = np.arange(len(self.names))
        there, called = self.truth[:, None] == labels, self.answer[:, None] == labels
        hit, all_called, all_there = (weights @ rows.astype(np.float64) for rows in (there & called, called, there))
        precision, recall = binary.ratio(hit, all_called), binary.ratio(hit, all_there)
        f1 = binary.f1(hit, all_called, all_there)
        rows = [
            Drawn("accuracy", binary.ratio(weights @ right, weights.sum(axis=1)), n),
            Drawn("balanced accuracy", binary.mean(recall), n),
            Drawn("macro F1", binary.mean(f1), n),
            Drawn("log loss", binary.ratio(weights @ self.surprise, weights.sum(axis=1)), n),
            Drawn("ECE", binary.calibration_error(self.sure.max(axis=1), right, weights), n),
        ]
        if len(self.names) == 2:
            rows.append(Drawn("ROC AUC", binary.roc_auc(self.sure[:, 1], self.truth == 1, weights), n))
        found = self.answer < len(self.names)
        if not found.all():
            rows.append(Drawn("hand found", binary.ratio(weights @ found, weights.sum(axis=1)), n))
        for k, name in enumerate(self.names):
            number = int(there[:, k].sum())
            rows.append(Drawn(f"precision {name}", precision[:, k], int(called[:, k].sum())))
            rows += [Drawn(f"recall {name}", recall[:, k], number), Drawn(f"F1 {name}", f1[:, k], number)]
        return rows + self._angles(weights)

    @property
    def surprise(self) -> Array:
        """The cross-entropy of each picture, (n,), in nats; at most 16, for a truth that was never thought of."""
        return np.asarray(-np.log(np.maximum(self.sure[np.arange(len(self.truth)), self.truth], 1e-7)))

    def curves(self) -> tuple[Curve, ...]:
        """Return what is taken for what, how sure answers are against how often right, and two labels' precision."""
        answers = (*self.names, NONE) if (self.answer == len(self.names)).any() else self.names
        counts = np.zeros((len(self.names), len(answers)), np.int64)
        np.add.at(counts, (self.truth, self.answer), 1)
        right = self.truth == self.answer
        made: list[Curve] = [
            Confusion("labels", self.names, answers, counts),
            reliability("labels", self.sure.max(axis=1), right),
        ]
        return (*made, *(self._line(k) for k in range(len(self.names))))

    def _line(self, k: int) -> PrecisionRecall:
        precision, recall = binary.precision_recall(self.sure[:, k], self.truth == k)
        area = binary.average_precision(self.sure[:, k], self.truth == k, np.ones((1, len(self.truth))))
        return PrecisionRecall("labels", self.names[k], recall, precision, float(area[0]))

    def _angles(self, weights: Array) -> list[Drawn]:
        defined = ~np.isnan(self.error)
        if not defined.any():
            return []
        error, some = self.error[defined], weights[:, defined]
        rows = [
            Drawn(f"angle error {name}, degrees", quantile(error, some, share), int(defined.sum()))
            for name, share in (("median", 0.5), ("90th percentile", 0.9))
        ]
        near = binary.ratio(some @ (error <= NEAR), some.sum(axis=1))
        return [*rows, Drawn(f"angle within {NEAR} degrees", near, int(defined.sum()))]


def _chosen(answer: Value) -> Label | None:
    if isinstance(answer, Label):
        return answer
    if not isinstance(answer, tuple):
        raise TypeError(f"LabelJudge: expected a Label or hands, got {type(answer).__name__}")
    if not answer:
        return None
    if answer[0].mask is not None:  # such hands come in the order of their areas
        return answer[0].gesture
    sizes = [float(np.prod(hand.xyxy[2:] - hand.xyxy[:2])) for hand in answer]
    return answer[int(np.argmax(sizes))].gesture


def _number(angle: float | None) -> float:
    return np.nan if angle is None else angle


def _at(angle: float | None) -> str:
    return "" if angle is None else f" at {angle:.0f}"
