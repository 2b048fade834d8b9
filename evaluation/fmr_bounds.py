"""Upper confidence bounds on FMR from comparisons that share persons.

Impostor comparisons are not independent. The photos of the same two persons score alike, and a
person whom many resemble takes part in many comparisons. A bound that counted every comparison as
one independent trial would be far too low. So the unit here is the *pair of persons*:

* The rate is the mean over all pairs of different persons of the share of their comparisons that
  match, so that persons with many photos weigh no more than others.
* **Identity bootstrap.** Persons, not comparisons, are drawn with replacement; a pair of different
  persons counts as often as the product of their draws. The bound is the percentile of the
  resampled rates. (A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007,
  with one set of persons on both sides.)
* **Clopper-Pearson over an effective number of pairs.** The percentile alone is too low where
  persons are few or false matches rare. So the exact binomial bound is taken, too, with the pairs of
  persons divided by the design effect (the bootstrap's variance over the binomial one, at least 1)
  and adjusted to as many degrees of freedom as there are persons less one (E. L. Korn and B. I.
  Graubard, "Confidence intervals for proportions with small expected number of positive counts
  estimated from survey data", Survey Methodology 24(2), 1998). With no false match it is the rule of
  three: about 3 divided by the pairs of persons. This is the lowest bound that the data can support,
  whatever the scores are.

The larger of the two counts. Photos of different kinds resemble each other less than photos of one
kind, so persons whose photos come from different *groups* are not compared; and no bound may lie
below the rate that any one group showed by itself.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv
from scipy.stats import norm
from scipy.stats import t as student_t

__all__ = ["FmrCurve", "ImpostorScores", "fmr_curve"]


@dataclass(frozen=True, slots=True)
class ImpostorScores:
    """Comparisons of different persons of the same group.

    Attributes:
        scores: Shape (n,), the cosines.
        first: Shape (n,), index 0..p-1 of the one person.
        second: Shape (n,), index of the other person; never the same as ``first``.
        groups: Shape (p,), the group of every person.

    Raises:
        ValueError: The arrays do not belong together.
    """

    scores: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    groups: NDArray[np.int64]

    def __post_init__(self) -> None:
        if not (self.scores.shape == self.first.shape == self.second.shape) or self.scores.ndim != 1:
            raise ValueError("scores, first and second must be one-dimensional and of one length")
        if self.scores.size == 0:
            raise ValueError("there is no impostor comparison")
        ends = np.concatenate([self.first, self.second])
        if ends.min() < 0 or ends.max() >= self.groups.size:
            raise ValueError("a person's index is out of range")
        if np.any(self.first == self.second):
            raise ValueError("an impostor comparison must show two persons")
        if np.any(self.groups[self.first] != self.groups[self.second]):
            raise ValueError("an impostor comparison must not cross groups")


@dataclass(frozen=True, slots=True)
class FmrCurve:
    """FMR and its bound at rising thresholds. A score at or above a threshold is a match.

    Attributes:
        thresholds: Shape (t,), rising.
        rates: Shape (t,), FMR as the mean over pairs of persons.
        upper_bounds: Shape (t,), one-sided bounds at ``confidence``, in (0, 1], never rising.
        group_rates: Shape (groups, t), FMR within each group.
        comparisons: Impostor comparisons.
        person_pairs: Pairs of persons that they come from.
        confidence: Of the bounds.
    """

    thresholds: NDArray[np.float64]
    rates: NDArray[np.float64]
    upper_bounds: NDArray[np.float64]
    group_rates: NDArray[np.float64]
    comparisons: int
    person_pairs: int
    confidence: float


def fmr_curve(
    impostors: ImpostorScores,
    *,
    thresholds: NDArray[np.float64],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> FmrCurve:
    """FMR with its upper bound at every threshold; how is in the module's text.

    Args:
        impostors: The comparisons.
        thresholds: Shape (t,), strictly rising.
        resamples: Bootstrap samples; 1000 or more for bounds that are to be used.
        confidence: One-sided, such as 0.95.
        rng: Source of the bootstrap's draws.
    """
    shares = _MatchedShares.of(impostors)
    draws, totals = _draws(shares.compared, resamples=resamples, rng=rng)
    steps = np.searchsorted(thresholds, impostors.scores, side="right")
    rates, percentiles, variances = (np.zeros(thresholds.size) for _ in range(3))
    group_rates = np.zeros((shares.group_masks.shape[0], thresholds.size))
    resampled_rates = np.zeros(totals.size)
    # From the highest threshold down, comparisons only ever join those that match.
    for index in range(thresholds.size - 1, -1, -1):
        joining = np.flatnonzero(steps == index + 1)
        if joining.size:
            shares.add(joining)
            resampled_rates = np.einsum("bi,bi->b", draws @ shares.matched, draws) / totals
        rates[index] = shares.rate()
        group_rates[:, index] = shares.rates_by_group()
        percentiles[index] = np.quantile(resampled_rates, confidence)
        variances[index] = resampled_rates.var()
    effective = _effective_pairs(rates, variances, shares, confidence=confidence)
    exact = _clopper_pearson(rates, effective, confidence)
    bounds = np.max(np.vstack([percentiles, exact, group_rates]), axis=0)
    return FmrCurve(
        thresholds=thresholds,
        rates=rates,
        # A true FMR never rises with the threshold, so a bound at a lower one holds above it, too.
        upper_bounds=np.minimum.accumulate(np.clip(bounds, 0.0, 1.0)),
        group_rates=group_rates,
        comparisons=impostors.scores.size,
        person_pairs=shares.pairs,
        confidence=confidence,
    )


@dataclass(slots=True)
class _MatchedShares:
    """For every pair of persons, the share of their comparisons that match so far.

    Matrices are of shape (persons, persons) and upper triangular.
    """

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    counts: NDArray[np.float64]
    compared: NDArray[np.bool_]
    matched: NDArray[np.float64]
    group_masks: NDArray[np.bool_]

    @classmethod
    def of(cls, impostors: ImpostorScores) -> "_MatchedShares":
        persons = impostors.groups.size
        lower = np.minimum(impostors.first, impostors.second)
        upper = np.maximum(impostors.first, impostors.second)
        counts = np.zeros((persons, persons))
        np.add.at(counts, (lower, upper), 1.0)
        compared = counts > 0
        masks = [compared & (impostors.groups == group)[:, None] for group in np.unique(impostors.groups)]
        return cls(
            lower=lower,
            upper=upper,
            counts=counts,
            compared=compared,
            matched=np.zeros_like(counts),
            group_masks=np.stack([mask for mask in masks if mask.any()]),
        )

    @property
    def pairs(self) -> int:
        return int(np.count_nonzero(self.compared))

    @property
    def persons(self) -> int:
        return int(np.count_nonzero(self.compared.any(axis=0) | self.compared.any(axis=1)))

    def add(self, comparisons: NDArray[np.intp]) -> None:
        rows, columns = self.lower[comparisons], self.upper[comparisons]
        np.add.at(self.matched, (rows, columns), 1.0 / self.counts[rows, columns])

    def rate(self) -> float:
        return float(self.matched.sum()) / self.pairs

    def rates_by_group(self) -> list[float]:
        return [float(self.matched[mask].mean()) for mask in self.group_masks]


def _draws(
    compared: NDArray[np.bool_], *, resamples: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How often every person was drawn, shape (resamples, persons), and the pairs that this gives."""
    persons = compared.shape[0]
    draws = rng.multinomial(persons, np.full(persons, 1.0 / persons), size=resamples).astype(np.float64)
    totals = np.einsum("bi,bi->b", draws @ compared.astype(np.float64), draws)
    some = totals > 0
    return draws[some], totals[some]


