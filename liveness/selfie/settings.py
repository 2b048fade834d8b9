"""The parameters of the eight signals, with the names and defaults of the older selfie API.

Also the input of the signals: one upright image, the face in it, and the metadata of its file.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from formats.exif import ExifTags
from liveness.errors import LivenessPolicyError
from liveness.extent import face_extent
from liveness.verdict import NamedSignal, Signal
from vision.face import BgrImage, DetectedFace, Landmarks

BEST_AREA_RATIO = 0.20
"""The share of the image at which a face's area scores best."""

LARGEST_AREA_RATIO = 0.80
"""The share of the image above which a face's area has a fixed score."""

INCONCLUSIVE_MARGIN = 0.04
"""The distance from the threshold within which a confidence is INCONCLUSIVE."""

NATURAL_KURTOSIS = 3.0
"""The ring kurtosis of a natural image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfieSettings:
    """The thresholds of the eight signals and of the verdict.

    Attributes:
        live_threshold: Confidence that separates LIVE from SPOOF, 0.04..0.96; within 0.04 of it the verdict
            is INCONCLUSIVE.
        min_face_confidence: The detector's confidence, 0..1, below which a face counts as not detected. A
            detector's confidence is comparable only within one pack.
        min_blur_variance: Variance of the face's Laplacian that scores 0.5; above 0.
        min_ear: Eye aspect ratio below which an eye counts as closed; above 0.
        max_yaw_deg: Yaw that scores 0.5, degrees; above 0, at most 90.
        max_pitch_deg: Pitch that scores 0.5, degrees; above 0, at most 90.
        min_face_area_ratio: Share of the image that scores 0.5, below which a face is penalised; above 0,
            below 0.20.
        max_asymmetry: Symmetry index that scores 0; above 0.
        lbp_dominant_bin_spoof_threshold: Share of one pattern, between 0 and 1, from which on texture is
            suspiciously uniform.
        fft_kurtosis_max: Ring kurtosis that scores 0; above 3.
        fft_hf_ratio_baseline: Share of the high frequencies in a natural image; between 0 and 1.
        fft_az_variance_max: Azimuthal variance that scores 0.5; above 0.

    Raises:
        LivenessPolicyError: A value is out of its range.
    """

    live_threshold: float = 0.58
    min_face_confidence: float = 0.60
    min_blur_variance: float = 40.0
    min_ear: float = 0.15
    max_yaw_deg: float = 35.0
    max_pitch_deg: float = 30.0
    min_face_area_ratio: float = 0.04
    max_asymmetry: float = 0.20
    lbp_dominant_bin_spoof_threshold: float = 0.60
    fft_kurtosis_max: float = 12.0
    fft_hf_ratio_baseline: float = 0.65
    fft_az_variance_max: float = 0.35

    def __post_init__(self) -> None:
        for each in fields(self):
            if not math.isfinite(getattr(self, each.name)):
                raise LivenessPolicyError(
                    f"{each.name} is {getattr(self, each.name)}; it must be a finite number"
                )
        self._require(
            "live_threshold",
            INCONCLUSIVE_MARGIN <= self.live_threshold <= 1 - INCONCLUSIVE_MARGIN,
            f"within {INCONCLUSIVE_MARGIN} and {1 - INCONCLUSIVE_MARGIN}",
        )
        self._require("min_face_confidence", 0 <= self.min_face_confidence <= 1, "within 0 and 1")
        for name in ("min_blur_variance", "min_ear", "max_asymmetry", "fft_az_variance_max"):
            self._require(name, getattr(self, name) > 0, "above 0")
        for name in ("max_yaw_deg", "max_pitch_deg"):
            self._require(name, 0 < getattr(self, name) <= 90, "above 0 and at most 90")
        self._require(
            "min_face_area_ratio",
            0 < self.min_face_area_ratio < BEST_AREA_RATIO,
            f"above 0 and below {BEST_AREA_RATIO}",
        )
        for name in ("lbp_dominant_bin_spoof_threshold", "fft_hf_ratio_baseline"):
            self._require(name, 0 < getattr(self, name) < 1, "between 0 and 1")
        self._require(
            "fft_kurtosis_max", self.fft_kurtosis_max > NATURAL_KURTOSIS, f"above {NATURAL_KURTOSIS}"
        )

    def _require(self, name: str, holds: bool, wanted: str) -> None:
        if not holds:
            raise LivenessPolicyError(f"{name} is {getattr(self, name)}; it must be {wanted}")


def score_between(value: float, anchors: Sequence[tuple[float, float]]) -> float:
    """Return a score, 0..1: linear between the anchors, constant beyond the first and the last.

    Args:
        anchors: Pairs of a value and its score, in increasing order of the values.
    """
    values, scores = zip(*anchors, strict=True)
    return float(np.interp(value, values, scores))


GreyCrop = NDArray[np.uint8]
"""Part of an image in 8-bit grey (ITU-R BT.601 luma), shape (height, width)."""

TEXTURE_SIDE: Final = 96
_SPECTRUM_SIDE: Final = 256
_INNER_SHARE: Final = 0.7
_SMALLEST_SIDE: Final = 24
"""The sides of the crops for texture and, at most, for the spectrum, pixels; the width of the latter, face
widths; the least side of either in the image, pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfieSubject:
    """One image with its face and metadata.

    Attributes:
        image: The whole image, upright.
        face: The face to judge; None if none was detected.
        landmarks: The face's dense landmarks; None if the pack has none.
        exif: The file's metadata about camera and software.
    """

    image: BgrImage
    face: DetectedFace | None
    landmarks: Landmarks | None
    exif: ExifTags


