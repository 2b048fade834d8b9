"""The calls of EvidenceService: find, read, keep and erase evidence for compliance."""

import binascii
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from facegate.v1 import audit_pb2, result_pb2, review_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from google.protobuf import json_format

from liveness import AttackType
from server.audit import AuditEntry, subject_hashes
from server.base.errors import invalid_field
from server.compliance.access import Access
from server.compliance.erasing import Erasure, ErasureReason, Residue
from server.compliance.listing import (
    AuditListing,
    CheckFigures,
    CheckFilter,
    CheckListing,
    FiguresFilter,
    percentile,
)
from server.compliance.reading import EvidenceReading, OpenedEvidence
from server.compliance.subject_export import SubjectExport
from server.domain.terms import CheckStatus, FailureReason
from server.edge.fields import (
    check_id_of,
    demanded_member,
    message_of,
    number_of,
    page_size,
    stated_member,
    stated_time,
    timestamp,
)
from server.edge.result_codec import parse_result
from server.edge.scan_codec import rotation_to_wire
from server.storage.approvals import PendingApproval
from server.storage.audit_reader import AuditFilter
from server.storage.evidence_records import ListedCheck
from server.storage.figures import DayFigures
from server.verdict.record import ImageFacts

_RESIDUES: Final[Mapping[Residue, str]] = {
    Residue.DATABASE_BACKUPS: "Backups of the database hold the sealed record and its key until they are "
    "deleted; delete or re-encrypt them by your backup schedule.",
    Residue.OBJECT_COPIES: "Backups and former versions in the object store hold ciphertext whose key is "
    "destroyed here; a lifecycle rule of the store removes them.",
    Residue.DATABASE_LOG: "The log of the database still holds erased data because a reader, such as a "
    "backup, uses it; housekeeping cleans it afterwards.",
    Residue.DELIVERED_COPIES: "Results that the orchestrator received and archives that were exported are "
    "outside this service.",
}
_LONGEST_TEXT: Final = 256
_MOST_ACTIONS: Final = 16


def filter_of(request: evidence_pb2.ListChecksRequest) -> CheckFilter:
    """Return the conditions that a request of ListChecks sets.

    Raises:
        Refusal: An enum value is unknown, or a time is out of range (INVALID_FIELD).
    """
    return CheckFilter(
        since=stated_time(request, "decided_since"),
        before=stated_time(request, "decided_before"),
        subject_reference=request.subject_reference,
        consent_reference=request.consent_reference,
        status=stated_member(CheckStatus, result_pb2.CheckStatus, request.status, "status"),
        reason=stated_member(FailureReason, result_pb2.FailureReason, request.reason, "reason"),
        attack=stated_member(AttackType, result_pb2.AttackType, request.attack_type, "attack_type"),
        policy=request.policy,
        sign=request.device_sign,
        sandbox=request.sandbox if request.HasField("sandbox") else None,
        on_hold=request.on_hold,
    )


def _day(figures: DayFigures) -> evidence_pb2.FiguresOfDay:
    return message_of(
        evidence_pb2.FiguresOfDay,
        figures,
        successes=figures.statuses[CheckStatus.SUCCESS],
        failures=figures.statuses[CheckStatus.FAILURE],
        undecided=figures.statuses[CheckStatus.NOT_DECIDED],
        reasons=[
            evidence_pb2.ReasonCount(reason=number_of(result_pb2.FailureReason, reason), checks=number)
            for reason, number in figures.reasons.most_common()
        ],
        seconds_to_verdict_median=percentile(figures.seconds, 0.5),
        seconds_to_verdict_p90=percentile(figures.seconds, 0.9),
        reviews=[
            evidence_pb2.ReviewCount(
                status=number_of(result_pb2.CheckStatus, status),
                outcome=number_of(review_pb2.ReviewOutcome, outcome),
                checks=number,
                sampled=figures.sampled[status, outcome],
            )
            for (status, outcome), number in sorted(figures.reviews.items())
        ],
    )


def evidence_to_wire(opened: OpenedEvidence, signed: str) -> evidence_pb2.GetEvidenceResponse:
    """Return the message for an evidence record, and for the same record as a JWS."""
    record, check = opened.record, opened.check
    portrait, times = record.portrait, record.times
    return message_of(
        evidence_pb2.GetEvidenceResponse,
        opened,
        result=parse_result(record.result),
        result_jws=record.result_jws,
        images=[facts_to_wire(image, erased=image in opened.erased) for image in record.images],
        frames=[message_of(evidence_pb2.AttemptFrameHashes, frames) for frames in record.frames],
        trusted_image=message_of(evidence_pb2.TrustedImageFacts, portrait, kept=portrait.kept.name),
        times=message_of(
            evidence_pb2.EvidenceTimes,
            check,
            source=times.source,
            create_time=times.create,
            decide_time=times.decide,
            retain_until=check.retain_until or times.retain_until,
            images_retain_until=check.images_until,
        ),
        holds=[message_of(evidence_pb2.Hold, hold) for hold in opened.holds],
        record_jws=signed,
        record_version=record.version,
        altered_facts=opened.altered,
    )


def facts_to_wire(facts: ImageFacts, *, erased: bool = False) -> evidence_pb2.EvidenceImageFacts:
    """Return the facts of an image.

    Args:
        erased: Whether retention erased it earlier than the record.
    """
    return message_of(
        evidence_pb2.EvidenceImageFacts, facts, rotation=rotation_to_wire(facts.rotation), erased=erased
    )


