"""Computes confidence bounds on FMR and FNMR from comparisons that share persons.

**FMR: an upper bound.** Impostor comparisons are not independent. The photos of the same two persons have
similar scores, and a person who resembles many others takes part in many comparisons. A bound that counts
every comparison as an independent trial would be far too low. Therefore the unit here is the *pair of
persons*:

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

**Many comparisons.** Of more than ``impostor_scores.KEPT`` comparisons, only the highest are kept one by one.
At thresholds below them the rate is still exact, but the samples are approximated as linear in the draws (the
first term of Hoeffding's decomposition: each person's own rate, weighted by the draws). Hundreds of thousands
of comparisons match there, so the omitted part, the chance of single pairs, is far below the spread between
persons. Its variance is added to that of the samples.

**FNMR: a two-sided interval.** FNMR is the share of genuine comparisons below a threshold (ISO/IEC 19795-1).
The comparisons of one person tend to fail together, so the interval is over persons:

* **Identity bootstrap.** The same draws of persons as for FMR; a
  person's comparisons count as often as the person was drawn. Because the draws are the same, FMR and
  FNMR of a sample belong together, and so do those of two packs.
* **Clopper-Pearson over an effective number of comparisons**, as for FMR: the comparisons divided by the
  design effect, with as many degrees of freedom as there are persons minus one (Korn and Graubard 1998).
  If few comparisons fail, or nearly all, the design effect cannot be estimated. Then it is at least the
  usual value from the thresholds at which many comparisons fail and many do not.

The interval has the lower of the two lower ends and the higher of the two upper ends.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.binomial import exact_interval
from lab.evaluation.match.impostor_scores import (
    COARSE,
    ComparisonCounts,
    ImpostorScores,
    PersonPairs,
    pair_matrix,
)

_DRAWN_AT_ONCE: Final = 100
_JOINING_AT_ONCE: Final = 200_000


@dataclass(frozen=True, slots=True)
class FmrCurve:
    """FMR and its bound at rising thresholds. A score at or above a threshold is a match.

    Attributes:
        thresholds: Shape (t,), rising.
        rates: Shape (t,), FMR as the mean over pairs of persons.
        upper_bounds: Shape (t,), one-sided bounds at ``confidence``, in (0, 1], never rising.
        lower_bounds: Shape (t,), one-sided lower bounds at ``confidence``, in [0, 1), never rising.
        group_rates: Shape (groups, t), FMR within each group.
        draws: Shape (samples, p), how often each person was drawn in each sample of the bootstrap.
        resampled_rates: Shape (t, samples), FMR in each sample.
    """

    thresholds: NDArray[np.float64]
    rates: NDArray[np.float64]
    upper_bounds: NDArray[np.float64]
    lower_bounds: NDArray[np.float64]
    group_rates: NDArray[np.float64]
    comparisons: int
    person_pairs: int
    persons: int
    confidence: float
    draws: NDArray[np.uint8]
    resampled_rates: NDArray[np.float32]


def fmr_curve(
    impostors: ImpostorScores,
    *,
    thresholds: NDArray[np.float64],
    resamples: int,
    confidence: float,
    rng: np.random.Generator,
) -> FmrCurve:
    """Compute FMR with its bounds at every threshold, by the method of the module docstring.

    Args:
        thresholds: Shape (t,), strictly rising. They must be ``impostor_scores.THRESHOLDS`` if not all
            comparisons are kept one by one, because the others are counted at these thresholds.
        resamples: Number of bootstrap samples; at least 1000 for bounds in use.
        confidence: One-sided confidence, such as 0.95.
        rng: Source of the bootstrap's draws.
    """
    weights, pairs = impostors.weighted()
    draws, totals = _draws(pairs, resamples=resamples, rng=rng)
    steps = np.searchsorted(thresholds, impostors.scores, side="right")
    group_rates = _group_rates(impostors, weights, steps, pairs=pairs, thresholds=thresholds.size)
    rates = group_rates.T @ (pairs.group_pairs / pairs.count)
    resampled = _resampled_kept(
        impostors, weights, steps, draws=draws, totals=totals, thresholds=thresholds.size
    )
    last = 0 if impostors.counted is None else impostors.counted.from_step - 1
    if impostors.counted is not None:
        # Where the matches are not all kept.
        resampled[:last] = _resampled_counted(impostors.counted, rates, draws=draws, pairs=pairs, last=last)
    percentiles, low_percentiles = np.quantile(resampled, (confidence, 1.0 - confidence), axis=1)
    variances = resampled.var(axis=1, dtype=np.float64)
    variances[:last] += 3.0 * rates[:last] * (1.0 - rates[:last]) / pairs.count
    effective = _effective_pairs(rates, variances, pairs=pairs, confidence=confidence)
    # One-sided bounds are the ends of the two-sided interval that leaves as much on each side.
    exact_low, exact_high = exact_interval(rates, effective, confidence=2.0 * confidence - 1.0)
    bounds = np.max(np.vstack([percentiles, exact_high, group_rates]), axis=0)
    lower = np.minimum(low_percentiles, exact_low)
    return FmrCurve(
        thresholds=thresholds,
        rates=rates,
        # A true FMR never rises with the threshold: an upper bound holds above it too, a lower one below.
        upper_bounds=np.minimum.accumulate(np.clip(bounds, 0.0, 1.0)),
        lower_bounds=np.maximum.accumulate(np.clip(lower, 0.0, 1.0)[::-1])[::-1],
        group_rates=group_rates,
        comparisons=impostors.comparisons,
        person_pairs=pairs.count,
        persons=pairs.persons,
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


def _group_rates(
    impostors: ImpostorScores,
    weights: NDArray[np.float64],
    steps: NDArray[np.intp],
    *,
    pairs: PersonPairs,
    thresholds: int,
) -> NDArray[np.float64]:
    """Return FMR in each group at every threshold, shape (groups, t)."""
    from_step = 0 if impostors.counted is None else impostors.counted.from_step
    groups = pairs.group_pairs.size
    # The counts are of cosines in single precision, those that are kept of cosines in double precision.
    cells = pairs.group_index[impostors.first] * (thresholds + 1) + np.maximum(steps, from_step)
    sums = np.bincount(cells, weights=weights, minlength=groups * (thresholds + 1))
    counted = sums.reshape(groups, thresholds + 1)
    if impostors.counted is not None:
        counted[:, :from_step] = impostors.counted.weights[:, :from_step]
    matched = np.cumsum(counted[:, ::-1], axis=1)[:, -2::-1]
    # Sums of many shares can exceed 1 in the last bit.
    rates: NDArray[np.float64] = (matched / pairs.group_pairs[:, None]).clip(0.0, 1.0)
    return rates


def _draws(
    pairs: PersonPairs, *, resamples: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Return how often each person is drawn, shape (resamples, persons), and the resulting pairs."""
    persons = pairs.groups.size
    draws = np.empty((resamples, persons), np.uint8)
    for start in range(0, resamples, _DRAWN_AT_ONCE):
        part = draws[start : start + _DRAWN_AT_ONCE]
        part[:] = rng.multinomial(persons, np.full(persons, 1.0 / persons), size=len(part))
    totals = pairs.totals(draws)
    some = totals > 0
    return (draws, totals) if some.all() else (draws[some], totals[some])


