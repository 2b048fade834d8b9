"""What the liveness room answers."""

from dataclasses import dataclass
from enum import StrEnum

from liveness.signal import Signal


class Verdict(StrEnum):
    """Is it a real person?"""

    LIVE = "LIVE"
    SPOOF = "SPOOF"
    INCONCLUSIVE = "INCONCLUSIVE"


class AttackType(StrEnum):
    """What stands in front of the camera, or behind it.

    The kinds of presentation attack instruments of ISO/IEC 30107-3 that this product tells apart,
    and the two of the camera's other side: synthetic pictures and injected frames.
    """

    REAL = "REAL"
    PRINT = "PRINT"
    SCREEN_REPLAY = "SCREEN_REPLAY"
    PAPER_MASK = "PAPER_MASK"
    MASK_3D = "MASK_3D"
    DEEPFAKE = "DEEPFAKE"
    INJECTION = "INJECTION"
    UNKNOWN = "UNKNOWN"


class Reason(StrEnum):
    """Why a verdict is what it is; codes for machines, worded for persons by the edge."""

    TOO_FEW_FRAMES = "TOO_FEW_FRAMES"
    TOO_SHORT = "TOO_SHORT"
    TOO_FEW_USABLE_FACES = "TOO_FEW_USABLE_FACES"
    NO_PAD_NETWORK = "NO_PAD_NETWORK"
    NO_SIGN_OF_LIFE_MEASURABLE = "NO_SIGN_OF_LIFE_MEASURABLE"
    FROZEN_FRAMES = "FROZEN_FRAMES"
    LOOPED_FRAMES = "LOOPED_FRAMES"
    NO_SIGN_OF_LIFE = "NO_SIGN_OF_LIFE"
    MOVES_AS_A_PLANE = "MOVES_AS_A_PLANE"
    NETWORK_SEES_ATTACK = "NETWORK_SEES_ATTACK"
    SHOWS_A_MEDIUM = "SHOWS_A_MEDIUM"
    FACE_UNSTEADY = "FACE_UNSTEADY"
    EYES_CLOSED = "EYES_CLOSED"
    ANOTHER_CHALLENGE_ANSWERED = "ANOTHER_CHALLENGE_ANSWERED"
    LIGHT_FITS_NO_FACE = "LIGHT_FITS_NO_FACE"
    CHALLENGE_NOT_ANSWERED = "CHALLENGE_NOT_ANSWERED"
    TOO_BRIGHT_TO_MEASURE = "TOO_BRIGHT_TO_MEASURE"
    TOO_DARK_TO_MEASURE = "TOO_DARK_TO_MEASURE"
    SCREEN_TOO_DIM = "SCREEN_TOO_DIM"
    CHALLENGE_ANSWERED_LATE = "CHALLENGE_ANSWERED_LATE"
    CHALLENGE_NOT_MEASURABLE = "CHALLENGE_NOT_MEASURABLE"
    TOO_FEW_CHALLENGE_BITS = "TOO_FEW_CHALLENGE_BITS"
    BLINK_NOT_SEEN = "BLINK_NOT_SEEN"
    DEPTH_NOT_SEEN = "DEPTH_NOT_SEEN"
    EVIDENCE_TOO_WEAK = "EVIDENCE_TOO_WEAK"
    LOOKS_ALIVE = "LOOKS_ALIVE"
    LOOKS_GENUINE = "LOOKS_GENUINE"


@dataclass(frozen=True, slots=True)
class LivenessResult:
    """The verdict on one scan, with everything it rests on.

    Attributes:
        verdict: LIVE, SPOOF or INCONCLUSIVE.
        confidence: That the person is live, 0..100.
        attack_type: The most likely kind; ``REAL`` for LIVE, ``UNKNOWN`` where it cannot be told.
        attack_type_confidence: How sure of ``attack_type``, 0..100.
        signals: Every signal, assessed or not, in a fixed order.
        reasons: Why, most important first; never empty.
    """

    verdict: Verdict
    confidence: float
    attack_type: AttackType
    attack_type_confidence: float
    signals: tuple[Signal, ...]
    reasons: tuple[Reason, ...]
