"""Measures of agreement between coders: kappa, alpha, events, onsets, Bland-Altman; it knows no files and no database.

Sums are kept for each person, so that intervals come from drawing persons with replacement: what is seen of one person
hangs together, and persons are what a study draws its conclusions about.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Counts = npt.NDArray[np.float64]
Span = tuple[float, float]

DRAWS = 2000
"""Bootstrap samples of persons."""
_SEED = 20261130


@dataclass(frozen=True)
class Estimate:
    """A figure with its 95 % interval; value is None where nothing can be said, low and high below two persons.

    Attributes:
        n: How many bins, events or videos it rests on.
    """

    value: float | None
    low: float | None
    high: float | None
    n: int

    def to_dict(self) -> dict[str, float | int | None]:
        """Return it as it stands in JSON."""
        return {"value": _short(self.value), "low": _short(self.low), "high": _short(self.high), "n": self.n}


def _short(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


@dataclass(frozen=True)
class Unit:
    """What two coders saw of one person in one video, from `start` to `stop` seconds; events as (start, stop).

    Attributes:
        sampled: It is one stretch of several that were drawn, from which no rate of the video follows.
    """

    person: str
    video: str
    start: float
    stop: float
    first: tuple[Span, ...]
    second: tuple[Span, ...]
    sampled: bool = False


def binned(events: Sequence[Span], start: float, stop: float, width: float) -> npt.NDArray[np.bool_]:
    """Return for each bin whether events cover at least half of it; a last bin of less than half is left out."""
    count = max(1, math.floor((stop - start) / width + 0.5)) if stop > start else 0
    covered = np.zeros(count)
    for first, last in union(events):
        low, high = max(first, start) - start, min(last, stop) - start
        if high <= low:
            continue
        begin, end = int(low / width), min(count - 1, int(high / width))
        for place in range(min(begin, count - 1), end + 1):
            covered[place] += max(0.0, min(high, (place + 1) * width) - max(low, place * width))
    return np.asarray(covered >= width / 2 - 1e-9, np.bool_)


def union(events: Sequence[Span]) -> list[Span]:
    """Return these times without what several of them share, in order."""
    joined: list[Span] = []
    for start, stop in sorted(events):
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined


def table_of(first: npt.NDArray[np.bool_], second: npt.NDArray[np.bool_]) -> Counts:
    """Return (2, 2): how many bins both, only one, or no coder marked; rows the first coder, 0 for unmarked."""
    counts = np.zeros((2, 2))
    np.add.at(counts, (first.astype(int), second.astype(int)), 1.0)
    return counts


def kappa(counts: Counts) -> float | None:
    """Return Cohen's kappa of a table (k, k) of two coders, None where both used one and the same category only."""
    total = counts.sum()
    if total == 0:
        return None
    seen = np.trace(counts) / total
    chance = float((counts.sum(axis=0) * counts.sum(axis=1)).sum() / total**2)
    return None if chance >= 1.0 else float((seen - chance) / (1.0 - chance))


def coincidences(values: npt.NDArray[np.float64], categories: int) -> Counts:
    """Return Krippendorff's matrix of coincidences (k, k) of nominal values.

    Args:
        values: (coders, units), NaN where a coder gave none.
    """
    made = np.zeros((categories, categories))
    counts = np.stack([(values == each).sum(axis=0) for each in range(categories)])  # (k, units)
    rated = counts.sum(axis=0)
    used = counts[:, rated >= 2].astype(float)
    weight = 1.0 / (rated[rated >= 2] - 1.0)
    made += (used * weight) @ used.T
    made -= np.diag((used * weight).sum(axis=1))
    return made


def alpha(matrix: Counts) -> float | None:
    """Return Krippendorff's nominal alpha of a matrix of coincidences, None where there is only one category."""
    of_each = matrix.sum(axis=0)
    total = of_each.sum()
    if total <= 1:
        return None
    expected = (total**2 - (of_each**2).sum()) / (total - 1.0)
    return None if expected <= 0 else float(1.0 - (total - np.trace(matrix)) / expected)


def matched(first: Sequence[Span], second: Sequence[Span], tolerance: float) -> list[tuple[int, int]]:
    """Return pairs (place in first, place in second) of events whose onsets differ by at most `tolerance` seconds.

    Each event is in one pair at most; the nearest onsets come together first.
    """
    near = sorted(
        (abs(one[0] - other[0]), i, j)
        for i, one in enumerate(first)
        for j, other in enumerate(second)
        if abs(one[0] - other[0]) <= tolerance + 1e-9
    )
    taken: dict[int, int] = {}
    used: set[int] = set()
    for _, i, j in near:
        if i not in taken and j not in used:
            taken[i] = j
            used.add(j)
    return sorted(taken.items())


