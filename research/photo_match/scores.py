"""Scores all pairs of photos, each pair by a cohort that was fitted without its two people."""

import itertools
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from research.photo_match.templates import TemplateSet
from vision.packs.cohort import fit_cohort

__all__ = ["DIRECTIONS", "FOLDS", "PairScores", "one_of_each_person", "score_pairs", "suspected_duplicates"]

FOLDS: Final = 5
DIRECTIONS: Final = 16

_Part: TypeAlias = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int32]]


@dataclass(frozen=True, slots=True)
class PairScores:
    """The scores of pairs of photos.

    Attributes:
        scores: Shape (n,).
        first: Shape (n,), index of the first photo.
        second: Shape (n,), index of the second photo.
    """

    scores: NDArray[np.float32]
    first: NDArray[np.int32]
    second: NDArray[np.int32]


def suspected_duplicates() -> frozenset[frozenset[str]]:
    """Return the pairs of files that probably show one person under two names."""
    text = (files("research.photo_match") / "duplicates.toml").read_text(encoding="utf-8")
    return frozenset(frozenset(pair) for pair in tomllib.loads(text)["pairs"])


def one_of_each_person(templates: TemplateSet) -> NDArray[np.intp]:
    """Return the index of the first photo of each person."""
    return np.unique(templates.identities, return_index=True)[1]


def score_pairs(
    templates: TemplateSet, *, cohort: bool, duplicates: bool = False, seed: int = 1
) -> tuple[PairScores, PairScores]:
    """Score all pairs of photos.

    Args:
        templates: The templates.
        cohort: Whether to score against a cohort. Then people are divided into ``FOLDS`` folds, and each pair
            is scored by a cohort of the people in the other folds. Without it, scores are cosines.
        duplicates: Whether suspected duplicates count as different people. If not, they are left out.
        seed: Seed of the folds.

    Returns:
        The genuine pairs, and the impostor pairs.
    """
    names, persons = np.unique(templates.identities, return_inverse=True)
    fold_of = np.random.default_rng(seed).permutation(names.size) % FOLDS
    folds = fold_of[persons] if cohort else np.zeros(persons.size, dtype=np.int64)
    left_out = frozenset() if duplicates else _places(templates)
    genuine: list[_Part] = []
    impostor: list[_Part] = []
    for rows, columns, vectors in _blocks(templates, folds):
        block = (vectors[rows] @ vectors[columns].T).clip(-1.0, 1.0)
        first, second = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
        scores, kept = block.ravel(), first < second if rows is columns else np.ones(block.size, np.bool_)
        for one, other in left_out:
            kept &= ~(((first == one) & (second == other)) | ((first == other) & (second == one)))
        same = persons[first] == persons[second]
        for found, chosen in ((genuine, kept & same), (impostor, kept & ~same)):
            found.append((scores[chosen], first[chosen], second[chosen]))
    return _joined(genuine), _joined(impostor)


def _blocks(
    templates: TemplateSet, folds: NDArray[np.int64]
) -> Iterator[tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float32]]]:
    """Yield pairs of folds with the vectors by which their photos are scored."""
    places = [np.flatnonzero(folds == fold).astype(np.int32) for fold in range(int(folds.max()) + 1)]
    if len(places) == 1:
        yield places[0], places[0], templates.vectors
        return
    singles = np.zeros(folds.size, dtype=np.bool_)
    singles[one_of_each_person(templates)] = True
    for one, other in itertools.combinations_with_replacement(range(len(places)), 2):
        others = singles & (folds != one) & (folds != other)
        fitted = fit_cohort(templates.vectors[others], directions=DIRECTIONS)
        yield places[one], places[other], fitted.vectors(templates.vectors).astype(np.float32)


def _places(templates: TemplateSet) -> frozenset[tuple[int, int]]:
    at = {str(name): place for place, name in enumerate(templates.files)}
    pairs = (sorted(pair) for pair in suspected_duplicates())
    return frozenset((at[one], at[other]) for one, other in pairs if one in at and other in at)


def _joined(parts: list[_Part]) -> PairScores:
    scores, first, second = (np.concatenate(column) for column in zip(*parts, strict=True))
    return PairScores(scores, first, second)
