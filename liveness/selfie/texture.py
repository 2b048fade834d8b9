"""The signals of the face's sharpness and of the variety of the skin's micro-texture."""

import math
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from liveness.selfie.settings import (
    GreyCrop,
    SelfieSettings,
    SelfieSignal,
    SelfieSubject,
    face_crop,
    score_between,
    texture_crop,
)
from liveness.verdict import Signal, score_against_line

_SIDE: Final = 160
_STEEPNESS: Final = 1.5
_SHARP, _FAIRLY_SHARP = 0.8, 0.5
"""Scores at which the words of the detail change. They do not affect the verdict."""


class SelfieSharpness(SelfieSignal):
    """The variance of the Laplacian of the grey face at 160 x 160 pixels.

    The contract measures the whole image, so that a camera with more pixels or a patterned wall makes a face
    look sharper. This signal measures the face at a fixed size, at which one value of ``min_blur_variance``
    suits all cameras: at 160 pixels, 95 of 100 live phone selfies of the development images lie above the
    default (docs/analysis.md). The score is 0.5 at the floor and 0.8 at two and a half times the floor.
    """

    name = "sharpness"
    label = "Sharpness"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        crop = face_crop(subject, _SIDE)
        if crop is None:
            reason = "No face was found." if subject.face is None else "The face is too small."
            return self.unknown(reason)
        variance = float(cv2.Laplacian(crop, cv2.CV_32F).var())
        score = score_against_line(variance, settings.min_blur_variance, _STEEPNESS)
        return self.scored(
            score,
            f"{_sharpness_in_words(score)} (Laplacian variance {variance:.0f}; the floor is "
            f"{settings.min_blur_variance:.0f}).",
        )


def _sharpness_in_words(score: float) -> str:
    if score >= _SHARP:
        return "The face is sharp and well focused"
    if score >= _FAIRLY_SHARP:
        return "The face is moderately sharp, as in compressed selfies"
    return "The face is soft or blurred, as in recaptured images"


# Uniform local binary patterns of an image.
#
# Source: T. Ojala, M. Pietikäinen and T. Mäenpää, "Multiresolution Gray-Scale and Rotation Invariant Texture
# Classification with Local Binary Patterns", IEEE PAMI 24(7), 2002: eight neighbours at radius 1, the
# diagonal ones interpolated (section 2.1), and uniform patterns (section 2.3).

LBP_BINS: Final = 59
"""The number of bins: 58 uniform patterns in the order of their codes, and a last bin for all others."""

_NEIGHBOURS: Final = 8
_MOST_CHANGES: Final = 2
_TOLERANCE: Final = 1e-6
_DIAGONAL: Final = math.sqrt(0.5)
"""The neighbours of a pixel; the most changes around it in a uniform pattern; the difference of grey levels
up to which two values are equal, against rounding; the coordinate of a diagonal neighbour at radius 1. All
but the third are the source's."""


def _uniform_bins() -> NDArray[np.uint8]:
    """Return the bin of each of the 256 codes."""
    bins = np.full(256, LBP_BINS - 1, np.uint8)
    uniform = [code for code in range(256) if _changes(code) <= _MOST_CHANGES]
    bins[uniform] = np.arange(len(uniform))
    return bins


def _changes(code: int) -> int:
    """Return how often neighbouring bits differ, around the circle."""
    turned = (code >> 1) | ((code & 1) << (_NEIGHBOURS - 1))
    return (code ^ turned).bit_count()


_BINS: Final = _uniform_bins()
_BINS.setflags(write=False)


