"""What an attempt amounts to: liveness and match of what was captured, and whether to try again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from liveness.express.judge import judge_express
from liveness.fusion import FusionModel
from liveness.observation import ScanObservations
from liveness.policy import LivenessPolicy
from liveness.verdict import LivenessResult, Reason, Verdict
from matcher.comparison import MatchPolicy, MatchResult, compare, cosine_similarity
from matcher.similarity import fmr_bound
from matcher.template import fuse_templates
from server.policies import Policy
from server.scan.analyst import ExaminedFrame
from vision.face import Embedding
from vision.packs import MatchCalibration

_MOST_FEEDBACK = 8
MINIMUM_MATCH_FRAMES = 3
"""Selected frames below which a scan is not compared: one unlucky frame must not decide."""

# Two frames of one scan differ far less than two photos of one person, so this lax bound still
# separates a swap; the policy's own FMR applies to the comparison with the portrait.
_CONSTANCY_MAX_FMR = 0.1

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
        identity_constant: Whether all examined frames show one person; ``None`` where fewer than two
            were examined.
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
        portrait: The portrait's template.
        calibration: Of the embedder that made both.
        liveness_policy: Thresholds of liveness.
        match_policy: Threshold of the match.
        fusion: The liveness model.
        hints: Feedback codes of the frames that were not well placed, most frequent first.
        too_slow: Whether fewer frames a second came than the usable minimum; such an attempt cannot
            show that somebody is alive, but it can still show a spoof.
    """
    liveness = judge_express(
        scan=scan,
        pad_scores=[score for frame in examined for score in frame.pad_scores],
        policy=liveness_policy,
        model=fusion,
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
    constant = _identity_constant(examined, calibration)
    other_person = constant is False or (match is not None and not match.same_person)
    retryable = not other_person and (liveness.verdict is Verdict.INCONCLUSIVE or match is None)
    if liveness.verdict is Verdict.SPOOF:
        retryable = False
    slow = ("NETWORK_TOO_SLOW",) if too_slow else ()
    feedback = list(dict.fromkeys([*slow, *hints, *(_ADVICE[r] for r in liveness.reasons if r in _ADVICE)]))
    return AttemptJudgement(
        liveness=liveness,
        match=match,
        match_frames=len(examined) if match is not None else 0,
        identity_constant=constant,
        retryable=retryable,
        feedback=tuple(feedback[:_MOST_FEEDBACK]) if liveness.verdict is not Verdict.LIVE else (),
    )


def liveness_policy(policy: Policy) -> LivenessPolicy:
    """The part of a check's policy that liveness applies."""
    rules = policy.liveness
    return LivenessPolicy(
        live_threshold=rules.live_threshold,
        spoof_threshold=rules.spoof_threshold,
        require_pad_network=rules.require_pad_network,
        minimum_frames=rules.minimum_frames,
    )


def _identity_constant(examined: Sequence[ExaminedFrame], calibration: MatchCalibration) -> bool | None:
    if len(examined) < 2:
        return None
    least = min(
        cosine_similarity(first.sample.embedding, second.sample.embedding)
        for first, second in combinations(examined, 2)
    )
    return fmr_bound(least, calibration=calibration) <= _CONSTANCY_MAX_FMR
