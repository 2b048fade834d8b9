"""Opens a stream: start, admission, Challenge, proof of the session key on a reconnect, and the lease.

Evidence is verified in parallel with the frames of its stream, and kept for the streams that follow. It is
made for the binding hash H of its stream, and H contains the session key. A later stream of the scan first
proves that it holds the same session key. Evidence that was verified in one stream therefore also covers the
session key, and thus the frames, of all later streams.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from device_integrity import RUNTIME_VERIFIER, DeviceFinding, DeviceTest
from device_integrity.camera import Platform
from device_integrity.policy import Demand, DemandTable, Evidence
from facegate_protocol import (
    SHARE_BYTES,
    BindingInputs,
    KeyMaterialError,
    binding_hash,
    challenge_message,
    derive_mac_key,
    evidence_challenge,
    load_public_key,
    public_key_der,
    sign,
)
from server.base.errors import Reason, Refusal, invalid_field
from server.checks.offer import unmeasured_challenges
from server.checks.progress import attempts_remaining, frozen_policy, most_attempts
from server.checks.refusals import other_session_key
from server.device.assessment import ClaimedDevice, attestation_demand, awaited_evidence, decisive_claims
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
from server.domain.terms import OPEN_STATES, Mode
from server.policies import Policy
from server.scan.environment import ScanEnvironment
from server.scan.inbox import Inbox
from server.scan.lease import check_closed, deciding_attempt, release_lease, take_lease
from server.scan.messages import (
    AttestationMessage,
    Capability,
    CaptureBudget,
    ChallengeFields,
    ChallengeMessage,
    CreditMessage,
    Inbound,
    Outbound,
    ResumeProofMessage,
    StartMessage,
)
from server.scan.plans import ScanPlans, doubts_of
from server.scan.transcript import AHEAD_SECONDS, StreamTranscript
from server.storage.errors import StorageError, TriesExceeded
from server.storage.records import AttemptRecord, CheckRecord
from server.telemetry.stages import Stage

_log = structlog.get_logger(__name__)

_VERIFIER_FAILED = DeviceTest(
    name="attestation.evidence",
    outcome=DeviceFinding.UNAVAILABLE,
    reason="VERIFIER_FAILED",
    detail="The server failed to verify a piece of evidence; its log has more.",
)
_IGNORED = DeviceTest(
    name="play_integrity.token",
    outcome=DeviceFinding.NOT_EVALUATED,
    reason="EVIDENCE_IGNORED",
    detail="The policy ignores Play Integrity on this platform, so the token was not opened.",
)
_CLAIMS_FROM = 1_000_000
"""Base position of the findings about a stream's start, beyond those of the evidence; one for each stream."""