def _effective_pairs(
    rates: NDArray[np.float64],
    variances: NDArray[np.float64],
    shares: _MatchedShares,
    *,
    confidence: float,
) -> NDArray[np.float64]:
    """How many independent pairs would tell as much, at every threshold."""
    persons, pairs = shares.persons, shares.pairs
    binomial = rates * (1.0 - rates) / pairs
    # Drawing persons with replacement makes the variance too small by this factor for each side. What
    # is peculiar to a pair, and not to its persons, counts three times in it (Owen 2007), which is
    # left so: taken out, the bound was too low in simulations with many look-alikes.
    unbiased = variances * (persons / (persons - 1)) ** 2
    design_effects = np.ones_like(rates)
    told = binomial > 0
    design_effects[told] = np.maximum(1.0, unbiased[told] / binomial[told])
    few_persons = float(norm.ppf(confidence) / student_t.ppf(confidence, persons - 1))
    effective: NDArray[np.float64] = pairs / design_effects * few_persons**2
    return effective


def _clopper_pearson(
    rates: NDArray[np.float64], trials: NDArray[np.float64], confidence: float
) -> NDArray[np.float64]:
    # The beta form of the bound takes the fractional counts that means of shares give.
    successes = np.minimum(rates * trials, trials)
    bounds = np.ones_like(rates)
    partial = rates < 1.0
    bounds[partial] = betaincinv(successes[partial] + 1.0, trials[partial] - successes[partial], confidence)
    return bounds
