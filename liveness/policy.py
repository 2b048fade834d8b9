"""The policy of liveness: thresholds and minimums that a customer sets."""

import math
from dataclasses import dataclass
from enum import StrEnum

from liveness.errors import LivenessPolicyError

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


@dataclass(frozen=True, slots=True, kw_only=True)
class CaptureLimits:
    """Limits of a face's size, sharpness and light, outside of which a capture cannot be LIVE.

    Attributes:
        min_face_width: The least width of the face from ear to ear (``liveness.extent``), pixels of the
            frame.
        min_sharpness: The least ``FaceMeasures.sharpness`` of the face (variance of the Laplacian at 128 x
            128 pixels, squared grey levels).
        max_sharpness: The greatest sharpness; noise counts as sharpness.
        min_luminance: The least mean luma of the face, 0..255.
        max_luminance: The greatest mean luma of the face, 0..255.

    Raises:
        LivenessPolicyError: A limit is negative or not a number, or a least value is not below its greatest.
    """

    min_face_width: float
    max_face_width: float = math.inf
    min_sharpness: float
    max_sharpness: float = math.inf
    min_luminance: float
    max_luminance: float

    def __post_init__(self) -> None:
        for name, least, most in (
            ("face_width", self.min_face_width, self.max_face_width),
            ("sharpness", self.min_sharpness, self.max_sharpness),
            ("luminance", self.min_luminance, self.max_luminance),
        ):
            if not 0 <= least < most:
                raise LivenessPolicyError(
                    f"0 <= min_{name} < max_{name} is needed; they are {least:g} and {most:g}"
                )


EVIDENCE_FLOOR = CaptureLimits(
    min_face_width=60.0, min_sharpness=10.0, min_luminance=40.0, max_luminance=220.0
)
"""The default limits of the evidence frame.

The best frames of 62 windows of 6 s of the 31 live clips of ``data/video`` and ``data/video_more``, 640
pixels long as a phone sends them, have a face width of 62.5 to 356 pixels, a sharpness of 14.9 to 958 and a
luminance of 42.8 to 160. All pass. A frame of one of these clips was made worse step by step: the person was
hard to recognise below a sharpness of 10, below a luminance of 30, above 220, and below a face width of 35
pixels. IEC 62676-4 demands 250 pixels a metre to identify a person, which is about 40 pixels for a face.
"""


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
        evidence: The limits of the evidence frame: LIVE requires one on which a reviewer can recognise the
            person.
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
    evidence: CaptureLimits = EVIDENCE_FLOOR
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
