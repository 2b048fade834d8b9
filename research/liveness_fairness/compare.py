"""Compares a share between levels of an attribute: exact bounds, and a correction for many comparisons."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import PermutationMethod, chi2_contingency, fisher_exact

from evaluation import Proportion
from evaluation.binomial import proportion

__all__ = ["Comparison", "Count", "compare", "holm"]

Count = tuple[int, int]
"""Hits and trials."""

_RESAMPLES = 4999


@dataclass(frozen=True, slots=True)
class Comparison:
    """The shares of one outcome by the levels of one attribute.

    Attributes:
        shares: By level, with two-sided 95 % bounds (Clopper and Pearson).
        against_rest: By level, the p value of Fisher's exact test of the level against all others together.
        overall: The p value of the chi-square statistic over all levels, from permutations.
    """

    shares: Mapping[str, Proportion]
    against_rest: Mapping[str, float]
    overall: float


def compare(counts: Mapping[str, Count]) -> Comparison:
    """Compare the levels of one attribute; levels without a trial are left out."""
    counts = {level: count for level, count in counts.items() if count[1]}
    shares = {
        level: found
        for level, (hits, trials) in counts.items()
        if (found := proportion(hits, trials, confidence=0.95)) is not None
    }
    hits, trials = (sum(count[place] for count in counts.values()) for place in (0, 1))
    against = {}
    for level, (own, of) in counts.items():
        rest = [hits - own, (trials - of) - (hits - own)]
        against[level] = float(fisher_exact([[own, of - own], rest]).pvalue)
    table = np.array([[own, of - own] for own, of in counts.values()])
    overall = 1.0
    if len(counts) > 1 and (table.sum(axis=0) > 0).all():
        method = PermutationMethod(n_resamples=_RESAMPLES, rng=np.random.default_rng(1))
        overall = float(chi2_contingency(table, correction=False, method=method).pvalue)
    return Comparison(shares=shares, against_rest=against, overall=overall)


def holm(values: Sequence[float]) -> list[float]:
    """Adjust p values for their number by Holm's method (Scandinavian Journal of Statistics 6, 1979)."""
    adjusted = [0.0] * len(values)
    highest = 0.0
    for rank, place in enumerate(sorted(range(len(values)), key=values.__getitem__)):
        highest = max(highest, min(1.0, (len(values) - rank) * values[place]))
        adjusted[place] = highest
    return adjusted
