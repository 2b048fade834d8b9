"""The growth of the surroundings while the face comes closer.

A phone that approaches a face by 20 cm halves its distance to the face, but comes only a tenth nearer to a
wall 1.5 m behind the face. A picture that a lens, a player or an injected video enlarges grows as a whole.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from liveness.observation import MotionSegment, ScanObservations

__all__ = ["ZoomFinding", "measure_zoom"]

_FEWEST_POINTS: Final = 6
_LEAST_GROWTH: Final = 0.15
"""The least natural logarithm of the face's growth while its surroundings are visible."""


@dataclass(frozen=True, slots=True)
class ZoomFinding:
    """The growth of the surroundings in the image, compared with that of the face.

    Attributes:
        share: The logarithm of the growth of the surroundings, divided by that of the face: 0 if they do not
            grow, 1 if they grow as much as the face.
        growth: The growth of the face over the frames that were used, as a factor.
    """

    share: float
    growth: float


def measure_zoom(scan: ScanObservations) -> ZoomFinding | None:
    """Returns the growth of the surroundings.

    Returns ``None`` if too little of them is visible while the face grows, or the face grows too little.
    """
    face = around = 0.0
    for segment in scan.motion:
        grew = _growths(segment)
        if grew is not None and grew[0] > 0:
            face += grew[0]
            around += grew[1]
    if face < _LEAST_GROWTH:
        return None
    return ZoomFinding(share=around / face, growth=math.exp(face))


def _growths(segment: MotionSegment) -> tuple[float, float] | None:
    """Returns the log growth of face and surroundings, up to the last frame that shows enough of both."""
    for at in range(len(segment.frames) - 1, 0, -1):
        found = np.isfinite(segment.positions[at, :, 0])
        parts = [found & segment.on_face, found & ~segment.on_face]
        if all(part.sum() >= _FEWEST_POINTS for part in parts):
            face, around = (
                _stretch(segment.positions[0, part], segment.positions[at, part]) for part in parts
            )
            return (math.log(face), math.log(around)) if face > 0 and around > 0 else None
    return None


def _stretch(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Returns the median factor by which distances between points grew, which outliers do not distort."""
    pairs = np.triu_indices(len(first), 1)
    before = np.linalg.norm(first[pairs[0]] - first[pairs[1]], axis=1)
    after = np.linalg.norm(second[pairs[0]] - second[pairs[1]], axis=1)
    clear = before > np.median(before) / 2
    return float(np.median(after[clear] / np.maximum(before[clear], 1e-6)))
