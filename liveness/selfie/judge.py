"""The verdict on one selfie by the weighted sum of eight signals.

This is the compatibility answer of ``AnalyzeImage``: it is explainable and weak (docs/selfie_signals.md has
its figures), and never decides a scan, which ``liveness.fusion`` does.
"""

import math
from dataclasses import replace

from liveness.selfie.exif_metadata import ExifMetadata
from liveness.selfie.eye_aspect_ratio import EyeAspectRatio
from liveness.selfie.face_area_ratio import FaceAreaRatio
from liveness.selfie.facial_symmetry import FacialSymmetry
from liveness.selfie.fft_deepfake import FftDeepfake
from liveness.selfie.head_pose import SelfieHeadPose
from liveness.selfie.interface import SelfieSignal
from liveness.selfie.lbp_texture import LbpTexture
from liveness.selfie.model import SelfieModel
from liveness.selfie.result import SelfieResult
from liveness.selfie.settings import INCONCLUSIVE_MARGIN, SelfieSettings
from liveness.selfie.sharpness import SelfieSharpness
from liveness.selfie.subject import SelfieSubject
from liveness.signal import Signal
from liveness.verdict import Verdict
from vision.exif_tags import ExifTags
from vision.face import BgrImage, DetectedFace, Landmarks

__all__ = ["NEUTRAL", "judge_selfie", "selfie_verdict"]

NEUTRAL = 0.5
"""The score of a signal that could not be assessed, as the seed gives it to a file without EXIF."""

_DECIMALS = 4
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
    """Measure the eight signals and add them up.

    Args:
        image: The whole picture, upright, at full resolution.
        face: The face in question, in its pixels; None where none was found. One that the detector is
            less sure of than ``settings.min_face_confidence`` counts as none.
        landmarks: The dense landmarks of ``face``; None where the pack has none. Without them the eyes
            are not assessed, and head orientation and symmetry rest on the five points.
        exif: What the file says, as ``vision.picture_metadata.read_exif_tags`` reads it from the bytes
            as they arrived.
        settings: Thresholds.
        model: Weights.

    Returns:
        The seed's result. A signal that cannot be assessed scores ``NEUTRAL``, keeps its weight and says
        why: below the threshold, so that what could not be seen never makes a picture LIVE.

    Raises:
        ValueError: Landmarks of an unknown scheme; a mistake of the caller's code.
    """
    seen = face if face is not None and face.confidence >= settings.min_face_confidence else None
    subject = SelfieSubject(image=image, face=seen, landmarks=None if seen is None else landmarks, exif=exif)
    found = [signal.assess(subject, settings) for signal in _SIGNALS]
    signals = tuple(_weighted(signal, model.weights[signal.name]) for signal in found)
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
    """The verdict by the seed's table of ranges.

    By the seed's configuration table a confidence at the threshold is LIVE and within 0.04 of it
    INCONCLUSIVE, which cannot both hold. Its table of ranges settles it: with the default threshold 0.54 up
    to, not including, 0.62 is INCONCLUSIVE, 0.62 is LIVE.

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
