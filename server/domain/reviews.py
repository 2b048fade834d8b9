"""The review of a decided check by people: its states and steps. The module is pure; storage keeps reviews.

A review is claimed, released and decided. A claim lapses; a review that is not decided by its deadline
expires. If its policy demands two people, the first decision waits for a second person, and two that differ
escalate; a first decision to escalate needs nobody else.
"""

import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

_SAMPLE_DOMAIN: Final = b"facegate/v1/review-sample"
_SAMPLE_BYTES: Final = 8


class ReviewState(StrEnum):
    """The state of a review; the names are those of ``facegate.v1.ReviewState``."""

    OPEN = "OPEN"
    CLAIMED = "CLAIMED"
    AWAITING_SECOND = "AWAITING_SECOND"
    DECIDED = "DECIDED"
    EXPIRED = "EXPIRED"


class ReviewOutcome(StrEnum):
    """What people decided; the names are those of ``facegate.v1.ReviewOutcome``."""

    ALLOW = "ALLOW"
    DENY = "DENY"
    ASK_AGAIN = "ASK_AGAIN"
    ESCALATE = "ESCALATE"


class ReviewCause(StrEnum):
    """What sent a check to review; the names are those of ``facegate.v1.ReviewCause``."""

    DOUBT = "DOUBT"
    INCONCLUSIVE = "INCONCLUSIVE"
    DEVICE_SIGN = "DEVICE_SIGN"
    SAMPLE = "SAMPLE"
    REPEATED_FAILURES = "REPEATED_FAILURES"
    REQUESTED = "REQUESTED"


class ReviewReason(StrEnum):
    """Why a reviewer decided so; the names are those of ``facegate.v1.ReviewReason``."""

    SAME_PERSON = "SAME_PERSON"
    DIFFERENT_PERSON = "DIFFERENT_PERSON"
    ATTACK_SUSPECTED = "ATTACK_SUSPECTED"
    DEVICE_NOT_TRUSTED = "DEVICE_NOT_TRUSTED"
    DURESS_SUSPECTED = "DURESS_SUSPECTED"
    IMAGES_INSUFFICIENT = "IMAGES_INSUFFICIENT"
    OTHER = "OTHER"


CONTRADICTIONS: Final = {
    ReviewOutcome.ALLOW: frozenset(
        {ReviewReason.DIFFERENT_PERSON, ReviewReason.ATTACK_SUSPECTED, ReviewReason.DURESS_SUSPECTED}
    ),
    ReviewOutcome.DENY: frozenset({ReviewReason.SAME_PERSON}),
}
"""The reasons that contradict an outcome."""


