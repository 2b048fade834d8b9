"""Decides which decided checks people review, and finds what orchestrators learn of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final

from server.domain.reviews import Review, ReviewCause, ReviewStanding, in_sample
from server.domain.terms import OPEN_STATES, CheckStatus, FailureReason, pair_terms, reference_term
from server.policies import Policy
from server.policies.schema import ReviewRules
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.records import CheckRecord
from server.storage.reviews import ReviewRepository
from server.verdict.outcome import CheckOutcome

_NO_FAILURE: Final = frozenset(
    {FailureReason.ABANDONED, FailureReason.CANCELLED, FailureReason.EXPIRED, FailureReason.CONDITIONS}
)
"""Reasons that state nothing about the person."""
_ANY_RULES: Final = ReviewRules(sample_percent=100.0)
"""The rules of a review that is requested under a policy without any; only their times matter."""
_READ: Final = 500
"""Failed checks of a person that are read at most, to find those that count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewSelection:
    """Begins reviews.

    Attributes:
        records: Finds the earlier failures of a person.
        tenant_keys: Returns the keys that a tenant has and had, newest first, under which references are
            hashed and the sample is drawn.
    """

    records: EvidenceRecordRepository
    tenant_keys: Callable[[str], tuple[bytes, ...]]

    async def begin(
        self,
        record: CheckRecord,
        outcome: CheckOutcome,
        *,
        policy: Policy,
        doubted: bool,
        until: datetime,
        result: bytes,
    ) -> Review | None:
        """Return the review that begins with a decision; ``None`` if the policy sends the check to none.

        Args:
            doubted: Whether an attempt raised a doubt about the person.
            until: When the images of the check are to be erased.
            result: The serialised result.
        """
        rules = policy.review
        if outcome.requested_outcome:
            # Nothing but the request decides it, so that a test has one outcome.
            wanted = record.requested_outcome is not None and record.requested_outcome.review
            rules = (rules or _ANY_RULES) if wanted else None
        if rules is None:
            return None
        success = outcome.verdict.status is CheckStatus.SUCCESS
        signs = any(sign.suspected for sign in outcome.device.signs)
        causes = {
            ReviewCause.DOUBT: rules.doubt and success and doubted,
            ReviewCause.INCONCLUSIVE: rules.inconclusive
            and FailureReason.LIVENESS_INCONCLUSIVE in outcome.verdict.reasons,
            ReviewCause.DEVICE_SIGN: rules.device_signs and success and signs,
            ReviewCause.SAMPLE: success
            and in_sample(
                record.check_id, rules.sample_percent, tenant_key=self.tenant_keys(record.tenant)[0]
            ),
            ReviewCause.REPEATED_FAILURES: rules.failures is not None
            and _counts(outcome.verdict.status, outcome.verdict.reasons)
            and await self._earlier_failures(record, outcome.decide_time, days=rules.failures_days)
            >= rules.failures - 1,
        }
        given = tuple(cause for cause, applies in causes.items() if applies)
        if outcome.requested_outcome:
            given = (ReviewCause.REQUESTED,)
        if not given:
            return None
        return Review(
            check_id=record.check_id,
            tenant=record.tenant,
            sandbox=record.sandbox,
            created_by=record.created_by,
            result_sha256=sha256(result).digest(),
            causes=given,
            four_eyes=rules.four_eyes,
            claim_seconds=rules.claim_minutes * 60,
            create_time=outcome.decide_time,
            expire_time=min(outcome.decide_time + timedelta(hours=rules.deadline_hours), until),
        )

    async def _earlier_failures(self, record: CheckRecord, now: datetime, *, days: int) -> int:
        # Read before the transaction of the decision: of two that are decided at once, neither may count the
        # other. No verdict depends on it, and the next failure counts both.
        if not record.subject_reference:
            return 0
        person = tuple(
            reference_term("subject", record.subject_reference, tenant_key=key)
            for key in self.tenant_keys(record.tenant)
        )
        failed = pair_terms([("status", CheckStatus.FAILURE), ("sandbox", "yes" if record.sandbox else "no")])
        found = await self.records.list(
            record.tenant, (person, failed), since=now - timedelta(days=days), limit=_READ
        )
        return sum(_counts(check.status, check.reasons or ()) for check in found)


async def review_standing(
    reviews: ReviewRepository, record: CheckRecord, *, policy: Policy, now: datetime
) -> ReviewStanding | None:
    """Return what the orchestrator learns of the review of a check; ``None`` if it has none."""
    reviewed = policy.review is not None or record.requested_outcome is not None
    if not reviewed or record.state in OPEN_STATES:
        return None
    stored = await reviews.find(record.check_id, record.tenant)
    return None if stored is None else stored.review.standing(now)


def _counts(status: CheckStatus | None, reasons: tuple[FailureReason, ...]) -> bool:
    return status is CheckStatus.FAILURE and not _NO_FAILURE.issuperset(reasons)