class StreamEvidence:
    """Receives and verifies the evidence of one stream. Created by ``open``.

    Attributes:
        claimed_before: Decisive tests that the starts of earlier streams failed.
        exceeded: The reason why the device may not be judged now: too many of its checks failed. ``None`` if
            it may.
    """

    def __init__(
        self,
        env: ScanEnvironment,
        record: CheckRecord,
        start: StartMessage,
        *,
        context: EvidenceContext,
        table: DemandTable,
        earlier: Sequence[EvidenceFinding],
    ) -> None:
        """Initialise the evidence with the findings of earlier streams of the check."""
        self.claimed_before = tuple(
            check for finding in earlier if finding.verifier == CLAIMS for check in finding.checks
        )
        self.exceeded: TriesExceeded | None = None
        self._env = env
        self._record = record
        self._platform = start.device.platform
        self._reports = Capability.RUNTIME_FINDINGS in start.capabilities
        self._table = table
        self._context = replace(context, asks_apple=not self._ignores(Evidence.APP_ATTEST))
        self._earlier = tuple(finding for finding in earlier if finding.verifier != CLAIMS)
        self._tasks: list[asyncio.Task[EvidenceFinding]] = []

    @classmethod
    async def open(
        cls,
        env: ScanEnvironment,
        record: CheckRecord,
        start: StartMessage,
        *,
        policy: Policy,
        binding: bytes,
        header_origin: str | None,
    ) -> "StreamEvidence":
        """Open the evidence of a stream with the findings of earlier streams.

        The check counts as a try of each device whose lasting key is found.

        Args:
            binding: The stream's binding hash H, 32 bytes.

        Raises:
            StorageUnavailable: The database failed.
        """
        context = EvidenceContext(
            check_id=record.check_id,
            scope=record.scope,
            subject=record.subject_reference,
            challenge=binding,
            session_public_key=start.session_public_key,
            app_id=start.device.app_id,
            sandbox=record.sandbox,
            header_origin=header_origin,
        )
        found = await env.devices.repository.findings(record.check_id)
        earlier = [finding_from_bytes(data) for data in found]
        table = policy.device.as_table()
        evidence = cls(env, record, start, context=context, table=table, earlier=earlier)
        for finding in earlier:
            await evidence._begin_try(finding)
        return evidence

    async def keep_claims(self, checks: Sequence[DeviceTest], *, epoch: int) -> None:
        """Store decisive tests that the claims in ScanStart failed, so that no later stream undoes them.

        Raises:
            StorageUnavailable: The database failed.
        """
        known = {check.name for check in self.claimed_before}
        if new := tuple(check for check in checks if check.name not in known):
            finding = EvidenceFinding(verifier=CLAIMS, checks=new)
            await self._store(_CLAIMS_FROM + epoch, finding)

    def begin_verification(self, attestation: AttestationMessage) -> None:
        """Start to verify a piece of evidence, and keep the report that came with it.

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
        """Wait for the running verifications; return the findings on all evidence of the check so far.

        Raises:
            StorageUnavailable: The database failed.
        """
        return (*self._earlier, *await asyncio.gather(*self._tasks))

    async def is_awaited(self) -> bool:
        """Return whether the policy demands evidence that is missing and that the device may still send."""
        findings = await self.findings_so_far()
        if len(findings) >= MAX_ATTESTATIONS:
            return False
        return awaited_evidence(findings, platform=self._platform, table=self._table)

    async def close(self) -> None:
        """Cancel the verifications that are no longer needed."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _begin_try(self, finding: EvidenceFinding) -> None:
        if finding.lasting_key is None:
            return
        env, record = self._env, self._record
        rules = env.limits.tries.limits_for(sandbox=record.sandbox)
        try:
            await env.devices.repository.begin_try(
                record.check_id, finding.lasting_key, rules=rules, now=env.clock.now()
            )
        except TriesExceeded as error:
            self.exceeded = error

    async def _store(self, position: int, finding: EvidenceFinding) -> None:
        await self._env.devices.repository.add_finding(
            self._record.check_id, position=position, finding=finding_to_bytes(finding)
        )

    def _ignores(self, kind: Evidence) -> bool:
        demand = self._table.demand_for(self._platform, kind)
        return demand is Demand.IGNORED or not self._table.allows(self._platform)

    async def _verify(self, attestation: AttestationMessage, position: int) -> EvidenceFinding:
        with self._env.metrics.stages.stage(Stage.DEVICE_EVIDENCE):
            try:
                finding = await self._finding(attestation)
            except StorageError:
                raise
            except Exception:  # noqa: BLE001 - an error in a verifier must not prevent the decision
                _log.exception("evidence_not_verified", check_id=str(self._record.check_id))
                finding = EvidenceFinding(verifier="unknown", checks=(_VERIFIER_FAILED,))
            finding = replace(finding, report=attestation.report)
            await self._begin_try(finding)
            await self._store(position, finding)
            return finding

    async def _finding(self, attestation: AttestationMessage) -> EvidenceFinding:
        evidence, context = attestation.evidence, self._context
        if evidence is None:
            return EvidenceFinding(verifier=RUNTIME_VERIFIER, checks=())
        if isinstance(evidence, PlayEvidence) and self._ignores(Evidence.PLAY_INTEGRITY):
            # Opening a token may require a request to Google, which an ignored token does not justify.
            return EvidenceFinding(verifier="play_integrity", checks=(_IGNORED,))
        challenge = evidence_challenge(binding=context.challenge, findings=attestation.findings)
        return await self._env.devices.verifier.verify(evidence, replace(context, challenge=challenge))


