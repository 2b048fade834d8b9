"""``facegate audit show``: the newest entries, for people."""

import asyncio
import json
from dataclasses import replace
from functools import partial
from typing import Annotated
from uuid import UUID

import typer
from facegate.v1 import audit_pb2
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.audit.options import (
    RemoteOption,
    SinceOption,
    database_name,
    in_utc,
    log_errors,
    remote_connection,
)
from cli.audited import audited_database
from cli.checks.connection import ApiKeyOption, CaOption, CertOption, KeyOption, call_server
from cli.options import ConfigOption, JsonOption
from facegate_client import Compliance
from server.audit import AuditAction, AuditEntry, detail_text, entry_line, subject_hashes
from server.configuration.loading import load_settings
from server.configuration.settings import Settings
from server.edge.callers import LOCAL_TENANT
from server.keyring.key_files import open_key_files
from server.keyring.keys import read_memory_key
from server.storage.audit_reader import AuditFilter, AuditReader

__all__ = ["show_command"]

_PAGE = 1000
_WIDTH = 200


def show_command(
    tenant: Annotated[
        str | None,
        typer.Option(help="Tenant of the entries. By default `default`; `_server` for the installation's."),
    ] = None,
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
    service: RemoteOption = None,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
) -> None:
    """Show the newest entries of the audit log, the newest last.

    For example, the entries of one colleague, and all entries about a person who has not been erased, as a
    server has them:

        facegate audit show --actor anna --since 2027-03-01

        facegate audit show --subject customer-4711 --service localhost:9091
    """
    with log_errors():
        connection = remote_connection(
            service, tenant=tenant, api_key_file=api_key_file, ca=ca, cert=cert, key=key
        )
        chosen = AuditFilter(
            since=in_utc(since),
            action=None if action is None else action.value,
            actor=actor,
            check_id=None if check is None else str(check),
        )
        if connection is not None:
            entries = call_server(connection, partial(_ask, chosen=chosen, subject=subject, last=last))
            nothing = f"The server {connection.service} has no such entry of your tenant."
        else:
            settings = load_settings(config).settings
            tenant = LOCAL_TENANT if tenant is None else tenant
            entries, others = asyncio.run(_read(settings, tenant, chosen=chosen, subject=subject, last=last))
            nothing = f"The log of {tenant} in {database_name(settings)} has no such entry. " + (
                f"Tenants with a log: {', '.join(others)}." if others else "No tenant has a log there."
            )
    if not entries:
        typer.echo(nothing, err=True)
        return
    if as_json:
        for entry in entries:
            typer.echo(entry_line(entry))
        return
    Console(width=_WIDTH).print(_table(entries))


async def _read(
    settings: Settings, tenant: str, *, chosen: AuditFilter, subject: str | None, last: int
) -> tuple[tuple[AuditEntry, ...], tuple[str, ...]]:
    """Returns the entries, and the tenants that have a log."""
    async with audited_database(settings.database_url) as database:
        reader = AuditReader(database)
        tenants = await reader.tenants()
        if subject is not None:
            keys = read_memory_key(open_key_files(settings.key_folder, settings.keys)).tenant_keys(tenant)
            pseudonyms = await reader.pseudonyms_of(tenant, subject_hashes(keys, subject))
            if not pseudonyms:
                return (), tenants
            chosen = replace(chosen, pseudonyms=pseudonyms)
        return (await reader.entries(tenant, chosen=chosen, limit=last, newest_first=True))[::-1], tenants


async def _ask(
    compliance: Compliance, *, chosen: AuditFilter, subject: str | None, last: int
) -> tuple[AuditEntry, ...]:
    request = audit_pb2.ListAuditEventsRequest(
        action=chosen.action or "",
        actor=chosen.actor or "",
        check_id=chosen.check_id or "",
        subject_reference=subject or "",
    )
    if chosen.since is not None:
        request.start_time.FromDatetime(chosen.since)
    found: list[AuditEntry] = []
    while True:
        request.page_size = min(last - len(found), _PAGE)
        page = await compliance.list_audit_events(request)
        found += map(_entry, page.events)
        if len(found) >= last or not page.next_page_token:
            return tuple(found[::-1])
        request.page_token = page.next_page_token


def _entry(event: audit_pb2.AuditEvent) -> AuditEntry:
    return AuditEntry(
        tenant=event.tenant,
        sequence=event.sequence,
        time_us=event.time.ToMicroseconds(),
        action=event.action,
        actor=event.actor.name,
        role=event.actor.role,
        address=event.actor.address,
        check_id=event.check_id or None,
        pseudonym=event.pseudonym.hex() or None,
        purpose=event.purpose,
        detail=detail_text(event.detail),
        hash=event.hash.hex(),
    )


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
