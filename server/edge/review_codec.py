"""Converts the messages of ReviewService, and what orchestrators learn of reviews."""

from datetime import datetime
from typing import Any, Final

from facegate.v1 import result_pb2, review_pb2
from facegate.v1 import review_service_pb2 as service_pb2

from server.base.errors import Reason, Refusal
from server.compliance.reviewing import ReviewPage
from server.domain.reviews import (
    ReviewCause,
    ReviewDecision,
    ReviewOutcome,
    ReviewReason,
    ReviewStanding,
    ReviewState,
)
from server.edge.evidence_codec import member
from server.edge.scan_codec import timestamp
from server.storage.reviews import StoredReview

_LARGEST_PAGE: Final = 200
_USUAL_PAGE: Final = 50


def review_page_size(request: service_pb2.ListReviewsRequest) -> int:
    """Returns the requested number of reviews on a page, or the usual one if the request states none.

    Raises:
        Refusal: It is too large (INVALID_FIELD).
    """
    if request.page_size > _LARGEST_PAGE:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"page_size is {request.page_size}; at most {_LARGEST_PAGE} are allowed",
            details={"field": "page_size", "value": request.page_size, "maxValue": _LARGEST_PAGE},
        )
    return request.page_size or _USUAL_PAGE


def state_of(request: service_pb2.ListReviewsRequest) -> ReviewState | None:
    """Returns the state that a list is of; ``None`` for those that are not over."""
    return member(ReviewState, review_pb2.ReviewState, request.state, "state", "REVIEW_STATE_")


def cause_of(request: service_pb2.ListReviewsRequest) -> ReviewCause | None:
    """Returns the cause that a list is of; ``None`` for all."""
    return member(ReviewCause, review_pb2.ReviewCause, request.cause, "cause", "REVIEW_CAUSE_")


def outcome_of(request: service_pb2.DecideReviewRequest) -> ReviewOutcome:
    """Returns what is decided.

    Raises:
        Refusal: It is not stated, or unknown (INVALID_FIELD).
    """
    found = member(ReviewOutcome, review_pb2.ReviewOutcome, request.outcome, "outcome", "REVIEW_OUTCOME_")
    return found or _missing("outcome", ReviewOutcome)


def reason_of(request: service_pb2.DecideReviewRequest) -> ReviewReason:
    """Returns why it is decided.

    Raises:
        Refusal: It is not stated, or unknown (INVALID_FIELD).
    """
    found = member(ReviewReason, review_pb2.ReviewReason, request.reason, "reason", "REVIEW_REASON_")
    return found or _missing("reason", ReviewReason)


def _missing(field: str, words: Any) -> Any:
    raise Refusal(
        Reason.INVALID_FIELD,
        f"{field} is not stated; it is one of {', '.join(words)}",
        details={"field": field},
    )


def page_of_reviews(page: ReviewPage, *, reader: str, now: datetime) -> service_pb2.ListReviewsResponse:
    """Returns the message for a page of reviews."""
    return service_pb2.ListReviewsResponse(
        reviews=[review_to_wire(stored, reader=reader, now=now) for stored in page.reviews],
        next_page_token=page.next_page_token,
    )


def review_to_wire(stored: StoredReview, *, reader: str, now: datetime) -> service_pb2.Review:
    """Returns a review as the message.

    Args:
        reader: Name of the caller, who does not see what others decided before the review is over.
    """
    review = stored.review
    standing = review.standing(now)
    message = service_pb2.Review(
        check_id=str(review.check_id),
        state=review_pb2.ReviewState.Value(f"REVIEW_STATE_{standing.state}"),
        causes=[review_pb2.ReviewCause.Value(f"REVIEW_CAUSE_{cause}") for cause in review.causes],
        create_time=timestamp(review.create_time),
        expire_time=timestamp(review.expire_time),
        decisions=[_decision(one, shown=standing.over or one.reviewer == reader) for one in review.decisions],
        outcome=_outcome(review.outcome),
        result_sha256=review.result_sha256,
        policy=stored.policy,
        status=result_pb2.CheckStatus.Value(f"CHECK_STATUS_{stored.status or 'UNSPECIFIED'}"),
        sandbox=review.sandbox,
        four_eyes=review.four_eyes,
    )
    holder = review.holder(now)
    if holder is not None and review.claim_expire_time is not None:
        message.claimed_by = holder
        message.claim_expire_time.CopyFrom(timestamp(review.claim_expire_time))
    return message


def standing_to_wire(standing: ReviewStanding, *, outcome: bool) -> review_pb2.CheckReview:
    """Returns what an orchestrator learns of a review.

    Args:
        outcome: Whether the caller may learn what was decided.
    """
    message = review_pb2.CheckReview(
        state=review_pb2.ReviewState.Value(f"REVIEW_STATE_{standing.state}"),
        expire_time=timestamp(standing.expire_time),
    )
    if outcome:
        message.outcome = _outcome(standing.outcome)
        message.review_jws = standing.jws
    return message


def _decision(decision: ReviewDecision, *, shown: bool) -> service_pb2.ReviewDecision:
    message = service_pb2.ReviewDecision(
        reviewer=decision.reviewer, decide_time=timestamp(decision.decide_time)
    )
    if shown:
        message.outcome = _outcome(decision.outcome)
        message.reason = review_pb2.ReviewReason.Value(f"REVIEW_REASON_{decision.reason}")
        message.comment = decision.comment
    return message


def _outcome(outcome: ReviewOutcome | None) -> "review_pb2.ReviewOutcome.ValueType":
    return review_pb2.ReviewOutcome.Value(f"REVIEW_OUTCOME_{outcome or 'UNSPECIFIED'}")
