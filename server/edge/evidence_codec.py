"""Converts the messages of EvidenceService."""

import binascii
from collections.abc import Mapping
from typing import Any, Final

from facegate.v1 import audit_pb2, result_pb2, review_pb2
from facegate.v1 import evidence_service_pb2 as evidence_pb2
from google.protobuf import json_format

from liveness import AttackType
from server.audit import AuditEntry
from server.compliance.erasing import ErasureReason, Residue
from server.compliance.figures import FiguresFilter, percentile
from server.compliance.listing import CheckFilter, CheckPage
from server.compliance.reading import OpenedEvidence
from server.domain.terms import CheckStatus, FailureReason
from server.edge.fields import (
    check_id_of,
    demanded_member,
    invalid,
    message_of,
    number_of,
    stated_member,
    stated_time,
)
from server.edge.result_codec import parse_result
from server.edge.scan_codec import rotation_to_wire
from server.storage.approvals import PendingApproval
from server.storage.audit_reader import AuditFilter
from server.storage.evidence_records import ListedCheck
from server.storage.figures import DayFigures
from server.storage.holds import StoredHold
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
    """Returns the conditions that a request of ListChecks sets.

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
        since=stated_time(request, "decided_since"),
        before=stated_time(request, "decided_before"),
        policy=request.policy,
        sandbox=request.sandbox if request.HasField("sandbox") else None,
    )


def figures_to_wire(days: tuple[DayFigures, ...]) -> evidence_pb2.GetFiguresResponse:
    """Returns the message for figures by day and policy."""
    return evidence_pb2.GetFiguresResponse(days=[_day(figures) for figures in days])


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
    """Returns the message for an evidence record, and for the same record as a JWS."""
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
        holds=[hold_to_wire(hold) for hold in opened.holds],
        record_jws=signed,
        record_version=record.version,
        altered_facts=opened.altered,
    )


def facts_to_wire(facts: ImageFacts, *, erased: bool = False) -> evidence_pb2.EvidenceImageFacts:
    """Returns the facts of an image.

    Args:
        erased: Whether retention erased it earlier than the record.
    """
    return message_of(
        evidence_pb2.EvidenceImageFacts, facts, rotation=rotation_to_wire(facts.rotation), erased=erased
    )


def hold_to_wire(hold: StoredHold) -> evidence_pb2.Hold:
    """Returns a hold."""
    return message_of(evidence_pb2.Hold, hold)


def approval_to_wire(pending: PendingApproval) -> evidence_pb2.Approval:
    """Returns a request that waits for a second person."""
    return message_of(evidence_pb2.Approval, pending)


def residues_to_wire(residues: tuple[Residue, ...]) -> list[evidence_pb2.Residue]:
    """Returns what may still contain erased data."""
    return [
        evidence_pb2.Residue(
            kind=number_of(evidence_pb2.Residue.Kind, residue), description=_RESIDUES[residue]
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
    return demanded_member(ErasureReason, evidence_pb2.ErasureReason, request.reason, "reason")


def describe_result(result: bytes) -> dict[str, Any]:
    """Returns a serialised result as JSON, for people."""
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
    """Returns the conditions that a request of ListAuditEvents sets, but for the person.

    Raises:
        Refusal: A text is too long, or a time or an identifier is malformed (INVALID_FIELD).
    """
    for field in ("action", "actor", "subject_reference"):
        if len(getattr(request, field)) > _LONGEST_TEXT:
            raise invalid(field, f"{field}: it has more than {_LONGEST_TEXT} characters")
    lengths = [len(action) for action in request.actions]
    if len(lengths) > _MOST_ACTIONS or not all(1 <= length <= _LONGEST_TEXT for length in lengths):
        raise invalid(
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
    """Returns an entry as the message. Values of an altered row that the message cannot hold become empty."""
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
