"""The evidence of a stream: verified in parallel with its frames, and kept for the streams that follow.

Evidence is made for the binding hash H of its stream, and H contains the session key. A later stream of the
scan first proves that it holds the same session key. Evidence that was verified in one stream therefore also
covers the session key, and thus the frames, of all later streams.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import structlog

from device_integrity import RUNTIME_VERIFIER, DeviceCheck, DeviceFinding
from device_integrity.policy import Demand, DemandTable, Evidence
from facegate_protocol import evidence_challenge
from server.base.errors import Reason, Refusal
from server.device.assessment import awaited_evidence
from server.device.evidence import (
    CLAIMS,
    MAX_ATTESTATION_BYTES,
    MAX_ATTESTATIONS,
    EvidenceContext,
    EvidenceFinding,
    PlayEvidence,
    finding_from_bytes,
    finding_to_bytes,
)
from server.device.verification import DeviceVerifier
from server.scan.messages import AttestationMessage, Capability, StartMessage
from server.storage.devices import DeviceRepository
from server.storage.errors import StorageError, TriesExceeded
from server.telemetry.stages import Stage, Stages

__all__ = ["StreamEvidence"]

_VERIFIER_FAILED = DeviceCheck(
    name="attestation.evidence",
    outcome=DeviceFinding.UNAVAILABLE,
    reason="VERIFIER_FAILED",
    detail="The server failed to verify a piece of evidence; its log has more.",
)
_IGNORED = DeviceCheck(
    name="play_integrity.token",
    outcome=DeviceFinding.NOT_EVALUATED,
    reason="EVIDENCE_IGNORED",
    detail="The policy ignores Play Integrity on this platform, so the token was not opened.",
)
_CLAIMS_FROM = 1_000_000
"""Base position of the findings about a stream's start, beyond those of the evidence; one for each stream."""

_log = structlog.get_logger(__name__)


