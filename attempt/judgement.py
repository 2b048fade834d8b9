"""Judges an attempt: joins liveness, match and constancy, and decides whether another attempt may help."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

from attempt.analyst import ExaminedFrame
from attempt.challenge import AttemptChallenge
from attempt.flash_run import FlashRun
from attempt.movement_run import MovementRun
from liveness import (
    TOO_LITTLE_SEEN,
    ChallengeEvidence,
    DoubtTerms,
    FusionModel,
    GestureRequest,
    LivenessPolicy,
    LivenessResult,
    ScanObservations,
    Signal,
    TrustedFace,
    Verdict,
    VerdictReason,
    examined_share,
    not_assessed,
    unexamined_stretches,
)
from liveness.dynamic import DynamicPolicy, FlashModel, FlashResult
from liveness.dynamic.challenge import ColourStep
from liveness.dynamic.measurement import StepAnswer
from liveness.express import PadScore
from liveness.judge import CaptureConditions, ScanLiveness, judge_scan
from matcher import (
    IdentityConstancy,
    MatchPolicy,
    MatchResult,
    TemplateSample,
    compare,
    fuse_templates,
    measure_constancy,
    similarity_for_fmr,
)
from vision.packs import MatchCalibration, Template

_NAME: Final = "identity_constancy"
_LABEL: Final = "One person throughout"
_LEAST_SPOKEN_FOR: Final = 2 / 3
"""The least share of frames whose person is identified. With less, one side of a loss is not known."""


def identity_constancy(
    scan: ScanObservations,
    samples: Mapping[int, TemplateSample],
    *,
    calibration: MatchCalibration,
    witnesses: int = 0,
    is_portrait: Callable[[Template], bool] | None = None,
) -> tuple[bool | None, Signal]:
    """Return whether the frames show one person throughout, and the signal of this, without weight.

    Args:
        scan: The measurements of every frame.
        samples: The templates of the examined frames, by their index. Only those within the range of the
            calibration count (``TemplateSample.comparable``).
        witnesses: The number of frames that were identified because the face had been lost.
        is_portrait: Whether a fused template matches the portrait; ``None`` for a file, which has none.

    Returns:
        True, False, or ``None`` if it could not be assessed.
    """
    frames = sorted(index for index, sample in samples.items() if sample.comparable)
    constancy = measure_constancy(
        [samples[index] for index in frames], calibration=calibration, is_portrait=is_portrait
    )
    if constancy is None:
        reason = (
            f"Two frames or more that show the face from the front are needed, and there are {len(frames)}."
        )
        return None, not_assessed(name=_NAME, label=_LABEL, reason=reason)
    share = examined_share(scan, examined=set(frames))
    found = _detail(constancy, frames, witnesses=witnesses, share=share)
    if constancy.constant and share < _LEAST_SPOKEN_FOR:
        reason = f"{found} That is too little: the face was lost, and not seen from the front again."
        return None, not_assessed(name=_NAME, label=_LABEL, reason=reason)
    return constancy.constant, Signal(
        name=_NAME,
        label=_LABEL,
        score=similarity_for_fmr(constancy.fmr_bound) / 100.0,
        weight=0.0,
        passed=constancy.constant,
        detail=found,
    )


def _detail(constancy: IdentityConstancy, frames: Sequence[int], *, witnesses: int, share: float) -> str:
    apart = ", ".join(str(frames[place]) for place in constancy.apart)
    excused = constancy.constant and constancy.fmr_bound > constancy.max_fmr
    both = " Here both groups match the portrait, and count as one person." if excused else ""
    return (
        f"The face was identified in {constancy.samples} frames, in {witnesses} of them because it had been "
        f"lost; they represent {100 * share:.0f} % of the frames. Least similar to the others: frame "
        f"{apart}, at a bound on FMR of {constancy.fmr_bound:.2g}. Above {constancy.max_fmr:.2g}, frames "
        f"count as another person's.{both}"
    )


MOST_FEEDBACK = 8
"""The maximum number of codes of feedback that a device gets with a result."""
MINIMUM_MATCH_FRAMES = 3
"""The least number of selected frames for a comparison, because one unlucky frame must not decide."""

_TURNED = "WRONG_ROTATION"
"""The hint of a rotated frame."""
_TIMED_OUT = "TIMED_OUT"

CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW, SERVER_BUSY = "CAPTURE_TOO_SLOW", "NETWORK_TOO_SLOW", "SERVER_BUSY"

_ADVICE: dict[VerdictReason, str] = {
    VerdictReason.TOO_FEW_FRAMES: _TIMED_OUT,
    VerdictReason.TOO_SHORT: _TIMED_OUT,
    VerdictReason.TOO_FEW_USABLE_FACES: "NO_FACE",
    VerdictReason.WRONG_ROTATION: "WRONG_ROTATION",
    VerdictReason.NO_SIGN_OF_LIFE_MEASURABLE: "TURN_HEAD_SLIGHTLY",
    VerdictReason.EVIDENCE_TOO_WEAK: "TURN_HEAD_SLIGHTLY",
    VerdictReason.SHOWS_TRUSTED_IMAGE: "TURN_HEAD_SLIGHTLY",
    VerdictReason.ONE_PICTURE_MOVED: "TURN_HEAD_SLIGHTLY",
    VerdictReason.EYES_CLOSED: "EYES_CLOSED",
    VerdictReason.EVIDENCE_TOO_DARK: "TOO_DARK",
    VerdictReason.EVIDENCE_TOO_BRIGHT: "TOO_BRIGHT",
    VerdictReason.EVIDENCE_BLURRED: "BLURRED",
    VerdictReason.EVIDENCE_TOO_NOISY: "LOW_VIDEO_QUALITY",
    VerdictReason.FACE_TOO_SMALL: "MOVE_CLOSER",
    VerdictReason.FACE_TOO_LARGE: "MOVE_BACK",
    VerdictReason.NO_COLOURS: "NO_COLOURS",
    VerdictReason.TOO_BRIGHT_TO_MEASURE: "TOO_BRIGHT",
    VerdictReason.TOO_DARK_TO_MEASURE: "TOO_DARK",
    VerdictReason.SCREEN_TOO_DIM: "RAISE_SCREEN_BRIGHTNESS",
    VerdictReason.CHALLENGE_ANSWERED_LATE: NETWORK_TOO_SLOW,
    VerdictReason.CHALLENGE_NOT_MEASURABLE: "HOLD_STILL",
    VerdictReason.TOO_FEW_CHALLENGE_BITS: "HOLD_STILL",
    VerdictReason.BLINK_NOT_SEEN: "BLINK",
    VerdictReason.DEPTH_NOT_SEEN: "TURN_HEAD_SLIGHTLY",
    VerdictReason.MOUTH_NOT_OPENED: "OPEN_MOUTH",
    VerdictReason.HEAD_NOT_TURNED: "ACTION_NOT_PERFORMED",
    VerdictReason.SUNGLASSES: "SUNGLASSES",
    VerdictReason.EYES_NOT_VISIBLE: "EYES_NOT_VISIBLE",
    VerdictReason.FACE_MASK: "FACE_MASK",
    VerdictReason.MOUTH_NOT_VISIBLE: "MOUTH_NOT_VISIBLE",
    VerdictReason.FACE_OBSTRUCTED: "FACE_OBSTRUCTED",
}

_MOVEMENT = _ADVICE[VerdictReason.EVIDENCE_TOO_WEAK]
_SIGNS = frozenset({_ADVICE[VerdictReason.BLINK_NOT_SEEN], _ADVICE[VerdictReason.DEPTH_NOT_SEEN]})
"""Hints that ask for a sign. Once it was shown, they help nobody in the next attempt."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingLine:
    """The evidence that is needed to decide against the person if the device left the attempt early.

    It is three quarters of a whole attempt. With less, genuine persons would fail: the first two seconds of
    some genuine clips look like an attack or another person, although the whole clips do not. With this much
    evidence, clips that were cut at any length failed no more often than whole ones (``docs/accuracy.md``,
    "Early departure").

    Attributes:
        faces: The least number of measured frames with exactly one face.
        seconds: The least capture time between the first and the last of them, seconds.
        selected: The least number of selected frames.
    """

    faces: int = 24
    seconds: float = 3.0
    selected: int = 6

    def reached(self, *, faces: int, seconds: float, selected: int) -> bool:
        """Return whether an attempt reaches all three numbers."""
        return faces >= self.faces and seconds >= self.seconds and selected >= self.selected


