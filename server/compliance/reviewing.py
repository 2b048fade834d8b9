"""Reviews of decided checks: lists, claims, decides and signs them; see ``server.domain.reviews``."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

import structlog

from server.audit import AuditAction
from server.base.errors import Reason, Refusal
from server.base.page_tokens import Page, PageTokens
from server.compliance.access import Access, ApprovalRules, text_field
from server.domain.reviews import (
    CONTRADICTIONS,
    Review,
    ReviewCause,
    ReviewDecision,
    ReviewError,
    ReviewOutcome,
    ReviewReason,
    ReviewState,
    review_over,
)
from server.evidence.records import RecordVault
from server.keyring.result_signer import REVIEW_TYPE
from server.storage.audit import AuditLog
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.records import Place
from server.storage.reviews import ReviewRepository, StoredReview
from server.verdict.record import RecordUnreadable

REVIEW_VERSION: Final = 1
"""The version of the signed payload."""
_LONGEST_COMMENT: Final = 1024
_log = structlog.get_logger(__name__)


def review_payload(stored: StoredReview) -> bytes:
    """Return what is signed of a decided review: JSON in UTF-8, with sorted names; docs/console.md has it."""
    review = stored.review
    content = {
        "version": REVIEW_VERSION,
        "check_id": str(review.check_id),
        "tenant": review.tenant,
        "sandbox": review.sandbox,
        "policy": stored.policy,
        "result_sha256": review.result_sha256.hex(),
        "causes": [cause.value for cause in review.causes],
        "four_eyes": review.four_eyes,
        "create_time": _time(review.create_time),
        "outcome": None if review.outcome is None else review.outcome.value,
        "decisions": [
            {
                "reviewer": one.reviewer,
                "outcome": one.outcome.value,
                "reason": one.reason.value,
                "comment": one.comment,
                "decide_time": _time(one.decide_time),
            }
            for one in review.decisions
        ],
    }
    return json.dumps(content, ensure_ascii=False, sort_keys=True).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """The calls of reviewers. Every one has its entry in the audit log before it is answered.

    Attributes:
        vault: Opens the record whose result a review is about, and signs.
        rules: Makes the hashes of persons for the audit log.
    """

    reviews: ReviewRepository
    records: EvidenceRecordRepository
    vault: RecordVault
    log: AuditLog
    rules: ApprovalRules
    tokens: PageTokens

    async def page(
        self,
        access: Access,
        *,
        state: ReviewState | None,
        cause: ReviewCause | None,
        sandbox: bool,
        size: int,
        page_token: str,
    ) -> Page[StoredReview]:
        """Return a page, and log that it was read.

        Args:
            state: The state; ``None`` for those that are not over.
            cause: One of the causes; ``None`` for all.
            size: The maximum number of reviews, 1 or more.
            page_token: The token of the page; empty for the first.

        Raises:
            Refusal: The token is not one of this list (INVALID_FIELD).
        """
        sandbox = sandbox or access.sandbox
        bound = ["reviews", state or "", cause or "", str(sandbox)]
        after = self.tokens.open(page_token, Place.from_bytes, tenant=access.tenant, conditions=bound)
        found = await self.reviews.list(
            access.tenant,
            sandbox=sandbox,
            state=state,
            cause=cause,
            now=access.now,
            after=after,
            limit=size + 1,
        )
        page = self.tokens.page(
            found, size, place=lambda one: one.place.to_bytes(), tenant=access.tenant, conditions=bound
        )
        chosen = {"state": state, "cause": cause, "sandbox": "true" if sandbox else None}
        detail = {name: str(word) for name, word in chosen.items() if word}
        event = access.event(AuditAction.REVIEWS_LISTED, detail={**detail, "reviews": str(len(page.entries))})
        await self.log.append(event, now=access.now)
        return page

    async def read(self, access: Access, check_id: UUID) -> StoredReview:
        """Return the review of a check, and log that it was read.

        Raises:
            Refusal: REVIEW_NOT_FOUND.
        """
        stored = await self._found(access, check_id)
        event = access.event(
            AuditAction.REVIEW_READ, check_id=check_id, subject=await self._subject(access, stored)
        )
        await self.log.append(event, now=access.now)
        return stored

    async def claim(self, access: Access, check_id: UUID) -> StoredReview:
        """Claim a review.

        Raises:
            Refusal: REVIEW_NOT_FOUND, REVIEW_OVER, REVIEW_CLAIMED or REVIEW_CONFLICT.
        """
        return await self._step(
            access,
            check_id,
            AuditAction.REVIEW_CLAIMED,
            lambda review: review.claimed(access.actor.name, access.now),
        )

    async def release(self, access: Access, check_id: UUID) -> StoredReview:
        """Give a claimed review back.

        Raises:
            Refusal: REVIEW_NOT_FOUND, REVIEW_OVER or REVIEW_NOT_CLAIMED.
        """
        return await self._step(
            access,
            check_id,
            AuditAction.REVIEW_RELEASED,
            lambda review: review.released(access.actor.name, access.now),
        )

    async def decide(
        self, access: Access, check_id: UUID, *, outcome: ReviewOutcome, reason: ReviewReason, comment: str
    ) -> StoredReview:
        """Decide a claimed review, and sign it if that ends it.

        Raises:
            Refusal: REVIEW_NOT_FOUND, REVIEW_OVER or REVIEW_NOT_CLAIMED; INVALID_FIELD for the comment, or
                for a reason that contradicts the outcome; EVIDENCE_UNREADABLE if the result that the review
                is about cannot be read.
        """
        text_field("comment", comment, longest=_LONGEST_COMMENT, required=reason is ReviewReason.OTHER)
        if reason in CONTRADICTIONS.get(outcome, ()):
            raise Refusal(
                Reason.INVALID_FIELD,
                f"the reason {reason} contradicts the outcome {outcome}",
                details={"field": "reason"},
            )
        decision = ReviewDecision(
            reviewer=access.actor.name,
            outcome=outcome,
            reason=reason,
            comment=comment,
            decide_time=access.now,
        )
        return await self._step(
            access,
            check_id,
            AuditAction.REVIEW_DECIDED,
            lambda review: review.decided(decision),
            detail={"outcome": outcome.value, "reason": reason.value},
        )

    async def _step(
        self,
        access: Access,
        check_id: UUID,
        action: AuditAction,
        step: Callable[[Review], Review],
        detail: dict[str, str] | None = None,
    ) -> StoredReview:
        """Take a step; if somebody else was faster, on the review as they left it."""
        tried = None
        while True:
            before = await self._found(access, check_id)
            try:
                if before.review.revision == tried:
                    raise review_over(ReviewState.EXPIRED)  # Another server, whose clock is ahead, logged it.
                after = replace(before, review=step(before.review))
            except ReviewError as error:
                raise Refusal(Reason(error.reason), str(error), details=error.details) from error
            if after.review.outcome is not None:
                after = await self._signed(access, after)
            event = access.event(
                action,
                check_id=check_id,
                subject=await self._subject(access, before),
                detail={**(detail or {}), "state": after.review.state(access.now).value},
            )
            if await self.reviews.change(after.review, event=event, now=access.now):
                return after
            tried = before.review.revision

    async def _signed(self, access: Access, stored: StoredReview) -> StoredReview:
        review = stored.review
        record = await self.records.find(review.check_id, access.tenant)
        try:
            if record is None:
                raise _not_found()
            if sha256(self.vault.delivery(record).result).digest() != review.result_sha256:
                error = RecordUnreadable("the review names another result")
                _log.error("evidence_record_unreadable", check_id=str(review.check_id), exc_info=error)
                raise error
        except RecordUnreadable as error:
            raise Refusal(
                Reason.EVIDENCE_UNREADABLE,
                "the result that the review is about cannot be read, or is another one; restore the database "
                "or the keys from their backup",
                details={"problem": "ALTERED"},
            ) from error
        jws = self.vault.sign(
            review_payload(stored), tenant=access.tenant, sandbox=review.sandbox, kind=REVIEW_TYPE
        )
        return replace(stored, review=replace(review, jws=jws))

    async def _found(self, access: Access, check_id: UUID) -> StoredReview:
        stored = await self.reviews.find(check_id, access.tenant)
        if stored is None or (access.sandbox and not stored.review.sandbox):
            raise _not_found()
        return stored

    async def _subject(self, access: Access, stored: StoredReview) -> bytes | None:
        """See ``ApprovalRules.subject_of``."""
        record = await self.records.find(stored.review.check_id, access.tenant)
        return self.rules.subject_of(record, vault=self.vault)


def _not_found() -> Refusal:
    return Refusal(
        Reason.REVIEW_NOT_FOUND,
        "no check with this identifier has a review: its policy does not send it there, or it is erased",
    )


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