class SelfieSignal(NamedSignal, ABC):
    """One named measurement of a selfie. Its name is that of the older selfie API (docs/analysis.md)."""

    @abstractmethod
    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """Measure ``subject``; the signal is not assessed if it cannot be measured."""


def face_crop(subject: SelfieSubject, side: int) -> GreyCrop | None:
    """Return the face from ear to ear and from hairline to chin, resized to ``side`` x ``side`` pixels.

    Returns:
        The crop; None if there is no face, or if it has less than 24 pixels in width or height.
    """
    if subject.face is None:
        return None
    extent = face_extent(subject.face)
    region = _inside(subject.image, extent.left, extent.top, extent.right, extent.bottom)
    return None if region is None else _fit(_grey(region), side)


def texture_crop(subject: SelfieSubject) -> GreyCrop | None:
    """Return ``face_crop`` at 96 x 96 pixels, the input of ``lbp_texture``."""
    return face_crop(subject, TEXTURE_SIDE)


def inner_square(subject: SelfieSubject) -> GreyCrop | None:
    """Return the middle of the face, 0.7 face widths wide, at its own resolution but at most 256 pixels.

    It is never enlarged, because enlarging leaves the same traces in a spectrum as generators do.

    Returns:
        Shape (n, n), n even; None if there is no face, or if its middle has less than 24 pixels in width or
        height.
    """
    if subject.face is None:
        return None
    extent = face_extent(subject.face)
    half = extent.width * _INNER_SHARE / 2
    region = _inside(subject.image, extent.x - half, extent.y - half, extent.x + half, extent.y + half)
    if region is None:
        return None
    height, width = region.shape[:2]
    side = min(height, width)
    side -= side % 2
    top, left = (height - side) // 2, (width - side) // 2
    square = _grey(region[top : top + side, left : left + side])
    return square if side <= _SPECTRUM_SIDE else _fit(square, _SPECTRUM_SIDE)


def _inside(image: BgrImage, left: float, top: float, right: float, bottom: float) -> BgrImage | None:
    height, width = image.shape[:2]
    if not np.isfinite((left, top, right, bottom)).all():
        return None
    columns = round(min(max(0.0, left), width)), round(min(max(0.0, right), width))
    rows = round(min(max(0.0, top), height)), round(min(max(0.0, bottom), height))
    if min(columns[1] - columns[0], rows[1] - rows[0]) < _SMALLEST_SIDE:
        return None
    return image[rows[0] : rows[1], columns[0] : columns[1]]


def _grey(region: BgrImage) -> GreyCrop:
    return cv2.cvtColor(region, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)


def _fit(grey: GreyCrop, side: int) -> GreyCrop:
    # Halving a large face first costs a fraction of resizing it at once and gives nearly the same pixels.
    while min(grey.shape) >= 2 * side:
        rows, columns = grey.shape[0] // 2, grey.shape[1] // 2
        even = grey[: 2 * rows, : 2 * columns]
        grey = cv2.resize(even, (columns, rows), interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    shrinks = min(grey.shape) > side
    interpolation = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(grey, (side, side), interpolation=interpolation).astype(np.uint8, copy=False)