_STANDING_LINE = StandingLine()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class AttemptEvidence:
    """What an attempt shows up to some frame; it stays while the capture takes further frames.

    Attributes:
        scan: The measurements of its frames.
        examined: The templates and cues of its selected frames.
        witnesses: Frames from stretches of the scan without a selected frame. They count only for constancy.
        pad_scores: The scores of the PAD networks, of frames spread over the attempt; empty without networks.
        gestures: The requests for gestures that the policy demands, in order.
        challenge: The evidence of its challenge; ``None`` in EXPRESS.
        hints: Feedback codes of the frames that were not well placed, most frequent first.
        obstacle: The hint of most frames, if they have the same. It comes first.
        too_slow: The hint if fewer frames a second arrived than the usable minimum; ``None`` otherwise. Such
            an attempt cannot be LIVE, but it can be SPOOF.
        busy: Whether the server itself is the cause of few or late frames.
        complete: Whether the attempt has all the frames that the server needs, whether its end is signed or
            not.
    """

    scan: ScanObservations
    examined: tuple[ExaminedFrame, ...] = ()
    witnesses: tuple[ExaminedFrame, ...] = ()
    pad_scores: tuple[PadScore, ...] = ()
    gestures: tuple[GestureRequest, ...] = ()
    challenge: ChallengeEvidence | None = None
    hints: tuple[str, ...] = ()
    obstacle: str | None = None
    too_slow: str | None = None
    busy: bool = False
    complete: bool = False

    @property
    def samples(self) -> dict[int, TemplateSample]:
        """The templates of the frames that were examined or identified, by their index."""
        return {frame.frame_index: frame.sample for frame in (*self.examined, *self.witnesses)}

    @property
    def identified(self) -> frozenset[int]:
        """Indices of those frames whose templates are within the range of the calibration.

        Only they identify a person.
        """
        return frozenset(index for index, sample in self.samples.items() if sample.comparable)

    @property
    def ample(self) -> bool:
        """Whether it is sufficient to decide against the person even if the device left early."""
        faces = self.scan.usable
        seconds = faces[-1].capture_time - faces[0].capture_time if faces else 0.0
        selected = len(self.examined)
        return self.complete or _STANDING_LINE.reached(faces=len(faces), seconds=seconds, selected=selected)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeStepOutcome:
    """One step of a screen flash and its measurement.

    Attributes:
        signal_to_noise: Signal-to-noise ratio of the face's response; ``None`` if it could not be measured.
        agrees: Whether the response fits this step; ``None`` if it could not be measured.
    """

    step: ColourStep
    signal_to_noise: float | None
    agrees: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptJudgement:
    """The judgement of an attempt.

    Attributes:
        match: The comparison with the portrait; ``None`` if too few usable frames were captured.
        match_frames: The number of frames whose embeddings were fused.
        identity_constant: Whether the attempt shows one person throughout; ``None`` if too few frames were
            identified.
        retryable: Whether only poor conditions prevented a decision; false for a spoof and for another
            person.
        feedback: Hints for the next attempt, most important first.
        verified_bits: Challenge bits that were verified, net of chance; 0 without a challenge.
        challenge_steps: Steps of the flash as drawn and measured; empty without a flash.
        ample: Whether the evidence is sufficient to decide against the person even if the device left early.
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
        """Whether the judgement is against the person.

        That is a SPOOF, a person other than the portrait's, or a change of person.
        """
        return self.liveness.verdict is Verdict.SPOOF or _other_person(self.match, self.identity_constant)

    @property
    def clear(self) -> bool:
        """Whether nothing is left to decide: LIVE, the portrait's person, and one person throughout."""
        alive = self.liveness.verdict is Verdict.LIVE
        return alive and self.match is not None and self.match.same_person and self.identity_constant is True

    @property
    def stands(self) -> bool:
        """Whether the judgement decides the check even if the device does not sign the attempt's end.

        An adverse judgement with ample evidence does. This prevents a device from avoiding it by
        disconnecting. Any other judgement needs the signed end.
        """
        return self.adverse and self.ample


