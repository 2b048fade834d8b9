"""The caller and the purpose of a call: the facts that every action of compliance logs."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import structlog

from server.audit import LONGEST_PURPOSE_BYTES, Actor, AuditAction, AuditEvent, subject_hash, subject_hashes
from server.base.errors import Reason, Refusal, unprintable_field
from server.configuration.tables import TwoPeople
from server.evidence.records import RecordVault
from server.storage.approvals import ApprovalRequest
from server.storage.evidence_records import StoredRecord
from server.verdict.record import RecordUnreadable

_log = structlog.get_logger(__name__)


def reference_field(name: str, value: str, *, longest: int, required: bool = True) -> str:
    """Return a reference to search for: any that an upload may have stored.

    Raises:
        Refusal: It is missing, too long, or has a NUL character (INVALID_FIELD).
    """
    size = len(value.encode())
    if (required and not value) or size > longest or "\0" in value:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"{name} has {size} bytes; state the reference of your uploads, 1 to {longest} bytes without NUL",
            details={"field": name, "bytes": size, "maxBytes": longest},
        )
    return value


def text_field(name: str, value: str, *, longest: int, required: bool = True) -> str:
    """Return a text of a caller that may be stored and logged.

    Raises:
        Refusal: It is missing, too long, or not printable (INVALID_FIELD).
    """
    size = len(value.encode())
    if required and not value.strip():
        raise Refusal(
            Reason.INVALID_FIELD,
            f"{name} is empty; state it in 1 to {longest} bytes",
            details={"field": name, "maxBytes": longest},
        )
    if size > longest:
        raise Refusal(
            Reason.INVALID_FIELD,
            f"{name} has {size} bytes; at most {longest} are allowed",
            details={"field": name, "bytes": size, "maxBytes": longest},
        )
    if not value.isprintable():
        raise unprintable_field(name)
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A call of a caller.

    Attributes:
        actor: The caller, for the audit log.
        purpose: Why, as the caller states it; may be empty where no purpose is required.
        sandbox: Whether the caller is a sandbox caller.
    """

    tenant: str
    actor: Actor
    now: datetime
    purpose: str = ""
    sandbox: bool = False

    def __post_init__(self) -> None:
        """Validate the purpose.

        Raises:
            Refusal: It is too long, or not printable (INVALID_FIELD).
        """
        text_field("purpose", self.purpose, longest=LONGEST_PURPOSE_BYTES, required=False)

    def require_purpose(self) -> None:
        """Test that a purpose is stated.

        Raises:
            Refusal: It is not (INVALID_FIELD).
        """
        text_field("purpose", self.purpose, longest=LONGEST_PURPOSE_BYTES)

    def event(
        self,
        action: AuditAction,
        *,
        check_id: UUID | None = None,
        subject: bytes | None = None,
        detail: Mapping[str, str] | None = None,
    ) -> AuditEvent:
        """Return the audit event of this call."""
        return AuditEvent(
            tenant=self.tenant,
            action=action,
            actor=self.actor,
            check_id=check_id,
            subject=subject,
            purpose=self.purpose,
            detail=detail or {},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRules:
    """The actions that need two people, and how people are known in the audit log and the tables of devices.

    Attributes:
        tenant_keys: Returns the keys that a tenant has and had, newest first.
        device_hashes: Returns the hashes of a tenant's person in the tables of devices.
    """

    two_people: frozenset[TwoPeople] = frozenset()
    tenant_keys: Callable[[str], tuple[bytes, ...]] = field(repr=False)
    device_hashes: Callable[[str, str], tuple[str, ...]] = field(repr=False)

    def request(self, action: TwoPeople, event: AuditEvent, *arguments: str) -> ApprovalRequest | None:
        """Return the request for a second person; ``None`` if one person suffices.

        Args:
            event: Its event, made by this call.
            *arguments: The arguments that the second call must repeat.
        """
        if action not in self.two_people:
            return None
        digest = hashlib.sha256()
        for argument in (action.value, *arguments):
            data = argument.encode()
            digest.update(len(data).to_bytes(4, "big") + data)
        return ApprovalRequest(action=action.value, arguments_sha256=digest.digest(), event=event)

    def subject_hash(self, tenant: str, reference: str) -> bytes | None:
        """Return the hash under which the audit log knows a person; ``None`` without a reference."""
        return subject_hash(self.tenant_keys(tenant)[0], reference)

    def subject_of(self, record: StoredRecord | None, *, vault: RecordVault) -> bytes | None:
        """Return the hash under which the audit log knows the person of a decided check.

        ``None`` if the check has no subject reference, or its record is missing or cannot be opened: it must
        still be possible to hold or delete a check with a damaged record.
        """
        if record is None:
            return None
        try:
            reference = vault.delivery(record).subject_reference
        except RecordUnreadable:
            return None
        return self.subject_hash(record.tenant, reference)

    def subject_hashes(self, tenant: str, reference: str) -> tuple[bytes, ...]:
        """Return the hashes of a person under every key that the tenant has and had."""
        return subject_hashes(self.tenant_keys(tenant), reference)
