"""What an attempt amounts to: liveness and match of what was captured, and whether to try again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from liveness.continuity import of_known_face, spoken_for
from liveness.express.interface import FrameEmbedding
from liveness.express.judge import judge_express
from liveness.fusion import FusionModel
from liveness.observation import ScanObservations
from liveness.policy import LivenessPolicy
from liveness.signal import Signal, not_assessed
from liveness.verdict import LivenessResult, Reason, Verdict
from matcher.comparison import MatchPolicy, MatchResult, compare
from matcher.constancy import IdentityConstancy, measure_constancy
from matcher.similarity import similarity_for_fmr
from matcher.template import fuse_templates
from server.policies import Policy
from server.scan.analyst import ExaminedFrame
from vision.face import Embedding
from vision.packs import MatchCalibration

_MOST_FEEDBACK = 8
MINIMUM_MATCH_FRAMES = 3
"""Selected frames below which a scan is not compared: one unlucky frame must not decide."""

_LEAST_SPOKEN_FOR = 0.5
"""Share of the frames below which too much of a scan shows nobody knows whom; 0.75 and more on live clips."""

_CONSTANCY, _CONSTANCY_LABEL = "identity_constancy", "One person throughout"

_ADVICE: dict[Reason, str] = {
    Reason.TOO_FEW_FRAMES: "LOW_VIDEO_QUALITY",
    Reason.TOO_SHORT: "TIMED_OUT",
    Reason.TOO_FEW_USABLE_FACES: "NO_FACE",
    Reason.NO_SIGN_OF_LIFE_MEASURABLE: "TURN_HEAD_SLIGHTLY",
    Reason.EVIDENCE_TOO_WEAK: "TURN_HEAD_SLIGHTLY",
}


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
    """

    liveness: LivenessResult
    match: MatchResult | None
    match_frames: int
    identity_constant: bool | None
    retryable: bool
    feedback: tuple[str, ...]


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
    """
    identified = {frame.frame_index for frame in (*examined, *witnesses)}
    liveness = judge_express(
        scan=of_known_face(scan, examined=identified),
        pad_scores=[score for frame in examined for score in frame.pad_scores],
        policy=liveness_policy,
        model=fusion,
        cues=[frame.cues for frame in examined if frame.cues is not None],
        embeddings=_embeddings(scan, examined),
    )
    if too_slow and liveness.verdict is Verdict.LIVE:
        liveness = replace(liveness, verdict=Verdict.INCONCLUSIVE, reasons=(Reason.TOO_FEW_FRAMES,))
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
    other_person = constant is False or (match is not None and not match.same_person)
    undecided = liveness.verdict is Verdict.INCONCLUSIVE or match is None or constant is None
    retryable = undecided and not other_person
    if liveness.verdict is Verdict.SPOOF:
        retryable = False
    slow = ("NETWORK_TOO_SLOW",) if too_slow else ()
    unsteady = ("HOLD_STILL",) if constant is None and match is not None else ()
    advice = (_ADVICE[reason] for reason in liveness.reasons if reason in _ADVICE)
    feedback = list(dict.fromkeys([*slow, *hints, *unsteady, *advice]))
    return AttemptJudgement(
        liveness=liveness,
        match=match,
        match_frames=len(examined) if match is not None else 0,
        identity_constant=constant,
        retryable=retryable,
        feedback=tuple(feedback[:_MOST_FEEDBACK]) if undecided or liveness.verdict is Verdict.SPOOF else (),
    )


def _embeddings(scan: ScanObservations, examined: Sequence[ExaminedFrame]) -> list[FrameEmbedding]:
    """The selected frames' templates with their capture times."""
    times = {frame.index: frame.capture_time for frame in scan.frames}
    return [
        FrameEmbedding(frame.frame_index, times[frame.frame_index], frame.sample.embedding)
        for frame in sorted(examined, key=lambda one: one.frame_index)
        if frame.frame_index in times
    ]


def liveness_policy(policy: Policy) -> LivenessPolicy:
    """The part of a check's policy that liveness applies."""
    rules = policy.liveness
    return LivenessPolicy(
        live_threshold=rules.live_threshold,
        spoof_threshold=rules.spoof_threshold,
        require_pad_network=rules.require_pad_network,
        minimum_frames=rules.minimum_frames,
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
