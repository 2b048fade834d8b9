"""What a customer asks of the liveness of a scan."""

from dataclasses import dataclass
from enum import StrEnum

from liveness.errors import LivenessPolicyError

__all__ = ["LEAST_BETWEEN", "CaptureKind", "LivenessPolicy"]

LEAST_BETWEEN = 1.0
"""How far the thresholds lie apart at least: the confidence of an INCONCLUSIVE verdict lies between them."""


class CaptureKind(StrEnum):
    """What is judged, and so what may make it LIVE."""

    SCAN = "SCAN"
    """A scan, frame by frame over time: only a sign of life makes it LIVE. Every check is judged so."""
    FRAMES = "FRAMES"
    """Several pictures whose times say nothing: PAD networks and single-frame cues decide."""
    FRAME = "FRAME"
    """One picture: likewise."""


@dataclass(frozen=True, slots=True)
class LivenessPolicy:
    """Thresholds of the verdict.

    Attributes:
        live_threshold: Confidence, 0..100, from which the verdict is LIVE.
        spoof_threshold: Confidence, 0..100, up to which the verdict is SPOOF; between the two it is
            INCONCLUSIVE.
        require_pad_network: Whether a scan without the score of a PAD network can be LIVE.
        minimum_frames: Frames with exactly one face below which temporal cues do not decide.
        minimum_seconds: Duration of the scan below which temporal cues do not decide.
        minimum_eyes_open: Share of the frames, 0..1, in which the eyes must be open for LIVE, where the
            pack can see it: whoever sleeps, or is made to, does not consent.
        capture: What is judged. Single pictures are LIVE only by the score of a PAD network, whatever
            ``require_pad_network`` says, and no minimum of frames or seconds holds for them.

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
