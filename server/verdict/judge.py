"""The decision on a check: a pure function from the facts of a scan to a status and its reasons.

SUCCESS requires all of: the same person, a live person, the device demands met, no decisive device test
failed, an intact transcript, the demanded mode, and enough verified challenge bits. A missing fact never
counts as passed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from device_integrity import Assurance
from liveness import LivenessResult, Verdict
from matcher import MatchResult
from server.domain.terms import ADVERSE, FAULTS, CheckStatus, FailureReason, Mode


@dataclass(frozen=True, slots=True, kw_only=True)
class VerdictDemands:
    """The demands of the check's policy, beyond the thresholds that matcher and liveness have applied.

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
    """The facts that are known at the end of a scan.

    Attributes:
        match: The comparison with the portrait; ``None`` if no usable face was captured.
        identity_constant: Whether every sampled frame shows one person; ``None`` if too few frames were
            usable.
        liveness: The liveness of the deciding attempt; ``None`` if none was judged.
        mode_used: The mode of the deciding attempt; ``None`` if none was judged.
        verified_bits: Challenge bits that were verified.
        assurance: The device assurance that was reached.
        device_demands_met: Whether the evidence that the policy demands of the device is present and holds.
        device_decided: Whether a decisive device test failed and neither the policy nor the sandbox tolerates
            it.
        injected: Whether the device's evidence, as far as the policy demands it, proves that no camera took
            the frames.
        transcript_intact: Whether the deciding attempt's transcript holds; ``None`` if no attempt ended.
        reason: Why the scan ended without a judged attempt, or a circumstance that the decision on the last
            attempt names, such as a fault of the server. ``None`` if an attempt was judged and there is no
            such circumstance.
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
    reason: FailureReason | None


@dataclass(frozen=True, slots=True)
class CheckVerdict:
    """A status and its reasons, most important first; every status but SUCCESS has at least one reason."""

    status: CheckStatus
    reasons: tuple[FailureReason, ...]

    @property
    def about_person(self) -> bool:
        """Whether the decision concerns the person; NOT_DECIDED does not."""
        return self.status is not CheckStatus.NOT_DECIDED


def judge_check(*, inputs: VerdictInputs, demands: VerdictDemands) -> CheckVerdict:
    """Decide a check.

    Every condition that is not met becomes a reason. The reasons are collected most important first.
    """
    reasons: list[FailureReason] = []
    # 1. The end of the scan and its transcript.
    if inputs.reason is not None:
        reasons.append(inputs.reason)
    if inputs.transcript_intact is False:
        reasons.append(FailureReason.TRANSCRIPT_BROKEN)
    # 2. Manipulation of the device.
    if inputs.device_decided or inputs.injected:
        reasons.append(FailureReason.DEVICE_MANIPULATED)
    # 3. Liveness, identity and match.
    if inputs.liveness is not None and inputs.liveness.verdict is Verdict.SPOOF:
        reasons.append(FailureReason.SPOOF)
    if inputs.identity_constant is False:
        reasons.append(FailureReason.IDENTITY_CHANGED)
    if inputs.match is not None and not inputs.match.same_person:
        reasons.append(FailureReason.NOT_SAME_PERSON)
    if inputs.liveness is not None and inputs.liveness.verdict is Verdict.INCONCLUSIVE:
        reasons.append(FailureReason.LIVENESS_INCONCLUSIVE)
    # 4. The strength of the proof: mode and challenge bits.
    if inputs.mode_used is not None and inputs.mode_used.strength < demands.mode.strength:
        reasons.append(FailureReason.MODE_NOT_MET)
    if inputs.mode_used is Mode.DYNAMIC and inputs.verified_bits < demands.required_bits:
        reasons.append(FailureReason.CHALLENGE_BITS_TOO_FEW)
    # 5. The demands on the device.
    if not inputs.device_demands_met or inputs.assurance.level < demands.minimum_assurance.level:
        reasons.append(FailureReason.DEVICE_NOT_TRUSTED)
    # 6. A fact that is missing without any other reason: nothing was proved.
    complete = (
        inputs.match is not None
        and inputs.liveness is not None
        and inputs.identity_constant is True
        and inputs.transcript_intact is True
        and inputs.mode_used is not None
    )
    if not complete and not reasons:
        reasons.append(FailureReason.CONDITIONS)
    # 7. Without a reason the check succeeds; otherwise `judge_reasons` decides FAILURE or NOT_DECIDED.
    return judge_reasons(reasons) if reasons else CheckVerdict(CheckStatus.SUCCESS, ())


def judge_ending(undecided: CheckVerdict, *, reason: FailureReason, manipulated: bool) -> CheckVerdict:
    """Decide a check that ended after an attempt that did not decide it.

    Args:
        undecided: The decision that the attempt alone would lead to.
        manipulated: Whether the device is certainly manipulated. This decides the check, however it ended.
    """
    # CONDITIONS only marked that nothing was decided. Now the real ending is known and replaces it.
    own = (reason for reason in undecided.reasons if reason is not FailureReason.CONDITIONS)
    return judge_reasons((*ending_reasons(reason, manipulated=manipulated), *own))


def ending_reasons(reason: FailureReason, *, manipulated: bool) -> tuple[FailureReason, ...]:
    """Return the reasons of a check that ended without a deciding attempt, most important first.

    Args:
        manipulated: Whether the device is certainly manipulated.
    """
    if not manipulated:
        return (reason,)
    if reason is FailureReason.TRANSCRIPT_BROKEN:
        return reason, FailureReason.DEVICE_MANIPULATED
    return (FailureReason.DEVICE_MANIPULATED,)


def judge_reasons(reasons: Iterable[FailureReason]) -> CheckVerdict:
    """Decide a check that does not succeed.

    A fault of the server leaves the check undecided, whatever else is missing. If a reason is adverse to the
    person or the device, the check fails, and the fault is not among its reasons.

    Args:
        reasons: At least one reason, most important first; duplicates are dropped.
    """
    distinct = tuple(dict.fromkeys(reasons))
    # 1. No fault of the server: the check fails for the reasons given.
    faults = tuple(reason for reason in distinct if reason in FAULTS)
    if not faults:
        return CheckVerdict(CheckStatus.FAILURE, distinct)
    # 2. A fault, and nothing adverse: the check is not decided.
    if ADVERSE.isdisjoint(distinct):
        return CheckVerdict(CheckStatus.NOT_DECIDED, faults[:1])
    # 3. A fault and something adverse: the adverse reasons stand without the fault.
    return CheckVerdict(CheckStatus.FAILURE, tuple(reason for reason in distinct if reason not in FAULTS))
