"""The assessment of a device from its claims, its evidence and its frames.

The functions are pure and run on the worker pool, but for ``unattempted_device``, which reads the findings on
a check. Missing evidence never counts as passed.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from device_integrity import (
    RUNTIME_VERIFIER,
    Assurance,
    DeviceFinding,
    DeviceTest,
    Manipulation,
    check_runtime,
    passed_test,
)
from device_integrity.camera import (
    CameraClaim,
    CameraFingerprints,
    DeviceClaim,
    FrameClaim,
    Platform,
    check_device,
    check_metadata,
    check_name,
    check_profile,
)
from device_integrity.policy import (
    ATTESTATIONS,
    AttestedFacts,
    Demand,
    DemandTable,
    DeviceAssessment,
    Evidence,
    assess,
    check_contradictions,
    decided_by,
    find_signs,
    mark_decisive,
)
from device_integrity.stream import FrameTrace, StreamMeasurements, check_stream
from server.base.sandbox import tolerated_checks
from server.device.evidence import (
    CLAIMS,
    EvidenceFinding,
    counting_findings,
    finding_from_bytes,
    joined_report,
)
from server.device.server_keys import ServerKeys
from server.policies import Policy
from server.policies.schema import DeviceRules
from server.storage.devices import DeviceRepository
from server.storage.records import CheckRecord
from server.verdict.outcome import DeviceOutcome

_INJECTIONS: Final = frozenset({Manipulation.INJECTION, Manipulation.VIRTUAL_CAMERA})
_NOT_SCANNED: Final = DeviceTest(
    name="attestation.evidence",
    outcome=DeviceFinding.UNAVAILABLE,
    reason="NOT_SCANNED",
    detail="No device has scanned long enough to be judged.",
)
_MISSING: Final = replace(
    _NOT_SCANNED, reason="ATTESTATION_MISSING", detail="The device sent no attestation."
)
_OBSERVATIONS: Final = frozenset({Evidence.STREAM, Evidence.CAMERA, Evidence.MEMORY})


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimedDevice:
    """The claims in a stream's start.

    Attributes:
        server_spki_sha256: The hash of the TLS key that the device saw; 32 bytes or empty.
    """

    device: DeviceClaim
    camera: CameraClaim
    server_spki_sha256: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ObservedFrames:
    """The frames of an attempt, as received.

    Attributes:
        claims: Every frame's header, in order.
        adjustments: The number of the server's requests for smaller frames.
    """

    claims: tuple[FrameClaim, ...]
    measured_claims: tuple[FrameClaim, ...]
    measurements: StreamMeasurements
    adjustments: int

    @property
    def traces(self) -> tuple[FrameTrace, ...]:
        """The traces of the measured frames."""
        return self.measurements.frames


def assess_device(
    *,
    claimed: ClaimedDevice,
    server_keys: ServerKeys,
    findings: Sequence[EvidenceFinding],
    observed: ObservedFrames,
    memory: Sequence[DeviceTest],
    earlier: Sequence[DeviceTest] = (),
    rules: DeviceRules,
    tolerated: frozenset[str],
    fingerprints: CameraFingerprints,
    transcript_bound: bool,
    active_challenge: bool,
) -> DeviceOutcome:
    """Assess a device from everything that is known of it.

    Args:
        claimed: The claims in the stream's start.
        server_keys: The TLS keys that devices may see.
        findings: The findings on the evidence, in order of arrival.
        memory: The tests against earlier scans.
        earlier: Tests that ``decisive_claims`` returned for earlier streams of the check; a later stream
            cannot undo them.
        tolerated: Names of tests that the policy or the sandbox keeps from deciding the check; see
            ``device_integrity.policy.demands``.
        transcript_bound: Whether the transcript is intact and signed by the session key.
        active_challenge: Whether the person answered a challenge that only this server knew.
    """
    # 1. Choose the evidence that counts. A report of run-time findings alone is not evidence.
    counting = counting_findings(
        tuple(finding for finding in findings if finding.verifier != RUNTIME_VERIFIER)
    )
    device, camera = claimed.device, claimed.camera
    # 2. Mark decisive tests for each piece of evidence separately; one piece proves nothing about another.
    evidence = [mark_decisive(finding.checks, tolerated=tolerated) for finding in counting]
    # 3. Test the claims, the report, the frames, the scan memory, and contradictions between them.
    claims = _claims(claimed, server_keys, fingerprints)
    others = (
        *check_runtime(joined_report(findings), decide=rules.decide),
        *check_profile(camera, platform=device.platform),
        *check_metadata(observed.claims, camera, adjustments=observed.adjustments),
        *check_stream(observed.measurements),
        *memory,
        *check_contradictions(
            device=device,
            camera=camera,
            evidence={finding.verifier for finding in counting if finding.verifier},
            facts=_facts(counting),
            frames=observed.measured_claims,
            traces=observed.traces,
        ),
    )
    checks = (
        *mark_decisive(_with_earlier(claims, earlier), tolerated=tolerated),
        *(check for piece in evidence for check in piece),
        *(() if counting else (_MISSING,)),
        *mark_decisive(others, tolerated=tolerated),
    )
    # 4. Weigh all tests against the policy's demands.
    table = rules.as_table()
    assessment = assess(
        checks,
        platform=device.platform,
        demands=table,
        transcript_bound=transcript_bound,
        active_challenge=active_challenge,
        ceilings={finding.verifier: finding.ceiling for finding in counting if finding.ceiling is not None},
    )
    # 5. Failed tests of demanded observations prove an injection by themselves.
    injecting = _injecting(assessment, device.platform, table)
    weighed = tuple(
        replace(check, decisive=True) if check in injecting else check for check in assessment.checks
    )
    return DeviceOutcome(
        assurance=assessment.assurance,
        required=assessment.required,
        checks=(*weighed, *_demands(assessment)),
        signs=assessment.signs,
        demands_met=not assessment.unmet,
        injected=bool(injecting),
        decided=decided_by(weighed),
        tolerated=tuple(sorted(tolerated)),
        sdk_version=device.sdk_version,
        sdk_supported_until=rules.sdk_supported_until(device.sdk_version),
    )


def decisive_claims(
    claimed: ClaimedDevice, *, server_keys: ServerKeys, fingerprints: CameraFingerprints
) -> tuple[DeviceTest, ...]:
    """Return the decisive tests that the claims in a stream's start fail, tolerated or not."""
    checks = mark_decisive(_claims(claimed, server_keys, fingerprints))
    return tuple(check for check in checks if check.decisive)