PROTOCOL_VERSION = 1
MAX_START_BYTES = 16 * 1024
_MAX_TOKEN_BYTES = 256
_SPKI_HASH_BYTES = 32


def validate_start(start: StartMessage) -> EllipticCurvePublicKey:
    """Test the fields of a start that need no database, and return its session key.

    Raises:
        Refusal: The server does not support the protocol version, or a field is malformed.
    """
    if start.protocol_version != PROTOCOL_VERSION:
        raise Refusal(
            Reason.PROTOCOL_VERSION_NOT_SUPPORTED,
            f"the device speaks protocol version {start.protocol_version}, this server {PROTOCOL_VERSION}",
            details={"version": start.protocol_version, "supportedVersion": PROTOCOL_VERSION},
        )
    if len(start.token) > _MAX_TOKEN_BYTES:
        raise _invalid("token", f"is longer than {_MAX_TOKEN_BYTES} bytes")
    if len(start.key_share) != SHARE_BYTES:
        raise _invalid("key_share", f"must have {SHARE_BYTES} bytes and has {len(start.key_share)}")
    if len(start.server_spki_sha256) not in (0, _SPKI_HASH_BYTES):
        raise _invalid(
            "server_spki_sha256",
            f"has {len(start.server_spki_sha256)} bytes; expected {_SPKI_HASH_BYTES}, or none without TLS",
        )
    try:
        return load_public_key(start.session_public_key)
    except KeyMaterialError as error:
        raise _invalid("session_public_key", str(error)) from error


def admit(
    *,
    start: StartMessage,
    record: CheckRecord,
    attempts: tuple[AttemptRecord, ...],
    policy: Policy,
    pack_version: str,
    header_origin: str | None,
    now: datetime,
) -> int:
    """Decide whether a stream of this check may begin; return the attempts that may still be made.

    Raises:
        Refusal: TOKEN_EXPIRED, CHECK_CLOSED, PACK_CHANGED, ORIGIN_NOT_ALLOWED,
            PROTOCOL_VERSION_NOT_SUPPORTED, CAPABILITY_MISSING, SESSION_KEY_MISMATCH or TOO_MANY_RECONNECTS.
    """
    # 1. Has the deadline passed? This comes first, so that the error does not depend on whether the expired
    #    check is closed already.
    if now >= record.scan_deadline:
        raise Refusal(
            Reason.TOKEN_EXPIRED, "the scan's deadline has passed; ask the orchestrator for a new check"
        )
    # 2. Is the check still open?
    if (
        record.state not in OPEN_STATES
        or record.closing is not None
        or deciding_attempt(attempts) is not None
    ):
        # If a server died between judging and deciding, a judged spoof must not get another attempt.
        raise check_closed(attempts)
    # 3. Do the models match those of the portrait?
    if record.pack_version != pack_version:
        # Templates of two packs are not comparable; their similarity would be random.
        raise Refusal(
            Reason.PACK_CHANGED,
            f"the portrait was processed with version {record.pack_version} of the models and this server "
            f"runs {pack_version}; ask the orchestrator for a new check",
            details={"packVersion": record.pack_version, "currentPackVersion": pack_version},
        )
    # 4. May this page scan for the check? A page without the header is of no origin.
    allowed = policy.device.web_origins
    is_page = header_origin is not None or start.device.platform is Platform.WEB
    if allowed and is_page and header_origin not in allowed:
        raise Refusal(
            Reason.ORIGIN_NOT_ALLOWED,
            "the check's policy does not list the page's origin in device.web_origins",
            details={"origin": header_origin or ""},
        )
    # 5. Does the policy support the device's SDK? The day is that of the check, so that a scan that began
    #    before midnight may be resumed.
    stated = start.device.sdk_version
    least = policy.device.missed_sdk_version(stated, day=record.create_time.date())
    if least is not None:
        raise Refusal(
            Reason.PROTOCOL_VERSION_NOT_SUPPORTED,
            f"the device's SDK is {stated!r:.68}, and the check's policy supports it from version {least} "
            "on; update the app",
            details={"sdkVersion": stated, "minimumVersion": least},
        )
    # 6. Can the device do what the check demands?
    for capability, demand in _demanded(policy, record.requested_mode):
        if capability not in start.capabilities:
            # This test precedes the binding to this device's key, so that another device may still scan.
            raise Refusal(
                Reason.CAPABILITY_MISSING,
                f"the check demands {demand} and the device does not announce CAPABILITY_{capability}; scan "
                "with a device that does, or create a check of another policy or mode",
                details={"capability": capability.value, "mode": record.requested_mode.value},
            )
    # 7. Is it the device that the scan began with?
    if record.session_key is not None and record.session_key != start.session_public_key:
        raise other_session_key()
    # 8. Are reconnects and attempts left?
    if record.streams > policy.attempts.reconnects:
        raise Refusal(
            Reason.TOO_MANY_RECONNECTS,
            f"the scan was reconnected {record.streams - 1} times; {policy.attempts.reconnects} are allowed",
            details={"reconnects": record.streams - 1, "maxReconnects": policy.attempts.reconnects},
        )
    remaining, most = attempts_remaining(attempts, policy), most_attempts(attempts, policy)
    if remaining < 1:
        raise Refusal(
            Reason.CHECK_CLOSED,
            f"all {most} attempts are used up, or more than {policy.attempts.uncounted} that were too short "
            "to count",
            details={"maxAttempts": most},
        )
    return remaining


