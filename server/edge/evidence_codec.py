"""Converts the messages of EvidenceService."""

import binascii
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, TypeVar
from uuid import UUID

from facegate.v1 import audit_pb2, result_pb2, review_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from google.protobuf import json_format
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from liveness import AttackType
from server.audit import AuditEntry
from server.base.errors import Reason, Refusal
from server.compliance.erasing import ErasureReason, Residue
from server.compliance.figures import FiguresFilter, percentile
from server.compliance.listing import CheckFilter, CheckPage
from server.compliance.reading import OpenedEvidence
from server.domain.terms import CheckStatus, FailureReason
from server.edge.result_codec import parse_result, rotation_to_wire
from server.edge.scan_codec import timestamp
from server.storage.approvals import PendingApproval
from server.storage.audit_reader import AuditFilter
from server.storage.evidence_records import ListedCheck
from server.storage.figures import DayFigures
from server.storage.holds import StoredHold
from server.verdict.record import ImageFacts

_Member = TypeVar("_Member", bound=StrEnum)

_LARGEST_PAGE: Final = 200
_USUAL_PAGE: Final = 50
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
_USUAL_AUDIT_PAGE: Final = 100
_LARGEST_AUDIT_PAGE: Final = 1000
_LONGEST_TEXT: Final = 256
_MOST_ACTIONS: Final = 16


def page_size(request: evidence_pb2.ListChecksRequest) -> int:
    """Returns the requested number of checks on a page, or the usual one if the request states none.

    Raises:
        Refusal: It is too large (INVALID_FIELD).
    """
    if request.page_size > _LARGEST_PAGE:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"page_size is {request.page_size}; at most {_LARGEST_PAGE} are allowed",
            details={"field": "page_size", "value": request.page_size, "maxValue": _LARGEST_PAGE},
        )
    return request.page_size or _USUAL_PAGE


def filter_of(request: evidence_pb2.ListChecksRequest) -> CheckFilter:
    """Returns the conditions that a request of ListChecks sets.

    Raises:
        Refusal: An enum value is unknown, or a time is out of range (INVALID_FIELD).
    """
    return CheckFilter(
        since=moment(request, "decided_since"),
        before=moment(request, "decided_before"),
        subject_reference=request.subject_reference,
        consent_reference=request.consent_reference,
        status=member(CheckStatus, result_pb2.CheckStatus, request.status, "status", "CHECK_STATUS_"),
        reason=member(FailureReason, result_pb2.FailureReason, request.reason, "reason", "FAILURE_REASON_"),
        attack=member(AttackType, result_pb2.AttackType, request.attack_type, "attack_type", "ATTACK_TYPE_"),
        policy=request.policy,
        sign=request.device_sign,
        sandbox=request.sandbox if request.HasField("sandbox") else None,
        on_hold=request.on_hold,
    )


def page_to_wire(page: CheckPage) -> evidence_pb2.ListChecksResponse:
    """Returns the message for a page of checks."""
    return evidence_pb2.ListChecksResponse(
        checks=[_summary(line) for line in page.checks], next_page_token=page.next_page_token
    )


def figures_filter_of(request: evidence_pb2.GetFiguresRequest) -> FiguresFilter:
    """Returns the conditions that a request of GetFigures sets.

    Raises:
        Refusal: A time is out of range (INVALID_FIELD).
    """
    return FiguresFilter(
        since=moment(request, "decided_since"),
        before=moment(request, "decided_before"),
        policy=request.policy,
        sandbox=request.sandbox if request.HasField("sandbox") else None,
    )


def figures_to_wire(days: tuple[DayFigures, ...]) -> evidence_pb2.GetFiguresResponse:
    """Returns the message for figures by day and policy."""
    return evidence_pb2.GetFiguresResponse(days=[_day(figures) for figures in days])


def _day(figures: DayFigures) -> evidence_pb2.FiguresOfDay:
    return evidence_pb2.FiguresOfDay(
        day=figures.day.isoformat(),
        policy=figures.policy,
        successes=figures.statuses[CheckStatus.SUCCESS],
        failures=figures.statuses[CheckStatus.FAILURE],
        undecided=figures.statuses[CheckStatus.NOT_DECIDED],
        reasons=[
            evidence_pb2.ReasonCount(
                reason=result_pb2.FailureReason.Value(f"FAILURE_REASON_{reason}"), checks=number
            )
            for reason, number in figures.reasons.most_common()
        ],
        seconds_to_verdict_median=percentile(figures.seconds, 0.5),
        seconds_to_verdict_p90=percentile(figures.seconds, 0.9),
        reviews=[
            evidence_pb2.ReviewCount(
                status=result_pb2.CheckStatus.Value(f"CHECK_STATUS_{status}"),
                outcome=review_pb2.ReviewOutcome.Value(f"REVIEW_OUTCOME_{outcome}"),
                checks=number,
                sampled=figures.sampled[status, outcome],
            )
            for (status, outcome), number in sorted(figures.reviews.items())
        ],
        reviews_open=figures.reviews_open,
        reviews_expired=figures.reviews_expired,
    )


