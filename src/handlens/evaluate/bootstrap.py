"""Numbers under weights of pictures, and their intervals by resampling whole groups; it must not know what is measured.

Every metric here is a function of weights (draws, n): how often each of n pictures counts in each draw. Weights of one
give the value itself, the draws its interval, and both come from the same line of code.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from handlens.report import Row

Array = npt.NDArray[Any]
BLOCK = 4_000_000  # weights held at once: 32 MB
CENTRAL = (2.5, 97.5)  # per cent: the 95 % interval


class Drawn(NamedTuple):
    """One metric. values: (draws,) float64, nan where it cannot be told. n: the number of things it was measured on."""

    name: str
    values: Array
    n: int


Metrics = Callable[[Array], Sequence[Drawn]]


def rows(metrics: Metrics, groups: Sequence[Any] | Array, resamples: int = 1000, seed: int = 0) -> tuple[Row, ...]:
    """Return each metric with its 95 % interval, by the percentiles of a bootstrap over groups.

    Args:
        metrics: Weights (draws, n) -> what was measured, the same names in the same order each time.
        groups: (n,) the group of each picture; pictures of one person are alike, so persons are drawn and not pictures
            (an interval over pictures would be too narrow).
        resamples: Draws; with 0 there is no interval, low = high = value.
    """
    values = metrics(np.ones((1, len(groups))))
    blocks = [metrics(weights) for weights in resampled(groups, resamples, seed)]
    made = []
    for i, (name, value, n) in enumerate(values):
        draws = np.concatenate([block[i].values for block in blocks]) if blocks else value
        low, high = interval(float(value[0]), draws)
        made.append(Row(name, float(value[0]), low, high, n))
    return tuple(made)


def resampled(groups: Sequence[Any] | Array, resamples: int, seed: int) -> Iterator[Array]:
    """Yield weights (d, n) float64 in blocks: how often a picture is in a draw of whole groups, with replacement."""
    _, group = np.unique(np.asarray(groups), return_inverse=True)
    count = int(group.max()) + 1 if len(group) else 0
    generator = np.random.default_rng(seed)
    size = max(1, BLOCK // max(1, len(group)))
    for start in range(0, resamples if count else 0, size):
        draws = min(size, resamples - start)
        yield generator.multinomial(count, np.full(count, 1 / count), draws)[:, group].astype(np.float64)


def interval(value: float, draws: Array) -> tuple[float, float]:
    """Return the 2.5 and the 97.5 percentile of the draws that could be told, never leaving out the value itself.

    A best threshold or a calibration error is biased in a resample, so that its percentiles alone may miss the value.
    """
    defined = draws[~np.isnan(draws)]
    if np.isnan(value) or not len(defined):
        return value, value
    low, high = np.percentile(defined, CENTRAL)
    return min(value, float(low)), max(value, float(high))


def quantile(values: Array, weights: Array, share: float) -> Array:
    """Return (draws,): the smallest value that at least this share of the weight does not exceed, nan of nothing."""
    if not len(values):
        return np.full(len(weights), np.nan)
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[:, order], axis=1)
    reached = below >= share * below[:, -1:] - 1e-9
    return np.where(below[:, -1] > 0, values[order][np.argmax(reached, axis=1)], np.nan)
