"""Converts entries of the audit log to ``facegate.v1.AuditEvent``, and requests for them to queries."""

import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

from facegate.v1 import audit_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from server.audit import AuditEntry, subject_hashes
from server.edge.scan_codec import timestamp
from server.errors import Reason, Refusal
from server.storage.audit_reader import AuditFilter

__all__ = ["AuditQuery", "audit_event_to_wire", "audit_query", "start_time"]

_PAGE: Final = 100
_LARGEST_PAGE: Final = 1000
_LONGEST_TEXT: Final = 256


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """The entries that a request asks for; ``AuditReader.page`` answers it.

    Attributes:
        chosen: Which entries.
        subjects: The hashes of the person whose entries are wanted; empty for those of all.
        limit: The maximum number of entries of a page.
    """

    chosen: AuditFilter
    subjects: tuple[bytes, ...]
    limit: int


def audit_query(request: audit_pb2.ListAuditEventsRequest, *, tenant_keys: Sequence[bytes]) -> AuditQuery:
    """Returns the query of a request, without its page token.

    Args:
        request: The request.
        tenant_keys: The keys of the caller's tenant, newest first (``KeyRing.memory.tenant_keys``).

    Raises:
        Refusal: INVALID_FIELD.
    """
    if request.page_size > _LARGEST_PAGE:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"page_size is {request.page_size}; a page has at most {_LARGEST_PAGE} entries",
            details={"field": "page_size", "value": request.page_size, "maxValue": _LARGEST_PAGE},
        )
    for field in ("action", "actor", "subject_reference"):
        if len(getattr(request, field)) > _LONGEST_TEXT:
            raise _invalid(field, f"it has more than {_LONGEST_TEXT} characters")
    return AuditQuery(
        chosen=AuditFilter(
            since=_time(request, "start_time"),
            until=_time(request, "end_time"),
            action=request.action or None,
            actor=request.actor or None,
            check_id=_check_id(request.check_id),
        ),
        subjects=subject_hashes(tenant_keys, request.subject_reference),
        limit=request.page_size or _PAGE,
    )


def audit_event_to_wire(entry: AuditEntry) -> audit_pb2.AuditEvent:
    """Returns an entry as the message. Values of an altered row that the message cannot hold become empty."""
    return audit_pb2.AuditEvent(
        sequence=max(0, entry.sequence),
        time=timestamp(entry.time),
        action=entry.action,
        actor=audit_pb2.AuditActor(name=entry.actor, role=entry.role, address=entry.address),
        check_id=entry.check_id or "",
        pseudonym=_bytes(entry.pseudonym or ""),
        purpose=entry.purpose,
        detail=dict(entry.details),
        hash=_bytes(entry.hash),
        tenant=entry.tenant,
    )


def start_time(request: audit_pb2.ExportAuditLogRequest) -> datetime | None:
    """Returns the time from which on a request asks for entries; ``None`` for all.

    Raises:
        Refusal: INVALID_FIELD.
    """
    return _time(request, "start_time")


def _check_id(text: str) -> str | None:
    if not text:
        return None
    try:
        return str(UUID(text))
    except ValueError as error:
        raise _invalid("check_id", "it is not a UUID") from error


def _time(
    request: audit_pb2.ListAuditEventsRequest | audit_pb2.ExportAuditLogRequest, field: str
) -> datetime | None:
    if not request.HasField(field):  # type: ignore[arg-type]  # one of its two fields
        return None
    value: Timestamp = getattr(request, field)
    try:
        return value.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise _invalid(field, "it is not a time between the years 1 and 9999") from error


def _invalid(field: str, why: str) -> Refusal:
    return Refusal(Reason.INVALID_FIELD, f"{field}: {why}", details={"field": field})


def _bytes(text: str) -> bytes:
    try:
        return binascii.unhexlify(text)
    except ValueError:
        return b""
