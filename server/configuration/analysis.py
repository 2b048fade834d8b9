"""The settings of AnalysisService."""

from dataclasses import asdict, replace
from typing import Self

from pydantic import Field, model_validator

from liveness import LivenessPolicyError
from liveness.selfie import SelfieSettings
from matcher import PHOTO_SUBJECT, SCAN_SUBJECT, SubjectRule
from server.base.table import Table

__all__ = ["AnalysisSettings", "SelfieTable", "SubjectTable", "VideoSubjectTable"]

_DEFAULTS = SelfieSettings()


class SelfieTable(Table):
    """The parameters of the eight signals of AnalyzeImage."""

    live_threshold: float = _DEFAULTS.live_threshold
    """Confidence from which a selfie is LIVE; within 0.04 of it the verdict is INCONCLUSIVE."""
    min_face_confidence: float = _DEFAULTS.min_face_confidence
    """Confidence of the detector below which a face counts as not found."""
    min_blur_variance: float = _DEFAULTS.min_blur_variance
    """Variance of the Laplacian of the face that scores 0.5; lower it for strongly compressed images."""
    min_ear: float = _DEFAULTS.min_ear
    """Eye aspect ratio below which an eye counts as closed."""
    max_yaw_deg: float = _DEFAULTS.max_yaw_deg
    """Yaw in degrees that scores 0.5."""
    max_pitch_deg: float = _DEFAULTS.max_pitch_deg
    """Pitch in degrees that scores 0.5."""
    min_face_area_ratio: float = _DEFAULTS.min_face_area_ratio
    """Share of the image area below which a face is penalised."""
    max_asymmetry: float = _DEFAULTS.max_asymmetry
    """Symmetry index that scores 0."""
    lbp_dominant_bin_spoof_threshold: float = _DEFAULTS.lbp_dominant_bin_spoof_threshold
    """Share of one pattern from which the texture of skin is suspiciously uniform."""
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
        """Returns the parameters in the form of ``liveness.selfie``."""
        return SelfieSettings(**{name: getattr(self, name) for name in asdict(_DEFAULTS)})


class SubjectTable(Table):
    """The faces of a selfie that count as persons. The subject is the most prominent by size and centre."""

    background_width: float = Field(default=PHOTO_SUBJECT.background_width, ge=0.0, le=1.0)
    """Width of a face, over that of the subject, up to which it counts as background if it lies off-centre
    and the subject does not. Faces below a third are always background; with 0 no others are."""
    centre: float = Field(default=PHOTO_SUBJECT.centre, ge=0.2, le=0.6)
    """Distance from the centre of the image, over half its diagonal, from which a face lies off-centre."""

    def as_rule(self) -> SubjectRule:
        """Returns the values in the form of ``matcher.persons``."""
        return replace(PHOTO_SUBJECT, background_width=self.background_width, centre=self.centre)


class VideoSubjectTable(Table):
    """The faces of a video's frame that count as persons. A frame with several persons does not count."""

    background_width: float = Field(default=SCAN_SUBJECT.background_width, ge=0.0, le=0.8)
    """Width of a face, over that of the subject, up to which it counts as background if it lies off-centre
    and the subject does not. Faces below 0.4 are always background; with 0 no others are."""
    centre: float = Field(default=SCAN_SUBJECT.centre, ge=0.2, le=0.6)
    """Distance from the centre of the frame, over half its diagonal, from which a face lies off-centre."""

    def as_rule(self) -> SubjectRule:
        """Returns the values in the form of ``matcher.persons``."""
        return replace(SCAN_SUBJECT, background_width=self.background_width, centre=self.centre)


class AnalysisSettings(Table):
    """AnalysisService: the number of analyses at once, and the limits of one video."""

    max_images: int = Field(default=4, ge=1, le=1_000)
    """Maximum number of selfies that are analysed at once; further calls wait, or are refused with
    RESOURCE_EXHAUSTED. A selfie of 50 million pixels takes about 300 MB during its analysis."""
    max_videos: int = Field(default=2, ge=1, le=100)
    """Maximum number of videos that are uploaded or analysed at once. Each takes up to 250 MB during its
    call, in addition to the memory of its decoder process."""
    still_workers: int = Field(default=1, ge=0, le=64)
    """Number of processes in which WebP selfies and frames are decoded, with the limits of ``isolation``, so
    that no trusted image waits for them. With 0, they share the processes of trusted images."""
    video_workers: int = Field(default=1, ge=0, le=64)
    """Number of processes in which videos are decoded, and of threads that analyse them. With 0, videos are
    refused, but still frames are analysed."""
    video_memory_mib: int = Field(default=1024, ge=128, le=65_536)
    """Memory that such a process may map in addition to its memory at the start."""
    video_cpu_seconds: int = Field(default=60, ge=1, le=600)
    """Maximum CPU time to decode one video."""
    video_wall_seconds: float = Field(default=90.0, ge=1.0, le=600.0)
    """Maximum time for one video, from its transfer to the decoder to the analysis of its last frame."""
    max_video_seconds: float = Field(default=60.0, ge=1.0, le=600.0)
    """Maximum length of a video; a longer one is refused."""
    upload_seconds: float = Field(default=60.0, ge=1.0, le=600.0)
    """Maximum duration of one upload."""
    idle_seconds: float = Field(default=10.0, ge=0.1, le=60.0)
    """Maximum time between two messages of an upload."""
    selfie: SelfieTable = SelfieTable()
    """The parameters of the eight signals."""
    subject: SubjectTable = SubjectTable()
    """The faces of a selfie that count as persons."""
    video_subject: VideoSubjectTable = VideoSubjectTable()
    """The faces of a video's frame that count as persons."""
