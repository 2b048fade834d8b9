"""The device tables of the database: enrolled keys, one-time tokens, and findings on a check's evidence.

As in ``server.storage.repository``, each method is one transaction, and the caller passes the time. Rows
about a check are erased with it; see ``erase_device_rows``.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    and_,
    delete,
    exists,
    func,
    select,
    update,
)

from device_integrity import Assurance
from server.base.sandbox import memory_scopes
from server.domain.tries import EarlierAttacks, TryKind, TryMark, TryRules
from server.storage.database import Repository, count_changed, reads, writes
from server.storage.engine import insert_unless_there
from server.storage.records import KeyKind, values_of
from server.storage.tables import (
    check_tries,
    checks,
    device_evidence,
    device_key_uses,
    enrolled_keys,
    holds,
    one_time_tokens,
    scan_marks,
    scan_memories,
)
from server.storage.tries import begin_device, count_attacks

ENROLMENT: Final = timedelta(days=400)
"""How long an unused key stays enrolled: a person who scans once a year keeps it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldReceipt:
    """The newest receipt of an App Attest key from Apple.

    Attributes:
        data: The bytes as received; they were verified then.
        due: The earliest time to exchange it for the next receipt.
    """

    data: bytes = field(repr=False)
    time: datetime
    due: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class EnrolledKey:
    """A key that outlives a scan.

    Attributes:
        tenant: The tenant whose customer the device is; keys are never looked up across tenants.
        key_id: Its identifier, as the device states it; stored as SHA-256.
        public_key: SubjectPublicKeyInfo (DER) for App Attest, COSE for WebAuthn.
        counter: The counter of the last accepted use.
        app: The app that an App Attest key was enrolled for; otherwise empty.
        environment: The environment of an App Attest key; otherwise empty.
        ceiling: The highest assurance that its use may give.
        for_tests: Whether it was enrolled in a sandbox check, in which test roots are trusted.
        subject_hash: The hash of the person of the enrolling check (``MemoryKey.subject_hash``), or empty.
        receipt: The newest receipt of an App Attest key; ``None`` if none was accepted.
    """

    tenant: str
    kind: KeyKind
    key_id: bytes
    public_key: bytes = field(repr=False)
    counter: int
    app: str
    environment: str
    ceiling: Assurance
    for_tests: bool
    subject_hash: str
    check_id: UUID
    use_time: datetime
    receipt: HeldReceipt | None = None


