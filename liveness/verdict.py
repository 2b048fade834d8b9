"""The result of liveness: verdict, signals, reasons and type of attack.

A signal is a named measurement of a scan, as a result lists it, with its score and the log odds of that.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import ClassVar, Final

from liveness.errors import ContradictoryResult
from liveness.policy import LivenessPolicy

NEITHER: Final = 0.5
"""The score that counts for neither side."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One measurement of a scan.

    Attributes:
        name: Machine-readable name, such as ``"planar_motion"``; stable over versions.
        label: The name that is shown to people.
        score: 0..1; 1 is typical of a living person. ``None`` if it could not be assessed.
        weight: The signal's share of the decision, 0..1. The shares of the signals that took part sum to 1;
            a signal that took no part has 0.
        passed: Whether the score reached the signal's own line; ``None`` if it could not be assessed. For
            information only: no single signal decides.
        detail: The measurement in plain words, with numbers and without biometric data.
    """

    name: str
    label: str
    score: float | None
    weight: float
    passed: bool | None
    detail: str

    @property
    def assessed(self) -> bool:
        """Whether the signal was measured."""
        return self.score is not None


def assessed(*, name: str, label: str, score: float, detail: str, line: float = 0.5) -> Signal:
    """Return a signal that was measured. The fusion sets its weight.

    Args:
        name: See ``Signal``.
        label: See ``Signal``.
        score: 0..1; clamped.
        detail: See ``Signal``.
        line: The score from which the signal counts as passed.
    """
    clamped = min(1.0, max(0.0, score))
    return Signal(name=name, label=label, score=clamped, weight=0.0, passed=clamped >= line, detail=detail)


def not_assessed(*, name: str, label: str, reason: str) -> Signal:
    """Return a signal that could not be measured, with the reason. It counts for neither verdict."""
    return Signal(name=name, label=label, score=None, weight=0.0, passed=None, detail=reason)


class NamedSignal:
    """A measurement that always gives the same signal, with its name and label."""

    name: ClassVar[str]
    """``Signal.name``."""
    label: ClassVar[str]
    """``Signal.label``."""

    def scored(self, score: float, detail: str) -> Signal:
        """Return the signal if it was measured; see ``assessed``."""
        return assessed(name=self.name, label=self.label, score=score, detail=detail)

    def unknown(self, reason: str) -> Signal:
        """Return the signal if it could not be measured; see ``not_assessed``."""
        return not_assessed(name=self.name, label=self.label, reason=reason)


_LEAST = 0.02
"""The least score; with its complement, it limits a signal's log odds to 3.9."""
_FAR_LEAST = 1e-6
"""The same for evidence that is certain only far beyond its line; it limits log odds to 13.8."""
_NETWORK_LEAST = 1 / (1 + math.exp(8.0))
"""The clamp of PAD networks: 8.0 as log odds. Of 3.9, 6, 8 and 10, which differ by one or two of 98 scans
with sources left out (``lab/studies/liveness_fusion/NOTES.md``)."""


def score_against_line(value: float, line: float, steepness: float) -> float:
    """Return a score, 0..1: 0.5 if ``value`` equals ``line``, rising with the ratio of the two.

    The score is a logistic of the ratio's logarithm, so twice the line and half the line are equally far from
    0.5.

    Args:
        value: 0 or more.
        line: Above 0.
        steepness: Log odds for each e-fold of the ratio.
    """
    if value <= 0:
        return 0.0
    return 1 / (1 + math.exp(-steepness * math.log(value / line)))


def log_odds(score: float) -> float:
    """Return the natural log odds of ``score``, clamped to 0.02..0.98 so that no signal is certain."""
    return _log_odds(score, _LEAST)


def far_log_odds(score: float) -> float:
    """Return the natural log odds of ``score``, clamped to 1e-6..1 - 1e-6.

    Use this for evidence that is certain only far beyond its line, and that is limited in another way.
    """
    return _log_odds(score, _FAR_LEAST)


def network_log_odds(score: float) -> float:
    """Return the natural log odds of a PAD network's probability, clamped to -8..8.

    The limit keeps one network that is certain from outvoting two that are not.
    """
    return _log_odds(score, _NETWORK_LEAST)