class ReviewError(Exception):
    """A step that is not possible; the message says why.

    Attributes:
        reason: REVIEW_OVER, REVIEW_CLAIMED, REVIEW_NOT_CLAIMED or REVIEW_CONFLICT.
        details: The variables of the message.
    """

    def __init__(self, reason: str, message: str, **details: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.details = details


def review_over(state: ReviewState) -> ReviewError:
    """Return the error of a review that is decided or has expired."""
    return ReviewError("REVIEW_OVER", f"the review is over: it is {state.value.lower()}", state=state.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewDecision:
    """The decision of one reviewer.

    Attributes:
        comment: Further words of the reviewer; may be empty.
    """

    reviewer: str
    outcome: ReviewOutcome
    reason: ReviewReason
    comment: str = field(default="", repr=False)
    decide_time: datetime


@dataclass(frozen=True, slots=True)
class ReviewStanding:
    """What the orchestrator learns of a review.

    Attributes:
        outcome: What was decided; ``None`` before.
        jws: The decided review, signed; empty before.
    """

    state: ReviewState
    outcome: ReviewOutcome | None
    expire_time: datetime
    jws: str = field(repr=False)

    @property
    def over(self) -> bool:
        """Whether nothing changes the review any more."""
        return self.state in {ReviewState.DECIDED, ReviewState.EXPIRED}


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """The review of a check. Each step returns it as it is afterwards.

    Attributes:
        created_by: Name of the caller that created the check, who must not review it.
        result_sha256: SHA-256 of the serialised result, 32 bytes.
        causes: What sent the check to review.
        four_eyes: Whether two people must decide.
        claim_seconds: How long a claim lasts.
        expire_time: When it ends undecided.
        claimed_by: Name of the last caller that claimed it; ``None`` if the claim was used up or given back.
        claim_expire_time: When that claim lapses.
        outcome: What was decided; ``None`` before.
        jws: The decided review, signed; empty before.
        revision: Counts the steps, so that storage can tell whether it has changed.
    """

    check_id: UUID
    tenant: str
    sandbox: bool
    created_by: str
    result_sha256: bytes
    causes: tuple[ReviewCause, ...]
    four_eyes: bool
    claim_seconds: int
    create_time: datetime
    expire_time: datetime
    claimed_by: str | None = None
    claim_expire_time: datetime | None = None
    decisions: tuple[ReviewDecision, ...] = ()
    outcome: ReviewOutcome | None = None
    jws: str = field(default="", repr=False)
    revision: int = 0

    def state(self, now: datetime) -> ReviewState:
        """Return its state."""
        if self.outcome is not None:
            return ReviewState.DECIDED
        if now >= self.expire_time:
            return ReviewState.EXPIRED
        if self.holder(now) is not None:
            return ReviewState.CLAIMED
        return ReviewState.AWAITING_SECOND if self.decisions else ReviewState.OPEN

    def holder(self, now: datetime) -> str | None:
        """Return the name of the caller whose claim has not lapsed; ``None`` if there is none."""
        if self.outcome is not None or self.claim_expire_time is None:
            return None
        return self.claimed_by if now < min(self.claim_expire_time, self.expire_time) else None

    def standing(self, now: datetime) -> ReviewStanding:
        """Return what the orchestrator learns of it."""
        return ReviewStanding(self.state(now), self.outcome, self.expire_time, self.jws)

    def claimed(self, reviewer: str, now: datetime) -> "Review":
        """Claim it; by its holder, claim it anew.

        Raises:
            ReviewError: It is over, the reviewer created the check or has decided it already, or somebody
                else holds it.
        """
        self._expect_pending(now)
        if reviewer == self.created_by or any(one.reviewer == reviewer for one in self.decisions):
            raise ReviewError(
                "REVIEW_CONFLICT",
                "you created this check, or have decided its review already; another person must decide",
            )
        if self.holder(now) not in {None, reviewer} and self.claim_expire_time is not None:
            raise ReviewError(
                "REVIEW_CLAIMED",
                "somebody else holds the review; take another one, or wait until the claim lapses",
                claimExpireTime=self.claim_expire_time.isoformat(),
            )
        until = min(now + timedelta(seconds=self.claim_seconds), self.expire_time)
        return self._next(claimed_by=reviewer, claim_expire_time=until)

    def released(self, reviewer: str, now: datetime) -> "Review":
        """Give it back undecided.

        Raises:
            ReviewError: It is over, or the reviewer does not hold it: it was never claimed, or the claim
                lapsed.
        """
        self._expect_held(reviewer, now)
        return self._next(claimed_by=None, claim_expire_time=None)

    def decided(self, decision: ReviewDecision) -> "Review":
        """Add the decision of its holder, which ends it unless a second person must decide.

        Raises:
            ReviewError: It is over, or the reviewer does not hold it: it was never claimed, or the claim
                lapsed.
        """
        self._expect_held(decision.reviewer, decision.decide_time)
        decisions = (*self.decisions, decision)
        given = {one.outcome for one in decisions}
        outcome: ReviewOutcome | None = decision.outcome
        if self.four_eyes and outcome is not ReviewOutcome.ESCALATE:
            if len(decisions) == 1:
                outcome = None
            elif len(given) > 1:
                outcome = ReviewOutcome.ESCALATE
        return self._next(decisions=decisions, outcome=outcome, claimed_by=None, claim_expire_time=None)

    def _expect_pending(self, now: datetime) -> None:
        state = self.state(now)
        if state in {ReviewState.DECIDED, ReviewState.EXPIRED}:
            raise review_over(state)

    def _expect_held(self, reviewer: str, now: datetime) -> None:
        self._expect_pending(now)
        if self.holder(now) != reviewer:
            raise ReviewError(
                "REVIEW_NOT_CLAIMED",
                "you do not hold the review, or your claim has lapsed; claim it first",
            )

    def _next(self, **changes: object) -> "Review":
        return replace(self, revision=self.revision + 1, **changes)  # type: ignore[arg-type]  # its own fields


def in_sample(check_id: UUID, percent: float, *, tenant_key: bytes) -> bool:
    """Return whether a check is in the sample that is reviewed.

    A keyed hash of its identifier decides, so that only who has the key can tell beforehand, and can repeat
    it.
    """
    drawn = hmac.digest(tenant_key, _SAMPLE_DOMAIN + check_id.bytes, "sha256")[:_SAMPLE_BYTES]
    return int.from_bytes(drawn, "big") < percent / 100 * (1 << 8 * _SAMPLE_BYTES)
