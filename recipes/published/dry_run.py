"""What makes a training one of seconds, to see that it runs and goes on: few pictures, small, three epochs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from handlens.data.dataset import LabelledSet
from handlens.train.opened import OpenedSets

EACH = 2
"""Pictures of each label, or of each kind of answer, in each part."""
CHANGES: dict[str, Any] = {"epochs": 3, "batch": 2, "patience": 0, "check": 1, "save": 1, "minutes": None}
SIZES = {"touch": 64, "segment": 64}
"""Sides of the pictures where a network takes any."""


HOW = """This module only says what a trial is. To try a system, type

    python -m recipes.published.run --data DATA --system SYSTEM --dry-run

and to kill one in the middle and see it go on, python -m recipes.published.try_resume --data DATA --out OUT."""


def few(found: LabelledSet) -> LabelledSet:
    """Return the first pictures of each label of each part; of boxes some with one, and some without."""
    seen: Counter[tuple[str, object]] = Counter()
    kept = []
    for picture in found:
        kind = (picture.split, tuple(sorted(set(picture.labels.tolist()))))
        seen[kind] += 1
        if seen[kind] <= (EACH if found.label_kind.one_label else 2 * EACH):
            kept.append(picture)
    return found.having(kept)


class FewSets(OpenedSets):
    """Opens sets and keeps few of their pictures."""

    def __call__(self, data: str, kinds: str | Sequence[str]) -> LabelledSet:
        """Return some of the set at `data`, as `OpenedSets` does."""
        return few(super().__call__(data, kinds))


def smaller(task: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a training of seconds."""
    size = {"size": SIZES[task]} if task in SIZES else {}
    return {**given, **CHANGES, **size}


if __name__ == "__main__":
    print(HOW)