def evidence_to_wire(opened: OpenedEvidence, signed: str) -> evidence_pb2.GetEvidenceResponse:
    """Returns the message for an evidence record, and for the same record as a JWS."""
    record, check = opened.record, opened.check
    response = evidence_pb2.GetEvidenceResponse(
        result=parse_result(record.result),
        result_jws=record.result_jws,
        images=[facts_to_wire(image, erased=image in opened.erased) for image in record.images],
        frames=[
            evidence_pb2.AttemptFrameHashes(attempt=one.attempt, sha256=one.sha256, complete=one.complete)
            for one in record.frames
        ],
        trusted_image=evidence_pb2.TrustedImageFacts(
            kept=evidence_pb2.TrustedImageFacts.Kept.Value(f"KEPT_{record.portrait.kept.name}"),
            sha256=record.portrait.sha256,
        ),
        times=evidence_pb2.EvidenceTimes(
            source=record.times.source,
            create_time=timestamp(record.times.create),
            decide_time=timestamp(record.times.decide),
            retain_until=timestamp(check.retain_until or record.times.retain_until),
        ),
        holds=[hold_to_wire(hold) for hold in opened.holds],
        record_json=opened.record_json,
        record_jws=signed,
        record_version=record.version,
        altered_facts=opened.altered,
    )
    if check.finish_time is not None:
        response.times.finish_time.CopyFrom(timestamp(check.finish_time))
    if check.images_until is not None:
        response.times.images_retain_until.CopyFrom(timestamp(check.images_until))
    if check.images_erase_time is not None:
        response.times.images_erase_time.CopyFrom(timestamp(check.images_erase_time))
    return response


def facts_to_wire(facts: ImageFacts, *, erased: bool = False) -> evidence_pb2.EvidenceImageFacts:
    """Returns the facts of an image.

    Args:
        erased: Whether retention erased it earlier than the record.
    """
    return evidence_pb2.EvidenceImageFacts(
        purpose=evidence_pb2.EvidenceImageFacts.Purpose.Value(f"PURPOSE_{facts.purpose}"),
        sha256=facts.sha256,
        attempt=facts.attempt,
        frame_index=facts.frame_index,
        rotation=rotation_to_wire(facts.rotation),
        mirrored=facts.mirrored,
        media_type=facts.media_type,
        erased=erased,
    )


def hold_to_wire(hold: StoredHold) -> evidence_pb2.Hold:
    """Returns a hold."""
    return evidence_pb2.Hold(
        reference=hold.reference,
        reason=hold.reason,
        placed_by=hold.placed_by,
        place_time=timestamp(hold.place_time),
    )


def approval_to_wire(pending: PendingApproval) -> evidence_pb2.Approval:
    """Returns a request that waits for a second person."""
    return evidence_pb2.Approval(
        requested_by=pending.requested_by,
        request_time=timestamp(pending.request_time),
        expire_time=timestamp(pending.expire_time),
    )


def residues_to_wire(residues: tuple[Residue, ...]) -> list[evidence_pb2.Residue]:
    """Returns what may still contain erased data."""
    return [
        evidence_pb2.Residue(
            kind=evidence_pb2.Residue.Kind.Value(f"KIND_{residue}"), description=_RESIDUES[residue]
        )
        for residue in residues
    ]


def erasure_reason(
    request: evidence_pb2.EraseSubjectRequest | evidence_pb2.WithdrawApprovalRequest,
) -> ErasureReason:
    """Returns why a person is erased.

    Raises:
        Refusal: It is not stated, or unknown (INVALID_FIELD).
    """
    found = member(ErasureReason, evidence_pb2.ErasureReason, request.reason, "reason", "ERASURE_REASON_")
    if found is None:
        raise _invalid("reason", "reason is not stated; it is REQUEST, CONSENT_WITHDRAWN or OTHER")
    return found


def describe_result(result: bytes) -> dict[str, Any]:
    """Returns a serialised result as JSON, for people."""
    return json_format.MessageToDict(parse_result(result), preserving_proto_field_name=True)


def _summary(line: ListedCheck) -> evidence_pb2.CheckSummary:
    attacks = line.words("attack")
    message = evidence_pb2.CheckSummary(
        check_id=str(line.check_id),
        status=result_pb2.CheckStatus.Value(f"CHECK_STATUS_{line.status or 'UNSPECIFIED'}"),
        reasons=[result_pb2.FailureReason.Value(f"FAILURE_REASON_{reason}") for reason in line.reasons or ()],
        attack_type=result_pb2.AttackType.Value(f"ATTACK_TYPE_{attacks[0]}")
        if attacks
        else result_pb2.ATTACK_TYPE_UNSPECIFIED,
        device_signs=line.words("sign"),
        policy=line.policy_name,
        policy_version=line.policy_version,
        sandbox=line.sandbox,
        create_time=timestamp(line.create_time),
        decide_time=timestamp(line.decide_time),
        retain_until=timestamp(line.retain_until),
        on_hold=line.on_hold,
    )
    if line.finish_time is not None:
        message.finish_time.CopyFrom(timestamp(line.finish_time))
    return message


