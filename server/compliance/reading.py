"""Reads the evidence of one check: its record, its images, and its archive."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from server.audit import AuditAction
from server.base.errors import Reason, Refusal
from server.checks.refusals import check_not_found
from server.compliance.access import Access, ApprovalRules
from server.domain.terms import OPEN_STATES, CheckState
from server.evidence.archive import Export, evidence_archive
from server.evidence.records import RecordVault, contradictions
from server.evidence.store import EvidenceFault, EvidenceStore, HeldImage
from server.keyring.result_signer import ARCHIVE_TYPE, RECORD_TYPE
from server.storage.audit import AuditLog
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.holds import HoldRepository, StoredHold
from server.storage.records import CheckRecord, EvidenceEntry
from server.storage.repository import CheckRepository
from server.storage.reviews import ReviewRepository
from server.verdict.record import EvidenceRecord, ImageFacts, RecordUnreadable, record_to_bytes

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedEvidence:
    """The opened evidence of a check.

    Attributes:
        altered: The facts that differ between the record and the columns of lists; see
            ``server.evidence.records.contradictions``.
        erased: The images that retention erased earlier than the record.
    """

    check: CheckRecord
    record: EvidenceRecord
    holds: tuple[StoredHold, ...]
    record_json: bytes = field(repr=False)
    altered: tuple[str, ...] = ()
    erased: tuple[ImageFacts, ...] = ()


async def found_check(
    repository: CheckRepository, check_id: UUID, *, tenant: str, sandbox_only: bool = False
) -> CheckRecord:
    """Return a check of a tenant that is decided and not erased.

    Args:
        sandbox_only: Whether only a sandbox check is found.

    Raises:
        Refusal: CHECK_NOT_FOUND, CHECK_NOT_DECIDED or EVIDENCE_ERASED.
    """
    check = await repository.get(check_id, tenant)
    if check is None or (sandbox_only and not check.sandbox):
        raise check_not_found()
    if check.state in OPEN_STATES:
        raise Refusal(
            Reason.CHECK_NOT_DECIDED,
            "the check is not decided yet and has no evidence; ask again when it is",
            details={"state": check.state.value},
        )
    if check.state is CheckState.ERASED:
        raise Refusal(Reason.EVIDENCE_ERASED, "the evidence of this check is erased")
    return check


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceReading:
    """Reads evidence. Every read has its entry in the audit log before the data is returned.

    Attributes:
        rules: Makes the hashes of persons for the audit log.
        describe: Returns a serialised result as JSON; the edge provides it.
        jwks: Returns the public keys that verify signatures.
    """

    repository: CheckRepository
    records: EvidenceRecordRepository
    vault: RecordVault
    store: EvidenceStore
    holds: HoldRepository
    reviews: ReviewRepository
    log: AuditLog
    rules: ApprovalRules
    describe: Callable[[bytes], Mapping[str, Any]]
    jwks: Callable[[], Mapping[str, Any]]

    async def record(self, access: Access, check_id: UUID) -> tuple[OpenedEvidence, str]:
        """Return the evidence record of a check, and the same record, signed now.

        Raises:
            Refusal: See ``found_check``; EVIDENCE_RECORD_MISSING or EVIDENCE_UNREADABLE.
        """
        opened = await self._open(access, check_id)
        signed = self.vault.sign(
            opened.record_json, tenant=access.tenant, sandbox=opened.check.sandbox, kind=RECORD_TYPE
        )
        await self._logged(access, AuditAction.EVIDENCE_READ, opened)
        return opened, signed

    async def image(self, access: Access, check_id: UUID, sha256: bytes) -> tuple[ImageFacts, bytes]:
        """Return an image of a check.

        Args:
            access: The call, which states a purpose.

        Raises:
            Refusal: As ``record``; INVALID_FIELD without a purpose; EVIDENCE_IMAGE_NOT_FOUND;
                EVIDENCE_ERASED also if only the images are erased.
        """
        access.require_purpose()
        opened = await self._open(access, check_id)
        facts = next((image for image in opened.record.images if image.sha256 == sha256), None)
        if facts is None:
            raise Refusal(
                Reason.EVIDENCE_IMAGE_NOT_FOUND,
                "no image with this SHA-256 is kept of the check; GetEvidence lists those that are",
            )
        held = await self._held(opened.check, facts, await self.repository.evidence(check_id))
        if held.problem is EvidenceFault.ERASED:
            raise Refusal(
                Reason.EVIDENCE_ERASED,
                "the images of this check are erased because their retention has ended; its record is kept",
            )
        if held.content is None:
            problem = str(held.problem)
            raise _unreadable(f"the image cannot be read: {problem}", problem)
        detail = {"purpose_of_image": facts.purpose.value, "sha256": sha256.hex()}
        await self._logged(access, AuditAction.EVIDENCE_IMAGE_READ, opened, detail)
        return facts, held.content

    async def archive(self, access: Access, check_id: UUID) -> bytes:
        """Return the signed archive of a check.

        Raises:
            Refusal: As ``record``; INVALID_FIELD without a purpose.
        """
        access.require_purpose()
        opened = await self._open(access, check_id)
        entries = await self.repository.evidence(check_id)
        images = [await self._held(opened.check, facts, entries) for facts in opened.record.images]
        stored = await self.reviews.find(check_id, access.tenant)
        review = None if stored is None else stored.review
        await self._logged(access, AuditAction.EVIDENCE_EXPORTED, opened, {"images": str(len(images))})
        return await asyncio.to_thread(
            evidence_archive,
            opened.record,
            images=images,
            result=self.describe(opened.record.result),
            jwks=self.jwks(),
            export=Export(
                exported_by=access.actor.name,
                purpose=access.purpose,
                time=access.now,
                finish_time=opened.check.finish_time,
                holds=[hold.reference for hold in opened.holds],
                altered=opened.altered,
                review=review,
            ),
            sign=partial(
                self.vault.sign, tenant=access.tenant, sandbox=opened.check.sandbox, kind=ARCHIVE_TYPE
            ),
        )

    async def _open(self, access: Access, check_id: UUID) -> OpenedEvidence:
        check = await found_check(
            self.repository, check_id, tenant=access.tenant, sandbox_only=access.sandbox
        )
        stored = await self.records.find(check_id, access.tenant)
        if stored is None:
            raise Refusal(
                Reason.EVIDENCE_RECORD_MISSING,
                "the evidence record of the check is lost; look it up in a restored copy of a backup",
            )
        try:
            record = self.vault.open(stored)
        except RecordUnreadable as error:
            missing = error.problem == EvidenceFault.KEY_MISSING
            text = str(error) if missing else "the evidence record was altered"
            raise _unreadable(text, error.problem) from error
        return OpenedEvidence(
            check=check,
            record=record,
            holds=await self.holds.of_check(check_id),
            record_json=record_to_bytes(record),
            altered=await self._altered(check, record),
            erased=await self._erased(check, record),
        )

    async def _erased(self, check: CheckRecord, record: EvidenceRecord) -> tuple[ImageFacts, ...]:
        if check.images_erase_time is None:
            return ()
        # An enrolled frame outlives the others.
        entries = await self.repository.evidence(check.check_id)
        return tuple(facts for facts in record.images if _entry_of(facts, entries) is None)

    async def _altered(self, check: CheckRecord, record: EvidenceRecord) -> tuple[str, ...]:
        keys = self.rules.tenant_keys(check.tenant)
        altered: tuple[str, ...] = ()
        # Twice, because a hold may be placed, or the check be erased, while its rows are read.
        for _ in range(2):
            listed = await self.records.listed(check.check_id)
            altered = () if listed is None else contradictions(listed, record, tenant_keys=keys)
            if not altered:
                return ()
            await found_check(self.repository, check.check_id, tenant=check.tenant)
        _log.error("evidence_index_altered", check_id=str(check.check_id), facts=altered)
        return altered

    async def _held(
        self, check: CheckRecord, facts: ImageFacts, entries: tuple[EvidenceEntry, ...]
    ) -> HeldImage:
        entry = _entry_of(facts, entries)
        if entry is None:
            # Retention may have erased the images after the check was read.
            current = await self.repository.get(check.check_id)
            erased = current is not None and (
                current.state is CheckState.ERASED or current.images_erase_time is not None
            )
            return HeldImage(facts, None, EvidenceFault.ERASED if erased else EvidenceFault.LOST)
        return replace(await self.store.open(check, entry), facts=facts)

    async def _logged(
        self,
        access: Access,
        action: AuditAction,
        opened: OpenedEvidence,
        detail: Mapping[str, str] | None = None,
    ) -> None:
        event = access.event(
            action,
            check_id=opened.check.check_id,
            subject=self.rules.subject_hash(access.tenant, opened.record.subject_reference),
            detail={**(detail or {}), **({"altered": ",".join(opened.altered)} if opened.altered else {})},
        )
        await self.log.append(event, now=access.now)


def _entry_of(facts: ImageFacts, entries: tuple[EvidenceEntry, ...]) -> EvidenceEntry | None:
    return next(
        (one for one in entries if one.facts.sha256 == facts.sha256 and one.facts.purpose is facts.purpose),
        None,
    )


def _unreadable(message: str, problem: str) -> Refusal:
    return Refusal(
        Reason.EVIDENCE_UNREADABLE,
        f"{message}; restore the database, the objects or the keys from their backup",
        details={"problem": problem},
    )
