"""Derives the assurance of a device from all its tests, and lists the policy's unmet demands.

The functions are pure: the same tests give the same result. Missing evidence never raises the assurance.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from device_integrity.camera.claims import Platform
from device_integrity.device_test import Assurance, DeviceFinding, DeviceTest
from device_integrity.policy.demands import (
    ATTESTATIONS,
    CEILINGS,
    NEEDED_CHECKS,
    Demand,
    DemandTable,
    Evidence,
)
from device_integrity.policy.signs import Sign, find_signs

OBSERVED: Final = (Evidence.DEVICE, Evidence.CAMERA, Evidence.STREAM)
"""The evidence that must have been evaluated before claims without contradictions give any assurance."""

_DOUBTS: Final = frozenset({"KEY_FARM", "RISK_HIGH"})
"""Reasons of soft failures that are no sign of a manipulation but leave doubt: many keys were made on the
device in few days. Other soft failures without a sign are reported without weight, because honest devices
cause them: an old patch level, a description that is not DER, a person's second account."""

_STATED: Final = {Evidence.CAMERA: frozenset({"camera.facing", "camera.hardware_level"})}
"""Tests of properties that every phone knows of its camera. If a phone does not state them, its camera counts
as not evaluated. On platforms that do not state them, these tests are NOT_EVALUATED."""

_NEVER_PASS: Final = frozenset({Evidence.DEVICE, Evidence.CONTRADICTION})


class UnmetReason(StrEnum):
    """Why a demand is not met."""

    PLATFORM_NOT_ALLOWED = "PLATFORM_NOT_ALLOWED"
    MISSING = "MISSING"
    """The evidence did not arrive or could not be evaluated."""
    NOT_VERIFIED = "NOT_VERIFIED"
    """A test of it failed, or a needed test could not be evaluated."""
    MANIPULATED = "MANIPULATED"
    """It shows a decided sign of manipulation."""


@dataclass(frozen=True, slots=True)
class Unmet:
    """A demand that is not met: its evidence (``None`` for the platform itself) and the reason."""

    evidence: Evidence | None
    reason: UnmetReason


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceAssessment:
    """The assessment of a device under a policy.

    Attributes:
        assurance: How well the device is known.
        required: The least assurance that the policy demands of its platform.
        unmet: Demands that are not met. The device is trusted only if there are none and ``assurance`` is
            not below ``required``.
        signs: Signs of manipulation, the strongest first.
    """

    assurance: Assurance
    required: Assurance
    unmet: tuple[Unmet, ...]
    signs: tuple[Sign, ...]
    checks: tuple[DeviceTest, ...]


def assess(
    checks: Sequence[DeviceTest],
    *,
    platform: Platform,
    demands: DemandTable,
    transcript_bound: bool,
    active_challenge: bool,
    ceilings: Mapping[str, Assurance] | None = None,
) -> DeviceAssessment:
    """Derive a device's assurance from its tests.

    HIGH needs hardware attestation, a transcript that is bound to the attested key, an active challenge
    that was passed, and that device, camera and frames were evaluated. MEDIUM needs a platform's
    attestation and the bound transcript. LOW needs the bound transcript and either a verified key, or
    evaluated claims that raise no suspicion. A decided sign of manipulation gives NONE. The following allow
    at most MEDIUM: a suspected sign, an attestation that failed beside one that holds, and an attestation by
    a device that made many keys in few days.

    A decisive test counts even if its evidence is ignored. A tolerated one counts as NOT_EVALUATED.

    Args:
        checks: The tests of all verifiers, named ``<verifier>.<check>``, marked by
            ``demands.mark_decisive``.
        transcript_bound: Whether the transcript is intact and signed by the session key.
        active_challenge: Whether the person answered a challenge that only this server knew.
        ceilings: The highest assurance that a verifier's evidence can give, by verifier, if that is less than
            in ``demands.CEILINGS``.
    """
    # 1. Collect the tests that count, by kind of evidence.
    weighed: defaultdict[Evidence, list[DeviceTest]] = defaultdict(list)
    owners = {verifier: evidence for evidence in Evidence for verifier in evidence.verifiers}
    for check in checks:
        evidence = owners.get(check.name.partition(".")[0])
        if evidence is None:
            continue
        if check.decisive or demands.demand_for(platform, evidence) is not Demand.IGNORED:
            weighed[evidence].append(_as_weighed(check))
    # 2. Find the signs of manipulation.
    signs = find_signs(check for group in weighed.values() for check in group)
    # 3. How much can each kind of evidence vouch for?
    vouched = {
        evidence: _vouched(evidence, group, demands.optional, ceilings or {})
        for evidence, group in weighed.items()
    }
    manipulated = {name for sign in signs if sign.decided for name in sign.checks}
    # 4. Which demands of the policy are not met?
    unmet = _unmet(platform, demands, weighed, vouched, manipulated)
    # 5. Derive the assurance.
    return DeviceAssessment(
        assurance=_assurance(
            weighed,
            vouched,
            signs,
            doubted=any(_refuted(evidence, group) for evidence, group in weighed.items()),
            transcript_bound=transcript_bound and demands.allows(platform),
            active_challenge=active_challenge,
        ),
        required=demands.least(platform),
        unmet=unmet,
        signs=signs,
        checks=tuple(checks),
    )


