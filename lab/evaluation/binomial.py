"""Exact binomial bounds on the rate that a count of trials supports."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Proportion:
    """The share of trials that are hits, with its two-sided Clopper-Pearson interval.

    Attributes:
        hits: Number of trials with the event that is counted, such as an error.
        trials: Number of all trials, at least 1.
        lower: Lower end of the interval, 0..1.
        upper: Upper end, 0..1.
    """

    hits: int
    trials: int
    lower: float
    upper: float

    @property
    def rate(self) -> float:
        """Hits over trials, 0..1."""
        return self.hits / self.trials


def proportion(hits: int, trials: int, *, confidence: float) -> Proportion | None:
    """Return the share of hits with its interval; None without a trial.

    Args:
        hits: 0..trials.
        trials: Number of trials, which count as independent. Images of one person are not: if that
            matters, resample persons.
        confidence: Two-sided, such as 0.95.

    Raises:
        ValueError: ``hits`` is not within 0..trials.
    """
    if not 0 <= hits <= trials:
        raise ValueError(f"{hits} hits of {trials} trials")
    if not trials:
        return None
    low, high = exact_interval(np.array([hits / trials]), np.array([float(trials)]), confidence=confidence)
    return Proportion(hits=hits, trials=trials, lower=float(low[0]), upper=float(high[0]))


def fewest_trials(rate: float) -> int:
    """Return how many trials without a hit show, at 95 %, that the rate is at most ``rate`` (rule of three).

    J. A. Hanley and A. Lippman-Hand, "If nothing goes wrong, is everything all right?", JAMA 249(13), 1983.

    Args:
        rate: Above 0, at most 1.
    """
    return math.ceil(3.0 / rate - 1e-9)


def exact_interval(
    rates: NDArray[np.float64], trials: NDArray[np.float64], *, confidence: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the two-sided Clopper-Pearson interval; trials need not be whole.

    Args:
        rates: Shape (t,), observed rates, 0..1.
        trials: Shape (t,), above 0.
        confidence: Two-sided.
    """
    from scipy.special import betaincinv

    tail = (1.0 - confidence) / 2.0
    hits = np.minimum(rates * trials, trials)
    low, high = np.zeros_like(rates), np.ones_like(rates)
    some, not_all = rates > 0.0, rates < 1.0
    low[some] = betaincinv(hits[some], trials[some] - hits[some] + 1.0, tail)
    high[not_all] = betaincinv(hits[not_all] + 1.0, trials[not_all] - hits[not_all], 1.0 - tail)
    return low, high
