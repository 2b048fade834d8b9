"""Stores decisions: seals the evidence first, then writes the decision in one transaction, then returns."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog

from attempt import SeenFrame
from server.checks.faults import server_fault
from server.checks.outcomes import JudgedAttempt, OutcomeMaker, outline
from server.checks.pictures import result_pictures
from server.domain.terms import PortraitKept
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.policies import Policy
from server.storage.errors import StorageUnavailable
from server.storage.records import (
    AttemptEnding,
    AttemptRecord,
    CheckRecord,
    Decision,
    EvidenceEntry,
    ImagePurpose,
    PictureFacts,
)
from server.storage.repository import CheckRepository
from server.verdict import CheckStatus, CheckVerdict, FailureReason, ending_reasons
from server.verdict.outcome import CheckOutcome, DeviceOutcome, PackIdentity
from server.verdict.record import AttemptFrames, EvidenceRecord, ImageFacts, PortraitFacts, RecordTimes
from server.verdict.stored import OutcomeUnreadable, outcome_from_bytes, outcome_to_bytes

_SHA256_BYTES = 32
_log = structlog.get_logger(__name__)

_ABSENCE = frozenset({FailureReason.ABANDONED, FailureReason.EXPIRED})
"""Reasons that state that the scan was not continued; a fault of the server may be the cause."""


@dataclass(frozen=True, slots=True)
class KeptPictures:
    """The kept images of an attempt.

    Attributes:
        entries: The entries of all images, including those that could not be stored.
        failure: Why an image is not stored; ``None`` if all are stored.
    """

    entries: tuple[EvidenceEntry, ...]
    failure: StorageUnavailable | None


class CheckRecorder:
    """Writes evidence and decisions. Every method returns only after its data is stored durably."""

    def __init__(
        self,
        *,
        repository: CheckRepository,
        evidence: EvidenceStore,
        records: RecordVault,
        encode: Callable[[CheckOutcome], bytes],
        pack: PackIdentity,
        server_version: str,
        clock_source: str,
        unattempted: Callable[[CheckRecord, Policy, datetime], Awaitable[DeviceOutcome]],
    ) -> None:
        """Sets the stores, and the facts that results state about this server.

        Args:
            repository: The repository of checks.
            evidence: The store of evidence images.
            records: Seals evidence records.
            encode: Serialises the result that is signed and returned; the edge provides it.
            pack: The model pack that judges.
            server_version: The version of this server.
            clock_source: The clock of this server, as evidence records name it.
            unattempted: Returns the facts about the device of a check that no attempt decides; raises
                StorageUnavailable if the database failed.
        """
        self._repository = repository
        self._evidence = evidence
        self._records = records
        self._encode = encode
        self._clock_source = clock_source
        self._maker = OutcomeMaker(pack=pack, server_version=server_version)
        self._unattempted = unattempted

    async def keep_pictures(
        self, record: CheckRecord, *, attempt: int, best: SeenFrame | None, audit: Sequence[SeenFrame]
    ) -> KeptPictures:
        """Seals and stores the evidence frame and the audit images of an attempt, in that order."""
        wanted = [(ImagePurpose.EVIDENCE_FRAME, best)] if best is not None else []
        wanted += [(ImagePurpose.AUDIT_IMAGE, frame) for frame in audit]
        kept = await asyncio.gather(
            *(self._keep(record, attempt=attempt, kind=kind, frame=frame) for kind, frame in wanted)
        )
        return KeptPictures(
            entries=tuple(entry for entry, _ in kept),
            failure=next((failure for _, failure in kept if failure is not None), None),
        )

    async def _keep(
        self, record: CheckRecord, *, attempt: int, kind: ImagePurpose, frame: SeenFrame
    ) -> tuple[EvidenceEntry, StorageUnavailable | None]:
        taken = frame.frame
        sealed = await self._evidence.seal(
            record.check_id,
            tenant=record.tenant,
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
        """Erases stored images whose rows were never written, because another stream was first."""
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
        """Returns the stored form of an undecided attempt: the outcome of the check if no attempt follows."""
        outcome = self._maker.outcome(
            record,
            policy=policy,
            attempt=attempt,
            device=attempt.device,
            attempts=attempts,
            pictures=attempt.evidence,
            ended_by=FailureReason.CONDITIONS,
            now=now,
        )
        return outcome_to_bytes(outcome)

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
            ended_by: The circumstance that prevented a decision by the attempt; ``None`` if the attempt
                decides.
            epoch: The lease epoch of the stream that decides; ``None`` outside a stream.
            now: The time.
            ending: The end of the attempt, if it is not stored yet; it is written in the transaction of the
                decision. Without ``epoch``, the attempt ran in an older stream, whose epoch is in ``record``.

        Raises:
            Conflict: Another stream or call was first.
        """
        outcome = self._maker.outcome(
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
            outcome,
            policy=policy,
            attempts=attempts,
            evidence=attempt.evidence,
            epoch=epoch,
            ending=ending,
        )
        return outcome.verdict

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
        """Decides a check by the last judged attempt, or without an attempt if none was judged.

        If the claims or the evidence of the device show a manipulation, they decide before anything else.
        If a fault of the server ended the scan, and no attempt was judged since, the check is NOT_DECIDED.

        Args:
            record: The check.
            policy: Its frozen policy.
            attempts: Every attempt.
            ended_by: Why the check is closed. A fault of the server replaces the absence of the person.
            epoch: The lease epoch of the stream that decides; ``None`` outside a stream.
            now: The time.

        Raises:
            Conflict: Another stream or call was first.
        """
        if ended_by in _ABSENCE:
            ended_by = server_fault(attempts) or ended_by
        device = await self._unattempted(record, policy, now)
        outcome = None
        if (judged := _last_judged(attempts)) is not None:
            outcome = judged.ended(
                by=ended_by,
                device=device,
                attempts=tuple(outline(attempt, closed=record.held(now), now=now) for attempt in attempts),
                streams=record.streams,
                decide_time=now,
            )
        if outcome is None or outcome.verdict.status is CheckStatus.NOT_DECIDED:
            kept = await self._repository.evidence(record.check_id)
            outcome = self._maker.outcome(
                record,
                policy=policy,
                attempt=None,
                device=device,
                attempts=attempts,
                pictures=result_pictures(kept, attempts),
                ended_by=ending_reasons(ended_by, manipulated=device.final)[0],
                now=now,
            )
        await self._write(record, outcome, policy=policy, attempts=attempts, evidence=(), epoch=epoch)
        return outcome.verdict

    async def _write(
        self,
        record: CheckRecord,
        outcome: CheckOutcome,
        *,
        policy: Policy,
        attempts: Sequence[AttemptRecord],
        evidence: tuple[EvidenceEntry, ...],
        epoch: int | None,
        ending: AttemptEnding | None = None,
    ) -> None:
        retention = policy.retention
        seconds = retention.evidence_seconds
        if record.retention_seconds is not None:
            seconds = min(seconds, record.retention_seconds)
        retained = outcome.decide_time + timedelta(seconds=seconds)
        retain_until = max(retained, record.result_deadline)
        images_until = retain_until
        if retention.images_seconds is not None:
            # Until the result's deadline FinishCheck returns images, so retention never takes one from it.
            kept = outcome.decide_time + timedelta(seconds=retention.images_seconds)
            images_until = max(kept, record.result_deadline)
        earlier = await self._repository.evidence(record.check_id)
        result = self._encode(outcome)
        evidence_record = EvidenceRecord(
            tenant=record.tenant,
            subject_reference=record.subject_reference,
            consent_reference=record.consent_reference,
            requested_mode=record.requested_mode,
            outcome=outcome,
            result=result,
            result_jws=self._records.sign(result, tenant=record.tenant, sandbox=record.sandbox),
            images=tuple(_facts(entry) for entry in (*earlier, *evidence)),
            frames=tuple(_frames(attempt) for attempt in attempts),
            portrait=_portrait(record, policy),
            times=RecordTimes(
                source=self._clock_source,
                create=record.create_time,
                decide=outcome.decide_time,
                result_deadline=record.result_deadline,
                retain_until=retain_until,
            ),
        )
        await self._repository.decide(
            record.check_id,
            epoch=epoch,
            decision=Decision(
                status=outcome.verdict.status,
                reasons=outcome.verdict.reasons,
                record=self._records.seal(evidence_record),
                evidence=evidence,
                decide_time=outcome.decide_time,
                retain_until=retain_until,
                images_until=images_until if images_until < retain_until else None,
            ),
            ending=ending,
            fenced=record.lease_epoch if epoch is None else None,
        )


