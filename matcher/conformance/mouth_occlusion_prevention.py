"""Mouth occlusion prevention: whether a mask covers the mouth."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from matcher.conformance.face_region import NO_ALIGNED_FACE, AlignedFace
from matcher.conformance.interface import (
    Assessment,
    Component,
    Method,
    PortraitView,
    assessed,
    not_assessed,
)

__all__ = ["COEFFICIENTS", "MouthColours", "MouthOcclusionPrevention", "covered_evidence", "mouth_colours"]

_LEFT: Final = 200
_TOP: Final = 248
_RIGHT: Final = 416
_BOTTOM: Final = 480
_REDUCTION: Final = 2
"""The part of the aligned face that is measured, and its reduction."""
# Left, top, right and bottom in the aligned face. A mask covers all but ``_UPPER_FACE``.
_UPPER_FACE: Final = ((285, 250, 331, 310), (225, 296, 265, 316), (350, 296, 390, 316))
_LEFT_CHEEK: Final = (205, 375, 240, 430)
_RIGHT_CHEEK: Final = (376, 375, 411, 430)
_CHIN: Final = (235, 440, 381, 475)
_MOUTH: Final = (268, 388, 348, 418)
_LEAST_CHROMA: Final = 6.0
_LEAST_LUMINANCE: Final = 0.07
_LEVELS: Final = np.arange(256) / 255.0
COEFFICIENTS: Final = (-4.53, -0.863, 0.284, 0.126)
"""Offset, then one slope for each of ``MouthColours.features``; ``research.portrait_measures`` fits them."""
_LIPS_RANGE: Final = (-10.0, 30.0)
_CHEEK_RANGE: Final = (0.0, 30.0)
_SKIN_RANGE: Final = (20.0, 80.0)


@dataclass(frozen=True, slots=True)
class MouthColours:
    """The colours of a face, in CIELAB, that distinguish a mask from a mouth.

    Attributes:
        lips: How much redder and less yellow the lips are than cheeks and chin: a* - b*/2, the mouth's 85th
            percentile; -10..30.
        cheek: Distance in a* and b* of the more similar lower cheek from the skin above a mask; 0..30.
        skin: L* of the skin above a mask, 20..80, because dim or dark skin shows less colour.
    """

    lips: float
    cheek: float
    skin: float

    @property
    def features(self) -> tuple[float, float, float]:
        """In the order of ``COEFFICIENTS``."""
        return self.lips, self.cheek, self.skin


def mouth_colours(aligned: AlignedFace) -> MouthColours | str:
    """Measure the colours of one face.

    Returns:
        The colours; if they cannot be measured, why, in words.
    """
    colours = _colours(aligned)
    upper = np.median(np.concatenate([_pixels(colours, box) for box in _UPPER_FACE]), axis=0)
    if math.hypot(upper[1], upper[2]) < _LEAST_CHROMA:
        return "the face has too little colour to distinguish lips from a mask"
    if float(aligned.histogram @ _LEVELS) < _LEAST_LUMINANCE:
        return "the face is too dark to distinguish lips from a mask"
    cheeks = [np.median(_pixels(colours, box), axis=0) for box in (_LEFT_CHEEK, _RIGHT_CHEEK)]
    chin = np.median(_pixels(colours, _CHIN), axis=0)
    around = np.median([*cheeks, chin], axis=0)
    mouth = _pixels(colours, _MOUTH)
    lips = float(np.percentile(_redness(mouth), 85) - _redness(around))
    cheek = min(math.hypot(*(colour - upper)[1:]) for colour in cheeks)
    return MouthColours(
        lips=float(np.clip(lips, *_LIPS_RANGE)),
        cheek=float(np.clip(cheek, *_CHEEK_RANGE)),
        skin=float(np.clip(upper[0], *_SKIN_RANGE)),
    )


def covered_evidence(colours: MouthColours) -> float:
    """Return the log odds that something covers the mouth, given as many covered as bare ones."""
    offset, *slopes = COEFFICIENTS
    return offset + sum(slope * value for slope, value in zip(slopes, colours.features, strict=True))


class MouthOcclusionPrevention:
    """Probability that a mask covers the mouth, given as many covered as bare mouths.

    An approximation: the standard's measure is the covered share of the mouth, from a segmentation network
    that no pack has. Here a logistic function has three inputs in CIELAB: how much redder and less yellow the
    lips are than cheeks and chin, how far the lower cheeks are in a* and b* from the skin of nose bridge and
    lower lids, and how light that skin is, because dim or dark skin shows less colour. It detects masks; a
    hand in front of the mouth has the colour of skin and may not be detected (the only one was not).

    On the development photos with MediaPipe's landmarks, with functions that were fitted without the person
    of a mask and without the whole source of a bare face, the probability is above one half for 55 of 56
    covered mouths (98%; 95% bounds 90% to 100%) and 39 of 604 bare ones (6.5%; 4.6% to 8.7%). With dlib's
    landmarks it is above one half for 39 of 43 (91%; 78% to 97%) and 50 of 601 (8.3%; 6.2% to 10.8%).
    Sources differ: of 48 enrolment selfies, most of them dim and of dark skin, 10 are false alarms (21%; 10%
    to 35%); of the 239 bare faces outside that collection, 6 are (2.5%; 0.9% to 5.4%). The shipped function
    was fitted on all of them, and gives 20 false alarms of the 604. The three inputs were chosen on these
    photos, and the bounds count every photo as independent. Few masks are on dark skin.
    ``python -m research.portrait_measures`` measures it.

    Not assessed for grey or very dark faces, which show too little colour.
    """

    component: Final = Component.MOUTH_OCCLUSION_PREVENTION
    method: Final = Method.APPROXIMATION
    unit: Final = "probability"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        colours = mouth_colours(aligned)
        if isinstance(colours, str):
            return not_assessed(colours)
        covered = 1 / (1 + math.exp(-covered_evidence(colours)))
        return assessed(covered, score=100 * (1 - covered))


def _colours(aligned: AlignedFace) -> NDArray[np.float32]:
    """Return L*, a* and b* of the part, reduced."""
    part = aligned.image[_TOP:_BOTTOM, _LEFT:_RIGHT]
    size = ((_RIGHT - _LEFT) // _REDUCTION, (_BOTTOM - _TOP) // _REDUCTION)
    small = cv2.resize(part, size, interpolation=cv2.INTER_AREA).astype(np.float32) / np.float32(255)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2LAB), dtype=np.float32)


def _pixels(colours: NDArray[np.float32], box: tuple[int, int, int, int]) -> NDArray[np.float32]:
    left, top, right, bottom = box
    rows = slice((top - _TOP) // _REDUCTION, (bottom - _TOP) // _REDUCTION)
    columns = slice((left - _LEFT) // _REDUCTION, (right - _LEFT) // _REDUCTION)
    return colours[rows, columns].reshape(-1, 3)


def _redness(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(colours[..., 1] - colours[..., 2] / 2, dtype=np.float32)
