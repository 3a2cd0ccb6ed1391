"""How good boxes are: mAP by COCO's rules, precision and recall as shown, touches; knows not how a model runs."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from handlens.boxes import iou
from handlens.card import ModelCard
from handlens.data.dataset import LabelledSet
from handlens.evaluate import binary, coco
from handlens.evaluate.bootstrap import Array, Drawn
from handlens.evaluate.coco import Boxes, Matches
from handlens.evaluate.curves import Confusion, Curve, PrecisionRecall, reliability
from handlens.evaluate.judge import Findings, Verdict, misfit, used_names
from handlens.evaluate.touch import NO_TOUCHES, Touches
from handlens.predictor import Predictor
from handlens.tasks import task_of
from handlens.types import OWNERS, Detections, Floats, Ints, Value

HIT = 0.5  # IoU from which a box is right


def paired(there: Boxes, seen: Boxes) -> tuple[Ints, Floats]:
    """Return for each seen box (m,) the row of its truth or -1, and their IoU or 0.

    Boxes of one label find each other first, the surest box taking the free truth that it overlaps most, as COCO does
    it; what is left over is then paired across labels. From IoU 0.5 on.

    Args:
        seen: Surest first.
    """
    overlap = iou(seen.xyxy, there.xyxy)
    same = seen.label[:, None] == there.label[None]
    pairs = np.full(len(seen.label), -1, np.int64)
    free = np.ones(len(there.label), bool)
    for allowed in (overlap * same, overlap):
        for row in np.flatnonzero((pairs < 0) & (allowed.max(axis=1, initial=0.0) >= HIT)):
            chances = allowed[row] * free
            best = int(np.argmax(chances))
            if chances[best] >= HIT:
                pairs[row], free[best] = best, False
    return pairs, np.where(pairs >= 0, overlap[np.arange(len(pairs)), pairs] if len(free) else 0, 0).astype(np.float32)


def shown(answer: Detections, card: ModelCard) -> npt.NDArray[np.bool_]:
    """Return (n,) bool: the boxes of an answer with every doubtful one that its model would show to a user."""
    floors = np.array([card.threshold(name) for name in answer.names], np.float32)
    return np.asarray(answer.score >= floors[answer.label])


def shown_regions(answer: Detections, card: ModelCard) -> npt.NDArray[np.bool_]:
    """Return the same for an answer of a contact model: the regions of each face whose surest one reaches the threshold
    of "touch"; which faces and hands there are depends on the score that was asked for."""
    regions = ~answer.of(*OWNERS)
    surest = np.zeros(len(answer) + 1, np.float32)  # one more: a region without a face has the owner -1
    np.maximum.at(surest, answer.face[regions], answer.score[regions])
    return np.asarray(regions & (surest[answer.face] >= card.threshold("touch", 0.5)))


LOWEST = 0.001  # mAP wants every box a model can give, the doubtful ones too
NOTHING = "(nothing)"


class BoxJudge:
    """Judges the boxes of a detector.

    Labels are matched by name; those that only one of set and model has are left out and noted. Every picture of a
    touch model is also judged as a whole, where the set has pictures with and without a touch.

    Raises:
        InputError: set and model have no label in common, or pycocotools is missing.
    """

    min_score: float | None = LOWEST
    needs_boxes = True
    """Whether set and model must have a label in common."""
    not_shown: tuple[str, ...] = ()
    """Labels whose precision and recall are not told."""

    def __init__(self, predictor: Predictor, found: LabelledSet) -> None:
        coco.require()
        self.card = predictor.card
        known, used = self.known_names(predictor), used_names(found)
        self.names = tuple(name for name in found.names if name in known)
        if not self.names and self.needs_boxes:
            raise misfit(self.card.name, known, found.names)
        self._shown = np.array([name not in self.not_shown for name in self.names], bool)
        regions = tuple(name for name in known if name not in OWNERS)
        self._touches = Touches(regions) if task_of(self.card.task).touches and regions else None
        self._notes = _left_out(self.card.name, known, used, found.names)
        self._truths: list[Boxes] = []
        self._founds: list[Boxes] = []
        self._counts: list[Array] = []
        self._confusion = np.zeros((len(self.names) + 1,) * 2, np.int64)

    def known_names(self, predictor: Predictor) -> tuple[str, ...]:
        """Return the labels that the model's answers may carry."""
        return predictor.card.names

    def shown(self, answer: Detections) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: the boxes that a user would see."""
        return shown(answer, self.card)

    def add(self, truth: Value, answer: Value) -> Verdict:
        """Take the boxes of one picture."""
        if not isinstance(truth, Detections) or not isinstance(answer, Detections):
            raise TypeError(f"BoxJudge: expected Detections, got {type(truth).__name__} and {type(answer).__name__}")
        there, found = self._common(truth), self._common(answer)
        self._truths.append(there)
        self._founds.append(found)
        rows = self._common(answer, self.shown(answer))
        verdict = self._compare(Boxes(*(part[self._shown[there.label]] for part in there)), rows)
        if self._touches is None:
            return verdict
        touch = self._touches.add({name for name in truth.label_names if name not in OWNERS}, answer)
        wrong = max(touch.wrongness, verdict.wrongness)
        return Verdict(verdict.quality, wrong, f"{touch.text}; {verdict.text}")

    def finish(self) -> Findings:
        """Match all boxes and return what comes of them."""
        matches = coco.match(self._truths, self._founds, len(self.names)) if self.names else []
        hits = Hits(self.names, self._shown, tuple(matches), np.array(self._counts))
        touch_scores = self._touches.scores() if self._touches is not None else None
        notes = list(self._notes)
        if self._touches is not None and touch_scores is None:
            notes.append(NO_TOUCHES)
        curves: list[Curve] = list(touch_scores.curves()) if touch_scores is not None else []
        if matches:
            every = (*self.names, NOTHING)
            curves += [*hits.curves(), Confusion("boxes", every, every, self._confusion)]

        def metrics(weights: Array) -> list[Drawn]:
            return [*hits.metrics(weights), *(touch_scores.metrics(weights) if touch_scores is not None else [])]

        return Findings(metrics, tuple(curves), tuple(notes))

    def _compare(self, there: Boxes, seen: Boxes) -> Verdict:
        """Count what a user would see of one picture against the truth."""
        pairs, overlap = paired(there, seen)
        labels = len(self.names)
        taken = np.append(there.label, labels)[pairs]  # -1, no truth at all, is the last: nothing
        right = taken == seen.label
        self._counts.append(
            np.stack([np.bincount(rows, minlength=labels) for rows in (seen.label[right], seen.label, there.label)])
        )
        missed = np.setdiff1d(np.arange(len(there.label)), pairs)
        np.add.at(self._confusion, (taken, seen.label), 1)
        np.add.at(self._confusion[:, labels], there.label[missed], 1)
        hits, false = int(right.sum()), int((~right).sum())
        things = len(there.label) + false
        quality = float(overlap[right].sum()) / things if things else 1.0
        wrong = float(seen.score[~right].max(initial=0.0))
        return Verdict(quality, wrong, f"{hits} of {len(there.label)} boxes, {false} false")

    def _common(self, boxes: Detections, wanted: Array | bool = True) -> Boxes:
        """Return the wanted rows (n,) bool whose label set and model have in common, surest first."""
        table = np.array([self.names.index(n) if n in self.names else -1 for n in boxes.names], np.int64)
        label = table[boxes.label]
        rows = np.flatnonzero((label >= 0) & wanted)
        rows = rows[np.argsort(-boxes.score[rows], kind="stable")]
        return Boxes(boxes.xyxy[rows], label[rows], boxes.score[rows])


class ContactJudge(BoxJudge):
    """Judges the boxes of a contact model, which passes on the faces and hands of its detector.

    Faces and hands are not counted as shown, because which ones there are depends on the score that was asked for.
    """

    needs_boxes = False
    not_shown = OWNERS

    def known_names(self, predictor: Predictor) -> tuple[str, ...]:
        """Return the labels of the detector and those of the model itself."""
        return tuple(dict.fromkeys((*predictor.parts["detector"].card.names, *predictor.card.names)))

    def shown(self, answer: Detections) -> npt.NDArray[np.bool_]:
        """Return (n,) bool: the regions that a user would see."""
        return shown_regions(answer, self.card)


@dataclass(frozen=True, eq=False)
class Hits:
    """All pictures.

    Attributes:
        names: The labels.
        shown: (labels,) bool, those whose precision and recall are told.
        matches: Of each label.
        counts: (n, 3, labels) of each picture the boxes that are right, shown, and there.
    """

    names: tuple[str, ...]
    shown: Array
    matches: tuple[Matches, ...]
    counts: Array

    def metrics(self, weights: Array) -> list[Drawn]:
        """Return mAP and AP of each label, then precision, recall and F1 at the card's thresholds."""
        if not self.matches:
            return []
        areas = np.stack([coco.average_precision(one, weights) for one in self.matches], axis=-1)  # (draws, 10, labels)
        number = [int(one.truths.sum()) for one in self.matches]
        rows = []
        for name, each in (("0.5:0.95", areas.mean(axis=1)), ("0.5", areas[:, 0])):
            rows.append(Drawn(f"mAP {name}", binary.mean(each), sum(number)))
            if len(self.names) > 1:
                rows += [Drawn(f"AP {name} {n}", each[:, k], number[k]) for k, n in enumerate(self.names)]
        counts = np.einsum("dn,nck->cdk", weights, self.counts.astype(np.float64), optimize=True)
        rows += _rates("", self.shown, counts, self.counts)
        if self.shown.sum() > 1:
            for k in np.flatnonzero(self.shown):
                rows += _rates(f" {self.names[k]}", np.arange(len(self.names)) == k, counts, self.counts)
        return rows

    def curves(self) -> list[Curve]:
        """Return precision over recall of each label at IoU 0.5, and how often a box is right where it says so."""
        one = np.ones((1, len(self.counts)))
        lines: list[Curve] = []
        for name, match in zip(self.names, self.matches, strict=True):
            area = float(coco.average_precision(match, one)[0, 0])
            lines.append(PrecisionRecall("boxes", name, coco.RECALLS, coco.curve(match), area))
        score = np.concatenate([match.score for match in self.matches])
        return [*lines, reliability("boxes", score, np.concatenate([match.hit[0] for match in self.matches]))]


def _rates(name: str, labels: Array, drawn: Array, counts: Array) -> list[Drawn]:
    """Return precision, recall and F1 of some labels together. drawn: (3, draws, labels); counts: (n, 3, labels)."""
    if not labels.any():
        return []
    hit, seen, there = drawn[:, :, labels].sum(axis=-1)
    _, number_seen, number = counts[:, :, labels].sum(axis=(0, 2)).tolist()
    return [
        Drawn(f"precision{name}", binary.ratio(hit, seen), number_seen),
        Drawn(f"recall{name}", binary.ratio(hit, there), number),
        Drawn(f"F1{name}", binary.f1(hit, seen, there), number),
    ]


def _left_out(model: str, known: Sequence[str], used: Sequence[str], names: Sequence[str]) -> tuple[str, ...]:
    """Return a note for the labels that only the set or only the model has. used: those of `names` with a box."""
    notes = []
    if strange := [name for name in used if name not in known]:
        notes.append(f"Left out, because '{model}' does not know them: {', '.join(strange)}.")
    if absent := [name for name in known if name not in names]:
        notes.append(f"Not measured, because the set does not have them: {', '.join(absent)}.")
    return tuple(notes)
