"""Fewer pictures of a set that still show all of it; it must not know models or measurements."""

from collections.abc import Sequence

import numpy as np

from handlens.data.dataset import LabelledSet
from handlens.errors import InputError


def evenly(found: LabelledSet, count: int, seed: int = 0) -> LabelledSet:
    """Return `count` pictures in the set's order, as many of each label and, within it, of each group as can be.

    Of a set that has no more pictures all are returned. In sets of boxes and masks only groups are kept even.

    Raises:
        InputError: `count` is below 1.
    """
    if count < 1:
        raise InputError(f"a sample needs at least one picture, got {count}.")
    if count >= len(found):
        return found
    shuffled = np.random.default_rng(seed).permutation(len(found)).tolist()
    labels: dict[int, dict[str, list[int]]] = {}
    for number in shuffled:
        picture = found.pictures[number]
        label = int(picture.labels[0]) if found.kind == "classify" else 0
        labels.setdefault(label, {}).setdefault(picture.kin, []).append(number)
    chosen = _dealt([_dealt(list(groups.values())) for _, groups in sorted(labels.items())])[:count]
    return found.having([found.pictures[number] for number in sorted(chosen)])


def _dealt(piles: Sequence[Sequence[int]]) -> list[int]:
    """Return the first of each pile, then the second of each that has one, and so on."""
    longest = max(len(pile) for pile in piles)
    return [pile[place] for place in range(longest) for pile in piles if place < len(pile)]
