"""FinishCheck, CancelCheck and the deadlines: end a check that no stream decides, and deliver its result."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import structlog

from server.audit import Actor, AuditAction, AuditEvent, Tally, subject_hash
from server.base.errors import Reason, Refusal
from server.checks.lifecycle import check_decided, check_finished
from server.checks.progress import CheckProgress, ProgressState, check_of_caller, frozen_policy, progress_of
from server.checks.recorder import CheckRecorder, server_fault
from server.checks.refusals import check_not_found, result_erased
from server.checks.reviews import review_standing
from server.checks.running import RunningScans
from server.domain.reviews import ReviewStanding
from server.domain.terms import OPEN_STATES, CheckState, CheckStatus, ImagePurpose
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceFault, EvidenceStore, HeldImage
from server.storage.errors import Conflict, StorageUnavailable
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.records import CheckRecord, EvidenceEntry
from server.storage.repository import CheckRepository
from server.storage.reviews import ReviewRepository
from server.telemetry.metrics import Metrics
from server.telemetry.stages import Stage, check_bound
from server.verdict import FailureReason
from server.verdict.record import Delivery, RecordUnreadable

_log = structlog.get_logger(__name__)


class AuditShortfall(StrEnum):
    """Why there are fewer audit images than requested; see ``facegate.v1.AuditImageShortfall``."""

    POLICY = "POLICY"
    FEWER_CAPTURED = "FEWER_CAPTURED"
    PROBLEMS = "PROBLEMS"


_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class _Repeated:
    tenant: str
    check_id: UUID | None
    actor: Actor


class Deliveries:
    """Makes the audit events for the deliveries of a result.

    For each check and caller, the first repeat is recorded at once. Further repeats are counted, and recorded
    at most once a minute. While 1024 pairs of check and caller are counted, the repeats of other pairs are
    recorded by caller, without their checks.
    """

    def __init__(self, tenant_key: Callable[[str], bytes]) -> None:
        """Set the function that returns the key of a tenant (``KeyRing.memory.tenant_key``)."""
        self._tenant_key = tenant_key
        self._tally: Tally[_Repeated] = Tally(
            most=_MOST, shared=lambda repeated: replace(repeated, check_id=None)
        )

    def events_of(
        self, record: CheckRecord, *, status: CheckStatus, subject: str, actor: Actor, now: datetime
    ) -> tuple[AuditEvent, AuditEvent | None]:
        """Return the possible events of one call of FinishCheck. The transaction appends one at most.

        Args:
            record: The check, as it was read before the transaction.
            status: The status in the evidence record; the one in ``record`` is not sealed.
            subject: The subject reference of the evidence record; may be empty.

        Returns:
            The event to append if this call delivers the result for the first time, and the one to append if
            it does not; ``None`` if the repeat is only counted.
        """
        detail = {"status": status.value} | ({"sandbox": "true"} if record.sandbox else {})
        first = AuditEvent(
            tenant=record.tenant,
            action=AuditAction.RESULT_DELIVERED,
            actor=actor,
            check_id=record.check_id,
            subject=subject_hash(self._tenant_key(record.tenant), subject),
            detail=detail,
        )
        again = replace(first, action=AuditAction.RESULT_REPEATED, detail={**detail, "count": "1"})
        key = _Repeated(record.tenant, record.check_id, actor)
        counted = record.state is CheckState.FINISHED and not self._tally.record_or_count(key, now)
        return first, None if counted else again

    def due(self, now: datetime, *, everything: bool = False) -> tuple[AuditEvent, ...]:
        """Return the events of counted repeats; see ``server.audit.Tally.due``."""
        return tuple(
            AuditEvent(
                tenant=repeats.key.tenant,
                action=AuditAction.RESULT_REPEATED,
                actor=repeats.key.actor,
                check_id=repeats.key.check_id,
                detail={"count": str(repeats.count)},
            )
            for repeats in self._tally.due(now, everything=everything)
            if repeats.key is not None
        )


_RETRY_SECONDS = 2.0
_LEAST_RETRY_SECONDS = 0.1
_PATIENCE_SECONDS = 3.0
"""How long a stream may take to close its check; shorter than callers wait for the response."""
_TICK_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class FinishedCheck:
    """A finished check with its result.

    Attributes:
        result: The result bytes that the result key signs.
        images: The requested evidence images, the evidence frame first, and those that cannot be opened with
            an ``EvidenceFault``.
        shortfall: Why there are fewer audit images than requested; ``None`` if there are enough.
        review: The review by people; ``None`` if there is none.
    """

    record: CheckRecord
    result: bytes
    images: tuple[HeldImage, ...]
    shortfall: AuditShortfall | None
    review: ReviewStanding | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckCompletion:
    """Closes checks and returns results."""

    repository: CheckRepository
    recorder: CheckRecorder
    running: RunningScans
    evidence: EvidenceStore
    records: EvidenceRecordRepository
    reviews: ReviewRepository
    vault: RecordVault
    deliveries: Deliveries
    metrics: Metrics

    async def finish(
        self,
        check_id: UUID,
        *,
        tenant: str,
        sandbox: bool,
        actor: Actor,
        audit_images: int,
        now: datetime,
        close_now: bool = False,
    ) -> FinishedCheck:
        """Close a check to further attempts and return its result; idempotent.

        Args:
            actor: The caller, for the audit log.
            audit_images: The maximum number of audit images to return.
            close_now: Whether to close the check, as CANCELLED, even if a scan runs or may still be resumed.

        Raises:
            Refusal: CHECK_NOT_FOUND, NOT_SCANNED_YET, SCAN_IN_PROGRESS or RESULT_EXPIRED.
        """
        record = await check_of_caller(self.repository, check_id, tenant=tenant, sandbox=sandbox)
        if record.requested_outcome is not None and not sandbox:
            # A backend that forgets to refuse sandbox results must not get one that somebody chose.
            raise Refusal(
                Reason.CHECK_NOT_FOUND,
                "the outcome of this check was requested: only sandbox callers get its result",
            )
        with check_bound(check_id):
            if record.state in OPEN_STATES:
                record = await self._close_if_over(record, now, close_now=close_now)
            if record.state is CheckState.ERASED:
                raise result_erased()
            if now >= record.result_deadline:
                raise Refusal(
                    Reason.RESULT_EXPIRED, "the deadline for fetching this check's result has passed"
                )
            return await self._finish(record, actor=actor, audit_images=audit_images, now=now)

    async def _finish(
        self, record: CheckRecord, *, actor: Actor, audit_images: int, now: datetime
    ) -> FinishedCheck:
        stages = self.metrics.stages
        with stages.stage(Stage.LOAD_RESULT):
            delivery, named = await self._kept(record)
        first, again = self.deliveries.events_of(
            record, status=delivery.status, subject=delivery.subject_reference, actor=actor, now=now
        )
        with stages.stage(Stage.STORE_DELIVERY):
            try:
                record = await self.repository.finish(record.check_id, now, first=first, again=again)
            except Conflict as error:
                # It was erased since it was read; nothing else ends this state.
                raise result_erased() from error
        with stages.stage(Stage.LOAD_IMAGES):
            images, shortfall = await self._hand_out(record, named, audit_images=audit_images)
        review = await review_standing(
            self.reviews, record, policy=frozen_policy(record.policy_source), now=now
        )
        check_finished()
        return FinishedCheck(
            record=record, result=delivery.result, images=images, shortfall=shortfall, review=review
        )

    async def _kept(self, record: CheckRecord) -> tuple[Delivery, tuple[EvidenceEntry, ...]]:
        """Return the result of a decided check, and the images that it names."""
        entries = await self.repository.evidence(record.check_id)
        stored = await self.records.find(record.check_id)
        if stored is None:
            current = await self.repository.get(record.check_id)
            if current is not None and current.state is CheckState.ERASED:
                raise result_erased()
            _log.error("evidence_problem", check_id=str(record.check_id), problem="LOST")
            raise Refusal(
                Reason.EVIDENCE_UNREADABLE,
                "the record of this check is lost; look it up in a restored copy of a backup",
                details={"problem": "LOST"},
            )
        try:
            delivery = self.vault.delivery(stored)
        except RecordUnreadable as error:
            if error.problem == EvidenceFault.KEY_MISSING:
                self.metrics.work.key_missing("evidence")
            raise Refusal(
                Reason.EVIDENCE_UNREADABLE,
                "the record of this check cannot be opened; restore the keys from their backup, or look the "
                "record up in a restored copy of the database",
                details={"problem": error.problem},
            ) from error
        found = {entry.facts.mark: entry for entry in entries}
        return delivery, tuple(found[mark] for mark in delivery.marks if mark in found)

    async def _hand_out(
        self, record: CheckRecord, named: Sequence[EvidenceEntry], *, audit_images: int
    ) -> tuple[tuple[HeldImage, ...], AuditShortfall | None]:
        """Open the evidence frame and audit images. One that cannot be opened never blocks the result.

        Args:
            named: The images that the result of the check names.
            audit_images: The number of audit images that are requested.
        """
        audit = [entry for entry in named if entry.facts.purpose is ImagePurpose.AUDIT_IMAGE]
        frames = [entry for entry in named if entry.facts.purpose is ImagePurpose.EVIDENCE_FRAME]
        images = [await self._open(record, entry) for entry in (*frames, *audit[:audit_images])]
        shortfall = None
        if len(audit) < audit_images:
            kept = frozen_policy(record.policy_source).retention.audit_images
            policy = len(audit) >= kept
            shortfall = AuditShortfall.POLICY if policy else AuditShortfall.FEWER_CAPTURED
        elif any(one.problem and one.facts.purpose is ImagePurpose.AUDIT_IMAGE for one in images):
            shortfall = AuditShortfall.PROBLEMS
        return tuple(images), shortfall

    async def _open(self, record: CheckRecord, entry: EvidenceEntry) -> HeldImage:
        try:
            return await self.evidence.open(record, entry)
        except StorageUnavailable as error:
            return self.evidence.unread(record, entry, error)

    async def cancel(self, check_id: UUID, *, tenant: str, sandbox: bool, now: datetime) -> None:
        """Cancel a check; idempotent. A decided check does not change.

        Raises:
            Refusal: CHECK_NOT_FOUND.
        """
        record = await check_of_caller(self.repository, check_id, tenant=tenant, sandbox=sandbox)
        if record.state in OPEN_STATES:
            expired = (await self._progress(record, now)).state is ProgressState.EXPIRED
            reason = _reason_at_deadline(record) if expired else FailureReason.CANCELLED
            await self._end(record, reason, now)

    async def sweep(self, now: datetime, *, limit: int) -> int:
        """Decide the checks whose scan deadline has passed, or whose requested outcome is due.

        Logs and skips a check that cannot be decided.

        Args:
            limit: The number of checks that are listed at once. Further checks wait for the next sweep,
                unless one of the listed checks could not be decided.

        Returns:
            The number of checks that were decided.

        Raises:
            StorageUnavailable: The storage does not answer; the next sweep tries again.
        """
        return await self._sweep(now, limit, outcomes=True) + await self._sweep(now, limit, outcomes=False)

    async def _sweep(self, now: datetime, limit: int, *, outcomes: bool) -> int:
        moved = 0
        last: CheckRecord | None = None
        while True:
            page = await self.repository.due(now, limit, after=last, outcomes=outcomes)
            closed = [await self._swept(record, now) for record in page]
            moved += sum(closed)
            if all(closed) or len(page) < limit:
                return moved
            # Checks that cannot be closed stay at the head of the list and must not block the others.
            last = page[-1]

    async def _swept(self, record: CheckRecord, now: datetime) -> bool:
        """Close a check whose deadline has passed; return whether it was closed."""
        try:
            await self._close(record, _reason_at_deadline(record), now)
        except Conflict:
            # A stream or a call changed the check after it was listed; the next sweep reads it again.
            _log.info("check_moved_during_sweep", check_id=str(record.check_id))
            return False
        except StorageUnavailable:
            raise
        except Exception:  # noqa: BLE001 - a check that cannot be closed must not keep later ones open
            _log.exception("check_not_closed", check_id=str(record.check_id))
            return False
        return True

    async def _progress(self, record: CheckRecord, now: datetime) -> CheckProgress:
        attempts = await self.repository.attempts(record.check_id)
        return progress_of(record, attempts, policy=frozen_policy(record.policy_source), now=now)

    async def _close_if_over(self, record: CheckRecord, now: datetime, *, close_now: bool) -> CheckRecord:
        progress = await self._progress(record, now)
        due = record.outcome_due is not None and now >= record.outcome_due
        if progress.state is ProgressState.WAITING and not due:
            raise Refusal(
                Reason.NOT_SCANNED_YET,
                "this check has not been scanned yet; ask again when the app reports the end of the scan",
            )
        scanning = progress.state is ProgressState.SCANNING
        resumable = not due and progress.resumable_until is not None and now < progress.resumable_until
        if (scanning or resumable) and not close_now:
            raise _in_progress(progress, now)
        if scanning:
            return await self._end(record, FailureReason.CANCELLED, now, excused=True)
        expired = progress.state is ProgressState.EXPIRED
        reason = _reason_at_deadline(record) if expired else record.closing or _reason_of_absence(record)
        if resumable and reason is FailureReason.ABANDONED and await self._fault(record) is None:
            # The same reason as for a call that is made before the loss of the stream is known.
            reason = FailureReason.CANCELLED
        try:
            await self._close(record, reason, now)
        except Conflict:
            # A stream decided or reconnected between the read and the write. Its result stands.
            current = await self._load(record.check_id)
            if current.state in OPEN_STATES:
                raise _in_progress(await self._progress(current, now), now) from None
        return await self._load(record.check_id)

    async def _fault(self, record: CheckRecord) -> FailureReason | None:
        """Return the fault of the server for which the device left; ``None`` if there is none."""
        return server_fault(await self.repository.attempts(record.check_id))

    async def _end(
        self, record: CheckRecord, reason: FailureReason, now: datetime, *, excused: bool = False
    ) -> CheckRecord:
        """Close an open check, even during a scan. If another decision is stored first, it stands.

        Args:
            excused: Whether a fault of the server, if one ended the scan before it was to be closed, replaces
                the reason.
        """
        record = await self.repository.request_close(record.check_id, reason)
        reason = record.closing or reason
        # A stream closes its check itself, with its findings. A stream of this replica is notified at once; a
        # stream of another replica reads the request when it renews its lease.
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                await self.running.close(record.check_id, reason)
                while (record := await self._load(record.check_id)).held(now):  # noqa: ASYNC110 - no event crosses replicas
                    await asyncio.sleep(_TICK_SECONDS)
        if record.state in OPEN_STATES:
            fault = await self._fault(record) if excused else None
            with suppress(Conflict):
                await self._close(record, fault or reason, now)
            record = await self._load(record.check_id)
        return record

    async def _load(self, check_id: UUID) -> CheckRecord:
        record = await self.repository.get(check_id)
        if record is None:
            raise check_not_found()
        return record

    async def _close(self, record: CheckRecord, reason: FailureReason, now: datetime) -> None:
        with check_bound(record.check_id), self.metrics.stages.stage(Stage.STORE_VERDICT):
            verdict = await self.recorder.close(
                record,
                policy=frozen_policy(record.policy_source),
                attempts=await self.repository.attempts(record.check_id),
                reason=reason,
                epoch=record.lease_epoch,
                now=now,
            )
        check_decided(record, verdict, metrics=self.metrics)


def _in_progress(progress: CheckProgress, now: datetime) -> Refusal:
    if progress.resumable_until is None:
        return Refusal(
            Reason.SCAN_IN_PROGRESS,
            "a scan of this check is in progress; ask again in a few seconds",
            details={"state": progress.state.value},
            retry_after=_RETRY_SECONDS,
        )
    left = max(0.0, (progress.resumable_until - now).total_seconds())
    return Refusal(
        Reason.SCAN_IN_PROGRESS,
        f"the scan of this check was interrupted and may be resumed for {left:.1f} seconds; ask again then, "
        "or set `close_now`",
        details={"state": progress.state.value, "resumeSeconds": round(left, 1)},
        retry_after=min(_RETRY_SECONDS, max(_LEAST_RETRY_SECONDS, left)),
    )


def _reason_at_deadline(record: CheckRecord) -> FailureReason:
    return FailureReason.INTERRUPTED if record.state is CheckState.SCANNING else FailureReason.EXPIRED


def _reason_of_absence(record: CheckRecord) -> FailureReason:
    # SCANNING without a held lease means that the replica stopped; WAITING that the device disconnected.
    return FailureReason.INTERRUPTED if record.state is CheckState.SCANNING else FailureReason.ABANDONED
