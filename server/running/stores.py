"""The stores of a server: the repositories of its database, and sealed images."""

import secrets
from dataclasses import dataclass

from server.evidence.records import RecordVault
from server.evidence.store import EvidenceStore
from server.keyring.keys import KeyRing
from server.storage.audit import AuditLog
from server.storage.database import Database, open_database
from server.storage.devices import DeviceRepository
from server.storage.evidence_records import EvidenceRecordRepository
from server.storage.holds import HoldRepository
from server.storage.objects import ObjectStore
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.scan_memory import DatabaseScanMemory
from server.storage.schema import expect_usable, prepare_database
from server.telemetry.metrics import Metrics

__all__ = ["Stores", "open_stores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Open stores.

    Attributes:
        database: The database, which the owner of the stores closes.
        checks: Checks.
        retention: Checks whose retention has ended.
        devices: Keys and tokens of devices.
        memory: The scan memory, which recognises frames and devices.
        evidence: Sealed evidence images.
        records: Sealed evidence records.
        vault: Seals and opens evidence records.
        holds: Legal holds.
        audit: The audit log.
    """

    database: Database
    checks: CheckRepository
    retention: RetentionRepository
    devices: DeviceRepository
    memory: DatabaseScanMemory
    evidence: EvidenceStore
    records: EvidenceRecordRepository
    vault: RecordVault
    holds: HoldRepository
    audit: AuditLog


async def open_stores(database_url: str, *, objects: ObjectStore, keys: KeyRing, metrics: Metrics) -> Stores:
    """Creates or verifies the schema of the database, and opens the stores.

    Args:
        database_url: The URL of the database.
        objects: The object store for images.
        keys: The keys that seal images and protect the scan memory.
        metrics: Counts failures of the database, and entries of the audit log that cannot be appended.

    Raises:
        SchemaOutdated, StorageUnavailable: The database cannot be used.
    """
    await prepare_database(database_url)
    database = open_database(
        database_url,
        failed=lambda operation: metrics.work.storage_failed("database", operation),
        expect=expect_usable,
    )
    return Stores(
        database=database,
        checks=CheckRepository(database),
        retention=RetentionRepository(database),
        devices=DeviceRepository(database),
        memory=DatabaseScanMemory(
            database,
            tenant_key=keys.memory.tenant_key,
            wrapping_keys=keys.wrapping_keys,
            random=secrets.token_bytes,
        ),
        evidence=EvidenceStore(objects, wrapping_keys=keys.wrapping_keys, random=secrets.token_bytes),
        records=EvidenceRecordRepository(database),
        holds=HoldRepository(database),
        audit=AuditLog(database, failed=metrics.audit.append_failed),
        vault=RecordVault(
            wrapping_keys=keys.wrapping_keys,
            tenant_key=keys.memory.tenant_key,
            sign=keys.results.sign,
            random=secrets.token_bytes,
        ),
    )
