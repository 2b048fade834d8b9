"""FNMR at an FMR, and whether two ways to make templates differ beyond chance.

All variants are compared on the same photos and the same pairs. A variant's threshold is the lowest at
which the mean over pairs of persons of the share of matching impostor comparisons is at most the demanded
FMR; FNMR is the share of genuine comparisons below it. The interval is an identity bootstrap: persons are
drawn with replacement, and the threshold is set anew in every sample, so that its own uncertainty counts.
Differences are taken within a sample, which is what makes the comparison a paired one.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Difference", "Pairs", "Rate", "difference", "draw_persons", "fnmr_at"]

_BATCH = 50


@dataclass(frozen=True, slots=True)
class Pairs:
    """Which templates are compared; the same for every variant.

    Attributes:
        rows: Shape (n,), index of the first template.
        columns: Shape (n,), index of the second.
        first: Shape (n,), person of the first, 0..p-1.
        second: Shape (n,), person of the second.
        persons: p.
    """

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    first: NDArray[np.intp]
    second: NDArray[np.intp]
    persons: int

    @classmethod
    def among(
        cls, identities: NDArray[np.str_], *, unsure: frozenset[frozenset[str]] = frozenset()
    ) -> "Pairs":
        """Every template with every other.

        Args:
            identities: Shape (t,), who each template shows.
            unsure: Pairs of identities that may be one person; they are not compared.
        """
        names, persons = np.unique(identities, return_inverse=True)
        rows, columns = np.triu_indices(identities.size, 1)
        keep = np.ones(rows.size, dtype=np.bool_)
        for pair in unsure:
            doubtful = np.isin(names[persons], sorted(pair))
            keep &= ~(doubtful[rows] & doubtful[columns] & (persons[rows] != persons[columns]))
        rows, columns = rows[keep], columns[keep]
        return cls(rows, columns, persons[rows], persons[columns], int(names.size))

    def both_ways(self) -> "Pairs":
        """Every pair twice, with its two sides exchanged."""
        return Pairs(
            np.concatenate([self.rows, self.columns]),
            np.concatenate([self.columns, self.rows]),
            np.concatenate([self.first, self.second]),
            np.concatenate([self.second, self.first]),
            self.persons,
        )

    @property
    def genuine(self) -> NDArray[np.bool_]:
        """Shape (n,), True where both templates show one person."""
        same: NDArray[np.bool_] = self.first == self.second
        return same


@dataclass(frozen=True, slots=True)
class Rate:
    """FNMR of one variant.

    Attributes:
        fnmr: 0..1, at a threshold for the demanded FMR.
        threshold: That threshold.
        samples: Shape (b,), FNMR in the bootstrap's samples.
        missed: Shape (g,), which genuine comparisons lie below the threshold.
    """

    fnmr: float
    threshold: float
    samples: NDArray[np.float64]
    missed: NDArray[np.bool_]

    @property
    def interval(self) -> tuple[float, float]:
        """The 2.5th and 97.5th percentile of the samples."""
        low, high = np.quantile(self.samples, (0.025, 0.975))
        return float(low), float(high)


@dataclass(frozen=True, slots=True)
class Difference:
    """A variant's FNMR minus another's.

    Attributes:
        change: In shares of the genuine comparisons; below 0 the variant is better.
        interval: The 2.5th and 97.5th percentile over the bootstrap's samples.
        gained: Genuine comparisons that only the variant matches.
        lost: Those that only the other matches.
    """

    change: float
    interval: tuple[float, float]
    gained: int
    lost: int


def draw_persons(persons: int, *, samples: int, seed: int) -> NDArray[np.float64]:
    """How often every person is drawn, shape (samples, persons)."""
    rng = np.random.default_rng(seed)
    return rng.multinomial(persons, np.full(persons, 1.0 / persons), size=samples).astype(np.float64)


def fnmr_at(fmr: float, *, scores: NDArray[np.float64], pairs: Pairs, draws: NDArray[np.float64]) -> Rate:
    """FNMR at the threshold for ``fmr``.

    Args:
        fmr: Demanded false match rate, above 0 and below 1.
        scores: Shape (n,), one score a pair; higher is more alike.
        pairs: The comparisons.
        draws: From ``draw_persons``.

    Raises:
        ValueError: There is no genuine or no impostor comparison.
    """
    genuine = pairs.genuine
    if genuine.all() or not genuine.any():
        raise ValueError("FNMR at an FMR needs genuine and impostor comparisons")
    first, second = pairs.first[~genuine], pairs.second[~genuine]
    order = np.argsort(-scores[~genuine], kind="stable")
    first, second, impostors = first[order], second[order], scores[~genuine][order]
    keys = np.minimum(first, second) * pairs.persons + np.maximum(first, second)
    _, inverse, counts = np.unique(keys, return_inverse=True, return_counts=True)
    shares = 1.0 / counts[inverse]
    mates, people = scores[genuine], pairs.first[genuine]

    def rates(weights: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        matched = np.cumsum(shares * weights[:, first] * weights[:, second], axis=1)
        # The first impostor that is one too many; the threshold lies just above it.
        too_many = (matched <= fmr * matched[:, -1:]).sum(axis=1).clip(max=impostors.size - 1)
        thresholds = np.nextafter(impostors[too_many], np.inf)
        below = mates[None, :] < thresholds[:, None]
        weight = weights[:, people]
        total = weight.sum(axis=1)
        return (below * weight).sum(axis=1) / np.where(total > 0, total, 1.0), thresholds

    (point,), (threshold,) = rates(np.ones((1, pairs.persons)))
    parts = [rates(draws[start : start + _BATCH])[0] for start in range(0, draws.shape[0], _BATCH)]
    return Rate(
        fnmr=float(point),
        threshold=float(threshold),
        samples=np.concatenate(parts),
        missed=mates < threshold,
    )


def difference(variant: Rate, reference: Rate) -> Difference:
    """``variant`` minus ``reference``, sample by sample; both over the same pairs and draws."""
    low, high = np.quantile(variant.samples - reference.samples, (0.025, 0.975))
    return Difference(
        change=variant.fnmr - reference.fnmr,
        interval=(float(low), float(high)),
        gained=int((reference.missed & ~variant.missed).sum()),
        lost=int((variant.missed & ~reference.missed).sum()),
    )
