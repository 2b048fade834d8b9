"""Conversions between rows of the audit log and its entries and checkpoints."""

from typing import Any, Final

from sqlalchemy import Row

from server.audit import AuditEntry, SignedCheckpoint

__all__ = ["checkpoint_of", "entry_of", "entry_row"]

_TEXTS: Final = ("tenant", "action", "actor", "role", "address", "purpose", "detail", "hash")
_OPTIONAL: Final = ("check_id", "pseudonym")


def entry_row(entry: AuditEntry) -> dict[str, Any]:
    """Returns the row of an entry."""
    return {name: getattr(entry, name) for name in (*_TEXTS, *_OPTIONAL, "sequence", "time_us")}


def entry_of(row: Row[Any]) -> AuditEntry | None:
    """Returns the entry of a row; ``None`` if the row holds values of other types, which SQLite allows."""
    values = dict(row._mapping)
    readable = (
        all(isinstance(values[name], str) for name in _TEXTS)
        and all(isinstance(values[name], str | None) for name in _OPTIONAL)
        and all(isinstance(values[name], int) for name in ("sequence", "time_us"))
    )
    return AuditEntry(**values) if readable else None


def checkpoint_of(row: Row[Any]) -> SignedCheckpoint:
    """Returns the checkpoint of a row."""
    return SignedCheckpoint(
        tenant=row.tenant,
        number=row.number,
        sequence=row.sequence,
        jws=row.jws,
        timestamp=row.timestamp,
        position=row.position or 0,
    )
