"""From raw scores on labelled pictures to thresholds and probabilities; knows no net and no files."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), safe far out."""
    return np.asarray(1 / (1 + np.exp(-np.clip(z, -50, 50))))


def logit(p: Array) -> Array:
    """The inverse of `sigmoid`, finite at 0 and 1."""
    p = np.clip(np.asarray(p, np.float64), 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def fit_platt(logits: Array, positive: NDArray[np.bool_], weight: Array) -> tuple[float, float]:
    """Platt's two numbers (a, b) by weighted logistic regression, with a light prior that a = 1."""
    x, y = np.stack((logits, np.ones_like(logits)), 1), positive.astype(float)

    def cost(theta: Array) -> float:
        z = x @ theta
        return float((weight * (np.logaddexp(0, z) - y * z)).sum() + 0.25 * (theta[0] - 1) ** 2)

    theta = np.array([1.0, 0.0])
    for _ in range(100):
        p = sigmoid(x @ theta)
        gradient = x.T @ (weight * (p - y)) + np.array([0.5 * (theta[0] - 1), 0.0])
        hessian = (x * (weight * p * (1 - p))[:, None]).T @ x + np.diag([0.5, 1e-3])
        step = np.linalg.solve(hessian, gradient)
        while cost(theta - step) > cost(theta) and np.abs(step).max() > 1e-9:  # Newton overshoots from afar
            step = step / 2
        theta = theta - step
    return max(0.05, float(theta[0])), float(theta[1])


def best_threshold(score: Array, hit: NDArray[np.bool_], there: int) -> float:
    """The score from which boxes are shown so that F1 is highest, between .05 and .9. there: objects in truth."""
    if not len(score) or not there:
        return 0.25
    order = np.argsort(-score, kind="stable")
    right = np.cumsum(hit[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + there)
    best = int(f1.argmax())
    after = score[order][best + 1] if best + 1 < len(order) else 0.0
    return float(np.clip((score[order][best] + after) / 2, 0.05, 0.9))