class DeviceRepository(Repository):
    """Stores keys, tokens and findings. Every method may raise ``StorageUnavailable``."""

    @reads
    def find_key(
        self, connection: Connection, tenant: str, kind: KeyKind, key_id: bytes
    ) -> EnrolledKey | None:
        """Return the key with this identifier; ``None`` if it is unknown."""
        query = select(enrolled_keys).where(_is_key(tenant, kind, key_id))
        row = connection.execute(query).mappings().one_or_none()
        if row is None:
            return None
        values = dict(row)
        del values["key_sha256"]
        data, time, due = (values.pop(name) for name in _receipt_row(None))
        receipt = None if data is None else HeldReceipt(data=data, time=time, due=due)
        return EnrolledKey(**values, key_id=key_id, receipt=receipt)

    @writes
    def enrol(self, connection: Connection, key: EnrolledKey) -> bool:
        """Store a new key; return False, and store nothing, if its identifier exists already."""
        row = values_of(key) | _receipt_row(key.receipt) | {"key_sha256": sha256(key.key_id).digest()}
        del row["key_id"]
        return insert_unless_there(connection, enrolled_keys, row)

    @writes
    def advance_counter(
        self,
        connection: Connection,
        tenant: str,
        kind: KeyKind,
        key_id: bytes,
        *,
        expected: int,
        counter: int,
        now: datetime,
    ) -> bool:
        """Set a key's counter; return False if another use was first, which indicates a replay."""
        statement = (
            update(enrolled_keys)
            .where(_is_key(tenant, kind, key_id), enrolled_keys.c.counter == expected)
            .values(counter=counter, use_time=now)
        )
        return count_changed(connection, statement) == 1

    @writes
    def claim_exchange(
        self, connection: Connection, key: EnrolledKey, *, now: datetime, until: datetime
    ) -> bool:
        """Claim the right to exchange a key's receipt for a newer one.

        Returns False if the exchange is not due yet, or another caller claimed it.

        Args:
            until: When the next exchange may be claimed if this one fails. After a success ``keep_receipt``
                sets that time.
        """
        statement = (
            update(enrolled_keys)
            .where(_is_key(key.tenant, key.kind, key.key_id), enrolled_keys.c.receipt_due <= now)
            .values(receipt_due=until)
        )
        return count_changed(connection, statement) == 1

    @writes
    def keep_receipt(self, connection: Connection, key: EnrolledKey, receipt: HeldReceipt) -> None:
        """Store a newer receipt of a key in place of the previous one."""
        own = _is_key(key.tenant, key.kind, key.key_id)
        connection.execute(update(enrolled_keys).where(own).values(_receipt_row(receipt)))

    @writes
    def consume_token(
        self, connection: Connection, token: bytes, *, check_id: UUID, expires: datetime
    ) -> bool:
        """Use up a one-time token of 32 bytes; return False if it was used before."""
        row = {"token": token, "check_id": check_id, "expire_time": expires}
        return insert_unless_there(connection, one_time_tokens, row)

    @writes
    def begin_try(
        self, connection: Connection, check_id: UUID, key: bytes, *, rules: TryRules, now: datetime
    ) -> None:
        """Count a running check as a try of its device until the check is decided.

        Args:
            key: Mark of a verified key that outlives the scan, 32 bytes.

        Raises:
            TriesExceeded: Too many checks of the device failed, or are running.
        """
        begin_device(connection, check_id, TryMark(TryKind.DEVICE, key), rules=rules, now=now)

    @reads
    def count_attacks(self, connection: Connection, check_id: UUID, *, since: datetime) -> EarlierAttacks:
        """Count earlier checks that failed by an attack: of the same subject, and of the same device."""
        return EarlierAttacks(
            subject=count_attacks(connection, check_id, TryKind.SUBJECT, since=since),
            device=count_attacks(connection, check_id, TryKind.DEVICE, since=since),
        )

    @writes
    def add_finding(self, connection: Connection, check_id: UUID, *, position: int, finding: bytes) -> None:
        """Store the finding on a piece of evidence, for later streams of the check.

        Args:
            finding: Opaque bytes. An existing finding at this position is kept.
        """
        row = {"check_id": check_id, "position": position, "finding": finding}
        insert_unless_there(connection, device_evidence, row)

    @reads
    def findings(self, connection: Connection, check_id: UUID) -> Sequence[bytes]:
        """Return the findings on a check's evidence so far, in order."""
        query = (
            select(device_evidence.c.finding)
            .where(device_evidence.c.check_id == check_id)
            .order_by(device_evidence.c.position)
        )
        return connection.execute(query).scalars().all()

    @writes
    def expire(self, connection: Connection, now: datetime, *, unused_since: datetime) -> int:
        """Delete expired one-time tokens and unused keys; return the number of deleted rows."""
        tokens = delete(one_time_tokens).where(one_time_tokens.c.expire_time <= now)
        keys = delete(enrolled_keys).where(enrolled_keys.c.use_time <= unused_since)
        return count_changed(connection, tokens, keys)

    @writes
    def forget_oldest_scans(self, connection: Connection, *, most: int, limit: int) -> int:
        """Delete the oldest remembered scans of tenants that have more than ``most``; return their number.

        A tenant's sandbox counts as a tenant of its own.

        Args:
            limit: The largest number to delete of one tenant in this call.
        """
        number = func.count()
        over = (
            select(scan_memories.c.tenant, number.label("number"))
            .group_by(scan_memories.c.tenant)
            .having(number > most)
        )
        forgotten = 0
        for tenant, count in connection.execute(over).all():
            oldest = connection.scalars(
                select(scan_memories.c.check_id)
                .where(scan_memories.c.tenant == tenant)
                .order_by(scan_memories.c.time, scan_memories.c.check_id)
                .limit(min(count - most, limit))
            ).all()
            connection.execute(delete(scan_marks).where(scan_marks.c.check_id.in_(oldest)))
            forgotten += count_changed(
                connection, delete(scan_memories).where(scan_memories.c.check_id.in_(oldest))
            )
        return forgotten

    @reads
    def about_subject(
        self, connection: Connection, tenant: str, hashes: Collection[str]
    ) -> dict[str, list[dict[str, str]]]:
        """Return what is stored about a person's devices, without keys and hashes, as JSON.

        Args:
            tenant: The tenant; its sandbox is included.
        """
        shown = {
            "enrolled_keys": (enrolled_keys, ("kind", "app", "use_time")),
            "key_uses": (device_key_uses, ("check_id", "time")),
            "scan_memories": (scan_memories, ("check_id", "time")),
        }
        return {
            name: [
                {column: str(value) for column, value in row.items()}
                for row in connection.execute(
                    select(*(table.c[column] for column in columns)).where(_of_subject(table, tenant, hashes))
                ).mappings()
            ]
            for name, (table, columns) in shown.items()
        }


