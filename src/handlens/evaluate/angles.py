"""How good labels and angles are in each direction of the circle; it must not know how they are drawn."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from handlens.evaluate import binary
from handlens.evaluate.bootstrap import Array, Drawn, quantile, rows
from handlens.report import Row

SECTORS = 24  # of 15 degrees
OFTEN = 6  # turns of a picture that tell its lean
RESAMPLES = 300  # for each sector's interval; more would not be seen


@dataclass(frozen=True, eq=False)
class Turned:
    """What was said of pictures whose angle is known.

    Attributes:
        truth: (n,) degrees.
        predicted: (n,) degrees, nan where nothing was said.
        right: (n,) bool, whether the label is the true one; or what `about` says.
        about: What is right, in words.
    """

    truth: Array
    predicted: Array
    right: Array
    about: str = "labels that are right"

    @property
    def error(self) -> Array:
        """The degrees between truth and answer, (n,), 0 to 180, nan where nothing was said."""
        return np.asarray(np.abs((self.truth - self.predicted + 180) % 360 - 180))


@dataclass(frozen=True, eq=False)
class Circle:
    """The same by sectors.

    Attributes:
        accuracy, error: A row for each sector, counter-clockwise from upright: the share of labels that are right, the
            median error of the angle in degrees; `error` is empty where no angle was ever said.
    """

    turned: Turned
    accuracy: tuple[Row, ...]
    error: tuple[Row, ...]

    def to_json(self) -> list[dict[str, Any]]:
        """Return one object for each sector: from, to (degrees), n, accuracy and angle_error with low and high."""
        width = 360 // len(self.accuracy)
        objects = []
        for number, row in enumerate(self.accuracy):
            sector: dict[str, Any] = {"from": number * width, "to": (number + 1) * width, "n": row.n}
            sector["accuracy"] = _numbers(row)
            if self.error:
                sector["angle_error"] = _numbers(self.error[number])
            objects.append(sector)
        return objects


def around(turned: Turned, groups: Sequence[Any], resamples: int = RESAMPLES, seed: int = 0) -> Circle:
    """Return the sectors with their intervals, by resampling whole groups as everywhere else.

    Args:
        groups: (n,) the group of each picture.
    """
    sector = (np.mod(turned.truth, 360) * SECTORS / 360).astype(np.int64) % SECTORS
    known = ~np.isnan(turned.predicted)
    error = turned.error

    def metrics(weights: Array) -> list[Drawn]:
        made = []
        for number in range(SECTORS):
            here = sector == number
            some = weights[:, here]
            made.append(Drawn("", binary.ratio(some @ turned.right[here], some.sum(axis=1)), int(here.sum())))
        for number in range(SECTORS if known.any() else 0):
            here = (sector == number) & known
            made.append(Drawn("", quantile(error[here], weights[:, here], 0.5), int(here.sum())))
        return made

    measured = rows(metrics, groups, min(resamples, RESAMPLES), seed)
    return Circle(turned, measured[:SECTORS], measured[SECTORS:])


def lean_apart(turned: Turned, pictures: Sequence[Any]) -> str:
    """Return the sentence on what the turning itself is off by, or "" where no picture was turned often enough.

    Args:
        pictures: (n,) what was turned, the same for all turns of one. No picture of a set stands perfectly upright, and
            its own lean counts as error in every turn; here the mean over the turns of each picture is taken out.
    """
    known = ~np.isnan(turned.predicted)
    names, picture = np.unique(np.asarray(pictures)[known], return_inverse=True)
    if not len(names) or np.bincount(picture).min() < OFTEN:
        return ""
    off = np.exp(1j * np.deg2rad(turned.predicted[known] - turned.truth[known]))
    lean = np.zeros(len(names), np.complex128)
    np.add.at(lean, picture, off)
    rest = float(np.median(np.abs(np.rad2deg(np.angle(off * lean[picture].conj())))))
    return (
        f"Without each picture's own lean, the mean over its turns, the angle is {rest:.1f} degrees off at the median."
    )


def _numbers(row: Row) -> list[float | None]:
    return [None if np.isnan(value) else round(value, 4) for value in (row.value, row.low, row.high)]
