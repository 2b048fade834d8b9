"""What a server keeps: its database, by what is kept there, and sealed pictures."""

import secrets
from dataclasses import dataclass

from server.evidence.store import EvidenceStore
from server.keys import KeyRing
from server.storage.database import Database, open_database
from server.storage.devices import DeviceRepository
from server.storage.objects import ObjectStore
from server.storage.repository import CheckRepository
from server.storage.retention import RetentionRepository
from server.storage.scan_memory import DatabaseScanMemory
from server.storage.schema import prepare_database

__all__ = ["Stores", "open_stores"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stores:
    """Open stores.

    Attributes:
        database: The database, to be closed.
        checks: Checks.
        retention: Checks whose time is over.
        devices: Devices' keys and tokens.
        memory: What frames and devices are known again by.
        evidence: Sealed pictures.
    """

    database: Database
    checks: CheckRepository
    retention: RetentionRepository
    devices: DeviceRepository
    memory: DatabaseScanMemory
    evidence: EvidenceStore


async def open_stores(database_url: str, *, objects: ObjectStore, keys: KeyRing) -> Stores:
    """Opens the database, whose schema is made or checked first.

    Args:
        database_url: The database.
        objects: Where pictures lie.
        keys: Seal them, and make what is remembered unreadable.

    Raises:
        SchemaOutdated, StorageUnavailable: The database cannot be used.
    """
    await prepare_database(database_url)
    database = open_database(database_url)
    return Stores(
        database=database,
        checks=CheckRepository(database),
        retention=RetentionRepository(database),
        devices=DeviceRepository(database),
        memory=DatabaseScanMemory(
            database,
            tenant_key=keys.memory.of,
            wrapping_keys=keys.wrapping_keys,
            random=secrets.token_bytes,
        ),
        evidence=EvidenceStore(objects, wrapping_keys=keys.wrapping_keys, random=secrets.token_bytes),
    )
