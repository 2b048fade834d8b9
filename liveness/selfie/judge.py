"""The verdict on one selfie by the weighted sum of eight signals.

This is the result of ``AnalyzeImage`` for compatibility. It is explainable and weak (docs/selfie_signals.md
has its figures), and it never decides a scan: ``liveness.fusion`` does that.
"""

import math
from dataclasses import dataclass, replace
from typing import Protocol

from formats.exif import ExifTags
from liveness.selfie.exif_metadata import ExifMetadata
from liveness.selfie.geometry import EyeAspectRatio, FaceAreaRatio, FacialSymmetry, SelfieHeadPose
from liveness.selfie.model import SelfieModel
from liveness.selfie.settings import INCONCLUSIVE_MARGIN, SelfieSettings
from liveness.selfie.spectrum import FftDeepfake
from liveness.selfie.subject import SelfieSubject
from liveness.selfie.texture import LbpTexture, SelfieSharpness
from liveness.signal import Signal
from liveness.verdict import Verdict
from vision.face import BgrImage, DetectedFace, Landmarks


class SelfieSignal(Protocol):
    """One named measurement of a selfie."""

    @property
    def name(self) -> str:
        """``Signal.name``, as in the older selfie API (docs/analysis_service.md)."""
        ...

    @property
    def label(self) -> str:
        """``Signal.label``."""
        ...

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """Measures ``subject``; the signal is not assessed if it cannot be measured."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfieResult:
    """The result for one image, as in the older selfie API (docs/analysis_service.md).

    Attributes:
        verdict: LIVE, SPOOF or INCONCLUSIVE.
        confidence: The weighted sum of the scores, 0..1, rounded to four decimals.
        threshold: ``SelfieSettings.live_threshold``.
        face_detected: Whether a face was detected with enough confidence.
        signals: The eight signals in the order of ``model.SIGNAL_NAMES``; each has a score, and their weights
            sum to 1.
        not_assessed: Names of the signals that could not be measured; they count as neutral.
        version: ``SelfieModel.version``.
    """

    verdict: Verdict
    confidence: float
    threshold: float
    face_detected: bool
    signals: tuple[Signal, ...]
    not_assessed: tuple[str, ...]
    version: str


NEUTRAL = 0.5
"""The score of a signal that could not be assessed; the contract gives it to a file without EXIF."""

_DECIMALS = 4
"""The decimals to which a confidence is rounded, so that a sum of weights can equal a threshold."""
_SIGNALS: tuple[SelfieSignal, ...] = (
    SelfieSharpness(),
    EyeAspectRatio(),
    SelfieHeadPose(),
    FaceAreaRatio(),
    FacialSymmetry(),
    LbpTexture(),
    ExifMetadata(),
    FftDeepfake(),
)


def judge_selfie(
    *,
    image: BgrImage,
    face: DetectedFace | None,
    landmarks: Landmarks | None,
    exif: ExifTags,
    settings: SelfieSettings,
    model: SelfieModel,
) -> SelfieResult:
    """Judges a selfie by the weighted sum of the eight signals.

    Args:
        image: The whole image, upright, at full resolution.
        face: The face to judge, in pixels of the image; None if none was detected. A face with a confidence
            below ``settings.min_face_confidence`` counts as none.
        landmarks: The dense landmarks of ``face``; None if the pack has none. Without them the eyes are not
            assessed, and head orientation and symmetry are measured from the five points.
        exif: The file's metadata, read by ``formats.picture_metadata.read_exif_tags`` from the received
            bytes.
        settings: Thresholds.
        model: Weights.

    Returns:
        The result of the contract. A signal that cannot be assessed scores ``NEUTRAL``, keeps its weight and
        gives its reason. ``NEUTRAL`` is below the default threshold, so that missing measurements never make
        an image LIVE.

    Raises:
        ValueError: The scheme of the landmarks is unknown; an error in the caller's code.
    """
    # 1. Is there a face that is certain enough?
    seen = face if face is not None and face.confidence >= settings.min_face_confidence else None
    subject = SelfieSubject(image=image, face=seen, landmarks=None if seen is None else landmarks, exif=exif)
    # 2. Score the eight signals; one that cannot be assessed is neutral.
    found = [signal.assess(subject, settings) for signal in _SIGNALS]
    signals = tuple(_weighted(signal, model.weights[signal.name]) for signal in found)
    # 3. Add them by weight, and read the verdict from the contract's table of ranges.
    confidence = round(math.fsum(signal.weight * _score(signal) for signal in signals), _DECIMALS)
    return SelfieResult(
        verdict=selfie_verdict(confidence, threshold=settings.live_threshold, face_detected=seen is not None),
        confidence=confidence,
        threshold=settings.live_threshold,
        face_detected=seen is not None,
        signals=signals,
        not_assessed=tuple(signal.name for signal in found if not signal.assessed),
        version=model.version,
    )


def selfie_verdict(confidence: float, *, threshold: float, face_detected: bool) -> Verdict:
    """Returns the verdict by the table of ranges in the contract.

    The configuration table of the contract contradicts itself: a confidence at the threshold is LIVE, and one
    within 0.04 of it is INCONCLUSIVE. The table of ranges decides: with the default threshold, a confidence
    from 0.54 up to, not including, 0.62 is INCONCLUSIVE, and 0.62 is LIVE.

    Args:
        confidence: 0..1.
        threshold: 0..1.
        face_detected: False makes any confidence INCONCLUSIVE.
    """
    if not face_detected:
        return Verdict.INCONCLUSIVE
    if confidence >= round(threshold + INCONCLUSIVE_MARGIN, _DECIMALS):
        return Verdict.LIVE
    return (
        Verdict.INCONCLUSIVE
        if confidence >= round(threshold - INCONCLUSIVE_MARGIN, _DECIMALS)
        else Verdict.SPOOF
    )


def _weighted(signal: Signal, weight: float) -> Signal:
    if signal.assessed:
        return replace(signal, weight=weight)
    return replace(
        signal,
        score=NEUTRAL,
        passed=True,
        weight=weight,
        detail=f"Could not be assessed and counts as neutral: {signal.detail}",
    )


def _score(signal: Signal) -> float:
    return NEUTRAL if signal.score is None else signal.score
