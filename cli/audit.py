"""``facegate audit``: verifies, shows, exports and accepts the audit log."""

import asyncio
import json
import secrets
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Final
from uuid import UUID

import typer
from facegate.v1 import audit_pb2
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.audited import audited_database, server_settings, shell_actor
from cli.connection import Connection, call_server, remote_group
from cli.errors import CommandError, errors_reported
from cli.options import TIME_FORMATS, JsonOption, in_utc
from cli.shown import counted, list_table
from facegate_client import Compliance
from server.audit import (
    ALL_LOGS,
    SERVER_TENANT,
    AuditAction,
    AuditEntry,
    AuditError,
    AuditEvent,
    AuditExportInvalid,
    CheckpointKeys,
    ExportedEntry,
    ExportLine,
    Head,
    LostCheckpoints,
    Problem,
    ProblemKind,
    Report,
    SignedCheckpoint,
    copies_by_position,
    copies_by_tenant,
    detail_text,
    digest_of,
    entry_line,
    mark_line,
    parse_line,
    subject_hashes,
    verify_export,
    without_lost,
)
from server.base.errors import ConfigurationError
from server.base.key_validity import PublishedKey
from server.configuration.loading import load_settings, mask_url
from server.configuration.settings import Settings
from server.edge.callers import LOCAL_TENANT
from server.keyring.key_files import KeyFiles, open_key_files
from server.keyring.keys import KeyFolder, read_audit_keys, read_memory_key
from server.running.timestamps import TimestampFailed, TimestampRoots
from server.storage.audit import AuditLog
from server.storage.audit_reader import AuditExport, AuditFilter, AuditReader
from server.storage.audit_witness import AuditWitness
from server.storage.errors import StorageError

TenantOption = Annotated[
    str | None,
    typer.Option(help="Tenant of the entries; `_server` for those of the installation. By default all."),
]
SinceOption = Annotated[
    datetime | None,
    typer.Option(
        formats=TIME_FORMATS,
        help="Entries of this time or later; UTC unless it has an offset.",
    ),
]


@contextmanager
def log_errors() -> Iterator[None]:
    """Report the errors of settings, database and log; a missing database points to ``--service``."""
    with errors_reported(
        ConfigurationError, StorageError, AuditError, words=lambda text: f"{text}{_elsewhere(text)}"
    ):
        yield


def remote_connection(context: typer.Context, *, tenant: str | None) -> Connection | None:
    """Return the connection to a server; ``None`` if the local database is to be read."""
    connection: Connection | None = context.obj or None
    if connection is not None and tenant is not None:
        raise CommandError("a server shows the log of the tenant of your credential: leave out --tenant")
    return connection


def own_audit_keys(files: KeyFiles) -> tuple[PublishedKey, ...]:
    """Return the audit keys of a key folder."""
    keys = read_audit_keys(files)
    if not keys:
        raise CommandError(f"{files.folder}: there is no audit key; name the key folder of the server")
    return keys


def database_name(settings: Settings) -> str:
    """Return the database for people, without its password."""
    return mask_url(settings.database_url)


def _elsewhere(text: str) -> str:
    missing = text.startswith("no database was found")
    return "; to ask a server, name its service listener: --service host:port" if missing else ""


