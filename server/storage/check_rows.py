"""Reads, locks and changes the rows of a check, for the transactions of several repositories.

Each function works inside an open transaction. Writers lock the check, compare before they set, and raise
``Conflict`` if another writer was first.
"""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Select, delete, literal, select, tuple_, update

from server.domain.terms import CheckState, ImagePurpose
from server.keyring.sealing import Sealed
from server.storage.database import find_all, find_one
from server.storage.errors import CheckNotFound, Conflict
from server.storage.records import CheckRecord, EvidenceEntry, Place, values_of
from server.storage.tables import attempts, checks, evidence, policies
from server.verdict.record import ImageFacts

CHECKS = select(
    checks,
    policies.c.name.label("policy_name"),
    policies.c.version.label("policy_version"),
    policies.c.source.label("policy_source"),
).join_from(checks, policies)
"""The query of checks with their frozen policies, as ``list_checks`` reads it."""

_ENTRIES = select(*(each for each in evidence.c if each.name not in {"check_id", "position"}))


def template_row(template: Sealed | None) -> dict[str, Any]:
    """Return the columns of a check's sealed template."""
    return {
        "template_ciphertext": None if template is None else template.ciphertext,
        "template_wrapped_key": None if template is None else template.wrapped_key,
        "template_key_id": None if template is None else template.key_id,
    }


def check_row(check: CheckRecord) -> dict[str, Any]:
    """Return the row of the table ``checks``."""
    values = values_of(check) | template_row(check.portrait_template)
    return {column.name: values[column.name] for column in checks.columns}


def _check_record(**row: Any) -> CheckRecord:
    """Convert a row of ``CHECKS``."""
    ciphertext, wrapped_key, key_id = (row.pop(name) for name in template_row(None))
    sealed = None if wrapped_key is None else Sealed(ciphertext, wrapped_key, key_id)
    return CheckRecord(**row, portrait_template=sealed)


def conflict(message: str, record: CheckRecord) -> Conflict:
    """Return a ``Conflict`` that states the state of ``record``."""
    return Conflict(message, state=record.state, lease_epoch=record.lease_epoch)


def find_check(connection: Connection, check_id: UUID, *, lock: bool = False) -> CheckRecord | None:
    """Return the check, or None; ``lock`` keeps other writers out until the transaction ends."""
    query = CHECKS.where(checks.c.check_id == check_id)
    if lock:
        query = query.with_for_update(of=checks)
    return find_one(connection, query, _check_record)


def load_check(connection: Connection, check_id: UUID, *, lock: bool = False) -> CheckRecord:
    """Return the check.

    Raises:
        CheckNotFound: There is none.
    """
    record = find_check(connection, check_id, lock=lock)
    if record is None:
        raise CheckNotFound(check_id)
    return record


def load_in_state(
    connection: Connection, check_id: UUID, *, states: Collection[CheckState], epoch: int | None = None
) -> CheckRecord:
    """Return the locked check if it is in one of ``states`` and has this lease epoch (None for any).

    Raises:
        CheckNotFound: There is none.
        Conflict: It is in another state, or another stream holds the lease.
    """
    record = load_check(connection, check_id, lock=True)
    if record.state not in states:
        raise conflict("this is no longer possible, or not yet possible", record)
    if epoch is not None and record.lease_epoch != epoch:
        raise conflict(f"the lease epoch {epoch} is not current", record)
    return record


def list_checks(connection: Connection, query: Select[Any]) -> list[CheckRecord]:
    """Return the checks of a query that narrows ``CHECKS``."""
    return list(find_all(connection, query, _check_record))


def change_check(connection: Connection, check_id: UUID, **values: Any) -> None:
    """Update columns of a check."""
    connection.execute(update(checks).where(checks.c.check_id == check_id).values(values))


def erase_judgements(connection: Connection, check_id: UUID) -> None:
    """Erase the judgements of a check's attempts, and the hashes of their frames."""
    connection.execute(
        update(attempts).where(attempts.c.check_id == check_id).values(judgement=None, frame_hashes=None)
    )


def list_evidence(connection: Connection, check_id: UUID) -> tuple[EvidenceEntry, ...]:
    """Return the kept images of a check, in their order."""
    query = _ENTRIES.where(evidence.c.check_id == check_id).order_by(evidence.c.position)
    return find_all(connection, query, _entry)


def _entry(
    *, kind: ImagePurpose, object_key: str, wrapped_key: bytes, key_id: str, **facts: Any
) -> EvidenceEntry:
    return EvidenceEntry(ImageFacts(purpose=kind, **facts), object_key, wrapped_key, key_id)


def entry_row(entry: EvidenceEntry) -> dict[str, Any]:
    """Return the columns of a kept image that ``list_evidence`` reads."""
    row = values_of(entry.facts) | values_of(entry)
    del row["facts"]
    return {"kind": row.pop("purpose"), **row}


def remove_evidence(
    connection: Connection, check_id: UUID, *, keep: EvidenceEntry | None = None
) -> tuple[EvidenceEntry, ...]:
    """Delete the rows of kept images, but one, together with their keys; return the deleted entries."""
    entries = tuple(entry for entry in list_evidence(connection, check_id) if entry != keep)
    gone = delete(evidence).where(evidence.c.check_id == check_id)
    if keep is not None:
        gone = gone.where(evidence.c.object_key != keep.object_key)
    connection.execute(gone)
    return entries


def newest_first(
    query: Select[Any], time: Column[Any], identifier: Column[Any], *, after: Place | None, limit: int
) -> Select[Any]:
    """Return the query of a page of a list, newest first: of the entries that follow a place."""
    if after is not None:
        query = query.where(tuple_(time, identifier) < _values(after, time, identifier))
    return query.order_by(time.desc(), identifier.desc()).limit(limit)


def newer(place: Place, time: Column[Any], identifier: Column[Any]) -> ColumnElement[bool]:
    """Return the condition of the entries that follow a place in a list, oldest first."""
    return tuple_(time, identifier) > _values(place, time, identifier)


def _values(place: Place, time: Column[Any], identifier: Column[Any]) -> ColumnElement[Any]:
    return tuple_(literal(place.time, time.type), literal(place.identifier, identifier.type))
