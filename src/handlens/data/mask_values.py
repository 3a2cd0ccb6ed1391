"""What the numbers in a mask mean: classes, black and white, or shades; it must not know where masks are stored."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from handlens.errors import InputError
from handlens.types import Image

IGNORE = 255
TWO = ("background", "hand")
THREE = ("background", "hand", "face")
SIX = ("background", "hand", "face", "neck", "skin", "hair")  # as in the sets that also mark these

Pixels = npt.NDArray[Any]


@dataclass(frozen=True)
class Values:
    """How to read the masks of one set. names: of the classes; threshold: from this value on it is class 1, or None
    where the values are the classes themselves and 255 is to be ignored.
    """

    names: tuple[str, ...]
    threshold: float | None = None

    def classes(self, mask: Pixels, name: str) -> Image:
        """Return (H, W) uint8: the class of each pixel of a mask (H, W), 255 = ignore.

        Raises:
            InputError: a value that is no class.
        """
        if self.threshold is not None:
            return (np.asarray(mask) >= self.threshold).astype(np.uint8)
        found = np.asarray(mask)
        wrong = found[~((found == IGNORE) | ((found >= 0) & (found < len(self.names)) & (found == np.floor(found))))]
        if wrong.size:
            allowed = f"0 to {len(self.names) - 1} ({', '.join(self.names)}) and 255 (ignore)"
            raise InputError(
                f"the mask '{name}' has the value {wrong.flat[0]:g}, which is no class; allowed: {allowed}."
                f" Put the names of more classes into names.txt."
            )
        return found.astype(np.uint8)


def judge(
    masks: Iterable[tuple[str, Pixels]],
    names: tuple[str, ...] | None,
    name: str,
    lossy: bool = False,
    strict: bool = True,
) -> Values:
    """Return how to read the masks of a set, judged by some of them.

    Values 0 and 255 alone, floats up to 1, and many shades are black and white; few small numbers are classes. masks:
    each with its name. names: as names.txt has them; None: background, hand, then face and more where the values reach
    as far. lossy: they are JPEG, which cannot keep classes. strict: False where each mask with a value beyond `names`
    is told of by itself.

    Raises:
        InputError: values that fit neither, or black and white with other than two names.
    """
    seen: set[float] = set()
    first: dict[float, str] = {}  # where a value was seen first
    soft = False
    for where, mask in masks:
        soft |= mask.dtype.kind in "bf"
        values = {float(np.min(mask)), float(np.max(mask))} if soft and np.max(mask) <= 1 else _values(mask)
        first |= dict.fromkeys(values - seen, where)
        seen |= values
    ordinary = {value for value in seen if value != IGNORE}
    highest = max(ordinary, default=0)
    if soft and max(seen, default=0) <= 1:
        return Values(_two(names, name), 0.5)
    if lossy or len(seen) > 64 or (ordinary <= {0} and IGNORE in seen):  # shades: soft edges
        return Values(_two(names, name), 128)
    if names is not None and not strict:
        return Values(names)
    names = names or next((known for known in (TWO, THREE) if highest < len(known)), SIX)
    wrong = next((value for value in (min(seen, default=0), highest) if not 0 <= value < len(names)), None)
    if wrong is not None:
        told = ", ".join(f"{value:g}" for value in sorted(seen)[:10])
        raise InputError(
            f"the masks of '{name}' have the values {told} ({wrong:g} in '{first[wrong]}'); allowed are classes 0 to"
            f" {len(names) - 1} ({', '.join(names)}), or 0 and 255. Put the names of all classes into names.txt, one a"
            " line."
        )
    return Values(names)


def _values(mask: Pixels) -> set[float]:
    if mask.dtype == np.uint8:  # ten times as fast as np.unique, which sorts
        return set(np.flatnonzero(np.bincount(mask.ravel(), minlength=256)).tolist())
    return set(np.unique(mask).tolist())


def _two(names: tuple[str, ...] | None, name: str) -> tuple[str, ...]:
    if names is not None and len(names) != 2:
        raise InputError(f"the masks of '{name}' are black and white: names.txt must have 2 names, not {len(names)}.")
    return names or TWO
