"""Enrolled once, verified later: the evidence frame of a SUCCESS as the trusted image of later checks.

What is compared is a frame that was itself compared with a trusted image. Therefore the source must have
proved at least what the new check demands, and it must have been made from an image: a chain of frames would
drift from the person.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from uuid import UUID

import structlog

from device_integrity.camera import Platform
from server.base.errors import Reason, Refusal, invalid_field
from server.checks.refusals import check_not_found
from server.domain.reviews import ReviewOutcome
from server.domain.terms import OPEN_STATES, CheckState, CheckStatus, ImagePurpose, Mode
from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.policies import Policy
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.records import CheckRecord
from server.storage.repository import CheckRepository
from server.storage.reviews import ReviewRepository
from server.verdict.outcome import CheckOutcome, TrustedCheck
from server.verdict.record import EvidenceRecord, ImageFacts, RecordUnreadable

_FIELD = "trusted_check_id"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledFrame:
    """The evidence frame of an enrolled check.

    Attributes:
        image: Its bytes, as the device sent them.
        facts: How to turn it upright.
        source: The check, for the result.
    """

    image: bytes = field(repr=False)
    facts: ImageFacts
    source: TrustedCheck


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledFrames:
    """Opens the evidence frames of enrolled checks."""

    repository: CheckRepository
    records: EvidenceRecordRepository
    reviews: ReviewRepository
    vault: RecordVault
    evidence: EvidenceStore

    async def open(
        self,
        check_id: UUID,
        *,
        tenant: str,
        sandbox: bool,
        subject_reference: str,
        policy: Policy,
        mode: Mode,
        now: datetime,
    ) -> EnrolledFrame:
        """Return the frame of a check, if a new check may be made from it.

        Every fact is read from the sealed record, because columns of the database can be altered.

        Args:
            sandbox: Whether the new check is a sandbox check; the enrolled one must be the same.
            subject_reference: Of the new check.
            policy: Of the new check.
            mode: Of the new check.

        Raises:
            Refusal: CHECK_NOT_FOUND, INVALID_FIELD, TRUSTED_CHECK_NOT_SUCCESSFUL,
                TRUSTED_CHECK_NOT_ENROLLED, TRUSTED_CHECK_TOO_WEAK, TRUSTED_CHECK_ERASED or
                EVIDENCE_UNREADABLE.
            StorageUnavailable: A store does not answer.
        """
        check = await self.repository.get(check_id, tenant)
        if check is None or check.sandbox != sandbox:
            raise check_not_found()
        if check.state is CheckState.ERASED:
            raise trusted_check_erased()
        if check.state in OPEN_STATES:
            _expect_subject(check.subject_reference, subject_reference)
            raise _not_successful("is not decided yet")
        record = await self._record(check)
        outcome = record.outcome
        # 1. Both checks name the same person; who names another one learns nothing more of the source.
        _expect_subject(record.subject_reference, subject_reference)
        # 2. It succeeded, and people who reviewed it agree.
        if outcome.verdict.status is not CheckStatus.SUCCESS:
            raise _not_successful(f"is {outcome.verdict.status.value}")
        stored = await self.reviews.find(check_id, tenant)
        if stored is not None and stored.review.outcome is not ReviewOutcome.ALLOW:
            raise _not_successful("went to a review that has not allowed it")
        # 3. It is enrolled, and still is. A hold keeps the frame longer, but not its use.
        if outcome.enrolled_until is None or outcome.evidence_frame is None:
            raise _refused(
                Reason.TRUSTED_CHECK_NOT_ENROLLED,
                "the check trusted_check_id is not enrolled: its policy enrols none, or it was itself made "
                "from another check; send an image",
            )
        if now >= outcome.enrolled_until:
            raise _refused(
                Reason.TRUSTED_CHECK_NOT_ENROLLED,
                "the enrolment of the check trusted_check_id has ended; send an image",
            )
        # 4. It proved what the new check demands.
        _expect_strength(outcome, policy=policy, mode=mode)
        # 5. The frame that its result names is there.
        image, facts = await self._frame(check, record)
        return EnrolledFrame(image=image, facts=facts, source=_source(record, facts))

    async def _record(self, check: CheckRecord) -> EvidenceRecord:
        stored = await self.records.find(check.check_id)
        if stored is None:
            current = await self.repository.get(check.check_id)
            if current is None or current.state is CheckState.ERASED:
                raise trusted_check_erased()
            _log.error("evidence_problem", check_id=str(check.check_id), problem="LOST")
            raise _unreadable("LOST")
        try:
            return await asyncio.to_thread(self.vault.open, stored)
        except RecordUnreadable as error:
            raise _unreadable(error.problem) from error

    async def _frame(self, check: CheckRecord, record: EvidenceRecord) -> tuple[bytes, ImageFacts]:
        named = record.outcome.evidence_frame
        entries = await self.repository.evidence(check.check_id)
        kind = ImagePurpose.EVIDENCE_FRAME
        entry = next((one for one in entries if one.facts.purpose is kind and one.facts.mark == named), None)
        sealed = next((one for one in record.images if one.purpose is kind and one.mark == named), None)
        if entry is None or sealed is None:
            raise trusted_check_erased()
        held = await self.evidence.open(check, entry)
        if held.content is None:
            raise _unreadable(str(held.problem))
        return held.content, sealed


def trusted_check_erased() -> Refusal:
    """Return the refusal of a trusted check whose frame is erased."""
    return _refused(
        Reason.TRUSTED_CHECK_ERASED, "the check trusted_check_id, or its frame, is erased; send an image"
    )


def _expect_subject(own: str, given: str) -> None:
    if not given.strip() or own != given:
        raise invalid_field(
            "subject_reference",
            "subject_reference is not that of the check trusted_check_id; a check is enrolled for its own "
            "person only",
        )


def _expect_strength(outcome: CheckOutcome, *, policy: Policy, mode: Mode) -> None:
    """Test that an enrolled check proved at least what a new one demands.

    Otherwise a weak proof would count as a strong one: whoever passes the weaker policy once would be
    compared with himself ever after.
    """
    demands = policy.device.as_table()
    least = min(demands.least(platform).level for platform in Platform if demands.allows(platform))
    used = outcome.used_mode
    weaker = {
        "match": outcome.required_fmr > policy.match.max_fmr,
        "mode": used is None or used.strength < mode.strength,
        "device": outcome.device.assurance.level < least,
    }
    for demand, applies in weaker.items():
        if applies:
            raise _refused(
                Reason.TRUSTED_CHECK_TOO_WEAK,
                f"the check trusted_check_id proved less than the policy {policy.name} demands ({demand}); "
                "send an image",
                demand=demand,
            )


def _source(record: EvidenceRecord, frame: ImageFacts) -> TrustedCheck:
    outcome = record.outcome
    return TrustedCheck(
        check_id=outcome.check_id,
        decide_time=outcome.decide_time,
        policy_name=outcome.policy_name,
        policy_version=outcome.policy_version,
        policy_sha256=outcome.policy_sha256,
        policy_oid=outcome.policy_oid,
        evidence_frame_sha256=frame.sha256,
        trusted_image_sha256=record.portrait.sha256,
        result_sha256=sha256(record.result).digest(),
    )


def _not_successful(why: str) -> Refusal:
    return _refused(
        Reason.TRUSTED_CHECK_NOT_SUCCESSFUL,
        f"the check trusted_check_id {why}; name one that succeeded, or send an image",
    )


def _refused(reason: Reason, text: str, **details: str) -> Refusal:
    return Refusal(reason, text, details={"field": _FIELD, **details})


def _unreadable(problem: str) -> Refusal:
    return Refusal(
        Reason.EVIDENCE_UNREADABLE,
        "the record or the frame of the check trusted_check_id cannot be opened; send an image",
        details={"problem": problem},
    )
