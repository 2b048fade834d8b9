"""Makes verdicts durable: evidence sealed first, then the decision in one transaction, then the answer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

import structlog

from attempt.analyst import SeenFrame
from attempt.judgement import AttemptJudgement
from matcher.similarity import similarity_for_fmr
from server.checks.faults import server_fault
from server.checks.pictures import result_pictures
from server.domain.terms import AttemptOutcome, EndedBy, Mode
from server.evidence.store import EvidenceStore
from server.policies import Policy
from server.storage.errors import StorageUnavailable
from server.storage.records import (
    AttemptEnding,
    AttemptRecord,
    CheckRecord,
    Decision,
    EvidenceEntry,
    EvidenceKind,
    PictureFacts,
)
from server.storage.repository import CheckRepository
from server.verdict import (
    CheckStatus,
    CheckVerdict,
    FailureReason,
    VerdictDemands,
    VerdictInputs,
    judge_check,
    judge_reasons,
)
from server.verdict.outcome import (
    AttemptOutline,
    CheckOutcome,
    DeviceOutcome,
    EvidenceMark,
    PackIdentity,
    TranscriptOutcome,
)

_log = structlog.get_logger(__name__)

_BROKEN = FailureReason.TRANSCRIPT_BROKEN
_ABSENCE = frozenset({FailureReason.ABANDONED, FailureReason.EXPIRED})
"""Reasons that say that nobody went on with the scan; a fault of the server may be why."""


class OutcomeCodec(Protocol):
    """Turns outcomes into the bytes that are stored and signed; the edge provides it."""

    def encode(self, outcome: CheckOutcome) -> bytes:
        """The outcome as result bytes."""
        ...

    def reasons(self, result: bytes) -> tuple[FailureReason, ...]:
        """The reasons in result bytes, most important first."""
        ...

    def reissue(
        self,
        result: bytes,
        *,
        verdict: CheckVerdict,
        attempts: Sequence[AttemptOutline],
        decide_time: datetime,
    ) -> bytes:
        """An undecided attempt's result bytes as those of the check, whose verdict is ``verdict``."""
        ...


@dataclass(frozen=True, slots=True)
class KeptPictures:
    """An attempt's pictures.

    Attributes:
        entries: Of all of them, those that could not be stored included.
        failure: Why not all of them are stored; ``None`` where they are.
    """

    entries: tuple[EvidenceEntry, ...]
    failure: StorageUnavailable | None


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgedAttempt:
    """An attempt that was judged, with what a result says about it.

    Attributes:
        number: The attempt.
        judgement: Liveness and match.
        mode: The mode that was used.
        device: The device.
        transcript: The transcript; ``None`` where the device left before it signed the end.
        evidence: The pictures that were kept, already durable. Of one that is decided against also those that
            could not be stored, so that the result names them.
    """

    number: int
    judgement: AttemptJudgement
    mode: Mode
    device: DeviceOutcome
    transcript: TranscriptOutcome | None
    evidence: tuple[EvidenceEntry, ...]


