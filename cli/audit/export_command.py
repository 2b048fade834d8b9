"""``facegate audit export``: the log as JSON lines, for a SIEM or for verification elsewhere."""

import asyncio
import sys
from datetime import datetime
from typing import Annotated

import typer

from cli.audit.options import SinceOption, TenantOption, in_utc
from cli.audited import audited_database
from cli.error_reporting import errors_reported
from cli.options import ConfigOption
from server.audit import GENESIS, Head, checkpoint_line, entry_line, mark_line
from server.errors import ConfigurationError
from server.settings import Settings
from server.settings_loading import load_settings
from server.storage.audit_reader import AuditFilter, AuditReader
from server.storage.errors import StorageError

__all__ = ["export_command"]

_PAGE = 1000


def export_command(
    tenant: TenantOption = None,
    since: SinceOption = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new entries.")] = False,
    poll_seconds: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Time between two looks for new entries.")
    ] = 1.0,
    config: ConfigOption = None,
) -> None:
    """Print the audit log as JSON lines.

    The schema is in `docs/audit.md`. The server may be running. For example, to a file that can be verified
    on another machine, and to a collector of logs:

        facegate audit export > audit.jsonl

        facegate audit export --since 2027-01-01 --follow | vector
    """
    with errors_reported(ConfigurationError, StorageError):
        settings = load_settings(config).settings
        try:
            asyncio.run(_export(settings, tenant, in_utc(since), follow, poll_seconds))
        except (KeyboardInterrupt, BrokenPipeError):
            # The reader has gone; what Python would write at its end has no reader either.
            sys.stdout = None


async def _export(
    settings: Settings, tenant: str | None, since: datetime | None, follow: bool, poll_seconds: float
) -> None:
    async with audited_database(settings.database_url) as database:
        reader = AuditReader(database)
        exports: dict[str, _Export] = {}
        while True:
            for name in await reader.tenants() if tenant is None else (tenant,):
                if name not in exports:
                    exports[name] = _Export(reader, name)
                    await exports[name].begin(since)
                await exports[name].write_new()
                if not follow:
                    await exports[name].end()
            sys.stdout.flush()
            if not follow:
                return
            await asyncio.sleep(poll_seconds)


class _Export:
    """The export of one tenant."""

    def __init__(self, reader: AuditReader, tenant: str) -> None:
        self._reader = reader
        self._tenant = tenant
        self._sequence = 0
        self._checkpoint = 0
        self._head: Head | None = None

    async def begin(self, since: datetime | None) -> None:
        """Finds the first entry, and writes the previous one as the start."""
        if since is None:
            return
        found = await self._reader.entries(self._tenant, chosen=AuditFilter(since=since), limit=1)
        head = await self._reader.head(self._tenant)
        last = 0 if head is None else head.sequence
        self._sequence = found[0].sequence - 1 if found else last
        before = await self._reader.entries(self._tenant, after=self._sequence - 1, limit=1)
        if self._sequence and before:
            print(mark_line("start", self._tenant, Head(self._sequence, before[0].hash)))
        elif self._sequence:
            print(mark_line("start", self._tenant, Head(self._sequence, GENESIS.hex())))

    async def write_new(self) -> None:
        """Writes the entries up to the head, and the checkpoints that cover these entries only."""
        self._head = head = await self._reader.head(self._tenant)
        last = 0 if head is None else head.sequence
        # Entries behind the head were appended in the meantime; the next round writes them.
        while self._sequence < last:
            page = await self._reader.entries(self._tenant, after=self._sequence, limit=_PAGE)
            for entry in page:
                if entry.sequence <= last:
                    print(entry_line(entry))
                self._sequence = min(entry.sequence, last)
            if not page:
                # They are missing. What follows is exported, and a verification finds the gap.
                self._sequence = last
        for checkpoint in await self._reader.checkpoints(self._tenant, after=self._checkpoint):
            if checkpoint.sequence > last:
                break
            print(checkpoint_line(checkpoint))
            self._checkpoint = checkpoint.number

    async def end(self) -> None:
        """Writes the head."""
        if self._head is not None:
            print(mark_line("head", self._tenant, self._head))