@dataclass
class Sums:
    """Sums over the units of one person.

    Attributes:
        bins: As `table_of`.
        pairs: As `coincidences`, of these two coders.
        hits, only_first, only_second: Matched events, and those of one coder alone.
        onsets, offsets: Seconds by which the first coder was later, for each matched pair.
        rates, shares: (first, second) of each unit: events an hour, and share of the time.
    """

    bins: Counts = field(default_factory=lambda: np.zeros((2, 2)))
    pairs: Counts = field(default_factory=lambda: np.zeros((2, 2)))
    hits: int = 0
    only_first: int = 0
    only_second: int = 0
    onsets: list[float] = field(default_factory=list)
    offsets: list[float] = field(default_factory=list)
    rates: list[tuple[float, float]] = field(default_factory=list)
    shares: list[tuple[float, float]] = field(default_factory=list)

    def add(self, unit: Unit, width: float, tolerance: float) -> None:
        """Add one person in one video."""
        one, two = (binned(events, unit.start, unit.stop, width) for events in (unit.first, unit.second))
        self.bins += table_of(one, two)
        self.pairs += coincidences(np.stack([one, two]).astype(float), 2)
        pairs = matched(unit.first, unit.second, tolerance)
        self.hits += len(pairs)
        self.only_first += len(unit.first) - len(pairs)
        self.only_second += len(unit.second) - len(pairs)
        self.onsets += [unit.first[i][0] - unit.second[j][0] for i, j in pairs]
        self.offsets += [unit.first[i][1] - unit.second[j][1] for i, j in pairs]
        seconds = unit.stop - unit.start
        if seconds > 0 and not unit.sampled:
            self.rates.append((len(unit.first) * 3600 / seconds, len(unit.second) * 3600 / seconds))
            lasted = [sum(stop - start for start, stop in union(events)) for events in (unit.first, unit.second)]
            self.shares.append((lasted[0] / seconds, lasted[1] / seconds))


@dataclass(frozen=True)
class BlandAltman:
    """How far two coders differ over the videos: first minus second.

    Attributes:
        bias: The mean difference.
        low, high: The limits of agreement, bias -+ 1.96 standard deviations; None below two videos.
        points: (mean of both, difference) of each video and person.
    """

    bias: float | None
    low: float | None
    high: float | None
    n: int
    points: tuple[tuple[float, float], ...]

    def to_dict(self) -> dict[str, object]:
        """Return it as it stands in JSON."""
        told = {"bias": _short(self.bias), "lower_limit": _short(self.low), "upper_limit": _short(self.high)}
        return {**told, "n": self.n, "points": [[round(x, 6), round(y, 6)] for x, y in self.points]}


def bland_altman(pairs: Sequence[tuple[float, float]]) -> BlandAltman:
    """Return the agreement of two measurements, (first, second) of each video."""
    points = tuple(((one + two) / 2, one - two) for one, two in pairs)
    if not points:
        return BlandAltman(None, None, None, 0, ())
    differences = np.array([difference for _, difference in points])
    bias = float(differences.mean())
    if len(points) < 2:
        return BlandAltman(bias, None, None, 1, points)
    spread = 1.96 * float(differences.std(ddof=1))
    return BlandAltman(bias, bias - spread, bias + spread, len(points), points)


@dataclass(frozen=True)
class Agreement:
    """All measures of two coders, over the units of `units`."""

    kappa: Estimate
    alpha: Estimate
    precision: Estimate
    recall: Estimate
    f1: Estimate
    onset_error_s: Estimate
    offset_error_s: Estimate
    onset_spread: tuple[float | None, float | None, float | None]
    offset_spread: tuple[float | None, float | None, float | None]
    rate: BlandAltman
    share: BlandAltman
    persons: int

    def to_dict(self, bin_s: float, tolerance_s: float) -> dict[str, object]:
        """Return it as it stands in JSON."""
        names = ("kappa", "alpha", "precision", "recall", "f1", "onset_error_s", "offset_error_s")
        told: dict[str, object] = {name: getattr(self, name).to_dict() for name in names}
        for name, spread in (("onset", self.onset_spread), ("offset", self.offset_spread)):
            keys = ("median", "mean_absolute", "sd")
            told[f"{name}_error_spread_s"] = dict(zip(keys, map(_short, spread), strict=True))
        told["rate_per_hour"] = self.rate.to_dict()
        told["share_of_time"] = self.share.to_dict()
        return {**told, "persons": self.persons, "bin_s": bin_s, "tolerance_s": tolerance_s}