class CheckRecorder:
    """Writes evidence and decisions. Every method returns only after what it wrote is durable."""

    def __init__(
        self,
        *,
        repository: CheckRepository,
        evidence: EvidenceStore,
        codec: OutcomeCodec,
        pack: PackIdentity,
        server_version: str,
        unattempted: Callable[[CheckRecord, Policy], Awaitable[DeviceOutcome]],
    ) -> None:
        """Takes the stores, the edge's codec, and what results say about this server.

        ``unattempted`` gives the device of a check that no attempt decides; it raises StorageUnavailable
        where the database failed.
        """
        self._repository = repository
        self._evidence = evidence
        self._codec = codec
        self._pack = pack
        self._server_version = server_version
        self._unattempted = unattempted

    async def keep_pictures(
        self, record: CheckRecord, *, attempt: int, best: SeenFrame | None, audit: Sequence[SeenFrame]
    ) -> KeptPictures:
        """Seals and stores an attempt's evidence frame and audit images, in that order."""
        wanted = [(EvidenceKind.EVIDENCE_FRAME, best)] if best is not None else []
        wanted += [(EvidenceKind.AUDIT_IMAGE, frame) for frame in audit]
        kept = await asyncio.gather(
            *(self._keep(record, attempt=attempt, kind=kind, frame=frame) for kind, frame in wanted)
        )
        return KeptPictures(
            entries=tuple(entry for entry, _ in kept),
            failure=next((failure for _, failure in kept if failure is not None), None),
        )

    async def _keep(
        self, record: CheckRecord, *, attempt: int, kind: EvidenceKind, frame: SeenFrame
    ) -> tuple[EvidenceEntry, StorageUnavailable | None]:
        taken = frame.frame
        sealed = await self._evidence.seal(
            record.check_id,
            kind=kind,
            image=taken.image,
            facts=PictureFacts(
                attempt=attempt,
                frame_index=taken.index,
                rotation=taken.rotation_degrees,
                mirrored=taken.mirrored,
                media_type="image/jpeg",
            ),
        )
        try:
            await self._evidence.put(sealed)
        except StorageUnavailable as error:
            _log.error("picture_not_kept", check_id=str(record.check_id), exc_info=error)
            return sealed.entry, error
        return sealed.entry, None

    async def drop_pictures(self, pictures: Sequence[EvidenceEntry]) -> None:
        """Deletes stored pictures whose rows were never written, because another stream was first."""
        await self._evidence.erase(pictures)

    def interim(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempt: JudgedAttempt,
        attempts: Sequence[AttemptRecord],
        now: datetime,
    ) -> bytes:
        """What an undecided attempt's result would be, should nothing follow it."""
        outcome, _ = self._outcome(
            record,
            policy=policy,
            attempt=attempt,
            device=attempt.device,
            attempts=attempts,
            pictures=attempt.evidence,
            ended_by=FailureReason.CONDITIONS,
            now=now,
        )
        return self._codec.encode(outcome)

    async def decide(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempt: JudgedAttempt,
        attempts: Sequence[AttemptRecord],
        ended_by: FailureReason | None,
        epoch: int | None,
        now: datetime,
        ending: AttemptEnding | None = None,
    ) -> CheckVerdict:
        """Decides a check from a judged attempt.

        Args:
            record: The check.
            policy: Its frozen policy.
            attempt: The attempt that decides.
            attempts: Every attempt, the deciding one included.
            ended_by: The circumstances that kept it from a decision; ``None`` where it decides.
            epoch: The lease epoch of the stream that decides; ``None`` outside a stream.
            now: The time.
            ending: Of the attempt, where it still runs: it ends with the decision or not at all.

        Raises:
            Conflict: Another stream or call was first.
        """
        outcome, verdict = self._outcome(
            record,
            policy=policy,
            attempt=attempt,
            device=attempt.device,
            attempts=attempts,
            pictures=attempt.evidence,
            ended_by=ended_by,
            now=now,
        )
        await self._write(
            record,
            policy=policy,
            verdict=verdict,
            result=self._codec.encode(outcome),
            evidence=attempt.evidence,
            epoch=epoch,
            now=now,
            ending=ending,
        )
        return verdict

    async def close(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempts: Sequence[AttemptRecord],
        ended_by: FailureReason,
        epoch: int | None,
        now: datetime,
    ) -> CheckVerdict:
        """Decides a check with what there was: the last judged attempt, or nothing.

        A device whose claims or evidence show that it was manipulated decides it before all else.
        Where a fault of the server ended the scan, and no attempt was judged since, the check is NOT_DECIDED.

        Args:
            record: The check.
            policy: Its frozen policy.
            attempts: Every attempt.
            ended_by: Why it is closed. A fault of the server takes the place of the person's absence.
            epoch: The lease epoch of the stream that decides; ``None`` outside a stream.
            now: The time.

        Raises:
            Conflict: Another stream or call was first.
        """
        if ended_by in _ABSENCE:
            ended_by = server_fault(attempts) or ended_by
        judged = next((a.judgement for a in reversed(attempts) if a.judgement is not None), None)
        device = await self._unattempted(record, policy)
        verdict = None
        if judged is not None and not device.final:
            # CONDITIONS stood for "nothing decided yet"; now it is known how the scan ended.
            own = (reason for reason in self._codec.reasons(judged) if reason is not FailureReason.CONDITIONS)
            verdict = judge_reasons((ended_by, *own))
        if judged is None or verdict is None or verdict.status is CheckStatus.NOT_DECIDED:
            kept = await self._repository.evidence(record.check_id)
            outcome, verdict = self._outcome(
                record,
                policy=policy,
                attempt=None,
                device=device,
                attempts=attempts,
                pictures=result_pictures(kept, attempts),
                ended_by=None if device.final and ended_by is not _BROKEN else ended_by,
                now=now,
            )
            result = self._codec.encode(outcome)
        else:
            result = self._codec.reissue(
                judged,
                verdict=verdict,
                attempts=[outline(a, closed=record.held(now)) for a in attempts],
                decide_time=now,
            )
        await self._write(
            record, policy=policy, verdict=verdict, result=result, evidence=(), epoch=epoch, now=now
        )
        return verdict

    async def _write(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        verdict: CheckVerdict,
        result: bytes,
        evidence: tuple[EvidenceEntry, ...],
        epoch: int | None,
        now: datetime,
        ending: AttemptEnding | None = None,
    ) -> None:
        retained = now + timedelta(seconds=policy.retention.evidence_seconds)
        await self._repository.decide(
            record.check_id,
            epoch=epoch,
            decision=Decision(
                status=verdict.status,
                reasons=verdict.reasons,
                result_bytes=result,
                evidence=evidence,
                decide_time=now,
                retain_until=max(retained, record.result_deadline),
            ),
            ending=ending,
        )

    def _outcome(
        self,
        record: CheckRecord,
        *,
        policy: Policy,
        attempt: JudgedAttempt | None,
        device: DeviceOutcome,
        attempts: Sequence[AttemptRecord],
        pictures: Sequence[EvidenceEntry],
        ended_by: FailureReason | None,
        now: datetime,
    ) -> tuple[CheckOutcome, CheckVerdict]:
        judgement = attempt.judgement if attempt else None
        verified_bits = judgement.verified_bits if judgement else 0.0
        used_mode = attempt.mode if attempt else None
        challenged = Mode.DYNAMIC in (record.requested_mode, used_mode)
        required_bits = policy.challenge_for(record.requested_mode).required_bits if challenged else 0.0
        transcript = attempt.transcript if attempt else None
        verdict = judge_check(
            inputs=VerdictInputs(
                match=judgement.match if judgement else None,
                identity_constant=judgement.identity_constant if judgement else None,
                liveness=judgement.liveness if judgement else None,
                mode_used=used_mode,
                verified_bits=verified_bits,
                assurance=device.assurance,
                device_demands_met=device.demands_met,
                device_decided=bool(device.decided),
                injected=device.injected,
                transcript_intact=transcript.intact if transcript and transcript.signed else None,
                ended_by=ended_by,
            ),
            demands=VerdictDemands(
                mode=record.requested_mode,
                minimum_assurance=device.required,
                required_bits=required_bits,
            ),
        )
        marks = [(e.kind, EvidenceMark(e.sha256, e.attempt, e.frame_index)) for e in pictures]
        return (
            CheckOutcome(
                check_id=record.check_id,
                subject_reference=record.subject_reference,
                consent_reference=record.consent_reference,
                verdict=verdict,
                liveness=judgement.liveness if judgement else None,
                match=judgement.match if judgement else None,
                match_frames=judgement.match_frames if judgement else 0,
                required_similarity=similarity_for_fmr(policy.match.max_fmr),
                required_fmr=policy.match.max_fmr,
                requested_mode=record.requested_mode,
                used_mode=used_mode,
                verified_bits=verified_bits,
                required_bits=required_bits,
                challenge_steps=judgement.challenge_steps if judgement else (),
                device=device,
                transcript=transcript,
                attempts=tuple(outline(a, closed=attempt is not None or record.held(now)) for a in attempts),
                evidence_frame=next((m for kind, m in marks if kind is EvidenceKind.EVIDENCE_FRAME), None),
                audit_images=tuple(m for kind, m in marks if kind is EvidenceKind.AUDIT_IMAGE),
                policy_name=record.policy_name,
                policy_version=record.policy_version,
                policy_sha256=record.policy_sha256,
                pack_name=self._pack.name,
                pack_version=self._pack.version,
                pack_evaluation_only=self._pack.evaluation_only,
                pack_sha256=self._pack.sha256,
                calibration=self._pack.calibration,
                create_time=record.create_time,
                decide_time=now,
                server_version=self._server_version,
                sandbox=record.sandbox,
            ),
            verdict,
        )


def outline(attempt: AttemptRecord, *, closed: bool) -> AttemptOutline:
    """An attempt as a result mentions it.

    Args:
        attempt: The attempt.
        closed: Whether the decision ends it if it still runs; else the server that ran it stopped.
    """
    ended_by = attempt.ended_by
    if ended_by is None:
        ended_by = EndedBy.CHECK_CLOSED if closed and attempt.outcome is None else EndedBy.SERVER_STOPPED
    return AttemptOutline(
        attempt=attempt.number,
        mode=attempt.mode,
        plan=attempt.plan,
        outcome=attempt.outcome or AttemptOutcome.INTERRUPTED,
        ended_by=ended_by,
        verdict=attempt.verdict,
        frames=attempt.frames,
        feedback=attempt.feedback,
        start_time=attempt.start_time,
        end_time=attempt.end_time,
    )