def _log_odds(score: float, least: float) -> float:
    held = min(1 - least, max(least, score))
    return math.log(held / (1 - held))


_MARGIN = 1.0
"""The least distance of an INCONCLUSIVE confidence from the thresholds."""


class Verdict(StrEnum):
    """Whether a living person is in front of the camera."""

    LIVE = "LIVE"
    SPOOF = "SPOOF"
    INCONCLUSIVE = "INCONCLUSIVE"


class AttackType(StrEnum):
    """The type of attack.

    These are the presentation attack instruments (ISO/IEC 30107-3) that this product distinguishes, and two
    attacks behind the camera: synthetic images and injected frames.
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
    """Why a verdict was reached. The server's edge turns the codes into sentences."""

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
    SHOWS_TRUSTED_IMAGE = "SHOWS_TRUSTED_IMAGE"
    ONE_PICTURE_MOVED = "ONE_PICTURE_MOVED"
    EYES_CLOSED = "EYES_CLOSED"
    SUNGLASSES = "SUNGLASSES"
    EYES_NOT_VISIBLE = "EYES_NOT_VISIBLE"
    FACE_MASK = "FACE_MASK"
    MOUTH_NOT_VISIBLE = "MOUTH_NOT_VISIBLE"
    FACE_OBSTRUCTED = "FACE_OBSTRUCTED"
    ANOTHER_CHALLENGE_ANSWERED = "ANOTHER_CHALLENGE_ANSWERED"
    LIGHT_FITS_NO_FACE = "LIGHT_FITS_NO_FACE"
    CHALLENGE_NOT_ANSWERED = "CHALLENGE_NOT_ANSWERED"
    TOO_BRIGHT_TO_MEASURE = "TOO_BRIGHT_TO_MEASURE"
    TOO_DARK_TO_MEASURE = "TOO_DARK_TO_MEASURE"
    SCREEN_TOO_DIM = "SCREEN_TOO_DIM"
    CHALLENGE_ANSWERED_LATE = "CHALLENGE_ANSWERED_LATE"
    CHALLENGE_NOT_MEASURABLE = "CHALLENGE_NOT_MEASURABLE"
    TOO_FEW_CHALLENGE_BITS = "TOO_FEW_CHALLENGE_BITS"
    SEVERAL_PERSONS = "SEVERAL_PERSONS"
    BLINK_NOT_SEEN = "BLINK_NOT_SEEN"
    DEPTH_NOT_SEEN = "DEPTH_NOT_SEEN"
    MOUTH_NOT_OPENED = "MOUTH_NOT_OPENED"
    HEAD_NOT_TURNED = "HEAD_NOT_TURNED"
    EVIDENCE_TOO_WEAK = "EVIDENCE_TOO_WEAK"
    EVIDENCE_TOO_DARK = "EVIDENCE_TOO_DARK"
    EVIDENCE_TOO_BRIGHT = "EVIDENCE_TOO_BRIGHT"
    EVIDENCE_BLURRED = "EVIDENCE_BLURRED"
    EVIDENCE_TOO_NOISY = "EVIDENCE_TOO_NOISY"
    FACE_TOO_SMALL = "FACE_TOO_SMALL"
    FACE_TOO_LARGE = "FACE_TOO_LARGE"
    NO_COLOURS = "NO_COLOURS"
    NOT_SURE = "NOT_SURE"
    SIMILAR_TO_EARLIER_SCAN = "SIMILAR_TO_EARLIER_SCAN"
    LOOKS_ALIVE = "LOOKS_ALIVE"
    LOOKS_GENUINE = "LOOKS_GENUINE"


TOO_LITTLE_SEEN: Final = frozenset(
    {
        VerdictReason.TOO_FEW_FRAMES,
        VerdictReason.TOO_SHORT,
        VerdictReason.TOO_FEW_USABLE_FACES,
        VerdictReason.WRONG_ROTATION,
        VerdictReason.NO_COLOURS,
    }
)
"""Reasons of captures that show too little of a person to raise doubt, and that no movement can remedy."""

