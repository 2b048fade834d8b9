"""Backups of a server: its database, its objects and its keys, each on its own.

A backup of the database is a file of its kind, proved by a manifest: ``dump_database``, ``restore_database``.
Objects are copied to another store: ``copy_objects``. Key files are packed into one encrypted file:
``pack_keys``, ``unpack_keys``. Copy the database before the objects: every image is stored before the row
that names it.
"""

from server.backup.database import DumpSummary, dump_database, manifest_of, restore_database
from server.backup.files import (
    BackupDamaged,
    BackupError,
    CopySummary,
    TargetNotEmpty,
    copy_objects,
    key_names_sha256,
    pack_keys,
    unpack_keys,
)

__all__ = [
    "BackupDamaged",
    "BackupError",
    "CopySummary",
    "DumpSummary",
    "TargetNotEmpty",
    "copy_objects",
    "dump_database",
    "key_names_sha256",
    "manifest_of",
    "pack_keys",
    "restore_database",
    "unpack_keys",
]
