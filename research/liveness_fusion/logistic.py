"""Logistic regression for few data: weights of at least 0, drawn towards a prior."""

from collections import Counter
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

__all__ = ["Prior", "Weightwise", "balanced_shares", "fit_logistic"]

Weightwise = float | NDArray[np.float64]
"""One number for all weights, or one for each."""

Prior = tuple[Weightwise, Weightwise, float]
"""The prior of the weights, its strength, and the strength that draws the bias towards 0."""


def fit_logistic(
    values: NDArray[np.float64],
    labels: NDArray[np.float64],
    shares: NDArray[np.float64],
    *,
    prior: Prior,
    offset: NDArray[np.float64] | None = None,
    most: Weightwise = np.inf,
) -> tuple[NDArray[np.float64], float]:
    """Fit weights (at least 0) and bias that minimise the mean log loss and the distance from the prior.

    Args:
        values: Shape (n, k): log odds of the signals' scores, 0 if a signal was not assessed.
        labels: Shape (n,): 1 for live.
        shares: Shape (n,): weight of each row; they sum to 1.
        prior: See ``Prior``.
        offset: Shape (n,): fixed log odds to add; 0 if None.
        most: Largest weight.
    """
    towards, pull, bias_pull = prior
    known = np.zeros(len(labels)) if offset is None else offset

    def loss(at: NDArray[np.float64]) -> tuple[float, NDArray[np.float64]]:
        odds = known + values @ at[:-1] + at[-1]
        off = at[:-1] - towards
        error = shares * (1 / (1 + np.exp(-odds)) - labels)
        cost = float((shares * (np.logaddexp(0, odds) - labels * odds)).sum())
        cost += 0.5 * (float((pull * off**2).sum()) + bias_pull * float(at[-1] ** 2))
        return cost, np.append(values.T @ error + pull * off, error.sum() + bias_pull * at[-1])

    count = values.shape[1]
    start = np.append(np.broadcast_to(towards, count), 0.0)
    bounds = [(0.0, float(one)) for one in np.broadcast_to(most, count)] + [(None, None)]
    best: NDArray[np.float64] = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds).x
    return best[:-1], float(best[-1])


def balanced_shares(
    labels: Sequence[bool], sources: Sequence[str], *, power: float = 0.5
) -> NDArray[np.float64]:
    """Return the weight of each row: live rows sum to a half, attacks to the other.

    Within a half, each source gets a share in proportion to the ``power`` of its number of rows, divided
    equally among them. The largest source has 40 times as many images as the next, but not 40 times as many
    cameras and persons; and a source of one image has less evidence than one of ten.
    """
    keys = list(zip(labels, sources, strict=True))
    counts = Counter(keys)
    shares = np.array([counts[key] ** (power - 1) for key in keys])
    for label in (True, False):
        mine = np.array(labels) == label
        if mine.any():
            shares[mine] /= 2 * shares[mine].sum()
    return np.asarray(shares, np.float64)