def _facts(entry: EvidenceEntry) -> ImageFacts:
    return ImageFacts(
        purpose=entry.kind.value,
        sha256=entry.sha256,
        attempt=entry.attempt,
        frame_index=entry.frame_index,
        rotation=entry.rotation,
        mirrored=entry.mirrored,
        media_type=entry.media_type,
    )


def _frames(attempt: AttemptRecord) -> AttemptFrames:
    joined = attempt.frame_hashes or b""
    hashes = tuple(joined[at : at + _SHA256_BYTES] for at in range(0, len(joined), _SHA256_BYTES))
    return AttemptFrames(attempt=attempt.number, sha256=hashes, complete=len(hashes) >= attempt.frames)


def _portrait(record: CheckRecord, policy: Policy) -> PortraitFacts:
    if record.portrait_sha256 is None:
        return PortraitFacts(kept=PortraitKept.NONE)
    return PortraitFacts(kept=policy.retention.portrait, sha256=record.portrait_sha256)


def _last_judged(attempts: Sequence[AttemptRecord]) -> CheckOutcome | None:
    """Returns the stored outcome of the last judged attempt; ``None`` if none or unreadable."""
    for attempt in reversed(attempts):
        if attempt.judgement is not None:
            try:
                return outcome_from_bytes(attempt.judgement)
            except OutcomeUnreadable as error:
                # Another version of the server judged it during the minutes in which the check was open.
                _log.error("attempt_not_readable", check_id=str(attempt.check_id), exc_info=error)
                return None
    return None
