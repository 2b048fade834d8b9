"""``facegate audit verify``: looks for entries that were altered, removed, inserted, reordered or cut off."""

import asyncio
import json
import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Annotated, Final

import typer

from cli.audit.export_command import write_remote
from cli.audit.options import RemoteOption, TenantOption, database_name, log_errors, remote_connection
from cli.audited import audited_database
from cli.checks.connection import ApiKeyOption, CaOption, CertOption, Connection, KeyOption, call_server
from cli.error_reporting import errors_reported
from cli.errors import CommandError
from cli.options import ConfigOption, JsonOption
from server.audit import (
    ALL_LOGS,
    AuditEntry,
    AuditExportInvalid,
    ChainVerifier,
    CheckpointChain,
    CheckpointInvalid,
    CheckpointKeys,
    Head,
    LostCheckpoints,
    Problem,
    ProblemKind,
    Report,
    SignedCheckpoint,
    digest_of,
    parse_line,
)
from server.configuration.loading import load_settings
from server.configuration.settings import Settings
from server.keyring.key_files import open_key_files
from server.keyring.keys import read_audit_keys
from server.running.timestamps import TimestampFailed, TimestampRoots
from server.storage.audit_reader import AuditReader
from server.storage.audit_witness import AuditWitness
from server.storage.errors import StorageError

__all__ = ["verify_command"]

_BROKEN: Final = 1
_SHOWN: Final = 20
_DOTS_OF_JWS: Final = 2


@dataclass(frozen=True, slots=True)
class _Verified:
    """The verification of one chain.

    Attributes:
        report: The chain and its checkpoints.
        stamped: The time that the newest valid time stamp proves; ``None`` if there is none.
        bad_stamps: The numbers of checkpoints whose time stamp is not valid.
    """

    report: Report
    stamped: datetime | None
    bad_stamps: tuple[int, ...]

    @property
    def whole(self) -> bool:
        return self.report.whole and not self.bad_stamps


@dataclass(slots=True, kw_only=True)
class _Verification:
    """The verification of all chains.

    Attributes:
        logs: Each chain.
        checkpoints: The number of checkpoints in the chain over all logs; ``None`` if it was not verified.
        problems: The problems of that chain, and of copies.
        lost: What operators accepted as lost.
        witness: What was compared, for people.
        place: Where the logs are, for people.
    """

    logs: list[_Verified] = field(default_factory=list)
    checkpoints: int | None = None
    problems: list[Problem] = field(default_factory=list)
    lost: list[LostCheckpoints] = field(default_factory=list)
    witness: str = ""
    place: str = ""

    @property
    def whole(self) -> bool:
        return not self.problems and all(verified.whole for verified in self.logs)