def assess_without_attempt(
    findings: Sequence[EvidenceFinding], *, rules: DeviceRules, tolerated: frozenset[str]
) -> DeviceOutcome:
    """Assess the device of a check without a deciding attempt, from its starts and its evidence.

    Args:
        findings: The findings of every stream, in order of arrival; empty if no device began to scan.
        tolerated: Names of tests that the policy or the sandbox keeps from deciding the check.
    """
    claims = [check for finding in findings if finding.verifier == CLAIMS for check in finding.checks]
    counting = counting_findings(
        tuple(one for one in findings if one.verifier not in {CLAIMS, RUNTIME_VERIFIER})
    )
    report = joined_report(findings)
    pieces = (
        claims,
        *(finding.checks for finding in counting),
        () if counting else (_NOT_SCANNED,),
        () if report is None else check_runtime(report, decide=rules.decide),
    )
    # Each piece is marked separately; one piece proves nothing about another.
    checks = tuple(check for piece in pieces for check in mark_decisive(piece, tolerated=tolerated))
    return DeviceOutcome(
        assurance=Assurance.NONE,
        required=rules.as_table().least(Platform.UNSPECIFIED),
        checks=checks,
        signs=find_signs(check for check in checks if not check.tolerated),
        decided=decided_by(checks),
        tolerated=tuple(sorted(tolerated)),
    )


def attestation_demand(platform: Platform, table: DemandTable) -> Demand:
    """Return the strongest demand on evidence that a device of this platform can have, for the Challenge."""
    demands = {table.demand_for(platform, evidence) for evidence in ATTESTATIONS.get(platform, ())}
    if not table.allows(platform):
        return Demand.IGNORED
    return next((demand for demand in Demand if demand in demands), Demand.IGNORED)


def awaited_evidence(findings: Sequence[EvidenceFinding], *, platform: Platform, table: DemandTable) -> bool:
    """Return whether the policy demands evidence of the platform that has not arrived yet.

    The server does not wait for a device that reported that it has no evidence.
    """
    if any(finding.verifier == "" for finding in findings) or not table.allows(platform):
        return False
    arrived = {finding.verifier for finding in findings}
    return any(
        table.demand_for(platform, evidence) is Demand.REQUIRED
        and not arrived.intersection(evidence.verifiers)
        for evidence in ATTESTATIONS.get(platform, ())
    )