def evidence_of(
    challenge: AttemptChallenge | None, *, limits: DynamicPolicy, model: FlashModel
) -> ChallengeEvidence | None:
    """Return the evidence of a challenge so far; ``None`` in EXPRESS.

    Args:
        limits: The check's requirements for the challenge.
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
    evidence: AttemptEvidence,
    *,
    portrait: Template,
    calibration: MatchCalibration,
    liveness_policy: LivenessPolicy,
    match_policy: MatchPolicy,
    fusion: FusionModel,
    doubt: DoubtTerms | None = None,
    trusted: TrustedFace | None = None,
) -> AttemptJudgement:
    """Judge one attempt.

    Args:
        portrait: The portrait's template.
        calibration: The calibration of the embedder that made it and the templates of the evidence.
        doubt: What doubt means for the attempt; ``None`` if the policy has no challenges for it.
        trusted: The face of the trusted image; ``None`` if its pixels are not known.
    """
    scan, identified = evidence.scan, evidence.identified
    # 1. Liveness.
    # A face that was lost and not identified since may be anyone's: it cannot count for the person.
    unknown = {
        index for stretch in unexamined_stretches(scan, examined=identified) for index in stretch.frames
    }
    judged = judge_scan(
        scan=scan,
        identified=identified,
        pad_scores=tuple(
            score
            for score in evidence.pad_scores
            if score.frame_index not in unknown or score.real_probability < 0.5
        ),
        cues=[frame.cues for frame in evidence.examined if frame.cues is not None],
        policy=liveness_policy,
        model=fusion,
        challenge=evidence.challenge,
        conditions=CaptureConditions(
            too_slow=evidence.too_slow is not None, turned=_TURNED in evidence.hints[:1]
        ),
        gestures=evidence.gestures,
        doubt=doubt,
        trusted=trusted,
    )
    # 2. Match with the portrait.
    matched = partial(compare, portrait=portrait, calibration=calibration, policy=match_policy)
    fused = [frame.sample for frame in evidence.examined if frame.sample.comparable]
    match = matched(scan=fuse_templates(fused)) if len(fused) >= MINIMUM_MATCH_FRAMES else None
    # 3. Constancy: one person throughout.
    constant, signal = identity_constancy(
        scan,
        evidence.samples,
        calibration=calibration,
        witnesses=len(evidence.witnesses),
        is_portrait=lambda template: matched(scan=template).same_person,
    )
    liveness, flash = judged.result, judged.flash
    # 4. Whether another attempt may help, and the hints for it.
    spoof = liveness.verdict is Verdict.SPOOF
    undecided = liveness.verdict is Verdict.INCONCLUSIVE or match is None or constant is None
    feedback = advise(
        evidence, judged, matched=match is not None, constant=constant, challenged=doubt is not None
    )
    return AttemptJudgement(
        liveness=replace(liveness, signals=(*liveness.signals, signal)),
        match=match,
        match_frames=len(fused) if match is not None else 0,
        identity_constant=constant,
        retryable=undecided and not spoof and not _other_person(match, constant),
        feedback=feedback if undecided or spoof else (),
        # Bits of a movement do not count towards the required bits of a flash.
        verified_bits=0.0 if flash is None else flash.verified_bits,
        challenge_steps=_steps(evidence.challenge, flash),
        ample=evidence.ample,
    )


def advise(
    evidence: AttemptEvidence,
    judged: ScanLiveness,
    *,
    matched: bool,
    constant: bool | None,
    challenged: bool,
) -> tuple[str, ...]:
    """Return the hints for another attempt, most important first.

    Args:
        matched: Whether there were enough frames for a match.
        constant: See ``AttemptJudgement.identity_constant``.
        challenged: Whether a challenge follows doubt. It says itself what to do.
    """
    liveness, flash, challenge = judged.result, judged.flash, evidence.challenge
    table = _ADVICE
    if flash is not None and challenge is not None and flash.verified_bits >= challenge.limits.minimum_bits:
        # If all colours are proven, less other light helps, and not stillness.
        lit = _ADVICE[VerdictReason.TOO_BRIGHT_TO_MEASURE]
        table = {**_ADVICE, VerdictReason.CHALLENGE_NOT_MEASURABLE: lit}
    answered = liveness.doubts if challenged else ()
    advice = [table[reason] for reason in liveness.reasons if reason in table and reason not in answered]
    if evidence.too_slow is not None:
        # Too few frames are a consequence, and nothing that the person or the lens can change.
        advice = [code for code in advice if code != _TIMED_OUT]
    if evidence.too_slow is not None or not TOO_LITTLE_SEEN.isdisjoint(liveness.reasons):
        advice = [code for code in advice if code != _MOVEMENT]
    told = [code for code in evidence.hints if code not in _SIGNS or code in advice]
    unsteady: tuple[str, ...] = ()
    if not (matched and constant is not None) and any(
        not frame.sample.comparable for frame in evidence.examined
    ):
        unsteady = ("LOOK_STRAIGHT",)
    elif constant is None and matched:
        unsteady = ("HOLD_STILL",)
    slow = () if evidence.too_slow is None else (evidence.too_slow,)
    feedback = [*(code for code in told if code == evidence.obstacle), *slow, *told, *unsteady, *advice]
    if evidence.busy:
        blamed = CAPTURE_TOO_SLOW, NETWORK_TOO_SLOW
        feedback = [SERVER_BUSY if code in blamed else code for code in feedback]
    return tuple(dict.fromkeys(feedback))[:MOST_FEEDBACK]


def _other_person(match: MatchResult | None, constant: bool | None) -> bool:
    return constant is False or (match is not None and not match.same_person)


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
