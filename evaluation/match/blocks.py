"""Compares all templates of different persons of a group, block by block.

Memory grows with the number of templates, not of comparisons: each block's cosines are only counted, and the
highest of all blocks are kept.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.match.impostor_scores import COARSE, KEPT, THRESHOLDS, ComparisonCounts

__all__ = ["AllScores", "score_all"]

_BLOCK: Final = 1024
_RECOMPUTED_AT_ONCE: Final = 20_000
_PER_COSINE: Final = 1000.0
_ROUNDING: Final = 2e-4
"""Steps by which a cosine in single precision may be off."""


@dataclass(frozen=True, slots=True)
class AllScores:
    """The comparisons of different persons.

    Attributes:
        rows: Shape (n,), place of the first template of each comparison that is kept.
        columns: Shape (n,), place of the second.
        cosines: Shape (n,), their cosines in double precision.
        counted: Counts of all comparisons.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    cosines: NDArray[np.float64]
    counted: ComparisonCounts


def score_all(
    templates: NDArray[np.float32],
    persons: NDArray[np.int64],
    *,
    groups: NDArray[np.int64],
    weights: NDArray[np.float64],
    omitted: Sequence[tuple[int, int]] = (),
    kept: int = KEPT,
) -> AllScores:
    """Compare every template with those of all other persons of its group.

    Args:
        templates: Shape (n, dimensions), each of length 1.
        persons: Shape (n,), index 0..p-1 of each template's person.
        groups: Shape (p,), index 0..g-1 of each person's group.
        weights: Shape (n,). The weight of a comparison is the product of the weights of its two templates.
        omitted: Pairs of persons that are not compared.
        kept: The most comparisons that are kept.
    """
    order = np.lexsort((persons, groups[persons]))
    found = _Found(persons=groups.size, groups=int(groups.max()) + 1, kept=kept)
    stack, owner = templates[order], persons[order]
    for one, other in _blocks(groups[owner]):
        cosines = np.clip(stack[one] @ stack[other].T, -1.0, 1.0)
        counts = _different(owner, one, other, omitted)
        found.add(cosines, counts, one=one, other=other, owner=owner, weights=weights[order], groups=groups)
    rows, columns = order[found.rows], order[found.columns]
    cosines = _cosines(templates, rows, columns)
    return AllScores(rows=rows, columns=columns, cosines=cosines, counted=found.counted())


