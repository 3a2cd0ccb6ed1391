"""What a report draws besides its numbers: curves and tables as plain arrays; it must not know how they are drawn."""

from dataclasses import dataclass

from handlens.evaluate.binary import in_bins, ratio
from handlens.evaluate.bootstrap import Array


@dataclass(frozen=True, eq=False)
class PrecisionRecall:
    """Precision over recall. of: "boxes" or "touch"; name: the label; recall, precision: (k,); area: under it."""

    of: str
    name: str
    recall: Array
    precision: Array
    area: float


@dataclass(frozen=True, eq=False)
class Reliability:
    """How often it is so where the model says so with a certain confidence.

    Attributes:
        of: What is said.
        said: (10,) mean confidence in each bin of width 0.1.
        so: (10,) the share that is right; both nan where the bin is empty.
        count: (10,) int64.
    """

    of: str
    confidence: Array
    accuracy: Array
    count: Array


@dataclass(frozen=True, eq=False)
class Confusion:
    """What is taken for what. counts: (truths, answers) int64, rows are the truth."""

    of: str
    truths: tuple[str, ...]
    answers: tuple[str, ...]
    counts: Array


@dataclass(frozen=True, eq=False)
class Pck:
    """The share of points within each distance of their true place.

    Attributes:
        of: What is placed; name: which of them.
        distance: (k,) in lengths of the palm.
        share: (k,) 0 to 1.
    """

    of: str
    name: str
    distance: Array
    share: Array


Curve = PrecisionRecall | Reliability | Confusion | Pck


def reliability(of: str, score: Array, positive: Array) -> Reliability:
    """Return the reliability of scores (n,) in [0, 1] against truths (n,) bool."""
    bins = in_bins(score)
    count = bins.sum(axis=0)
    return Reliability(of, ratio(score @ bins, count), ratio(positive @ bins, count), count.astype("int64"))
