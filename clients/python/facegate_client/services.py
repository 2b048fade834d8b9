"""The clients of people's services: compliance, reviews, and the watch over webhooks."""

from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

import grpc
from facegate.v1 import (
    audit_pb2,
    event_service_pb2,
    event_service_pb2_grpc,
    evidence_service_pb2,
    evidence_service_pb2_grpc,
    review_pb2,
    review_service_pb2,
    review_service_pb2_grpc,
)

from facegate_client.channel import ApiKey
from facegate_client.errors import ServerNotTrustedError, translate_error
from facegate_protocol import sha256

_CALL_SECONDS: Final = 5.0
_IMAGE_SECONDS: Final = 10.0
_EXPORT_SECONDS: Final = 30.0
_ERASE_SECONDS: Final = 60.0
_SUBJECT_SECONDS: Final = 300.0

_Answer = TypeVar("_Answer")
_Page = TypeVar(
    "_Page",
    evidence_service_pb2.ListChecksRequest,
    event_service_pb2.ListEventsRequest,
    review_service_pb2.ListReviewsRequest,
)


class _ServiceClient:
    """What the clients share. No call is repeated."""

    def __init__(self, api_key: ApiKey | None) -> None:
        self._metadata = api_key.metadata if api_key else ()

    async def _call(
        self, method: Callable[..., Awaitable[_Answer]], request: object, *, timeout_s: float = _CALL_SECONDS
    ) -> _Answer:
        try:
            return await method(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def _parts(
        self, method: Callable[..., AsyncIterable[_Answer]], request: object, *, timeout_s: float
    ) -> AsyncIterator[_Answer]:
        """Yield the messages of an answer in parts."""
        try:
            async for part in method(request, timeout=timeout_s, metadata=self._metadata):
                yield part
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def _listed(
        self, method: Callable[..., Awaitable[Any]], request: _Page, rows: str, *, most: int
    ) -> AsyncIterator[Any]:
        """Yield the rows of a list, at most ``most``, over as many pages as they take."""
        page = type(request)()
        page.CopyFrom(request)
        while most > 0:
            response = await self._call(method, page)
            found = getattr(response, rows)
            for row in found[:most]:
                yield row
            most -= len(found)
            if not response.next_page_token:
                return
            page.page_token = response.next_page_token


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """An image of a check.

    Attributes:
        content: Its bytes, whose SHA-256 is that of the facts.
    """

    facts: evidence_service_pb2.EvidenceImageFacts
    content: bytes = field(repr=False)


class Compliance(_ServiceClient):
    """A client of EvidenceService, on the service listener: find, read, export, keep and erase evidence.

    Every method raises ``CallRefusedError`` if the server refuses, and ``ConnectionFailedError`` if it cannot
    be reached. No call is repeated.
    """

    def __init__(self, *, channel: grpc.aio.Channel, api_key: ApiKey | None = None) -> None:
        """Use a channel.

        Args:
            channel: To the service listener; the caller closes it.
            api_key: Sent with each call; ``None`` with mutual TLS.
        """
        super().__init__(api_key)
        self._stub = evidence_service_pb2_grpc.EvidenceServiceStub(channel)

    async def list_checks(
        self, request: evidence_service_pb2.ListChecksRequest
    ) -> evidence_service_pb2.ListChecksResponse:
        """Return a page of decided checks, newest first."""
        return await self._call(self._stub.ListChecks, request)

    def all_checks(
        self, request: evidence_service_pb2.ListChecksRequest, *, most: int
    ) -> AsyncIterator[evidence_service_pb2.CheckSummary]:
        """Yield decided checks, newest first, at most ``most``, over as many pages as they take."""
        return self._listed(self._stub.ListChecks, request, "checks", most=most)

    async def get_evidence(
        self, check_id: str, *, purpose: str = ""
    ) -> evidence_service_pb2.GetEvidenceResponse:
        """Return the evidence record of a check."""
        request = evidence_service_pb2.GetEvidenceRequest(check_id=check_id, purpose=purpose)
        return await self._call(self._stub.GetEvidence, request)

    async def get_evidence_image(self, check_id: str, image_sha256: bytes, *, purpose: str) -> ExportedImage:
        """Return an image of a check.

        Args:
            image_sha256: SHA-256 of the image, from ``get_evidence``.
            purpose: Why it is read; goes to the audit log.

        Raises:
            ServerNotTrustedError: The bytes have another SHA-256.
        """
        request = evidence_service_pb2.GetEvidenceImageRequest(
            check_id=check_id, sha256=image_sha256, purpose=purpose
        )
        facts = evidence_service_pb2.EvidenceImageFacts()
        content = bytearray()
        async for part in self._parts(self._stub.GetEvidenceImage, request, timeout_s=_IMAGE_SECONDS):
            if part.HasField("facts"):
                facts = part.facts
            else:
                content += part.chunk
        if sha256(bytes(content)) != image_sha256:
            raise ServerNotTrustedError("the image has another SHA-256 than requested; fetch it again")
        return ExportedImage(facts, bytes(content))

    async def export_evidence(self, check_id: str, *, purpose: str) -> AsyncIterator[bytes]:
        """Yield the parts of the archive of a check; ``verify_archive`` verifies the whole."""
        request = evidence_service_pb2.ExportEvidenceRequest(check_id=check_id, purpose=purpose)
        async for part in self._parts(self._stub.ExportEvidence, request, timeout_s=_EXPORT_SECONDS):
            yield part.chunk

    async def export_subject(self, subject_reference: str, *, purpose: str) -> AsyncIterator[bytes]:
        """Yield the parts of the archive of a person."""
        request = evidence_service_pb2.ExportSubjectRequest(
            subject_reference=subject_reference, purpose=purpose
        )
        async for part in self._parts(self._stub.ExportSubject, request, timeout_s=_SUBJECT_SECONDS):
            yield part.chunk

    async def delete_evidence(
        self, check_id: str, *, purpose: str
    ) -> evidence_service_pb2.DeleteEvidenceResponse:
        """Erase the evidence of a check, or request it if two people are needed."""
        request = evidence_service_pb2.DeleteEvidenceRequest(check_id=check_id, purpose=purpose)
        return await self._call(self._stub.DeleteEvidence, request, timeout_s=_IMAGE_SECONDS)

    async def place_hold(self, check_id: str, *, reference: str, reason: str) -> evidence_service_pb2.Hold:
        """Place a hold on a check."""
        request = evidence_service_pb2.PlaceHoldRequest(check_id=check_id, reference=reference, reason=reason)
        return (await self._call(self._stub.PlaceHold, request)).hold

    async def release_hold(
        self, check_id: str, *, reference: str, purpose: str
    ) -> evidence_service_pb2.ReleaseHoldResponse:
        """Release a hold, or request it if two people are needed."""
        request = evidence_service_pb2.ReleaseHoldRequest(
            check_id=check_id, reference=reference, purpose=purpose
        )
        return await self._call(self._stub.ReleaseHold, request)

    async def erase_subject(
        self,
        subject_reference: str,
        *,
        reason: evidence_service_pb2.ErasureReason.ValueType,
        purpose: str,
    ) -> evidence_service_pb2.EraseSubjectResponse:
        """Erase a person, or request it if two people are needed. May be repeated after a failure."""
        request = evidence_service_pb2.EraseSubjectRequest(
            subject_reference=subject_reference, reason=reason, purpose=purpose
        )
        return await self._call(self._stub.EraseSubject, request, timeout_s=_ERASE_SECONDS)

    async def withdraw_approval(
        self,
        *,
        purpose: str,
        check_id: str = "",
        hold_reference: str = "",
        subject_reference: str = "",
        reason: evidence_service_pb2.ErasureReason.ValueType = (
            evidence_service_pb2.ERASURE_REASON_UNSPECIFIED
        ),
    ) -> evidence_service_pb2.WithdrawApprovalResponse:
        """Withdraw a request that waits for a second person; ``approval`` is absent if none did."""
        request = evidence_service_pb2.WithdrawApprovalRequest(
            check_id=check_id,
            hold_reference=hold_reference,
            subject_reference=subject_reference,
            reason=reason,
            purpose=purpose,
        )
        return await self._call(self._stub.WithdrawApproval, request)

    async def list_audit_events(
        self, request: audit_pb2.ListAuditEventsRequest
    ) -> audit_pb2.ListAuditEventsResponse:
        """Return a page of entries of the audit log, newest first."""
        return await self._call(self._stub.ListAuditEvents, request)

    async def export_audit_log(self, request: audit_pb2.ExportAuditLogRequest) -> AsyncIterator[bytes]:
        """Yield the parts of an export of the audit log, which is not verified yet."""
        async for part in self._parts(self._stub.ExportAuditLog, request, timeout_s=_SUBJECT_SECONDS):
            yield part.chunk


class Events(_ServiceClient):
    """A client of EventService, on the service listener, for those who watch over webhooks.

    Every method raises ``CallRefusedError`` if the server refuses, and ``ConnectionFailedError`` if it cannot
    be reached. No call is repeated.
    """

    def __init__(self, *, channel: grpc.aio.Channel, api_key: ApiKey | None = None) -> None:
        """Use a channel; see ``Compliance``."""
        super().__init__(api_key)
        self._stub = event_service_pb2_grpc.EventServiceStub(channel)

    def all_events(
        self, request: event_service_pb2.ListEventsRequest, *, most: int
    ) -> AsyncIterator[event_service_pb2.Event]:
        """Yield events, newest first, at most ``most``, over as many pages as they take."""
        return self._listed(self._stub.ListEvents, request, "events", most=most)

    async def replay(self, request: event_service_pb2.ReplayEventsRequest) -> int:
        """Make events due at once; return their number."""
        return (await self._call(self._stub.ReplayEvents, request)).events

    async def endpoints(self) -> Sequence[event_service_pb2.Endpoint]:
        """Return the endpoints of the tenant, by name."""
        request = event_service_pb2.ListEndpointsRequest()
        return (await self._call(self._stub.ListEndpoints, request)).endpoints


class Reviews(_ServiceClient):
    """A client of ReviewService, on the service listener.

    Every method raises ``CallRefusedError`` if the server refuses, and ``ConnectionFailedError`` if it cannot
    be reached. No call is repeated.
    """

    def __init__(self, *, channel: grpc.aio.Channel, api_key: ApiKey | None = None) -> None:
        """Use a channel; see ``Compliance``."""
        super().__init__(api_key)
        self._stub = review_service_pb2_grpc.ReviewServiceStub(channel)

    async def list_reviews(
        self, request: review_service_pb2.ListReviewsRequest
    ) -> review_service_pb2.ListReviewsResponse:
        """Return a page of reviews, oldest first."""
        return await self._call(self._stub.ListReviews, request)

    def all_reviews(
        self, request: review_service_pb2.ListReviewsRequest, *, most: int
    ) -> AsyncIterator[review_service_pb2.Review]:
        """Yield reviews, oldest first, at most ``most``, over as many pages as they take."""
        return self._listed(self._stub.ListReviews, request, "reviews", most=most)

    async def get_review(self, check_id: str) -> review_service_pb2.GetReviewResponse:
        """Return the review of a check."""
        return await self._call(self._stub.GetReview, review_service_pb2.GetReviewRequest(check_id=check_id))

    async def claim_review(self, check_id: str) -> review_service_pb2.Review:
        """Claim a review, or claim it anew."""
        request = review_service_pb2.ClaimReviewRequest(check_id=check_id)
        return (await self._call(self._stub.ClaimReview, request)).review

    async def release_review(self, check_id: str) -> review_service_pb2.Review:
        """Give a claimed review back."""
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
        """Decide a claimed review; if the policy demands two people, the first decision waits."""
        request = review_service_pb2.DecideReviewRequest(
            check_id=check_id, outcome=outcome, reason=reason, comment=comment
        )
        return await self._call(self._stub.DecideReview, request)
