"""Computes shares of scans, with bounds from draws of persons because scans of one face are dependent."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from research.dynamic.rows import Row

__all__ = ["Draws", "Rate", "rate_of", "text_of"]

_CONFIDENCE: Final = 0.95
_FEWEST_PEOPLE: Final = 10
"""Least number of people for an interval; with fewer it would be too narrow."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Settings of the bootstrap: how often persons are drawn with replacement, and the seed."""

    resamples: int
    seed: int


@dataclass(frozen=True, slots=True)
class Rate:
    """A share of scans and its two-sided 95 % interval.

    Attributes:
        hits: Scans that count.
        scans: All scans.
        people: Number of people in them.
        lower: Lower end, 0..1; ``None`` if there are fewer than ten people, unless all scans count or none
            does.
        upper: Upper end, likewise. If no scan counts, it is 3 / people (rule of three), as if all scans of
            one person had the same outcome; if all count, ``lower`` is 1 - 3 / people.
    """

    hits: int
    scans: int
    people: int
    lower: float | None
    upper: float | None

    @property
    def share(self) -> float:
        """Hits over scans, 0..1; 0 without scans."""
        return self.hits / self.scans if self.scans else 0.0


def rate_of(rows: Sequence[Row], counts: Callable[[Row], bool], draws: Draws) -> Rate:
    """Return the share of ``rows`` that count.

    Args:
        rows: The rows.
        counts: Whether a row counts.
        draws: Settings of the interval.
    """
    by_person: dict[str, list[bool]] = defaultdict(list)
    for row in rows:
        by_person[row.person].append(counts(row))
    people = len(by_person)
    hits = sum(map(sum, by_person.values()))
    lower, upper = _interval(list(by_person.values()), hits=hits, scans=len(rows), draws=draws)
    return Rate(hits=hits, scans=len(rows), people=people, lower=lower, upper=upper)


def text_of(rate: Rate) -> str:
    """Format a rate as ``3 of 110, 2.7 % [0.0, 6.4]``."""
    if not rate.scans:
        return "none"
    counted = f"{rate.hits} of {rate.scans}, {100 * rate.share:.1f} %"
    if rate.lower is None or rate.upper is None:
        return counted
    return f"{counted} [{100 * rate.lower:.1f}, {100 * rate.upper:.1f}]"


def _interval(
    persons: Sequence[Sequence[bool]], *, hits: int, scans: int, draws: Draws
) -> tuple[float | None, float | None]:
    people = len(persons)
    if not people:
        return None, None
    if hits in {0, scans}:
        # All draws are equal, although little is known.
        slack = min(1.0, 3.0 / people)
        return (0.0, slack) if hits == 0 else (1.0 - slack, 1.0)
    if people < _FEWEST_PEOPLE:
        return None, None
    counted = np.array([sum(person) for person in persons], np.float64)
    sizes = np.array([len(person) for person in persons], np.float64)
    rng = np.random.default_rng(draws.seed)
    times = rng.multinomial(people, np.full(people, 1.0 / people), size=draws.resamples)
    shares = (times @ counted) / (times @ sizes)
    tail = (1.0 - _CONFIDENCE) / 2.0
    lower, upper = np.quantile(shares, (tail, 1.0 - tail))
    return float(lower), float(upper)
