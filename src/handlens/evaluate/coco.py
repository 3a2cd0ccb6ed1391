"""Average precision by COCO's rules, under weights of the pictures; it must not know models, names or reports.

Boxes are matched by pycocotools, once; its `accumulate` would sort all of them again for each of 1000 resamples and
walks them in Python, so that part is done here under weights. A test holds both to the same numbers.
"""

import contextlib
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from handlens.errors import InputError
from handlens.evaluate.bootstrap import Array
from handlens.types import Floats, Ints

IOUS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MOST = 100  # boxes of one label in one picture; the rest is left out, surest first


class Boxes(NamedTuple):
    """The boxes of one picture. xyxy: (n, 4) pixels, label: (n,) from 0, score: (n,) (of a truth: anything)."""

    xyxy: Floats
    label: Ints
    score: Floats


@dataclass(frozen=True, eq=False)
class Matches:
    """The found boxes of one label over all pictures, surest first.

    Attributes:
        picture: (m,) int64, where each box lies.
        score: (m,).
        hit: (10, m) bool, whether it hits a truth at each IoU of `IOUS`.
        truths: (n,) float64, the boxes that are there in each picture.
    """

    picture: Ints
    score: Array
    hit: Array
    truths: Array


def require() -> Any:
    """Return the module of pycocotools that measures.

    Raises:
        InputError: it is not installed.
    """
    try:
        from pycocotools import cocoeval
    except ImportError as error:
        raise InputError("to measure boxes, pycocotools is needed: type pip install 'handlens[data]'.") from error
    return cocoeval


def match(truths: Sequence[Boxes], founds: Sequence[Boxes], labels: int) -> list[Matches]:
    """Return the matches of each label: found boxes, surest first, take the free truth that they overlap most."""
    judge = require()
    with contextlib.redirect_stdout(io.StringIO()):  # it prints its steps
        evaluation = judge.COCOeval(_coco(truths, labels), _coco(founds, labels), "bbox")
        settings = evaluation.params
        settings.areaRng, settings.areaRngLbl = [[0, 1e10]], ["all"]
        settings.maxDets, settings.iouThrs = [MOST], IOUS
        evaluation.evaluate()
    by_label = [evaluation.evalImgs[k * len(truths) : (k + 1) * len(truths)] for k in range(labels)]
    return [_gathered(pictures) for pictures in by_label]


def average_precision(matches: Matches, weights: Array) -> Array:
    """Return (draws, 10): the average precision at each IoU, over 101 recalls; nan where no truth was drawn."""
    there = weights @ matches.truths
    areas = np.full((len(weights), len(IOUS)), np.nan)
    positions = [np.flatnonzero(row) for row in matches.hit]
    for draw in np.flatnonzero(there > 0):
        each = weights[draw][matches.picture]
        called = np.cumsum(each)
        for t, place in enumerate(positions):
            areas[draw, t] = _curve(np.cumsum(each[place]), called[place], there[draw]).mean()
    return areas


def curve(matches: Matches) -> Array:
    """Return (101,): the precision at each of `RECALLS`, at IoU 0.5; zeros where no truth is."""
    place = np.flatnonzero(matches.hit[0])
    there = float(matches.truths.sum())
    return _curve(np.arange(1, len(place) + 1), place + 1, there) if there else np.zeros(len(RECALLS))


def _curve(hit: Array, called: Array, there: float) -> Array:
    """Return (101,): the best precision at each recall or beyond it. hit, called: (k,), counted at each hit."""
    precision = hit / (called + np.spacing(1))
    best = np.append(np.maximum.accumulate(precision[::-1])[::-1], 0.0)  # a recall that is not reached: 0
    return np.asarray(best[np.searchsorted(hit / there, RECALLS, side="left")])


def _coco(pictures: Sequence[Boxes], labels: int) -> Any:
    """Return boxes as pycocotools has them."""
    from pycocotools.coco import COCO

    rows: list[dict[str, Any]] = []
    for picture, (xyxy, label, score) in enumerate(pictures):
        corners, sides = xyxy[:, :2].tolist(), (xyxy[:, 2:] - xyxy[:, :2]).astype(np.float64).tolist()
        for corner, side, category, sure in zip(corners, sides, label.tolist(), score.tolist(), strict=True):
            row = {"image_id": picture, "category_id": category, "bbox": corner + side, "score": sure}
            rows.append(row | {"id": len(rows) + 1, "area": side[0] * side[1], "iscrowd": 0})  # id 0 means no match
    coco = COCO()
    coco.dataset = {
        "images": [{"id": number} for number in range(len(pictures))],
        "categories": [{"id": number} for number in range(labels)],
        "annotations": rows,
    }
    coco.createIndex()
    return coco


def _gathered(pictures: Sequence[dict[str, Any] | None]) -> Matches:
    """Return what pycocotools found in each picture (None: no box at all) as one table, surest first."""
    there = [(number, one) for number, one in enumerate(pictures) if one is not None]
    truths = np.zeros(len(pictures))
    for number, one in there:
        truths[number] = len(one["gtIds"])
    picture = np.array([number for number, one in there for _ in one["dtIds"]], np.int64)
    score = np.array([sure for _, one in there for sure in one["dtScores"]], np.float64)
    hits = [one["dtMatches"] > 0 for _, one in there] or [np.zeros((len(IOUS), 0), bool)]
    order = np.argsort(-score, kind="stable")
    return Matches(picture[order], score[order], np.concatenate(hits, axis=1)[:, order], truths)