def export_command(
    context: typer.Context,
    tenant: TenantOption = None,
    since: SinceOption = None,
    *,
    follow: Annotated[bool, typer.Option("--follow", help="Go on with new entries.")] = False,
    purpose: Annotated[
        str, typer.Option("--purpose", help="Why, for the audit log of the server that is asked.")
    ] = "",
    keys: Annotated[
        bool, typer.Option("--keys", help="Print the public keys of checkpoints instead, as a JWK Set.")
    ] = False,
) -> None:
    """Print the audit log as JSON lines.

    The schema is in `docs/evidence.md`. The server may be running. For example, to a file that can be
    verified on another machine, and to a collector of logs:

        facegate audit export > audit.jsonl

        facegate audit export --since 2027-01-01 --follow | vector

    `facegate audit verify --jwks` takes the keys, which you give to the auditor by another way than the log:

        facegate audit export --keys > audit-jwks.json
    """
    if keys:
        with server_settings() as settings:
            own = CheckpointKeys(own_audit_keys(open_key_files(settings.key_folder, settings.keys)))
        typer.echo(json.dumps(own.jwks(), indent=2))
        return
    since = None if since is None else in_utc(since)
    with log_errors():
        connection = remote_connection(context, tenant=tenant)
        try:
            if connection is not None:
                if follow:
                    # Each call of a server is an entry itself, which the next one would export.
                    raise CommandError("--follow reads the database: run it on the server, without --service")
                work = partial(write_remote, file=sys.stdout.buffer, since=since, purpose=purpose)
                call_server(context, Compliance, work)
                return
            settings = load_settings().settings
            count = asyncio.run(_export(settings, tenant, since, follow=follow))
            if not count:
                what = "no tenant has a log" if tenant is None else f"{tenant} has no log"
                typer.echo(f"In {database_name(settings)}, {what}.", err=True)
        except (KeyboardInterrupt, BrokenPipeError):
            # The reader has gone; what Python would write at its end has no reader either.
            sys.stdout = None


async def write_remote(
    compliance: Compliance, *, file: IO[bytes], since: datetime | None = None, purpose: str = ""
) -> int:
    """Write the export of a server into a file; return its size in bytes."""
    request = audit_pb2.ExportAuditLogRequest(purpose=purpose)
    if since is not None:
        request.start_time.FromDatetime(since)
    size = 0
    async for chunk in compliance.export_audit_log(request):
        size += file.write(chunk)
    file.flush()
    return size


async def _export(settings: Settings, tenant: str | None, since: datetime | None, *, follow: bool) -> int:
    """Return how many tenants have a log."""
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
            await asyncio.sleep(_POLL_SECONDS)


_PAGE = 1000
_WIDTH = 200


def show_command(
    context: typer.Context,
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
) -> None:
    """Show the newest entries of the audit log, the newest last.

    For example, the entries of one colleague, and all entries about a person who has not been erased, as a
    server has them:

        facegate audit show --actor anna --since 2027-03-01

        facegate audit show --subject customer-4711 --service localhost:8444
    """
    with log_errors():
        connection = remote_connection(context, tenant=tenant)
        chosen = AuditFilter(
            since=None if since is None else in_utc(since),
            actions=() if action is None else (action.value,),
            actor=actor,
            check_id=None if check is None else str(check),
        )
        if connection is not None:
            entries = call_server(
                context, Compliance, partial(_ask, chosen=chosen, subject=subject, last=last + 1)
            )
            nothing = f"The server {connection.service} has no such entry of your tenant."
        else:
            settings = load_settings().settings
            tenant = LOCAL_TENANT if tenant is None else tenant
            entries, others = asyncio.run(
                _read(settings, tenant, chosen=chosen, subject=subject, last=last + 1)
            )
            nothing = (
                f"The log of {tenant} in {database_name(settings)} has no such entry. {_with_a_log(others)}"
            )
    if not entries:
        typer.echo(nothing, err=True)
        return
    shown = entries[-last:]
    if as_json:
        for entry in shown:
            typer.echo(entry_line(entry))
    else:
        Console(width=_WIDTH).print(_table(shown))
    if len(entries) > last:
        typer.echo(
            f"There are older entries: these are the newest {last:,}. --last shows more, --since those of a "
            "time, and `facegate audit export` all.",
            err=True,
        )


def _with_a_log(tenants: Collection[str]) -> str:
    return f"Tenants with a log: {', '.join(sorted(tenants))}." if tenants else "No tenant has a log there."


async def _read(
    settings: Settings, tenant: str, *, chosen: AuditFilter, subject: str | None, last: int
) -> tuple[tuple[AuditEntry, ...], tuple[str, ...]]:
    """Return the entries, and the tenants that have a log."""
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
        actions=chosen.actions,
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
    table = list_table(
        "Entry", "Time (UTC)", "Action", "Actor", "From", "Check", "Person", "Purpose", "Detail"
    )
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


