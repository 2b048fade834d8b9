"""The parameters of seed 002's configuration table, under its names and with its defaults."""

import math
from dataclasses import dataclass, fields

from liveness.errors import LivenessPolicyError

BEST_AREA_RATIO = 0.20
"""Share of the picture at which a face's area scores best."""

LARGEST_AREA_RATIO = 0.80
"""Share of the picture above which a face's area has one fixed score."""

INCONCLUSIVE_MARGIN = 0.04
"""How far from the threshold a confidence must lie to decide."""

NATURAL_KURTOSIS = 3.0
"""Ring kurtosis of a natural picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfieSettings:
    """What the eight signals are measured against.

    Attributes:
        live_threshold: Confidence, 0..1, that separates LIVE from SPOOF; within 0.04 of it the verdict is
            INCONCLUSIVE. 0.04..0.96.
        min_face_confidence: The detector's confidence, 0..1, below which no face counts as found. A
            detector's confidence is comparable within one pack only.
        min_blur_variance: Variance of the face's Laplacian that scores 0.5; above 0.
        min_ear: Eye aspect ratio below which an eye counts as closed; above 0.
        max_yaw_deg: Degrees of turning that score 0.5; above 0, at most 90.
        max_pitch_deg: Degrees of nodding that score 0.5; above 0, at most 90.
        min_face_area_ratio: Share of the picture below which a face is penalised; above 0, below 0.20.
        max_asymmetry: Symmetry index that scores 0; above 0.
        lbp_dominant_bin_spoof_threshold: Share of one pattern, between 0 and 1, from which on texture is
            suspiciously uniform.
        fft_kurtosis_max: Ring kurtosis that scores 0; above 3.
        fft_hf_ratio_baseline: Share of the high frequencies in a natural picture; between 0 and 1.
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