def _claims(
    claimed: ClaimedDevice, server_keys: ServerKeys, fingerprints: CameraFingerprints
) -> tuple[DeviceTest, ...]:
    """Return the tests of the claims in a stream's start, which need no other input."""
    return (
        _server_key(claimed.server_spki_sha256, server_keys),
        check_device(claimed.device, claimed.camera, fingerprints=fingerprints),
        check_name(claimed.camera, fingerprints=fingerprints),
    )


def _with_earlier(checks: Sequence[DeviceTest], earlier: Sequence[DeviceTest]) -> tuple[DeviceTest, ...]:
    """Return ``checks`` with the failed tests of earlier streams in place of those of the same name."""
    failed = {check.name: check for check in earlier}
    return tuple(failed.get(check.name, check) for check in checks)


def _facts(findings: Sequence[EvidenceFinding]) -> AttestedFacts:
    """Merge the facts of all evidence; if they state a fact several times, the first value counts."""
    known = [finding.facts for finding in findings]
    return AttestedFacts(
        android_version=next((f.android_version for f in known if f.android_version is not None), None),
        api_level=next((f.api_level for f in known if f.api_level is not None), None),
        model=next((f.model for f in known if f.model is not None), None),
        app_id=next((f.app_id for f in known if f.app_id is not None), None),
    )


def _demands(assessment: DeviceAssessment) -> tuple[DeviceTest, ...]:
    """Return a failed test for each demand that is not met, for the readers of the result."""
    return tuple(
        DeviceTest(
            name=f"demand.{'platform' if unmet.evidence is None else unmet.evidence.value}",
            outcome=DeviceFinding.FAIL,
            reason=unmet.reason.value,
            detail="The policy accepts no devices of this platform."
            if unmet.evidence is None
            else f"The policy demands {unmet.evidence.value}: {_UNMET[unmet.reason.value]}.",
        )
        for unmet in assessment.unmet
    )


_UNMET: Final = {
    "MISSING": "it is missing, or could not be verified",
    "NOT_VERIFIED": "a test of it failed, or could not be performed",
    "MANIPULATED": "it shows a manipulation",
}


def _injecting(
    assessment: DeviceAssessment, platform: Platform, table: DemandTable
) -> tuple[DeviceTest, ...]:
    """Return the failed tests of demanded observations that prove that no camera took the frames."""
    demanded = {
        verifier
        for evidence in _OBSERVATIONS
        if table.demand_for(platform, evidence) is Demand.REQUIRED
        for verifier in evidence.verifiers
    }
    return tuple(
        check
        for check in assessment.checks
        if check.outcome is DeviceFinding.FAIL
        and not check.soft
        and not check.tolerated
        and check.sign_of in _INJECTIONS
        and check.name.partition(".")[0] in demanded
    )


def _server_key(seen: bytes, own: ServerKeys) -> DeviceTest:
    name = "server_key.tls"
    if not own.keys:
        return DeviceTest(
            name=name,
            outcome=DeviceFinding.UNAVAILABLE,
            reason="NO_TLS",
            detail="The device listener runs without TLS on loopback.",
        )
    if not seen:
        # Browsers do not show a page the key that they saw. A missing key never passes, but is no attack.
        return DeviceTest(
            name=name,
            outcome=DeviceFinding.UNAVAILABLE,
            reason="NOT_SAID",
            detail="The device does not report which TLS key it saw.",
        )
    if any(hmac.compare_digest(seen, key) for key in own.keys):
        return passed_test(name, "SAME_KEY", "The device saw one of this server's own TLS keys.")
    return DeviceTest(
        name=name,
        outcome=DeviceFinding.FAIL,
        reason="KEY_NOT_LISTED" if own.complete else "OTHER_KEY",
        detail="The device saw another TLS key: a proxy terminates TLS between it and this server. "
        + ("The settings list every key of the operator." if own.complete else "It may be the operator's."),
        sign_of=Manipulation.MAN_IN_THE_MIDDLE,
    )


async def unattempted_device(
    devices: DeviceRepository, remembered: timedelta, record: CheckRecord, policy: Policy, now: datetime
) -> DeviceOutcome:
    """Return the assessment of the device from the findings of the check's streams.

    Args:
        remembered: How long earlier attacks are kept.

    Raises:
        StorageUnavailable: The database failed.
    """
    findings = [finding_from_bytes(data) for data in await devices.findings(record.check_id)]
    tolerated = tolerated_checks(policy.device.tolerate, sandbox=record.sandbox)
    device = assess_without_attempt(findings, rules=policy.device, tolerated=tolerated)
    return replace(device, earlier=await devices.count_attacks(record.check_id, since=now - remembered))