def require_challenge(plans: ScanPlans) -> None:
    """Refuse a device that cannot resolve the doubts which earlier attempts of its check raised.

    Raises:
        Refusal: CAPABILITY_MISSING.
    """
    if plans.open:
        return
    missing, advice = plans.missing, "create a new check"
    if missing is not None:
        advice = f"scan with a device that announces CAPABILITY_{missing}, or {advice}"
    raise Refusal(
        Reason.CAPABILITY_MISSING,
        "an earlier attempt left doubt, and the device announces no challenge of the policy that resolves "
        f"it; {advice}",
        details={} if missing is None else {"capability": missing.value},
    )


def _demanded(policy: Policy, requested: Mode) -> Iterator[tuple[Capability, str]]:
    """Yield the capabilities without which a check cannot succeed, each with the demand, in words."""
    if requested is Mode.DYNAMIC:
        yield Capability.FLASH, requested.value
    challenge = policy.challenge_for(requested)
    if challenge.open_mouth:
        yield Capability.OPEN_MOUTH, "that the mouth is opened"
    if challenge.turn_head:
        yield Capability.TURN_HEAD, "that the head is turned to a side"


def _invalid(field: str, problem: str) -> Refusal:
    return invalid_field(f"start.{field}", f"ScanStart.{field} {problem}")


Send = Callable[[Outbound], Awaitable[None]]
"""Sends a message to the device. It hands the message to the transport before it first waits, so the time
immediately before the call is the time of the hand-over. Then it waits until the transport accepts it."""

_RETRY_SECONDS = 2.0
_NONCE_BYTES = 32
_TOKEN_UNKNOWN = "the scan token is not one of this server's"  # noqa: S105 - a text, not a token
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class OpenStream:
    """A stream that holds the check's lease.

    Attributes:
        record: The check at the time when the lease was acquired.
        transcript: The stream's transcript, before its first attempt.
        budget: The limits of its scan.
    """

    start: StartMessage
    record: CheckRecord
    attempts: tuple[AttemptRecord, ...]
    policy: Policy
    transcript: StreamTranscript
    plans: ScanPlans
    budget: CaptureBudget
    evidence: StreamEvidence


async def find_check(env: ScanEnvironment, message: Inbound) -> tuple[StartMessage, CheckRecord]:
    """Find the check of a stream; query the database only for a token that this server issued.

    Returns:
        The start, and the check that its token belongs to.

    Raises:
        Refusal: The stream may not begin.
    """
    if not isinstance(message, StartMessage):
        raise Refusal(
            Reason.UNEXPECTED_MESSAGE, "the first message of a stream must be `start`; another one arrived"
        )
    validate_start(message)
    check_id = env.keys.tokens.check_id_of(message.token)
    record = None if check_id is None else await env.repository.get(check_id)
    if record is None:
        raise Refusal(Reason.TOKEN_INVALID, _TOKEN_UNKNOWN)
    return message, record


