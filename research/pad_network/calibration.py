"""Calibrates logits to probabilities.

Source: J. Platt, "Probabilistic outputs for support vector machines", 1999, with equal weight of both kinds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

__all__ = ["Calibration", "fit_calibration"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibrated logits are ``scale * logit + shift``.

    Attributes:
        scale: Above 0.
        shift: Moves the probability of 0.5.
    """

    scale: float
    shift: float

    def probabilities(self, logits: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the probabilities of a bona fide presentation, 0..1, of the same shape."""
        return np.asarray(expit(self.scale * logits + self.shift), dtype=np.float64)


def fit_calibration(
    logits: NDArray[np.float64], is_live: NDArray[np.bool_], weights: NDArray[np.float64]
) -> Calibration:
    """Fit the calibration by maximum likelihood of the labels.

    Args:
        logits: Logits of images that the network was not trained on, shape (n,).
        is_live: Shape (n,); both kinds must occur.
        weights: Weights of each image, above 0; both kinds are then brought to the same sum.

    Raises:
        ValueError: One of both kinds does not occur.
    """
    if is_live.all() or not is_live.any():
        raise ValueError("a calibration needs bona fide pictures and attacks")
    balanced = weights / np.where(is_live, weights[is_live].sum(), weights[~is_live].sum())
    signs = np.where(is_live, 1.0, -1.0)

    def cost(values: NDArray[np.float64]) -> float:
        margins = signs * (np.exp(values[0]) * logits + values[1])
        return float((balanced * np.logaddexp(0, -margins)).sum())

    # The scale is fitted as its logarithm, because a calibration must not reverse the order.
    best = minimize(cost, np.zeros(2), method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-10})
    return Calibration(scale=float(np.exp(best.x[0])), shift=float(best.x[1]))
