"""Finds pairs of identities that may be one person: candidates for errors of the labels.

The upper tail of the scores of different persons falls at least exponentially. A pair of identities is
suspected if its score is so high that, with an exponential tail, fewer than one pair in two data sets of this
size would reach it. The slope of the tail is measured between the highest thousandth and the highest
hundredth of the pairs, where a few duplicates have no influence. A pair is also suspected if its score is as
high as that of half of the genuine comparisons, or as high as that of two copies of one photo. Only these two
rules apply to sets with too few pairs for a tail.

A suspicion is no proof: twins and relatives look alike, and a network may err. Look at the photos before you
correct a label.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.comparisons import Comparisons

_EXPECTED: Final = 0.5
_SHARE: Final = 1e-3
_FEWEST: Final = 50
_MOST: Final = 1000
_READ: Final = 40_000
_DECADE: Final = 10
_ENOUGH_GENUINE: Final = 50
_REPORTED: Final = 500
_COPIES: Final = 0.99
"""Cosine of two encodings of one photo, which no two photos of different persons reach."""


@dataclass(frozen=True, slots=True)
class SuspectedPair:
    """Two identities that may be one person.

    Attributes:
        identities: Their names, sorted.
        photos: Positions of the two photos with the highest score.
        expected: How many pairs of different persons would be expected to reach it, from the tail of the
            others; None if there are too few pairs for a tail.
    """

    identities: tuple[str, str]
    persons: tuple[int, int]
    photos: tuple[int, int]
    cosine: float
    expected: float | None


@dataclass(frozen=True, slots=True)
class _Tail:
    """An exponential tail: ``count`` scores are above ``base``, and ``scale`` is its slope."""

    count: int
    base: float
    scale: float

    @classmethod
    def of(cls, highest: NDArray[np.floating], count: int) -> "_Tail":
        base = float(highest[count])
        return cls(count, base, (base - float(highest[_DECADE * count])) / math.log(_DECADE))

    def expected(self, cosine: float) -> float:
        """Return how many pairs are expected to reach a score."""
        return (
            self.count * math.exp((self.base - cosine) / self.scale)
            if self.scale > 0.0
            else float(self.count)
        )


def suspected_duplicates(comparisons: Comparisons) -> Sequence[SuspectedPair]:
    """Return the pairs of identities that may be one person, the highest score first; at most 500.

    Args:
        comparisons: Comparisons of persons of one group.

    Raises:
        NothingToMeasure: No two persons are compared.
    """
    scores, rows, columns = comparisons.different
    order = np.argsort(-scores.scores, kind="stable")[:_READ]
    ends = np.sort(np.stack([scores.first[order], scores.second[order]], axis=1), axis=1)
    _, firsts = np.unique(ends, axis=0, return_index=True)
    # The highest score of each pair of persons, highest first.
    best = order[np.sort(firsts)]
    highest = scores.scores[best]
    count = min(max(_FEWEST, round(_SHARE * scores.weighted()[1].count)), _MOST)
    tail = _Tail.of(highest, count) if highest.size > _DECADE * count else None
    genuine = comparisons.same.cosines
    usual = min(_COPIES, float(np.median(genuine)) if genuine.size >= _ENOUGH_GENUINE else 1.0)
    found = []
    for place in best[:_REPORTED].tolist():
        cosine = float(scores.scores[place])
        expected = None if tail is None else tail.expected(cosine)
        if (expected is None or expected >= _EXPECTED) and cosine < usual:
            break
        row, column = int(rows[place]), int(columns[place])
        if comparisons.person[row] > comparisons.person[column]:
            row, column = column, row
        one, other = int(comparisons.person[row]), int(comparisons.person[column])
        found.append(
            SuspectedPair(
                identities=(comparisons.names[one], comparisons.names[other]),
                persons=(one, other),
                photos=(int(comparisons.photo[row]), int(comparisons.photo[column])),
                cosine=cosine,
                expected=expected,
            )
        )
    return tuple(found)