def agreement(units: Sequence[Unit], width: float, tolerance: float) -> Agreement:
    """Return all measures over these units.

    Args:
        width: Of the bins, in seconds.
        tolerance: Seconds by which the onsets of one event may differ.
    """
    of: dict[str, Sums] = {}
    for unit in units:
        of.setdefault(unit.person, Sums()).add(unit, width, tolerance)
    sums = [of[person] for person in sorted(of)]
    drawn = draws_of(len(sums))

    def estimate(value: Callable[[Counts], float | None], parts: Sequence[Counts], n: float) -> Estimate:
        return estimate_of(value, np.stack(parts) if parts else np.zeros((0, 1)), drawn, round(n))

    counts = [np.array([one.hits, one.only_first, one.only_second], float) for one in sums]
    hits = sum(one.hits for one in sums)
    made, there = hits + sum(one.only_first for one in sums), hits + sum(one.only_second for one in sums)
    bins = sum(float(one.bins.sum()) for one in sums)
    onsets, offsets = ([np.array([sum(e), len(e)], float) for e in each] for each in _errors(sums))
    return Agreement(
        estimate(kappa, [one.bins for one in sums], bins),
        estimate(alpha, [one.pairs for one in sums], bins),
        estimate(lambda c: ratio(c[0], c[0] + c[1]), counts, made),
        estimate(lambda c: ratio(c[0], c[0] + c[2]), counts, there),
        estimate(lambda c: ratio(2 * c[0], 2 * c[0] + c[1] + c[2]), counts, made + there - hits),
        estimate(lambda c: ratio(c[0], c[1]), onsets, hits),
        estimate(lambda c: ratio(c[0], c[1]), offsets, hits),
        _spread([error for one in sums for error in one.onsets]),
        _spread([error for one in sums for error in one.offsets]),
        bland_altman([pair for one in sums for pair in one.rates]),
        bland_altman([pair for one in sums for pair in one.shares]),
        len(sums),
    )


def _errors(sums: Sequence[Sums]) -> tuple[list[list[float]], list[list[float]]]:
    return [one.onsets for one in sums], [one.offsets for one in sums]


def ratio(part: float, whole: float) -> float | None:
    """Return part / whole, None where there is no whole."""
    return float(part / whole) if whole else None


def _spread(errors: Sequence[float]) -> tuple[float | None, float | None, float | None]:
    """Return the median, the mean absolute error and the standard deviation."""
    if not errors:
        return None, None, None
    told = np.array(errors)
    sd = float(told.std(ddof=1)) if len(told) > 1 else None
    return float(np.median(told)), float(np.abs(told).mean()), sd


def draws_of(persons: int) -> Counts:
    """Return (draws, persons): how often each person is in each sample; the same for the same number of persons."""
    if persons < 2:
        return np.zeros((0, persons))
    rng = np.random.default_rng(_SEED)
    return rng.multinomial(persons, np.full(persons, 1.0 / persons), size=DRAWS).astype(np.float64)


def estimate_of(value: Callable[[Counts], float | None], parts: Counts, drawn: Counts, n: int) -> Estimate:
    """Return a figure of the sums of all persons, with its interval.

    Args:
        parts: The sums of each person.
        drawn: From `draws_of`.
        n: How many bins, events or videos it rests on.
    """
    told = value(parts.sum(axis=0)) if len(parts) else None
    if told is None or not len(drawn):
        return Estimate(told, None, None, n)
    flat = drawn @ parts.reshape(len(parts), -1)
    values = [value(row.reshape(parts.shape[1:])) for row in flat]
    known = [each for each in values if each is not None]
    if len(known) < DRAWS / 2:  # in most samples nothing can be said: an interval of the rest would lie
        return Estimate(told, None, None, n)
    low, high = np.percentile(known, [2.5, 97.5])
    return Estimate(told, float(low), float(high), n)


def alpha_of_all(coders: Sequence[Mapping[tuple[str, str], npt.NDArray[np.bool_]]]) -> Estimate:
    """Return Krippendorff's alpha of any number of coders; what one did not code is missing.

    Args:
        coders: For each coder (video, person) -> its bins; those of one unit are equally many.
    """
    units = sorted({unit for coder in coders for unit in coder})
    of: dict[str, Counts] = {}
    bins = 0
    for unit in units:
        length = max(len(coder[unit]) for coder in coders if unit in coder)
        values = np.full((len(coders), length), np.nan)
        for row, coder in enumerate(coders):
            if unit in coder:
                values[row, : len(coder[unit])] = coder[unit]
        of[unit[1]] = of.get(unit[1], np.zeros((2, 2))) + coincidences(values, 2)
        bins += length
    parts = [of[person] for person in sorted(of)]
    return estimate_of(alpha, np.stack(parts) if parts else np.zeros((0, 2, 2)), draws_of(len(parts)), bins)