_LONGEST_DETAIL = 256


def accept_command(
    *,
    reason: Annotated[
        str,
        typer.Option("--reason", help="Why, for the audit log; 1 to 256 bytes, and no personal data."),
    ],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Accept the audit log as it is, so that servers sign it again.

    A server stops signing if the log lacks checkpoints that the witness has, as after the restoration of a
    backup, if signed entries were changed, or if an audit key was lost with its public half. This command
    shows what does not fit, records the acceptance, and signs every log. The loss stays visible: `facegate
    audit verify` names it from then on. For example:

        facegate audit accept --reason "backup of 1 April restored, incident 12"
    """
    with server_settings() as settings:
        if not reason.strip():
            raise CommandError("state a --reason: it is kept for ever")
        accepted = asyncio.run(_accept(settings, reason, yes=yes))
    if not accepted:
        typer.echo("The log extends what was signed before; there is nothing to accept.")
    else:
        typer.echo(f"Accepted, and signed again from checkpoint {accepted} on.")


async def _accept(settings: Settings, reason: str, *, yes: bool) -> int:
    """Return the position of the checkpoint that states the acceptance; 0 if there was nothing to accept."""
    files = open_key_files(settings.key_folder, settings.keys)
    own_audit_keys(files)
    signer = KeyFolder(files, issuer=settings.results.issuer).keys.audit
    witness = AuditWitness(settings.witness_url)
    async with audited_database(settings.database_url) as database:
        log = AuditLog(database)
        witnessed = await witness.read()
        problems = await log.changes(signer.keys, witnessed=witnessed)
        if not problems:
            return 0
        for problem in problems:
            typer.echo(str(problem), err=True)
        if not yes:
            typer.confirm("Accept the log as it is? The acceptance is recorded.", abort=True, err=True)
        event = AuditEvent(
            tenant=SERVER_TENANT,
            action=AuditAction.AUDIT_ACCEPTED,
            actor=shell_actor(),
            purpose=reason,
            detail={
                "witnessed": str(witness.position),
                "problems": str(len(problems)),
                "first": str(problems[0])[:_LONGEST_DETAIL],
            },
        )
        made = await log.accept(
            signer, event, now=datetime.now(UTC), witnessed=witnessed, position=witness.position
        )
        await witness.write(log.witness, position=log.position)
        return made[0].position


_BROKEN: Final = 1
_POLL_SECONDS: Final = 1.0
_SHOWN: Final = 20
_DOTS_OF_JWS: Final = 2


@dataclass(frozen=True, slots=True)
class _Verified:
    """The verification of one chain."""

    report: Report
    stamped: datetime | None
    bad_stamps: tuple[int, ...]

    @property
    def whole(self) -> bool:
        return self.report.whole and not self.bad_stamps


@dataclass(slots=True, kw_only=True)
class _Verification:
    """The verification of all chains, of a database, an export or what a server sent.

    Attributes:
        stamps: The roots of time stamps; ``None`` if they are not verified.
        copies: Checkpoints that the log must have, by tenant.
        tenants: The tenants that have a log, or of whose log there is a copy of a checkpoint.
        checkpoints: The number of checkpoints in the chain over all logs; ``None`` if it was not verified.
        problems: The problems of that chain, and of copies.
    """

    keys: CheckpointKeys
    stamps: TimestampRoots | None
    copies: dict[str, list[str]]
    logs: list[_Verified] = field(default_factory=list)
    tenants: set[str] = field(default_factory=set)
    checkpoints: int | None = None
    problems: list[Problem] = field(default_factory=list)
    lost: list[LostCheckpoints] = field(default_factory=list)
    witness: str = ""
    place: str = ""

    @property
    def whole(self) -> bool:
        return not self.problems and all(verified.whole for verified in self.logs)

    async def verify_database(self, settings: Settings, tenant: str | None) -> None:
        self.place = database_name(settings)
        async with audited_database(settings.database_url) as database:
            reader = AuditReader(database)
            # The witness is read before the database, to which checkpoints are written first.
            self.witness = await self._add_witness(settings)
            chain = await reader.verify_checkpoints(
                self.keys, copies=copies_by_position(self.copies, self.keys)
            )
            self.checkpoints = chain.position - sum(one.last - one.first + 1 for one in chain.lost)
            self.problems += chain.problems
            self.lost = chain.lost
            # A tenant of which only copies of checkpoints are left was removed as a whole.
            self.tenants = {*await reader.tenants(), *self.copies}
            for name in sorted(self.tenants if tenant is None else self.tenants & {tenant}):
                saved = without_lost(self.copies.get(name, ()), self.keys, chain)
                report = await reader.verify(name, keys=self.keys, saved=saved)
                self._add(report, await reader.checkpoints(name))

    async def _add_witness(self, settings: Settings) -> str:
        """Add the checkpoints of the server's witness to the copies; return what was compared."""
        try:
            witnessed = await AuditWitness(settings.witness_url).read()
        except StorageError as error:
            if not self.witness:
                raise CommandError(f"{error}; name a saved copy with --witness") from error
            return f"{self.witness}; the witness of the server cannot be read"
        valid, invalid = copies_by_tenant(witnessed, self.keys)
        self.problems += invalid
        for name, some in valid.items():
            self.copies.setdefault(name, []).extend(some)
        newest = max((self.keys.verify(one).position for some in valid.values() for one in some), default=0)
        lacking = len(witnessed) - sum(map(len, valid.values()))
        if not witnessed:
            state = "empty; the log was compared with nothing outside the database"
            return f"{self.witness}; the server's is empty" if self.witness else state
        compared = [self.witness] if self.witness else []
        if newest:
            compared.append(f"the server's, up to checkpoint {newest}")
        if lacking:
            compared.append(f"{lacking} of the {len(witnessed)} of the server cannot be verified")
        return " and ".join(compared)

    def verify_remote(self, context: typer.Context) -> None:
        self.place = f"what {context.obj.service} sent"
        # The server logs the reading before it sends the log, which therefore cannot be an older one.
        purpose = f"verification {secrets.token_hex(8)}"
        with errors_reported(OSError), NamedTemporaryFile(prefix="facegate-audit-", suffix=".jsonl") as file:
            call_server(context, Compliance, partial(write_remote, file=file, purpose=purpose))
            path = Path(file.name)
            entries = (line.entry for line in _lines(path) if isinstance(line, ExportedEntry))
            own = next((entry.tenant for entry in entries if entry.purpose == purpose), None)
            # The server sends the log of one tenant; the saved checkpoints may be of others, too.
            self.copies = {name: some for name, some in self.copies.items() if own in {None, name}}
            self.verify_export(path, None)
            if own is None:
                self.problems.append(
                    Problem(
                        tenant=ALL_LOGS,
                        kind=ProblemKind.TRUNCATED,
                        sequence=0,
                        explanation="the server sent a log without the entry of this reading: an older one",
                    )
                )

    def verify_export(self, path: Path, tenant: str | None) -> None:
        export = verify_export(lambda: _lines(path), tenant, keys=self.keys, copies=self.copies)
        if export.checkpoints is not None:
            self.checkpoints = export.checkpoints
            self.problems += export.chain.problems
            self.lost = export.chain.lost
        self.tenants = set(export.tenants)
        for report, checkpoints in export.logs:
            self._add(report, checkpoints)

    def _add(self, report: Report, checkpoints: Sequence[SignedCheckpoint]) -> None:
        """Add a chain, with the newest of its time stamps and those that are not valid."""
        stamped: datetime | None = None
        bad: list[int] = []
        for checkpoint in checkpoints:
            if self.stamps is None or checkpoint.timestamp is None:
                continue
            try:
                stamped = self.stamps.verify(checkpoint.timestamp, checkpoint.jws.encode())
            except TimestampFailed:
                bad.append(checkpoint.number)
        self.logs.append(_Verified(report, stamped, tuple(bad)))


def verify_command(
    context: typer.Context,
    tenant: TenantOption = None,
    *,
    jwks: Annotated[
        Path | None,
        typer.Option(
            help="Public keys (`facegate audit export --keys`). By default those of the key folder."
        ),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Verify this export instead of the database; needs no network and no server."),
    ] = None,
    witness: Annotated[
        Path | None,
        typer.Option(
            "--witness",
            help="Saved checkpoints that the log must have. An earlier export, lines of the server's log, or "
            "JWS, one a line.",
        ),
    ] = None,
    timestamp_roots: Annotated[
        Path | None,
        typer.Option(help="PEM file with roots of the time-stamping authority. By default as in settings."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Verify the audit log; the exit status is 1 if it was changed, or if an export is empty.

    Finds entries that were altered, removed, inserted, reordered or cut off, and checkpoints that do not fit
    or that the witness has and the log lacks. The server may be running. For example, on the server, and on
    another machine with an export:

        facegate audit verify

        facegate audit verify --export audit.jsonl --jwks audit-jwks.json

    With --service, a server sends its log, which is verified here with keys that you got by another way:

        facegate audit verify --service facegate.example:9091 --jwks audit-jwks.json --witness saved.jsonl
    """
    with log_errors():
        connection = remote_connection(context, tenant=tenant)
        if connection is not None and export is not None:
            raise CommandError("give either --service or --export")
        if connection is not None and jwks is None:
            raise CommandError(
                "name the public keys with --jwks: a server cannot vouch for the log that it sends. On its "
                "machine, `facegate audit export --keys` prints them"
            )
        # Offline, no settings are needed: their file may not exist on the machine of an auditor.
        local = connection is None and export is None
        settings = load_settings().settings if local or jwks is None else None
        keys = _keys(jwks, settings)
        roots = timestamp_roots or (None if settings is None else settings.audit.timestamp_roots)
        stamps = None if roots is None else TimestampRoots(roots)
        copies, invalid = copies_by_tenant([] if witness is None else _saved(witness), keys)
        if witness is not None and not copies and not invalid:
            raise CommandError(
                f"{witness} has no checkpoint: give an earlier export, or lines of a server's log"
            )
        found = _Verification(keys=keys, stamps=stamps, copies=copies, problems=invalid)
        if witness is not None:
            found.witness = counted(sum(map(len, copies.values())), "saved checkpoint")
        if connection is not None:
            found.verify_remote(context)
        elif export is not None:
            found.place = str(export)
            found.verify_export(export, tenant)
        elif settings is not None:
            asyncio.run(found.verify_database(settings, tenant))
    _print_verification(found, as_json=as_json)
    if tenant is not None and tenant not in found.tenants:
        typer.echo(f"In {found.place}, there is no log of {tenant}. {_with_a_log(found.tenants)}", err=True)
        raise typer.Exit(_BROKEN)
    if not found.tenants and export is not None:
        # A log of a server has entries from its first start on.
        typer.echo(f"{export} is empty, which proves nothing: export the log again.", err=True)
        raise typer.Exit(_BROKEN)
    if not found.whole:
        raise typer.Exit(_BROKEN)


def _keys(jwks: Path | None, settings: Settings | None) -> CheckpointKeys:
    if jwks is not None:
        with errors_reported(OSError):
            return CheckpointKeys.from_jwks(jwks.read_bytes(), place=str(jwks))
    if settings is None:
        raise CommandError("name the public keys: --jwks")
    files = open_key_files(settings.key_folder, settings.keys)
    return CheckpointKeys(read_audit_keys(files), place=str(files.folder))


def _saved(path: Path) -> Iterator[str]:
    """Yield the checkpoints (JWS) of a file: an export, lines of a server's log, or JWS."""
    with errors_reported(OSError), path.open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            text = line.strip()
            if not text.startswith("{"):
                if text.count(".") != _DOTS_OF_JWS:
                    raise CommandError(f"{path}, line {number}: it is neither JSON nor a checkpoint (JWS)")
                yield text
                continue
            try:
                signed = json.loads(text).get("jws")
            except (ValueError, RecursionError) as error:
                raise CommandError(f"{path}, line {number}: it is not JSON") from error
            if isinstance(signed, str):
                yield signed


def _lines(path: Path) -> Iterator[ExportLine]:
    with errors_reported(OSError), path.open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield parse_line(line)
            except AuditExportInvalid as error:
                raise CommandError(f"{path}, line {number}: {error}") from error


def _print_verification(found: _Verification, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_document(found), indent=2, default=str))
        return
    if not found.tenants:
        typer.echo(f"In {found.place}, no tenant has a log.")
    for verified in found.logs:
        report = verified.report
        state = "whole" if verified.whole else _not_whole(() if verified.bad_stamps else report.problems)
        typer.echo(
            f"{report.tenant}: {state}; {counted(report.entries, 'entry')}, "
            f"{counted(report.checkpoints, 'checkpoint')}, signed up to entry {report.covered}"
            + ("" if report.covered_time is None else f" at {report.covered_time:%Y-%m-%dT%H:%M:%SZ}")
            + ("" if verified.stamped is None else f", time stamp of {verified.stamped:%Y-%m-%dT%H:%M:%SZ}")
        )
        _print_problems(report.problems)
        for number in verified.bad_stamps:
            typer.echo(f"  timestamp_invalid at {number}: the time stamp of this checkpoint is not valid")
    if found.checkpoints is not None or found.problems:
        count = "" if found.checkpoints is None else f"; {counted(found.checkpoints, 'checkpoint')}"
        typer.echo(f"all logs: {_not_whole(found.problems) if found.problems else 'whole'}{count}")
        _print_problems(found.problems)
    elif len(found.logs) > 1:
        typer.echo(
            "all logs: not verified together; the export has no head of all logs. If it was made with "
            "--tenant, verify it with --tenant"
        )
    for one in found.lost:
        typer.echo(
            f"  lost: checkpoints {one.first} to {one.last}, which an operator accepted at "
            f"{one.time:%Y-%m-%dT%H:%M:%SZ}, as with a restored backup"
        )
    typer.echo(f"witness: {found.witness or 'none; the log was compared with nothing outside it'}")


def _not_whole(problems: Sequence[Problem]) -> str:
    """Return the state of a log that is not whole: changed, or signed by keys that are not known here."""
    if problems and all(problem.key_missing for problem in problems):
        return "cannot be verified without the keys of `facegate audit export --keys` (--jwks)"
    return "CHANGED"


def _print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems[:_SHOWN]:
        typer.echo(f"  {problem.kind.value} at {problem.sequence}: {problem.explanation}")
    if len(problems) > _SHOWN:
        typer.echo(f"  and {len(problems) - _SHOWN} more")


def _document(found: _Verification) -> list[dict[str, object]]:
    logs = [
        {
            **asdict(verified.report),
            "whole": verified.whole,
            "timestamp": verified.stamped,
            "invalid_timestamps": verified.bad_stamps,
        }
        for verified in found.logs
    ]
    all_logs = {
        "tenant": ALL_LOGS,
        "whole": not found.problems,
        "checkpoints": found.checkpoints,
        "problems": [asdict(problem) for problem in found.problems],
        "lost": [asdict(one) for one in found.lost],
        "witness": found.witness,
    }
    return [*logs, all_logs]


app = remote_group(
    "Verify, show or export the audit log.",
    service=None,
    about="For verify, show and export: host:port of a server to ask instead of the database. It shows the "
    "log of your tenant only.",
)
app.command("verify")(verify_command)
app.command("show")(show_command)
app.command("export")(export_command)
app.command("accept")(accept_command)