def _resampled_kept(
    impostors: ImpostorScores,
    weights: NDArray[np.float64],
    steps: NDArray[np.intp],
    *,
    draws: NDArray[np.uint8],
    totals: NDArray[np.float64],
    thresholds: int,
) -> NDArray[np.float32]:
    """Return FMR of the kept comparisons in each sample at every threshold, shape (t, samples)."""
    order = np.argsort(steps, kind="stable")
    ends = np.searchsorted(steps[order], np.arange(thresholds + 2))
    resampled = np.zeros((thresholds, totals.size), dtype=np.float32)
    matched = np.zeros(totals.size)
    # Contiguous for each person, so that a comparison reads two rows.
    columns = np.ascontiguousarray(draws.T)
    # From the highest threshold down, comparisons are only added to those that match.
    for index in range(thresholds - 1, -1, -1):
        joining = order[ends[index + 1] : ends[index + 2]]
        for start in range(0, joining.size, _JOINING_AT_ONCE):
            part = joining[start : start + _JOINING_AT_ONCE]
            matched += _matching(impostors.first[part], impostors.second[part], weights[part], columns)
        if joining.size or index == thresholds - 1:
            resampled[index] = np.clip(matched / totals, 0.0, 1.0)
        else:
            resampled[index] = resampled[index + 1]
    return resampled


