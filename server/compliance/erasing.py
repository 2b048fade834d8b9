"""Erases the evidence of a check, and a person; places and releases holds."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

import structlog

from server.audit import AuditAction, AuditEvent
from server.base.errors import Reason, Refusal
from server.checks.completion import CheckCompletion
from server.checks.lifecycle import check_erased
from server.compliance.access import Access, ApprovalRules, reference_field, text_field
from server.compliance.reading import found_check
from server.configuration.tables import TwoPeople
from server.domain.terms import OPEN_STATES, CheckState, reference_term
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.storage.approvals import ApprovalRequest, PendingApproval
from server.storage.errors import HoldNotFound, OnHold, StorageUnavailable
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.holds import HoldRepository, StoredHold
from server.storage.records import EvidenceEntry
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository

_LONGEST_REFERENCE = 256
_LONGEST_HOLD = 128
_LONGEST_REASON = 256
_MOST_NAMED = 1000
_log = structlog.get_logger(__name__)


class ErasureReason(StrEnum):
    """Why a person is erased; the names are those of ``facegate.v1.ErasureReason``."""

    REQUEST = "REQUEST"
    CONSENT_WITHDRAWN = "CONSENT_WITHDRAWN"
    OTHER = "OTHER"


class Residue(StrEnum):
    """What may still contain erased data; the names are those of ``facegate.v1.Residue.Kind``."""

    DATABASE_BACKUPS = "DATABASE_BACKUPS"
    OBJECT_COPIES = "OBJECT_COPIES"
    DATABASE_LOG = "DATABASE_LOG"
    DELIVERED_COPIES = "DELIVERED_COPIES"


@dataclass(frozen=True, slots=True)
class ErasedCheck:
    """An erased check.

    Attributes:
        residues: What may still contain its data.
    """

    erase_time: datetime
    residues: tuple[Residue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedSubject:
    """The outcome of the erasure of a person.

    Attributes:
        erased_checks: The number of checks that this call erased.
        held: The checks that a hold keeps, at most 1000 of them.
        forgotten: The number of device keys, key uses and scan memories that this call erased.
        residues: What may still contain the data.
    """

    erased_checks: int
    held: tuple[UUID, ...]
    forgotten: int
    residues: tuple[Residue, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """Erases evidence and people. A call that fails half-way may be repeated.

    Attributes:
        rules: The actions that need two people.
    """

    repository: CheckRepository
    records: EvidenceRecordRepository
    vault: RecordVault
    retention: RetentionRepository
    store: EvidenceStore
    holds: HoldRepository
    completion: CheckCompletion
    rules: ApprovalRules

    async def delete(self, access: Access, check_id: UUID) -> ErasedCheck | PendingApproval:
        """Erase the evidence of a check.

        Raises:
            Refusal: CHECK_NOT_FOUND, CHECK_NOT_DECIDED or EVIDENCE_ON_HOLD; INVALID_FIELD without a purpose.
        """
        access.require_purpose()
        check = await self.repository.get(check_id, access.tenant)
        if check is not None and check.state is CheckState.ERASED and check.erase_time is not None:
            return ErasedCheck(check.erase_time, await self._residues())
        check = await found_check(self.repository, check_id, tenant=access.tenant)
        event, approval = await self._deletion(access, check_id)
        try:
            removed = await self.retention.erase(check_id, access.now, event=event, approval=approval)
        except OnHold as error:
            raise _on_hold(error) from error
        if isinstance(removed, PendingApproval):
            return removed
        check_erased(check_id, part="check")
        await self._erase_objects(removed)
        return ErasedCheck(access.now, await self._residues())

    async def erase_subject(
        self, access: Access, subject: str, reason: ErasureReason
    ) -> ErasedSubject | PendingApproval:
        """Erase a person.

        Checks on hold stay, and so does the key of the person's pseudonym while there are any.

        Raises:
            Refusal: INVALID_FIELD without a subject reference or a purpose.
        """
        access.require_purpose()
        reference_field("subject_reference", subject, longest=_LONGEST_REFERENCE)
        event, approval = self._erasure(access, subject, reason)
        hashed = event.subject
        check_ids = await self.checks_of(access.tenant, subject)
        hashes = self.rules.device_hashes(access.tenant, subject)
        pseudonyms = self.rules.subject_hashes(access.tenant, subject)
        if approval is not None and (
            check_ids or await self.retention.knows_subject(access.tenant, hashes, pseudonyms)
        ):
            pending = await self.retention.confirmed(approval, access.now)
            if pending is not None:
                return pending
        forgotten = await self.retention.forget_devices(
            access.tenant,
            subject,
            access.now,
            hashes=hashes,
            check_ids=check_ids,
            event=access.event(AuditAction.DEVICES_FORGOTTEN, subject=hashed),
        )
        erased: list[UUID] = []
        held: list[UUID] = []
        for check_id in check_ids:
            check = await self.repository.get(check_id, access.tenant)
            if check is None:
                continue
            if check.state in OPEN_STATES:
                await self.completion.cancel(check_id, tenant=access.tenant, sandbox=False, now=access.now)
            of_check = access.event(AuditAction.EVIDENCE_DELETED, check_id=check_id, subject=hashed)
            try:
                removed = await self.retention.erase(check_id, access.now, event=of_check)
            except OnHold:
                held.append(check_id)
                continue
            if not isinstance(removed, PendingApproval):
                check_erased(check_id, part="check")
                await self._erase_objects(removed)
                erased.append(check_id)
        # Again, because a scan that this call ended may have left rows.
        forgotten += await self.retention.forget_subject(
            access.tenant,
            subject,
            access.now,
            hashes=hashes,
            check_ids=check_ids,
            event=access.event(
                AuditAction.SUBJECT_ERASED,
                subject=hashed,
                detail={"reason": reason.value, "checks": str(len(erased)), "held": str(len(held))},
            ),
            approvals=self._ended(event, subject, reason, erased=erased, held=bool(held)),
            forget_pseudonym=() if held else pseudonyms,
        )
        return ErasedSubject(
            erased_checks=len(erased),
            held=tuple(held[:_MOST_NAMED]),
            forgotten=forgotten,
            residues=await self._residues(),
        )

    def _ended(
        self,
        event: AuditEvent,
        subject: str,
        reason: ErasureReason,
        *,
        erased: Sequence[UUID],
        held: bool,
    ) -> tuple[ApprovalRequest, ...]:
        """Return the requests that end with the erasure of a person, also those that nobody confirmed."""
        requests = [
            *(self.rules.request(TwoPeople.DELETE, event, str(check_id)) for check_id in erased),
            *(
                self.rules.request(TwoPeople.ERASE, event, subject, one.value)
                for one in ErasureReason
                if one is reason or not held
            ),
        ]
        return tuple(request for request in requests if request is not None)

    async def checks_of(self, tenant: str, subject: str) -> tuple[UUID, ...]:
        """Return every check of a person that is not erased, oldest first."""
        terms = [reference_term("subject", subject, tenant_key=key) for key in self.rules.tenant_keys(tenant)]
        return await self.records.of_subject(tenant, terms, subject)

    async def place_hold(self, access: Access, check_id: UUID, *, reference: str, reason: str) -> StoredHold:
        """Place a hold; return the existing hold of the same reference, if there is one.

        Raises:
            Refusal: See ``found_check``; INVALID_FIELD.
        """
        text_field("reference", reference, longest=_LONGEST_HOLD)
        text_field("reason", reason, longest=_LONGEST_REASON)
        await found_check(self.repository, check_id, tenant=access.tenant)
        hold = StoredHold(
            reference=reference, reason=reason, placed_by=access.actor.name, place_time=access.now
        )
        event = access.event(
            AuditAction.HOLD_PLACED,
            check_id=check_id,
            subject=await self._subject(access, check_id),
            detail={"reference": reference, "reason": reason},
        )
        return await self.holds.place(check_id, hold, event=event)

    async def release_hold(self, access: Access, check_id: UUID, *, reference: str) -> int | PendingApproval:
        """Release a hold; return the number of holds that still keep the check.

        Raises:
            Refusal: See ``found_check``; HOLD_NOT_FOUND; INVALID_FIELD without a purpose.
        """
        access.require_purpose()
        text_field("reference", reference, longest=_LONGEST_HOLD)
        await found_check(self.repository, check_id, tenant=access.tenant)
        event, approval = await self._release(access, check_id, reference)
        try:
            return await self.holds.release(
                check_id, reference, event=event, now=access.now, approval=approval
            )
        except HoldNotFound as error:
            raise Refusal(
                Reason.HOLD_NOT_FOUND,
                "the check has no hold with this reference; GetEvidence lists its holds",
            ) from error

    async def withdraw_erasure(
        self, access: Access, subject: str, reason: ErasureReason
    ) -> PendingApproval | None:
        """Withdraw the request of ``erase_subject``; see ``withdraw_of_check``."""
        access.require_purpose()
        reference_field("subject_reference", subject, longest=_LONGEST_REFERENCE)
        return await self._withdraw(access, self._erasure(access, subject, reason)[1])

    async def withdraw_of_check(
        self, access: Access, check_id: UUID, *, hold_reference: str
    ) -> PendingApproval | None:
        """Withdraw a request that waits for a second person; return it, ``None`` if there is none.

        Args:
            hold_reference: That of the hold whose release was requested; empty for the request of ``delete``.

        Raises:
            Refusal: INVALID_FIELD, such as without a purpose.
        """
        access.require_purpose()
        text_field("hold_reference", hold_reference, longest=_LONGEST_HOLD, required=False)
        if hold_reference:
            _, approval = await self._release(access, check_id, hold_reference)
        else:
            _, approval = await self._deletion(access, check_id)
        return await self._withdraw(access, approval)

    async def _withdraw(self, access: Access, approval: ApprovalRequest | None) -> PendingApproval | None:
        return None if approval is None else await self.retention.withdraw(approval, access.now)

    async def _deletion(self, access: Access, check_id: UUID) -> tuple[AuditEvent, ApprovalRequest | None]:
        """Return the event of a deletion, and its request if it needs two people; the others do likewise."""
        subject = await self._subject(access, check_id)
        event = access.event(AuditAction.EVIDENCE_DELETED, check_id=check_id, subject=subject)
        return event, self.rules.request(TwoPeople.DELETE, event, str(check_id))

    def _erasure(
        self, access: Access, subject: str, reason: ErasureReason
    ) -> tuple[AuditEvent, ApprovalRequest | None]:
        hashed = self.rules.subject_hash(access.tenant, subject)
        event = access.event(AuditAction.SUBJECT_ERASED, subject=hashed, detail={"reason": reason.value})
        return event, self.rules.request(TwoPeople.ERASE, event, subject, reason.value)

    async def _release(
        self, access: Access, check_id: UUID, reference: str
    ) -> tuple[AuditEvent, ApprovalRequest | None]:
        subject = await self._subject(access, check_id)
        event = access.event(
            AuditAction.HOLD_RELEASED, check_id=check_id, subject=subject, detail={"reference": reference}
        )
        return event, self.rules.request(TwoPeople.RELEASE_HOLD, event, str(check_id), reference)

    async def _subject(self, access: Access, check_id: UUID) -> bytes | None:
        """See ``ApprovalRules.subject_of``."""
        stored = await self.records.find(check_id, access.tenant)
        return self.rules.subject_of(stored, vault=self.vault)

    async def _erase_objects(self, entries: Sequence[EvidenceEntry]) -> None:
        try:
            await self.store.erase(entries)
        except StorageUnavailable as error:
            # Their keys are destroyed already, and the sweep of orphans deletes them.
            _log.warning("erased_objects_left", objects=len(entries), exc_info=error)

    async def _residues(self) -> tuple[Residue, ...]:
        clean = await self.retention.forget_erased()
        return tuple(one for one in Residue if one is not Residue.DATABASE_LOG or not clean)


def _on_hold(error: OnHold) -> Refusal:
    return Refusal(
        Reason.EVIDENCE_ON_HOLD,
        f"the evidence of this check is on hold ({error.holds} in force); GetEvidence lists the holds, and "
        "ReleaseHold releases one",
        details={"holds": error.holds},
    )