class StreamEvidence:
    """Receives and verifies the evidence of one stream. Created by ``open``."""

    def __init__(
        self,
        *,
        verifier: DeviceVerifier,
        devices: DeviceRepository,
        context: EvidenceContext,
        start: StartMessage,
        table: DemandTable,
        earlier: Sequence[EvidenceFinding],
        begin_try: Callable[[bytes], Awaitable[None]],
        stages: Stages,
    ) -> None:
        """Initialises the evidence with the findings of earlier streams of the check."""
        self.claimed_before = tuple(
            check for finding in earlier if finding.verifier == CLAIMS for check in finding.checks
        )
        """Decisive tests that the starts of earlier streams failed."""
        self._verifier = verifier
        self._devices = devices
        self._platform = start.device.platform
        self._reports = Capability.RUNTIME_FINDINGS in start.capabilities
        self._table = table
        self._context = replace(context, asks_apple=not self._ignores(Evidence.APP_ATTEST))
        self._binding = context.challenge
        self._earlier = tuple(finding for finding in earlier if finding.verifier != CLAIMS)
        self._tasks: list[asyncio.Task[EvidenceFinding]] = []
        self._begin_try = begin_try
        self._stages = stages
        self.exceeded: TriesExceeded | None = None
        """The reason why the device may not be judged now: too many of its checks failed. ``None`` if it
        may."""

    @classmethod
    async def open(
        cls,
        *,
        verifier: DeviceVerifier,
        devices: DeviceRepository,
        context: EvidenceContext,
        start: StartMessage,
        table: DemandTable,
        begin_try: Callable[[bytes], Awaitable[None]],
        stages: Stages,
    ) -> "StreamEvidence":
        """Opens the evidence of a stream with the findings of earlier streams.

        ``begin_try`` counts the check as a try of the device whose key has the given mark; it may raise
        ``TriesExceeded``. ``stages`` times the verifications.

        Raises:
            StorageUnavailable: The database failed.
        """
        earlier = [finding_from_bytes(data) for data in await devices.findings(context.check_id)]
        evidence = cls(
            verifier=verifier,
            devices=devices,
            context=context,
            start=start,
            table=table,
            earlier=earlier,
            begin_try=begin_try,
            stages=stages,
        )
        for finding in earlier:
            await evidence._begin(finding)
        return evidence

    async def keep_claims(self, checks: Sequence[DeviceCheck], *, epoch: int) -> None:
        """Stores decisive tests that the claims in ScanStart failed, so that no later stream undoes them.

        Args:
            checks: The failed tests.
            epoch: The lease epoch of the stream.

        Raises:
            StorageUnavailable: The database failed.
        """
        known = {check.name for check in self.claimed_before}
        if new := tuple(check for check in checks if check.name not in known):
            finding = EvidenceFinding(verifier=CLAIMS, checks=new)
            await self._devices.add_finding(
                self._context.check_id, position=_CLAIMS_FROM + epoch, finding=finding_to_bytes(finding)
            )

    def begin_verification(self, attestation: AttestationMessage) -> None:
        """Starts to verify a piece of evidence, and keeps the report that came with it.

        Raises:
            Refusal: The scan already has the maximum number of pieces (SCAN_BUDGET_EXCEEDED), or the device
                sends a report without having announced the capability (UNEXPECTED_MESSAGE).
        """
        if attestation.report is not None and not self._reports:
            raise Refusal(
                Reason.UNEXPECTED_MESSAGE,
                "`attestation.runtime_findings` came from a device that did not announce "
                "CAPABILITY_RUNTIME_FINDINGS in ScanStart",
            )
        position = self.pieces
        if position >= MAX_ATTESTATIONS:
            raise Refusal(
                Reason.SCAN_BUDGET_EXCEEDED,
                f"a scan may have {MAX_ATTESTATIONS} attestations of up to {MAX_ATTESTATION_BYTES} bytes",
                details={"maxAttestations": MAX_ATTESTATIONS, "maxAttestationBytes": MAX_ATTESTATION_BYTES},
            )
        self._tasks.append(asyncio.create_task(self._verify(attestation, position)))

    @property
    def pieces(self) -> int:
        """The number of pieces that have arrived in the check so far."""
        return len(self._earlier) + len(self._tasks)

    async def findings_so_far(self) -> tuple[EvidenceFinding, ...]:
        """Waits for the running verifications; returns the findings on all evidence of the check so far.

        Raises:
            StorageUnavailable: The database failed.
        """
        return (*self._earlier, *await asyncio.gather(*self._tasks))

    async def is_awaited(self) -> bool:
        """Returns whether the policy demands evidence that is missing and that the device may still send."""
        findings = await self.findings_so_far()
        if len(findings) >= MAX_ATTESTATIONS:
            return False
        return awaited_evidence(findings, platform=self._platform, table=self._table)

    async def close(self) -> None:
        """Cancels the verifications that are no longer needed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin(self, finding: EvidenceFinding) -> None:
        if finding.lasting_key is not None:
            try:
                await self._begin_try(finding.lasting_key)
            except TriesExceeded as error:
                self.exceeded = error

    def _ignores(self, kind: Evidence) -> bool:
        demand = self._table.demand_for(self._platform, kind)
        return demand is Demand.IGNORED or not self._table.allows(self._platform)

    async def _verify(self, attestation: AttestationMessage, position: int) -> EvidenceFinding:
        with self._stages.stage(Stage.DEVICE_EVIDENCE):
            return await self._verified(attestation, position)

    async def _verified(self, attestation: AttestationMessage, position: int) -> EvidenceFinding:
        evidence = attestation.evidence
        try:
            if evidence is None:
                finding = EvidenceFinding(verifier=RUNTIME_VERIFIER, checks=())
            elif isinstance(evidence, PlayEvidence) and self._ignores(Evidence.PLAY_INTEGRITY):
                # Opening a token may require a request to Google, which an ignored token does not justify.
                finding = EvidenceFinding(verifier="play_integrity", checks=(_IGNORED,))
            else:
                challenge = evidence_challenge(binding=self._binding, findings=attestation.findings)
                finding = await self._verifier.verify(evidence, replace(self._context, challenge=challenge))
        except StorageError:
            raise
        except Exception:  # noqa: BLE001 - an error in a verifier must not prevent the decision
            _log.exception("evidence_not_verified", check_id=str(self._context.check_id))
            finding = EvidenceFinding(verifier="unknown", checks=(_VERIFIER_FAILED,))
        finding = replace(finding, report=attestation.report)
        await self._begin(finding)
        await self._devices.add_finding(
            self._context.check_id, position=position, finding=finding_to_bytes(finding)
        )
        return finding
