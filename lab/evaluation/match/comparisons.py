"""Selects the pairs of templates, and computes their cosines: genuine and impostor comparisons.

All templates of different persons of a group are compared block by block. Memory grows with the number of
templates, not of comparisons: each block's cosines are only counted, and the highest of all blocks are kept.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from lab.evaluation.match.error_bounds import GenuineScores
from lab.evaluation.match.impostor_scores import (
    COARSE,
    KEPT,
    THRESHOLDS,
    ComparisonCounts,
    ImpostorScores,
    PersonPairs,
)
from lab.evaluation.match.photos import NothingToMeasure
from lab.evaluation.match.templates import LabelledTemplate

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


MOST_TEMPLATES: Final = 100_000
"""Largest number of templates. All their comparisons need about two gigabytes, and minutes."""


@dataclass(frozen=True, slots=True)
class Genuine:
    """Comparisons of the same person.

    Attributes:
        cosines: Shape (n,).
        rows: Shape (n,), index of the first template.
        columns: Shape (n,), index of the second.
    """

    cosines: NDArray[np.float64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Comparisons:
    """Comparisons of a set of templates. They are computed when they are first needed.

    Attributes:
        templates: Shape (n, dimensions), each of length 1.
        person: Shape (n,), index 0..p-1 of the person of each template.
        photo: Shape (n,), position in the list of photos of the photo of each template.
        names: The identity of each person, by index.
        groups: Shape (p,). Only persons of one group are compared: 0 is the main group, 1 the group measured
            separately.
        pairs: Shape (m, 2), indices of the templates to compare; None to compare all templates of a group.
        omitted: Shape (e, 2), indices of pairs of persons that are not compared.
        kept: The largest number of impostor comparisons that are kept one by one if ``pairs`` is None. The
            others, with lower cosines, are only counted.
    """

    templates: NDArray[np.float32]
    person: NDArray[np.int64]
    photo: NDArray[np.int64]
    names: tuple[str, ...]
    groups: NDArray[np.int64]
    pairs: NDArray[np.int64] | None = None
    omitted: NDArray[np.int64] = field(default_factory=lambda: np.zeros((0, 2), np.int64))
    kept: int = KEPT

    @cached_property
    def same(self) -> Genuine:
        """The genuine comparisons of all groups."""
        if self.pairs is not None:
            rows, columns = self.pairs[self.person[self.pairs[:, 0]] == self.person[self.pairs[:, 1]]].T
        else:
            order = np.argsort(self.person, kind="stable")
            starts = np.searchsorted(self.person[order], np.arange(len(self.names) + 1))
            places = [
                order[start:end][np.stack(np.triu_indices(end - start, 1))]
                for start, end in zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)
                if end - start > 1
            ]
            rows, columns = np.concatenate(places, axis=1) if places else np.zeros((2, 0), np.int64)
        return Genuine(_cosines(self.templates, rows, columns), rows, columns)

    @property
    def genuine(self) -> NDArray[np.float64]:
        """Shape (g,), cosines of the same person, main group."""
        return _chosen(self.same.cosines, self.groups[self.person[self.same.rows]] == 0)

    @property
    def genuine_apart(self) -> NDArray[np.float64]:
        """Shape (g,), cosines of the same person, group measured separately."""
        return _chosen(self.same.cosines, self.groups[self.person[self.same.rows]] != 0)

    @property
    def genuine_scores(self) -> GenuineScores | None:
        """Comparisons of the same person, in all groups; None if there are none."""
        if not self.same.cosines.size:
            return None
        return GenuineScores(self.same.cosines, self.person[self.same.rows], self.identities)

    @property
    def any_impostors(self) -> bool:
        """Whether two persons are compared."""
        return self._person_pairs.count > 0

    @cached_property
    def different(self) -> tuple[ImpostorScores, NDArray[np.int64], NDArray[np.int64]]:
        """Comparisons of different persons, and the indices of both templates of each that is kept.

        Raises:
            NothingToMeasure: There are none.
        """
        if not self.any_impostors:
            raise NothingToMeasure("no two persons of one group can be compared: at least two are needed")
        if self.pairs is not None:
            rows, columns = self.pairs[self.person[self.pairs[:, 0]] != self.person[self.pairs[:, 1]]].T
            first, second = self.person[rows], self.person[columns]
            cosines = _cosines(self.templates, rows, columns)
            return ImpostorScores(cosines, first, second, self.groups), rows, columns
        weights = 1.0 / np.bincount(self.person, minlength=self.identities)[self.person]
        pairs = self._person_pairs
        compared = np.flatnonzero(pairs.degrees[self.person] > 0)
        found = score_all(
            self.templates[compared],
            self.person[compared],
            groups=pairs.group_index,
            weights=weights[compared],
            omitted=[(int(one), int(other)) for one, other in pairs.omitted],
            kept=self.kept,
        )
        rows, columns = compared[found.rows], compared[found.columns]
        scores = ImpostorScores(
            found.cosines,
            self.person[rows],
            self.person[columns],
            self.groups,
            weights=weights[rows] * weights[columns],
            pairs=pairs,
            counted=found.counted if found.counted.from_step else None,
        )
        return scores, rows, columns

    @property
    def impostors(self) -> ImpostorScores:
        """Comparisons of different persons.

        Raises:
            NothingToMeasure: There are none.
        """
        return self.different[0]

    @property
    def identities(self) -> int:
        """Persons with a template."""
        return len(self.names)

    @property
    def main_identities(self) -> int:
        """Persons with a template in the main group."""
        return int(np.count_nonzero(self.groups == 0))

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return how many genuine and impostor comparisons reach exactly 0, 1, 2... of ``THRESHOLDS``."""
        scores, size = self.impostors, THRESHOLDS.size + 1
        genuine = np.bincount(_reached(self.same.cosines), minlength=size)
        if scores.counted is not None:
            return genuine, scores.counted.comparisons
        return genuine, np.bincount(_reached(scores.scores), minlength=size)

    def fnmr(self, threshold: float) -> float:
        """Return the share of the main group's genuine comparisons below ``threshold``, 0..1."""
        return _share_below(self.genuine, threshold)

    def of_group(self, group: int) -> "Comparisons":
        """Return the comparisons of one group, with its persons renumbered."""
        return self._restricted(self.groups[self.person] == group)

    def among(self, photos: NDArray[np.bool_]) -> "Comparisons":
        """Return the comparisons in which both photos are chosen.

        Args:
            photos: Shape (photos,), whether each photo is chosen, by its position in the list of photos.
        """
        return self._restricted(photos[self.photo])

    def within(self, values: NDArray[np.int64]) -> "Comparisons":
        """Return the main group's comparisons of two photos with the same value.

        A person with photos of several values counts as several persons, one for each value.

        Args:
            values: Shape (photos,), the value of each photo, by its position in the list of photos.
        """
        main = self.of_group(0)
        own = values[main.photo]
        keys, person = np.unique(np.stack([main.person, own]), axis=1, return_inverse=True)
        pairs = main.pairs
        if pairs is not None:
            pairs = pairs[own[pairs[:, 0]] == own[pairs[:, 1]]]
        omitted = [
            (one, other)
            for first, second in main.omitted
            for one in np.flatnonzero(keys[0] == first)
            for other in np.flatnonzero((keys[0] == second) & (keys[1] == keys[1][one]))
        ]
        return replace(
            main,
            person=person.astype(np.int64).ravel(),
            names=tuple(main.names[number] for number in keys[0]),
            groups=keys[1].astype(np.int64),
            pairs=pairs,
            omitted=np.array(omitted, np.int64).reshape(-1, 2),
        )

    def without(self, persons: Collection[tuple[int, int]]) -> "Comparisons":
        """Return the comparisons without those of ``persons``, pairs of indices of ``names``."""
        more = np.array(sorted(tuple(sorted(pair)) for pair in persons), np.int64).reshape(-1, 2)
        pairs = self.pairs
        if pairs is not None:
            ends = np.sort(self.person[pairs], axis=1)
            pairs = pairs[~np.isin(ends @ [self.identities, 1], more @ [self.identities, 1])]
        omitted = np.unique(np.concatenate([self.omitted, more]), axis=0)
        return replace(self, pairs=pairs, omitted=omitted)

    @cached_property
    def _person_pairs(self) -> PersonPairs:
        if self.pairs is None:
            together = self.groups[self.omitted[:, 0]] == self.groups[self.omitted[:, 1]]
            return PersonPairs(self.groups, omitted=self.omitted[together])
        ends = np.sort(self.person[self.pairs], axis=1)
        return PersonPairs(self.groups, listed=np.unique(ends[ends[:, 0] != ends[:, 1]], axis=0))

    def _restricted(self, chosen: NDArray[np.bool_]) -> "Comparisons":
        pairs = self.pairs
        if pairs is not None:
            pairs = pairs[chosen[pairs[:, 0]] & chosen[pairs[:, 1]]]
            # Templates without a comparison do not count.
            chosen = np.zeros_like(chosen)
            chosen[pairs.ravel()] = True
            pairs = (np.cumsum(chosen) - 1)[pairs]
        persons = np.unique(self.person[chosen])
        kept = np.isin(self.omitted, persons).all(axis=1)
        return replace(
            self,
            templates=self.templates[chosen],
            person=np.searchsorted(persons, self.person[chosen]),
            photo=self.photo[chosen],
            names=tuple(self.names[person] for person in persons),
            groups=self.groups[persons],
            pairs=pairs,
            omitted=np.searchsorted(persons, self.omitted[kept]),
        )


