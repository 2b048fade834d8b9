"""Selects the pairs of templates, and computes their cosines: genuine and impostor comparisons."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.match.errors import NothingToMeasure
from evaluation.match.fmr_bounds import ImpostorScores
from evaluation.match.fnmr_bounds import GenuineScores
from evaluation.match.templates import LabelledTemplate

__all__ = ["MOST_TEMPLATES", "Comparisons", "compare_all", "compare_pairs"]

MOST_TEMPLATES: Final = 8000
"""Largest number of templates; all their pairs need about two gigabytes."""


@dataclass(frozen=True, slots=True)
class Comparisons:
    """Comparisons of a set of templates, never across the main group and the group measured separately.

    Attributes:
        cosines: Shape (n,).
        first: Shape (n,), index 0..p-1 of the person of the first template.
        second: Shape (n,), index of the person of the second template.
        first_photo: Shape (n,), position of the first photo.
        second_photo: Shape (n,), position of the second photo.
        apart: Shape (p,), True for persons of the group that is measured separately.
    """

    cosines: NDArray[np.float64]
    first: NDArray[np.int32]
    second: NDArray[np.int32]
    first_photo: NDArray[np.int32]
    second_photo: NDArray[np.int32]
    apart: NDArray[np.bool_]

    @property
    def same(self) -> NDArray[np.bool_]:
        """Shape (n,), True for genuine comparisons."""
        same: NDArray[np.bool_] = self.first == self.second
        return same

    @property
    def genuine(self) -> NDArray[np.float64]:
        """Shape (g,), cosines of the same person, main group."""
        return self.cosines[self.same & ~self.apart[self.first]]

    @property
    def genuine_apart(self) -> NDArray[np.float64]:
        """Shape (g,), cosines of the same person, group measured separately."""
        return self.cosines[self.same & self.apart[self.first]]

    @property
    def impostors(self) -> ImpostorScores:
        """Comparisons of different persons.

        Raises:
            NothingToMeasure: There are none.
        """
        different = ~self.same
        if not different.any():
            raise NothingToMeasure("no two persons of one group can be compared: at least two are needed")
        return ImpostorScores(
            self.cosines[different],
            self.first[different].astype(np.int64),
            self.second[different].astype(np.int64),
            self.apart.astype(np.int64),
        )

    @property
    def genuine_scores(self) -> GenuineScores | None:
        """Comparisons of the same person, in both groups; None if there are none."""
        same = self.same
        if not same.any():
            return None
        return GenuineScores(self.cosines[same], self.first[same].astype(np.int64), self.identities)

    @property
    def identities(self) -> int:
        """Persons with a template."""
        return self.apart.size

    @property
    def main_identities(self) -> int:
        """Persons with a template in the main group."""
        return int(np.count_nonzero(~self.apart))

    def fnmr(self, threshold: float) -> float:
        """Return the share of the main group's genuine comparisons below ``threshold``, 0..1."""
        return _share_below(self.genuine, threshold)

    def fnmr_apart(self, threshold: float) -> float:
        """Return the share of the other group's genuine comparisons below ``threshold``, 0..1."""
        return _share_below(self.genuine_apart, threshold)

    def subset(self, kept: NDArray[np.bool_]) -> "Comparisons":
        """Return some of the comparisons; only their persons keep a number.

        Args:
            kept: Shape (n,).
        """
        persons = np.union1d(self.first[kept], self.second[kept])
        return Comparisons(
            cosines=self.cosines[kept],
            first=np.searchsorted(persons, self.first[kept]).astype(np.int32),
            second=np.searchsorted(persons, self.second[kept]).astype(np.int32),
            first_photo=self.first_photo[kept],
            second_photo=self.second_photo[kept],
            apart=self.apart[persons],
        )

    def among(self, photos: NDArray[np.bool_]) -> "Comparisons":
        """Return the comparisons in which both photos are chosen.

        Args:
            photos: Shape (photos,), by position.
        """
        return self.subset(photos[self.first_photo] & photos[self.second_photo])


def compare_all(
    templates: Sequence[LabelledTemplate], *, unsure: Collection[frozenset[str]] = ()
) -> Comparisons:
    """Compare every template with every other, within its group.

    Args:
        templates: Templates of one embedder.
        unsure: Pairs of identities that may be one person; they are not compared.

    Raises:
        NothingToMeasure: There is no group with two persons, or there are too many templates.
    """
    if len(templates) > MOST_TEMPLATES:
        raise NothingToMeasure(
            f"{len(templates)} photos are too many to compare all with all; at most {MOST_TEMPLATES}. Take "
            "fewer photos of each person: more persons support lower rates, more photos do not"
        )
    rows, columns = (part.astype(np.int32) for part in np.triu_indices(len(templates), 1))
    names, compared = _compare(templates, rows, columns)
    first, second = compared.first, compared.second
    kept = (first == second) | (compared.apart[first] == compared.apart[second])
    for pair in unsure:
        one, other = sorted(names.get(name, -1) for name in pair)
        kept &= ~((np.minimum(first, second) == one) & (np.maximum(first, second) == other))
    found = compared if kept.all() else _kept(compared, kept)
    if found.same.all():
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
    rows, columns = np.array(chosen, dtype=np.int32).reshape(-1, 2).T
    found = _compare(templates, rows, columns)[1]
    if found.same.all():
        raise NothingToMeasure("no pair of two persons can be compared: FMR needs pairs with same = 0")
    return found


def _compare(
    templates: Sequence[LabelledTemplate], rows: NDArray[np.int32], columns: NDArray[np.int32]
) -> tuple[dict[str, int], Comparisons]:
    if not templates:
        raise NothingToMeasure("no photo shows one face: there is nothing to compare")
    names = {name: number for number, name in enumerate(sorted({each.identity for each in templates}))}
    persons = np.array([names[template.identity] for template in templates], dtype=np.int32)
    photos = np.array([template.photo for template in templates], dtype=np.int32)
    apart = np.zeros(len(names), dtype=np.bool_)
    apart[persons[[template.apart for template in templates]]] = True
    stack = np.stack([template.embedding.astype(np.float64) for template in templates])
    return names, Comparisons(
        cosines=np.clip((stack @ stack.T)[rows, columns], -1.0, 1.0),
        first=persons[rows],
        second=persons[columns],
        first_photo=photos[rows],
        second_photo=photos[columns],
        apart=apart,
    )


def _kept(compared: Comparisons, kept: NDArray[np.bool_]) -> Comparisons:
    """Return some of the comparisons. All persons keep their numbers, even without a comparison."""
    return Comparisons(
        cosines=compared.cosines[kept],
        first=compared.first[kept],
        second=compared.second[kept],
        first_photo=compared.first_photo[kept],
        second_photo=compared.second_photo[kept],
        apart=compared.apart,
    )


def _share_below(scores: NDArray[np.float64], threshold: float) -> float:
    return float((scores < threshold).mean()) if scores.size else 0.0
