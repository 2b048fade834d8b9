# ruff: noqa: S608 - the statements are those of an attacker, and every value is from these modules
"""Chains of audit entries, and what an attacker does to them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection, text

from server.audit import (
    Actor,
    AuditAction,
    AuditEvent,
    CheckpointSigner,
    ProblemKind,
    Report,
    entry_hash,
    subject_hash,
)
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditReader
from server.storage.database import Database

NOW = datetime(2027, 3, 1, 12, 0, tzinfo=UTC)
TENANT = "bank"
TENANT_KEY = bytes(range(32))
TABLES = ("audit_events", "audit_heads", "audit_checkpoints", "audit_subjects")
_TRIGGERS = tuple(f"{table}_{what}" for table in TABLES[:3] for what in ("update", "delete"))


def event(
    action: AuditAction = AuditAction.EVIDENCE_READ,
    *,
    tenant: str = TENANT,
    check_id: UUID | None = None,
    subject: str = "",
    purpose: str = "complaint 12",
    **detail: str,
) -> AuditEvent:
    return AuditEvent(
        tenant=tenant,
        action=action,
        actor=Actor(name="anna", role="compliance_reader", address="192.0.2.7"),
        check_id=check_id,
        subject=subject_hash(TENANT_KEY, subject),
        purpose=purpose,
        detail=detail,
    )


async def fill(log: AuditLog, count: int = 5, *, start: int = 0) -> None:
    for index in range(start, start + count):
        await log.append(event(index=str(index)), now=NOW + timedelta(seconds=index))


async def verify(reader: AuditReader, signer: CheckpointSigner, *, saved: Sequence[str] = ()) -> Report:
    return await reader.verify(TENANT, keys=signer.keys, saved=saved)


def kinds(report: Report) -> set[ProblemKind]:
    return {problem.kind for problem in report.problems}


@asynccontextmanager
async def tampering(database: Database) -> AsyncIterator[list[str]]:
    """Runs the given statements as somebody who owns the tables and so may drop their triggers."""
    statements: list[str] = []
    yield statements

    def work(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            # What a superuser can do; the owner of the tables could drop the triggers instead.
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            for trigger in _TRIGGERS:
                connection.execute(text(f"DROP TRIGGER IF EXISTS {trigger}"))
        for statement in statements:
            connection.execute(text(statement))

    await database.write(work)


async def recompute(database: Database, reader: AuditReader, *, start: int) -> None:
    """Computes the hashes of all entries from ``start`` on and of the head anew, as an attacker would."""
    entries = await reader.entries(TENANT)
    previous = bytes.fromhex(entries[start - 2].hash) if start > 1 else bytes(32)
    async with tampering(database) as statements:
        for entry in entries[start - 1 :]:
            previous = entry_hash(entry, previous=previous)
            statements.append(
                f"UPDATE audit_events SET hash = '{previous.hex()}' "
                f"WHERE tenant = '{TENANT}' AND sequence = {entry.sequence}"
            )
        statements.append(f"UPDATE audit_heads SET hash = '{previous.hex()}' WHERE tenant = '{TENANT}'")