def _matching(
    first: NDArray[np.int64],
    second: NDArray[np.int64],
    weights: NDArray[np.float64],
    columns: NDArray[np.uint8],
) -> NDArray[np.float64]:
    """Return the contribution of some comparisons in each sample; ``columns`` is of shape (p, samples)."""
    rows, at_row = np.unique(first, return_inverse=True)
    others, at_other = np.unique(second, return_inverse=True)
    size = max(rows.size, others.size)
    matrix = pair_matrix(weights, at_row, at_other, persons=size).astype(np.float32)
    partners = matrix[: rows.size, : others.size] @ columns[others].astype(np.float32)
    sums = np.einsum("ib,ib->b", columns[rows].astype(np.float32), partners)
    return np.asarray(sums, np.float64)


def _resampled_counted(
    counted: ComparisonCounts,
    rates: NDArray[np.float64],
    *,
    draws: NDArray[np.uint8],
    pairs: PersonPairs,
    last: int,
) -> NDArray[np.float32]:
    """Return FMR in each sample at the first thresholds, linear in the draws; shape (last, samples)."""
    matched = np.cumsum(counted.of_persons[:, ::-1], axis=1, dtype=np.float64)[:, ::-1]
    # Comparisons from coarse step c on match at threshold COARSE * c - 1.
    at = np.arange(1, matched.shape[1]) * COARSE - 1
    at = at[at < rates.size]
    own = (matched[:, 1 : at.size + 1] - pairs.degrees[:, None] * rates[at]).astype(np.float32) / pairs.count
    centred = own.sum(axis=0)
    moved = np.empty((draws.shape[0], at.size), np.float32)
    for start in range(0, draws.shape[0], _DRAWN_AT_ONCE):
        part = slice(start, start + _DRAWN_AT_ONCE)
        moved[part] = draws[part].astype(np.float32) @ own - centred
    places = np.arange(last)
    right = np.clip(np.searchsorted(at, places), 1, at.size - 1)
    share = np.clip((places - at[right - 1]) / COARSE, 0.0, 1.0).astype(np.float32)[:, None]
    between = (1.0 - share) * moved.T[right - 1] + share * moved.T[right]
    found: NDArray[np.float32] = np.clip(rates[:last, None].astype(np.float32) + between, 0.0, 1.0)
    return found


def _effective_pairs(
    rates: NDArray[np.float64], variances: NDArray[np.float64], *, pairs: PersonPairs, confidence: float
) -> NDArray[np.float64]:
    """Return the effective number of independent pairs at every threshold."""
    persons, count = pairs.persons, pairs.count
    binomial = rates * (1.0 - rates) / count
    # Drawing persons with replacement makes the variance too small by this factor for each side. The part
    # of the variance that belongs to a pair, and not to its persons, counts three times (Owen 2007). This
    # is kept: without it, the bound was too low in simulations with many look-alikes.
    unbiased = variances * (persons / (persons - 1)) ** 2
    design_effects = np.ones_like(rates)
    defined = binomial > 0
    design_effects[defined] = np.maximum(1.0, unbiased[defined] / binomial[defined])
    effective: NDArray[np.float64] = count / design_effects * _few_persons(confidence, persons) ** 2
    return effective


def _few_persons(confidence: float, persons: int) -> float:
    """Return Korn and Graubard's adjustment to the degrees of freedom (persons minus one), at most 1."""
    from scipy.special import ndtri, stdtrit

    return float(ndtri(confidence) / stdtrit(persons - 1, confidence)) if persons > 1 else 1.0


_MANY = 0.1


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
        effective * _few_persons(1.0 - tail, persons) ** 2,
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
    from scipy.sparse import coo_array

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