def compare_all(
    templates: Sequence[LabelledTemplate], *, unsure: Collection[frozenset[str]] = (), kept: int = KEPT
) -> Comparisons:
    """Compare every template with every other, within its group.

    Args:
        templates: Templates of one embedder.
        unsure: Pairs of identities that may be one person; they are not compared.
        kept: The most impostor comparisons that are kept one by one.

    Raises:
        NothingToMeasure: There is no group with two persons, or there are too many templates.
    """
    if len(templates) > MOST_TEMPLATES:
        raise NothingToMeasure(
            f"{len(templates)} photos are too many to compare all with all; at most {MOST_TEMPLATES}. Take "
            "fewer photos of each person: more persons support lower rates, more photos do not"
        )
    found = _comparisons(templates, unsure=unsure, kept=kept)
    if not found.any_impostors:
        raise NothingToMeasure("no two persons of one group can be compared: at least two are needed")
    return found


def compare_pairs(templates: Sequence[LabelledTemplate], pairs: Sequence[tuple[int, int]]) -> Comparisons:
    """Compare the templates of some pairs of photos; pairs without both templates are omitted.

    Args:
        templates: Templates of one embedder.
        pairs: Positions of photos.

    Raises:
        NothingToMeasure: No pair of different persons is left.
    """
    places = {template.photo: place for place, template in enumerate(templates)}
    chosen = [(places[one], places[other]) for one, other in pairs if one in places and other in places]
    found = _comparisons(templates, pairs=np.array(chosen, dtype=np.int64).reshape(-1, 2))
    if not found.any_impostors:
        raise NothingToMeasure("no pair of two persons can be compared: FMR needs pairs with same = 0")
    return found


