"""What the eight signals amount to."""

from dataclasses import dataclass

from liveness.signal import Signal
from liveness.verdict import Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class SelfieResult:
    """Seed 002's result for one picture.

    Attributes:
        verdict: LIVE, SPOOF or INCONCLUSIVE.
        confidence: The weighted sum of the scores, 0..1, rounded to four decimals.
        threshold: ``SelfieSettings.live_threshold``.
        face_detected: Whether there was a face, and the detector was sure enough of it.
        signals: The eight, in the order of ``model.SIGNAL_NAMES``; every one has a score, and their
            weights sum to 1.
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
