"""The calls of EvidenceService: find, read, keep and erase evidence for compliance."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from facegate.v1 import audit_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2

from server.audit import subject_hashes
from server.compliance.access import Access
from server.compliance.erasing import Erasure
from server.compliance.figures import CheckFigures
from server.compliance.listing import AuditListing, CheckListing
from server.compliance.reading import EvidenceReading
from server.compliance.subject_export import SubjectExport
from server.edge.evidence_codec import (
    approval_to_wire,
    audit_event_to_wire,
    audit_filter_of,
    erasure_reason,
    evidence_to_wire,
    facts_to_wire,
    figures_filter_of,
    figures_to_wire,
    filter_of,
    hold_to_wire,
    page_to_wire,
    residues_to_wire,
)
from server.edge.fields import check_id_of, page_size, stated_time, timestamp
from server.storage.approvals import PendingApproval

_CHUNK_BYTES: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEnvironment:
    """The dependencies of the calls."""

    listing: CheckListing
    figures: CheckFigures
    reading: EvidenceReading
    erasure: Erasure
    subjects: SubjectExport
    auditing: AuditListing
    tenant_keys: Callable[[str], tuple[bytes, ...]]
    now: Callable[[], datetime]


async def _list_checks(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.ListChecksRequest
) -> evidence_pb2.ListChecksResponse:
    page = await env.listing.page(
        access, filter_of(request), size=page_size(request), page_token=request.page_token
    )
    return page_to_wire(page)


async def _get_figures(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.GetFiguresRequest
) -> evidence_pb2.GetFiguresResponse:
    return figures_to_wire(await env.figures.days(access, figures_filter_of(request)))


async def _get_evidence(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.GetEvidenceRequest
) -> evidence_pb2.GetEvidenceResponse:
    opened, signed = await env.reading.record(access, check_id_of(request.check_id))
    return evidence_to_wire(opened, signed)


async def _get_image(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.GetEvidenceImageRequest
) -> AsyncIterator[evidence_pb2.GetEvidenceImageResponse]:
    facts, content = await env.reading.image(access, check_id_of(request.check_id), request.sha256)
    yield evidence_pb2.GetEvidenceImageResponse(facts=facts_to_wire(facts))
    for chunk in _chunks(content):
        yield evidence_pb2.GetEvidenceImageResponse(chunk=chunk)


async def _export_evidence(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.ExportEvidenceRequest
) -> AsyncIterator[evidence_pb2.ExportEvidenceResponse]:
    for chunk in _chunks(await env.reading.archive(access, check_id_of(request.check_id))):
        yield evidence_pb2.ExportEvidenceResponse(chunk=chunk)


async def _export_subject(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.ExportSubjectRequest
) -> AsyncIterator[evidence_pb2.ExportSubjectResponse]:
    async for part in env.subjects.archive(access, request.subject_reference):
        for chunk in _chunks(part):
            yield evidence_pb2.ExportSubjectResponse(chunk=chunk)


async def _delete_evidence(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.DeleteEvidenceRequest
) -> evidence_pb2.DeleteEvidenceResponse:
    erased = await env.erasure.delete(access, check_id_of(request.check_id))
    if isinstance(erased, PendingApproval):
        return evidence_pb2.DeleteEvidenceResponse(approval=approval_to_wire(erased))
    return evidence_pb2.DeleteEvidenceResponse(
        erase_time=timestamp(erased.erase_time), residues=residues_to_wire(erased.residues)
    )


async def _place_hold(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.PlaceHoldRequest
) -> evidence_pb2.PlaceHoldResponse:
    hold = await env.erasure.place_hold(
        access, check_id_of(request.check_id), reference=request.reference, reason=request.reason
    )
    return evidence_pb2.PlaceHoldResponse(hold=hold_to_wire(hold))


async def _release_hold(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.ReleaseHoldRequest
) -> evidence_pb2.ReleaseHoldResponse:
    left = await env.erasure.release_hold(access, check_id_of(request.check_id), reference=request.reference)
    if isinstance(left, PendingApproval):
        return evidence_pb2.ReleaseHoldResponse(approval=approval_to_wire(left))
    return evidence_pb2.ReleaseHoldResponse(remaining_holds=left)


async def _erase_subject(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.EraseSubjectRequest
) -> evidence_pb2.EraseSubjectResponse:
    erased = await env.erasure.erase_subject(access, request.subject_reference, erasure_reason(request))
    if isinstance(erased, PendingApproval):
        return evidence_pb2.EraseSubjectResponse(approval=approval_to_wire(erased))
    return evidence_pb2.EraseSubjectResponse(
        erased_checks=erased.erased_checks,
        held_check_ids=[str(check_id) for check_id in erased.held],
        forgotten_device_rows=erased.forgotten,
        residues=residues_to_wire(erased.residues),
    )


async def _withdraw_approval(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.WithdrawApprovalRequest
) -> evidence_pb2.WithdrawApprovalResponse:
    if request.subject_reference:
        reason = erasure_reason(request)
        withdrawn = await env.erasure.withdraw_erasure(access, request.subject_reference, reason)
    else:
        withdrawn = await env.erasure.withdraw_of_check(
            access, check_id_of(request.check_id), hold_reference=request.hold_reference
        )
    return evidence_pb2.WithdrawApprovalResponse(
        approval=None if withdrawn is None else approval_to_wire(withdrawn)
    )


async def _list_audit_events(
    env: EvidenceEnvironment, access: Access, request: audit_pb2.ListAuditEventsRequest
) -> audit_pb2.ListAuditEventsResponse:
    size = page_size(request, usual=100, most=1000)
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


async def _export_audit_log(
    env: EvidenceEnvironment, access: Access, request: audit_pb2.ExportAuditLogRequest
) -> AsyncIterator[audit_pb2.ExportAuditLogResponse]:
    part = bytearray()
    async for line in env.auditing.export(access, stated_time(request, "start_time")):
        part += line.encode("utf-8", "surrogatepass") + b"\n"
        if len(part) >= _CHUNK_BYTES:
            yield audit_pb2.ExportAuditLogResponse(chunk=bytes(part))
            part.clear()
    if part:
        yield audit_pb2.ExportAuditLogResponse(chunk=bytes(part))


def _chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), _CHUNK_BYTES):
        yield content[start : start + _CHUNK_BYTES]


EVIDENCE_CALLS: Final[Mapping[str, Callable[[EvidenceEnvironment, Access, Any], Any]]] = {
    "ListChecks": _list_checks,
    "GetFigures": _get_figures,
    "GetEvidence": _get_evidence,
    "GetEvidenceImage": _get_image,
    "ExportEvidence": _export_evidence,
    "ExportSubject": _export_subject,
    "DeleteEvidence": _delete_evidence,
    "PlaceHold": _place_hold,
    "ReleaseHold": _release_hold,
    "EraseSubject": _erase_subject,
    "WithdrawApproval": _withdraw_approval,
    "ListAuditEvents": _list_audit_events,
    "ExportAuditLog": _export_audit_log,
}
"""What each call of EvidenceService does; the contract describes it."""
