"""Conversions between rows of the audit log and its entries and checkpoints."""

from typing import Any, Final

from sqlalchemy import Row

from server.audit import AuditEntry, Head, SignedCheckpoint

__all__ = ["checkpoint_of", "entry_of", "entry_row", "head_of"]

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
    """Returns the checkpoint of a row; a value of another type, which SQLite allows, counts as 0 or empty."""
    return SignedCheckpoint(
        tenant=row.tenant,
        number=_number(row.number),
        sequence=_number(row.sequence),
        jws=row.jws if isinstance(row.jws, str) else "",
        timestamp=row.timestamp,
        position=_number(row.position),
    )


def head_of(row: Row[*tuple[Any, ...]]) -> Head:
    """Returns the head of a row, with values of other types as in ``checkpoint_of``."""
    return Head(sequence=_number(row.sequence), hash=row.hash if isinstance(row.hash, str) else "")


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0
