"""What an attempt amounts to: liveness and match of what was captured, and whether to try again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from attempt.analyst import ExaminedFrame
from attempt.challenge import AttemptChallenge
from attempt.flash_run import FlashRun
from attempt.movement_run import MovementRun
from liveness.challenge_evidence import ChallengeEvidence
from liveness.continuity import spoken_for
from liveness.dynamic.challenge import ColourStep
from liveness.dynamic.judge import FlashResult
from liveness.dynamic.measurement import StepAnswer
from liveness.dynamic.model import FlashModel
from liveness.dynamic.policy import DynamicPolicy
from liveness.fusion_model import FusionModel
from liveness.judge import CaptureConditions, judge_scan
from liveness.observation import ScanObservations
from liveness.policy import LivenessPolicy
from liveness.signal import Signal, not_assessed
from liveness.verdict import LivenessResult, Verdict, VerdictReason
from matcher.comparison import MatchPolicy, MatchResult, compare
from matcher.constancy import IdentityConstancy, measure_constancy
from matcher.similarity import similarity_for_fmr
from matcher.template import fuse_templates
from vision.face import Embedding
from vision.packs import MatchCalibration

_MOST_FEEDBACK = 8
MINIMUM_MATCH_FRAMES = 3
"""Selected frames below which a scan is not compared: one unlucky frame must not decide."""

_LEAST_SPOKEN_FOR = 0.5
"""Share of the frames below which too much of a scan shows nobody knows whom; 0.75 and more on live clips."""

_TURNED = "WRONG_ROTATION"
"""The hint of a frame whose picture is turned."""

_CONSTANCY, _CONSTANCY_LABEL = "identity_constancy", "One person throughout"

_ADVICE: dict[VerdictReason, str] = {
    VerdictReason.TOO_FEW_FRAMES: "LOW_VIDEO_QUALITY",
    VerdictReason.TOO_SHORT: "TIMED_OUT",
    VerdictReason.TOO_FEW_USABLE_FACES: "NO_FACE",
    VerdictReason.WRONG_ROTATION: "WRONG_ROTATION",
    VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE: "TURN_HEAD_SLIGHTLY",
    VerdictReason.EVIDENCE_TOO_WEAK: "TURN_HEAD_SLIGHTLY",
    VerdictReason.TOO_BRIGHT_TO_MEASURE: "TOO_BRIGHT",
    VerdictReason.TOO_DARK_TO_MEASURE: "TOO_DARK",
    VerdictReason.SCREEN_TOO_DIM: "RAISE_SCREEN_BRIGHTNESS",
    VerdictReason.CHALLENGE_ANSWERED_LATE: "NETWORK_TOO_SLOW",
    VerdictReason.CHALLENGE_NOT_MEASURABLE: "HOLD_STILL",
    VerdictReason.TOO_FEW_CHALLENGE_BITS: "HOLD_STILL",
    VerdictReason.BLINK_NOT_SEEN: "BLINK",
    VerdictReason.DEPTH_NOT_SEEN: "TURN_HEAD_SLIGHTLY",
}

_TOO_LITTLE_SEEN = frozenset(
    {
        VerdictReason.TOO_FEW_FRAMES,
        VerdictReason.TOO_SHORT,
        VerdictReason.TOO_FEW_USABLE_FACES,
        VerdictReason.WRONG_ROTATION,
    }
)
"""Reasons for which no movement of the person helps."""
_MOVEMENT = _ADVICE[VerdictReason.EVIDENCE_TOO_WEAK]


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingLine:
    """What an attempt whose device left must hold to be decided against, as a whole attempt may be.

    Three quarters of a whole attempt. Short looks are less sure: of genuine clips, the first two seconds of
    some look like an attack or another person, and their whole attempt does not. From this line on no more of
    them were decided against, cut at any length, than of whole attempts (``docs/accuracy.md``, "Attempts that
    are left early").

    Attributes:
        faces: Measured frames with exactly one face.
        seconds: Of capture time between the first and the last of them.
        selected: Selected frames, which the expensive models looked at.
    """

    faces: int = 24
    seconds: float = 3.0
    selected: int = 6

    def reached(self, *, faces: int, seconds: float, selected: int) -> bool:
        """Whether that much is on the line or beyond."""
        return faces >= self.faces and seconds >= self.seconds and selected >= self.selected


_STANDING_LINE = StandingLine()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeStepOutcome:
    """One step of a screen flash, as it was drawn and as it was measured.

    Attributes:
        step: As it was drawn.
        signal_to_noise: Of the face's response; ``None`` where it could not be measured.
        agrees: Whether the response is the one to this step; ``None`` where it could not be measured.
    """

    step: ColourStep
    signal_to_noise: float | None
    agrees: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptJudgement:
    """What an attempt amounts to.

    Attributes:
        liveness: The verdict on it.
        match: The comparison with the portrait; ``None`` where too few usable frames were captured.
        match_frames: Frames whose embeddings were fused.
        identity_constant: Whether one person was seen throughout; ``None`` where too few frames tell.
        retryable: Whether only conditions stood in the way. A spoof or another person never is.
        feedback: What could have been better, most important first.
        verified_bits: Challenge bits that were verified, net of chance; 0 without a challenge.
        challenge_steps: Steps of the flash as they were drawn and measured; empty without one.
        ample: Whether it rests on enough to be decided against even where the device left before its end.
    """

    liveness: LivenessResult
    match: MatchResult | None
    match_frames: int
    identity_constant: bool | None
    retryable: bool
    feedback: tuple[str, ...]
    verified_bits: float = 0.0
    challenge_steps: tuple[ChallengeStepOutcome, ...] = ()
    ample: bool = False

    @property
    def adverse(self) -> bool:
        """Whether it speaks against the person: an attack, or another person than the portrait's."""
        return self.liveness.verdict is Verdict.SPOOF or _other_person(self.match, self.identity_constant)

    @property
    def stands(self) -> bool:
        """Whether it decides the check however the attempt ends: withholding the end takes nothing back.

        Anything but an adverse judgement needs the signed end.
        """
        return self.adverse and self.ample


def evidence_of(
    challenge: AttemptChallenge | None, *, limits: DynamicPolicy, model: FlashModel
) -> ChallengeEvidence | None:
    """What a challenge has left so far for the judge; ``None`` in EXPRESS.

    Args:
        challenge: The attempt's.
        limits: What the check asks of a flash.
        model: Lines of the flash.
    """
    if challenge is None:
        return None
    return ChallengeEvidence(
        limits=limits,
        flash=challenge.evidence if isinstance(challenge, FlashRun) else None,
        movement=challenge.record if isinstance(challenge, MovementRun) else None,
        model=model,
    )


def judge_attempt(
    *,
    scan: ScanObservations,
    examined: Sequence[ExaminedFrame],
    witnesses: Sequence[ExaminedFrame],
    portrait: Embedding,
    calibration: MatchCalibration,
    liveness_policy: LivenessPolicy,
    match_policy: MatchPolicy,
    fusion: FusionModel,
    hints: Sequence[str],
    too_slow: bool,
    challenge: ChallengeEvidence | None = None,
    complete: bool = False,
) -> AttemptJudgement:
    """Judges one attempt.

    Args:
        scan: What was measured on its frames.
        examined: What the expensive models said of its selected frames.
        witnesses: Frames of stretches that no selected frame speaks for; they count only for the question
            whether one person was there throughout.
        portrait: The portrait's template.
        calibration: Of the embedder that made both.
        liveness_policy: Thresholds of liveness.
        match_policy: Threshold of the match.
        fusion: The liveness model.
        hints: Feedback codes of the frames that were not well placed, most frequent first.
        too_slow: Whether fewer frames a second came than the usable minimum; such an attempt cannot
            show that somebody is alive, but it can still show a spoof.
        challenge: What its challenge leaves; ``None`` in EXPRESS.
        complete: Whether the server asked for no further frame: it is a whole attempt, signed or not.
    """
    identified = {frame.frame_index for frame in (*examined, *witnesses)}
    judged = judge_scan(
        scan=scan,
        identified=identified,
        pad_scores=[score for frame in examined for score in frame.pad_scores],
        cues=[frame.cues for frame in examined if frame.cues is not None],
        policy=liveness_policy,
        model=fusion,
        challenge=challenge,
        conditions=CaptureConditions(too_slow=too_slow, turned=_TURNED in hints[:1]),
    )
    liveness, flash = judged.result, judged.flash
    match = None
    if len(examined) >= MINIMUM_MATCH_FRAMES:
        match = compare(
            portrait=portrait,
            scan=fuse_templates([frame.sample for frame in examined]),
            calibration=calibration,
            policy=match_policy,
        )
    constant, signal = _identity_constancy(scan, examined, witnesses, calibration)
    liveness = replace(liveness, signals=(*liveness.signals, signal))
    undecided = liveness.verdict is Verdict.INCONCLUSIVE or match is None or constant is None
    retryable = undecided and not _other_person(match, constant)
    if liveness.verdict is Verdict.SPOOF:
        retryable = False
    slow = ("NETWORK_TOO_SLOW",) if too_slow else ()
    unsteady = ("HOLD_STILL",) if constant is None and match is not None else ()
    advice = [_ADVICE[reason] for reason in liveness.reasons if reason in _ADVICE]
    if too_slow or not _TOO_LITTLE_SEEN.isdisjoint(liveness.reasons):
        advice = [code for code in advice if code != _MOVEMENT]
    feedback = list(dict.fromkeys([*slow, *hints, *unsteady, *advice]))
    return AttemptJudgement(
        liveness=liveness,
        match=match,
        match_frames=len(examined) if match is not None else 0,
        identity_constant=constant,
        retryable=retryable,
        feedback=tuple(feedback[:_MOST_FEEDBACK]) if undecided or liveness.verdict is Verdict.SPOOF else (),
        # Bits of a movement are not a flash's: they count towards no floor.
        verified_bits=0.0 if flash is None else flash.verified_bits,
        challenge_steps=_steps(challenge, flash),
        ample=complete or _on_standing_line(scan, selected=len(examined)),
    )


def _other_person(match: MatchResult | None, constant: bool | None) -> bool:
    return constant is False or (match is not None and not match.same_person)


def _on_standing_line(scan: ScanObservations, *, selected: int) -> bool:
    faces = scan.usable
    seconds = faces[-1].capture_time - faces[0].capture_time if faces else 0.0
    return _STANDING_LINE.reached(faces=len(faces), seconds=seconds, selected=selected)


def _steps(
    challenge: ChallengeEvidence | None, result: FlashResult | None
) -> tuple[ChallengeStepOutcome, ...]:
    if challenge is None or challenge.flash is None or result is None:
        return ()
    answers = {answer.number: answer for answer in result.steps}
    return tuple(_step(one.step, answers.get(one.step.number)) for one in challenge.flash.steps)


def _step(step: ColourStep, answer: StepAnswer | None) -> ChallengeStepOutcome:
    known = answer is not None and math.isfinite(answer.snr)
    return ChallengeStepOutcome(
        step=step,
        signal_to_noise=answer.snr if answer is not None and known else None,
        agrees=None if answer is None else answer.agrees,
    )


def _identity_constancy(
    scan: ScanObservations,
    examined: Sequence[ExaminedFrame],
    witnesses: Sequence[ExaminedFrame],
    calibration: MatchCalibration,
) -> tuple[bool | None, Signal]:
    """Whether one person was seen throughout, and the signal that says so; it has no weight in liveness."""
    frames = sorted([*examined, *witnesses], key=lambda frame: frame.frame_index)
    constancy = measure_constancy([frame.sample for frame in frames], calibration=calibration)
    if constancy is None:
        reason = f"Two frames or more are needed to compare, and {len(frames)} can be used."
        return None, not_assessed(name=_CONSTANCY, label=_CONSTANCY_LABEL, reason=reason)
    share = spoken_for(scan, examined={frame.frame_index for frame in frames})
    found = _what_was_compared(constancy, frames, witnesses=len(witnesses), share=share)
    if constancy.constant and share < _LEAST_SPOKEN_FOR:
        reason = f"{found} That is too little: the face was lost again and again in between."
        return None, not_assessed(name=_CONSTANCY, label=_CONSTANCY_LABEL, reason=reason)
    return constancy.constant, Signal(
        name=_CONSTANCY,
        label=_CONSTANCY_LABEL,
        score=similarity_for_fmr(constancy.fmr_bound) / 100.0,
        weight=0.0,
        passed=constancy.constant,
        detail=found,
    )


def _what_was_compared(
    constancy: IdentityConstancy, frames: Sequence[ExaminedFrame], *, witnesses: int, share: float
) -> str:
    apart = ", ".join(str(frames[place].frame_index) for place in constancy.apart)
    return (
        f"{constancy.samples} frames were identified, {witnesses} of them because the face had been lost; "
        f"they speak for {share:.0%} of the frames. Least like the others: frame {apart}, at a bound on FMR "
        f"of {constancy.fmr_bound:.2g}; above {constancy.max_fmr:.2g} they count as another person's."
    )
