"""The evidence records of decided checks, and the terms by which they are found.

The functions work inside an open transaction; ``EvidenceRecordRepository`` reads. A list is driven by its
rarest term in the order of the index, newest first, and tests the other terms by their primary key, so that
no query sorts or scans.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column, ColumnElement, Connection, Select, delete, exists, func, insert, select

from server.domain.terms import CheckState, CheckStatus, FailureReason
from server.keyring.sealing import Sealed
from server.storage.check_rows import newest_first
from server.storage.database import Repository, find_all, reads
from server.storage.records import CheckRecord, Decision, Place, values_of
from server.storage.tables import checks, evidence_records, holds, policies, record_terms

_COUNTED: Final = 1000


@dataclass(frozen=True, slots=True)
class StoredRecord:
    """A sealed evidence record as the database contains it.

    Attributes:
        decide_time: When the check was decided.
    """

    check_id: UUID
    tenant: str
    version: int
    decide_time: datetime
    sealed: Sealed = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedCheck:
    """A line of a list.

    Attributes:
        status: Its status; None if somebody made the column unreadable.
        reasons: Its reasons, most important first; None if somebody made the column unreadable.
        create_time: When the trusted image was accepted.
        finish_time: When the orchestrator first received the result; None before.
        retain_until: When it is to be erased, unless it is on hold.
        on_hold: Whether a hold keeps it.
    """

    check_id: UUID
    status: CheckStatus | None
    reasons: tuple[FailureReason, ...] | None
    policy_name: str
    policy_version: int
    sandbox: bool
    create_time: datetime
    decide_time: datetime
    finish_time: datetime | None
    retain_until: datetime
    terms: tuple[str, ...] = field(repr=False)
    on_hold: bool

    @property
    def place(self) -> Place:
        """Its place in the order of the list, newest decision first."""
        return Place(self.decide_time, self.check_id)

    def words(self, name: str) -> tuple[str, ...]:
        """Return the words of the terms with this name, sorted."""
        prefix = f"{name}:"
        return tuple(sorted(term.removeprefix(prefix) for term in self.terms if term.startswith(prefix)))


def add_record(connection: Connection, check: CheckRecord, decision: Decision) -> None:
    """Insert the evidence record of a decision, and its terms."""
    record = decision.record
    connection.execute(
        insert(evidence_records).values(
            check_id=check.check_id,
            tenant=check.tenant,
            version=record.version,
            decide_time=decision.decide_time,
            **values_of(record.sealed),
        )
    )
    common = {"tenant": check.tenant, "decide_time": decision.decide_time, "check_id": check.check_id}
    connection.execute(insert(record_terms), [{**common, "term": term} for term in record.terms])


def remove_record(connection: Connection, check_id: UUID) -> None:
    """Delete the record of a check together with its key, and its terms."""
    for table in (evidence_records, record_terms):
        connection.execute(delete(table).where(table.c.check_id == check_id))


def count_query(
    tenant: str, terms: Sequence[Sequence[str]], *, since: datetime | None, before: datetime | None
) -> Select[Any]:
    """Return a query of one row with the number of entries of each condition, at most ``_COUNTED``.

    A check that meets a condition by two of its terms has two entries. For the arguments see ``list_query``.
    """
    counted = (_entries(tenant, condition, since, before).limit(_COUNTED).subquery() for condition in terms)
    return select(*(select(func.count()).select_from(entries).scalar_subquery() for entries in counted))


def rarest_first(
    connection: Connection,
    tenant: str,
    terms: Sequence[Sequence[str]],
    *,
    since: datetime | None,
    before: datetime | None,
) -> Sequence[Sequence[str]]:
    """Sort the conditions of a list by their entries; those with ``_COUNTED`` or more keep their order."""
    if len(terms) == 1:
        return terms
    counts = connection.execute(count_query(tenant, terms, since=since, before=before)).one()
    return [terms[at] for at in sorted(range(len(terms)), key=counts.__getitem__)]


def list_query(
    tenant: str,
    terms: Sequence[Sequence[str]],
    *,
    since: datetime | None,
    before: datetime | None,
    after: Place | None,
    limit: int,
) -> Select[Any]:
    """Return the query of a page of checks, newest first.

    Args:
        terms: Conditions that all hold; each is met by any of its terms. The first condition drives the
            query, so its time grows with the entries of that condition. Not empty.
        since: Only checks that were decided at this time or later.
        before: Only checks that were decided earlier.
        after: Only checks that follow this place.
    """
    driving, *others = terms
    drive = record_terms.c
    query = _entries(tenant, driving, since, before)
    for position, condition in enumerate(others):
        other = record_terms.alias(f"other_{position}")
        query = query.where(
            exists().where(
                other.c.tenant == tenant,
                _one_of(other.c.term, condition),
                other.c.decide_time == drive.decide_time,
                other.c.check_id == drive.check_id,
            )
        )
    if len(driving) > 1:
        query = query.distinct()
    return newest_first(query, drive.decide_time, drive.check_id, after=after, limit=limit)


def _entries(
    tenant: str, condition: Sequence[str], since: datetime | None, before: datetime | None
) -> Select[Any]:
    entry = record_terms.c
    query = select(entry.decide_time, entry.check_id).where(
        entry.tenant == tenant,
        _one_of(entry.term, condition),
    )
    if since is not None:
        query = query.where(entry.decide_time >= since)
    if before is not None:
        query = query.where(entry.decide_time < before)
    return query


def _one_of(column: Column[str], words: Sequence[str]) -> ColumnElement[bool]:
    return column == words[0] if len(words) == 1 else column.in_(words)


class EvidenceRecordRepository(Repository):
    """Reads evidence records."""

    @reads
    def find(self, connection: Connection, check_id: UUID, tenant: str | None = None) -> StoredRecord | None:
        """Return the record of a check; None if there is none, or it is of another than a given tenant."""
        found = _stored(connection, [check_id])
        return next((each for each in found if tenant in {None, each.tenant}), None)

    @reads
    def find_all(self, connection: Connection, check_ids: Collection[UUID]) -> tuple[StoredRecord, ...]:
        """Return the records of checks, as far as there are any."""
        return _stored(connection, check_ids)

    @reads
    def list(
        self,
        connection: Connection,
        tenant: str,
        terms: Sequence[Sequence[str]],
        *,
        since: datetime | None = None,
        before: datetime | None = None,
        after: Place | None = None,
        limit: int,
    ) -> tuple[ListedCheck, ...]:
        """Return a page of checks that have records, newest first; see ``list_query``."""
        conditions = rarest_first(connection, tenant, terms, since=since, before=before)
        query = list_query(tenant, conditions, since=since, before=before, after=after, limit=limit)
        return _listed(connection, [row.check_id for row in connection.execute(query)])

    @reads
    def listed(self, connection: Connection, check_id: UUID) -> ListedCheck | None:
        """Return the line of one check, found by its identifier; None if there is no such check."""
        return next(iter(_listed(connection, [check_id])), None)

    @reads
    def of_subject(
        self, connection: Connection, tenant: str, terms: Sequence[str], reference: str
    ) -> tuple[UUID, ...]:
        """Return every check of a person that is not erased, oldest first.

        Args:
            terms: The terms of the person's reference, under each key that is kept.
            reference: The reference itself, which open checks have in clear.
        """
        by_record = select(record_terms.c.check_id).where(
            record_terms.c.tenant == tenant, record_terms.c.term.in_(terms)
        )
        in_clear = select(checks.c.check_id).where(
            checks.c.tenant == tenant,
            checks.c.subject_reference == reference,
            # The index has no other rows.
            checks.c.subject_reference != "",
        )
        found = {*connection.scalars(by_record), *connection.scalars(in_clear)}
        times = select(checks.c.check_id, checks.c.create_time).where(checks.c.check_id.in_(found))
        kept = connection.execute(times.where(checks.c.state != CheckState.ERASED)).all()
        return tuple(row.check_id for row in sorted(kept, key=lambda row: (row.create_time, row.check_id)))


def _stored(connection: Connection, check_ids: Collection[UUID]) -> tuple[StoredRecord, ...]:
    query = select(evidence_records).where(evidence_records.c.check_id.in_(check_ids))
    return find_all(connection, query, _stored_record)


def _stored_record(*, ciphertext: bytes, wrapped_key: bytes, key_id: str, **row: Any) -> StoredRecord:
    return StoredRecord(**row, sealed=Sealed(ciphertext, wrapped_key, key_id))


def _listed(connection: Connection, check_ids: Sequence[UUID]) -> tuple[ListedCheck, ...]:
    if not check_ids:
        return ()
    terms: dict[UUID, list[str]] = {check_id: [] for check_id in check_ids}
    of_checks = select(record_terms.c.check_id, record_terms.c.term).where(
        record_terms.c.check_id.in_(check_ids)
    )
    for row in connection.execute(of_checks):
        terms[row.check_id].append(row.term)
    held = set(connection.scalars(select(holds.c.check_id).where(holds.c.check_id.in_(check_ids))))
    query = (
        select(
            checks.c.check_id,
            checks.c.status,
            checks.c.reasons,
            checks.c.sandbox,
            checks.c.create_time,
            checks.c.decide_time,
            checks.c.finish_time,
            checks.c.retain_until,
            policies.c.name.label("policy_name"),
            policies.c.version.label("policy_version"),
        )
        .join_from(checks, policies)
        .where(checks.c.check_id.in_(check_ids))
    )
    lines = {
        row["check_id"]: ListedCheck(
            **row, terms=tuple(terms[row["check_id"]]), on_hold=row["check_id"] in held
        )
        for row in connection.execute(query).mappings()
    }
    return tuple(lines[check_id] for check_id in check_ids if check_id in lines)