class _Found:
    """The counts and the highest comparisons so far."""

    def __init__(self, *, persons: int, groups: int, kept: int) -> None:
        steps = THRESHOLDS.size + 1
        self._most = kept
        self._comparisons = np.zeros(steps, np.int64)
        self._weights = np.zeros((groups, steps))
        self._of_persons = np.zeros((persons, -(-steps // COARSE)), np.float32)
        self._from_step = 0
        self._parts: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]] = []
        self._held = 0

    def add(
        self,
        cosines: NDArray[np.float32],
        counts: NDArray[np.bool_] | None,
        *,
        one: slice,
        other: slice,
        owner: NDArray[np.int64],
        weights: NDArray[np.float64],
        groups: NDArray[np.int64],
    ) -> None:
        """Add a block; ``counts`` selects its comparisons, all if None."""
        # THRESHOLDS are equidistant, from -1.
        reached = ((cosines + 1.0) * _PER_COSINE + (1.0 + _ROUNDING)).astype(np.int64)
        np.minimum(reached, THRESHOLDS.size, out=reached)
        shares = np.outer(weights[one], weights[other])
        if counts is not None:
            shares *= counts
            every = reached[counts]
        else:
            every = reached.ravel()
        steps = THRESHOLDS.size + 1
        self._comparisons += np.bincount(every, minlength=steps)
        group = groups[owner[one.start]]
        self._weights[group] += np.bincount(reached.ravel(), weights=shares.ravel(), minlength=steps)
        self._add_of_persons(reached // COARSE, shares, owner[one], owner[other])
        self._raise_limit()
        chosen = reached >= self._from_step
        if counts is not None:
            chosen &= counts
        rows, columns = np.nonzero(chosen)
        self._parts.append((rows + one.start, columns + other.start, reached[rows, columns]))
        self._held += rows.size
        if self._held > 2 * self._most:
            self._compact()

    def _add_of_persons(
        self,
        coarse: NDArray[np.int64],
        shares: NDArray[np.float64],
        row_owner: NDArray[np.int64],
        column_owner: NDArray[np.int64],
    ) -> None:
        bins = self._of_persons.shape[1]
        for owners, along in ((row_owner, coarse), (column_owner, coarse.T)):
            # The templates of a person are neighbours, so that a block has a range of persons.
            persons, places = np.unique(owners, return_inverse=True)
            cells = places[:, None] * bins + along
            values = shares if along is coarse else shares.T
            sums = np.bincount(cells.ravel(), weights=values.ravel(), minlength=persons.size * bins)
            self._of_persons[persons] += sums.reshape(persons.size, bins).astype(np.float32)

    def _raise_limit(self) -> None:
        from_top = np.cumsum(self._comparisons[::-1])[::-1]
        # No cosine reaches the last threshold.
        self._from_step = int(np.argmax(from_top <= self._most))

    def _compact(self) -> None:
        parts = [np.concatenate(part) for part in zip(*self._parts, strict=True)] if self._parts else []
        if parts:
            kept = parts[2] >= self._from_step
            self._parts = [(parts[0][kept], parts[1][kept], parts[2][kept])]
            self._held = int(kept.sum())

    @property
    def rows(self) -> NDArray[np.int64]:
        self._compact()
        return self._parts[0][0] if self._parts else np.zeros(0, np.int64)

    @property
    def columns(self) -> NDArray[np.int64]:
        self._compact()
        return self._parts[0][1] if self._parts else np.zeros(0, np.int64)

    def counted(self) -> ComparisonCounts:
        return ComparisonCounts(
            from_step=self._from_step,
            comparisons=self._comparisons,
            weights=self._weights,
            of_persons=self._of_persons,
        )


def _blocks(groups: NDArray[np.int64]) -> Iterator[tuple[slice, slice]]:
    """Yield the blocks of the upper triangle within each group; ``groups`` is sorted."""
    for group in np.unique(groups):
        first, last = (int(np.searchsorted(groups, group, side=side)) for side in ("left", "right"))
        for top in range(first, last, _BLOCK):
            for left in range(top, last, _BLOCK):
                yield slice(top, min(top + _BLOCK, last)), slice(left, min(left + _BLOCK, last))


def _different(
    owner: NDArray[np.int64], one: slice, other: slice, omitted: Sequence[tuple[int, int]]
) -> NDArray[np.bool_] | None:
    """Return a mask of the impostor comparisons of a block; None if all of them are used.

    Excluded are comparisons of one person, the lower triangle, and the omitted pairs of persons.
    """
    rows, columns = owner[one], owner[other]
    counts: NDArray[np.bool_] | None = None
    if one == other or rows[-1] == columns[0]:
        counts = rows[:, None] != columns[None, :]
        if one == other:
            counts = np.triu(counts, 1)
    for first, second in omitted:
        for a, b in ((first, second), (second, first)):
            if (rows == a).any() and (columns == b).any():
                counts = np.ones((rows.size, columns.size), np.bool_) if counts is None else counts
                counts &= ~np.outer(rows == a, columns == b)
    return counts


def _cosines(
    templates: NDArray[np.float32], rows: NDArray[np.int64], columns: NDArray[np.int64]
) -> NDArray[np.float64]:
    found = np.empty(rows.size)
    for start in range(0, rows.size, _RECOMPUTED_AT_ONCE):
        part = slice(start, start + _RECOMPUTED_AT_ONCE)
        one, other = templates[rows[part]].astype(np.float64), templates[columns[part]].astype(np.float64)
        found[part] = np.einsum("nd,nd->n", one, other)
    return np.clip(found, -1.0, 1.0)