async def open_stream(
    env: ScanEnvironment,
    start: StartMessage,
    record: CheckRecord,
    inbox: Inbox,
    send: Send,
    *,
    header_origin: str | None,
) -> OpenStream:
    """Open a stream.

    Only a device that holds the session key of the scan gets the lease: the first key is bound to the scan,
    and later streams must prove that they hold it. A party that only knows the token cannot fence a genuine
    stream.

    Args:
        start: The device's first message, from ``find_check``.
        record: The check that its token belongs to, from ``find_check``.
        inbox: The device's further messages.
        header_origin: The call's ``Origin`` header; ``None`` without the header.

    Raises:
        Refusal: The stream may not begin.
        StreamEnded: The device half-closed.
    """
    # 1. May a stream of this check begin?
    session_key = validate_start(start)
    policy = frozen_policy(record.policy_source)
    attempts = await env.repository.attempts(record.check_id)
    remaining = admit(
        start=start,
        record=record,
        attempts=attempts,
        policy=policy,
        pack_version=env.models.pack.version,
        header_origin=header_origin,
        now=env.clock.now(),
    )
    plans = ScanPlans(
        policy=policy,
        requested=record.requested_mode,
        capabilities=start.capabilities,
        attempts=attempts,
        unmeasured=unmeasured_challenges(policy, record.requested_mode, env.models.pack),
    )
    require_challenge(plans)
    budget = plans.budget(env.limits.budget)
    # 2. Draw the challenge, and sign it with the key that the app has pinned.
    transcript, challenge = _challenge(
        env,
        start=start,
        session_key=session_key,
        record=record,
        policy=policy,
        mode=plans.next.mode,
        remaining=remaining,
        budget=budget,
    )
    # The scan is already bound to a session key, so that the device must prove that it holds that key.
    proof_required = record.session_key is not None
    # 3. A reconnect proves the session key before it takes the lease from an older stream.
    if proof_required:
        await send(challenge)
        await _take_proof(inbox, transcript, seconds=policy.deadlines.idle_seconds)
    record = await take_lease(env, record, start, policy=policy, proven=proof_required)
    # 4. Bind the evidence of the device to the challenge, and keep what it claims.
    try:
        # A stream that was fenced just now may have changed its attempts since they were read.
        attempts = await env.repository.attempts(record.check_id)
        plans.note(doubts_of(attempts))
        require_challenge(plans)
        evidence = await StreamEvidence.open(
            env,
            record,
            start,
            policy=policy,
            binding=transcript.binding,
            header_origin=header_origin,
        )
        await evidence.keep_claims(await _decisive_claims(env, start), epoch=record.lease_epoch)
        # 5. A first stream learns the challenge once it holds the lease.
        if not proof_required:
            await send(challenge)
    except BaseException:
        await release_lease(env, record, policy)
        raise
    return OpenStream(
        start=start,
        record=record,
        attempts=attempts,
        policy=policy,
        transcript=transcript,
        plans=plans,
        budget=budget,
        evidence=evidence,
    )


async def _decisive_claims(env: ScanEnvironment, start: StartMessage) -> tuple[DeviceTest, ...]:
    claimed = ClaimedDevice(
        device=start.device, camera=start.camera, server_spki_sha256=start.server_spki_sha256
    )
    return await env.pool.run_first(
        decisive_claims,
        claimed,
        server_keys=env.devices.server_keys.current,
        fingerprints=env.devices.fingerprints,
    )


async def _take_proof(inbox: Inbox, transcript: StreamTranscript, *, seconds: float) -> None:
    arrival = await inbox.next(timeout=seconds)
    if arrival is None or not isinstance(arrival.message, ResumeProofMessage):
        raise Refusal(
            Reason.RESUME_PROOF_INVALID,
            "after the Challenge of a reconnect the next message must be `resume_proof`",
        )
    transcript.prove_resume(arrival.message.signature)


