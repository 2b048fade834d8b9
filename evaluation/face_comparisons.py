"""Every template against every other: genuine and impostor comparisons."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.face_templates import LabelledTemplate
from evaluation.fmr_bounds import ImpostorScores

__all__ = ["Comparisons", "compare_all"]


@dataclass(frozen=True, slots=True)
class Comparisons:
    """All comparisons of a set of templates.

    Attributes:
        genuine: Shape (n,), cosines of the same person, main group.
        genuine_apart: Shape (n,), cosines of the same person, group measured apart.
        impostors: Cosines of different persons of one group.
        identities: Persons with a template.
        main_identities: Those of them in the main group.
    """

    genuine: NDArray[np.float64]
    genuine_apart: NDArray[np.float64]
    impostors: ImpostorScores
    identities: int
    main_identities: int

    def fnmr(self, threshold: float) -> float:
        """Share of the main group's genuine comparisons below ``threshold``, 0..1."""
        return _share_below(self.genuine, threshold)

    def fnmr_apart(self, threshold: float) -> float:
        """Share of the other group's genuine comparisons below ``threshold``, 0..1."""
        return _share_below(self.genuine_apart, threshold)


def compare_all(
    templates: Sequence[LabelledTemplate], *, unsure: Collection[frozenset[str]] = ()
) -> Comparisons:
    """Compare every template with every other, within its group.

    Args:
        templates: Of one embedder.
        unsure: Pairs of identities that may be one person; they are not compared.

    Raises:
        ValueError: There are fewer than two persons in every group.
    """
    names = sorted({template.identity for template in templates})
    index = {name: position for position, name in enumerate(names)}
    persons = np.array([index[template.identity] for template in templates], dtype=np.int64)
    apart = np.array([template.apart for template in templates], dtype=np.bool_)
    groups = np.zeros(len(names), dtype=np.int64)
    groups[persons[apart]] = 1

    rows, columns = np.triu_indices(len(templates), 1)
    stack = np.stack([template.embedding.astype(np.float64) for template in templates])
    cosines = np.clip((stack @ stack.T)[rows, columns], -1.0, 1.0)
    first, second = persons[rows], persons[columns]
    same = first == second
    different = ~same & (groups[first] == groups[second])
    for pair in unsure:
        one, other = sorted(index.get(name, -1) for name in pair)
        different &= ~((np.minimum(first, second) == one) & (np.maximum(first, second) == other))
    return Comparisons(
        genuine=cosines[same & (groups[first] == 0)],
        genuine_apart=cosines[same & (groups[first] == 1)],
        impostors=ImpostorScores(cosines[different], first[different], second[different], groups),
        identities=len(names),
        main_identities=int(np.count_nonzero(groups == 0)),
    )


def _share_below(scores: NDArray[np.float64], threshold: float) -> float:
    return float((scores < threshold).mean()) if scores.size else 0.0
