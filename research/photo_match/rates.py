"""FMR over all pairs, within sources and within groups, and FNMR, at given thresholds."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from evaluation.match.fmr_bounds import FmrCurve, ImpostorScores, fmr_curve
from research.photo_match.scores import PairScores, joined
from research.photo_match.templates import TemplateSet

__all__ = [
    "CONFIDENCE",
    "LEAST_MATCHES",
    "BoundedRate",
    "GroupRates",
    "bounds_of",
    "curve_of",
    "fmr_at",
    "fnmr_of",
    "group_bounds",
    "group_rates",
    "threshold_for",
    "within_sources",
]

CONFIDENCE: Final = 0.95
LEAST_MATCHES: Final = 30
"""A group's bound is measured down to this many matching pairs, where it is about 1.5 times the rate."""
LEAST_OF_GROUPS: Final = 1e-5
"""Lowest bound within groups: beyond two and a half decades of it a line says nothing."""
_SLOPE: Final = (1e-2, 1e-3)
"""The line below a group's measured bounds falls as FMR within all groups does between these rates."""
_SEED: Final = 1


@dataclass(frozen=True, slots=True)
class BoundedRate:
    """FMR at a threshold.

    Attributes:
        rate: The rate, as the mean over pairs of people.
        bound: The one-sided upper bound over people.
        lowest_bound: The lowest bound that these people can support, with any scores.
    """

    rate: float
    bound: float
    lowest_bound: float

    @property
    def supported(self) -> bool:
        """Whether the people suffice to show such a rate."""
        return self.rate >= self.lowest_bound


@dataclass(frozen=True, slots=True)
class GroupRates:
    """False matches within a group.

    Attributes:
        name: The group.
        persons: People in it.
        pairs: Comparisons of two of them.
        rates: FMR at each threshold.
    """

    name: str
    persons: int
    pairs: int
    rates: tuple[BoundedRate, ...]


def threshold_for(rate: float, impostor: PairScores) -> float:
    """Return the lowest threshold with a measured FMR of at most ``rate``."""
    place = int(rate * impostor.scores.size)
    highest = np.partition(impostor.scores, impostor.scores.size - place - 1)
    return float(np.nextafter(highest[impostor.scores.size - place - 1], np.float32(2)))


def fnmr_of(genuine: PairScores, threshold: float) -> float:
    """Return the share of genuine pairs below a threshold."""
    return float((genuine.scores < threshold).mean())


def within_sources(templates: TemplateSet, impostor: PairScores) -> NDArray[np.bool_]:
    """Return which impostor pairs are of photos of one source, shape (n,)."""
    sources = np.unique(templates.sources, return_inverse=True)[1].astype(np.int8)
    alike: NDArray[np.bool_] = sources[impostor.first] == sources[impostor.second]
    return alike


def group_rates(
    templates: TemplateSet, impostor: PairScores, *, thresholds: NDArray[np.float64], resamples: int
) -> tuple[GroupRates, ...]:
    """Return FMR at thresholds within groups of people, in the order of their names.

    The groups are those that the source names, all of them pooled (both people of a pair are of one group),
    the people of one sex, and those of one group and sex.

    Args:
        templates: The templates.
        impostor: The impostor pairs.
        thresholds: Shape (t,), in any order.
        resamples: Samples of the bootstrap.
    """
    both = np.char.add(np.char.add(templates.groups, " "), templates.sexes)
    found = list(_inside(templates, impostor, templates.groups))
    pooled = "the groups pooled", joined([pairs for _, pairs in found])
    found += [pooled, *_inside(templates, impostor, templates.sexes), *_inside(templates, impostor, both)]
    return tuple(
        GroupRates(
            name,
            np.unique(templates.identities[np.union1d(pairs.first, pairs.second)]).size,
            pairs.scores.size,
            fmr_at(templates, pairs, thresholds=thresholds, resamples=resamples),
        )
        for name, pairs in found
    )


def fmr_at(
    templates: TemplateSet, impostor: PairScores, *, thresholds: NDArray[np.float64], resamples: int
) -> tuple[BoundedRate, ...]:
    """Compute FMR with its bound over people at each threshold; they are in any order."""
    # No score reaches the last one: its bound is the lowest that these people support.
    rising = np.append(np.unique(thresholds), np.inf)
    curve = curve_of(templates, impostor, thresholds=rising, resamples=resamples)
    return tuple(
        BoundedRate(float(curve.rates[at]), float(curve.upper_bounds[at]), float(curve.upper_bounds[-1]))
        for at in np.searchsorted(rising, thresholds)
    )