def _pinned_key(env: ScanEnvironment, record: CheckRecord) -> EllipticCurvePrivateKey:
    """Return the challenge key that the check's app pinned; it may have been used first by another replica.

    Raises:
        Refusal: This server does not have that key (NOT_SERVING).
    """
    pinned = record.challenge_key_sha256
    key = env.keys.challenges.find(pinned)
    if key is None:
        env.metrics.work.key_missing("challenge")
        _log.error("challenge_key_missing", check_id=str(record.check_id), pinned=pinned.hex())
        raise Refusal(
            Reason.NOT_SERVING,
            "this server lacks the key that the check's challenges are signed with; try again",
            retry_after=_RETRY_SECONDS,
        )
    return key


def _challenge(
    env: ScanEnvironment,
    *,
    start: StartMessage,
    session_key: EllipticCurvePublicKey,
    record: CheckRecord,
    policy: Policy,
    mode: Mode,
    remaining: int,
    budget: CaptureBudget,
) -> tuple[StreamTranscript, ChallengeMessage]:
    challenge_key = _pinned_key(env, record)
    nonce = env.random(_NONCE_BYTES)
    private = X25519PrivateKey.from_private_bytes(env.random(_KEY_BYTES))
    body = env.serialise_challenge(
        ChallengeFields(
            protocol_version=PROTOCOL_VERSION,
            nonce=nonce,
            key_share=private.public_key().public_bytes_raw(),
            oval=env.limits.oval,
            budget=budget,
            credit=CreditMessage(frames=env.limits.window_frames, bytes=env.limits.window_bytes),
            mode=mode,
            attempts_remaining=remaining,
            scan_deadline=record.scan_deadline,
            server_time=env.clock.now(),
            resume_proof_required=record.session_key is not None,
            attestation_level=attestation_demand(start.device.platform, policy.device.as_table()).name,
            attestation_grace_seconds=policy.deadlines.attestation_grace_seconds,
            runtime_findings=Capability.RUNTIME_FINDINGS in start.capabilities,
        )
    )
    transcript = open_transcript(
        start,
        nonce=nonce,
        private_key=private,
        session_key=session_key,
        ahead_seconds=env.limits.ahead_seconds,
    )
    return transcript, sign_challenge(body, start=start.raw, key=challenge_key)


def open_transcript(
    start: StartMessage,
    *,
    nonce: bytes,
    private_key: X25519PrivateKey,
    session_key: EllipticCurvePublicKey,
    ahead_seconds: float = AHEAD_SECONDS,
) -> StreamTranscript:
    """Return the server's side of a stream's transcript, before its first attempt.

    Args:
        nonce: The nonce of its Challenge, 32 bytes.
        private_key: The key of the share in its Challenge.
        ahead_seconds: How far the device's clock may run ahead.

    Raises:
        Refusal: The device's key share is no point to agree on a key with (INVALID_FIELD).
    """
    binding = binding_hash(
        BindingInputs(
            token=start.token,
            nonce=nonce,
            device_share=start.key_share,
            server_share=private_key.public_key().public_bytes_raw(),
            session_public_key=start.session_public_key,
            server_spki_sha256=start.server_spki_sha256,
            start=start.raw,
        )
    )
    try:
        key = derive_mac_key(
            private_key=private_key, peer_share=start.key_share, nonce=nonce, binding=binding
        )
    except KeyMaterialError as error:
        raise invalid_field("start.key_share", f"ScanStart.key_share: {error}") from error
    return StreamTranscript(key=key, binding=binding, session_key=session_key, ahead_seconds=ahead_seconds)


def sign_challenge(body: bytes, *, start: bytes, key: EllipticCurvePrivateKey) -> ChallengeMessage:
    """Return the Challenge with a serialised body, for the bytes of a ScanStart."""
    return ChallengeMessage(
        body=body,
        signature=sign(key, challenge_message(start=start, body=body)),
        signing_public_key=public_key_der(key.public_key()),
    )