def _comparisons(
    templates: Sequence[LabelledTemplate],
    *,
    unsure: Collection[frozenset[str]] = (),
    pairs: NDArray[np.int64] | None = None,
    kept: int = KEPT,
) -> Comparisons:
    if not templates:
        raise NothingToMeasure("no photo shows one face: there is nothing to compare")
    names = {name: number for number, name in enumerate(sorted({each.identity for each in templates}))}
    person = np.array([names[template.identity] for template in templates], dtype=np.int64)
    groups = np.zeros(len(names), dtype=np.int64)
    groups[person[[template.apart for template in templates]]] = 1
    omitted = sorted(
        sorted(names[name] for name in pair) for pair in unsure if all(name in names for name in pair)
    )
    return Comparisons(
        templates=np.stack([template.embedding for template in templates]).astype(np.float32),
        person=person,
        photo=np.array([template.photo for template in templates], dtype=np.int64),
        names=tuple(names),
        groups=groups,
        pairs=pairs,
        omitted=np.array(omitted, np.int64).reshape(-1, 2),
        kept=kept,
    )


def _reached(cosines: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.searchsorted(THRESHOLDS, cosines, side="right").astype(np.int64)


def _chosen(cosines: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.float64]:
    chosen: NDArray[np.float64] = cosines[which]
    return chosen


def _share_below(scores: NDArray[np.float64], threshold: float) -> float:
    return float((scores < threshold).mean()) if scores.size else 0.0