def verify_command(
    tenant: TenantOption = None,
    *,
    jwks: Annotated[
        Path | None,
        typer.Option(help="Public keys (`facegate audit keys`). By default those of the key folder."),
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
    service: RemoteOption = None,
    api_key_file: ApiKeyOption = None,
    ca: CaOption = None,
    cert: CertOption = None,
    key: KeyOption = None,
    config: ConfigOption = None,
) -> None:
    """Verify the audit log; the exit status is 1 if it was changed.

    Finds entries that were altered, removed, inserted, reordered or cut off, and checkpoints that do not fit
    or that the witness has and the log lacks. The server may be running. For example, on the server, and on
    another machine with an export:

        facegate audit verify

        facegate audit verify --export audit.jsonl --jwks audit-jwks.json

    With --service, a server sends its log, which is verified here with keys that you got by another way:

        facegate audit verify --service facegate.example:9091 --jwks audit-jwks.json --witness saved.jsonl
    """
    with log_errors():
        connection = remote_connection(
            service, tenant=tenant, api_key_file=api_key_file, ca=ca, cert=cert, key=key
        )
        if connection is not None and export is not None:
            raise CommandError("give either --service or --export")
        if connection is not None and jwks is None:
            raise CommandError(
                "name the public keys with --jwks: a server cannot vouch for the log that it sends. On its "
                "machine, `facegate audit keys` prints them"
            )
        # Offline, no settings are needed: their file may not exist on the machine of an auditor.
        local = connection is None and export is None
        settings = load_settings(config).settings if local or jwks is None else None
        keys = _keys(jwks, settings)
        roots = timestamp_roots or (None if settings is None else settings.audit.timestamp_roots)
        stamps = None if roots is None else TimestampRoots(roots)
        found = _Verification()
        copies = _copies([] if witness is None else _saved(witness), keys, found)
        if witness is not None:
            found.witness = f"{sum(map(len, copies.values()))} saved checkpoints"
        if connection is not None:
            _verify_remote(connection, found, keys=keys, stamps=stamps, copies=copies)
        elif export is not None:
            found.place = str(export)
            _verify_export(export, tenant, found, keys=keys, stamps=stamps, copies=copies)
        elif settings is not None:
            found.place = database_name(settings)
            asyncio.run(_verify(settings, tenant, found, keys=keys, stamps=stamps, copies=copies))
    _print(found, as_json=as_json)
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


async def _verify(
    settings: Settings,
    tenant: str | None,
    found: _Verification,
    *,
    keys: CheckpointKeys,
    stamps: TimestampRoots | None,
    copies: dict[str, list[str]],
) -> None:
    async with audited_database(settings.database_url) as database:
        reader = AuditReader(database)
        # The witness is read before the database, to which checkpoints are written first.
        found.witness = await _add_witness(settings, found, keys=keys, copies=copies)
        chain = await reader.verify_checkpoints(keys, copies=_placed(copies, keys))
        found.checkpoints = chain.position - sum(one.last - one.first + 1 for one in chain.lost)
        found.problems += chain.problems
        found.lost = chain.lost
        # A tenant of which only copies of checkpoints are left was removed as a whole.
        tenants = {*await reader.tenants(), *copies} if tenant is None else {tenant}
        for name in sorted(tenants):
            report = await reader.verify(name, keys=keys, saved=_not_lost(copies.get(name, ()), keys, chain))
            found.logs.append(_with_stamps(report, await reader.checkpoints(name), stamps))


async def _add_witness(
    settings: Settings, found: _Verification, *, keys: CheckpointKeys, copies: dict[str, list[str]]
) -> str:
    """Adds the checkpoints of the server's witness to the copies; returns what was compared."""
    try:
        witnessed = await AuditWitness(settings.witness_url).read()
    except StorageError as error:
        if not found.witness:
            raise CommandError(f"{error}; name a saved copy with --witness") from error
        return f"{found.witness}; the witness of the server cannot be read"
    valid = _copies(witnessed, keys, found)
    for name, some in valid.items():
        copies.setdefault(name, []).extend(some)
    newest = max((keys.verify(one).position for some in valid.values() for one in some), default=0)
    lacking = len(witnessed) - sum(map(len, valid.values()))
    if not witnessed:
        state = "empty; the log was compared with nothing outside the database"
        return f"{found.witness}; the server's is empty" if found.witness else state
    compared = [found.witness] if found.witness else []
    if newest:
        compared.append(f"the server's, up to checkpoint {newest}")
    if lacking:
        compared.append(f"{lacking} of the {len(witnessed)} of the server cannot be verified")
    return " and ".join(compared)


def _verify_remote(
    connection: Connection,
    found: _Verification,
    *,
    keys: CheckpointKeys,
    stamps: TimestampRoots | None,
    copies: Mapping[str, list[str]],
) -> None:
    found.place = f"what {connection.service} sent"
    # The server logs the reading before it sends the log, which therefore cannot be an older one.
    purpose = f"verification {secrets.token_hex(8)}"
    with errors_reported(OSError), NamedTemporaryFile(prefix="facegate-audit-", suffix=".jsonl") as file:
        call_server(connection, partial(write_remote, file=file, purpose=purpose))
        path = Path(file.name)
        _verify_export(path, None, found, keys=keys, stamps=stamps, copies=copies)
        if not any(isinstance(line, AuditEntry) and line.purpose == purpose for line in _lines(path)):
            found.problems.append(
                Problem(
                    tenant=ALL_LOGS,
                    kind=ProblemKind.TRUNCATED,
                    sequence=0,
                    explanation="the server sent a log without the entry of this reading: an older one",
                )
            )


def _verify_export(
    path: Path,
    tenant: str | None,
    found: _Verification,
    *,
    keys: CheckpointKeys,
    stamps: TimestampRoots | None,
    copies: Mapping[str, list[str]],
) -> None:
    heads: dict[str, Head] = {}
    starts: dict[str, Head] = {}
    checkpoints: dict[str, list[SignedCheckpoint]] = {}
    # Checkpoints stand behind the entries that they cover, so the file is read twice, not kept.
    for line in _lines(path):
        if isinstance(line, SignedCheckpoint):
            checkpoints.setdefault(line.tenant, []).append(line)
        elif isinstance(line, AuditEntry):
            checkpoints.setdefault(line.tenant, [])
        else:
            kind, name, head = line
            (starts if kind == "start" else heads)[name] = head
            if name != ALL_LOGS:
                checkpoints.setdefault(name, [])
    chain = CheckpointChain(copies=_placed(copies, keys))
    whole = heads.pop(ALL_LOGS, None)
    if whole is not None:
        placed = [one for some in checkpoints.values() for one in some if one.position > 0]
        chain.extend(sorted(placed, key=lambda one: one.position), keys)
        chain.finish()
        if (chain.position, chain.digest) != (whole.sequence, whole.hash):
            chain.add(
                ProblemKind.CHECKPOINT_REMOVED,
                whole.sequence,
                f"the export has the checkpoints of all logs up to {chain.position}, and its head states "
                f"{whole.sequence}",
            )
        found.checkpoints = len(placed)
        found.problems += chain.problems
        found.lost = chain.lost
        for name in copies:
            checkpoints.setdefault(name, [])
    verifiers = {
        name: ChainVerifier(
            name,
            checkpoints=checkpoints[name],
            keys=keys,
            saved=_not_lost(copies.get(name, ()), keys, chain),
            start=starts.get(name),
        )
        for name in sorted(checkpoints)
        if tenant in {None, name}
    }
    for line in _lines(path):
        if isinstance(line, AuditEntry) and line.tenant in verifiers:
            verifiers[line.tenant].verify_entry(line)
    for name, verifier in verifiers.items():
        found.logs.append(_with_stamps(verifier.finish(heads.get(name)), checkpoints[name], stamps))


def _with_stamps(
    report: Report, checkpoints: Sequence[SignedCheckpoint], stamps: TimestampRoots | None
) -> _Verified:
    stamped: datetime | None = None
    bad: list[int] = []
    if stamps is not None:
        for checkpoint in checkpoints:
            if checkpoint.timestamp is None:
                continue
            try:
                stamped = stamps.verify(checkpoint.timestamp, checkpoint.jws.encode())
            except TimestampFailed:
                bad.append(checkpoint.number)
    return _Verified(report, stamped, tuple(bad))


def _saved(path: Path) -> Iterator[str]:
    """Yields the checkpoints (JWS) of a file: an export, lines of a server's log, or JWS."""
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


def _copies(saved: Iterable[str], keys: CheckpointKeys, found: _Verification) -> dict[str, list[str]]:
    """Returns saved checkpoints by their tenant; those that are not valid become problems."""
    copies: dict[str, list[str]] = {}
    for signed in saved:
        try:
            copies.setdefault(keys.verify(signed).tenant, []).append(signed)
        except CheckpointInvalid as error:
            found.problems.append(
                Problem(
                    tenant=ALL_LOGS,
                    kind=ProblemKind.CHECKPOINT_INVALID,
                    sequence=0,
                    explanation=f"a saved one: {error}",
                )
            )
    return copies


def _placed(copies: Mapping[str, Sequence[str]], keys: CheckpointKeys) -> dict[int, str]:
    """Returns the digests of the copies that have a position, by it."""
    signed = ((keys.verify(one).position, one) for some in copies.values() for one in some)
    return {position: digest_of(one).hex() for position, one in signed if position}


def _not_lost(copies: Iterable[str], keys: CheckpointKeys, chain: CheckpointChain) -> list[str]:
    """Returns the copies without those that an operator accepted as lost."""
    return [
        signed
        for signed in copies
        if not any(one.first <= keys.verify(signed).position <= one.last for one in chain.lost)
    ]


def _lines(path: Path) -> "Iterator[AuditEntry | SignedCheckpoint | tuple[str, str, Head]]":
    with errors_reported(OSError), path.open(encoding="utf-8", errors="surrogateescape") as file:
        for number, line in enumerate(file, start=1):
            try:
                yield parse_line(line)
            except AuditExportInvalid as error:
                raise CommandError(f"{path}, line {number}: {error}") from error


def _print(found: _Verification, *, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(_document(found), indent=2, default=str))
        return
    if not found.logs:
        typer.echo(f"In {found.place}, no tenant has a log.")
    for verified in found.logs:
        report = verified.report
        state = "whole" if verified.whole else "CHANGED"
        typer.echo(
            f"{report.tenant}: {state}; {report.entries} entries, {report.checkpoints} checkpoints, "
            f"signed up to entry {report.covered}"
            + ("" if report.covered_time is None else f" at {report.covered_time:%Y-%m-%dT%H:%M:%SZ}")
            + ("" if verified.stamped is None else f", time stamp of {verified.stamped:%Y-%m-%dT%H:%M:%SZ}")
        )
        _print_problems(report.problems)
        for number in verified.bad_stamps:
            typer.echo(f"  timestamp_invalid at {number}: the time stamp of this checkpoint is not valid")
    if found.checkpoints is not None or found.problems:
        count = "" if found.checkpoints is None else f"; {found.checkpoints} checkpoints"
        typer.echo(f"all logs: {'CHANGED' if found.problems else 'whole'}{count}")
        _print_problems(found.problems)
    elif len(found.logs) > 1:
        typer.echo("all logs: not verified together; the export has no head of all logs")
    for one in found.lost:
        typer.echo(
            f"  lost: checkpoints {one.first} to {one.last}, which an operator accepted at "
            f"{one.time:%Y-%m-%dT%H:%M:%SZ}, as with a restored backup"
        )
    typer.echo(f"witness: {found.witness or 'none; the log was compared with nothing outside it'}")


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
