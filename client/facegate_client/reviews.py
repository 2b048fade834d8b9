"""The calls of reviewers, and the offline verification of a signed review."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import grpc
from facegate.v1 import review_pb2, review_service_pb2, review_service_pb2_grpc

from facegate_client.channel import ApiKey
from facegate_client.errors import SandboxResultError, ServerNotTrustedError, translate_error
from facegate_client.result_signature import KeySet, verified_payload
from facegate_protocol import sha256

_CALL_SECONDS: Final = 5.0
_REVIEW_TYPE: Final = "facegate-review"
_RESULT_TYPE: Final = "facegate-result"
_VERSION: Final = 1

_Answer = TypeVar("_Answer")


class Reviews:
    """A client of ReviewService, on the service listener.

    Every method raises ``CallRefusedError`` if the server refuses, and ``ConnectionFailedError`` if it cannot
    be reached. No call is repeated.
    """

    def __init__(self, *, channel: grpc.aio.Channel, api_key: ApiKey | None = None) -> None:
        """Uses a channel.

        Args:
            channel: To the service listener; the caller closes it.
            api_key: Sent with each call; ``None`` with mutual TLS.
        """
        self._stub = review_service_pb2_grpc.ReviewServiceStub(channel)
        self._metadata = api_key.metadata if api_key else ()

    async def list_reviews(
        self, request: review_service_pb2.ListReviewsRequest
    ) -> review_service_pb2.ListReviewsResponse:
        """Returns a page of reviews, oldest first."""
        return await self._call(self._stub.ListReviews, request)

    async def all_reviews(
        self, request: review_service_pb2.ListReviewsRequest, *, most: int
    ) -> AsyncIterator[review_service_pb2.Review]:
        """Yields reviews, oldest first, at most ``most``, over as many pages as they take."""
        page = review_service_pb2.ListReviewsRequest()
        page.CopyFrom(request)
        left = most
        while left > 0:
            response = await self.list_reviews(page)
            for review in response.reviews[:left]:
                yield review
            left -= len(response.reviews)
            if not response.next_page_token:
                return
            page.page_token = response.next_page_token

    async def get_review(self, check_id: str) -> review_service_pb2.GetReviewResponse:
        """Returns the review of a check."""
        return await self._call(self._stub.GetReview, review_service_pb2.GetReviewRequest(check_id=check_id))

    async def claim_review(self, check_id: str) -> review_service_pb2.Review:
        """Claims a review, or claims it anew."""
        request = review_service_pb2.ClaimReviewRequest(check_id=check_id)
        return (await self._call(self._stub.ClaimReview, request)).review

    async def release_review(self, check_id: str) -> review_service_pb2.Review:
        """Gives a claimed review back."""
        request = review_service_pb2.ReleaseReviewRequest(check_id=check_id)
        return (await self._call(self._stub.ReleaseReview, request)).review

    async def decide_review(
        self,
        check_id: str,
        *,
        outcome: review_pb2.ReviewOutcome.ValueType,
        reason: review_pb2.ReviewReason.ValueType,
        comment: str = "",
    ) -> review_service_pb2.DecideReviewResponse:
        """Decides a claimed review; if the policy demands two people, the first decision waits."""
        request = review_service_pb2.DecideReviewRequest(
            check_id=check_id, outcome=outcome, reason=reason, comment=comment
        )
        return await self._call(self._stub.DecideReview, request)

    async def _call(self, method: Callable[..., Awaitable[_Answer]], request: object) -> _Answer:
        try:
            return await method(request, timeout=_CALL_SECONDS, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedReview:
    """A review whose signature holds.

    Attributes:
        check_id: The check.
        outcome: ``"ALLOW"``, ``"DENY"``, ``"ASK_AGAIN"`` or ``"ESCALATE"``.
        result_sha256: SHA-256 of the payload of the result that it is about, 32 bytes.
        content: The whole signed review.
    """

    check_id: str
    outcome: str
    result_sha256: bytes
    content: Mapping[str, Any] = field(repr=False)


def verify_review_jws(
    review_jws: str,
    keys: KeySet,
    *,
    result_jws: str | None = None,
    issuer: str | None = None,
    tenant: str | None = None,
    accept_sandbox: bool = False,
) -> VerifiedReview:
    """Verifies a signed review.

    Args:
        review_jws: ``review_jws`` of CheckReview, GetReviewResponse or DecideReviewResponse.
        keys: The server's published keys.
        result_jws: The result that the review must be about; ``None`` to compare ``result_sha256`` yourself.
        issuer: The expected issuer; ``None`` for any.
        tenant: The expected tenant; ``None`` for any.
        accept_sandbox: Whether reviews of sandbox checks are accepted: only in tests.

    Raises:
        ServerNotTrustedError: A signature is wrong, or the review is of another kind, version or result.
        SandboxResultError: The check is a sandbox check, and ``accept_sandbox`` is false.
    """
    payload = verified_payload(review_jws, keys, kind=_REVIEW_TYPE, issuer=issuer, tenant=tenant)
    try:
        content = json.loads(payload)
        if content["version"] != _VERSION:
            raise ServerNotTrustedError(f"the review has another version than {_VERSION}")
        review = VerifiedReview(
            check_id=str(content["check_id"]),
            outcome=str(content["outcome"]),
            result_sha256=bytes.fromhex(content["result_sha256"]),
            content=content,
        )
        sandbox = bool(content["sandbox"])
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise ServerNotTrustedError("the signed payload is not a review") from error
    if sandbox and not accept_sandbox:
        raise SandboxResultError(review.check_id)
    if result_jws is not None:
        result = verified_payload(result_jws, keys, kind=_RESULT_TYPE, issuer=issuer, tenant=tenant)
        if sha256(result) != review.result_sha256:
            raise ServerNotTrustedError("the review is about another result")
    return review
