"""Does a scan show one person throughout?

The frames' templates, in order of time, are cut into a *part* of consecutive frames and the rest, in
every way there is. Part and rest are fused by quality, each for itself, and compared; the pair that is
least alike counts. A person who takes another's place, once (A, B) or for a while (A, B, A), fills one
such part: that cut then compares two persons, and its cosine is an impostor's. Frames of one person that
are poor or turned away are outvoted by their neighbours, which is why two parts tell a swap from a blurred
frame better than the least alike pair of frames does (``docs/accuracy.md`` has the figures).

The line is a bound on FMR as everywhere in this room: at most this share of swaps to a random other
person gets past it, as far as the calibration holds for frames of one camera. It sees what it is given:
a person of whom no frame is among the samples was not seen at all. A swap for somebody who looks alike,
or a picture that turns into another one slowly enough that each frame resembles both, gets past it as it
gets past the comparison with the portrait.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import PolicyInvalid
from matcher.similarity import fmr_bound
from matcher.template import TemplateSample, stack_samples
from vision.packs.calibration import MatchCalibration

__all__ = ["SWAP_MAX_FMR", "IdentityConstancy", "measure_constancy"]

SWAP_MAX_FMR: Final = 1e-2
"""Largest bound on FMR at which two parts of a scan count as one person, if the caller names none."""

_NO_DIRECTION: Final = 1e-9


@dataclass(frozen=True, slots=True)
class IdentityConstancy:
    """Whether a scan's frames show one person, and how near it was.

    Attributes:
        constant: True when ``fmr_bound`` is at most ``max_fmr``.
        cosine: Cosine, -1..1, of the two least alike parts.
        fmr_bound: Upper bound on FMR of a threshold at that cosine, in (0, 1].
        max_fmr: What was demanded, in (0, 1).
        samples: Frames that were compared.
        part: Positions (first, last) in the samples of the part that differs most from the rest.
    """

    constant: bool
    cosine: float
    fmr_bound: float
    max_fmr: float
    samples: int
    part: tuple[int, int]


def measure_constancy(
    samples: Sequence[TemplateSample], *, calibration: MatchCalibration, max_fmr: float = SWAP_MAX_FMR
) -> IdentityConstancy | None:
    """Compare every part of a scan with the rest of it.

    Args:
        samples: The examined frames in order of time, of one embedder.
        calibration: Of that embedder.
        max_fmr: Bound on FMR that the least alike parts must reach, in (0, 1). Where the calibration
            supports no bound as low, its lowest counts.

    Returns:
        ``None`` for fewer than two samples, which can show no change.

    Raises:
        PolicyInvalid: ``max_fmr`` is not in (0, 1).
        TemplateInvalid: A sample's quality is not in (0, 1], or its template not of length 1.
        TemplateMismatch: The templates' lengths differ.
    """
    if not 0.0 < max_fmr < 1.0:
        raise PolicyInvalid(f"max_fmr must lie between 0 and 1, both excluded, got {max_fmr}")
    if len(samples) < 2:
        return None
    demanded = max(max_fmr, calibration.lowest_bound)
    cosine, part = _least_alike(*stack_samples(samples))
    bound = fmr_bound(cosine, calibration=calibration)
    return IdentityConstancy(
        constant=bound <= demanded,
        cosine=cosine,
        fmr_bound=bound,
        max_fmr=demanded,
        samples=len(samples),
        part=part,
    )


def _least_alike(stack: NDArray[np.float64], weights: NDArray[np.float64]) -> tuple[float, tuple[int, int]]:
    """Cosine of the two least alike parts, and where the one of them begins and ends.

    Args:
        stack: Shape (n, dimensions), n of 2 or more.
        weights: Shape (n,).
    """
    count = len(stack)
    up_to = np.concatenate([np.zeros((1, stack.shape[1])), np.cumsum(weights[:, None] * stack, axis=0)])
    first, after = np.triu_indices(count + 1, 1)
    some_left = after - first < count
    first, after = first[some_left], after[some_left]
    part = up_to[after] - up_to[first]
    rest = up_to[-1] - part
    scale = np.linalg.norm(part, axis=1) * np.linalg.norm(rest, axis=1)
    # Templates that cancel each other out are not of one person, whatever they are compared with.
    products = np.einsum("ij,ij->i", part, rest)
    cosines = np.where(scale > _NO_DIRECTION, products / np.maximum(scale, _NO_DIRECTION), -1.0)
    least = int(np.argmin(cosines))
    cosine = min(1.0, max(-1.0, float(cosines[least])))
    return cosine, (int(first[least]), int(after[least]) - 1)
