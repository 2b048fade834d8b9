"""Searches all weights in steps of 0.05, by their errors at the threshold of the older selfie API, 0.58."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from evaluation.pad.metrics import area_under_curve
from liveness.selfie import SIGNAL_NAMES
from research.selfie_weights.pictures import Group

__all__ = ["FIXED", "GroupFigures", "best_weights", "candidates", "figures_of", "mean_error"]

FIXED = {"exif_metadata": 0.10, "fft_deepfake": 0.10}
"""Fixed weights, because hardly any image has EXIF data, and none is from a generator."""

_STEP = 0.05
_HIGHEST = SIGNAL_NAMES.index("lbp_texture")
_MARGIN = 0.04


@dataclass(frozen=True, slots=True)
class GroupFigures:
    """The figures of one set of weights on one group.

    Attributes:
        name: Name of the group.
        live: Live images by verdict: LIVE, INCONCLUSIVE, SPOOF.
        attacks: Attacks by verdict.
        area: Area under the curve of the confidence, 0..1.
        error: Mean of the share of live images below the threshold and of attacks at or above it.
    """

    name: str
    live: tuple[int, int, int]
    attacks: tuple[int, int, int]
    area: float
    error: float


def candidates() -> NDArray[np.float64]:
    """Return every set of weights: multiples of 0.05, at least 0.05, with ``FIXED``, lbp_texture the highest.

    Returns:
        Shape (sets, 8), in the order of ``SIGNAL_NAMES``; each row sums to 1.
    """
    free = [index for index, name in enumerate(SIGNAL_NAMES) if name not in FIXED]
    units = round((1 - sum(FIXED.values())) / _STEP)
    rows = []
    # Stars and bars: the positions of the bars give the units, at least one, of each signal.
    for bars in combinations(range(1, units), len(free) - 1):
        shares = np.diff((0, *bars, units))
        row = np.array([FIXED.get(name, 0.0) for name in SIGNAL_NAMES])
        row[free] = shares * _STEP
        if (np.delete(row, _HIGHEST) < row[_HIGHEST] - _STEP / 2).all():
            rows.append(row)
    return np.array(rows)


def best_weights(
    sets: NDArray[np.float64],
    scores: Sequence[NDArray[np.float64]],
    groups: Sequence[Sequence[Group]],
    *,
    threshold: float,
) -> NDArray[np.float64]:
    """Return the set with the least mean error over all packs and groups, or if equal the largest mean area.

    Args:
        sets: Result of ``candidates``.
        scores: Shape (images, 8) for each pack.
        groups: Groups for each pack, at least one.
        threshold: Confidence that separates live images from attacks.
    """
    errors = [mean_error(weights, scores, groups, threshold=threshold) for weights in sets]
    least = min(errors)
    best = [weights for weights, error in zip(sets, errors, strict=True) if error <= least + 1e-12]
    areas = [
        np.mean(
            [
                area_under_curve(*_confidences(weights, matrix, group))
                for matrix, named in zip(scores, groups, strict=True)
                for group in named
            ]
        )
        for weights in best
    ]
    chosen: NDArray[np.float64] = best[int(np.argmax(areas))]
    return chosen


def mean_error(
    weights: NDArray[np.float64],
    scores: Sequence[NDArray[np.float64]],
    groups: Sequence[Sequence[Group]],
    *,
    threshold: float,
) -> float:
    """Return the mean of ``GroupFigures.error`` over all packs and groups."""
    return float(
        np.mean(
            [
                _error(*_confidences(weights, matrix, group), threshold)
                for matrix, named in zip(scores, groups, strict=True)
                for group in named
            ]
        )
    )


def figures_of(
    weights: NDArray[np.float64], scores: NDArray[np.float64], group: Group, *, threshold: float
) -> GroupFigures:
    """Compute the figures of one group."""
    live, attacks = _confidences(weights, scores, group)
    return GroupFigures(
        name=group.name,
        live=_verdicts(live, threshold),
        attacks=_verdicts(attacks, threshold),
        area=area_under_curve(live, attacks),
        error=_error(live, attacks, threshold),
    )


def _confidences(
    weights: NDArray[np.float64], scores: NDArray[np.float64], group: Group
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return scores[group.live] @ weights, scores[group.attacks] @ weights


def _error(live: NDArray[np.float64], attacks: NDArray[np.float64], threshold: float) -> float:
    return float(((live < threshold).mean() + (attacks >= threshold).mean()) / 2)


def _verdicts(confidences: NDArray[np.float64], threshold: float) -> tuple[int, int, int]:
    above = int((confidences >= threshold + _MARGIN).sum())
    below = int((confidences < threshold - _MARGIN).sum())
    return above, confidences.size - above - below, below
