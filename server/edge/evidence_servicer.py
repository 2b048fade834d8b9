"""EvidenceService on the service listener: finds, reads, keeps and erases evidence for compliance."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from facegate.v1 import audit_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from grpc.aio import ServicerContext

from server.audit import subject_hashes
from server.compliance.access import Access
from server.compliance.erasing import Erasure
from server.compliance.listing import AuditListing, CheckListing
from server.compliance.reading import EvidenceReading
from server.compliance.subject_export import SubjectExport
from server.edge.callers import CallerIdentifier, actor_of
from server.edge.evidence_codec import (
    approval_to_wire,
    audit_event_to_wire,
    audit_filter_of,
    audit_page_size,
    erasure_reason,
    evidence_to_wire,
    facts_to_wire,
    filter_of,
    hold_to_wire,
    page_size,
    page_to_wire,
    residues_to_wire,
    start_time,
)
from server.edge.places import Places
from server.edge.result_codec import check_id_of
from server.edge.scan_codec import timestamp
from server.edge.status import not_started, within_deadline
from server.storage.approvals import PendingApproval

__all__ = ["EvidenceEnvironment", "EvidenceServicer"]

_CHUNK_BYTES: Final = 64 * 1024
_MOST_SECONDS: Final = 300.0


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEnvironment:
    """The dependencies of the calls."""

    listing: CheckListing
    reading: EvidenceReading
    erasure: Erasure
    subjects: SubjectExport
    auditing: AuditListing
    tenant_keys: Callable[[str], tuple[bytes, ...]]
    now: Callable[[], datetime]


class EvidenceServicer:
    """Serves the calls of EvidenceService."""

    def __init__(self, *, callers: CallerIdentifier, calls: Places) -> None:
        """Creates a servicer that refuses every call until ``open`` is called."""
        self._callers = callers
        self._calls = calls
        self._env: EvidenceEnvironment | None = None

    def open(self, env: EvidenceEnvironment) -> None:
        """Starts to serve calls."""
        self._env = env

    async def ListChecks(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.ListChecksRequest,
        context: ServicerContext[Any, evidence_pb2.ListChecksResponse],
    ) -> evidence_pb2.ListChecksResponse:
        """Lists decided checks; see the contract."""
        async with self._call(context) as (env, access):
            page = await env.listing.page(
                access, filter_of(request), size=page_size(request), page_token=request.page_token
            )
        return page_to_wire(page)

    async def GetEvidence(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.GetEvidenceRequest,
        context: ServicerContext[Any, evidence_pb2.GetEvidenceResponse],
    ) -> evidence_pb2.GetEvidenceResponse:
        """Returns an evidence record; see the contract."""
        async with self._call(context, request.purpose) as (env, access):
            opened, signed = await env.reading.record(access, check_id_of(request.check_id))
        return evidence_to_wire(opened, signed)

    async def GetEvidenceImage(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.GetEvidenceImageRequest,
        context: ServicerContext[Any, evidence_pb2.GetEvidenceImageResponse],
    ) -> None:
        """Streams an image; see the contract."""
        async with self._call(context, request.purpose) as (env, access):
            facts, content = await env.reading.image(access, check_id_of(request.check_id), request.sha256)
            await context.write(evidence_pb2.GetEvidenceImageResponse(facts=facts_to_wire(facts)))
            for chunk in _chunks(content):
                await context.write(evidence_pb2.GetEvidenceImageResponse(chunk=chunk))

    async def ExportEvidence(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.ExportEvidenceRequest,
        context: ServicerContext[Any, evidence_pb2.ExportEvidenceResponse],
    ) -> None:
        """Streams the archive of a check; see the contract."""
        async with self._call(context, request.purpose) as (env, access):
            archive = await env.reading.archive(access, check_id_of(request.check_id))
            for chunk in _chunks(archive):
                await context.write(evidence_pb2.ExportEvidenceResponse(chunk=chunk))

    async def ExportSubject(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.ExportSubjectRequest,
        context: ServicerContext[Any, evidence_pb2.ExportSubjectResponse],
    ) -> None:
        """Streams the data of a person; see the contract."""
        async with self._call(context, request.purpose) as (env, access):
            async for part in env.subjects.archive(access, request.subject_reference):
                for chunk in _chunks(part):
                    await context.write(evidence_pb2.ExportSubjectResponse(chunk=chunk))

    async def DeleteEvidence(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.DeleteEvidenceRequest,
        context: ServicerContext[Any, evidence_pb2.DeleteEvidenceResponse],
    ) -> evidence_pb2.DeleteEvidenceResponse:
        """Erases the evidence of a check; see the contract."""
        async with self._call(context, request.purpose) as (env, access):
            erased = await env.erasure.delete(access, check_id_of(request.check_id))
        if isinstance(erased, PendingApproval):
            return evidence_pb2.DeleteEvidenceResponse(approval=approval_to_wire(erased))
        return evidence_pb2.DeleteEvidenceResponse(
            erase_time=timestamp(erased.erase_time), residues=residues_to_wire(erased.residues)
        )

    async def PlaceHold(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.PlaceHoldRequest,
        context: ServicerContext[Any, evidence_pb2.PlaceHoldResponse],
    ) -> evidence_pb2.PlaceHoldResponse:
        """Places a hold; see the contract."""
        async with self._call(context) as (env, access):
            hold = await env.erasure.place_hold(
                access,
                check_id_of(request.check_id),
                reference=request.reference,
                reason=request.reason,
            )
        return evidence_pb2.PlaceHoldResponse(hold=hold_to_wire(hold))

    async def ReleaseHold(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.ReleaseHoldRequest,
        context: ServicerContext[Any, evidence_pb2.ReleaseHoldResponse],
    ) -> evidence_pb2.ReleaseHoldResponse:
        """Releases a hold; see the contract."""
        async with self._call(context, request.purpose) as (env, access):
            left = await env.erasure.release_hold(
                access, check_id_of(request.check_id), reference=request.reference
            )
        if isinstance(left, PendingApproval):
            return evidence_pb2.ReleaseHoldResponse(approval=approval_to_wire(left))
        return evidence_pb2.ReleaseHoldResponse(remaining_holds=left)

    async def EraseSubject(  # noqa: N802 - the name is the contract's
        self,
        request: evidence_pb2.EraseSubjectRequest,
        context: ServicerContext[Any, evidence_pb2.EraseSubjectResponse],
    ) -> evidence_pb2.EraseSubjectResponse:
        """Erases a person; see the contract."""
        async with self._call(context, request.purpose) as (env, access):
            erased = await env.erasure.erase_subject(
                access, request.subject_reference, erasure_reason(request)
            )
        if isinstance(erased, PendingApproval):
            return evidence_pb2.EraseSubjectResponse(approval=approval_to_wire(erased))
        return evidence_pb2.EraseSubjectResponse(
            erased_checks=erased.erased_checks,
            held_check_ids=[str(check_id) for check_id in erased.held],
            forgotten_device_rows=erased.forgotten,
            residues=residues_to_wire(erased.residues),
        )

    async def ListAuditEvents(  # noqa: N802 - the name is the contract's
        self,
        request: audit_pb2.ListAuditEventsRequest,
        context: ServicerContext[Any, audit_pb2.ListAuditEventsResponse],
    ) -> audit_pb2.ListAuditEventsResponse:
        """Lists entries of the audit log; see the contract."""
        async with self._call(context) as (env, access):
            size = audit_page_size(request)
            page = await env.auditing.page(
                access,
                audit_filter_of(request),
                subjects=subject_hashes(env.tenant_keys(access.tenant), request.subject_reference),
                size=size,
                page_token=request.page_token,
            )
        return audit_pb2.ListAuditEventsResponse(
            events=[audit_event_to_wire(entry) for entry in page.entries],
            next_page_token=page.next_page_token,
        )

    async def ExportAuditLog(  # noqa: N802 - the name is the contract's
        self,
        request: audit_pb2.ExportAuditLogRequest,
        context: ServicerContext[Any, audit_pb2.ExportAuditLogResponse],
    ) -> None:
        """Streams the audit log; see the contract."""
        async with self._call(context, request.purpose) as (env, access):
            part = bytearray()
            async for line in env.auditing.export(access, start_time(request)):
                part += line.encode("utf-8", "surrogatepass") + b"\n"
                if len(part) >= _CHUNK_BYTES:
                    await context.write(audit_pb2.ExportAuditLogResponse(chunk=bytes(part)))
                    part.clear()
            if part:
                await context.write(audit_pb2.ExportAuditLogResponse(chunk=bytes(part)))

    @asynccontextmanager
    async def _call(
        self, context: ServicerContext[Any, Any], purpose: str = ""
    ) -> AsyncIterator[tuple[EvidenceEnvironment, Access]]:
        """Admits a call for as long as it has a place and time."""
        caller = self._callers.identify(context)
        env = self._env
        if env is None:
            raise not_started()
        access = Access(tenant=caller.tenant, actor=actor_of(caller, context), now=env.now(), purpose=purpose)
        async with within_deadline(context, _MOST_SECONDS), self._calls.hold_place(caller.scope):
            yield env, access


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _CHUNK_BYTES):
        yield content[start : start + _CHUNK_BYTES]
