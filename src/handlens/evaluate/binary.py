"""How well a yes-or-no question is answered, under weights of the pictures; it must not know what the question is.

weights: (draws, n) float64, as `intervals` makes them. score: (n,) how sure "yes" is. positive: (n,) bool, the truth.
Every function returns (draws,) float64, nan where there is nothing to tell from. Equal scores are one threshold.
"""

import numpy as np

from handlens.evaluate.bootstrap import Array

BINS = 10


def ratio(part: Array, total: Array) -> Array:
    """Return part / total, nan where there is nothing to divide by."""
    shape = np.broadcast_shapes(np.shape(part), np.shape(total))
    return np.asarray(np.divide(part, total, out=np.full(shape, np.nan), where=np.asarray(total) > 0))


def mean(values: Array) -> Array:
    """Return the mean over the last axis of what could be told, nan where nothing could."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1))


def f1(hit: Array, called: Array, there: Array) -> Array:
    """Return the harmonic mean of precision and recall: of those called and those that are there, `hit` are both."""
    return ratio(2 * hit, called + there)


def mcc(hit: Array, called: Array, there: Array, every: Array) -> Array:
    """Return Matthews' correlation coefficient; nan where all answers or all truths are the same."""
    spread = np.sqrt(called * (every - called)) * np.sqrt(there * (every - there))
    return ratio(hit * every - called * there, spread)


def roc_auc(score: Array, positive: Array, weights: Array) -> Array:
    """Return the area under the ROC curve: the chance that a positive scores above a negative; a draw counts a half."""
    plus, minus, _ = _by_score(score, positive, weights)
    above = np.cumsum(minus, axis=1)
    below = above[:, -1:] - above
    return ratio((plus * (below + minus / 2)).sum(axis=1), plus.sum(axis=1) * minus.sum(axis=1))


def recall_at(score: Array, positive: Array, weights: Array, alarms: float) -> Array:
    """Return the highest recall at which at most this share of the negatives is called, 0 where no threshold does."""
    plus, minus, _ = _by_score(score, positive, weights)
    wrong, hit = ratio(np.cumsum(minus, axis=1), minus.sum(axis=1)[:, None]), np.cumsum(plus, axis=1)
    best = np.where(wrong <= alarms + 1e-12, hit, 0.0).max(axis=1)
    return np.where(np.isnan(wrong[:, -1]), np.nan, ratio(best, hit[:, -1]))


def average_precision(score: Array, positive: Array, weights: Array) -> Array:
    """Return the mean precision over the positives, from the surest threshold down, without interpolation."""
    plus, minus, _ = _by_score(score, positive, weights)
    hit, called = np.cumsum(plus, axis=1), np.cumsum(plus + minus, axis=1)
    return ratio((plus * np.nan_to_num(ratio(hit, called))).sum(axis=1), plus.sum(axis=1))


def best_f1(score: Array, positive: Array, weights: Array) -> tuple[Array, Array]:
    """Return the best F1 that any threshold gives, and that threshold ("yes" from it on)."""
    plus, minus, scores = _by_score(score, positive, weights)
    hit, called = np.cumsum(plus, axis=1), np.cumsum(plus + minus, axis=1)
    at_each = f1(hit, called, hit[:, -1:])
    best = np.argmax(np.nan_to_num(at_each, nan=-1.0), axis=1)
    value = at_each[np.arange(len(best)), best]
    return value, np.where(np.isnan(value), np.nan, scores[best])


def calibration_error(score: Array, positive: Array, weights: Array) -> Array:
    """Return the expected calibration error over 10 bins of equal width (Guo et al. 2017, arXiv 1706.04599)."""
    bins = in_bins(score)
    gap = weights @ (bins * (score - positive)[:, None])
    return ratio(np.abs(gap).sum(axis=1), weights.sum(axis=1))


def in_bins(score: Array) -> Array:
    """Return (n, 10) float64, one-hot: the bin of width 0.1 that each score lies in; 1.0 lies in the last."""
    place = np.clip((np.asarray(score) * BINS).astype(np.int64), 0, BINS - 1)
    return np.eye(BINS)[place]


def precision_recall(score: Array, positive: Array) -> tuple[Array, Array]:
    """Return precision and recall (k,) at each threshold, from the surest down."""
    plus, minus, _ = _by_score(score, positive, np.ones((1, len(score))))
    hit, called = np.cumsum(plus, axis=1)[0], np.cumsum(plus + minus, axis=1)[0]
    return ratio(hit, called), ratio(hit, hit[-1:])


def _by_score(score: Array, positive: Array, weights: Array) -> tuple[Array, Array, Array]:
    """Return the weight of positives and negatives (draws, k) at each of k different scores (k,), surest first."""
    order = np.argsort(-np.asarray(score, np.float64), kind="stable")
    scores, start = np.unique(-np.asarray(score, np.float64)[order], return_index=True)
    turned = weights[:, order]
    yes = np.asarray(positive, bool)[order]
    plus = np.add.reduceat(turned * yes, start, axis=1)
    minus = np.add.reduceat(turned * ~yes, start, axis=1)
    return plus, minus, -scores
