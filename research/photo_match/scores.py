"""Scores all pairs of photos, each pair by a cohort that was fitted without its two people."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Final

import numpy as np
from numpy.typing import NDArray

from evaluation.match import read_corrections
from research.photo_match.templates import TemplateSet
from vision.packs.calibration import fit_cohort

__all__ = [
    "DIRECTIONS",
    "FOLDS",
    "PairScores",
    "joined",
    "one_of_each_person",
    "score_pairs",
    "suspected_duplicates",
]

FOLDS: Final = 5
DIRECTIONS: Final = 16


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
    """Return the pairs of identities that are probably one person."""
    with as_file(files("research.photo_match") / "duplicates.toml") as path:
        return read_corrections(path).unsure


def one_of_each_person(templates: TemplateSet) -> NDArray[np.intp]:
    """Return the index of the first photo of each person."""
    return np.unique(templates.identities, return_index=True)[1]


def joined(parts: Sequence[PairScores]) -> PairScores:
    """Return all pairs of several parts."""
    columns = ([getattr(part, name) for part in parts] for name in PairScores.__slots__)
    return PairScores(*map(np.concatenate, columns))


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
    genuine: list[PairScores] = []
    impostor: list[PairScores] = []
    for rows, columns, vectors in _blocks(templates, folds):
        block = (vectors[rows] @ vectors[columns].T).clip(-1.0, 1.0)
        first, second = (each.ravel() for each in np.meshgrid(rows, columns, indexing="ij"))
        scores, kept = block.ravel(), first < second if rows is columns else np.ones(block.size, np.bool_)
        for one, other in left_out:
            kept &= ~(((first == one) & (second == other)) | ((first == other) & (second == one)))
        same = persons[first] == persons[second]
        for found, chosen in ((genuine, kept & same), (impostor, kept & ~same)):
            found.append(PairScores(scores[chosen], first[chosen], second[chosen]))
    return joined(genuine), joined(impostor)


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
    """Return the pairs of photos, each in order, of suspected duplicates."""
    photos = (
        [np.flatnonzero(templates.identities == name) for name in pair] for pair in suspected_duplicates()
    )
    pairs = itertools.chain.from_iterable(itertools.product(*each) for each in photos)
    return frozenset((int(min(pair)), int(max(pair))) for pair in pairs)