DOUBTS: Final = frozenset(
    {
        VerdictReason.NOT_SURE,
        VerdictReason.SHOWS_TRUSTED_IMAGE,
        VerdictReason.ONE_PICTURE_MOVED,
        VerdictReason.SIMILAR_TO_EARLIER_SCAN,
        VerdictReason.EVIDENCE_TOO_WEAK,
        VerdictReason.NETWORK_SEES_ATTACK,
        VerdictReason.SHOWS_A_MEDIUM,
        VerdictReason.MOVES_AS_A_PLANE,
        VerdictReason.NO_SIGN_OF_LIFE,
    }
)
"""Reasons of INCONCLUSIVE that lead to a challenge (``liveness.doubt``), if the policy has challenges for
it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LivenessResult:
    """The verdict on one scan and its grounds.

    Confidence and type of attack are derived from the verdict, the score and the thresholds, so that no part
    of a result contradicts another.

    Attributes:
        verdict: LIVE, SPOOF or INCONCLUSIVE.
        score: The weighed evidence for a living person, 0..100, before any rule is applied. Studies rank by
            it; results report ``confidence``.
        signals: Every signal, assessed or not, in a fixed order.
        reasons: The reasons of the verdict, most important first; never empty.
        attack: The type of attack that a finding proves; it counts if the verdict is SPOOF.
        ceiling: The highest confidence that LIVE reports, 0..100, if it is at least the policy's
            ``live_threshold``; below 100 for files, of which less can be assessed than of a check.

    Raises:
        ContradictoryResult: The score is out of range or too low for LIVE, there is no reason, or ``attack``
            is REAL.
    """

    verdict: Verdict
    score: float
    policy: LivenessPolicy
    signals: tuple[Signal, ...]
    reasons: tuple[VerdictReason, ...]
    attack: AttackType = AttackType.UNKNOWN
    ceiling: float = 100.0

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

    def undecided(self, *reasons: VerdictReason) -> "LivenessResult":
        """Return INCONCLUSIVE for these reasons, before those that it already has; SPOOF stays."""
        if self.verdict is Verdict.SPOOF:
            return self
        others = self.reasons if self.verdict is Verdict.INCONCLUSIVE else ()
        return replace(self, verdict=Verdict.INCONCLUSIVE, reasons=(*reasons, *others))

    @property
    def confidence(self) -> float:
        """The confidence that the person is alive, 0..100.

        At least the policy's ``live_threshold`` for LIVE, at most its ``spoof_threshold`` for SPOOF, and
        strictly between the two for INCONCLUSIVE, whatever the score. LIVE is at most ``ceiling``.
        """
        live, spoof = self.policy.live_threshold, self.policy.spoof_threshold
        match self.verdict:
            case Verdict.LIVE:
                return min(self.score, max(self.ceiling, live))
            case Verdict.SPOOF:
                return min(self.score, spoof)
            case Verdict.INCONCLUSIVE:
                margin = min(_MARGIN, (live - spoof) / 4)
                return min(max(self.score, spoof + margin), live - margin)

    @property
    def doubts(self) -> tuple[VerdictReason, ...]:
        """The reasons of doubt about the person; empty for LIVE, SPOOF, and captures that show too little."""
        if self.verdict is not Verdict.INCONCLUSIVE or not TOO_LITTLE_SEEN.isdisjoint(self.reasons):
            return ()
        return tuple(reason for reason in self.reasons if reason in DOUBTS)

    @property
    def attack_type(self) -> AttackType:
        """The type of attack: ``REAL`` for LIVE, ``UNKNOWN`` if no finding proves a type."""
        match self.verdict:
            case Verdict.LIVE:
                return AttackType.REAL
            case Verdict.SPOOF:
                return self.attack
            case Verdict.INCONCLUSIVE:
                return AttackType.UNKNOWN

    @property
    def attack_type_confidence(self) -> float:
        """The confidence in ``attack_type``, 0..100; 0 if it is ``UNKNOWN``."""
        match self.attack_type:
            case AttackType.UNKNOWN:
                return 0.0
            case AttackType.REAL:
                return self.confidence
            case _:
                return 100 - self.confidence
