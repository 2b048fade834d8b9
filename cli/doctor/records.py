"""The audit log: how old its newest checkpoint and the last backups are."""

from datetime import datetime, timedelta
from typing import Final

from cli.doctor.database import NOT_EXAMINED, existing_database
from cli.doctor.finding import Deployment, Finding, failure, fine, warning
from server.audit import SERVER_TENANT, AuditAction
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.errors import StorageError

__all__ = ["examine_audit", "examine_backup"]

_PARTS: Final = ("database", "objects", "keys")
_HOUR: Final = timedelta(hours=1)
_LONG: Final = timedelta(days=1)


async def examine_audit(deployment: Deployment) -> list[Finding]:
    """Finds the oldest entry that no checkpoint covers."""
    interval = timedelta(minutes=deployment.settings.audit.checkpoint_minutes)
    try:
        async with existing_database(deployment.settings) as database:
            since = await AuditLog(database).uncovered_since()
    except StorageError:
        return [NOT_EXAMINED]
    if since is None:
        return [fine("AUDIT_COVERED", "a checkpoint covers every entry")]
    age = deployment.now - since
    found = f"entries since {since:%Y-%m-%d %H:%M} UTC have no checkpoint"
    if age <= 2 * interval:
        return [fine("AUDIT_COVERED", f"{found}, {age / timedelta(minutes=1):.0f} minutes")]
    make = failure if age > max(_LONG, 2 * interval) else warning
    return [
        make(
            "AUDIT_CHECKPOINT_OLD",
            found,
            expected=f"a checkpoint at least every {interval / timedelta(minutes=1):.0f} minutes",
            remedy="start a server, which signs checkpoints; read its log for audit errors",
        )
    ]


async def examine_backup(deployment: Deployment) -> list[Finding]:
    """Finds the newest backup of each part, which `facegate backup` records in the audit log."""
    found = []
    newest: dict[str, datetime] = {}
    try:
        async with existing_database(deployment.settings) as database:
            entries = await AuditReader(database).entries(
                SERVER_TENANT, chosen=AuditFilter(action=AuditAction.BACKUP_MADE.value), newest_first=True
            )
    except StorageError:
        return [NOT_EXAMINED]
    for entry in entries:
        newest.setdefault(entry.details.get("part", ""), entry.time)
    for part in _PARTS:
        expected = f"at most {deployment.max_backup_age / _HOUR:.0f} hours old"
        remedy = f"facegate backup {part} (cron); with other tools: --skip backup"
        if part not in newest:
            found.append(
                warning("BACKUP_MISSING", f"{part}: no backup is recorded", expected=expected, remedy=remedy)
            )
            continue
        age = deployment.now - newest[part]
        text = f"{part}: {age / _HOUR:.1f} hours old"
        # Keys change only by a rotation, which the recorded backup has to follow.
        if age > deployment.max_backup_age and part != "keys":
            found.append(warning("BACKUP_OLD", text, expected=expected, remedy=remedy))
        else:
            found.append(fine("BACKUP_MADE", text))
    return found