def _as_weighed(check: DeviceTest) -> DeviceTest:
    return replace(check, outcome=DeviceFinding.NOT_EVALUATED) if check.tolerated else check


def _vouched(
    evidence: Evidence,
    group: Sequence[DeviceTest],
    optional: frozenset[str],
    ceilings: Mapping[str, Assurance],
) -> Assurance:
    """Return the highest assurance that a verifier of the evidence gives, if all its tests hold; or NONE."""
    found = Assurance.NONE
    for verifier in evidence.verifiers:
        most = CEILINGS.get(verifier, Assurance.NONE)
        own = [check for check in group if check.name.partition(".")[0] == verifier]
        if _verified(own, NEEDED_CHECKS.get(verifier, frozenset()), optional):
            level = min(most, ceilings.get(verifier, most), key=lambda one: one.level)
            found = max(found, level, key=lambda one: one.level)
    return found


def _verified(own: Sequence[DeviceTest], needed: frozenset[str], optional: frozenset[str]) -> bool:
    passes = {check.name.partition(".")[2] for check in own if check.outcome is DeviceFinding.PASS}
    if not passes or not needed <= passes:
        return False
    return all(
        check.outcome is DeviceFinding.PASS
        or (check.outcome is DeviceFinding.FAIL and check.soft)
        or (check.outcome is DeviceFinding.NOT_EVALUATED and check.name in optional)
        for check in own
    )


def _refuted(evidence: Evidence, group: Sequence[DeviceTest]) -> bool:
    """Return whether an attestation failed or is doubtful, even without a sign of manipulation."""
    return evidence.raises_assurance and any(
        check.outcome is DeviceFinding.FAIL and (not check.soft or check.reason in _DOUBTS) for check in group
    )


def _unmet(
    platform: Platform,
    demands: DemandTable,
    weighed: Mapping[Evidence, Sequence[DeviceTest]],
    vouched: Mapping[Evidence, Assurance],
    manipulated: Collection[str],
) -> tuple[Unmet, ...]:
    if not demands.allows(platform):
        return (Unmet(None, UnmetReason.PLATFORM_NOT_ALLOWED),)
    found = []
    for evidence in Evidence:
        if demands.demand_for(platform, evidence) is not Demand.REQUIRED:
            continue
        group = weighed.get(evidence, ())
        if not _evaluated(evidence, group):
            found.append(Unmet(evidence, UnmetReason.MISSING))
        elif any(check.name in manipulated for check in group):
            found.append(Unmet(evidence, UnmetReason.MANIPULATED))
        elif evidence.raises_assurance:
            if vouched[evidence] is Assurance.NONE:
                found.append(Unmet(evidence, UnmetReason.NOT_VERIFIED))
        elif any(check.outcome is DeviceFinding.FAIL and not check.soft for check in group):
            found.append(Unmet(evidence, UnmetReason.NOT_VERIFIED))
    return tuple(found)


def _evaluated(evidence: Evidence, group: Sequence[DeviceTest]) -> bool:
    """Return whether the evidence was evaluated. If the device stated nothing, it was not."""
    stated = _STATED.get(evidence, frozenset())
    if any(check.outcome is DeviceFinding.UNAVAILABLE and check.name in stated for check in group):
        return False
    outcomes = {check.outcome for check in group} - {DeviceFinding.UNAVAILABLE}
    # Lists of names and contradictions only fail or stay NOT_EVALUATED, so NOT_EVALUATED suffices for them.
    return bool(outcomes if evidence in _NEVER_PASS else outcomes - {DeviceFinding.NOT_EVALUATED})


