"""Resamples sources and persons, to measure how far a figure depends on the sample.

Presentations of one person or one sitting resemble each other, and those of one source share cameras, places
and attackers. Therefore the units that are drawn with replacement are not presentations, but

* **groups** (persons, or sittings if persons are unknown) within their source, bona fide and attacks
  separately. This interval shows how the figure varies with other persons of the same sources.
* **sources and groups**: sources first, then groups within each. This interval shows how the figure varies
  with other sources, on which a claim about images from elsewhere rests. It is wide with few sources.

With fewer than ten groups, or five sources, of bona fide presentations or of attacks there is no interval,
because it would be too narrow. Nor is there one if all draws give the same figure.

(A. C. Davison and D. V. Hinkley, "Bootstrap Methods and their Application", 1997, 3.8: hierarchical data.)
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.evaluation import Bootstrap
from lab.evaluation.pad.dataset import PadSample

_AT_ONCE: Final = 4_000_000
"""Number of counts in memory at a time."""

_LEAST_GROUPS: Final = 10
_LEAST_SOURCES: Final = 5
_LEAST_DEFINED: Final = 0.9
"""Least share of the samples with a figure for an interval. If one source has nearly all attacks of a
species, the data say nothing about other sources."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Interval:
    """A percentile interval."""

    lower: float
    upper: float


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """The count of each group in each sample of the bootstrap.

    Attributes:
        groups: Shape (n,), the group of each presentation.
        sources: Shape (n,), the source of each presentation.
        within: Shape (resamples, groups), groups drawn within their source.
        across: Shape (resamples, groups), sources drawn, then groups.
    """

    groups: NDArray[np.int64]
    sources: NDArray[np.int64]
    within: NDArray[np.uint16]
    across: NDArray[np.uint16]

    def of(self, chosen: NDArray[np.bool_]) -> "Draws":
        """Return the same draws for some of the presentations.

        Args:
            chosen: Shape (n,).
        """
        return Draws(
            groups=self.groups[chosen],
            sources=self.sources[chosen],
            within=self.within,
            across=self.across,
        )

    def counts(
        self, sides: Iterable[NDArray[np.bool_]]
    ) -> tuple[NDArray[np.uint16] | None, NDArray[np.uint16] | None]:
        """Return ``within`` and ``across``; None for too few groups or sources.

        Args:
            sides: Shape (n,) each: the sides that are compared.
        """
        each = tuple(sides)
        groups = min(np.unique(self.groups[side]).size for side in each)
        sources = min(np.unique(self.sources[side]).size for side in each)
        return (
            self.within if groups >= _LEAST_GROUPS else None,
            self.across if sources >= _LEAST_SOURCES else None,
        )


def draw(samples: Sequence[PadSample], bootstrap: Bootstrap) -> Draws:
    """Draw once, so that every scorer is measured on the same draws.

    Args:
        samples: The presentations, at least one.
    """
    names = [(sample.source, sample.live, sample.group) for sample in samples]
    distinct = {name: number for number, name in enumerate(dict.fromkeys(names))}
    groups = np.array([distinct[name] for name in names], dtype=np.int64)
    sources: dict[str, dict[bool, list[int]]] = {}
    for (source, live, _), number in distinct.items():
        sources.setdefault(source, {}).setdefault(live, []).append(number)
    rng = np.random.default_rng(bootstrap.seed)
    within = np.zeros((bootstrap.resamples, len(distinct)), np.uint16)
    for strata in sources.values():
        for members in strata.values():
            chance = np.full(len(members), 1.0 / len(members))
            within[:, members] = rng.multinomial(len(members), chance, size=bootstrap.resamples)
    chance = np.full(len(sources), 1.0 / len(sources))
    times = rng.multinomial(len(sources), chance, size=bootstrap.resamples)
    across = np.zeros_like(within)
    for column, strata in enumerate(sources.values()):
        for members in strata.values():
            across[:, members] = _repeated(times[:, column], len(members), rng)
    numbers = {source: number for number, source in enumerate(sources)}
    return Draws(
        groups=groups,
        sources=np.array([numbers[sample.source] for sample in samples], dtype=np.int64),
        within=within,
        across=across,
    )


