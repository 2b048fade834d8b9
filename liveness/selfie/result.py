"""The result of the eight signals."""

from dataclasses import dataclass

from liveness.signal import Signal
from liveness.verdict import Verdict


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
