"""Does a scan show one person throughout?

The frames' templates are divided into two groups, as if they were of two persons: every two frames in turn
stand for the two, and each other frame goes with the one that it is more like. Both groups are fused by
quality, each for itself, and compared; the division that leaves the least alike groups counts. Whoever takes
another's place, for good (A, B), for a while (A, B, A) or again and again (A, B, A, B), is one of the groups
of such a division, so that its cosine is an impostor's. Poor or averted frames of one person are outvoted by
their neighbours, so that honest scans keep a greater distance from the line than their least alike pair of
frames would (``docs/accuracy.md`` has the figures).

The line is a bound on FMR as everywhere in this room: at most this share of changes to a random other person
gets past it, as far as the calibration holds for frames of one camera. It sees what it is given: a person of
whom no frame is among the samples was not seen at all. A change to somebody who looks alike, or a picture
that turns into another one so slowly that each group resembles the other, gets past it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import PortraitPolicyInvalid
from matcher.similarity import fmr_bound
from matcher.template import TemplateSample, stack_samples
from vision.packs.calibration import MatchCalibration

__all__ = ["SWAP_MAX_FMR", "IdentityConstancy", "measure_constancy"]

SWAP_MAX_FMR: Final = 3e-2
"""Largest bound on FMR at which two groups of frames count as one person, if the caller names none.

At 1e-2 one of 43 live scans of one person counted as two with dlib's embedder, at 3e-2 none with any pack.
"""

_NO_DIRECTION: Final = 1e-9


@dataclass(frozen=True, slots=True)
class IdentityConstancy:
    """Whether a scan's frames show one person, and how near it was.

    Attributes:
        constant: True when ``fmr_bound`` is at most ``max_fmr``.
        cosine: Cosine, -1..1, of the two least alike groups.
        fmr_bound: Upper bound on FMR of a threshold at that cosine, in (0, 1].
        max_fmr: What was demanded, in (0, 1).
        samples: Frames that were compared.
        apart: Positions in the samples of the smaller of these groups, rising; of the later one where both
            are as large.
    """

    constant: bool
    cosine: float
    fmr_bound: float
    max_fmr: float
    samples: int
    apart: tuple[int, ...]


def measure_constancy(
    samples: Sequence[TemplateSample], *, calibration: MatchCalibration, max_fmr: float = SWAP_MAX_FMR
) -> IdentityConstancy | None:
    """Look for two persons among a scan's frames.

    Args:
        samples: The examined frames, of one embedder.
        calibration: Of that embedder.
        max_fmr: Bound on FMR that the least alike groups must reach, in (0, 1). Where the calibration
            supports no bound as low, its lowest counts.

    Returns:
        ``None`` for fewer than two samples, which can show no change.

    Raises:
        PortraitPolicyInvalid: ``max_fmr`` is not in (0, 1).
        TemplateInvalid: A sample's quality is not in (0, 1], or its template not of length 1.
        TemplateMismatch: The templates' lengths differ.
    """
    if not 0.0 < max_fmr < 1.0:
        raise PortraitPolicyInvalid(f"max_fmr must lie between 0 and 1, both excluded, got {max_fmr}")
    if len(samples) < 2:
        return None
    demanded = max(max_fmr, calibration.lowest_bound)
    cosine, apart = _least_alike(*stack_samples(samples))
    bound = fmr_bound(cosine, calibration=calibration)
    return IdentityConstancy(
        constant=bound <= demanded,
        cosine=cosine,
        fmr_bound=bound,
        max_fmr=demanded,
        samples=len(samples),
        apart=apart,
    )


def _least_alike(stack: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, tuple[int, ...]]:
    """Cosine of the two least alike groups, and the smaller of them.

    Args:
        stack: Shape (n, dimensions), n of 2 or more.
        weights: Shape (n,).
    """
    alike = stack @ stack.T
    ones, others = np.triu_indices(len(stack), 1)
    with_one = alike[ones] >= alike[others]
    # Equal templates are drawn to both sides alike; without this the second could be left without any.
    with_one[np.arange(ones.size), others] = False
    with_one[np.arange(ones.size), ones] = True
    first, second = with_one * weights, ~with_one * weights
    products = _products(first, alike, second)
    scale = np.sqrt(_products(first, alike, first).clip(min=0.0))
    scale *= np.sqrt(_products(second, alike, second).clip(min=0.0))
    # Templates that cancel each other out are not of one person, whatever they are compared with.
    cosines = np.where(scale > _NO_DIRECTION, products / np.maximum(scale, _NO_DIRECTION), -1.0)
    least = int(np.argmin(cosines))
    groups = [np.flatnonzero(with_one[least] == side) for side in (False, True)]
    smaller = min(groups, key=lambda group: (len(group), -int(group[0])))
    return min(1.0, max(-1.0, float(cosines[least]))), tuple(int(place) for place in smaller)


def _products(
    one: NDArray[np.float64], alike: NDArray[np.float64], other: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Inner products of weighted sums of templates, shape (divisions,)."""
    products: NDArray[np.float64] = np.einsum("kj,kj->k", one @ alike, other)
    return products
