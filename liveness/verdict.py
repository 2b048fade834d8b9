"""What the liveness room answers."""

from dataclasses import dataclass
from enum import StrEnum

from liveness.errors import ContradictoryResult
from liveness.policy import LivenessPolicy
from liveness.signal import Signal

__all__ = ["AttackType", "LivenessResult", "Verdict", "VerdictReason"]

_MARGIN = 1.0
"""How far inside the thresholds the confidence of an INCONCLUSIVE result lies, where its score is outside."""


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


class VerdictReason(StrEnum):
    """Why a verdict is what it is; codes for machines, worded for persons by the edge."""

    TOO_FEW_FRAMES = "TOO_FEW_FRAMES"
    TOO_SHORT = "TOO_SHORT"
    TOO_FEW_USABLE_FACES = "TOO_FEW_USABLE_FACES"
    WRONG_ROTATION = "WRONG_ROTATION"
    NO_PAD_NETWORK = "NO_PAD_NETWORK"
    NO_SIGN_OF_LIFE_MEASURABLE = "NO_SIGN_OF_LIFE_MEASURABLE"
    FROZEN_FRAMES = "FROZEN_FRAMES"
    LOOPED_FRAMES = "LOOPED_FRAMES"
    NO_SIGN_OF_LIFE = "NO_SIGN_OF_LIFE"
    MOVES_AS_A_PLANE = "MOVES_AS_A_PLANE"
    NETWORK_SEES_ATTACK = "NETWORK_SEES_ATTACK"
    SHOWS_A_MEDIUM = "SHOWS_A_MEDIUM"
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


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessResult:
    """The verdict on one scan, with everything it rests on.

    The verdict, the score and the thresholds are given. Confidence and type of attack follow from them, so
    that no part of a result contradicts another, however it was made.

    Attributes:
        verdict: LIVE, SPOOF or INCONCLUSIVE.
        score: That the person is live, 0..100, as the evidence weighs before any rule is applied. Studies
            rank by it; results tell ``confidence``.
        policy: The policy by which it was judged.
        signals: Every signal, assessed or not, in a fixed order.
        reasons: Why, most important first; never empty.
        attack: The kind of attack that a finding proves by itself; counts where the verdict is SPOOF.

    Raises:
        ContradictoryResult: The score is out of range, or too low for LIVE; there is no reason; or ``attack``
            is no attack.
    """

    verdict: Verdict
    score: float
    policy: LivenessPolicy
    signals: tuple[Signal, ...]
    reasons: tuple[VerdictReason, ...]
    attack: AttackType = AttackType.UNKNOWN

    def __post_init__(self) -> None:
        if not 0 <= self.score <= 100:
            raise ContradictoryResult(f"the score is {self.score}; it must be 0 to 100")
        if self.verdict is Verdict.LIVE and self.score < self.policy.live_threshold:
            raise ContradictoryResult(
                f"LIVE takes a score of {self.policy.live_threshold} or more; it is {self.score}"
            )
        if not self.reasons:
            raise ContradictoryResult("a verdict needs a reason")
        if self.attack is AttackType.REAL:
            raise ContradictoryResult("REAL is no attack")

    @property
    def confidence(self) -> float:
        """That the person is live, 0..100.

        At least the policy's ``live_threshold`` for LIVE, at most its ``spoof_threshold`` for SPOOF, and
        strictly between the two for INCONCLUSIVE, whatever the score.
        """
        live, spoof = self.policy.live_threshold, self.policy.spoof_threshold
        match self.verdict:
            case Verdict.LIVE:
                return self.score
            case Verdict.SPOOF:
                return min(self.score, spoof)
            case Verdict.INCONCLUSIVE:
                margin = min(_MARGIN, (live - spoof) / 4)
                if self.score >= live:
                    return live - margin
                return self.score if self.score > spoof else spoof + margin

    @property
    def attack_type(self) -> AttackType:
        """The kind of attack: ``REAL`` for LIVE, ``UNKNOWN`` where no finding proves a kind."""
        match self.verdict:
            case Verdict.LIVE:
                return AttackType.REAL
            case Verdict.SPOOF:
                return self.attack
            case Verdict.INCONCLUSIVE:
                return AttackType.UNKNOWN

    @property
    def attack_type_confidence(self) -> float:
        """How sure of ``attack_type``, 0..100; 0 where it is ``UNKNOWN``."""
        match self.attack_type:
            case AttackType.UNKNOWN:
                return 0.0
            case AttackType.REAL:
                return self.confidence
            case _:
                return 100 - self.confidence