def moment(request: Message, name: str) -> datetime | None:
    """Returns the time in a field of a request; ``None`` if it is not set.

    Raises:
        Refusal: It is out of range (INVALID_FIELD).
    """
    if not request.HasField(name):
        return None
    stamp: Timestamp = getattr(request, name)
    # A time that datetime cannot represent is before or after every check.
    try:
        time = stamp.ToDatetime(UTC)
        time + timedelta(days=1), time - timedelta(days=1)
    except (ValueError, OverflowError) as error:
        raise _invalid(name, f"{name} is not a time between the years 1 and 9999") from error
    return time


def member(kind: type[_Member], wire: Any, value: int, name: str, prefix: str) -> _Member | None:
    """Returns the member of an enumeration that a field of a message states; ``None`` if it states none.

    Args:
        wire: The enumeration of the contract, whose names are those of ``kind`` after ``prefix``.
        name: The field.

    Raises:
        Refusal: The value is unknown (INVALID_FIELD).
    """
    if value == 0:
        return None
    try:
        return kind(wire.Name(value).removeprefix(prefix))
    except ValueError as error:
        raise _invalid(name, f"{name} is unknown to this server") from error


def _invalid(field: str, message: str) -> Refusal:
    return Refusal(Reason.INVALID_FIELD, message, details={"field": field})


def audit_page_size(request: audit_pb2.ListAuditEventsRequest) -> int:
    """Returns the requested number of entries on a page, or the usual one if the request states none.

    Raises:
        Refusal: It is too large (INVALID_FIELD).
    """
    if request.page_size > _LARGEST_AUDIT_PAGE:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"page_size is {request.page_size}; a page has at most {_LARGEST_AUDIT_PAGE} entries",
            details={"field": "page_size", "value": request.page_size, "maxValue": _LARGEST_AUDIT_PAGE},
        )
    return request.page_size or _USUAL_AUDIT_PAGE


def audit_filter_of(request: audit_pb2.ListAuditEventsRequest) -> AuditFilter:
    """Returns the conditions that a request of ListAuditEvents sets, but for the person.

    Raises:
        Refusal: A text is too long, or a time or an identifier is malformed (INVALID_FIELD).
    """
    for field in ("action", "actor", "subject_reference"):
        if len(getattr(request, field)) > _LONGEST_TEXT:
            raise _invalid(field, f"{field}: it has more than {_LONGEST_TEXT} characters")
    lengths = [len(action) for action in request.actions]
    if len(lengths) > _MOST_ACTIONS or not all(1 <= length <= _LONGEST_TEXT for length in lengths):
        raise _invalid(
            "actions",
            f"actions: at most {_MOST_ACTIONS} entries of 1 to {_LONGEST_TEXT} characters are allowed",
        )
    return AuditFilter(
        since=_audit_time(request, "start_time"),
        until=_audit_time(request, "end_time"),
        actions=(*((request.action,) if request.action else ()), *request.actions),
        actor=request.actor or None,
        check_id=_audited_check(request.check_id),
    )


def audit_event_to_wire(entry: AuditEntry) -> audit_pb2.AuditEvent:
    """Returns an entry as the message. Values of an altered row that the message cannot hold become empty."""
    return audit_pb2.AuditEvent(
        sequence=max(0, entry.sequence),
        time=timestamp(entry.time),
        action=entry.action,
        actor=audit_pb2.AuditActor(name=entry.actor, role=entry.role, address=entry.address),
        check_id=entry.check_id or "",
        pseudonym=_unhexed(entry.pseudonym or ""),
        purpose=entry.purpose,
        detail=dict(entry.details),
        hash=_unhexed(entry.hash),
        tenant=entry.tenant,
    )


def start_time(request: audit_pb2.ExportAuditLogRequest) -> datetime | None:
    """Returns the time from which on a request asks for entries; ``None`` for all.

    Raises:
        Refusal: INVALID_FIELD.
    """
    return _audit_time(request, "start_time")


def _audited_check(text: str) -> str | None:
    if not text:
        return None
    try:
        return str(UUID(text))
    except ValueError as error:
        raise _invalid("check_id", "check_id: it is not a UUID") from error


def _audit_time(
    request: audit_pb2.ListAuditEventsRequest | audit_pb2.ExportAuditLogRequest, field: str
) -> datetime | None:
    if not request.HasField(field):  # type: ignore[arg-type]  # one of its two fields
        return None
    value: Timestamp = getattr(request, field)
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise _invalid(field, f"{field}: it is not a time between the years 1 and 9999") from error


def _unhexed(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return b""
