"""The policy of liveness: thresholds and minimums that a customer sets."""

from dataclasses import dataclass
from enum import StrEnum

from liveness.errors import LivenessPolicyError

__all__ = ["LEAST_BETWEEN", "CaptureKind", "LivenessPolicy"]

LEAST_BETWEEN = 1.0
"""The least distance between the thresholds, because the confidence of INCONCLUSIVE lies between them."""


class CaptureKind(StrEnum):
    """The kind of capture that is judged. It decides which evidence can make it LIVE."""

    SCAN = "SCAN"
    """Frames over time: only a sign of life makes them LIVE. Every check is of this kind."""
    FRAMES = "FRAMES"
    """Several images without meaningful times: PAD networks and single-frame cues decide."""
    FRAME = "FRAME"
    """One image: PAD networks and single-frame cues decide."""


@dataclass(frozen=True, slots=True)
class LivenessPolicy:
    """Thresholds of the verdict.

    Attributes:
        live_threshold: The least confidence of LIVE, 0..100.
        spoof_threshold: The greatest confidence of SPOOF, 0..100. Between the two the verdict is
            INCONCLUSIVE.
        require_pad_network: Whether LIVE requires the score of a PAD network.
        minimum_frames: The least number of frames with exactly one face for temporal cues to decide.
        minimum_seconds: The least duration of the scan for temporal cues to decide, seconds.
        minimum_eyes_open: The least share of frames with open eyes for LIVE, 0..1, if the pack measures
            eyes: a person who is asleep does not consent.
        capture: The kind of capture. Single images are LIVE only by the score of a PAD network, whatever
            ``require_pad_network`` is, and no minimum of frames or seconds applies to them.

    Raises:
        LivenessPolicyError: The thresholds are out of range, in the wrong order, or less than 1 apart.
    """

    live_threshold: float = 70.0
    spoof_threshold: float = 30.0
    require_pad_network: bool = False
    minimum_frames: int = 8
    minimum_seconds: float = 1.0
    minimum_eyes_open: float = 0.2
    capture: CaptureKind = CaptureKind.SCAN

    def __post_init__(self) -> None:
        if not (
            0 <= self.spoof_threshold <= self.live_threshold - LEAST_BETWEEN and self.live_threshold <= 100
        ):
            raise LivenessPolicyError(
                f"0 <= spoof_threshold <= live_threshold - {LEAST_BETWEEN:g} and live_threshold <= 100 are "
                f"needed; they are {self.spoof_threshold} and {self.live_threshold}"
            )
        if self.minimum_frames < 2:
            raise LivenessPolicyError(
                f"minimum_frames is {self.minimum_frames}; at least 2 are needed to see motion"
            )
        if not 0 <= self.minimum_eyes_open <= 1:
            raise LivenessPolicyError(f"minimum_eyes_open is {self.minimum_eyes_open}; it is a share, 0 to 1")
        if self.minimum_seconds <= 0:
            raise LivenessPolicyError(f"minimum_seconds is {self.minimum_seconds}; it must be positive")
