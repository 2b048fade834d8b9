"""Converts the messages of ReviewService, and what orchestrators learn of reviews."""

from datetime import datetime
from typing import Any

from facegate.v1 import review_pb2
from facegate.v1 import review_service_pb2 as service_pb2

from server.compliance.reviewing import ReviewPage
from server.domain.reviews import ReviewDecision, ReviewStanding
from server.edge.fields import message_of
from server.storage.reviews import StoredReview


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
    holder = review.holder(now)
    return message_of(
        service_pb2.Review,
        review,
        state=standing.state,
        decisions=[_decision(one, shown=standing.over or one.reviewer == reader) for one in review.decisions],
        policy=stored.policy,
        status=stored.status,
        claimed_by=holder,
        claim_expire_time=None if holder is None else review.claim_expire_time,
    )


def standing_to_wire(standing: ReviewStanding, *, outcome: bool) -> review_pb2.CheckReview:
    """Returns what an orchestrator learns of a review.

    Args:
        outcome: Whether the caller may learn what was decided.
    """
    shown: dict[str, Any] = {} if outcome else {"outcome": None}
    return message_of(review_pb2.CheckReview, standing, review_jws=standing.jws if outcome else None, **shown)


def _decision(decision: ReviewDecision, *, shown: bool) -> service_pb2.ReviewDecision:
    hidden = {} if shown else dict.fromkeys(("outcome", "reason", "comment"))
    return message_of(service_pb2.ReviewDecision, decision, **hidden)
