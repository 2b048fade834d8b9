"""Chains for the tests of the audit log."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec

from server.audit import (
    GENESIS,
    Actor,
    AuditAction,
    AuditEntry,
    AuditEvent,
    ChainVerifier,
    Checkpoint,
    CheckpointSigner,
    Head,
    Report,
    SignedCheckpoint,
    make_entry,
)

__all__ = ["NOW", "SIGNER", "TENANT", "chain", "checkpoint", "event", "head", "verify"]

NOW = datetime(2027, 3, 1, 12, 0, 0, 250_001, tzinfo=UTC)
TENANT = "bank"
SIGNER = CheckpointSigner(ec.generate_private_key(ec.SECP256R1()))


def event(**detail: str) -> AuditEvent:
    return AuditEvent(
        tenant=TENANT,
        action=AuditAction.EVIDENCE_READ,
        actor=Actor(name="anna", role="compliance_reader", address="192.0.2.7"),
        purpose="complaint 12",
        detail=detail,
    )


def chain(count: int) -> tuple[AuditEntry, ...]:
    entries: list[AuditEntry] = []
    for index in range(count):
        previous = bytes.fromhex(entries[-1].hash) if entries else GENESIS
        entries.append(
            make_entry(
                event(index=str(index)),
                sequence=index + 1,
                previous=previous,
                pseudonym=bytes(32) if index % 2 else None,
                now=NOW + timedelta(seconds=index),
            )
        )
    return tuple(entries)


def checkpoint(
    entry: AuditEntry, *, number: int = 1, previous: str = "", time: datetime = NOW
) -> SignedCheckpoint:
    return SIGNER.sign(
        Checkpoint(
            tenant=TENANT,
            number=number,
            sequence=entry.sequence,
            hash=entry.hash,
            time=time,
            previous=previous,
            position=number,
            before=previous,
        )
    )


def head(entries: Sequence[AuditEntry]) -> Head:
    return Head(entries[-1].sequence, entries[-1].hash)


def verify(
    entries: Sequence[AuditEntry],
    *,
    end: Head | None,
    checkpoints: Sequence[SignedCheckpoint] = (),
    start: Head | None = None,
) -> Report:
    verifier = ChainVerifier(TENANT, checkpoints=checkpoints, keys=SIGNER.keys, start=start)
    for entry in entries:
        verifier.verify_entry(entry)
    return verifier.finish(end)
