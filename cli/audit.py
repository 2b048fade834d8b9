"""``facegate audit``: verifies, shows, exports and accepts the audit log."""

import asyncio
import json
import os
import secrets
import sys
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Iterator, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, Annotated, Any, Final, Protocol, TypeVar
from uuid import UUID

import typer
from facegate.v1 import audit_pb2
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.audited import server_settings
from cli.connection import Connection, call_server, remote_group
from cli.errors import CommandError, errors_reported
from cli.options import TIME_FORMATS, JsonOption, in_utc
from cli.shown import counted, list_table
from facegate_client import Compliance
from server.audit import (
    ALL_LOGS,
    AuditAction,
    AuditEntry,
    AuditError,
    AuditExportInvalid,
    CheckpointKeys,
    ExportedEntry,
    ExportLine,
    Problem,
    ProblemKind,
    copies_by_tenant,
    detail_text,
    entry_line,
    parse_line,
)
from server.base.errors import ConfigurationError
from server.configuration.loading import load_settings
from server.edge.callers import LOCAL_TENANT
from server.operating.audit import LocalAudit, LogVerification
from server.running.timestamps import TimestampRoots
from server.storage.audit_reader import AuditFilter
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


def _elsewhere(text: str) -> str:
    missing = text.startswith("no database was found")
    return "; to ask a server, name its service listener: --service host:port" if missing else ""


def remote_connection(context: typer.Context, *, tenant: str | None) -> Connection | None:
    """Return the connection to a server; ``None`` if the local database is to be read."""
    connection: Connection | None = context.obj or None
    if connection is not None and tenant is not None:
        raise CommandError("a server shows the log of the tenant of your credential: leave out --tenant")
    return connection


class AuditSource(Protocol):
    """A log that is read: ``LocalAudit``, or ``RemoteAudit``."""

    @property
    def place(self) -> str:
        """Where the log is, for people."""

    async def tenants(self) -> tuple[str, ...] | None:
        """Return the tenants that have a log; ``None`` if only that of one can be read."""

    async def newest(self, chosen: AuditFilter, *, subject: str | None, most: int) -> tuple[AuditEntry, ...]:
        """Return the newest entries, the newest last; about one person unless ``subject`` is ``None``."""

    def export(self, since: datetime | None, *, follow: bool = False) -> AsyncGenerator[bytes, None]:
        """Yield the parts of an export with entries of this time or later."""


_PAGE: Final = 1000


@dataclass(frozen=True, slots=True)
class RemoteAudit:
    """The log of the credential's tenant, which a server sends; each reading is an entry itself."""

    compliance: Compliance
    place: str
    purpose: str = ""

    async def tenants(self) -> None:
        """A server does not tell."""

    async def newest(self, chosen: AuditFilter, *, subject: str | None, most: int) -> tuple[AuditEntry, ...]:
        """See ``AuditSource``."""
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
            request.page_size = min(most - len(found), _PAGE)
            page = await self.compliance.list_audit_events(request)
            found += map(_entry, page.events)
            if len(found) >= most or not page.next_page_token:
                return tuple(found[::-1])
            request.page_token = page.next_page_token

    async def export(self, since: datetime | None, *, follow: bool = False) -> AsyncGenerator[bytes, None]:
        """See ``AuditSource``."""
        if follow:
            # The next call would export the entry of this one.
            raise CommandError("--follow reads the database: run it on the server, without --service")
        request = audit_pb2.ExportAuditLogRequest(purpose=self.purpose)
        if since is not None:
            request.start_time.FromDatetime(since)
        async for part in self.compliance.export_audit_log(request):
            yield part


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


_Answer = TypeVar("_Answer")


def _read(
    context: typer.Context,
    tenant: str | None,
    work: Callable[[AuditSource], Coroutine[Any, Any, _Answer]],
    *,
    purpose: str = "",
) -> _Answer:
    """Do ``work`` with the log of the server of ``--service``; without one, with that of the settings."""
    if (connection := remote_connection(context, tenant=tenant)) is not None:
        place = connection.service
        return call_server(context, Compliance, lambda server: work(RemoteAudit(server, place, purpose)))
    log = LocalAudit(load_settings().settings, tenant)
    return asyncio.run(work(log))


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
            own = LocalAudit(settings).keys(needed=True)
        typer.echo(json.dumps(own.jwks(), indent=2))
        return
    since = None if since is None else in_utc(since)

    async def write(log: AuditSource) -> str:
        """Return what to say."""
        if await _write(log.export(since, follow=follow), sys.stdout.buffer):
            return ""
        return f"In {log.place}, {'no tenant has a log' if tenant is None else f'{tenant} has no log'}."

    with log_errors():
        try:
            nothing = _read(context, tenant, write, purpose=purpose)
        except (KeyboardInterrupt, BrokenPipeError):
            # The reader has gone; what Python would write at its end has no reader either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return
    if nothing:
        typer.echo(nothing, err=True)