def interval_of(values: Floats, confidence: float) -> Interval | None:
    """Return the percentile interval of resampled figures; None if too few have one, or all are equal.

    Args:
        values: Shape (resamples,); NaN if a sample lacks one side.
        confidence: Two-sided confidence.
    """
    defined = values[~np.isnan(values)]
    if defined.size < _LEAST_DEFINED * values.size or not defined.size:
        return None
    tail = (1.0 - confidence) / 2.0
    lower, upper = np.quantile(defined, (tail, 1.0 - tail))
    return Interval(lower=float(lower), upper=float(upper)) if lower < upper else None


def resampled_auc(
    scores: Floats, live: NDArray[np.bool_], *, groups: NDArray[np.int64], counts: NDArray[np.uint16]
) -> Floats:
    """Return the area under the curve in each sample.

    Args:
        scores: Shape (n,).
        live: Shape (n,).
        groups: Shape (n,).
        counts: Shape (resamples, groups).

    Returns:
        Shape (resamples,); NaN if a sample has no bona fide or no attack presentation.
    """
    found = []
    for sums in _sums(scores, {"live": live, "attack": ~live}, groups=groups, counts=counts):
        below = np.cumsum(sums["attack"], axis=1) - sums["attack"] / 2
        pairs = sums["live"].sum(axis=1) * sums["attack"].sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(np.where(pairs > 0, (sums["live"] * below).sum(axis=1) / pairs, np.nan))
    return np.concatenate(found)


def resampled_bpcer(
    apcer: float,
    scores: Floats,
    live: NDArray[np.bool_],
    *,
    species: Mapping[str, NDArray[np.bool_]],
    least: int,
    groups: NDArray[np.int64],
    counts: NDArray[np.uint16],
) -> Floats:
    """Return BPCER in each sample, at its own threshold, at which no species has an APCER above ``apcer``.

    Args:
        apcer: 0..1, below 1.
        scores: Shape (n,).
        live: Shape (n,).
        species: Shape (n,) each.
        least: Least number of attacks of each species in a sample, at least 1.
        groups: Shape (n,).
        counts: Shape (resamples, groups).

    Returns:
        Shape (resamples,); NaN if a sample has no bona fide presentation, or too few attacks.
    """
    found = []
    genuine = _sums(scores, {"bona fide": live}, groups=groups, counts=counts)
    attacks = _sums(scores, species, groups=groups, counts=counts)
    for live_sums, sums in zip(genuine, attacks, strict=True):
        turned_away = np.cumsum(live_sums["bona fide"], axis=1)
        first = np.zeros(turned_away.shape[0], np.int64)
        defined = turned_away[:, -1] > 0
        for counted in sums.values():
            refused = np.cumsum(counted, axis=1)
            total = refused[:, -1:]
            first = np.maximum(first, (total - refused <= apcer * total + 1e-9).argmax(axis=1))
            defined &= total[:, 0] >= least
        share = turned_away[np.arange(first.size), first] / np.maximum(turned_away[:, -1], 1.0)
        found.append(np.where(defined, share, np.nan))
    return np.concatenate(found)


def _repeated(times: NDArray[np.int64], members: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """Return the counts of a source's groups if it was drawn several times, each time with its own draws."""
    drawn = rng.multinomial(times * members, np.full(members, 1.0 / members))
    return drawn.astype(np.uint16)


def _sums(
    scores: Floats,
    kinds: Mapping[str, NDArray[np.bool_]],
    *,
    groups: NDArray[np.int64],
    counts: NDArray[np.uint16],
) -> Iterator[dict[str, Floats]]:
    """Yield, for parts of the samples, the counts at each distinct score by kind, shape (part, scores)."""
    order = np.argsort(scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) > 0])
    part = max(1, _AT_ONCE // max(1, scores.size))
    for first in range(0, counts.shape[0], part):
        weights = counts[first : first + part][:, groups[order]].astype(np.float64)
        yield {name: np.add.reduceat(weights * kind[order], starts, axis=1) for name, kind in kinds.items()}
