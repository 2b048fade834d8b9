"""FMR over all pairs, within sources and within groups, and FNMR, at given thresholds."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaincinv

from evaluation.match.fmr_bounds import FmrCurve, ImpostorScores, fmr_curve
from research.photo_match.scores import PairScores
from research.photo_match.templates import TemplateSet

__all__ = [
    "GROUP_MARGIN",
    "GroupRate",
    "bounds_of",
    "curve_of",
    "group_rates",
    "threshold_for",
    "within_sources",
]

GROUP_MARGIN: Final = 10.0
"""The rate within a group may be at most this many times the bound over all."""
LEAST_OF_GROUPS: Final = 1e-4
"""Lowest bound for which this holds: below it, one pair of 10 000 would decide, and a group has no more."""


@dataclass(frozen=True, slots=True)
class GroupRate:
    """False matches within a group.

    Attributes:
        name: The group.
        persons: People in it.
        pairs: Comparisons of two of them.
        matches: Those that match.
    """

    name: str
    persons: int
    pairs: int
    matches: int

    @property
    def rate(self) -> float:
        """The FMR within the group."""
        return self.matches / self.pairs

    def bound(self, confidence: float) -> float:
        """The one-sided Clopper-Pearson bound of the rate, as if comparisons were independent."""
        return float(betaincinv(self.matches + 1, self.pairs - self.matches, confidence))


def threshold_for(rate: float, impostor: PairScores) -> float:
    """Return the lowest threshold with a measured FMR of at most ``rate``."""
    place = int(rate * impostor.scores.size)
    highest = np.partition(impostor.scores, impostor.scores.size - place - 1)
    return float(np.nextafter(highest[impostor.scores.size - place - 1], np.float32(2)))


def within_sources(templates: TemplateSet, impostor: PairScores) -> NDArray[np.bool_]:
    """Return which impostor pairs are of photos of one source, shape (n,)."""
    sources = np.unique(templates.sources, return_inverse=True)[1].astype(np.int8)
    alike: NDArray[np.bool_] = sources[impostor.first] == sources[impostor.second]
    return alike


def group_rates(
    templates: TemplateSet, impostor: PairScores, *, threshold: float, by_sex: bool = False
) -> tuple[GroupRate, ...]:
    """Return the false matches within each group, the highest rate first.

    Args:
        templates: The templates.
        impostor: The impostor pairs.
        threshold: The threshold.
        by_sex: Whether the two people also have one sex.
    """
    labels = (
        templates.groups if not by_sex else np.char.add(np.char.add(templates.groups, " "), templates.sexes)
    )
    found = []
    for label, scores in _inside(templates, impostor, labels).items():
        matches = int(np.count_nonzero(scores >= threshold))
        persons = int(np.unique(templates.identities[labels == label]).size)
        found.append(GroupRate(label, persons, scores.size, matches))
    return tuple(sorted(found, key=lambda group: group.rate, reverse=True))


def _inside(
    templates: TemplateSet, impostor: PairScores, labels: NDArray[np.str_]
) -> dict[str, NDArray[np.float32]]:
    """Return the scores of two people of each group."""
    # Numbers, because comparing millions of texts takes minutes.
    names, codes = np.unique(labels, return_inverse=True)
    codes = np.where(templates.groups == "", -1, codes).astype(np.int8)
    of_first = codes[impostor.first]
    alike = np.flatnonzero((of_first == codes[impostor.second]) & (of_first >= 0))
    of_pair, scores = of_first[alike], impostor.scores[alike]
    return {str(names[code]): scores[of_pair == code] for code in np.unique(of_pair)}


def curve_of(
    templates: TemplateSet,
    impostor: PairScores,
    *,
    thresholds: NDArray[np.float64],
    resamples: int,
    confidence: float,
    seed: int,
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
        rng=np.random.default_rng(seed),
    )


def bounds_of(templates: TemplateSet, impostor: PairScores, curve: FmrCurve) -> NDArray[np.float64]:
    """Return the bounds of a calibration, shape (t,), never rising.

    Each is the bound over all pairs, and never below the rate of pairs of one source. Down to
    ``LEAST_OF_GROUPS`` it is never below the rate within a group divided by ``GROUP_MARGIN`` either.
    """
    floors = [_rates(impostor.scores[within_sources(templates, impostor)], curve.thresholds)]
    floors += [
        _not_below(_rates(scores, curve.thresholds) / GROUP_MARGIN)
        for scores in _inside(templates, impostor, templates.groups).values()
    ]
    worst = np.max(np.vstack([curve.upper_bounds, *floors]), axis=0)
    return np.minimum.accumulate(worst)


def _not_below(floor: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(floor > LEAST_OF_GROUPS, floor, 0.0)


def _rates(scores: NDArray[np.float32], thresholds: NDArray[np.float64]) -> NDArray[np.float64]:
    ordered = np.sort(scores).astype(np.float64)
    return 1.0 - np.searchsorted(ordered, thresholds, side="left") / ordered.size
