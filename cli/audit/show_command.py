"""``facegate audit show``: the newest entries, for people."""

import asyncio
import json
from dataclasses import replace
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.audit.options import SinceOption, in_utc
from cli.audited import audited_database
from cli.error_reporting import errors_reported
from cli.options import ConfigOption, JsonOption
from server.audit import AuditAction, AuditEntry, entry_line, subject_hashes
from server.edge.callers import LOCAL_TENANT
from server.errors import ConfigurationError
from server.key_files import open_key_files
from server.keys import read_memory_key
from server.settings import Settings
from server.settings_loading import load_settings
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.errors import StorageError

__all__ = ["show_command"]

_WIDTH = 200


def show_command(
    tenant: Annotated[
        str, typer.Option(help="Tenant of the entries; `_server` for those of the installation.")
    ] = LOCAL_TENANT,
    *,
    last: Annotated[int, typer.Option(min=1, max=10_000, help="Number of entries.")] = 20,
    check: Annotated[UUID | None, typer.Option(help="Entries about this check.")] = None,
    subject: Annotated[
        str | None, typer.Option(help="Entries about this person, by the reference in your uploads.")
    ] = None,
    action: Annotated[AuditAction | None, typer.Option(help="Entries of this action.")] = None,
    actor: Annotated[str | None, typer.Option(help="Entries of this caller or user.")] = None,
    since: SinceOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show the newest entries of the audit log, the newest last.

    For example, the entries of one colleague, and all entries about a person who has not been erased:

        facegate audit show --actor anna --since 2027-03-01

        facegate audit show --subject customer-4711
    """
    with errors_reported(ConfigurationError, StorageError):
        settings = load_settings(config).settings
        chosen = AuditFilter(
            since=in_utc(since),
            action=None if action is None else action.value,
            actor=actor,
            check_id=None if check is None else str(check),
        )
        entries = asyncio.run(_read(settings, tenant, chosen=chosen, subject=subject, last=last))
    if as_json:
        for entry in entries:
            typer.echo(entry_line(entry))
        return
    Console(width=_WIDTH).print(_table(entries))


async def _read(
    settings: Settings, tenant: str, *, chosen: AuditFilter, subject: str | None, last: int
) -> tuple[AuditEntry, ...]:
    async with audited_database(settings.database_url) as database:
        reader = AuditReader(database)
        if subject is not None:
            keys = read_memory_key(open_key_files(settings.key_folder, settings.keys)).tenant_keys(tenant)
            pseudonyms = await reader.pseudonyms_of(tenant, subject_hashes(keys, subject))
            if not pseudonyms:
                return ()
            chosen = replace(chosen, pseudonyms=pseudonyms)
        return (await reader.entries(tenant, chosen=chosen, limit=last, newest_first=True))[::-1]


def _table(entries: tuple[AuditEntry, ...]) -> Table:
    table = Table(box=None, pad_edge=False)
    for name in ("Entry", "Time (UTC)", "Action", "Actor", "From", "Check", "Person", "Purpose", "Detail"):
        table.add_column(name, overflow="fold")
    for entry in entries:
        cells = (
            str(entry.sequence),
            f"{entry.time:%Y-%m-%d %H:%M:%S}",
            entry.action,
            f"{entry.actor} ({entry.role})",
            entry.address,
            entry.check_id or "",
            (entry.pseudonym or "")[:12],
            entry.purpose,
            json.dumps(entry.details, ensure_ascii=False) if entry.details else "",
        )
        table.add_row(*(escape(cell) for cell in cells))
    return table
