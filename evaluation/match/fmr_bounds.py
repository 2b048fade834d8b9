"""Computes upper confidence bounds on FMR from comparisons that share persons.

Impostor comparisons are not independent. The photos of the same two persons have similar scores, and a person
who resembles many others takes part in many comparisons. A bound that counts every comparison as an
independent trial would be far too low. Therefore the unit here is the *pair of persons*:

* The rate is the mean over all pairs of different persons of the share of their comparisons that
  match, so that persons with many photos have the same weight as others.
* **Identity bootstrap.** Persons, not comparisons, are drawn with replacement; a pair of different
  persons counts as often as the product of their draws. The bound is the percentile of the
  resampled rates. (A. B. Owen, "The pigeonhole bootstrap", Annals of Applied Statistics 1(2), 2007,
  with one set of persons on both sides.)
* **Clopper-Pearson over an effective number of pairs.** The percentile alone is too low if there are few
  persons or few false matches. Therefore the exact binomial bound is computed too, with the pairs of
  persons divided by the design effect (the bootstrap's variance over the binomial one, at least 1)
  and adjusted to as many degrees of freedom as there are persons minus one (E. L. Korn and B. I.
  Graubard, "Confidence intervals for proportions with small expected number of positive counts
  estimated from survey data", Survey Methodology 24(2), 1998). With no false match it is the rule of
  three: about 3 divided by the pairs of persons. This is the lowest bound that the data can support with any
  scores.

The larger of the two counts. Photos of different kinds resemble each other less than photos of one kind.
Therefore persons with photos from different *groups* are not compared, and no bound is below the rate of a
single group.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv
from scipy.stats import norm
from scipy.stats import t as student_t

__all__ = ["FmrCurve", "ImpostorScores", "fmr_curve", "persons_needed"]

_CHEAPER_AS_MATRIX = 50
_AT_ONCE = 512


@dataclass(frozen=True, slots=True)
class ImpostorScores:
    """Comparisons of different persons of the same group.

    Attributes:
        scores: Shape (n,), the cosines.
        first: Shape (n,), index 0..p-1 of the first person.
        second: Shape (n,), index of the second person; never the same as ``first``.
        groups: Shape (p,), the group of every person.

    Raises:
        ValueError: The arrays are not consistent.
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
        person_pairs: Pairs of persons in the comparisons.
        persons: Persons in the comparisons.
        confidence: Confidence of the bounds.
        draws: Shape (samples, p), how often each person was drawn in each sample of the bootstrap.
        resampled_rates: Shape (t, samples), FMR in each sample.
    """

    thresholds: NDArray[np.float64]
    rates: NDArray[np.float64]
    upper_bounds: NDArray[np.float64]
    group_rates: NDArray[np.float64]
    comparisons: int
    person_pairs: int
    persons: int
    confidence: float
    draws: NDArray[np.float64]
    resampled_rates: NDArray[np.float32]


def fmr_curve(
    impostors: ImpostorScores,
    *,
    thresholds: NDArray[np.float64],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> FmrCurve:
    """Compute FMR with its upper bound at every threshold, by the method of the module docstring.

    Args:
        impostors: The comparisons.
        thresholds: Shape (t,), strictly rising.
        resamples: Number of bootstrap samples; at least 1000 for bounds in use.
        confidence: One-sided confidence, such as 0.95.
    # From the highest threshold down, comparisons only ever join those that match.
        rng: Source of the bootstrap's draws.
    """
    shares = _MatchedShares.of(impostors)
    draws, totals = _draws(shares.compared, resamples=resamples, rng=rng)
    columns = np.ascontiguousarray(draws.T)
    steps = np.searchsorted(thresholds, impostors.scores, side="right")
    order = np.argsort(steps, kind="stable")
    ends = np.searchsorted(steps[order], np.arange(thresholds.size + 2))
    rates, percentiles, variances = (np.zeros(thresholds.size) for _ in range(3))
    group_rates = np.zeros((shares.group_pairs.size, thresholds.size))
    resampled = np.zeros((thresholds.size, totals.size), dtype=np.float32)
    matched, matched_resampled = np.zeros(shares.group_pairs.size), np.zeros(totals.size)
    # From the highest threshold down, comparisons only ever join those that match.
    for index in range(thresholds.size - 1, -1, -1):
        joining = order[ends[index + 1] : ends[index + 2]]
        if joining.size:
            matched += shares.matching(joining)
            matched_resampled += shares.matching_resampled(joining, columns)
        elif index < thresholds.size - 1:
            for taken in (rates, percentiles, variances, resampled):
                taken[index] = taken[index + 1]
            group_rates[:, index] = group_rates[:, index + 1]
            continue
        rates[index] = matched.sum() / shares.pairs
        group_rates[:, index] = matched / shares.group_pairs
        resampled[index] = share = np.clip(matched_resampled / totals, 0.0, 1.0)
        percentiles[index] = np.quantile(share, confidence)
        variances[index] = share.var()
    # From the highest threshold down, comparisons are only added to those that match.
    # Sums of many shares can exceed 1 in the last bit.
    rates, group_rates = rates.clip(0.0, 1.0), group_rates.clip(0.0, 1.0)
    effective = _effective_pairs(rates, variances, shares, confidence=confidence)
    exact = _clopper_pearson(rates, effective, confidence)
    bounds = np.max(np.vstack([percentiles, exact, group_rates]), axis=0)
    return FmrCurve(
        thresholds=thresholds,
        rates=rates,
        # A true FMR never rises with the threshold, so that a bound at a lower threshold holds above it too.
        upper_bounds=np.minimum.accumulate(np.clip(bounds, 0.0, 1.0)),
        group_rates=group_rates,
        comparisons=impostors.scores.size,
        person_pairs=shares.pairs,
        persons=shares.persons,
        confidence=confidence,
        draws=draws,
        resampled_rates=resampled,
    )


def persons_needed(max_fmr: float, *, confidence: float) -> int:
    """Return the least number of persons, each compared with every other, that can support ``max_fmr``.

    With this number, the bound is reached only if no two persons match; see the module docstring.

    Args:
        max_fmr: The requested bound, above 0 and below 1.
        confidence: One-sided confidence of the bound.
    """
    persons = 2
    # Few persons widen the bound by a factor that falls slowly with their number: a few rounds converge.
    for _ in range(50):
        few = _few_persons(confidence, persons)
        pairs = float(np.log(1.0 - confidence) / np.log1p(-max_fmr)) / few**2
        needed = max(2, int(np.ceil(0.5 + np.sqrt(0.25 + 2.0 * pairs))))
        if needed == persons:
            break
        persons = needed
    return persons


@dataclass(frozen=True, slots=True)
class _MatchedShares:
    """The contribution of each comparison to the share of matches of its pair of persons.

    Attributes:
        lower: Shape (n,), the first person.
        upper: Shape (n,), the second person.
        weights: Shape (n,), 1 over the number of comparisons of this pair of persons.
        groups: Shape (n,), 0..g-1.
        compared: Shape (persons, persons), upper triangular: the persons that were compared.
        group_pairs: Shape (g,), pairs of persons in each group.
    """

    lower: NDArray[np.int64]
    upper: NDArray[np.int64]
    weights: NDArray[np.float64]
    groups: NDArray[np.int64]
    compared: NDArray[np.bool_]
    group_pairs: NDArray[np.int64]

    @classmethod
    def of(cls, impostors: ImpostorScores) -> "_MatchedShares":
        persons = impostors.groups.size
        lower = np.minimum(impostors.first, impostors.second)
        upper = np.maximum(impostors.first, impostors.second)
        counts = np.bincount(lower * persons + upper, minlength=persons * persons).reshape(persons, persons)
        compared = counts > 0
        names, groups = np.unique(impostors.groups[lower], return_inverse=True)
        of_pairs = np.searchsorted(names, impostors.groups[np.nonzero(compared)[0]])
        return cls(
            lower=lower,
            upper=upper,
            weights=1.0 / counts[lower, upper],
            groups=groups,
            compared=compared,
            group_pairs=np.bincount(of_pairs, minlength=names.size),
        )

    @property
    def pairs(self) -> int:
        return int(self.group_pairs.sum())

    @property
    def persons(self) -> int:
        return int(np.count_nonzero(self.compared.any(axis=0) | self.compared.any(axis=1)))

    def matching(self, comparisons: NDArray[np.intp]) -> NDArray[np.float64]:
        """Return the contribution of these comparisons to each group's sum of shares, shape (g,)."""
        sums = np.zeros(self.group_pairs.size)
        np.add.at(sums, self.groups[comparisons], self.weights[comparisons])
        return sums

    def matching_resampled(
        self, comparisons: NDArray[np.intp], draws: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return their contribution in each sample, (samples,); ``draws`` is of shape (persons, samples)."""
        rows, columns = self.lower[comparisons], self.upper[comparisons]
        persons = self.compared.shape[0]
        if comparisons.size * _CHEAPER_AS_MATRIX > persons * persons:
            added = np.zeros((persons, persons))
            np.add.at(added, (rows, columns), self.weights[comparisons])
            sums: NDArray[np.float64] = np.einsum("ib,ib->b", draws, added @ draws)
            return sums
        total = np.zeros(draws.shape[1])
        for start in range(0, comparisons.size, _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            total += self.weights[comparisons[part]] @ (draws[rows[part]] * draws[columns[part]])
        return total


def _draws(
    compared: NDArray[np.bool_], *, resamples: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return how often each person is drawn, shape (resamples, persons), and the resulting pairs."""
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
    """Return the effective number of independent pairs at every threshold."""
    persons, pairs = shares.persons, shares.pairs
    binomial = rates * (1.0 - rates) / pairs
    # Drawing persons with replacement makes the variance too small by this factor for each side. The part
    # of the variance that belongs to a pair, and not to its persons, counts three times (Owen 2007). This
    # is kept: without it, the bound was too low in simulations with many look-alikes.
    unbiased = variances * (persons / (persons - 1)) ** 2
    design_effects = np.ones_like(rates)
    told = binomial > 0
    design_effects[told] = np.maximum(1.0, unbiased[told] / binomial[told])
    effective: NDArray[np.float64] = pairs / design_effects * _few_persons(confidence, persons) ** 2
    return effective


def _few_persons(confidence: float, persons: int) -> float:
    """Return Korn and Graubard's adjustment to the degrees of freedom (persons minus one), at most 1."""
    return float(norm.ppf(confidence) / student_t.ppf(confidence, persons - 1))


def _clopper_pearson(
    rates: NDArray[np.float64], trials: NDArray[np.float64], confidence: float
) -> NDArray[np.float64]:
    # The beta form of the bound accepts the fractional counts of means of shares.
    successes = np.minimum(rates * trials, trials)
    bounds = np.ones_like(rates)
    partial = rates < 1.0
    bounds[partial] = betaincinv(successes[partial] + 1.0, trials[partial] - successes[partial], confidence)
    return bounds
