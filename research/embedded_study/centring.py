"""Cosines after a linear change of all templates that was estimated on other persons.

Persons are dealt into folds. The comparison of two persons uses a change that was estimated without the
folds of both, so no score has seen its own persons.
"""

from enum import StrEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from research.embedded_study.scores import Pairs

__all__ = ["Change", "changed_cosines"]

_FOLDS: Final = 8
_SHRINKAGE: Final = 1.0


class Change(StrEnum):
    """What is done to a template before the cosine is taken."""

    CENTRED = "mean template subtracted"
    WHITENED = "whitened by all variation"
    WITHIN = "whitened by variation within persons"


def changed_cosines(
    templates: NDArray[np.float64], identities: NDArray[np.str_], pairs: Pairs, change: Change, *, seed: int
) -> NDArray[np.float64]:
    """Cosines of ``pairs`` after ``change``; spreads are drawn halfway to their mean.

    Args:
        templates: Shape (t, d).
        identities: Shape (t,), who each shows.
        pairs: The comparisons.
        change: What is estimated and applied.
        seed: Of the folds.
    """
    unit = templates / np.linalg.norm(templates, axis=1, keepdims=True)
    names, persons = np.unique(identities, return_inverse=True)
    folds = (np.random.default_rng(seed).permutation(names.size) % _FOLDS)[persons]
    low = np.minimum(folds[pairs.rows], folds[pairs.columns])
    high = np.maximum(folds[pairs.rows], folds[pairs.columns])
    cosines = np.zeros(pairs.rows.size)
    for one in range(_FOLDS):
        for other in range(one, _FOLDS):
            others = (folds != one) & (folds != other)
            mean, matrix = _estimate(unit[others], persons[others], change)
            moved = (unit - mean) @ matrix
            moved /= np.linalg.norm(moved, axis=1, keepdims=True)
            here = (low == one) & (high == other)
            cosines[here] = np.einsum("ij,ij->i", moved[pairs.rows[here]], moved[pairs.columns[here]])
    return cosines


def _estimate(
    templates: NDArray[np.float64], persons: NDArray[np.intp], change: Change
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and matrix; every person weighs the same."""
    _, inverse, counts = np.unique(persons, return_inverse=True, return_counts=True)
    weights = 1.0 / counts[inverse] / counts.size
    mean = weights @ templates
    if change is Change.CENTRED:
        return mean, np.eye(templates.shape[1])
    if change is Change.WHITENED:
        rest = templates - mean
        spread = (rest * weights[:, None]).T @ rest
    else:
        own = np.stack([templates[inverse == person].mean(axis=0) for person in range(counts.size)])
        rest = templates - own[inverse]
        spread = rest.T @ rest / max(1, templates.shape[0] - counts.size)
    ridge = _SHRINKAGE * np.trace(spread) / spread.shape[0]
    values, vectors = np.linalg.eigh(spread + ridge * np.eye(spread.shape[0]))
    return mean, (vectors / np.sqrt(values)) @ vectors.T