def curve_of(
    templates: TemplateSet,
    impostor: PairScores,
    *,
    thresholds: NDArray[np.float64],
    resamples: int,
    confidence: float = CONFIDENCE,
) -> FmrCurve:
    """Compute FMR over all pairs of people with its bound (``evaluation.match.fmr_bounds``)."""
    names, persons = np.unique(templates.identities, return_inverse=True)
    return fmr_curve(
        ImpostorScores(
            impostor.scores.astype(np.float64),
            persons[impostor.first].astype(np.int64),
            persons[impostor.second].astype(np.int64),
            np.zeros(names.size, dtype=np.int64),
        ),
        thresholds=thresholds,
        resamples=resamples,
        confidence=confidence,
        rng=np.random.default_rng(_SEED),
    )


def bounds_of(
    templates: TemplateSet, impostor: PairScores, curve: FmrCurve, *, resamples: int
) -> NDArray[np.float64]:
    """Return the bounds of a calibration, shape (t,), never rising.

    Each is the bound over all pairs, and never below the rate of pairs of one source nor the bound within any
    group (``group_bounds``).
    """
    floors = [_rates(impostor.scores[within_sources(templates, impostor)], curve.thresholds)]
    floors += group_bounds(templates, impostor, thresholds=curve.thresholds, resamples=resamples).values()
    worst = np.minimum.accumulate(np.max(np.vstack([curve.upper_bounds, *floors]), axis=0))
    # The line within a group may still fall there; a bound also holds above its threshold.
    worst[-1] = worst[-2]
    return worst


def group_bounds(
    templates: TemplateSet, impostor: PairScores, *, thresholds: NDArray[np.float64], resamples: int
) -> dict[str, NDArray[np.float64]]:
    """Return the bound on FMR within each group that the source names at rising thresholds, shape (t,) each.

    A group has too few people for the bounds of policies. Above the last threshold that ``LEAST_MATCHES`` of
    its pairs reach, its bound continues down to ``LEAST_OF_GROUPS`` as a straight line on the scale of normal
    deviates, that of DET plots, with the slope of FMR within all groups from 1e-2 to 1e-3.
    """
    inside = dict(_inside(templates, impostor, templates.groups))
    if not inside:
        return {}
    pooled = joined(list(inside.values()))
    high, low = (threshold_for(rate, pooled) for rate in _SLOPE)
    slope = (ndtri(_SLOPE[0]) - ndtri(_SLOPE[1])) / (low - high)
    found = {}
    for name, pairs in inside.items():
        bounds = curve_of(templates, pairs, thresholds=thresholds, resamples=resamples).upper_bounds
        matches = _rates(pairs.scores, thresholds) * pairs.scores.size
        last = max(0, int(np.searchsorted(-matches, -LEAST_MATCHES, side="right")) - 1)
        line = ndtr(ndtri(bounds[last]) - slope * (thresholds - thresholds[last]))
        found[name] = np.where(np.arange(thresholds.size) <= last, bounds, np.maximum(line, LEAST_OF_GROUPS))
    return found


def _inside(
    templates: TemplateSet, impostor: PairScores, labels: NDArray[np.str_]
) -> Iterator[tuple[str, PairScores]]:
    """Yield each label with the pairs of two people who have it; people without a group have none."""
    # Numbers, because comparing millions of texts takes minutes.
    names, codes = np.unique(labels, return_inverse=True)
    codes = np.where(templates.groups == "", -1, codes).astype(np.int8)
    of_first = codes[impostor.first]
    alike = np.flatnonzero((of_first == codes[impostor.second]) & (of_first >= 0))
    of_pair = of_first[alike]
    for code in np.unique(of_pair):
        own = alike[of_pair == code]
        yield str(names[code]), PairScores(impostor.scores[own], impostor.first[own], impostor.second[own])


def _rates(scores: NDArray[np.float32], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(scores).astype(np.float64)
    return 1.0 - np.searchsorted(ordered, thresholds, side="left") / ordered.size
