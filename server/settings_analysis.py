"""The settings of AnalysisService."""

from dataclasses import asdict
from typing import Self

from pydantic import Field, model_validator

from liveness.errors import LivenessPolicyError
from liveness.selfie import SelfieSettings
from server.settings_base import Table

__all__ = ["AnalysisSettings", "SelfieTable"]

_DEFAULTS = SelfieSettings()


class SelfieTable(Table):
    """The parameters of the eight signals of AnalyzeImage."""

    live_threshold: float = _DEFAULTS.live_threshold
    """Confidence from which a selfie is LIVE; within 0.04 of it the verdict is INCONCLUSIVE."""
    min_face_confidence: float = _DEFAULTS.min_face_confidence
    """The detector's confidence below which no face counts as found."""
    min_blur_variance: float = _DEFAULTS.min_blur_variance
    """Variance of the face's Laplacian that scores 0.5; lower it where pictures are heavily compressed."""
    min_ear: float = _DEFAULTS.min_ear
    """Eye aspect ratio below which an eye counts as closed."""
    max_yaw_deg: float = _DEFAULTS.max_yaw_deg
    """Degrees of turning that score 0.5."""
    max_pitch_deg: float = _DEFAULTS.max_pitch_deg
    """Degrees of nodding that score 0.5."""
    min_face_area_ratio: float = _DEFAULTS.min_face_area_ratio
    """Share of the picture below which a face is penalised."""
    max_asymmetry: float = _DEFAULTS.max_asymmetry
    """Symmetry index that scores 0."""
    lbp_dominant_bin_spoof_threshold: float = _DEFAULTS.lbp_dominant_bin_spoof_threshold
    """Share of one pattern from which on skin texture is suspiciously uniform."""
    fft_kurtosis_max: float = _DEFAULTS.fft_kurtosis_max
    """Ring kurtosis that scores 0."""
    fft_hf_ratio_baseline: float = _DEFAULTS.fft_hf_ratio_baseline
    """Share of high frequencies in a natural selfie."""
    fft_az_variance_max: float = _DEFAULTS.fft_az_variance_max
    """Azimuthal variance that scores 0.5."""

    @model_validator(mode="after")
    def _valid(self) -> Self:
        try:
            self.as_settings()
        except LivenessPolicyError as error:
            raise ValueError(str(error)) from error
        return self

    def as_settings(self) -> SelfieSettings:
        """The same in the liveness room's terms."""
        return SelfieSettings(**{name: getattr(self, name) for name in asdict(_DEFAULTS)})


class AnalysisSettings(Table):
    """AnalysisService: how much at once, and what one video may use."""

    max_images: int = Field(default=4, ge=1, le=1_000)
    """Selfies that are being analysed at once; beyond it the answer is RESOURCE_EXHAUSTED. One of 50 million
    pixels takes some 300 MB while it lasts."""
    max_videos: int = Field(default=2, ge=1, le=100)
    """Videos that are being uploaded or analysed at once; each takes up to 250 MB while it lasts, and its
    decoder the memory of its process."""
    still_workers: int = Field(default=1, ge=0, le=64)
    """Processes in which WebP selfies and frames are decoded, limited as `isolation` says, so that no trusted
    image waits behind them. 0 shares those of trusted images."""
    video_workers: int = Field(default=1, ge=0, le=64)
    """Processes in which videos are decoded, and threads that analyse them. 0 refuses videos; still frames
    are analysed all the same."""
    video_memory_mib: int = Field(default=1024, ge=128, le=65_536)
    """Memory that such a process may map beyond what it starts with."""
    video_cpu_seconds: int = Field(default=60, ge=1, le=600)
    """CPU time of decoding one video."""
    video_wall_seconds: float = Field(default=90.0, ge=1.0, le=600.0)
    """Time of one video, from sending it to its decoder to its last frame's analysis."""
    max_video_seconds: float = Field(default=60.0, ge=1.0, le=600.0)
    """Length of a video; a longer one is refused."""
    upload_seconds: float = Field(default=60.0, ge=1.0, le=600.0)
    """Time of one upload."""
    idle_seconds: float = Field(default=10.0, ge=0.1, le=60.0)
    """Time without a message of it."""
    selfie: SelfieTable = SelfieTable()
    """The parameters of the eight signals."""
