"""Measures whether a scan shows one person throughout.

``measure_constancy`` divides the frames' templates into two groups, as if they showed two persons. Each pair
of frames in turn represents the two persons, and every other frame joins the frame of the pair that it
resembles more. The templates of each group are fused by quality, and the two fused templates are scored.
The division with the least similar groups counts. If a second person takes the place of the first, for good
(A, B), for a while (A, B, A) or repeatedly (A, B, A, B), one of the divisions separates the two persons, and
its cosine is that of an impostor comparison. Neighbouring frames outvote poor frames of one person, so that
genuine scans keep a greater distance from the threshold than their least similar pair of frames would
(``docs/accuracy.md`` has the figures). A division whose groups both match the portrait does not count: it
separates no two persons that the match could tell apart.

The threshold is a bound on FMR, as everywhere in ``matcher``: at most this share of changes to a random other
person remains undetected, if the calibration holds for frames of one camera. A person without a frame among
the samples cannot be detected. Two changes remain undetected: to a person who looks alike, and to an image
that changes into another one so slowly that both groups resemble each other.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from matcher.errors import TemplateInvalid
from matcher.similarity import fmr_bound
from matcher.template import TemplateSample, fuse_templates, stack_samples
from vision.packs import MatchCalibration, Template

SWAP_MAX_FMR: Final = 3e-2
"""The largest bound on FMR at which two groups of frames count as one person.

If a calibration supports no bound as low, its lowest bound is used instead. At 1e-2 one of 43 live scans of
one person counted as two with dlib's embedder, at 3e-2 none with any pack.
"""

_NO_DIRECTION: Final = 1e-9


@dataclass(frozen=True, slots=True)
class IdentityConstancy:
    """Whether a scan's frames show one person, with the numbers behind it.

    Attributes:
        constant: True when ``fmr_bound`` is at most ``max_fmr``, or both groups match the portrait.
        cosine: Score of the two least similar groups, -1..1.
        fmr_bound: Upper bound on FMR of a threshold at that cosine, in (0, 1].
        max_fmr: The demanded bound, in (0, 1).
        samples: Frames that were compared.
        apart: The smaller of these groups, as rising positions in the samples; the later one if both have the
            same size.
    """

    constant: bool
    cosine: float
    fmr_bound: float
    max_fmr: float
    samples: int
    apart: tuple[int, ...]


def measure_constancy(
    samples: Sequence[TemplateSample],
    *,
    calibration: MatchCalibration,
    is_portrait: Callable[[Template], bool] | None = None,
) -> IdentityConstancy | None:
    """Measure whether a scan's frames show one person.

    Args:
        samples: The examined frames, of one embedder.
        is_portrait: Whether a fused template matches the portrait; ``None`` without a portrait.

    Returns:
        None for fewer than two samples, which cannot show a change.

    Raises:
        TemplateInvalid: A sample's quality is not in (0, 1], or its template not of length 1.
        TemplateMismatch: The templates have different forms or lengths.
    """
    if len(samples) < 2:
        return None
    calibration = calibration.of_scans
    demanded = max(SWAP_MAX_FMR, calibration.lowest_bound)
    scores, divisions = _divisions(*stack_samples(samples), calibration)
    order = np.argsort(scores, kind="stable").tolist()
    least, constant = order[0], True
    for at in order:
        if fmr_bound(float(scores[at]), calibration=calibration) <= demanded:
            break
        groups = [[samples[place] for place in group] for group in _groups(divisions[at])]
        if is_portrait is None or not all(_matches(group, is_portrait) for group in groups):
            least, constant = at, False
            break
    cosine = float(scores[least])
    return IdentityConstancy(
        constant=constant,
        cosine=cosine,
        fmr_bound=fmr_bound(cosine, calibration=calibration),
        max_fmr=demanded,
        samples=len(samples),
        apart=min(_groups(divisions[least]), key=lambda group: (len(group), -group[0])),
    )


def _matches(group: Sequence[TemplateSample], is_portrait: Callable[[Template], bool]) -> bool:
    try:
        return is_portrait(fuse_templates(group))
    except TemplateInvalid:
        return False  # The templates cancel each other out.


def _groups(division: NDArray[np.bool_]) -> list[tuple[int, ...]]:
    return [tuple(np.flatnonzero(division == side).tolist()) for side in (False, True)]


def _divisions(
    stack: NDArray[np.float64], weights: NDArray[np.float64], calibration: MatchCalibration
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Return the score of the two groups of every division, shape (k,), and the divisions, shape (k, n).

    Args:
        stack: Shape (n, dimensions), n of 2 or more.
        weights: Shape (n,).
        calibration: Scores the groups.
    """
    alike = stack @ stack.T
    ones, others = np.triu_indices(len(stack), 1)
    with_one = alike[ones] >= alike[others]
    # Equal templates are as similar to both; without these lines the second group could be empty.
    with_one[np.arange(ones.size), others] = False
    with_one[np.arange(ones.size), ones] = True
    first, second = with_one * weights, ~with_one * weights
    one, other = (group @ stack for group in (first, second))
    lengths = [np.linalg.norm(fused, axis=1) for fused in (one, other)]
    one, other = (
        calibration.vectors(fused / np.maximum(length, _NO_DIRECTION)[:, None])
        for fused, length in zip((one, other), lengths, strict=True)
    )
    # A group whose templates cancel each other out has no direction; it counts as another person.
    scores = np.where(np.minimum(*lengths) > _NO_DIRECTION, np.einsum("kd,kd->k", one, other), -1.0)
    return np.clip(scores, -1.0, 1.0), with_one
