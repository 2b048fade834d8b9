"""The calls of compliance: find, read, export, keep and erase evidence."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Final

import grpc
from facegate.v1 import audit_pb2, evidence_service_pb2, evidence_service_pb2_grpc

from facegate_client.channel import ApiKey
from facegate_client.errors import ServerNotTrustedError, translate_error
from facegate_protocol import sha256

_CALL_SECONDS: Final = 5.0
_IMAGE_SECONDS: Final = 10.0
_EXPORT_SECONDS: Final = 30.0
_ERASE_SECONDS: Final = 60.0
_SUBJECT_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True)
class ExportedImage:
    """An image of a check.

    Attributes:
        content: Its bytes, whose SHA-256 is that of the facts.
    """

    facts: evidence_service_pb2.EvidenceImageFacts
    content: bytes = field(repr=False)


class Compliance:
    """A client of EvidenceService, on the service listener.

    Every method raises ``CallRefusedError`` if the server refuses, and ``ConnectionFailedError`` if it cannot
    be reached. No call is repeated.
    """

    def __init__(self, *, channel: grpc.aio.Channel, api_key: ApiKey | None = None) -> None:
        """Uses a channel.

        Args:
            channel: To the service listener; the caller closes it.
            api_key: Sent with each call; ``None`` with mutual TLS.
        """
        self._stub = evidence_service_pb2_grpc.EvidenceServiceStub(channel)
        self._metadata = api_key.metadata if api_key else ()

    async def list_checks(
        self, request: evidence_service_pb2.ListChecksRequest, *, timeout_s: float = _CALL_SECONDS
    ) -> evidence_service_pb2.ListChecksResponse:
        """Returns a page of decided checks, newest first."""
        try:
            return await self._stub.ListChecks(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def all_checks(
        self, request: evidence_service_pb2.ListChecksRequest, *, most: int
    ) -> AsyncIterator[evidence_service_pb2.CheckSummary]:
        """Yields decided checks, newest first, at most ``most``, over as many pages as they take."""
        page = evidence_service_pb2.ListChecksRequest()
        page.CopyFrom(request)
        left = most
        while left > 0:
            response = await self.list_checks(page)
            for check in response.checks[:left]:
                yield check
            left -= len(response.checks)
            if not response.next_page_token:
                return
            page.page_token = response.next_page_token

    async def get_evidence(
        self, check_id: str, *, purpose: str = "", timeout_s: float = _CALL_SECONDS
    ) -> evidence_service_pb2.GetEvidenceResponse:
        """Returns the evidence record of a check."""
        request = evidence_service_pb2.GetEvidenceRequest(check_id=check_id, purpose=purpose)
        try:
            return await self._stub.GetEvidence(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def get_evidence_image(
        self, check_id: str, image_sha256: bytes, *, purpose: str, timeout_s: float = _IMAGE_SECONDS
    ) -> ExportedImage:
        """Returns an image of a check.

        Args:
            image_sha256: SHA-256 of the image, from ``get_evidence``.
            purpose: Why it is read; goes to the audit log.
            timeout_s: Deadline of the call, seconds.

        Raises:
            ServerNotTrustedError: The bytes have another SHA-256.
        """
        request = evidence_service_pb2.GetEvidenceImageRequest(
            check_id=check_id, sha256=image_sha256, purpose=purpose
        )
        facts = evidence_service_pb2.EvidenceImageFacts()
        content = bytearray()
        try:
            async for part in self._stub.GetEvidenceImage(
                request, timeout=timeout_s, metadata=self._metadata
            ):
                if part.HasField("facts"):
                    facts = part.facts
                else:
                    content += part.chunk
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error
        if sha256(bytes(content)) != image_sha256:
            raise ServerNotTrustedError("the image has another SHA-256 than requested; fetch it again")
        return ExportedImage(facts, bytes(content))

    async def export_evidence(
        self, check_id: str, *, purpose: str, timeout_s: float = _EXPORT_SECONDS
    ) -> AsyncIterator[bytes]:
        """Yields the parts of the archive of a check; ``verify_archive`` verifies the whole."""
        request = evidence_service_pb2.ExportEvidenceRequest(check_id=check_id, purpose=purpose)
        try:
            async for part in self._stub.ExportEvidence(request, timeout=timeout_s, metadata=self._metadata):
                yield part.chunk
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def export_subject(
        self, subject_reference: str, *, purpose: str, timeout_s: float = _SUBJECT_SECONDS
    ) -> AsyncIterator[bytes]:
        """Yields the parts of the archive of a person."""
        request = evidence_service_pb2.ExportSubjectRequest(
            subject_reference=subject_reference, purpose=purpose
        )
        try:
            async for part in self._stub.ExportSubject(request, timeout=timeout_s, metadata=self._metadata):
                yield part.chunk
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def delete_evidence(
        self, check_id: str, *, purpose: str, timeout_s: float = _IMAGE_SECONDS
    ) -> evidence_service_pb2.DeleteEvidenceResponse:
        """Erases the evidence of a check, or requests it if two people are needed."""
        request = evidence_service_pb2.DeleteEvidenceRequest(check_id=check_id, purpose=purpose)
        try:
            return await self._stub.DeleteEvidence(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def place_hold(
        self, check_id: str, *, reference: str, reason: str, timeout_s: float = _CALL_SECONDS
    ) -> evidence_service_pb2.Hold:
        """Places a hold on a check."""
        request = evidence_service_pb2.PlaceHoldRequest(check_id=check_id, reference=reference, reason=reason)
        try:
            response = await self._stub.PlaceHold(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error
        return response.hold

    async def release_hold(
        self, check_id: str, *, reference: str, purpose: str, timeout_s: float = _CALL_SECONDS
    ) -> evidence_service_pb2.ReleaseHoldResponse:
        """Releases a hold, or requests it if two people are needed."""
        request = evidence_service_pb2.ReleaseHoldRequest(
            check_id=check_id, reference=reference, purpose=purpose
        )
        try:
            return await self._stub.ReleaseHold(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def erase_subject(
        self,
        subject_reference: str,
        *,
        reason: evidence_service_pb2.ErasureReason.ValueType,
        purpose: str,
        timeout_s: float = _ERASE_SECONDS,
    ) -> evidence_service_pb2.EraseSubjectResponse:
        """Erases a person, or requests it if two people are needed. May be repeated after a failure."""
        request = evidence_service_pb2.EraseSubjectRequest(
            subject_reference=subject_reference, reason=reason, purpose=purpose
        )
        try:
            return await self._stub.EraseSubject(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

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
        timeout_s: float = _CALL_SECONDS,
    ) -> evidence_service_pb2.WithdrawApprovalResponse:
        """Withdraws a request that waits for a second person; ``approval`` is absent if none did."""
        request = evidence_service_pb2.WithdrawApprovalRequest(
            check_id=check_id,
            hold_reference=hold_reference,
            subject_reference=subject_reference,
            reason=reason,
            purpose=purpose,
        )
        try:
            return await self._stub.WithdrawApproval(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def list_audit_events(
        self, request: audit_pb2.ListAuditEventsRequest, *, timeout_s: float = _CALL_SECONDS
    ) -> audit_pb2.ListAuditEventsResponse:
        """Returns a page of entries of the audit log, newest first."""
        try:
            return await self._stub.ListAuditEvents(request, timeout=timeout_s, metadata=self._metadata)
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error

    async def export_audit_log(
        self, request: audit_pb2.ExportAuditLogRequest, *, timeout_s: float = _SUBJECT_SECONDS
    ) -> AsyncIterator[bytes]:
        """Yields the parts of an export of the audit log, which is not verified yet."""
        try:
            async for part in self._stub.ExportAuditLog(request, timeout=timeout_s, metadata=self._metadata):
                yield part.chunk
        except grpc.aio.AioRpcError as error:
            raise translate_error(error) from error
