"""The hash chain of a tenant: each entry's hash covers the entry and the hash of the entry before it.

The bytes of an entry are, each with a length of 4 bytes (big-endian) before it::

    "facegate/v1/audit", the hash of the entry before (32 bytes; zeros before the first), tenant,
    sequence (8 bytes), time in microseconds since 1970 UTC (8 bytes), action, actor, role, address,
    check identifier, pseudonym, purpose, detail (JSON as stored)

in UTF-8; an absent identifier or pseudonym has the length 0. The hash is SHA-256 of these bytes.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final

from server.audit.event import AuditEvent

__all__ = ["GENESIS", "AuditEntry", "detail_text", "encode_entry", "entry_hash", "make_entry"]

GENESIS: Final = bytes(32)
"""The hash before the first entry of a tenant."""

_DOMAIN: Final = b"facegate/v1/audit"
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LARGEST: Final = 2**63


@dataclass(frozen=True, slots=True, kw_only=True)
class AuditEntry:
    """An entry as it is stored and exported.

    Attributes:
        tenant: The tenant of the chain.
        sequence: The position in the chain, from 1.
        time_us: Microseconds since 1970, UTC.
        action: A value of ``AuditAction``, or one of a newer version.
        actor: The name of the actor.
        role: Its roles.
        address: Its address.
        check_id: The check, as a UUID in lower case; ``None`` if it concerns none.
        pseudonym: The person's pseudonym, 64 hexadecimal digits; ``None`` if it concerns none.
        purpose: Why.
        detail: Further facts: a JSON object of texts, with sorted keys.
        hash: The hash of the entry, 64 hexadecimal digits.
    """

    tenant: str
    sequence: int
    time_us: int
    action: str
    actor: str
    role: str
    address: str
    check_id: str | None
    pseudonym: str | None
    purpose: str
    detail: str
    hash: str

    @property
    def time(self) -> datetime:
        """The time of the entry, UTC; the largest one for a number out of range, as in an altered entry."""
        try:
            return _EPOCH + self.time_us * _MICROSECOND
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)

    @property
    def details(self) -> Mapping[str, str]:
        """The further facts; empty if ``detail`` is not a JSON object of texts, as in an altered entry."""
        try:
            found = json.loads(self.detail)
        except (ValueError, RecursionError):
            return {}
        if not isinstance(found, dict):
            return {}
        return {str(key): value for key, value in found.items() if isinstance(value, str)}


def make_entry(
    event: AuditEvent, *, sequence: int, previous: bytes, pseudonym: bytes | None, now: datetime
) -> AuditEntry:
    """Returns the entry of an event.

    Args:
        event: The event.
        sequence: The position in the tenant's chain, from 1.
        previous: The hash of the entry before it, 32 bytes; ``GENESIS`` for the first.
        pseudonym: The pseudonym of ``event.subject``, 32 bytes.
        now: The time, with a time zone.
    """
    entry = AuditEntry(
        tenant=event.tenant,
        sequence=sequence,
        time_us=(now - _EPOCH) // _MICROSECOND,
        action=event.action.value,
        actor=event.actor.name,
        role=event.actor.role,
        address=event.actor.address,
        check_id=None if event.check_id is None else str(event.check_id),
        pseudonym=None if pseudonym is None else pseudonym.hex(),
        purpose=event.purpose,
        detail=detail_text(event.detail),
        hash="",
    )
    return replace(entry, hash=entry_hash(entry, previous=previous).hex())


def detail_text(detail: Mapping[str, str]) -> str:
    """Returns further facts as the text that is stored and hashed."""
    return json.dumps(dict(detail), sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def entry_hash(entry: AuditEntry, *, previous: bytes) -> bytes:
    """Returns the hash of an entry after ``previous``, 32 bytes. ``entry.hash`` is not part of it."""
    return sha256(encode_entry(entry, previous=previous)).digest()


def encode_entry(entry: AuditEntry, *, previous: bytes) -> bytes:
    """Returns the bytes of an entry that its hash covers; see the module."""
    texts = (
        entry.action,
        entry.actor,
        entry.role,
        entry.address,
        entry.check_id or "",
        entry.pseudonym or "",
        entry.purpose,
        entry.detail,
    )
    parts = (
        _DOMAIN,
        previous,
        _bytes(entry.tenant),
        _number(entry.sequence),
        _number(entry.time_us),
        *(_bytes(text) for text in texts),
    )
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def _bytes(text: str) -> bytes:
    # A database that somebody altered may hold lone surrogates.
    return text.encode("utf-8", "surrogatepass")


def _number(value: int) -> bytes:
    # Altered numbers may be out of range; they get other bytes than every number in range.
    return value.to_bytes(8, "big", signed=True) if -_LARGEST <= value < _LARGEST else str(value).encode()
