"""How well a detector finds, on pictures of which not everything is known: average precision, and recall behind hands.

What lies in a blind area is neither right nor wrong. Intervals are resampled by person.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from handlens.boxes import inside, iou
from handlens.predictor import Predictor
from handlens.types import Detections, Frame
from recipes.touch.face_hand_cache import Boxes, Known, picture_of

RIGHT = 0.5
"""Overlap (IoU) from which a box is right."""


@dataclass(frozen=True)
class Found:
    """What was found in one picture, best first: boxes (n, 4) and scores (n,) of faces and of hands."""

    faces: Boxes
    face_scores: NDArray[np.float32]
    hands: Boxes
    hand_scores: NDArray[np.float32]


def asked(predictor: Predictor, items: Sequence[Known]) -> list[Found]:
    """Return the predictor's answer to every picture."""
    out = []
    for item in items:
        value = predictor.predict(Frame(picture_of(item))).value
        assert isinstance(value, Detections)
        parts: list[Any] = []
        for name in ("face", "hand"):
            rows = np.flatnonzero(value.of(name))
            order = rows[np.argsort(-value.score[rows], kind="stable")]
            parts += [value.xyxy[order], value.score[order]]
        out.append(Found(*parts))
    return out


def judged(boxes: Boxes, truth: Boxes, blind: Boxes) -> NDArray[np.int8]:
    """1 where a box is the first on a true one, 0 where it is wrong, -1 where nothing can be said."""
    out, free = np.zeros(len(boxes), np.int8), np.ones(len(truth), bool)
    overlap = iou(boxes, truth) if len(boxes) and len(truth) else np.zeros((len(boxes), len(truth)))
    hidden = inside(boxes, blind).max(1) if len(boxes) and len(blind) else np.zeros(len(boxes))
    for k in range(len(boxes)):
        mine = np.where(free, overlap[k], 0.0)
        if len(truth) and mine.max() >= RIGHT:
            out[k], free[mine.argmax()] = 1, False
        elif hidden[k] > 0.5:
            out[k] = -1
    return out


def average_precision(scores: NDArray[np.float32], right: NDArray[np.int8], true: int) -> float:
    """Area under the envelope of precision over recall."""
    order = np.argsort(-scores, kind="stable")
    hit = np.cumsum(right[order] == 1)
    precision = hit / np.arange(1, len(hit) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    steps = np.diff(np.concatenate(([0], hit)))
    return float((envelope * steps).sum() / max(1, true))


@dataclass(frozen=True)
class Tally:
    """What one picture adds: scores and verdicts of both kinds, how many are true, and covered faces found."""

    person: str
    face: tuple[NDArray[np.float32], NDArray[np.int8], int]
    hand: tuple[NDArray[np.float32], NDArray[np.int8], int]
    covered: tuple[int, int]
    plain: tuple[int, int]


def tallies(found: Sequence[Found], items: Sequence[Known], sure: float) -> list[Tally]:
    """Judge every picture; hands only where a source marked them. sure: the card's threshold of faces."""
    out = []
    for said, item in zip(found, items, strict=True):
        face = judged(said.faces, item.faces, item.blind_faces)
        kept = face >= 0
        marked = item.group == "marked"
        # A marked box that was merged into others is blind only where no hand is known.
        hand = judged(said.hands, item.hands, item.blind_hands) if marked else np.zeros(0, np.int8)
        shown = hand >= 0
        hand_scores = said.hand_scores[shown] if marked else np.zeros(0, np.float32)
        hits = said.faces[said.face_scores >= sure]
        seen = (
            iou(item.faces, hits).max(1) >= RIGHT if len(hits) and len(item.faces) else np.zeros(len(item.faces), bool)
        )
        counts = [(int(seen[which].sum()), int(which.sum())) for which in (item.covered, ~item.covered)]
        out.append(
            Tally(
                item.person, (said.face_scores[kept], face[kept], len(item.faces)),
                (hand_scores, hand[shown], len(item.hands) if marked else 0), counts[0], counts[1],
            )
        )  # fmt: skip
    return out


def numbers(rows: Sequence[Tally]) -> dict[str, float]:
    """AP50 of faces and hands, and the share of covered and of other faces that are found."""
    out: dict[str, float] = {}
    for name in ("face", "hand"):
        parts = [getattr(row, name) for row in rows]
        out[f"ap_{name}"] = average_precision(
            np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]), sum(p[2] for p in parts)
        )
    for name in ("covered", "plain"):
        hit, all_ = (sum(getattr(row, name)[k] for row in rows) for k in (0, 1))
        out[f"recall_{name}"] = hit / max(1, all_)
    return out


def with_intervals(rows: Sequence[Tally], resamples: int = 300) -> dict[str, tuple[float, float, float]]:
    """Each number with its 95 % interval, resampled by person."""
    groups: dict[str, list[Tally]] = {}
    for row in rows:
        groups.setdefault(row.person, []).append(row)
    people, rng = list(groups.values()), np.random.default_rng(0)
    tries = [
        numbers([row for i in rng.integers(len(people), size=len(people)) for row in people[int(i)]])
        for _ in range(resamples)
    ]
    out = {}
    for key, value in numbers(rows).items():
        low, high = (float(v) for v in np.percentile([t[key] for t in tries], (2.5, 97.5)))
        out[key] = (value, low, high)
    return out
