"""Sharpness: whether the face is in focus and free of motion blur."""

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from matcher.conformance.face_crop import FaceCrop, face_crop
from matcher.conformance.face_region import NO_ALIGNED_FACE, AlignedFace
from matcher.conformance.interface import (
    Assessment,
    Component,
    Method,
    PortraitView,
    assessed,
    not_assessed,
)
from matcher.conformance.scoring import sigmoid_score

__all__ = ["Sharpness"]

_NOISE_BLUR: Final = 0.7
"""Standard deviation of the Gaussian that removes the sensor's noise, pixels."""
_TEST_BLUR: Final = 2.0
"""Standard deviation of the Gaussian with the measured effect, pixels."""
_FLOOR: Final = 16.0
"""Energy of the gradients that rounding to whole grey levels causes, per pixel (Scharr weights)."""
_EVERY: Final = 2
"""Step of the rows and columns that the statistics use."""


class Sharpness:
    """Share of the gradients' energy that a further blur removes; it is large if the face is sharp.

    An approximation: the standard's measure is a random forest over Laplacian, Sobel and mean-difference
    features, which no pack has. This measure follows F. Crete et al., "The blur effect", SPIE 6492, 2007:
    a blurred image changes little if it is blurred again. The face is first reduced until its eyes are 113
    pixels apart (a smaller face is not changed). The stronger half of its gradients counts, in the direction
    that loses the least energy, so that sharpness in one direction does not hide motion in another.

    Sharp faces measure about 0.45. The score is 50 at 0.27, which a Gaussian blur with a standard deviation
    of 1.6 of these pixels causes, or a movement of 7. Of 135 photos (eyes at least 113 pixels apart before
    they were reduced), the unchanged ones, and those blurred by 0.8 pixels, measure more than those blurred
    by 2 to 4 pixels in 98% of all pairs, and more than those moved by 7 or 11 pixels in 93%, with sensor
    noise of up to 4 grey levels. Some of the photos were not sharp originally.
    ``python -m research.portrait_measures`` measures it.
    """

    component: Final = Component.SHARPNESS
    method: Final = Method.APPROXIMATION
    unit: Final = "fraction"

    def assess(self, portrait: PortraitView) -> Assessment:
        """Measures one portrait."""
        aligned = portrait.aligned
        if aligned is None:
            return not_assessed(NO_ALIGNED_FACE)
        crop = face_crop(portrait.image, aligned)
        if crop is None:
            return not_assessed("the face lies outside the image")
        lost = _energy_lost(*_reduced(crop, aligned))
        return assessed(lost, score=sigmoid_score(lost, x0=0.27, w=0.05))


def _reduced(crop: FaceCrop, aligned: AlignedFace) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Return the crop in grey, at the size at which it is measured, and the mask of the face in it."""
    pixels, reduction = crop.pixels, crop.reduction
    # Halving is many times faster than any other reduction and comes first; an odd last row is dropped.
    while reduction <= 1 / 2 and min(pixels.shape[:2]) >= 2:
        size = (pixels.shape[1] // 2, pixels.shape[0] // 2)
        even = pixels[: 2 * size[1], : 2 * size[0]]
        pixels = cv2.resize(even, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        reduction *= 2
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    if reduction < 1:
        size = (max(1, round(grey.shape[1] * reduction)), max(1, round(grey.shape[0] * reduction)))
        grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
    # Maps the reduced crop's pixels to the aligned image; warpAffine inverts it to sample the mask.
    across, down = crop.pixels.shape[1] / grey.shape[1], crop.pixels.shape[0] / grey.shape[0]
    to_aligned = aligned.transform @ np.array([[across, 0, crop.left], [0, down, crop.top], [0, 0, 1]])
    size = (grey.shape[1], grey.shape[0])
    mask = cv2.warpAffine(aligned.mask, to_aligned, size, flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP)
    return grey.astype(np.uint8, copy=False), mask.astype(np.uint8, copy=False)


def _energy_lost(grey: NDArray[np.uint8], mask: NDArray[np.uint8]) -> float:
    seen = _blurred(grey.astype(np.float32), _NOISE_BLUR)
    inside = mask[::_EVERY, ::_EVERY] > 0
    before = _gradients(seen, inside)
    after = _gradients(_blurred(seen, _TEST_BLUR), inside)
    if after.shape[1] == 0:
        return 0.0
    energy = (after * after).sum(axis=0)
    strong = energy >= np.median(energy)
    before, after = before[:, strong], after[:, strong]
    # In direction d the energy is d' G G' d; the largest ratio of after to before is an eigenvalue.
    had = np.asarray(before @ before.T, dtype=np.float64) / before.shape[1] + _FLOOR * np.eye(2)
    kept = np.asarray(after @ after.T, dtype=np.float64) / after.shape[1]
    ratio = float(np.linalg.eigvals(np.linalg.solve(had, kept)).real.max())
    # A face without gradients is not sharp, regardless of the share that rounding removes.
    return min(1.0, max(0.0, 1 - ratio)) if float(np.trace(kept)) > _FLOOR else 0.0


def _blurred(grey: NDArray[np.float32], deviation: float) -> NDArray[np.float32]:
    return cv2.GaussianBlur(grey, (0, 0), deviation).astype(np.float32, copy=False)


def _gradients(grey: NDArray[np.float32], inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Return the gradients across and down, of every second pixel that is inside; shape (2, n)."""
    across = cv2.Scharr(grey, cv2.CV_32F, 1, 0)[::_EVERY, ::_EVERY][inside]
    down = cv2.Scharr(grey, cv2.CV_32F, 0, 1)[::_EVERY, ::_EVERY][inside]
    return np.stack([across, down]).astype(np.float32, copy=False)
