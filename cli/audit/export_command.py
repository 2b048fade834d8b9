"""``facegate audit export``: the log as JSON lines, for a SIEM or for verification elsewhere."""

import asyncio
import sys
from datetime import datetime
from functools import partial
from typing import IO, Annotated

import typer
from facegate.v1 import audit_pb2

from cli.audit.options import (
    RemoteOption,
    SinceOption,
    TenantOption,
    database_name,
    in_utc,
    log_errors,
    remote_connection,
)
from cli.audited import audited_database
from cli.checks.connection import ApiKeyOption, CaOption, CertOption, KeyOption, call_server
from cli.errors import CommandError
from cli.options import ConfigOption
from facegate_client import Compliance
from server.audit import ALL_LOGS, Head, digest_of, mark_line
from server.configuration.loading import load_settings
from server.configuration.settings import Settings
from server.storage.audit_reader import AuditExport, AuditReader

__all__ = ["export_command", "write_remote"]


def export_command(
    tenant: TenantOption = None,
    since: SinceOption = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new entries.")] = False,
    poll_seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Time between two looks for new entries.")
    ] = 1.0,
    service: RemoteOption = None,
    purpose: Annotated[
        str, typer.Option("--purpose", help="Why, for the audit log of the server that is asked.")
    ] = "",
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
) -> None:
    """Print the audit log as JSON lines.

    The schema is in `docs/audit.md`. The server may be running. For example, to a file that can be verified
    on another machine, and to a collector of logs:

        facegate audit export > audit.jsonl

        facegate audit export --since 2027-01-01 --follow | vector
    """
    with log_errors():
        connection = remote_connection(
            service, tenant=tenant, api_key_file=api_key_file, ca=ca, cert=cert, key=key
        )
        try:
            if connection is not None:
                if follow:
                    # Each call of a server is an entry itself, which the next one would export.
                    raise CommandError("--follow reads the database: run it on the server, without --service")
                work = partial(write_remote, file=sys.stdout.buffer, since=in_utc(since), purpose=purpose)
                call_server(connection, work)
                return
            settings = load_settings(config).settings
            count = asyncio.run(_export(settings, tenant, in_utc(since), follow, poll_seconds))
            if not count:
                what = "no tenant has a log" if tenant is None else f"{tenant} has no log"
                typer.echo(f"In {database_name(settings)}, {what}.", err=True)
        except (KeyboardInterrupt, BrokenPipeError):
            # The reader has gone; what Python would write at its end has no reader either.
            sys.stdout = None


async def write_remote(
    compliance: Compliance, *, file: IO[bytes], since: datetime | None = None, purpose: str = ""
) -> int:
    """Writes the export of a server into a file; returns its size in bytes."""
    request = audit_pb2.ExportAuditLogRequest(purpose=purpose)
    if since is not None:
        request.start_time.FromDatetime(since)
    size = 0
    async for chunk in compliance.export_audit_log(request):
        size += file.write(chunk)
    file.flush()
    return size


async def _export(
    settings: Settings, tenant: str | None, since: datetime | None, follow: bool, poll_seconds: float
) -> int:
    """Returns how many tenants have a log."""
    async with audited_database(settings.database_url) as database:
        reader = AuditReader(database)
        exports: dict[str, AuditExport] = {}
        while True:
            newest = await reader.newest_checkpoint(None)
            head = Head(0, "") if newest is None else Head(newest.position, digest_of(newest.jws).hex())
            known = await reader.tenants()
            for name in known if tenant is None else (tenant,):
                export = exports.get(name)
                if not follow:
                    # Those that are signed during an export of all logs might be in it with gaps.
                    position = head.sequence if tenant is None else None
                    lines = AuditExport(reader, name).lines(since, position=position)
                elif export is None:
                    export = exports[name] = AuditExport(reader, name)
                    async for line in export.begin(since):
                        print(line)
                    lines = export.new()
                else:
                    lines = export.new()
                async for line in lines:
                    print(line)
            if not follow:
                if tenant is None and known:
                    # All checkpoints up to this one are in the export, because it was read before them.
                    print(mark_line("head", ALL_LOGS, head))
                return len(known) if tenant is None else int(tenant in known)
            sys.stdout.flush()
            await asyncio.sleep(poll_seconds)
