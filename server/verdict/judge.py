"""The one owner of a check's status: a pure function from what each room found to a status and its reasons.

SUCCESS needs all of: same person, live, device policy met, no decisive device check failed, transcript
intact, the demanded mode, and enough challenge bits verified. Missing is never pass.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from device_integrity.assurance import Assurance
from liveness.verdict import LivenessResult, Verdict
from matcher.comparison import MatchResult
from server.domain.reasons import ADVERSE, FAULTS, CheckStatus, FailureReason
from server.domain.terms import Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictDemands:
    """What the check's policy demands, beyond the thresholds that each room already applied.

    Attributes:
        mode: The mode that must have been used.
        minimum_assurance: The device assurance that must be reached.
        required_bits: Challenge bits that must be verified; 0 in EXPRESS.
    """

    mode: Mode
    minimum_assurance: Assurance
    required_bits: float


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictInputs:
    """What is known at the end of a scan.

    Attributes:
        match: The comparison with the portrait; ``None`` where no usable face was captured.
        identity_constant: Whether every sampled frame shows one person; ``None`` where too few frames
            tell.
        liveness: The liveness of the deciding attempt; ``None`` where none was judged.
        mode_used: The mode of the deciding attempt; ``None`` where none was judged.
        verified_bits: Challenge bits that were verified.
        assurance: The device assurance that was reached.
        device_demands_met: Whether what the policy demands of the device is there and holds.
        device_decided: Whether a decisive device check failed that nothing tolerates.
        injected: Whether the device's evidence, as far as the policy demands it, shows for certain that no
            camera made the frames.
        transcript_intact: Whether the deciding attempt's transcript holds; ``None`` where none ended.
        ended_by: Why the scan ended without a judged attempt, or the circumstances of the last one; a fault
            of the server included. ``None`` where an attempt was judged.
    """

    match: MatchResult | None
    identity_constant: bool | None
    liveness: LivenessResult | None
    mode_used: Mode | None
    verified_bits: float
    assurance: Assurance
    device_demands_met: bool
    device_decided: bool
    injected: bool
    transcript_intact: bool | None
    ended_by: FailureReason | None


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """The status and, but for SUCCESS, at least one reason, most important first."""

    status: CheckStatus
    reasons: tuple[FailureReason, ...]

    @property
    def about_person(self) -> bool:
        """Whether it says anything about the person: what is not decided does not."""
        return self.status is not CheckStatus.NOT_DECIDED


def judge_check(*, inputs: VerdictInputs, demands: VerdictDemands) -> CheckVerdict:
    """Decides a check. Every condition that is not met is a reason; none is met by absence."""
    reasons: list[FailureReason] = []
    if inputs.ended_by is not None:
        reasons.append(inputs.ended_by)
    if inputs.transcript_intact is False:
        reasons.append(FailureReason.TRANSCRIPT_BROKEN)
    if inputs.device_decided or inputs.injected:
        reasons.append(FailureReason.DEVICE_MANIPULATED)
    if inputs.liveness is not None and inputs.liveness.verdict is Verdict.SPOOF:
        reasons.append(FailureReason.SPOOF)
    if inputs.identity_constant is False:
        reasons.append(FailureReason.IDENTITY_CHANGED)
    if inputs.match is not None and not inputs.match.same_person:
        reasons.append(FailureReason.NOT_SAME_PERSON)
    if inputs.liveness is not None and inputs.liveness.verdict is Verdict.INCONCLUSIVE:
        reasons.append(FailureReason.LIVENESS_INCONCLUSIVE)
    if inputs.mode_used is not None and inputs.mode_used.strength < demands.mode.strength:
        reasons.append(FailureReason.MODE_NOT_MET)
    if inputs.mode_used is Mode.DYNAMIC and inputs.verified_bits < demands.required_bits:
        reasons.append(FailureReason.CHALLENGE_BITS_TOO_FEW)
    if not inputs.device_demands_met or inputs.assurance.level < demands.minimum_assurance.level:
        reasons.append(FailureReason.DEVICE_NOT_TRUSTED)
    complete = (
        inputs.match is not None
        and inputs.liveness is not None
        and inputs.identity_constant is True
        and inputs.transcript_intact is True
        and inputs.mode_used is not None
    )
    if not complete and not reasons:
        reasons.append(FailureReason.CONDITIONS)
    return judge_reasons(reasons) if reasons else CheckVerdict(CheckStatus.SUCCESS, ())


def judge_ending(undecided: CheckVerdict, *, ended_by: FailureReason, manipulated: bool) -> CheckVerdict:
    """Decides a check that ended after an attempt that did not decide it.

    Args:
        undecided: What the attempt amounts to.
        ended_by: How the check ended.
        manipulated: Whether the device shows that it was manipulated: then that decides, however it ended.
    """
    # CONDITIONS stood for "nothing decided yet"; now it is known how the scan ended.
    own = (reason for reason in undecided.reasons if reason is not FailureReason.CONDITIONS)
    return judge_reasons((*ending_reasons(ended_by, manipulated=manipulated), *own))


def ending_reasons(ended_by: FailureReason, *, manipulated: bool) -> tuple[FailureReason, ...]:
    """Why a check fails that ended without a deciding attempt, most important first.

    Args:
        ended_by: How it ended.
        manipulated: Whether the device shows that it was manipulated.
    """
    if not manipulated:
        return (ended_by,)
    if ended_by is FailureReason.TRANSCRIPT_BROKEN:
        return ended_by, FailureReason.DEVICE_MANIPULATED
    return (FailureReason.DEVICE_MANIPULATED,)


def judge_reasons(reasons: Iterable[FailureReason]) -> CheckVerdict:
    """Decides a check that does not succeed.

    A fault of the server leaves it undecided, whatever else was missing, unless something speaks against the
    person or the device: then that stands, and the fault is not among its reasons.

    Args:
        reasons: At least one, most important first; those that come twice count once.
    """
    told = tuple(dict.fromkeys(reasons))
    faults = tuple(reason for reason in told if reason in FAULTS)
    if not faults:
        return CheckVerdict(CheckStatus.FAILURE, told)
    if ADVERSE.isdisjoint(told):
        return CheckVerdict(CheckStatus.NOT_DECIDED, faults[:1])
    return CheckVerdict(CheckStatus.FAILURE, tuple(reason for reason in told if reason not in FAULTS))