def lbp_codes(grey: GreyCrop) -> NDArray[np.uint8]:
    """Return the pattern around every pixel that has eight neighbours.

    Bit ``p`` is set if the neighbour at ``p`` times 45 degrees, counter-clockwise from the right, is at least
    as bright as the pixel.

    Args:
        grey: Shape (height, width), each 3 or more.

    Returns:
        Bins 0..58 (see ``LBP_BINS``), shape (height - 2, width - 2).
    """
    picture = grey.astype(np.float64)
    centre = picture[1:-1, 1:-1]
    codes = np.zeros(centre.shape, np.uint8)
    for index, (right, down) in enumerate(
        ((1, 0), (1, -1), (0, -1), (-1, -1), (-1, 0), (-1, 1), (0, 1), (1, 1))
    ):
        beside, below = _moved(picture, right, 0), _moved(picture, 0, down)
        if right and down:
            near, far = 1 - _DIAGONAL, _DIAGONAL
            corner = _moved(picture, right, down)
            neighbour = near * near * centre + near * far * (beside + below) + far * far * corner
        else:
            neighbour = beside if right else below
        codes |= (neighbour >= centre - _TOLERANCE).astype(np.uint8) << np.uint8(index)
    return _BINS[codes]


def lbp_histogram(codes: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the share of each pattern.

    Args:
        codes: The result of ``lbp_codes``, at least one code.

    Returns:
        Shape (59,): shares that sum to 1.
    """
    return np.bincount(codes.ravel(), minlength=LBP_BINS) / codes.size


def pattern_entropy(histogram: NDArray[np.float64]) -> float:
    """Return the Shannon entropy in bits, 0 to log2(59) = 5.88."""
    present = histogram[histogram > 0]
    return max(0.0, float(-(present * np.log2(present)).sum()))


def _moved(picture: NDArray[np.float64], right: int, down: int) -> NDArray[np.float64]:
    height, width = picture.shape
    return picture[1 + down : height - 1 + down, 1 + right : width - 1 + right]


_ENTROPY_ANCHORS = ((0.0, 0.0), (4.8, 0.35), (5.0, 0.55), (5.25, 0.80), (5.45, 1.0))
_GOOD, _FAIR, _POOR = 0.8, 0.55, 0.35
"""Scores at which the words of the detail change. They do not affect the verdict."""


class LbpTexture(SelfieSignal):
    """Uniform local binary patterns of the face at 96 x 96 pixels: the worse of two scores.

    Entropy of the histogram: linear between 0 at 0 bits, 0.35 at 4.8, 0.55 at 5.0, 0.80 at 5.25 and 1 at
    5.45, derived from the development images (docs/analysis.md). Share of the most frequent pattern: 1
    at 0, 0.5 at ``lbp_dominant_bin_spoof_threshold``, 0 if it is the only pattern.
    """

    name = "lbp_texture"
    label = "Skin micro-texture (LBP)"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        crop = texture_crop(subject)
        if crop is None:
            reason = "No face was found." if subject.face is None else "The face is too small."
            return self.unknown(reason)
        histogram = lbp_histogram(lbp_codes(crop))
        score = texture_score(
            entropy=pattern_entropy(histogram),
            dominant=float(histogram.max()),
            threshold=settings.lbp_dominant_bin_spoof_threshold,
        )
        return self.scored(
            score,
            f"{_texture_in_words(score)} (pattern entropy {pattern_entropy(histogram):.2f} of 5.88 bits, "
            f"most frequent pattern {100 * float(histogram.max()):.0f} %).",
        )


def texture_score(*, entropy: float, dominant: float, threshold: float) -> float:
    """Return the score of a histogram.

    Args:
        entropy: Entropy of the histogram, bits, 0..5.88.
        dominant: Share of the most frequent pattern, 0..1.
        threshold: ``SelfieSettings.lbp_dominant_bin_spoof_threshold``.
    """
    varied = score_between(entropy, _ENTROPY_ANCHORS)
    spread = score_between(dominant, ((0.0, 1.0), (threshold, 0.5), (1.0, 0.0)))
    return min(varied, spread)


def _texture_in_words(score: float) -> str:
    if score >= _GOOD:
        return "The skin's texture is like that of a real face"
    if score >= _FAIR:
        return "The texture is broadly consistent with skin, with some loss as from compression"
    if score >= _POOR:
        return "The texture is partly uniform, as on a flat medium"
    return "The texture is highly uniform or periodic"
