"""ReviewService on the service listener: people review decided checks."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from facegate.v1 import review_service_pb2 as review_pb2
from grpc.aio import ServicerContext

from server.compliance.access import Access
from server.compliance.reviewing import Reviewing
from server.edge.callers import CallerIdentifier, actor_of
from server.edge.places import Places
from server.edge.result_codec import check_id_of
from server.edge.review_codec import (
    cause_of,
    outcome_of,
    page_of_reviews,
    reason_of,
    review_page_size,
    review_to_wire,
    state_of,
)
from server.edge.status import not_started, within_deadline
from server.storage.reviews import StoredReview

__all__ = ["ReviewEnvironment", "ReviewServicer"]

_MOST_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewEnvironment:
    """The dependencies of the calls."""

    reviewing: Reviewing
    now: Callable[[], datetime]


class ReviewServicer:
    """Serves the calls of ReviewService."""

    def __init__(self, *, callers: CallerIdentifier, calls: Places) -> None:
        """Creates a servicer that refuses every call until ``open`` is called."""
        self._callers = callers
        self._calls = calls
        self._env: ReviewEnvironment | None = None

    def open(self, env: ReviewEnvironment) -> None:
        """Starts to serve calls."""
        self._env = env

    async def ListReviews(  # noqa: N802 - the name is the contract's
        self,
        request: review_pb2.ListReviewsRequest,
        context: ServicerContext[Any, review_pb2.ListReviewsResponse],
    ) -> review_pb2.ListReviewsResponse:
        """Lists reviews; see the contract."""
        async with self._call(context) as (reviewing, access):
            page = await reviewing.page(
                access,
                state=state_of(request),
                cause=cause_of(request),
                sandbox=request.sandbox,
                size=review_page_size(request),
                page_token=request.page_token,
            )
        return page_of_reviews(page, reader=access.actor.name, now=access.now)

    async def GetReview(  # noqa: N802 - the name is the contract's
        self,
        request: review_pb2.GetReviewRequest,
        context: ServicerContext[Any, review_pb2.GetReviewResponse],
    ) -> review_pb2.GetReviewResponse:
        """Returns a review; see the contract."""
        async with self._call(context) as (reviewing, access):
            stored = await reviewing.read(access, check_id_of(request.check_id))
        return review_pb2.GetReviewResponse(review=_wire(stored, access), review_jws=stored.review.jws)

    async def ClaimReview(  # noqa: N802 - the name is the contract's
        self,
        request: review_pb2.ClaimReviewRequest,
        context: ServicerContext[Any, review_pb2.ClaimReviewResponse],
    ) -> review_pb2.ClaimReviewResponse:
        """Claims a review; see the contract."""
        async with self._call(context) as (reviewing, access):
            stored = await reviewing.claim(access, check_id_of(request.check_id))
        return review_pb2.ClaimReviewResponse(review=_wire(stored, access))

    async def ReleaseReview(  # noqa: N802 - the name is the contract's
        self,
        request: review_pb2.ReleaseReviewRequest,
        context: ServicerContext[Any, review_pb2.ReleaseReviewResponse],
    ) -> review_pb2.ReleaseReviewResponse:
        """Gives a review back; see the contract."""
        async with self._call(context) as (reviewing, access):
            stored = await reviewing.release(access, check_id_of(request.check_id))
        return review_pb2.ReleaseReviewResponse(review=_wire(stored, access))

    async def DecideReview(  # noqa: N802 - the name is the contract's
        self,
        request: review_pb2.DecideReviewRequest,
        context: ServicerContext[Any, review_pb2.DecideReviewResponse],
    ) -> review_pb2.DecideReviewResponse:
        """Decides a review; see the contract."""
        async with self._call(context) as (reviewing, access):
            stored = await reviewing.decide(
                access,
                check_id_of(request.check_id),
                outcome=outcome_of(request),
                reason=reason_of(request),
                comment=request.comment,
            )
        return review_pb2.DecideReviewResponse(review=_wire(stored, access), review_jws=stored.review.jws)

    @asynccontextmanager
    async def _call(self, context: ServicerContext[Any, Any]) -> AsyncIterator[tuple[Reviewing, Access]]:
        """Admits a call for as long as it has a place and time."""
        caller = self._callers.identify(context)
        env = self._env
        if env is None:
            raise not_started()
        access = Access(tenant=caller.tenant, actor=actor_of(caller, context), now=env.now())
        async with within_deadline(context, _MOST_SECONDS), self._calls.hold_place(caller.scope):
            yield env.reviewing, access


def _wire(stored: StoredReview, access: Access) -> review_pb2.Review:
    return review_to_wire(stored, reader=access.actor.name, now=access.now)
