"""Scores of different persons: every score if there are few, else the highest ones and counts of the rest.

Bounds on low false match rates depend on the highest scores only. If there are many comparisons, the highest
are kept one by one, and the others are counted in bins of the cosine, which are wider for the counts of each
person.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_STEP: Final = 0.001
THRESHOLDS: Final[NDArray[np.float64]] = np.round(np.arange(-1.0, 1.0 + 2.5 * _STEP, _STEP), 3)
"""Cosines at which rates are measured, shape (2003,); the last two lie above every cosine."""

_ROUNDING: Final = 1e-9
"""A threshold that is above one of ``THRESHOLDS`` by less than this is that one."""

COARSE: Final = 20
"""Steps of ``THRESHOLDS`` in one step of the counts of each person."""

KEPT: Final = 500_000
"""The most comparisons that are kept one by one, if they are not given as a list."""

_DRAWS_AT_ONCE: Final = 250


@dataclass(frozen=True)
class PersonPairs:
    """The pairs of different persons that are compared.

    Attributes:
        groups: Shape (p,), the group of each person. Only persons of one group are compared.
        listed: Shape (m, 2), the compared pairs, each once; None if all persons of a group are compared with
            each other, except for ``omitted``.
        omitted: Shape (e, 2), pairs that are excluded from the compared ones, each once.
    """

    groups: NDArray[np.int64]
    listed: NDArray[np.int64] | None = None
    omitted: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))

    @cached_property
    def group_pairs(self) -> NDArray[np.int64]:
        """Shape (g,), the number of pairs in each group that has at least one pair, by ascending group."""
        names = np.unique(self.groups)
        found = np.zeros(names.size, np.int64)
        if self.listed is None:
            sizes = np.bincount(np.searchsorted(names, self.groups), minlength=names.size)
            found = sizes * (sizes - 1) // 2
        for pairs, sign in self._signed():
            found += sign * np.bincount(
                np.searchsorted(names, self.groups[pairs[:, 0]]), minlength=names.size
            )
        return found[found > 0]

    @cached_property
    def group_index(self) -> NDArray[np.int64]:
        """Shape (p,), the index of each person's group in ``group_pairs``; not meaningful without a pair."""
        degrees = self.degrees
        names = np.unique(self.groups[degrees > 0])
        return np.minimum(np.searchsorted(names, self.groups), max(names.size - 1, 0))

    @cached_property
    def degrees(self) -> NDArray[np.int64]:
        """Shape (p,), the number of persons with whom each person is compared."""
        count = self.groups.size
        found = np.zeros(count, np.int64)
        if self.listed is None:
            _, index, sizes = np.unique(self.groups, return_inverse=True, return_counts=True)
            found = sizes[index] - 1
        for pairs, sign in self._signed():
            found = found + sign * np.bincount(pairs.ravel(), minlength=count)
        return found

    @property
    def count(self) -> int:
        """The number of pairs."""
        return int(self.group_pairs.sum())

    @property
    def persons(self) -> int:
        """The number of persons in at least one pair."""
        return int(np.count_nonzero(self.degrees))

    def totals(self, draws: NDArray[np.uint8]) -> NDArray[np.float64]:
        """Return the number of pairs in each sample of the bootstrap.

        Args:
            draws: Shape (samples, p), how often each person is drawn.

        Returns:
            Shape (samples,): the sum over the pairs of the product of the draws of both persons.
        """
        starts = range(0, max(draws.shape[0], 1), _DRAWS_AT_ONCE)
        parts = (draws[start : start + _DRAWS_AT_ONCE].astype(np.float64) for start in starts)
        return np.concatenate([self._totals(part) for part in parts])

    def _totals(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        found = np.zeros(draws.shape[0])
        if self.listed is None:
            for group in np.unique(self.groups):
                own = draws[:, self.groups == group]
                found += (own.sum(axis=1) ** 2 - (own * own).sum(axis=1)) / 2.0
        for pairs, sign in self._signed():
            if pairs.size:
                matrix = pair_matrix(np.ones(len(pairs)), pairs[:, 0], pairs[:, 1], persons=self.groups.size)
                found += sign * np.einsum("bi,bi->b", (matrix.T @ draws.T).T, draws)
        return found

    def _signed(self) -> Iterator[tuple[NDArray[np.int64], int]]:
        if self.listed is not None:
            yield self.listed, 1
        yield self.omitted, -1


@dataclass(frozen=True, slots=True)
class ComparisonCounts:
    """Counts of all comparisons, by the number of ``THRESHOLDS`` that a score reaches.

    Attributes:
        from_step: Comparisons that reach this many thresholds, or more, are kept one by one.
        comparisons: Shape (2004,), numbers of comparisons.
        weights: Shape (g, 2004), sums of the weights of the comparisons in each group.
        of_persons: Shape (p, c), the same sums for each person's comparisons, in bins of ``COARSE``
            thresholds.
    """

    from_step: int
    comparisons: NDArray[np.int64]
    weights: NDArray[np.float64]
    of_persons: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ImpostorScores:
    """Comparisons of different persons of the same group.

    Attributes:
        scores: Shape (n,), the cosines of the comparisons that are kept.
        first: Shape (n,), index 0..p-1 of the first person.
        second: Shape (n,), index of the second person; never the same as ``first``.
        groups: Shape (p,), the group of every person.
        weights: Shape (n,), 1 over the number of comparisons of this pair of persons; computed if None.
        pairs: The pairs of persons; those of the comparisons if None.
        counted: Counts of all comparisons, if not all are kept.

    Raises:
        ValueError: The arrays are not consistent.
    """

    scores: NDArray[np.float64]
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    groups: NDArray[np.int64]
    weights: NDArray[np.float64] | None = None
    pairs: PersonPairs | None = None
    counted: ComparisonCounts | None = None

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

    @property
    def comparisons(self) -> int:
        """The number of all comparisons, including those that are only counted."""
        return self.scores.size if self.counted is None else int(self.counted.comparisons.sum())

    def weighted(self) -> tuple[NDArray[np.float64], PersonPairs]:
        """Return the weights of the kept comparisons, (n,), and the pairs of persons."""
        if self.weights is not None and self.pairs is not None:
            return self.weights, self.pairs
        lower, upper = np.minimum(self.first, self.second), np.maximum(self.first, self.second)
        keys, index, counts = np.unique(
            lower * self.groups.size + upper, return_inverse=True, return_counts=True
        )
        listed = np.stack([keys // self.groups.size, keys % self.groups.size], axis=1)
        return 1.0 / counts[index], PersonPairs(self.groups, listed=listed)


def place_of(threshold: float) -> int:
    """Return the index of the lowest of ``THRESHOLDS`` that is not below ``threshold``, at most the last."""
    return min(int(np.searchsorted(THRESHOLDS, threshold - _ROUNDING)), THRESHOLDS.size - 1)


def pair_matrix(
    weights: NDArray[np.float64], first: NDArray[np.int64], second: NDArray[np.int64], *, persons: int
) -> "csr_array":
    """Return a sparse matrix, (persons, persons), that has each pair's weight once, beside the diagonal."""
    from scipy.sparse import coo_array

    return coo_array((weights, (first, second)), shape=(persons, persons)).tocsr()
