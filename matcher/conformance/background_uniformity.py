"""Background uniformity: whether the background behind the person is plain."""

from typing import Final

import cv2
import numpy as np

from matcher.conformance.background_mask import PART_COLUMNS, PART_ROWS, PART_SIZE, background_mask
from matcher.conformance.face_region import NO_ALIGNED_FACE
from matcher.conformance.interface import (
    Assessment,
    Component,
    Method,
    PortraitView,
    assessed,
    not_assessed,
)
from matcher.conformance.luminance import luminance_image
from matcher.conformance.scoring import sigmoid_score

__all__ = ["BackgroundUniformity"]

_LEAST_SHARE: Final = 0.02
"""Least share of background in the part for an assessment."""


class BackgroundUniformity:
    """Mean strength of the luminance gradient behind the person, in luminance steps of a 3 x 3 Scharr filter.

    Source: ISO/IEC 29794-5, background uniformity, as in OFIQ: the aligned image from above the head to the
    mouth, reduced to 354 x 292, and the mapping. Only the area of the background is found in another way. The
    standard uses a face parsing network, which no pack has; here colour separates the background from head
    and hair (``matcher.conformance.background_mask``). Hair that reaches farther than an average head's and
    has the background's colour may count as background. In OFIQ's expected results, plain backgrounds measure
    36 to 92 and busy ones 187 to 243.
    """

    component: Final = Component.BACKGROUND_UNIFORMITY
    method: Final = Method.APPROXIMATION
    unit: Final = "luminance steps"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        reduced = cv2.resize(
            aligned.image[PART_ROWS, PART_COLUMNS], PART_SIZE, interpolation=cv2.INTER_LINEAR
        )
        part = reduced.astype(np.uint8, copy=False)
        background = background_mask(portrait.image, aligned, part=part)
        if np.count_nonzero(background) < _LEAST_SHARE * background.size:
            return not_assessed("the image shows too little of the background beside the head")
        luminance = luminance_image(part)
        across = cv2.Scharr(luminance, cv2.CV_32F, 1, 0)
        down = cv2.Scharr(luminance, cv2.CV_32F, 0, 1)
        gradient = float(cv2.mean(cv2.magnitude(across, down), mask=background)[0])
        return assessed(gradient, score=190 * (1 - sigmoid_score(gradient, x0=10.0, w=100.0) / 100))
