"""The calls of ReviewService: people review decided checks."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from facegate.v1 import review_pb2
from facegate.v1 import review_service_pb2 as service_pb2

from server.compliance.access import Access
from server.compliance.reviewing import Reviewing
from server.domain.reviews import ReviewCause, ReviewOutcome, ReviewReason, ReviewState
from server.edge.fields import check_id_of, demanded_member, page_size, stated_member
from server.edge.review_codec import page_of_reviews, review_to_wire
from server.storage.reviews import StoredReview


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEnvironment:
    """The dependencies of the calls."""

    reviewing: Reviewing
    now: Callable[[], datetime]


async def _list_reviews(
    env: ReviewEnvironment, access: Access, request: service_pb2.ListReviewsRequest
) -> service_pb2.ListReviewsResponse:
    page = await env.reviewing.page(
        access,
        state=stated_member(ReviewState, review_pb2.ReviewState, request.state, "state"),
        cause=stated_member(ReviewCause, review_pb2.ReviewCause, request.cause, "cause"),
        sandbox=request.sandbox,
        size=page_size(request),
        page_token=request.page_token,
    )
    return page_of_reviews(page, reader=access.actor.name, now=access.now)


async def _get_review(
    env: ReviewEnvironment, access: Access, request: service_pb2.GetReviewRequest
) -> service_pb2.GetReviewResponse:
    stored = await env.reviewing.read(access, check_id_of(request.check_id))
    return service_pb2.GetReviewResponse(review=_wire(stored, access), review_jws=stored.review.jws)


async def _claim_review(
    env: ReviewEnvironment, access: Access, request: service_pb2.ClaimReviewRequest
) -> service_pb2.ClaimReviewResponse:
    stored = await env.reviewing.claim(access, check_id_of(request.check_id))
    return service_pb2.ClaimReviewResponse(review=_wire(stored, access))


async def _release_review(
    env: ReviewEnvironment, access: Access, request: service_pb2.ReleaseReviewRequest
) -> service_pb2.ReleaseReviewResponse:
    stored = await env.reviewing.release(access, check_id_of(request.check_id))
    return service_pb2.ReleaseReviewResponse(review=_wire(stored, access))


async def _decide_review(
    env: ReviewEnvironment, access: Access, request: service_pb2.DecideReviewRequest
) -> service_pb2.DecideReviewResponse:
    stored = await env.reviewing.decide(
        access,
        check_id_of(request.check_id),
        outcome=demanded_member(ReviewOutcome, review_pb2.ReviewOutcome, request.outcome, "outcome"),
        reason=demanded_member(ReviewReason, review_pb2.ReviewReason, request.reason, "reason"),
        comment=request.comment,
    )
    return service_pb2.DecideReviewResponse(review=_wire(stored, access), review_jws=stored.review.jws)


def _wire(stored: StoredReview, access: Access) -> service_pb2.Review:
    return review_to_wire(stored, reader=access.actor.name, now=access.now)


REVIEW_CALLS: Final[Mapping[str, Callable[[ReviewEnvironment, Access, Any], Any]]] = {
    "ListReviews": _list_reviews,
    "GetReview": _get_review,
    "ClaimReview": _claim_review,
    "ReleaseReview": _release_review,
    "DecideReview": _decide_review,
}
"""What each call of ReviewService does; the contract describes it."""
