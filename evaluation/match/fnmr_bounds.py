"""Computes FNMR with two-sided intervals, from genuine comparisons; a person may have many of them.

FNMR is the share of genuine comparisons below a threshold (ISO/IEC 19795-1). The comparisons of one person
tend to fail together, so the interval is over persons:

* **Identity bootstrap.** The same draws of persons as for FMR (``evaluation.match.fmr_bounds``); a
  person's comparisons count as often as the person was drawn. Because the draws are the same, FMR and
  FNMR of a sample belong together, and so do those of two packs.
* **Clopper-Pearson over an effective number of comparisons**, as for FMR: the comparisons divided by the
  design effect, with as many degrees of freedom as there are persons minus one (Korn and Graubard 1998).
  If few comparisons fail, or nearly all, the design effect cannot be estimated. Then it is at least the
  usual value from the thresholds at which many comparisons fail and many do not.

The interval has the lower of the two lower ends and the higher of the two upper ends.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.special import ndtri, stdtrit

from evaluation.binomial import exact_interval

__all__ = ["FnmrCurve", "GenuineScores", "fnmr_curve"]

_MANY = 0.1
_DRAWN_AT_ONCE = 100


@dataclass(frozen=True, slots=True)
class GenuineScores:
    """Comparisons of photos of the same person.

    Attributes:
        scores: Shape (n,), the cosines.
        person: Shape (n,), index 0..p-1 of the person.
        persons: p; the numbering is that of the impostor comparisons.

    Raises:
        ValueError: The arrays are not consistent.
    """

    scores: NDArray[np.float64]
    person: NDArray[np.int64]
    persons: int

    def __post_init__(self) -> None:
        if self.scores.ndim != 1 or self.scores.shape != self.person.shape:
            raise ValueError("scores and person must be one-dimensional and of one length")
        if self.scores.size == 0:
            raise ValueError("there is no genuine comparison")
        if self.person.min() < 0 or self.person.max() >= self.persons:
            raise ValueError("a person's index is out of range")


@dataclass(frozen=True, slots=True)
class FnmrCurve:
    """FNMR at rising thresholds. A score below a threshold is a non-match.

    Attributes:
        thresholds: Shape (t,), rising.
        rates: Shape (t,), FNMR.
        lower: Shape (t,), lower ends of the intervals.
        upper: Shape (t,), upper ends.
        comparisons: Genuine comparisons.
        persons: Persons in the comparisons.
        confidence: Confidence of the two-sided intervals.
        resampled_rates: Shape (t, samples), FNMR in each sample of the bootstrap; NaN if a sample has no
            genuine comparison.
    """

    thresholds: NDArray[np.float64]
    rates: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]
    comparisons: int
    persons: int
    confidence: float
    resampled_rates: NDArray[np.float32]


def fnmr_curve(
    genuine: GenuineScores,
    *,
    thresholds: NDArray[np.float64],
    draws: NDArray[np.uint8],
    confidence: float,
) -> FnmrCurve:
    """Compute FNMR with its interval at every threshold, by the method of the module docstring.

    Args:
        genuine: The comparisons.
        thresholds: Shape (t,), strictly rising.
        draws: Shape (samples, p), how often each person is drawn; ``FmrCurve.draws``.
        confidence: Two-sided confidence, such as 0.95.
    """
    steps = np.searchsorted(thresholds, genuine.scores, side="right")
    below = np.cumsum(np.bincount(steps, minlength=thresholds.size + 1))[: thresholds.size]
    rates = below / genuine.scores.size
    counts = np.bincount(genuine.person, minlength=genuine.persons).astype(np.float64)
    resampled, some = _resampled(genuine, steps, counts, draws=draws, thresholds=thresholds.size)
    tail = (1.0 - confidence) / 2.0
    defined = resampled[:, some]
    low, high = np.quantile(defined, (tail, 1.0 - tail), axis=1) if defined.size else (rates, rates)
    variances = defined.var(axis=1, dtype=np.float64) if defined.size else np.zeros_like(rates)
    persons = int(np.count_nonzero(counts))
    effective = _effective_comparisons(rates, variances, counts=counts[counts > 0])
    exact_low, exact_high = exact_interval(
        rates,
        effective * _few_persons(confidence, persons) ** 2,
        confidence=confidence,
    )
    return FnmrCurve(
        thresholds=thresholds,
        rates=rates,
        # A true FNMR never falls as the threshold rises: a lower end holds above it too, an upper end below.
        lower=np.maximum.accumulate(np.minimum(low, exact_low)),
        upper=np.minimum.accumulate(np.maximum(high, exact_high)[::-1])[::-1],
        comparisons=genuine.scores.size,
        persons=persons,
        confidence=confidence,
        resampled_rates=resampled,
    )


def _resampled(
    genuine: GenuineScores,
    steps: NDArray[np.intp],
    counts: NDArray[np.float64],
    *,
    draws: NDArray[np.uint8],
    thresholds: int,
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return FNMR in each sample, shape (t, samples), and which samples have a comparison; else it is NaN."""
    ones = np.ones(steps.size, np.float32)
    shape = (thresholds + 1, genuine.persons)
    at_step = coo_array((ones, (steps, genuine.person)), shape=shape).tocsr()
    resampled = np.empty((thresholds, draws.shape[0]), np.float32)
    totals = np.empty(draws.shape[0])
    for start in range(0, draws.shape[0], _DRAWN_AT_ONCE):
        part = slice(start, start + _DRAWN_AT_ONCE)
        drawn = draws[part].T.astype(np.float32)
        totals[part] = counts @ drawn
        missed = np.cumsum(at_step @ drawn, axis=0, dtype=np.float64)[:thresholds]
        with np.errstate(invalid="ignore"):
            resampled[:, part] = missed / np.where(totals[part] > 0, totals[part], np.nan)
    return resampled, totals > 0


def _effective_comparisons(
    rates: NDArray[np.float64], variances: NDArray[np.float64], *, counts: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the effective number of independent comparisons at every threshold.

    Args:
        rates: Shape (t,), FNMR.
        variances: Shape (t,), variances of the bootstrap's samples.
        counts: Shape (persons,), comparisons of each person; persons without comparisons are omitted.
    """
    comparisons = float(counts.sum())
    binomial = rates * (1.0 - rates) / comparisons
    defined = binomial > 0
    # The design effect if all comparisons of a person fail together, the largest possible (L. Kish, 1965).
    together = float((counts**2).sum()) / comparisons
    if not defined.any() or counts.size < 2:
        return np.full(rates.size, comparisons / together)
    # Drawing persons with replacement makes the variance too small by this factor.
    seen = variances * (counts.size / (counts.size - 1)) / np.where(defined, binomial, np.inf)
    many = (rates >= _MANY) & (rates <= 1.0 - _MANY)
    usual = float(np.median(seen[many])) if many.any() else together
    return comparisons / np.clip(np.maximum(seen, usual), 1.0, together)


def _few_persons(confidence: float, persons: int) -> float:
    """Return Korn and Graubard's adjustment to the degrees of freedom (persons minus one), at most 1."""
    tail = 1.0 - (1.0 - confidence) / 2.0
    return float(ndtri(tail) / stdtrit(persons - 1, tail)) if persons > 1 else 1.0