async def _write(parts: AsyncGenerator[bytes, None], file: IO[bytes]) -> int:
    """Write the parts of an export as they come; return the size in bytes."""
    size = 0
    async with aclosing(parts):
        async for part in parts:
            size += file.write(part)
            file.flush()
    return size


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
    chosen = AuditFilter(
        since=None if since is None else in_utc(since),
        actions=() if action is None else (action.value,),
        actor=actor,
        check_id=None if check is None else str(check),
    )

    async def read(log: AuditSource) -> tuple[tuple[AuditEntry, ...], str]:
        """Return the entries, or what to say without any."""
        if found := await log.newest(chosen, subject=subject, most=last + 1):
            return found, ""
        if (others := await log.tenants()) is None:
            return (), f"The server {log.place} has no such entry of your tenant."
        name = LOCAL_TENANT if tenant is None else tenant
        return (), f"The log of {name} in {log.place} has no such entry. {_with_a_log(others)}"

    with log_errors():
        entries, nothing = _read(context, tenant, read)
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

    def confirm(problems: Sequence[Problem]) -> None:
        for problem in problems:
            typer.echo(str(problem), err=True)
        if not yes:
            typer.confirm("Accept the log as it is? The acceptance is recorded.", abort=True, err=True)

    with server_settings() as settings:
        if not reason.strip():
            raise CommandError("state a --reason: it is kept for ever")
        accepted = asyncio.run(LocalAudit(settings).accept(reason, confirm=confirm))
    if not accepted:
        typer.echo("The log extends what was signed before; there is nothing to accept.")
    else:
        typer.echo(f"Accepted, and signed again from checkpoint {accepted} on.")


_BROKEN: Final = 1
_SHOWN: Final = 20
_DOTS_OF_JWS: Final = 2


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
        offline = connection is not None or export is not None
        local = None if offline and jwks is not None else LocalAudit(load_settings().settings, tenant)
        found = _begun(local, jwks=jwks, witness=witness, roots=timestamp_roots)
        if connection is not None:
            found.place = f"what {connection.service} sent"
            _verify_remote(context, found)
        elif export is not None:
            found.place = str(export)
            found.verify_export(lambda: _lines(export), tenant)
        elif local is not None:
            asyncio.run(local.verify(found))
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


def _begun(
    local: LocalAudit | None, *, jwks: Path | None, witness: Path | None, roots: Path | None
) -> LogVerification:
    """Read the keys, the saved checkpoints and the roots of time stamps, by default those of the settings."""
    if jwks is not None:
        with errors_reported(OSError):
            keys = CheckpointKeys.from_jwks(jwks.read_bytes(), place=str(jwks))
    elif local is not None:
        keys = local.keys()
    else:
        raise CommandError("name the public keys: --jwks")
    roots = roots or (None if local is None else local.settings.audit.timestamp_roots)
    stamps = None if roots is None else TimestampRoots(roots)
    copies, invalid = copies_by_tenant([] if witness is None else _saved(witness), keys)
    found = LogVerification(keys=keys, stamps=stamps, copies=copies, problems=invalid)
    if witness is not None:
        if not copies and not invalid:
            raise CommandError(
                f"{witness} has no checkpoint: give an earlier export, or lines of a server's log"
            )
        found.witness = counted(sum(map(len, copies.values())), "saved checkpoint")
    return found


def _verify_remote(context: typer.Context, found: LogVerification) -> None:
    """Verify what a server sends, in which the entry of this reading must be."""
    # The server logs the reading before it sends the log, which therefore cannot be an older one.
    purpose = f"verification {secrets.token_hex(8)}"
    with errors_reported(OSError), NamedTemporaryFile(prefix="facegate-audit-", suffix=".jsonl") as file:
        _read(context, None, lambda log: _write(log.export(None), file), purpose=purpose)
        path = Path(file.name)
        entries = (line.entry for line in _lines(path) if isinstance(line, ExportedEntry))
        own = next((entry.tenant for entry in entries if entry.purpose == purpose), None)
        # The server sends the log of one tenant; the saved checkpoints may be of others, too.
        found.copies = {name: some for name, some in found.copies.items() if own in {None, name}}
        found.verify_export(lambda: _lines(path), None)
    if own is None:
        found.problems.append(
            Problem(
                tenant=ALL_LOGS,
                kind=ProblemKind.TRUNCATED,
                sequence=0,
                explanation="the server sent a log without the entry of this reading: an older one",
            )
        )


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


def _print_verification(found: LogVerification, *, as_json: bool) -> None:
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


def _document(found: LogVerification) -> list[dict[str, object]]:
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
