"""Which shown box of a picture stands for which true one; it must not know averages or reports."""

import numpy as np

from handlens.boxes import iou
from handlens.card import ModelCard
from handlens.evaluate.coco import Boxes
from handlens.evaluate.names import UNTOUCHED
from handlens.types import Detections, Floats, Ints

HIT = 0.5  # IoU from which a box is right


def paired(there: Boxes, seen: Boxes) -> tuple[Ints, Floats]:
    """Return for each seen box (m,) the row of its truth or -1, and their IoU or 0.

    Boxes of one label find each other first, the surest box taking the free truth that it overlaps most, as COCO does
    it; what is left over is then paired across labels. From IoU 0.5 on. seen: surest first.
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


def shown(answer: Detections, card: ModelCard) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Return (n,) bool: the boxes of an answer with every doubtful one that its model would show to a user.

    Of a contact model these are the regions of each face whose surest one reaches the threshold of "touch"; its faces
    and hands are left out, because which ones there are depends on the score that was asked for.
    """
    if card.kind != "contact":
        floors = np.array([card.threshold(name) for name in answer.names], np.float32)
        return np.asarray(answer.score >= floors[answer.label])
    regions = ~answer.of(*UNTOUCHED)
    surest = np.zeros(len(answer) + 1, np.float32)  # one more: a region without a face has the owner -1
    np.maximum.at(surest, answer.face[regions], answer.score[regions])
    return np.asarray(regions & (surest[answer.face] >= card.threshold("touch", 0.5)))