def _assurance(
    weighed: Mapping[Evidence, Sequence[DeviceTest]],
    vouched: Mapping[Evidence, Assurance],
    signs: Sequence[Sign],
    *,
    doubted: bool,
    transcript_bound: bool,
    active_challenge: bool,
) -> Assurance:
    if not transcript_bound or any(sign.decided for sign in signs):
        return Assurance.NONE
    suspected = any(sign.suspected for sign in signs)
    level = max(vouched.values(), key=lambda one: one.level, default=Assurance.NONE)
    if level is Assurance.NONE:
        return Assurance.LOW if _consistent(weighed) and not suspected else Assurance.NONE
    if level is Assurance.HIGH and (
        suspected or doubted or not active_challenge or not _all_evaluated(weighed)
    ):
        return Assurance.MEDIUM
    return level


def _all_evaluated(weighed: Mapping[Evidence, Sequence[DeviceTest]]) -> bool:
    return all(_evaluated(evidence, weighed.get(evidence, ())) for evidence in OBSERVED)


def _consistent(weighed: Mapping[Evidence, Sequence[DeviceTest]]) -> bool:
    """Return whether device, camera and frames were evaluated, and no hard test failed."""
    if not _all_evaluated(weighed):
        return False
    every = [check for group in weighed.values() for check in group]
    passes = any(check.outcome is DeviceFinding.PASS for check in weighed[Evidence.STREAM])
    return passes and not any(check.outcome is DeviceFinding.FAIL and not check.soft for check in every)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """The reasons why no device of a platform can meet a policy.

    Attributes:
        missing: Evidence that the policy requires and the server cannot verify.
        one_of: Kinds of evidence that would each reach the least assurance; the server can verify none of
            them.
        impossible: Why no possible evidence suffices, in plain words; empty if some evidence does.
    """

    missing: tuple[Evidence, ...] = ()
    one_of: tuple[Evidence, ...] = ()
    impossible: str = ""


def find_shortfall(
    platform: Platform,
    *,
    demands: DemandTable,
    verifiable: Collection[Evidence],
    ceilings: Mapping[Evidence, Assurance] | None = None,
) -> Shortfall | None:
    """Return why no device of a platform can meet a policy; ``None`` if devices can.

    Only attestations and the server's key depend on the server's settings: observations are always made.

    ``ceilings`` has the highest assurance that a kind of evidence can give on this server, if that is less
    than ``Evidence.ceiling``.
    """
    own = ATTESTATIONS.get(platform, ())
    required = [
        evidence
        for evidence in Evidence
        if demands.demand_for(platform, evidence) is Demand.REQUIRED
        and (evidence.raises_assurance or evidence is Evidence.SERVER_KEY)
    ]
    for evidence in required:
        if evidence.raises_assurance and evidence not in own:
            return Shortfall(impossible=f"it requires {evidence}, which devices of this platform do not have")
        if evidence is Evidence.SERVER_KEY and platform is Platform.WEB:
            return Shortfall(
                impossible=f"it requires {evidence}, but a web page cannot see its connection's key"
            )
    missing = tuple(evidence for evidence in required if evidence not in verifiable)
    least = demands.least(platform)
    if _claims_suffice(platform, least=least, demands=demands):
        return Shortfall(missing=missing) if missing else None
    able = tuple(
        evidence
        for evidence in own
        if demands.demand_for(platform, evidence) is not Demand.IGNORED
        and (ceilings or {}).get(evidence, evidence.ceiling).level >= least.level
    )
    if not able:
        return Shortfall(
            impossible=f"it demands assurance {least}, which no evidence of such devices reaches"
        )
    one_of = () if {*verifiable, *missing} & {*able} else able
    return Shortfall(missing=missing, one_of=one_of) if missing or one_of else None


def _claims_suffice(platform: Platform, *, least: Assurance, demands: DemandTable) -> bool:
    """Return whether consistent claims reach the least assurance, without an attestation."""
    if least is Assurance.LOW:
        return not any(demands.demand_for(platform, evidence) is Demand.IGNORED for evidence in OBSERVED)
    return least is Assurance.NONE