def forget_subject_rows(
    connection: Connection,
    tenant: str,
    subject: str,
    hashes: Collection[str],
    check_ids: Collection[UUID] = (),
) -> int:
    """Delete all keys, key uses, scan marks and failed checks of a person, inside an open transaction.

    A hold keeps the key uses and the scan of its check.

    Args:
        tenant: The tenant; its sandbox is included.
        subject: The subject reference, which only open checks have in clear; not empty.
        check_ids: The person's decided checks (``EvidenceRecordRepository.of_subject``). Their rows no longer
            name the person.

    Returns:
        The number of deleted keys, uses and scans.
    """
    held = select(holds.c.check_id).where(holds.c.tenant == tenant)
    scans = select(scan_memories.c.check_id).where(
        _of_subject(scan_memories, tenant, hashes), scan_memories.c.check_id.not_in(held)
    )
    connection.execute(delete(scan_marks).where(scan_marks.c.check_id.in_(scans)))
    own = select(checks.c.check_id).where(
        checks.c.tenant == tenant, checks.c.subject_reference == subject, checks.c.subject_reference != ""
    )
    for found in (own, tuple(check_ids)):
        connection.execute(delete(check_tries).where(check_tries.c.check_id.in_(found)))
    return count_changed(
        connection,
        *(
            delete(table).where(_of_subject(table, tenant, hashes), table.c.check_id.not_in(held))
            for table in (scan_memories, device_key_uses)
        ),
        delete(enrolled_keys).where(_of_subject(enrolled_keys, tenant, hashes)),
    )


def has_subject_rows(connection: Connection, tenant: str, hashes: Collection[str]) -> bool:
    """Return whether there are rows that ``forget_subject_rows`` would find by the hashes of a person."""
    return any(
        connection.scalar(select(exists().where(_of_subject(table, tenant, hashes))))
        for table in (scan_memories, device_key_uses, enrolled_keys)
    )


_OF_CHECK = (scan_marks, scan_memories, device_key_uses, device_evidence, one_time_tokens)


def erase_device_rows(connection: Connection, check_id: UUID) -> None:
    """Delete the rows about a check's device. A key that it enrolled stays, without its subject."""
    for table in _OF_CHECK:
        connection.execute(delete(table).where(table.c.check_id == check_id))
    connection.execute(
        update(enrolled_keys).where(enrolled_keys.c.check_id == check_id).values(subject_hash="")
    )


def _of_subject(table: Table, tenant: str, hashes: Collection[str]) -> ColumnElement[bool]:
    return and_(table.c.tenant.in_(memory_scopes(tenant)), table.c.subject_hash.in_(hashes))


def _receipt_row(receipt: HeldReceipt | None) -> dict[str, bytes | datetime | None]:
    return {
        "receipt": None if receipt is None else receipt.data,
        "receipt_time": None if receipt is None else receipt.time,
        "receipt_due": None if receipt is None else receipt.due,
    }


def _is_key(tenant: str, kind: KeyKind, key_id: bytes) -> ColumnElement[bool]:
    return and_(
        enrolled_keys.c.tenant == tenant,
        enrolled_keys.c.kind == kind,
        enrolled_keys.c.key_sha256 == sha256(key_id).digest(),
    )