def residues_to_wire(residues: tuple[Residue, ...]) -> list[evidence_pb2.Residue]:
    """Return what may still contain erased data."""
    return [
        evidence_pb2.Residue(
            kind=number_of(evidence_pb2.Residue.Kind, residue), description=_RESIDUES[residue]
        )
        for residue in residues
    ]


def erasure_reason(
    request: evidence_pb2.EraseSubjectRequest | evidence_pb2.WithdrawApprovalRequest,
) -> ErasureReason:
    """Return why a person is erased.

    Raises:
        Refusal: It is not stated, or unknown (INVALID_FIELD).
    """
    return demanded_member(ErasureReason, evidence_pb2.ErasureReason, request.reason, "reason")


def describe_result(result: bytes) -> dict[str, Any]:
    """Return a serialised result as JSON, for people."""
    return json_format.MessageToDict(parse_result(result), preserving_proto_field_name=True)


def _summary(line: ListedCheck) -> evidence_pb2.CheckSummary:
    attacks = line.words("attack")
    return message_of(
        evidence_pb2.CheckSummary,
        line,
        attack_type=attacks[0] if attacks else None,
        device_signs=line.words("sign"),
        policy=line.policy_name,
    )


def audit_filter_of(request: audit_pb2.ListAuditEventsRequest) -> AuditFilter:
    """Return the conditions that a request of ListAuditEvents sets, but for the person.

    Raises:
        Refusal: A text is too long, or a time or an identifier is malformed (INVALID_FIELD).
    """
    for field in ("action", "actor", "subject_reference"):
        if len(getattr(request, field)) > _LONGEST_TEXT:
            raise invalid_field(field, f"{field}: it has more than {_LONGEST_TEXT} characters")
    lengths = [len(action) for action in request.actions]
    if len(lengths) > _MOST_ACTIONS or not all(1 <= length <= _LONGEST_TEXT for length in lengths):
        raise invalid_field(
            "actions",
            f"actions: at most {_MOST_ACTIONS} entries of 1 to {_LONGEST_TEXT} characters are allowed",
        )
    return AuditFilter(
        since=stated_time(request, "start_time"),
        until=stated_time(request, "end_time"),
        actions=(*((request.action,) if request.action else ()), *request.actions),
        actor=request.actor or None,
        check_id=str(check_id_of(request.check_id)) if request.check_id else None,
    )


def audit_event_to_wire(entry: AuditEntry) -> audit_pb2.AuditEvent:
    """Return an entry as the message. Values of an altered row that the message cannot hold become empty."""
    return message_of(
        audit_pb2.AuditEvent,
        entry,
        sequence=max(0, entry.sequence),
        actor=audit_pb2.AuditActor(name=entry.actor, role=entry.role, address=entry.address),
        pseudonym=_unhexed(entry.pseudonym or ""),
        detail=dict(entry.details),
        hash=_unhexed(entry.hash),
    )


def _unhexed(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return b""


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


async def _list_checks(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.ListChecksRequest
) -> evidence_pb2.ListChecksResponse:
    page = await env.listing.page(
        access, filter_of(request), size=page_size(request), page_token=request.page_token
    )
    return evidence_pb2.ListChecksResponse(
        checks=[_summary(line) for line in page.entries], next_page_token=page.next_page_token
    )


async def _get_figures(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.GetFiguresRequest
) -> evidence_pb2.GetFiguresResponse:
    chosen = FiguresFilter(
        since=stated_time(request, "decided_since"),
        before=stated_time(request, "decided_before"),
        policy=request.policy,
        sandbox=request.sandbox if request.HasField("sandbox") else None,
    )
    days = await env.figures.days(access, chosen)
    return evidence_pb2.GetFiguresResponse(days=[_day(figures) for figures in days])


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
        return evidence_pb2.DeleteEvidenceResponse(approval=message_of(evidence_pb2.Approval, erased))
    return evidence_pb2.DeleteEvidenceResponse(
        erase_time=timestamp(erased.erase_time), residues=residues_to_wire(erased.residues)
    )


async def _place_hold(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.PlaceHoldRequest
) -> evidence_pb2.PlaceHoldResponse:
    hold = await env.erasure.place_hold(
        access, check_id_of(request.check_id), reference=request.reference, reason=request.reason
    )
    return evidence_pb2.PlaceHoldResponse(hold=message_of(evidence_pb2.Hold, hold))


async def _release_hold(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.ReleaseHoldRequest
) -> evidence_pb2.ReleaseHoldResponse:
    left = await env.erasure.release_hold(access, check_id_of(request.check_id), reference=request.reference)
    if isinstance(left, PendingApproval):
        return evidence_pb2.ReleaseHoldResponse(approval=message_of(evidence_pb2.Approval, left))
    return evidence_pb2.ReleaseHoldResponse(remaining_holds=left)


async def _erase_subject(
    env: EvidenceEnvironment, access: Access, request: evidence_pb2.EraseSubjectRequest
) -> evidence_pb2.EraseSubjectResponse:
    erased = await env.erasure.erase_subject(access, request.subject_reference, erasure_reason(request))
    if isinstance(erased, PendingApproval):
        return evidence_pb2.EraseSubjectResponse(approval=message_of(evidence_pb2.Approval, erased))
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
        approval=None if withdrawn is None else message_of(evidence_pb2.Approval, withdrawn)
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
