"""Colours that distinguish a mask from a mouth."""

import math
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.face import BgrImage

__all__ = ["COEFFICIENTS", "PART", "PART_SIZE", "MouthColours", "colours_of_mouth", "covered_evidence"]

PART: Final = (200, 248, 416, 480)
"""Left, top, right and bottom of the measured part, in the aligned image of ``FIVE_ALIGNED``."""
_REDUCTION: Final = 2
PART_SIZE: Final = ((PART[2] - PART[0]) // _REDUCTION, (PART[3] - PART[1]) // _REDUCTION)
"""Width and height to which the part is reduced, pixels."""
# Left, top, right and bottom in the aligned face. A mask covers all but ``_UPPER_FACE``.
_UPPER_FACE: Final = ((285, 250, 331, 310), (225, 296, 265, 316), (350, 296, 390, 316))
_LEFT_CHEEK: Final = (205, 375, 240, 430)
_RIGHT_CHEEK: Final = (376, 375, 411, 430)
_CHIN: Final = (235, 440, 381, 475)
_MOUTH: Final = (268, 388, 348, 418)
_LEAST_CHROMA: Final = 6.0
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


def colours_of_mouth(part: BgrImage, *, least_chroma: float = _LEAST_CHROMA) -> MouthColours | None:
    """Measure the colours of one face.

    Args:
        part: The part ``PART`` of the aligned face, reduced to ``PART_SIZE``.
        least_chroma: Least chroma of the skin above a mask, in CIELAB.

    Returns:
        The colours; None if the face has too little colour to distinguish lips from a mask.
    """
    small = part.astype(np.float32) / np.float32(255)
    colours = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2LAB), dtype=np.float32)
    upper = np.median(np.concatenate([_pixels(colours, box) for box in _UPPER_FACE]), axis=0)
    if math.hypot(upper[1], upper[2]) < least_chroma:
        return None
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


def _pixels(colours: NDArray[np.float32], box: tuple[int, int, int, int]) -> NDArray[np.float32]:
    left, top, right, bottom = box
    rows = slice((top - PART[1]) // _REDUCTION, (bottom - PART[1]) // _REDUCTION)
    columns = slice((left - PART[0]) // _REDUCTION, (right - PART[0]) // _REDUCTION)
    return colours[rows, columns].reshape(-1, 3)


def _redness(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray(colours[..., 1] - colours[..., 2] / 2, dtype=np.float32)
