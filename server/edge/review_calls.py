"""The calls of ReviewService: people review decided checks."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from facegate.v1 import review_pb2
from facegate.v1 import review_service_pb2 as service_pb2

from server.compliance.access import Access
from server.compliance.reviewing import Reviewing
from server.domain.reviews import (
    ReviewCause,
    ReviewDecision,
    ReviewOutcome,
    ReviewReason,
    ReviewStanding,
    ReviewState,
)
from server.edge.fields import check_id_of, demanded_member, message_of, page_size, stated_member
from server.storage.reviews import StoredReview


def standing_to_wire(standing: ReviewStanding, *, outcome: bool) -> review_pb2.CheckReview:
    """Return what an orchestrator learns of a review.

    Args:
        outcome: Whether the caller may learn what was decided.
    """
    only = None if outcome else ("state", "expire_time")
    return message_of(review_pb2.CheckReview, standing, only=only, review_jws=standing.jws)


def _decision(decision: ReviewDecision, *, shown: bool) -> service_pb2.ReviewDecision:
    only = None if shown else ("reviewer", "decide_time")
    return message_of(service_pb2.ReviewDecision, decision, only=only)


async def _list_reviews(
    reviewing: Reviewing, access: Access, request: service_pb2.ListReviewsRequest
) -> service_pb2.ListReviewsResponse:
    page = await reviewing.page(
        access,
        state=stated_member(ReviewState, review_pb2.ReviewState, request.state, "state"),
        cause=stated_member(ReviewCause, review_pb2.ReviewCause, request.cause, "cause"),
        sandbox=request.sandbox,
        size=page_size(request),
        page_token=request.page_token,
    )
    return service_pb2.ListReviewsResponse(
        reviews=[_wire(stored, access) for stored in page.entries], next_page_token=page.next_page_token
    )


async def _get_review(
    reviewing: Reviewing, access: Access, request: service_pb2.GetReviewRequest
) -> service_pb2.GetReviewResponse:
    stored = await reviewing.read(access, check_id_of(request.check_id))
    return service_pb2.GetReviewResponse(review=_wire(stored, access), review_jws=stored.review.jws)


async def _claim_review(
    reviewing: Reviewing, access: Access, request: service_pb2.ClaimReviewRequest
) -> service_pb2.ClaimReviewResponse:
    stored = await reviewing.claim(access, check_id_of(request.check_id))
    return service_pb2.ClaimReviewResponse(review=_wire(stored, access))


async def _release_review(
    reviewing: Reviewing, access: Access, request: service_pb2.ReleaseReviewRequest
) -> service_pb2.ReleaseReviewResponse:
    stored = await reviewing.release(access, check_id_of(request.check_id))
    return service_pb2.ReleaseReviewResponse(review=_wire(stored, access))


async def _decide_review(
    reviewing: Reviewing, access: Access, request: service_pb2.DecideReviewRequest
) -> service_pb2.DecideReviewResponse:
    stored = await reviewing.decide(
        access,
        check_id_of(request.check_id),
        outcome=demanded_member(ReviewOutcome, review_pb2.ReviewOutcome, request.outcome, "outcome"),
        reason=demanded_member(ReviewReason, review_pb2.ReviewReason, request.reason, "reason"),
        comment=request.comment,
    )
    return service_pb2.DecideReviewResponse(review=_wire(stored, access), review_jws=stored.review.jws)


def _wire(stored: StoredReview, access: Access) -> service_pb2.Review:
    """Return a review; the caller does not see what others decided before it is over."""
    review = stored.review
    standing = review.standing(access.now)
    holder = review.holder(access.now)
    return message_of(
        service_pb2.Review,
        review,
        state=standing.state,
        decisions=[
            _decision(one, shown=standing.over or one.reviewer == access.actor.name)
            for one in review.decisions
        ],
        policy=stored.policy,
        status=stored.status,
        claimed_by=holder,
        claim_expire_time=None if holder is None else review.claim_expire_time,
    )


REVIEW_CALLS: Final[Mapping[str, Callable[[Reviewing, Access, Any], Any]]] = {
    "ListReviews": _list_reviews,
    "GetReview": _get_review,
    "ClaimReview": _claim_review,
    "ReleaseReview": _release_review,
    "DecideReview": _decide_review,
}
"""What each call of ReviewService does; the contract describes it."""
