"""The verdict on one selfie by the weighted sum of eight signals.

This is the result of ``AnalyzeImage`` for compatibility. It is explainable and weak (docs/analysis.md
has its figures), and it never decides a scan: ``liveness.fusion`` does that.

Here are also the weights, and the signal of a file's metadata: whether it is from a camera, or from
screen-capture and editing software.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, get_type_hints

from formats.exif import ExifState, ExifTags
from liveness.errors import SelfieModelError
from liveness.model_file import read_packaged, read_parts
from liveness.selfie.geometry import EyeAspectRatio, FaceAreaRatio, FacialSymmetry, SelfieHeadPose
from liveness.selfie.settings import INCONCLUSIVE_MARGIN, SelfieSettings, SelfieSignal, SelfieSubject
from liveness.selfie.spectrum import FftDeepfake
from liveness.selfie.texture import LbpTexture, SelfieSharpness
from liveness.verdict import Signal, Verdict
from vision.face import BgrImage, DetectedFace, Landmarks


@dataclass(frozen=True, slots=True)
class SelfieModel:
    """The weights of the signals.

    Attributes:
        version: The version of the data file; part of every result.
        weights: Weight by signal name, each above 0; they sum to 1, and ``lbp_texture`` has the highest.
        record: The facts of how the weights were chosen, in words, by the name of the fact.
    """

    version: str
    weights: Mapping[str, float]
    record: Mapping[str, str]


def load_selfie_model() -> SelfieModel:
    """Return the packaged model.

    Raises:
        SelfieModelError: The data file is missing or not usable.
    """
    return parse_selfie_model(read_packaged("liveness.selfie", "selfie_model.toml", broken=SelfieModelError))


def parse_selfie_model(text: str) -> SelfieModel:
    """Parse a model from the text of its data file.

    Raises:
        SelfieModelError: The text is not TOML, a part is missing or of the wrong type, or a signal has no
            weight.
    """
    model = SelfieModel(**read_parts(text, get_type_hints(SelfieModel), broken=SelfieModelError))
    if set(model.weights) != set(SIGNAL_NAMES):
        raise SelfieModelError(
            f"the weights must be of {sorted(SIGNAL_NAMES)}; they are of {sorted(model.weights)}"
        )
    return model


SPOOF_KEYWORDS: Final = (
    "screenshot",
    "screen capture",
    "snipping",
    "obs",
    "bandicam",
    "photoshop",
    "gimp",
    "preview",
    "snagit",
)
"""The list of the contract, in its order."""

_IN_COMMENTS: Final = ("screenshot", "screen capture")
_SEPARATORS: Final = re.compile(r"[\s_-]+")
_OBS: Final = re.compile(r"(?<![a-z])obs(?![a-z])")
_ABSENT, _NO_CAMERA, _CAMERA, _OPTICS, _SOFTWARE = 0.50, 0.55, 0.75, 0.25, 0.10
"""The scores of the contract's table; see ``ExifMetadata``."""


class ExifMetadata(SelfieSignal):
    """The contract's table: 0.50 without EXIF, 0.55 without a camera, 0.75 with one, up to 1 with optics.

    F-number, ISO, exposure time, focal length and GPS position add a fifth of the last 0.25 each. If the file
    names a program of ``SPOOF_KEYWORDS``, the score is 0.10 regardless of other data. Damaged EXIF data count
    as absent. This is weak evidence, because anyone can write EXIF data.
    """

    name = "exif_metadata"
    label = "EXIF camera metadata"

    def assess(self, subject: SelfieSubject, settings: SelfieSettings) -> Signal:
        """See ``SelfieSignal.assess``."""
        del settings
        score, detail = _judged(subject.exif)
        return self.scored(score, detail)


def spoof_keyword(exif: ExifTags) -> str | None:
    """Return the first of ``SPOOF_KEYWORDS`` that the file's metadata contain, in any letter case, or None.

    Spaces, hyphens, underscores or nothing may separate words. ``obs`` counts only as a separate word,
    because it is part of other words. Comments are free text, so only the keywords of screenshots count in
    them.
    """
    programs = [_plain(text) for text in exif.software]
    comment = _plain(exif.comment or "")
    for keyword in SPOOF_KEYWORDS:
        places = [*programs, comment] if keyword in _IN_COMMENTS else programs
        if any(_names(place, keyword) for place in places):
            return keyword
    return None


def _judged(exif: ExifTags) -> tuple[float, str]:
    keyword = spoof_keyword(exif)
    if keyword is not None:
        return _SOFTWARE, f'The file names screen-capture or editing software ("{keyword}").'
    if exif.state is ExifState.ABSENT:
        return _ABSENT, "The file has no EXIF data; many apps remove them."
    if exif.state is ExifState.MALFORMED:
        return _ABSENT, "The EXIF data are damaged and count as absent."
    if exif.make is None and exif.model is None:
        return _NO_CAMERA, "There are EXIF data, but they name no camera."
    optics = {
        "f-number": exif.f_number is not None,
        "ISO": exif.iso is not None,
        "exposure time": exif.exposure_seconds is not None,
        "focal length": exif.focal_length_mm is not None,
        "GPS position": exif.has_gps,
    }
    present = [name for name, there in optics.items() if there]
    if not present:
        return _CAMERA, "The EXIF data name a camera, but no optical parameters."
    score = _CAMERA + _OPTICS * len(present) / len(optics)
    return score, f"The EXIF data name a camera and hold {', '.join(present)}."


def _plain(text: str) -> str:
    return _SEPARATORS.sub(" ", text.lower())


def _names(text: str, keyword: str) -> bool:
    if keyword == "obs":
        return _OBS.search(text) is not None
    return keyword in text or (" " in keyword and keyword.replace(" ", "") in text)


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfieResult:
    """The result for one image, as in the older selfie API (docs/analysis.md).

    Attributes:
        verdict: LIVE, SPOOF or INCONCLUSIVE.
        confidence: The weighted sum of the scores, 0..1, rounded to four decimals.
        threshold: ``SelfieSettings.live_threshold``.
        face_detected: Whether a face was detected with enough confidence.
        signals: The eight signals in the order of ``SIGNAL_NAMES``; each has a score, and their weights
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
SIGNAL_NAMES = tuple(signal.name for signal in _SIGNALS)
"""The signals in the order of the contract and of every result."""


def judge_selfie(
    *,
    image: BgrImage,
    face: DetectedFace | None,
    landmarks: Landmarks | None,
    exif: ExifTags,
    settings: SelfieSettings,
    model: SelfieModel,
) -> SelfieResult:
    """Judge a selfie by the weighted sum of the eight signals.

    Args:
        image: The whole image, upright, at full resolution.
        face: The face to judge, in pixels of the image; None if none was detected. A face with a confidence
            below ``settings.min_face_confidence`` counts as none.
        landmarks: The dense landmarks of ``face``; None if the pack has none. Without them the eyes are not
            assessed, and head orientation and symmetry are measured from the five points.
        exif: The file's metadata, read by ``formats.picture_metadata.read_exif_tags`` from the received
            bytes.

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
    """Return the verdict by the table of ranges in the contract.

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
