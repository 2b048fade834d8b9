"""Background uniformity: is there nothing to be seen behind the person."""

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
from matcher.conformance.luminance import luminance_image
from matcher.conformance.scoring import sigmoid_score

__all__ = ["BackgroundUniformity"]

_ROWS: Final = slice(0, 406)
_COLUMNS: Final = slice(62, 554)
"""The part of the aligned picture that is looked at: from above the head to the mouth."""
_WIDTH: Final = 354
_HEIGHT: Final = 292
"""The size to which that part is reduced."""
_SCALE: Final = _WIDTH / (_COLUMNS.stop - _COLUMNS.start)
_HEAD_CENTRE: Final = (308, 275)
_HEAD_HALF_WIDTH: Final = 185
_HEAD_HALF_HEIGHT: Final = 225
"""A head with short hair, and the neck below, aligned-picture pixels; hair that stands out further counts as
background."""
_MARGIN: Final = np.ones((4, 4), dtype=np.uint8)
_LEAST_SHARE: Final = 0.02
"""Less background than this share of the part says nothing."""


class BackgroundUniformity:
    """Mean strength of the luminance gradient behind the person, in luminance steps of a 3 x 3 Scharr filter.

    Source: ISO/IEC 29794-5, background uniformity, as OFIQ has it (aligned picture from above the head to the
    mouth, reduced to 354 x 292, mask eroded by 4 pixels, mapping), except for what counts as background:
    the standard finds it by a face parsing network, which no pack has; here it is what lies outside a
    head of average shape. A plain wall measures 20 to 90, a room or a street above 150.
    """

    component: Final = Component.BACKGROUND_UNIFORMITY
    method: Final = Method.APPROXIMATION
    unit: Final = "luminance steps"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        background = _background(aligned, width=portrait.image.shape[1], height=portrait.image.shape[0])
        if np.count_nonzero(background) < _LEAST_SHARE * background.size:
            return not_assessed("the picture shows too little beside the head to tell what is behind it")
        part = cv2.resize(aligned.image[_ROWS, _COLUMNS], (_WIDTH, _HEIGHT), interpolation=cv2.INTER_LINEAR)
        luminance = luminance_image(part.astype(np.uint8, copy=False))
        across = cv2.Scharr(luminance, cv2.CV_32F, 1, 0)
        down = cv2.Scharr(luminance, cv2.CV_32F, 0, 1)
        gradient = float(cv2.mean(cv2.magnitude(across, down), mask=background)[0])
        return assessed(gradient, score=190 * (1 - sigmoid_score(gradient, x0=10.0, w=100.0) / 100))


def _background(aligned: AlignedFace, *, width: int, height: int) -> NDArray[np.uint8]:
    """1 where there is picture and no head, shape (292, 354); never up to the edge of either."""
    mask = np.zeros((_HEIGHT, _WIDTH), dtype=np.uint8)
    # Pixel centres of the picture's corners, followed into the reduced part.
    corners = np.array([(0, 0), (width - 1, 0), (width - 1, height - 1), (0, height - 1)], dtype=np.float64)
    moved = corners @ aligned.transform[:, :2].T + aligned.transform[:, 2]
    # Far corners are brought near, along the edges, by clipping the polygon to a frame around the part.
    inside = _clipped((moved - (_COLUMNS.start, _ROWS.start)) * _SCALE)
    if inside is None:
        return mask
    cv2.fillConvexPoly(mask, inside, 1)
    x, y = ((c - s) * _SCALE for c, s in zip(_HEAD_CENTRE, (_COLUMNS.start, _ROWS.start), strict=True))
    axes = (round(_HEAD_HALF_WIDTH * _SCALE), round(_HEAD_HALF_HEIGHT * _SCALE))
    cv2.ellipse(mask, (round(x), round(y)), axes, 0, 0, 360, 0, cv2.FILLED)
    mask[round(y) :, max(0, round(x) - axes[0]) : round(x) + axes[0]] = 0
    return cv2.erode(mask, _MARGIN).astype(np.uint8, copy=False)


def _clipped(quadrilateral: NDArray[np.float64]) -> NDArray[np.int32] | None:
    frame = np.array(
        [(-9, -9), (_WIDTH + 9, -9), (_WIDTH + 9, _HEIGHT + 9), (-9, _HEIGHT + 9)], dtype=np.float32
    )
    area, shared = cv2.intersectConvexConvex(quadrilateral.astype(np.float32), frame)
    return np.rint(shared).astype(np.int32) if area > 0 else None
